"""In which order the endpoints of equal candidates are tried.

Invariant: endpoints that rest come after all others, and none is left out.
"""

from collections.abc import Iterable, Iterator, Sequence

from steelyard.api.policy import BalanceType
from steelyard.routing.decision import Attempt, Load, Weighed
from steelyard.routing.table import Candidate, Price

POOL_QUALITY = 0.01
"""Pairs of one model name and price whose expected qualities differ by no more than this are one pool."""


def attempts(ordered: Sequence[Weighed], balance: BalanceType, load: Load, draw: int) -> list[Attempt]:
    """The endpoints of candidates in order of preference; equal ones are balanced as one pool."""
    up: list[Attempt] = []
    resting: list[Attempt] = []
    for pool in _pools(ordered):
        for attempt in spread(pool, balance, load, draw):
            (resting if load.is_resting(attempt.endpoint) else up).append(attempt)
    return up + resting


def _pools(ordered: Sequence[Weighed]) -> Iterator[list[Candidate]]:
    """Each candidate with those equal to it, in the order of the first of each pool."""
    if len({one.candidate.model for one in ordered}) == len(ordered):
        for one in ordered:
            yield [one.candidate]
        return
    left = list(ordered)
    while left:
        first = left[0]
        pool = [one for one in left if _is_equal(one, first)]
        left = [one for one in left if one not in pool]
        yield [one.candidate for one in pool]


def spread(candidates: Iterable[Candidate], balance: BalanceType, load: Load, draw: int) -> list[Attempt]:
    """Every endpoint of one pool: those at rest last, the others by load or in turn; `draw` settles ties."""
    pool = [Attempt(pair, endpoint) for pair in candidates for endpoint in pair.endpoints]
    if len(pool) == 1:
        return pool
    turn = draw % len(pool)
    pool = pool[turn:] + pool[:turn]
    if balance is BalanceType.LEAST_LOAD:
        pool.sort(key=lambda attempt: load.in_flight(attempt.endpoint) / attempt.candidate.knee)
    pool.sort(key=lambda attempt: load.is_resting(attempt.endpoint))
    return pool


def _is_equal(one: Weighed, other: Weighed) -> bool:
    if one.candidate.model != other.candidate.model:
        return False
    if not _same_price(one.candidate.price, other.candidate.price):
        return False
    if one.quality is None or other.quality is None:
        return one.quality is other.quality
    return abs(one.quality - other.quality) <= POOL_QUALITY


def _same_price(one: Price, other: Price) -> bool:
    return (one.input_usd, one.output_usd, one.basis) == (other.input_usd, other.output_usd, other.basis)
