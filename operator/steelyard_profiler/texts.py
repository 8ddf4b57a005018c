"""Whether a written text holds to its form, and whether it reads as language at all. Pure.

What can be verified without a judge: sentences, lines and words are counted; a text that repeats itself, only
shuffles the words of its prompt, or is no English by its function words is refused. Beauty is not measured.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from steelyard_profiler import answers, sayings
from steelyard_profiler.probes.words import listed

FUNCTION_WORDS = frozenset(
    listed(
        "a about after again all along always an and another any are around as at away back be because been "
        "before behind beside best between but by came can come could did do does down each even ever every "
        "few first for from get go goes had has have he her here him his how i if in inside into is it its "
        "just last let like little many me more most much my near never new next no not nothing now of off "
        "often old on once one only or other our out over own she should small so some soon still such take "
        "than that the their them then there these they this those through till to today together too two "
        "under until up us very was we well went were what when where which while who whose why will with "
        "without would yet you your"
    )
)
"""Words that any English text is held together by."""

LEAST_FUNCTION_SHARE = 0.12
"""Of the words; English prose has 40–60 %."""
LEAST_FUNCTION_SHARE_OF_VERSE = 0.05
"""Of the words of a few lines of verse, which may have one or two."""
MOST_FUNCTION_SHARE = 0.9
"""More than this is a list of small words, in a text of `LEAST_WORDS_FOR_MOST` words or more."""
LEAST_WORDS_FOR_MOST = 6
LEAST_DISTINCT_SHARE = 0.45
"""Different words among all, for texts of a few lines."""
LEAST_NEW_SHARE = 0.2
"""Different words of a text that its prompt does not hold."""
LOOP_WORDS = 4
"""A run of so many words …"""
LOOP_TIMES = 3
"""… that stands so often in a text of a few lines is a loop."""

_END = re.compile(r"[.!?…]+[\"'”’)*]*(?:\s+|$)")
_TITLE = re.compile(r"\b(Mr|Mrs|Ms|Dr|St|P\.S|p\.m|a\.m)\.(?=\s)")
_NUMBERED = re.compile(r"^[ \t]{0,8}\d{1,2}[.)][ \t]{1,8}", re.MULTILINE)
_PREAMBLE = re.compile(r"\A(?:sure|certainly|of course|okay|ok|here)\b[^\n]{0,80}:\s*\n+", re.IGNORECASE)
_LOOSE_ARTICLE = re.compile(
    r"(?<![\w.'’-])(?:[Tt]he|[Aa]n|a)\s+(?:and|or|of|the|an|a|but|from|by|with)(?![\w'’-])"
    r"|(?<=[a-z] )(?:the|an|a)\s*(?:[.!?…](?!\w)|\Z)"
)
"""An article that no noun can follow, as in a list of small words: "the and", "of a."."""
_VOWEL = re.compile("[aeiouy]")


def written(answer: str) -> str:
    """The text itself: without a fence, quotes, numbers of lines, and a first line that only announces it."""
    return _NUMBERED.sub("", answers.body(_PREAMBLE.sub("", sayings.visible(answer))))


def sentences(text: str) -> list[str]:
    """The sentences, each without its end mark; a last one that has none counts too."""
    plain = _TITLE.sub(r"\1", text)
    return [part for part in (part.strip(" \n\"'“”*-") for part in _END.split(plain)) if part]


def ended_sentences(text: str) -> list[str]:
    """The sentences of a text whose last one is ended; none where it breaks off."""
    return sentences(text) if re.search(r"[.!?…][\"'”’)*]*$", text.strip()) else []


def lines(text: str) -> list[str]:
    """The lines that are not empty."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def words(text: str) -> list[str]:
    """The words in small letters."""
    return [word.lower().replace("’", "'") for word in answers.words(text)]


def has_word(text: str, word: str) -> bool:
    """Whether the word stands in the text, in the singular, the plural or with 's; in any case of letters."""
    wanted = word.lower()
    forms = {wanted, f"{wanted}s", f"{wanted}es", f"{wanted}'s", f"{wanted}s'"}
    if wanted.endswith("y"):
        forms.add(f"{wanted[:-1]}ies")
    return not forms.isdisjoint(part for found in words(text) for part in (found, *found.split("-")))


def in_order(text: str, wanted: Sequence[str]) -> bool:
    """Whether the words stand in the text, each once, in this order."""
    found = words(text)
    return all(found.count(word) == 1 for word in wanted) and all(
        found.index(one) < found.index(two) for one, two in pairwise(wanted)
    )


def repeats(text: str) -> bool:
    """Whether the text is in a loop: a line, a sentence, a word or a run of words again and again."""
    found = words(text)
    runs = Counter(tuple(found[at : at + LOOP_WORDS]) for at in range(len(found) - LOOP_WORDS + 1))
    if any(times >= LOOP_TIMES for times in runs.values()):
        return True
    told = [words(sentence) for line in lines(text) for sentence in sentences(line)]
    if sum(one == two for sentence in told for one, two in pairwise(sentence)) > 1:
        return True
    for parts in (sentences(text), lines(text)):
        said = [" ".join(words(part)) for part in parts]
        if len(set(said)) < len(said):
            return True
    return len(found) >= 12 and len(set(found)) < LEAST_DISTINCT_SHARE * len(found)


def echoes(text: str, prompt: str, demanded: Iterable[str] = ()) -> bool:
    """Whether the text holds hardly any word that its prompt does not, but for those that it has to hold."""
    found, given = set(words(text)) - {word.lower() for word in demanded}, set(words(prompt))
    return len(found - given) < LEAST_NEW_SHARE * len(found)


def is_pronounceable(text: str) -> bool:
    """Whether nearly all words have a vowel and are of a usual length."""
    found = words(text)
    if not found:
        return False
    with_vowel = sum(bool(_VOWEL.search(word)) or word.isdigit() for word in found)
    mean_length = sum(map(len, found)) / len(found)
    return with_vowel >= 0.8 * len(found) and 2.3 <= mean_length <= 8


def is_english(text: str, least: float = LEAST_FUNCTION_SHARE) -> bool:
    """Whether small words, such a share of all or more, hold the text together, and all can be pronounced."""
    found = words(text)
    held = sum(word in FUNCTION_WORDS for word in found)
    most = MOST_FUNCTION_SHARE if len(found) >= LEAST_WORDS_FOR_MOST else 1
    return is_pronounceable(text) and least <= held / len(found) <= most and not _LOOSE_ARTICLE.search(text)


def is_prose(text: str, prompt: str, demanded: Iterable[str] = ()) -> bool:
    """Whether the text is language of its own: no loop, no echo of the prompt, and English."""
    return not repeats(text) and not echoes(text, prompt, demanded) and is_english(text)


def is_verse(text: str, prompt: str) -> bool:
    """`is_prose` for lines of a poem, which need fewer small words."""
    is_own = not repeats(text) and not echoes(text, prompt)
    return is_own and is_english(text, LEAST_FUNCTION_SHARE_OF_VERSE)
