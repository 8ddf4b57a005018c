"""A probe: one question with an exact check of its answer. No template lives here.

Invariant: everything about a probe follows from the suite's version, seed, category and index.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from steelyard.api.profile import Category, Level
from steelyard_profiler import sayings
from steelyard_profiler.answers import Check
from steelyard_profiler.calls import CallCheck
from steelyard_profiler.draws import Draws
from steelyard_profiler.target import Asked, Call

SHORT, LINE, LONG = 24, 56, 112
"""Tokens that an answer may take: a word or number; a line; a few lines."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a template makes of its draws."""

    question: str
    """The user's message."""
    check: Check
    """Whether an answer is right."""
    max_tokens: int = SHORT
    """The longest answer."""
    chance: float = 0.0
    """The pass rate of blind guessing where the question is closed; 0: it is open."""
    system: str = ""
    """The system message; empty: none."""
    tools: tuple[Mapping[str, Any], ...] = ()
    """The tools that may be called, as the API wants them."""


_ENDLESS = re.compile(r"\d{400}")
"""A number that says nothing, and that Python does not read."""

LEAST_REPEATED_WORDS = 5
"""A question without its last sentence is known by so many words; fewer may be an answer's own."""

LEAST_REPEATED_LETTERS = 16
"""An answer is known as the question's beginning by so many letters; fewer may be an answer's own."""

LEAST_WORDS_OF_SENTENCE = 3
"""A question's first sentence is known by so many words, where an answer is nothing else."""

Template = Callable[[Draws], Task]
"""A kind of question; its function's name is its name."""

Templates = Mapping[Level, Sequence[Template]]
"""The templates of a category by level."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One question to ask."""

    category: Category
    """The kind of work."""
    level: Level
    """How difficult."""
    index: int
    """Its number among the probes of its category, from 0."""
    template: str
    """The template's name."""
    question: str
    """The user's message."""
    max_tokens: int
    """The longest answer."""
    check: Check = field(repr=False)
    """Whether an answer is right."""
    chance: float = 0.0
    """The pass rate of blind guessing where the question is closed; 0: it is open."""
    system: str = ""
    """The system message; empty: none."""
    tools: tuple[Mapping[str, Any], ...] = ()
    """The tools that may be called, as the API wants them."""

    def asked(self) -> Asked:
        """The request that asks it."""
        extra = {"tools": list(self.tools)} if self.tools else {}
        return Asked(self.question, self.max_tokens, self.system, extra)

    def accepts(self, answer: str, calls: Sequence[Call] = ()) -> bool:
        """Whether the answer is right; thoughts and what merely repeats the question are not said."""
        if _ENDLESS.search(answer):
            return False
        said = _without(self.question, sayings.after_thoughts(answer))
        if isinstance(self.check, CallCheck):
            return self.check.judges(said, calls)
        return self.check.passes(said)

    def right(self) -> tuple[str, tuple[Call, ...]]:
        """A right answer: its text and its calls."""
        return self.check.example, self.check.calls if isinstance(self.check, CallCheck) else ()


def _without(question: str, answer: str) -> str:
    """The answer without the question, whole or up to its last sentence, in whatever case and spacing."""
    asked, whole = _folded(question), answer
    sentences = [at for at, word in enumerate(asked[:-1], 1) if word[-1:] in (".", "?", "!", ":")]
    lengths = [len(asked), *(at for at in sentences[-1:] if at >= LEAST_REPEATED_WORDS)]
    answer = answer.replace(question, " ")
    for length in lengths:
        spans = [match.span() for match in re.finditer(r"\S+", answer)]
        said = _folded(answer)
        for at in range(len(said) - length, -1, -1):
            if said[at : at + length] == asked[:length]:
                answer = answer[: spans[at][0]] + answer[spans[at + length - 1][1] :]
    first = next((at for at in sentences if at >= LEAST_WORDS_OF_SENTENCE), LEAST_REPEATED_WORDS)
    is_echo = _is_beginning(question, whole) or any(
        _repeats_beginning(question, first, said) for said in {whole, answer}
    )
    return "" if is_echo else answer


def _is_beginning(question: str, answer: str) -> bool:
    """Whether an answer without spaces, as in Chinese, is how the question begins, letter by letter."""
    said = answer.strip(" \n\"'.。…")
    return len(said) >= LEAST_REPEATED_LETTERS and " " not in said and question.startswith(said)


def _repeats_beginning(question: str, first: int, answer: str) -> bool:
    """Whether an answer is nothing but the beginning of the question, again and again, perhaps cut.

    `first`: the least words of it, those of the first of several sentences. A later sentence may be quoted
    as the place that answers the question; the first ones are what a model says that goes on with any text.
    """
    asked, said = _bare(_folded(question)), _bare(_folded(answer))
    if said[:first] != asked[:first]:
        return False
    while said:
        length = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(said, asked, strict=False))))
        is_cut = length == len(said) - 1 and asked[length : length + 1] and asked[length].startswith(said[-1])
        length += bool(is_cut)
        if length < min(first, max(len(said), LEAST_WORDS_OF_SENTENCE)):
            return False
        said = said[length:]
    return True


def _bare(words: Iterable[str]) -> list[str]:
    return [word.rstrip(".,:;?!") for word in words]


def _folded(text: str) -> list[str]:
    return [word.strip("\"'“”*_`>#").casefold() for word in text.split()]
