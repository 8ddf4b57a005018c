"""What a run asks: the probes of a suite and the prompts that measure speed. Pure.

Rule 1. The same suite version and seed give the same bytes everywhere; another question is another version.
Rule 2. A category's probes have one order. Levels take turns, and within a level its templates do: every
        beginning of them is balanced, and the level and template of a probe follow from its index.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from steelyard.api.measuring import Suite
from steelyard.api.profile import Category, Level
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import Probe, Templates
from steelyard_profiler.probes import (
    coding,
    extraction,
    instruction,
    knowledge,
    longcontext,
    math,
    multilingual,
    reasoning,
    tooluse,
    words,
    writing,
)

TEMPLATES: Mapping[Category, Templates] = {
    Category.MATH: math.TEMPLATES,
    Category.CODING: coding.TEMPLATES,
    Category.REASONING: reasoning.TEMPLATES,
    Category.KNOWLEDGE: knowledge.TEMPLATES,
    Category.INSTRUCTION: instruction.TEMPLATES,
    Category.EXTRACTION: extraction.TEMPLATES,
    Category.TOOL_USE: tooluse.TEMPLATES,
    Category.LONG_CONTEXT: longcontext.TEMPLATES,
    Category.MULTILINGUAL: multilingual.TEMPLATES,
    Category.WRITING: writing.TEMPLATES,
}
"""Every category that is measured."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a suite asks."""

    version: str
    """The suite with its version, as fingerprints hold it."""
    batch_ends: tuple[int, ...]
    """Probes of a category after which it may end, in rising order; after the last it does."""
    enough_percent: float
    """It ends earlier when half of its interval's width is at most this, in points. That is so narrow that
    only rates near 0 or 1 end early: elsewhere it would bias the score by more than a point
    (docs/calibration.md)."""


PLANS: Mapping[Suite, Plan] = {
    Suite.QUICK: Plan("Quick/2", (20,), 0),
    Suite.STANDARD: Plan("Standard/1", (40, 80), 8),
    Suite.FULL: Plan("Full/1", (80, 160), 5),
}
"""Each suite's plan."""

MOST_PROBES = 160
"""The most that a suite asks of one category."""

_LEVELS = tuple(Level)

_MOST_REDRAWS = 50
"""Draws until a question is new; small templates repeat themselves by chance."""

_SPEED_WORDS = (*words.NOUNS, *words.ANIMALS, *words.COLORS)


def version(suite: Suite) -> str:
    """The suite with its version, as fingerprints hold it."""
    return PLANS[suite].version


def probes(suite: Suite, seed: int) -> tuple[Probe, ...]:
    """All probes that a run may ask: in rounds of one for each category."""
    count = PLANS[suite].batch_ends[-1]
    return tuple(
        probe
        for turn in zip(*(category_probes(suite, seed, one, count) for one in TEMPLATES), strict=True)
        for probe in turn
    )


def category_probes(suite: Suite, seed: int, category: Category, count: int) -> tuple[Probe, ...]:
    """The first probes of a category."""
    return tuple(islice(_probes(suite, seed, category), count))


def level(index: int) -> Level:
    """The level of a category's probe."""
    return _LEVELS[index % len(_LEVELS)]


def template(category: Category, index: int) -> int:
    """Which of its level's templates a category's probe is made from; all differ in an unknown category."""
    turn = index // len(_LEVELS)
    return turn % len(TEMPLATES[category][level(index)]) if category in TEMPLATES else turn


def speed_prompt(nonce: str, index: int, length_words: int) -> str:
    """A prompt of so many words; a new nonce in front keeps every prompt cache out of the measurement."""
    draws = Draws("speed", nonce, index)
    told = " ".join(draws.pick(_SPEED_WORDS) for _ in range(length_words))
    return f"{nonce}{index}: {told}\n\nWrite a long story in which all of these words appear."


def _probes(suite: Suite, seed: int, category: Category) -> Iterator[Probe]:
    """The probes of a category, without end."""
    asked: set[str] = set()
    index = 0
    while True:
        probe = _new_probe(category, index, (version(suite), seed), asked)
        asked.add(probe.question)
        yield probe
        index += 1


def _new_probe(category: Category, index: int, key: tuple[str, int], asked: set[str]) -> Probe:
    of_level = level(index)
    made_from = TEMPLATES[category][of_level][template(category, index)]
    for attempt in range(_MOST_REDRAWS):
        task = made_from(Draws(*key, category, of_level, index, attempt))
        if task.question not in asked:
            break
    return Probe(
        category,
        of_level,
        index,
        made_from.__name__,
        task.question,
        task.max_tokens,
        task.check,
        chance=task.chance,
        system=task.system,
        tools=task.tools,
    )
