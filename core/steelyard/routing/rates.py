"""Pass rates by cell, shrunk where there is little data.

Estimates follow an empirical-Bayes chain: overall, category, cell, each pulled towards the one above by
`SHRINKAGE` pseudo-samples. Invariant: a rate never rises with the level.
"""

from collections.abc import Iterable

from steelyard.api.profile import Category, Level, Prior, Quality
from steelyard.routing.table import CATEGORIES, LEVELS

SHRINKAGE = 10
"""k: so many samples weigh as much as what is known from the level above; a cell of 5 lies half way."""

_Count = tuple[float, int]
"""Passed, and samples."""

_NOTHING = (0, 0)


def pass_rates(quality: Quality | None, priors: Iterable[Prior] = ()) -> tuple[float, ...]:
    """The estimated pass rate of every cell, [30], 0 to 1; a prior counts as samples of its category."""
    counts = _counts(quality)
    outside = {prior.category: (prior.samples * prior.score_percent / 100, prior.samples) for prior in priors}
    overall = _shrunk(_summed([*counts.values(), *outside.values()]), 0.5)
    rates: list[float] = []
    for category in CATEGORIES:
        cells = [counts.get((category, level), _NOTHING) for level in LEVELS]
        category_rate = _shrunk(_summed([*cells, outside.get(category, _NOTHING)]), overall)
        shrunk = [_shrunk(cell, category_rate) for cell in cells]
        rates += falling(shrunk, [samples for _, samples in cells])
    return tuple(rates)


def sample_sizes(quality: Quality | None, priors: Iterable[Prior] = ()) -> tuple[float, ...]:
    """How many samples each cell's rate rests on, [30]: its own, and a third of its category's prior."""
    counts = _counts(quality)
    outside = {prior.category: prior.samples / len(LEVELS) for prior in priors}
    return tuple(
        counts.get((category, level), _NOTHING)[1] + outside.get(category, 0.0)
        for category in CATEGORIES
        for level in LEVELS
    )


def falling(values: list[float], weights: list[int]) -> list[float]:
    """The closest sequence that never rises: pool adjacent violators, weighted.

    Barlow, Bartholomew, Bremner, Brunk: Statistical Inference under Order Restrictions (1972), ch. 1.2.
    """
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        block = (value, float(weight), 1)
        while blocks and blocks[-1][0] < block[0]:
            block = _pooled(blocks.pop(), block)
        blocks.append(block)
    return [value for value, _, length in blocks for _ in range(length)]


def _pooled(left: tuple[float, float, int], right: tuple[float, float, int]) -> tuple[float, float, int]:
    weight = left[1] + right[1]
    share = left[1] / weight if weight else 0.5
    return (left[0] * share + right[0] * (1 - share), weight, left[2] + right[2])


def _counts(quality: Quality | None) -> dict[tuple[Category, Level], _Count]:
    return {
        (score.name, level.level): (level.passed, level.samples)
        for score in (quality.categories if quality else ())
        for level in score.levels
    }


def _summed(cells: Iterable[_Count]) -> _Count:
    passed, samples = 0.0, 0
    for cell in cells:
        passed, samples = passed + cell[0], samples + cell[1]
    return passed, samples


def _shrunk(cell: _Count, towards: float) -> float:
    passed, samples = cell
    return (passed + SHRINKAGE * towards) / (samples + SHRINKAGE)
