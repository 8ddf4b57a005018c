"""What a run asks: the probes of a suite and the prompts that measure speed. Pure.

Invariant: the same suite version and seed give the same bytes everywhere; any change of a question is a new
version. Probes come in rounds of one for each category and level, so that an early stop leaves balanced data.
"""

from collections.abc import Mapping
from typing import assert_never

from steelyard.api.measuring import Suite
from steelyard.api.profile import Category, Level
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import Probe, Templates
from steelyard_profiler.probes import extraction, instruction, math, reasoning, words

TEMPLATES: Mapping[Category, Templates] = {
    Category.MATH: math.TEMPLATES,
    Category.REASONING: reasoning.TEMPLATES,
    Category.INSTRUCTION: instruction.TEMPLATES,
    Category.EXTRACTION: extraction.TEMPLATES,
}
"""Every category that is measured."""

_MOST_REDRAWS = 50
"""Draws until a question is new; small templates repeat themselves by chance."""

_SPEED_WORDS = (*words.NOUNS, *words.ANIMALS, *words.COLORS)


def version(suite: Suite) -> str:
    """The suite with its version, as fingerprints hold it."""
    match suite:
        case Suite.QUICK:
            return "Quick/1"
        case _:
            assert_never(suite)


def probes_per_cell(suite: Suite) -> int:
    """Probes for each category and level."""
    match suite:
        case Suite.QUICK:
            return 8
        case _:
            assert_never(suite)


def probes(suite: Suite, seed: int) -> tuple[Probe, ...]:
    """All probes of a run, in the order to ask them."""
    asked: set[str] = set()
    made = []
    for index in range(probes_per_cell(suite)):
        for category in TEMPLATES:
            for level in Level:
                probe = _new_probe(category, level, index, (version(suite), seed), asked)
                asked.add(probe.question)
                made.append(probe)
    return tuple(made)


def speed_prompt(nonce: str, index: int, length_words: int) -> str:
    """A prompt of so many words; a new nonce in front keeps every prompt cache out of the measurement."""
    draws = Draws("speed", nonce, index)
    told = " ".join(draws.pick(_SPEED_WORDS) for _ in range(length_words))
    return f"{nonce}{index}: {told}\n\nWrite a long story in which all of these words appear."


def _new_probe(category: Category, level: Level, index: int, key: tuple[str, int], asked: set[str]) -> Probe:
    templates = TEMPLATES[category][level]
    template = templates[index % len(templates)]
    for attempt in range(_MOST_REDRAWS):
        task = template(Draws(*key, category, level, index, attempt))
        if task.question not in asked:
            break
    return Probe(category, level, index, template.__name__, task.question, task.max_tokens, task.check)
