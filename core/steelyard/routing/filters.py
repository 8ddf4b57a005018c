"""Which candidates can do a request, and every reason of those that cannot.

Each filter yields a short reason or nothing. Invariant: all reasons of a candidate are listed, not the first.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

from steelyard.api.policy import Capability, Require
from steelyard.routing import pricing
from steelyard.routing.decision import Rejected, Turn
from steelyard.routing.table import Candidate, Pool

LENGTH_SLACK = 2
"""A prompt rules a model out only above so many times its context: the estimate of tokens is rough."""

NO_ENDPOINT = "no endpoint is ready"
"""The reason of a candidate that has none now and may have one soon."""

NOTHING = Require()
"""The requirements of a request by name."""

SLACK = 1e-9
"""A quality so little below what is required is rounding."""

_PASSES_UNKNOWN = "chat"

_NEEDS = frozenset(need.value for need in Capability)

_ANYTHING = Turn("", 0, frozenset())

_MILLION = 1_000_000


def split(
    candidates: Sequence[Candidate], turn: Turn, require: Require = NOTHING
) -> tuple[list[Candidate], list[Rejected]]:
    """Those that can do what the request needs and meet what is required of all, and the others."""
    needs = sorted(turn.needs.union(require.capabilities))
    known = {need for need in needs if _is_known(need, candidates)}
    passed, rejected = [], []
    for pair in candidates:
        reasons = [*_lacking(pair, turn, needs, known), *_unmet(pair, require)]
        if reasons:
            rejected.append(Rejected(pair, tuple(reasons)))
        else:
            passed.append(pair)
    return passed, rejected


def pool(candidates: Sequence[Candidate], require: Require = NOTHING) -> Pool:
    """These candidates with what `split` says of them whatever the request."""
    opened, _ = split(candidates, _ANYTHING, require)
    shortest = min((pair.context_tokens or math.inf for pair in opened), default=-1)
    return Pool(
        candidates=tuple(candidates),
        open=tuple(opened),
        attempts=tuple(attempt for pair in opened for attempt in pair.attempts),
        passes=_passes(opened, candidates),
        most_tokens=LENGTH_SLACK * shortest,
        has_namesakes=len({pair.model for pair in opened}) < len(opened),
    )


def narrowed(of: Pool, passed: Sequence[Candidate]) -> Pool:
    """The same pool for a request that only these can do."""
    attempts = tuple(attempt for pair in passed for attempt in pair.attempts)
    return Pool(of.candidates, tuple(passed), attempts, of.passes, of.most_tokens, of.has_namesakes)


def always_lacking(require: Require, pair: Candidate) -> Iterator[str]:
    """What keeps a candidate out of every request with these requirements."""
    if not pair.endpoints:
        yield NO_ENDPOINT
    for capability in require.capabilities:
        if pair.capabilities.get(capability) is False:
            yield capability
    yield from _unmet(pair, require)
    lack = lacks_quality(require, max(pair.rates, default=None))
    if lack is not None:
        yield lack


def lacks_quality(require: Require, quality: float | None) -> str | None:
    """The reason where the expected quality is below what is required."""
    least = require.min_quality_percent
    if least is None:
        return None
    if quality is None:
        return "quality not measured"
    return f"quality {quality:.0%} < {least}%" if quality < least / 100 - SLACK else None


def _is_known(need: str, candidates: Iterable[Candidate]) -> bool:
    """Whether one is known to have it, so that it counts against those that are not."""
    return need != _PASSES_UNKNOWN and any(pair.capabilities.get(need) for pair in candidates)


def _passes(opened: Sequence[Candidate], candidates: Iterable[Candidate]) -> frozenset[str]:
    """The needs that rule none of the open candidates out."""
    has_not = {need for pair in opened for need, has in pair.capabilities.items() if not has}
    known = {need for pair in candidates for need, has in pair.capabilities.items() if has}
    known.discard(_PASSES_UNKNOWN)
    not_known = {need for need in known for pair in opened if need not in pair.capabilities}
    return _NEEDS - has_not - not_known


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


def _unmet(pair: Candidate, require: Require) -> Iterator[str]:
    if require.location is not None and pair.location is not require.location:
        yield f"location {pair.location}"
    most = require.max_usd_per_million_tokens
    if most is not None:
        price = pair.price
        if price.input_usd is None or price.output_usd is None:
            yield "price unknown"
        elif (dearest := max(price.input_usd, price.output_usd)) > pricing.usd_per_token(most):
            yield f"price {dearest * _MILLION:g} > {most}"
