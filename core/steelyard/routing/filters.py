"""Which candidates can do a request, and every reason of those that cannot.

Each filter yields a short reason or nothing. Invariant: all reasons of a candidate are listed, not the first.
"""

from collections.abc import Iterable, Iterator

from steelyard.api.policy import Require
from steelyard.routing.decision import Rejected, Turn
from steelyard.routing.table import Candidate, Policy

LENGTH_SLACK = 2
"""A prompt rules a model out only above so many times its context: the estimate of tokens is rough."""

NO_ENDPOINT = "no endpoint is ready"
"""The reason of a candidate that has none now and may have one soon."""

_PASSES_UNKNOWN = "chat"

_MILLION = 1_000_000


def can_do(turn: Turn, candidates: Iterable[Candidate]) -> tuple[list[Candidate], list[Rejected]]:
    """Those that can do what the request needs, and the others with their reasons."""
    return _split(candidates, turn, turn.needs, None)


def meets(
    policy: Policy, turn: Turn, candidates: Iterable[Candidate]
) -> tuple[list[Candidate], list[Rejected]]:
    """Those that can do what the request needs and meet what the policy requires whatever the request."""
    required = policy.spec.require.capabilities
    needs = turn.needs.union(required) if required else turn.needs
    return _split(candidates, turn, needs, policy)


def always_lacking(policy: Policy, pair: Candidate) -> Iterator[str]:
    """What keeps a candidate out of every request of this policy."""
    if not pair.endpoints:
        yield NO_ENDPOINT
    for capability in policy.spec.require.capabilities:
        if pair.capabilities.get(capability) is False:
            yield capability
    yield from _unmet(pair, policy)
    lack = lacks_quality(policy.spec.require, max(pair.rates, default=None))
    if lack is not None:
        yield lack


def lacks_quality(require: Require, quality: float | None) -> str | None:
    """The reason where the expected quality is below what is required."""
    least = require.min_quality_percent
    if least is None:
        return None
    if quality is None:
        return "quality not measured"
    return f"quality {quality:.0%} < {least}%" if quality * 100 < least - 1e-9 else None


def _split(
    candidates: Iterable[Candidate], turn: Turn, needs: frozenset[str], policy: Policy | None
) -> tuple[list[Candidate], list[Rejected]]:
    pool = list(candidates)
    known = {
        need
        for need in needs
        if need != _PASSES_UNKNOWN and any(pair.capabilities.get(need) for pair in pool)
    }
    passed, rejected = [], []
    for pair in pool:
        reasons = list(_lacking(pair, turn, needs, known))
        if policy is not None:
            reasons += _unmet(pair, policy)
        if reasons:
            rejected.append(Rejected(pair, tuple(reasons)))
        else:
            passed.append(pair)
    return passed, rejected


def _lacking(pair: Candidate, turn: Turn, needs: Iterable[str], known: set[str]) -> Iterator[str]:
    if not pair.endpoints:
        yield NO_ENDPOINT
    for need in needs:
        has = pair.capabilities.get(need)
        if has is False:
            yield need
        elif has is None and need in known:
            yield f"{need} not known"
    if pair.context_tokens is not None and turn.prompt_tokens > LENGTH_SLACK * pair.context_tokens:
        yield f"length {turn.prompt_tokens} > {LENGTH_SLACK} × {pair.context_tokens} tokens"


def _unmet(pair: Candidate, policy: Policy) -> Iterator[str]:
    require = policy.spec.require
    if require.location is not None and pair.location is not require.location:
        yield f"location {pair.location}"
    if policy.max_usd is not None:
        price = pair.price
        if price.input_usd is None or price.output_usd is None:
            yield "price unknown"
        elif (dearest := max(price.input_usd, price.output_usd)) > policy.max_usd:
            yield f"price {dearest * _MILLION:g} > {require.max_usd_per_million_tokens}"
