"""Whether profiles tell a policy's candidates apart at its tolerance, and which suite could. Pure.

For each category, with its levels equally likely, the best candidate is compared with each other one. A pair
is in doubt where the 95 % interval of the difference holds the tolerance: then nobody knows whether the other
is good enough. Invariant: the cost is bounded, whatever a policy selects.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from steelyard.api.conditions import Fact
from steelyard.api.measuring import Suite
from steelyard.api.policy import Goal, Order, RoutingPolicy
from steelyard.api.profile import Category
from steelyard.routing import choosing, comparing, filters, scorers, selecting
from steelyard.routing.comparing import Verdict
from steelyard.routing.decision import Difference, Distribution
from steelyard.routing.table import CATEGORIES, LEVELS, Candidate, Eligible, Policy, Table

CONDITION = "Precise"
"""The condition of a policy that tells it."""

SUITES = ((Suite.QUICK, 20), (Suite.STANDARD, 80), (Suite.FULL, 160))
"""The suites, smaller first, with the most probes that each asks of a category."""

MOST_COMPARED = 50
"""So many next to the best are compared with it; those behind them are further away."""

_BY_TOLERANCE = (Goal.CHEAPEST, Goal.FASTEST)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A candidate of which nobody knows whether it is within the tolerance of the best."""

    category: Category
    """For requests of this category."""
    other: Candidate
    """The candidate."""
    difference: Difference
    """What it is behind the best, as far as is known."""
    suite: Suite | None
    """The smallest suite that would tell, if what is known so far is right; None: none."""


@dataclass(frozen=True, slots=True)
class Precision:
    """What profiles tell of a policy's candidates."""

    compared: int
    """Pairs that were compared, each once for a category."""
    doubts: tuple[Doubt, ...]
    """Those of them that are in doubt: the ones that a suite would tell apart come first."""


def fact(resource: RoutingPolicy, table: Table) -> Fact | None:
    """What the condition Precise is to say; None: nothing, since nothing depends on it."""
    found = precision(resource, table)
    if found is None:
        return None
    if not found.doubts:
        return Fact("Precise", True, "Distinguishable")
    message = sentence(found.doubts, resource.spec.tolerance_percent)
    if found.doubts[0].suite:
        return Fact("Precise", False, "SuiteTooSmall", message)
    return Fact("Precise", False, "TooClose", message)


def precision(resource: RoutingPolicy, table: Table) -> Precision | None:
    """How well the policy's candidates are told apart; None where nothing depends on it.

    That is: no name of the policy goes by the tolerance, or no category was measured of two candidates.
    """
    policy, _ = selecting.resolve(resource, table.candidates)
    if not any(goal in _BY_TOLERANCE for goal in policy.goals.values()):
        return None
    compared, doubts = 0, list[Doubt]()
    for category in CATEGORIES:
        for group in _groups(policy, policy.eligible[category]):
            for doubt in _judged(policy, category, group):
                compared += 1
                if doubt is not None:
                    doubts.append(doubt)
    doubts.sort(key=lambda doubt: not doubt.suite)
    return Precision(compared, tuple(doubts)) if compared else None


def sentence(doubts: Sequence[Doubt], tolerance_percent: int) -> str:
    """What is in doubt, and what to do about it."""
    first = doubts[0]
    best, (low, high) = first.difference.best, comparing.interval(first.difference)
    mean, low, high = (round(100 * share) for share in (first.difference.mean, low, high))
    told = (
        f"{first.category}: {first.other.model} on {first.other.backend} is {mean} points behind "
        f"{best.model} on {best.backend}, {low} to {high} with 95 % confidence: nobody knows whether "
        f"that is within tolerancePercent {tolerance_percent}."
    )
    if len(doubts) > 1:
        told += f" So it is with {len(doubts) - 1} more."
    named = [doubt.suite for doubt in doubts if doubt.suite]
    if not named:
        return (
            f"{told} No suite would tell: the differences are too near to the tolerance. "
            "Take these models as equal, or set another tolerancePercent."
        )
    largest = max(named, key=[suite for suite, _ in SUITES].index)
    return (
        f"{told} spec.suite: {largest} would tell {len(named)} of {len(doubts)}: "
        "set it in both ModelProfiles, with one seed."
    )


def _groups(policy: Policy, eligible: Eligible) -> Iterator[list[Candidate]]:
    """Candidates among which the tolerance counts, whether or not they are up at present."""
    sets = [eligible.pool.candidates]
    if policy.spec.order is not Order.MEASURED:
        sets = [entry.candidates for entry in eligible.entries]
    for pairs in sets:
        yield [
            pair
            for pair in pairs
            if set(filters.always_lacking(policy.spec.require, pair)) <= {filters.NO_ENDPOINT}
        ]


def _judged(policy: Policy, category: Category, group: Sequence[Candidate]) -> Iterator[Doubt | None]:
    """A doubt, or none, for each pair of the best and another that were measured in this category."""
    start = CATEGORIES.index(category) * len(LEVELS)
    cells = range(start, start + len(LEVELS))
    distribution: Distribution = tuple((cell, 1 / len(LEVELS)) for cell in cells)
    measured = [pair for pair in group if pair.samples and any(pair.samples[cell] for cell in cells)]
    qualities = scorers.qualities(measured, distribution)
    order = sorted(range(len(measured)), key=lambda index: -qualities[index])
    for index in order[1 : MOST_COMPARED + 1]:
        best, other = measured[order[0]], measured[index]
        is_near = qualities[order[0]] - qualities[index] <= choosing.POOL_QUALITY
        if is_near and other.model == best.model and other.price.is_same(best.price):
            continue  # one pool: requests are shared between them anyway
        found = comparing.difference(policy, best, other, distribution)
        if comparing.verdict(found, policy.spec.tolerance_percent) is not Verdict.UNKNOWN:
            yield None
        else:
            yield Doubt(category, other, found, _suite(policy, found, other, distribution))


def _suite(policy: Policy, found: Difference, other: Candidate, distribution: Distribution) -> Suite | None:
    known = comparing.least_samples(policy, found, other, distribution)
    for suite, probes in SUITES:
        samples = probes // len(LEVELS)
        if samples > known:
            would = comparing.with_samples(policy, found, other, distribution, samples)
            if comparing.verdict(would, policy.spec.tolerance_percent) is not Verdict.UNKNOWN:
                return suite
    return None
