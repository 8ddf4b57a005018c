"""What the templates of Writing share: a task whose answer holds to a form and is prose. Pure."""

from collections.abc import Callable, Iterable, Sequence

from steelyard_profiler import texts
from steelyard_profiler.answers import Check
from steelyard_profiler.probe import Task
from steelyard_profiler.probes.words import NOUNS, listed

SENTENCE, PASSAGE, PAGE = 40, 72, 112
"""Tokens of a sentence or two, of a few lines, of a short page."""

TOPICS = listed(
    "moon river forest garden island winter market bridge desert castle meadow village harbor mountain"
)
"""What poems are about."""

_UNCOUNTED = (
    "winter",
    "silver",
    "music",
    "cotton",
    "coffee",
    "thunder",
    "pepper",
    "spring",
    "summer",
    "morning",
)
SEEN = tuple(noun for noun in NOUNS if noun not in _UNCOUNTED)
"""Things that can be counted and seen."""


def task(
    question: str, holds: Callable[[str], bool], example: str, tokens: int, demanded: Iterable[str] = ()
) -> Task:
    """A task whose answer must hold to its form and be prose; `demanded` words echo nothing."""
    wanted = tuple(demanded)

    def check(answer: str) -> bool:
        text = texts.written(answer)
        return holds(text) and texts.is_prose(text, question, wanted)

    return Task(question, Check(check, example), tokens)


def verse(question: str, holds: Callable[[str], bool], example: str, tokens: int) -> Task:
    """A task whose answer must hold to its form and be lines of a poem."""

    def check(answer: str) -> bool:
        text = texts.written(answer)
        return holds(text) and texts.is_verse(text, question)

    return Task(question, Check(check, example), tokens)


def is_one_sentence(text: str) -> bool:
    """Whether it is a single sentence, neither a fragment nor without end."""
    found = texts.words(text)
    is_whole = len(found) > 3 or (len(found) == 3 and found[-1] not in texts.FUNCTION_WORDS)
    return len(texts.sentences(text)) == 1 and is_whole and len(found) <= 40


def is_dialogue(text: str, speakers: Sequence[str]) -> bool:
    """Whether the lines are said by these, each named before a colon and saying a word or more."""
    found = [line.replace("*", "") for line in texts.lines(text)]
    return len(found) == len(speakers) and all(
        line.startswith(f"{speaker}:") and len(texts.words(line)) >= 2
        for line, speaker in zip(found, speakers, strict=True)
    )


def spoken(speakers: Sequence[str], told: Sequence[str]) -> str:
    """A dialogue in which the speakers take turns."""
    return "\n".join(f"{speakers[at % len(speakers)]}: {said}" for at, said in enumerate(told))


def first_letter(line: str) -> str:
    """The small letter that a line begins with; empty where it holds no word."""
    found = texts.words(line)
    return found[0][0] if found else ""


def with_article(noun: str) -> str:
    """The noun with "a" or "an"."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
