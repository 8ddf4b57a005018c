"""Scores of a candidate for a request, and the order that a goal makes of them.

Invariant: unknown sorts after everything known and never counts as a number.
"""

from collections.abc import Callable, Collection
from typing import assert_never

from steelyard.api.measuring import LOAD_PROMPT_TOKENS
from steelyard.api.policy import Goal, Weights
from steelyard.routing import pricing
from steelyard.routing.decision import Distribution, Load, Request, Turn, Weighed
from steelyard.routing.table import DEFAULT_OUTPUT_TOKENS, LEVELS, Candidate

SortKey = tuple[float | str, ...]
"""Compared from the left; the least comes first."""

_UNKNOWN = float("inf")
_EPSILON = 1e-9


def weigh(
    candidate: Candidate, request: Request, turn: Turn, distribution: Distribution, load: Load
) -> Weighed:
    """Expected quality, cost and latency of this candidate for this turn."""
    output_tokens = expected_output_tokens(candidate, distribution, request.max_tokens)
    price = candidate.price
    in_flight = 0 if price.basis is None else min(map(load.in_flight, candidate.endpoints))
    share = pricing.marginal_share(price, in_flight, candidate.knee)
    return Weighed(
        candidate=candidate,
        quality=expected_quality(candidate, distribution),
        cost_usd=pricing.cost_usd(price, share, turn.prompt_tokens, output_tokens),
        prompt_tokens=turn.prompt_tokens,
        output_tokens=output_tokens,
        latency_seconds=expected_latency_seconds(candidate, turn.prompt_tokens, output_tokens),
        is_up=not all(map(load.is_resting, candidate.endpoints)),
    )


def expected_quality(candidate: Candidate, distribution: Distribution) -> float | None:
    """The chance that the answer is right: the sum over cells of P(cell) · pass rate; None: not measured."""
    if not candidate.measured or not distribution:
        return None
    rates, quality = candidate.rates, 0.0
    for cell, probability in distribution:
        quality += probability * rates[cell]
    return quality


def expected_output_tokens(candidate: Candidate, distribution: Distribution, most: int | None) -> float:
    """Expected length of the answer in tokens, at most what the request allows."""
    means, tokens = candidate.output_tokens_means, DEFAULT_OUTPUT_TOKENS
    if means and distribution:
        tokens = 0.0
        for cell, probability in distribution:
            tokens += probability * means[cell // len(LEVELS)]
    return tokens if most is None else min(tokens, most)


def expected_latency_seconds(candidate: Candidate, prompt_tokens: int, output_tokens: float) -> float | None:
    """Expected time to the end of the answer on an idle endpoint; None where its speed was not measured."""
    speed = candidate.output_tokens_per_second
    if not speed:
        return None
    seconds = output_tokens / speed + (candidate.ttft_ms or 0) / 1000
    if candidate.prompt_tokens_per_second:
        seconds += max(prompt_tokens - LOAD_PROMPT_TOKENS, 0) / candidate.prompt_tokens_per_second
    return seconds


def least_good_enough(weighed: Collection[Weighed], tolerance_percent: int) -> float:
    """The expected quality that is within the tolerance of the best; the best always is."""
    return max(one.quality or 0.0 for one in weighed) - tolerance_percent / 100 - _EPSILON


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
            score = balanced(every, weights)
            return lambda one: (-score(one), -_quality(one), _cost(one), *_name(one))
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


def balanced(weighed: Collection[Weighed], weights: Weights) -> Callable[[Weighed], float]:
    """The weighted sum of quality, low price and low latency, each 0 to 1; what is unknown scores 0."""
    dearest = max((one.cost_usd for one in weighed if one.cost_usd is not None), default=0.0)
    slowest = max((one.latency_seconds for one in weighed if one.latency_seconds is not None), default=0.0)

    def score(one: Weighed) -> float:
        return (
            weights.quality * (one.quality or 0.0)
            + weights.price * _saved(one.cost_usd, dearest)
            + weights.latency * _saved(one.latency_seconds, slowest)
        ) / 100

    return score


def _saved(value: float | None, most: float) -> float:
    if value is None:
        return 0.0
    return 1 - value / most if most > 0 else 1.0


def _quality(one: Weighed) -> float:
    return -1.0 if one.quality is None else round(one.quality, 9)


def _cost(one: Weighed) -> float:
    return _UNKNOWN if one.cost_usd is None else one.cost_usd


def _latency(one: Weighed) -> float:
    return _UNKNOWN if one.latency_seconds is None else one.latency_seconds


def _name(one: Weighed) -> tuple[str, str]:
    return (one.candidate.model, one.candidate.backend)
