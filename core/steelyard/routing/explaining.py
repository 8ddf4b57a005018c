"""A decision in words and numbers, as JSON for people and programs.

Everything shown comes from the Decision itself; nothing is decided here.
"""

from typing import Any

from steelyard.api.policy import Goal, Order
from steelyard.routing import comparing, pricing, scorers
from steelyard.routing.decision import Decision, Difference, Weighed
from steelyard.routing.table import CATEGORIES, LEVELS

_SHOWN_DIGITS = 4
_SHOWN_USD_DIGITS = 9


def explain(decision: Decision) -> dict[str, Any]:
    """The decision as a JSON object, candidates in order of preference, then those ruled out."""
    first = decision.attempts[0]
    return {
        "model": decision.model,
        "policy": decision.policy.name if decision.policy else None,
        "chosen": {"model": first.candidate.model, "backend": first.candidate.backend},
        "reason": reason(decision),
        "goal": decision.goal,
        "tolerancePercent": decision.tolerance_percent if decision.policy else None,
        "category": decision.category,
        "level": decision.level,
        "distribution": {
            f"{CATEGORIES[cell // len(LEVELS)]}/{LEVELS[cell % len(LEVELS)]}": _rounded(probability)
            for cell, probability in decision.distribution
        },
        "candidates": _candidates(decision)
        + [
            {
                "model": one.candidate.model,
                "backend": one.candidate.backend,
                "eligible": False,
                "reasons": list(one.reasons),
            }
            for one in decision.rejected
        ],
        "attempts": [
            {
                "model": attempt.candidate.model,
                "backend": attempt.candidate.backend,
                "endpoint": attempt.endpoint.name,
            }
            for attempt in decision.attempts
        ],
        "maxAttempts": decision.max_attempts,
    }


def reason(decision: Decision) -> str:
    """Why the first candidate was chosen, in a sentence."""
    chosen = decision.weighed[0]
    if decision.policy is None:
        return f"{decision.model} was asked for by name."
    name, order = chosen.candidate.model, decision.policy.spec.order
    if decision.stayed:
        return (
            f"{name} answered earlier turns of this conversation, and no other is better by enough to switch."
        )
    if not chosen.is_up:
        return f"{name} is tried although it failed lately: no other candidate is up."
    prefix = ""
    if order is Order.AS_LISTED:
        prefix = "The first entry of the list that is up; in it "
    elif order is Order.WEIGHTED:
        prefix = "The entry that this conversation's hash falls on by weight; in it "
    if chosen.quality is None:
        why = "the cheapest, since none of the candidates was measured (not measured)"
    else:
        why = _by_goal(decision, chosen)
    return f"{prefix}{name} is {why}."


def _by_goal(decision: Decision, chosen: Weighed) -> str:
    quality = f"{chosen.quality or 0:.0%} expected quality"
    good = [one for one in decision.weighed if one.is_good_enough]
    tolerance = f"within {decision.tolerance_percent} points"
    is_one_group = decision.policy is None or decision.policy.spec.order is Order.MEASURED
    among = f"of {len(good)} {tolerance} of the best" if is_one_group else f"{tolerance} of its best"
    match decision.goal:
        case Goal.CHEAPEST:
            cost = "at an unknown price" if chosen.cost_usd is None else f"at {_usd(chosen.cost_usd)}"
            return f"the cheapest {among}, {cost}, {quality}"
        case Goal.FASTEST:
            seconds = chosen.latency_seconds
            time = "in an unknown time" if seconds is None else f"in about {seconds:.2f} s"
            return f"the fastest {among}, {time}, {quality}"
        case Goal.BALANCED:
            return f"the best balance of quality, price and latency, {quality}"
        case _:
            return f"the best, {quality}"


def _candidates(decision: Decision) -> list[dict[str, Any]]:
    weighed = decision.weighed
    shown = [_weighed(one, decision) for one in weighed]
    if decision.goal is Goal.BALANCED and decision.policy is not None:
        costs, latencies = [one.cost_usd for one in weighed], [one.latency_seconds for one in weighed]
        score = scorers.balanced(costs, latencies, decision.policy.spec.weights)
        for one, entry in zip(weighed, shown, strict=True):
            entry["score"] = _rounded(score(one.quality, one.cost_usd, one.latency_seconds))
    return shown


def _weighed(one: Weighed, decision: Decision) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "model": one.candidate.model,
        "backend": one.candidate.backend,
        "eligible": True,
        "measured": one.candidate.measured,
        "up": one.is_up,
        "quality": _rounded(one.quality),
        "goodEnough": one.is_good_enough,
        "marginalCostUsd": _rounded(one.cost_usd, _SHOWN_USD_DIGITS),
        "amortisedCostUsd": _rounded(_amortised_usd(one), _SHOWN_USD_DIGITS),
        "latencySeconds": _rounded(one.latency_seconds),
    }
    if one.candidate.priors:
        shown["priors"] = [prior.model_dump(mode="json", by_alias=True) for prior in one.candidate.priors]
    if one.difference is not None:
        shown["behindBest"] = _behind_best(one.difference, decision)
    if one.candidate.lacks_key:
        shown["credentials"] = "empty"
    return shown


def _amortised_usd(one: Weighed) -> float | None:
    return pricing.cost_usd(one.candidate.price, 1.0, one.prompt_tokens, one.output_tokens)


def _behind_best(difference: Difference, decision: Decision) -> dict[str, Any]:
    """What a candidate is behind the best, in points, and whether that is known well enough."""
    low, high = comparing.interval(difference)
    return {
        "best": {"model": difference.best.model, "backend": difference.best.backend},
        "byProbes": difference.is_paired,
        "points": _points(difference.mean),
        "lowPoints": _points(low),
        "highPoints": _points(high),
        "verdict": comparing.verdict(difference, decision.tolerance_percent),
    }


def _points(share: float) -> float:
    return round(100 * share, 1) + 0.0


def _rounded(value: float | None, digits: int = _SHOWN_DIGITS) -> float | None:
    return None if value is None else round(value, digits)


def _usd(value: float) -> str:
    return "no marginal cost" if value == 0 else f"{value:.3g} USD"
