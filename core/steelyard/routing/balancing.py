"""In which order the endpoints of equal candidates are tried.

The first one is found by looking at few of them; the whole order is made only when that one failed.
Rule 1. Endpoints with room come before full ones, and those before endpoints that rest; none is left out.
Rule 2. The same pool, load and draw give the same order.
Rule 3. Where engines load models on demand, `placing` says which endpoint is preferred: a full one may be
        worth waiting for, and one that lacks the model is left out as long as another one has it.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import assert_never, overload

from steelyard.api.policy import AffinityKey, Balance, BalanceType
from steelyard.routing import latency, placing, points
from steelyard.routing.decision import Load, Request
from steelyard.routing.table import Attempt

MOST_COMPARED = 16
"""Above so many endpoints LeastLoad compares a sample, and Affinity the next ones on the ring."""

SAMPLED = 8
"""So many are compared then, half of `MOST_COMPARED`: with half of a fleet down, one in 256 has none up."""

NEAR = 1.125
"""Waits within this factor of the least are near-ties: gateways do not see each other's last requests."""

BOUND = 1.25
"""c of bounded loads: an endpoint takes at most so many times its share of the requests in flight."""

PREFIX_CHARACTERS = 1024
"""So much of system prompt and first turn is the key Prefix: beyond it, caches are shared often enough."""

_OUT = float("inf")


class Attempts(Sequence[Attempt]):
    """Every endpoint that may be tried: the first one, and the others, put in order when asked for."""

    __slots__ = ("_every", "_first", "_order")

    def __init__(self, first: Attempt, order: Callable[[], Sequence[Attempt]]) -> None:
        self._first = first
        self._order = order
        self._every: list[Attempt] | None = None

    @overload
    def __getitem__(self, index: int) -> Attempt: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Attempt]: ...
    def __getitem__(self, index: int | slice) -> Attempt | Sequence[Attempt]:
        if index == 0:
            return self._first
        return self._all()[index]

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> list[Attempt]:
        if self._every is None:
            first = self._first
            self._every = [first, *(one for one in self._order() if one is not first)]
        return self._every


def begun(first: Attempt | None, order: Callable[[], Sequence[Attempt]]) -> Sequence[Attempt]:
    """This attempt, then all others in order; None: all in order."""
    return order() if first is None else Attempts(first, order)


def first(
    pool: Sequence[Attempt], balance: Balance, request: Request, load: Load, draw: int
) -> Attempt | None:
    """The endpoint of one pool that is tried first; None where each is full or rests.

    LeastLoad: the least wait; PowerOfTwo: the lesser wait of two; RoundRobin: pool[draw mod n];
    Affinity: the highest rank for the key among those below their bound. Each has its own function here.
    """
    if len(pool) == 1:
        return pool[0] if _has_room(pool[0], load) else None
    match balance.type:
        case BalanceType.LEAST_LOAD:
            return least_load(pool, load, draw)
        case _ if placing.is_placed(pool):
            return _placed(pool, balance, request, load, draw)
        case BalanceType.POWER_OF_TWO:
            return _power_of_two(pool, load, draw)
        case BalanceType.ROUND_ROBIN:
            return _round_robin(pool, load, draw)
        case BalanceType.AFFINITY:
            return _affinity(pool, _key(balance, request), load)
        case _:
            assert_never(balance.type)


def least_load(pool: Sequence[Attempt], load: Load, draw: int) -> Attempt | None:
    """The endpoint with the least wait; above 16, of 8 that the draw falls on. None: no room.

    wait = requests in flight ÷ knee. In a pool of several candidates whose saturation curves are all known it
    is the predicted time of a request of the measured length, TTFT(n + 1) + output tokens ÷ speed(n + 1) for
    n in flight. Near-ties (within `NEAR` of the least) are settled by two choices, one in turn, one by hash,
    of which the less loaded wins: gateways that see the same loads do not all take the same one. A sample is
    by chance already. Engines that load on demand: `placing.first`.
    """
    if placing.is_placed(pool):
        return placing.first(pool, load, draw)
    is_whole = len(pool) <= MOST_COMPARED
    sample = pool if is_whole else _sample(pool, draw)
    are_alike = pool[0].candidate is pool[-1].candidate
    if are_alike and not is_whole:
        # Nothing is less than nothing: the others of the sample need not be looked at.
        for attempt in sample:
            if not load.in_flight(attempt.endpoint) and _has_room(attempt, load):
                return attempt
    waits = _waits(sample, are_alike, load)
    while (least := min(waits)) < _OUT:
        index = _of_near_ties(waits, least * NEAR, draw) if is_whole else waits.index(least)
        attempt = sample[index]
        endpoint = attempt.endpoint
        if not (load.is_resting(endpoint) or load.is_full(endpoint)):
            return attempt
        waits[index] = _OUT
    return None if is_whole else _round_robin(pool, load, points.mixed(draw))


def order(
    pools: Iterable[Sequence[Attempt]], balance: Balance, request: Request, load: Load, draw: int
) -> list[Attempt]:
    """Every endpoint, pool after pool, each in its balance's order, the full ones last; then the resting."""
    up: list[Attempt] = []
    resting: list[Attempt] = []
    for pool in pools:
        full: list[Attempt] = []
        is_placed = placing.is_placed(pool)
        for attempt in _spread(pool, balance, request, load, draw):
            endpoint = attempt.endpoint
            if load.is_resting(endpoint):
                resting.append(attempt)
            else:
                (full if not is_placed and load.is_full(endpoint) else up).append(attempt)
        up += full
    return up + resting


def least_in_flight(attempts: Sequence[Attempt], load: Load, draw: int) -> float:
    """Requests at the least loaded of these endpoints; above 16, of 8 that the draw falls on."""
    if len(attempts) == 1:
        return load.in_flight(attempts[0].endpoint)
    sample = attempts if len(attempts) <= MOST_COMPARED else _sample(attempts, draw)
    up = [one for one in sample if not load.is_resting(one.endpoint)]
    return min([load.in_flight(one.endpoint) for one in up or sample])


def is_up(attempts: Sequence[Attempt], load: Load, draw: int) -> bool:
    """Whether one of these endpoints does not rest; of many, the likely ones are asked first."""
    if not load.is_resting(attempts[0].endpoint):
        return True
    if len(attempts) > MOST_COMPARED and not all(
        load.is_resting(one.endpoint) for one in _sample(attempts, draw)
    ):
        return True
    return not all(load.is_resting(one.endpoint) for one in attempts)


def _placed(
    pool: Sequence[Attempt], balance: Balance, request: Request, load: Load, draw: int
) -> Attempt | None:
    """`first` where engines load on demand.

    RoundRobin: in turn those that have the model. Affinity: where the least wait is at an endpoint that has
    it in memory, the highest rank among all such. PowerOfTwo, as LeastLoad: the least wait; of two by
    chance, none may have it in memory.
    """
    if balance.type is BalanceType.ROUND_ROBIN:
        return _round_robin(placing.able(pool, load), load, draw)
    least = placing.first(pool, load, draw)
    if balance.type is not BalanceType.AFFINITY or least is None or load.cold_seconds(least):
        return least
    return _affinity(placing.warm(pool, load), _key(balance, request), load)


def _power_of_two(pool: Sequence[Attempt], load: Load, draw: int) -> Attempt | None:
    """The one with the lesser wait (as `least_load` has it) of two that the draw falls on.

    Mitzenmacher, The Power of Two Choices in Randomized Load Balancing (2001). None of the two has room: the
    next one that has.
    """
    many = len(pool)
    point = points.mixed(draw)
    one, step = point % many, 1 + (point >> 16) % (many - 1)
    two = [pool[one], pool[(one + step) % many]]
    waits = _waits(two, pool[0].candidate is pool[-1].candidate, load)
    for attempt in two if waits[0] <= waits[1] else reversed(two):
        if _has_room(attempt, load):
            return attempt
    return _round_robin(pool, load, point)


def _round_robin(pool: Sequence[Attempt], load: Load, draw: int) -> Attempt | None:
    """pool[draw mod n], or the next one with room."""
    many = len(pool)
    for index in range(draw, draw + many):
        attempt = pool[index % many]
        if _has_room(attempt, load):
            return attempt
    return None


def _affinity(pool: Sequence[Attempt], key: int, load: Load) -> Attempt | None:
    """The endpoint with the highest rank for the key whose requests in flight are below its bound.

    rank = hash(key, endpoint): rendezvous hashing, Thaler and Ravishankar (1998); above 16 endpoints, of the
    16 that follow the key on the ring of their hashes. bound = c · (m + 1) · share, with m requests in flight
    at those that have room, share = knee ÷ Σ knee, c = `BOUND`: Mirrokni, Thorup, Zadimoghaddam, Consistent
    Hashing with Bounded Loads (2018). A key moves only when its endpoint goes, or is busier than the others.
    """
    open_ones = [one for one in _window(pool, key) if _has_room(one, load)]
    if not open_ones:
        return _round_robin(pool, load, key)
    in_flight = [load.in_flight(one.endpoint) for one in open_ones]
    of_each_knee = BOUND * (sum(in_flight) + 1) / sum([one.candidate.knee for one in open_ones])
    ranked = sorted(zip(open_ones, in_flight, strict=True), key=lambda one: -_rank(key, one[0]))
    for attempt, number in ranked:
        if number < of_each_knee * attempt.candidate.knee:
            return attempt
    return ranked[0][0]


def _window(pool: Sequence[Attempt], key: int) -> Sequence[Attempt]:
    """Those among which a key's endpoint is sought: of a large candidate, the next ones on its ring."""
    if len(pool) <= MOST_COMPARED:
        return pool
    found: list[Attempt] = []
    for candidate in {id(one.candidate): one.candidate for one in pool}.values():
        ring = candidate.ring
        start = bisect_left(ring, key, key=lambda one: one.point)
        found += (ring + ring)[start : start + min(len(ring), MOST_COMPARED)]
    return found


def _key(balance: Balance, request: Request) -> int:
    if balance.key is AffinityKey.SESSION:
        return points.of_text(request.session or request.user or request.conversation)
    return points.of_text((request.opening or request.conversation)[:PREFIX_CHARACTERS])


def _rank(key: int, attempt: Attempt) -> int:
    return points.mixed(key ^ attempt.point)


def _spread(
    pool: Sequence[Attempt], balance: Balance, request: Request, load: Load, draw: int
) -> Sequence[Attempt]:
    """The whole pool in the order in which its endpoints are preferred, rests aside."""
    if len(pool) == 1:
        return pool
    if placing.is_placed(pool):
        pool = placing.able(pool, load)
        if balance.type is not BalanceType.ROUND_ROBIN:
            return placing.ordered(pool, load)
    if balance.type is BalanceType.AFFINITY:
        key = _key(balance, request)
        return sorted(pool, key=lambda one: -_rank(key, one))
    turn = draw % len(pool)
    turned = [*pool[turn:], *pool[:turn]]
    if balance.type is BalanceType.ROUND_ROBIN:
        return turned
    waits = _waits(turned, pool[0].candidate is pool[-1].candidate, load)
    return [one for _, one in sorted(zip(waits, turned, strict=True), key=lambda pair: pair[0])]


def _waits(sample: Sequence[Attempt], are_alike: bool, load: Load) -> list[float]:
    """How loaded each endpoint is; comparable within the sample."""
    in_flight = load.in_flight
    if are_alike:
        return [in_flight(one.endpoint) for one in sample]
    waits: list[float] = []
    for one in sample:
        curve = one.candidate.curve
        if curve is None:
            return [in_flight(one.endpoint) / one.candidate.knee for one in sample]
        waits.append(latency.predicted_seconds(curve, in_flight(one.endpoint)))
    return waits


def _sample(pool: Sequence[Attempt], draw: int) -> Sequence[Attempt]:
    """`SAMPLED` different ones, from one that the draw decides on, at a distance that it decides, too.

    They lie over half of the pool or more: neighbours by name are often busy or down together.
    """
    many = len(pool)
    point = points.mixed(draw)
    start, step = point % many, many // SAMPLED - (point >> 20) % (many // SAMPLED // 2)
    found = pool[start : start + SAMPLED * step : step]
    left = SAMPLED - len(found)
    if left:
        again = start + len(found) * step - many
        found = [*found, *pool[again : again + left * step : step]]
    return found


def _of_near_ties(waits: Sequence[float], most: float, draw: int) -> int:
    near = [index for index, wait in enumerate(waits) if wait <= most]
    many = len(near)
    if many == 1:
        return near[0]
    one, other = near[draw % many], near[points.mixed(draw) % many]
    return other if waits[other] < waits[one] else one


def _has_room(attempt: Attempt, load: Load) -> bool:
    endpoint = attempt.endpoint
    return not (load.is_resting(endpoint) or load.is_full(endpoint))
