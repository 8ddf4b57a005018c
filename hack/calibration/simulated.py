"""Runs of a suite that never happened: models of known pass rates, marked as the profiler does it. Pure.

A model is a rate with its spread over levels and templates. Its answers are drawn; what is asked, when a
category ends and what its interval is are `workload`'s and `intervals`' own business.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from statistics import fmean

from steelyard.api.profile import Category
from steelyard_profiler import intervals, workload
from steelyard_profiler.intervals import Estimate, Stratum
from steelyard_profiler.workload import Plan

LEVELS = 3


@dataclass(frozen=True, slots=True)
class World:
    """How a model's rate spreads."""

    levels: float = 0.0
    """The Easy rate is so much higher than the mean and the Hard one so much lower, if 0 and 1 let it."""
    templates: float = 0.0
    """Correlation of two probes of one template, whose rates are drawn from a beta distribution."""


@dataclass(frozen=True, slots=True)
class Answers:
    """One category of one run."""

    estimate: Estimate
    """What the profiler says."""
    passed: int
    """Probes passed."""
    samples: int
    """Probes asked."""


@dataclass(frozen=True, slots=True)
class Drawn(Answers):
    """One that was simulated."""

    strata: tuple[Stratum, ...]
    """What the estimate follows from."""
    own_rate: float
    """The mean rate of these very templates; the model's rate is that of all templates there might be."""


def category(plan: Plan, rate: float, world: World, draws: random.Random, which: Category) -> Drawn:
    """A category asked by a suite's plan."""
    layout, kinds = _layout(which)
    rates = _rates(rate, world, draws, kinds)
    counts = [[[0, 0] for _ in range(count)] for count in kinds]
    begin = 0
    for end in plan.batch_ends:
        for level, template in layout[begin:end]:
            cell = counts[level][template]
            cell[0] += draws.random() < rates[level][template]
            cell[1] += 1
        strata = tuple(
            Stratum(tuple((passed, asked) for passed, asked in level if asked), 1 / LEVELS)
            for level in counts
        )
        estimate = intervals.estimate(strata)
        begin = end
        if estimate.half_width_percent <= plan.enough_percent:
            break
    passed = sum(passed for level in counts for passed, _ in level)
    own_rate = fmean(fmean(level) for level in rates)
    return Drawn(estimate, passed, begin, strata, own_rate)


def overall(categories: Sequence[Drawn]) -> Estimate:
    """The unweighted mean of categories."""
    return intervals.mean([one.strata for one in categories])


def covers(estimate: Estimate, rate: float) -> bool:
    """Whether the reported whole percents hold this rate, which is one."""
    _, low, high = estimate.percents()
    return low <= round(100 * rate) <= high


def differ(one: Answers, other: Answers) -> bool:
    """Whether a two-proportion z test tells them apart: |z| > 1.96."""
    rate = (one.passed + other.passed) / (one.samples + other.samples)
    spread = sqrt(rate * (1 - rate) * (1 / one.samples + 1 / other.samples))
    return abs(one.passed / one.samples - other.passed / other.samples) > intervals.Z * spread


def lie_apart(one: Answers, other: Answers) -> bool:
    """Whether the interval of their difference, made of theirs, leaves 0 out: Newcombe 1998, Statistics in
    Medicine 17:873, method 10."""
    low, high = sorted((one.estimate, other.estimate), key=lambda estimate: estimate.rate)
    reach = sqrt((high.rate - high.low) ** 2 + (low.high - low.rate) ** 2)
    return high.rate - low.rate > reach


@lru_cache
def _layout(which: Category) -> tuple[list[tuple[int, int]], list[int]]:
    """Level and template of each probe, and how many templates each level has."""
    layout = [(index % LEVELS, workload.template(which, index)) for index in range(workload.MOST_PROBES)]
    return layout, [len(templates) for templates in workload.TEMPLATES[which].values()]


def _rates(rate: float, world: World, draws: random.Random, kinds: Sequence[int]) -> list[list[float]]:
    """The rate of each template, by level."""
    apart = min(world.levels, rate, 1 - rate)
    return [
        [_rate_of_template(mean, world.templates, draws) for _ in range(count)]
        for mean, count in zip((rate + apart, rate, rate - apart), kinds, strict=True)
    ]


def _rate_of_template(mean: float, correlation: float, draws: random.Random) -> float:
    if not correlation or not 0 < mean < 1:
        return mean
    both = 1 / correlation - 1
    return draws.betavariate(mean * both, (1 - mean) * both)
