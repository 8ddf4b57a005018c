"""A probe: one question with an exact check of its answer. Only types.

Invariant: everything about a probe follows from the suite's version, category, level, seed and index.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from steelyard.api.profile import Category, Level
from steelyard_profiler.answers import Check
from steelyard_profiler.draws import Draws

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
    """Its number among the probes of its category and level."""
    template: str
    """The template's name."""
    question: str
    """The user's message."""
    max_tokens: int
    """The longest answer."""
    check: Check = field(repr=False)
    """Whether an answer is right."""

    def accepts(self, answer: str) -> bool:
        """Whether the answer is right; what merely repeats the question does not count as said."""
        return self.check.passes(answer.replace(self.question, ""))
