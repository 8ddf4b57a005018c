"""Two candidates compared on a request: probe by probe where both were asked the same, else by their rates.

Of each cell the probes that both were asked fall into three kinds: only the better model passed, only the
other did, or both alike. With Jeffreys' prior the posterior of their shares is Dirichlet with ½ more of each
(Gelman et al., Bayesian Data Analysis, 3rd ed., 3.4), which gives the difference of the two pass rates its
mean and variance. Cells are independent.
"""

import functools
from collections.abc import Collection, Sequence
from enum import StrEnum
from math import sqrt

import msgspec

from steelyard.routing import bitmaps, scorers
from steelyard.routing.decision import Difference, Distribution
from steelyard.routing.rates import SHRINKAGE
from steelyard.routing.table import CELLS, LEVELS, Candidate, Pairing, Policy

LEAST_COMMON = 10
"""Fewer common probes in a cell of the request, and expected qualities are compared instead."""

LEAST_CERTAINTY_Z = 0.8416212
"""The normal quantile of 80 %: beyond twice the tolerance with a chance of at most 20 %."""

INTERVAL_Z = 1.959964
"""The normal quantile of a 95 % interval."""

KEPT_BESTS = 16
"""So many best models a policy keeps the pairings of: one is the best of many requests."""

_CERTAINTY = LEAST_CERTAINTY_Z * LEAST_CERTAINTY_Z
_WORSE_THAN_MEASURED = scorers.UNMEASURED / 2
_JEFFREYS = 0.5
_PSEUDO_SAMPLES = 3 * _JEFFREYS


class Verdict(StrEnum):
    """Where the 95 % interval of a difference is."""

    WITHIN = "within the tolerance"
    BEYOND = "beyond the tolerance"
    UNKNOWN = "not distinguishable"


def good_enough(
    policy: Policy,
    distribution: Distribution,
    tolerance_percent: int,
    pairs: Sequence[Candidate],
    qualities: Sequence[float],
    *,
    among: Collection[int],
    best: int,
) -> list[int]:
    """The indices of those among these that are within the tolerance of the best, as far as is known.

    Paired: the mean of (best - candidate) is at most the tolerance, and the chance that it is above twice the
    tolerance at most 20 %. Else: expected qualities. Whoever has the best's expected quality is good enough.
    """
    best_quality, first = qualities[best], pairs[best]
    least = max(scorers.least_good_enough(best_quality, tolerance_percent), _WORSE_THAN_MEASURED)
    if first.answers is None:
        return [index for index in among if qualities[index] >= least]
    known, wanted = _pairings(policy, first), _cells(distribution)
    tolerance = tolerance_percent / 100 + scorers.ROUNDING
    same = best_quality - scorers.ROUNDING
    good: list[int] = []
    for index in among:
        quality = qualities[index]
        if quality >= same:
            good.append(index)
            continue
        other = pairs[index]
        paired = known[other] if other in known else _paired(known, first, other)
        if paired is None or wanted & ~paired.known:
            if quality >= least:
                good.append(index)
            continue
        if best_quality - quality - paired.most_apart > tolerance:
            continue  # as far behind on these probes as the rates say, or all but
        mean, variance = _moments(paired, distribution)
        slack = 2 * tolerance - mean
        if mean <= tolerance and _CERTAINTY * variance <= slack * slack:
            good.append(index)
    return good


def best_of(qualities: Sequence[float], group: Collection[int]) -> int:
    """The index of the group's best, of equals the first."""
    return max(group, key=qualities.__getitem__)


def difference(policy: Policy, best: Candidate, other: Candidate, distribution: Distribution) -> Difference:
    """How much better the best is than the other on such requests; both have rates."""
    known = _pairings(policy, best)
    paired = known[other] if other in known else _paired(known, best, other)
    if paired is not None and not _cells(distribution) & ~paired.known:
        mean, variance = _moments(paired, distribution)
        return Difference(best, mean, sqrt(variance), is_paired=True)
    mean, variance = 0.0, 0.0
    for cell, share in distribution:
        mean += share * (best.rates[cell] - other.rates[cell])
        for one in (best, other):
            variance += share * share * _rate_variance(one, cell, one.samples[cell])
    return Difference(best, mean, sqrt(variance), is_paired=False)


def interval(found: Difference) -> tuple[float, float]:
    """The 95 % interval of the difference."""
    spread = INTERVAL_Z * found.deviation
    return found.mean - spread, found.mean + spread


def verdict(found: Difference, tolerance_percent: int) -> Verdict:
    """Whether it is known on which side of the tolerance the difference is."""
    low, high = interval(found)
    tolerance = tolerance_percent / 100
    if high <= tolerance:
        return Verdict.WITHIN
    return Verdict.BEYOND if low > tolerance else Verdict.UNKNOWN


def least_samples(policy: Policy, found: Difference, other: Candidate, distribution: Distribution) -> float:
    """The fewest samples of a cell that the difference rests on."""
    paired = _pairings(policy, found.best).get(other)
    if found.is_paired and paired is not None:
        return min(paired.commons[cell] for cell, _ in distribution)
    return min(one.samples[cell] for one in (found.best, other) for cell, _ in distribution)


def with_samples(
    policy: Policy, found: Difference, other: Candidate, distribution: Distribution, samples: int
) -> Difference:
    """The difference as it would be if each cell rested on so many samples and told the same."""
    paired = _pairings(policy, found.best).get(other)
    variance = 0.0
    for cell, share in distribution:
        if found.is_paired and paired is not None:
            per_sample = paired.variances[cell] * (paired.commons[cell] + _PSEUDO_SAMPLES + 1)
            variance += share * share * per_sample / (samples + _PSEUDO_SAMPLES + 1)
        else:
            for one in (found.best, other):
                variance += share * share * _rate_variance(one, cell, samples)
    return msgspec.structs.replace(found, deviation=sqrt(variance))


def pairing(best: Candidate, other: Candidate) -> Pairing | None:
    """The two on the probes that both were asked; None where that is none."""
    one, two = best.answers, other.answers
    if one is None or two is None or (one.suite, one.seed) != (two.suite, two.seed):
        return None
    cells: list[tuple[float, float, int]] = []
    known, most_apart = 0, 0.0
    for cell in range(CELLS):
        category, level = divmod(cell, len(LEVELS))
        common = min(one.counts[category], two.counts[category])
        mask = bitmaps.level_mask(common, level)
        ours = one.bits[category] >> (one.counts[category] - common)
        theirs = two.bits[category] >> (two.counts[category] - common)
        count = mask.bit_count()
        kinds = (ours & ~theirs & mask).bit_count(), (theirs & ~ours & mask).bit_count()
        mean, variance = _posterior(*kinds, count)
        cells.append((mean, variance, count))
        if count >= LEAST_COMMON:
            known |= 1 << cell
            apart = abs(mean - (best.rates[cell] - other.rates[cell])) + scorers.ROUNDING
            most_apart = max(most_apart, apart)
    means, variances, commons = zip(*cells, strict=True)
    return Pairing(means, variances, commons, known, most_apart)


@functools.lru_cache(maxsize=4096)
def _posterior(only_best: int, only_other: int, count: int) -> tuple[float, float]:
    """Mean and variance of the difference of two of the three shares; equal ones are one object in memory."""
    total = count + _PSEUDO_SAMPLES
    ours, theirs = only_best + _JEFFREYS, only_other + _JEFFREYS
    mean = (ours - theirs) / total
    return mean, ((ours + theirs) / total - mean * mean) / (total + 1)


def _moments(paired: Pairing, distribution: Distribution) -> tuple[float, float]:
    """Mean and variance of the difference on such requests."""
    mean, variance = 0.0, 0.0
    means, variances = paired.means, paired.variances
    for cell, share in distribution:
        mean += share * means[cell]
        variance += share * share * variances[cell]
    return mean, variance


def _cells(distribution: Distribution) -> int:
    """The cells of a request as bits."""
    cells = 0
    for cell, _ in distribution:
        cells |= 1 << cell
    return cells


def _pairings(policy: Policy, best: Candidate) -> dict[Candidate, Pairing | None]:
    kept = policy.pairings
    if best not in kept:
        if len(kept) >= KEPT_BESTS:
            kept.clear()
        kept[best] = {}
    return kept[best]


def _paired(known: dict[Candidate, Pairing | None], best: Candidate, other: Candidate) -> Pairing | None:
    known[other] = found = pairing(best, other)
    return found


def _rate_variance(one: Candidate, cell: int, samples: float) -> float:
    """Of a pass rate: that of the Beta posterior which `SHRINKAGE` samples more make."""
    rate = one.rates[cell]
    return rate * (1 - rate) / (samples + SHRINKAGE + 1)
