"""Medians, quantiles and bootstrap intervals. Pure: the same values and seed give the same figures."""

import math
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

RESAMPLES = 4_000
"""Enough that the ends of the interval change by less than what is shown."""

COVERAGE = 0.95
"""Of the intervals."""

_SEED = 20_261_121


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and how far it can be trusted."""

    value: float
    """The median over the rounds."""
    low: float
    """Low end of the 95 % interval; the value itself where there is but one round."""
    high: float
    """High end of it."""


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which this share (0 to 1) of the sorted values lies, interpolated between two."""
    if not ordered:
        raise ValueError("no values, no quantile")
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def estimate(values: Sequence[float]) -> Estimate:
    """The median of the rounds, with the percentile bootstrap interval (Efron 1979) of that median."""
    draw = random.Random(_SEED)
    middle = statistics.median(values)
    if len(values) == 1:
        return Estimate(middle, middle, middle)
    medians = sorted(statistics.median(draw.choices(values, k=len(values))) for _ in range(RESAMPLES))
    tail = (1 - COVERAGE) / 2
    return Estimate(middle, quantile(medians, tail), quantile(medians, 1 - tail))


def ratio(values: Sequence[float], baseline: Sequence[float]) -> Estimate:
    """How many times the baseline, round by round: what slows a round down slows both of it."""
    return estimate(_paired(values, baseline, lambda one, other: one / other if other else math.inf))


def difference(values: Sequence[float], baseline: Sequence[float]) -> Estimate:
    """How much more than the baseline, round by round."""
    return estimate(_paired(values, baseline, lambda one, other: one - other))


def _paired(
    values: Sequence[float], baseline: Sequence[float], combine: Callable[[float, float], float]
) -> list[float]:
    return [combine(one, other) for one, other in zip(values, baseline, strict=True)]
