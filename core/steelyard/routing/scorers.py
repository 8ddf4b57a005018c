"""Scores of a candidate for a request, and the order that a goal makes of them.

Invariant: unknown sorts after everything known and never counts as a number.
"""

import functools
from collections.abc import Callable, Collection, Iterable
from typing import assert_never

import msgspec

from steelyard.api.policy import Goal, Weights
from steelyard.api.profile import Category
from steelyard.routing import balancing, latency, placing, pricing
from steelyard.routing.decision import Distribution, Load, Turn, Weighed
from steelyard.routing.table import CATEGORIES, DEFAULT_OUTPUT_TOKENS, LEVELS, Candidate

Known = float | None
"""A score; None where it is unknown."""

Score = Callable[[Known, Known, Known], float]
"""What a candidate of this quality, cost and latency scores."""

SortKey = tuple[float | str, ...]
"""Compared from the left; the least comes first."""

UNMEASURED = -1.0
"""Stands for a quality that is not known: below every other."""

KEPT_DISTRIBUTIONS = 1024
"""As many as the classifier remembers texts."""

SAME_QUALITY = 1e-8
"""Qualities further apart than this are different to every order here."""

ROUNDING = 1e-9
"""A difference so small is rounding."""

_LEVELS = len(LEVELS)
_UNKNOWN = float("inf")


Shares = tuple[tuple[int, float], ...]
"""Probabilities of categories by index, adding up to 1, the most probable cell's first."""


class Ask(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A turn as scores see it."""

    distribution: Distribution
    """What it asks for."""
    shares: Shares
    """The same by category."""
    category: Category | None
    """The most probable category; None for an empty distribution."""
    prompt_tokens: int
    """Estimated length of the prompt."""
    max_tokens: int | None
    """Bound on the answer's length."""


def ask(turn: Turn, distribution: Distribution, max_tokens: int | None) -> Ask:
    """This turn, which asks for what the distribution says."""
    shares, category = _by_category(distribution)
    return Ask(distribution, shares, category, turn.prompt_tokens, max_tokens)


def weigh(candidate: Candidate, asked: Ask, load: Load, draw: int = 0) -> Weighed:
    """Expected quality, cost and latency of this candidate for this turn."""
    [quality] = qualities([candidate], asked.distribution)
    return Weighed(
        candidate=candidate,
        quality=None if quality == UNMEASURED else quality,
        cost_usd=expected_cost_usd(candidate, asked, load, draw),
        prompt_tokens=asked.prompt_tokens,
        output_tokens=_expected_output_tokens(candidate, asked),
        latency_seconds=expected_latency_seconds(candidate, asked, load, draw),
        is_up=balancing.is_up(candidate.attempts, load, draw),
    )


def qualities(candidates: Iterable[Candidate], distribution: Distribution) -> list[float]:
    """The chance that each one's answer is right: Σ P(cell) · pass rate; `UNMEASURED` where unknown."""
    found: list[float] = []
    for candidate in candidates:
        rates = candidate.rates
        if not rates or not distribution:
            found.append(UNMEASURED)
            continue
        quality = 0.0
        for cell, probability in distribution:
            quality += probability * rates[cell]
        found.append(quality)
    return found


def expected_cost_usd(candidate: Candidate, asked: Ask, load: Load, draw: int) -> float | None:
    """Expected marginal cost of the request in US dollars at the present load; None: unknown."""
    price, share = candidate.price, 1.0
    if price.basis is not None:
        in_flight = balancing.least_in_flight(candidate.attempts, load, draw)
        marginal = pricing.marginal_share(price, in_flight, candidate.knee)
        if not marginal:
            return marginal
        share = marginal
    return pricing.cost_usd(price, share, asked.prompt_tokens, _expected_output_tokens(candidate, asked))


def expected_latency_seconds(candidate: Candidate, asked: Ask, load: Load, draw: int) -> float | None:
    """Expected time to the end of the answer at the present load; None where its speed was not measured."""
    in_flight = 0.0
    if candidate.curve is not None:
        in_flight = balancing.least_in_flight(candidate.attempts, load, draw)
    output_tokens = _expected_output_tokens(candidate, asked)
    seconds = latency.expected_seconds(candidate, asked.prompt_tokens, output_tokens, in_flight)
    if candidate.loads_on_demand and seconds is not None:
        seconds += placing.least_cold_seconds(candidate.attempts, load)
    return seconds


def least_good_enough(best: float, tolerance_percent: int) -> float:
    """The expected quality that is within the tolerance of the best; the best always is."""
    return best - tolerance_percent / 100 - ROUNDING


def preference(goal: Goal, every: Collection[Weighed], weights: Weights) -> Callable[[Weighed], SortKey]:
    """The sort key by which this goal prefers candidates, least first; `every`: all that Balanced sees."""
    match goal:
        case Goal.BEST:
            return best
        case Goal.CHEAPEST:
            return cheapest
        case Goal.FASTEST:
            return fastest
        case Goal.BALANCED:
            costs, latencies = [one.cost_usd for one in every], [one.latency_seconds for one in every]
            score = balanced(costs, latencies, weights)
            return lambda one: (
                -score(one.quality, one.cost_usd, one.latency_seconds),
                -_quality(one),
                _cost(one),
                *_name(one),
            )
        case _:
            assert_never(goal)


def best(one: Weighed) -> SortKey:
    """Highest quality first; equal: cost, latency, name."""
    return (-_quality(one), _cost(one), _latency(one), *_name(one))


def cheapest(one: Weighed) -> SortKey:
    """Lowest marginal cost first; equal: quality, latency, name."""
    return (_cost(one), -_quality(one), _latency(one), *_name(one))


def lowest_price(one: Weighed) -> SortKey:
    """Lowest marginal cost first; equal: name. For those of which nothing else is known."""
    return (_cost(one), *_name(one))


def fastest(one: Weighed) -> SortKey:
    """Lowest latency first; equal: quality, cost, name."""
    return (_latency(one), -_quality(one), _cost(one), *_name(one))


def balanced(costs: Iterable[Known], latencies: Iterable[Known], weights: Weights) -> Score:
    """The weighted sum of quality, low cost and low latency, each 0 to 1; what is unknown scores 0.

    A cost is low beside the dearest of these costs, a latency beside the slowest of these.
    """
    dearest = max([cost for cost in costs if cost is not None], default=0.0)
    slowest = max([latency for latency in latencies if latency is not None], default=0.0)
    of_quality, of_price, of_latency = weights.quality, weights.price, weights.latency

    def score(quality: Known, cost: Known, latency: Known) -> float:
        saved = of_quality * (quality or 0.0)
        if cost is not None:
            saved += of_price * (1 - cost / dearest if dearest > 0 else 1.0)
        if latency is not None:
            saved += of_latency * (1 - latency / slowest if slowest > 0 else 1.0)
        return saved / 100

    return score


@functools.lru_cache(maxsize=KEPT_DISTRIBUTIONS)
def _by_category(distribution: Distribution) -> tuple[Shares, Category | None]:
    shares: dict[int, float] = {}
    for cell, probability in distribution:
        index = cell // _LEVELS
        shares[index] = shares.get(index, 0.0) + probability
    category = CATEGORIES[max(shares, key=shares.__getitem__)] if shares else None
    return tuple(shares.items()), category


def _expected_output_tokens(candidate: Candidate, asked: Ask) -> float:
    """Expected length of the answer in tokens, at most what the request allows."""
    means, tokens = candidate.output_tokens_means, DEFAULT_OUTPUT_TOKENS
    if means and asked.shares:
        tokens = 0.0
        for category, probability in asked.shares:
            tokens += probability * means[category]
    most = asked.max_tokens
    return tokens if most is None or tokens < most else most


def _quality(one: Weighed) -> float:
    return -1.0 if one.quality is None else round(one.quality, 9)


def _cost(one: Weighed) -> float:
    return _UNKNOWN if one.cost_usd is None else one.cost_usd


def _latency(one: Weighed) -> float:
    return _UNKNOWN if one.latency_seconds is None else one.latency_seconds


def _name(one: Weighed) -> tuple[str, str]:
    return (one.candidate.model, one.candidate.backend)
