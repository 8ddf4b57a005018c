"""How sure a pass rate is. Pure.

Rule 1. Probes are drawn by level, so variances add up level by level (Cochran 1977, Sampling Techniques,
        3rd edition, section 5.4).
Rule 2. Probes of one template are not independent: the variance is that of the templates' sums, with the
        factor T / (T - 1) in each level (Cameron and Miller 2015, Journal of Human Resources 50:317).
Rule 3. Both are put into one number, how many independent probes would be as sure, and that into Wilson's
        interval with Student's quantile (Korn and Graubard 1998, Survey Methodology 24:193).
Rule 4. A rate that ended its sampling early leans outwards. Over many rates this does not average out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, sqrt

Z = 1.959964
"""The normal quantile of a 95 % interval."""

_ADDED = 0.5
"""Passes and failures added to each level before levels are compared, so that none has a variance of 0."""

_PRIOR = 0.1
"""Weight of "templates are alike" beside what was seen of them."""

_LEAN = 0.27
"""Standard errors that a rate leans outwards where it ended early. Next to the border of ending it is 0.4:
the error has one sign there, and probes that did not follow would have taken half. All three were chosen by
simulation (docs/calibration.md)."""

_ROUNDING = 1e-9
"""A whole percent this near to an end is within."""


@dataclass(frozen=True, slots=True)
class Stratum:
    """Probes of one level, by template."""

    counts: tuple[tuple[int, int], ...]
    """Passed and asked, of each template that was asked; at least one."""
    weight: float
    """Its share of the rate; the weights of all strata add up to 1."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A pass rate and its 95 % interval, all in 0 … 1."""

    rate: float
    """The weighted mean of the strata's rates."""
    low: float
    """Low end."""
    high: float
    """High end."""

    @property
    def half_width_percent(self) -> float:
        """Half of the interval's width, in points of percent."""
        return 50 * (self.high - self.low)

    def percents(self) -> tuple[int, int, int]:
        """Rate, low and high: the whole percents that the interval holds, and always the rate's own."""
        rate = round(100 * self.rate)
        low, high = ceil(100 * self.low - _ROUNDING), floor(100 * self.high + _ROUNDING)
        return rate, min(low, rate), max(high, rate)


def mean(rates: Sequence[Sequence[Stratum]]) -> Estimate:
    """The unweighted mean of rates, each over strata of its own."""
    most = max(map(_asked, rates))
    lean = sum(_lean(strata) for strata in rates if 2 * _asked(strata) <= most) / len(rates)
    shared = [replace(one, weight=one.weight / len(rates)) for strata in rates for one in strata]
    return estimate(shared, abs(lean))


def estimate(strata: Sequence[Stratum], common_error: float = 0.0) -> Estimate:
    """The rate over the strata; there must be one, and each must hold a probe. What may be wrong with all of
    them alike adds to the error."""
    rate = middle = 0.0
    alike = by_level = independent = clustered = 0.0
    probes = templates = 0
    for stratum in strata:
        passed, asked = (sum(column) for column in zip(*stratum.counts, strict=True))
        here, share = passed / asked, stratum.weight * stratum.weight
        kinds = len(stratum.counts)
        smoothed, held = (passed + _ADDED) / (asked + 2 * _ADDED), (asked + 2 * _ADDED) ** 2
        rate += stratum.weight * here
        middle += stratum.weight * smoothed
        alike += share / asked
        by_level += share * smoothed * (1 - smoothed) * held / (held - asked) / asked
        alone = share * here * (1 - here) / max(1, asked - 1)
        independent += alone
        sums = sum((right - of * here) ** 2 for right, of in stratum.counts)
        clustered += share * kinds / (kinds - 1) * sums / asked**2 if kinds > 1 else alone
        probes, templates = probes + asked, templates + kinds
    as_one = middle * (1 - middle) * alike
    prior = _PRIOR * as_one
    effect = by_level / as_one * (prior + clustered) / (prior + independent) + common_error**2 / as_one
    freedom = max(1, templates - len(strata))
    quantile = Z + (1 - templates / probes) * (student(freedom) - Z)
    return Estimate(rate, *wilson(rate, 1 / (alike * effect), quantile))


def wilson(rate: float, samples: float, quantile: float = Z) -> tuple[float, float]:
    """The score interval of a pass rate: Wilson 1927, JASA 22:209, equation of section 4."""
    share = quantile * quantile / samples
    middle = (rate + share / 2) / (1 + share)
    spread = quantile * sqrt(rate * (1 - rate) / samples + share / (4 * samples)) / (1 + share)
    return max(0.0, middle - spread), min(1.0, middle + spread)


def _asked(strata: Sequence[Stratum]) -> int:
    return sum(asked for stratum in strata for _, asked in stratum.counts)


def _lean(strata: Sequence[Stratum]) -> float:
    """How far a rate that ended early leans outwards; below 0: towards 0."""
    found = estimate(strata)
    lean = _LEAN * found.half_width_percent / 100 / Z
    return lean if found.rate > 0.5 else -lean


def student(freedom: int) -> float:
    """Student's quantile of a 95 % interval, from 4 degrees on within 1 %: Abramowitz and Stegun, 26.7.5."""
    z = Z
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )
