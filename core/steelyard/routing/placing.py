"""Which endpoint a request goes to where engines load models on demand: the one of the least predicted wait.

Rule 1. wait = what those in flight take + the load + what the eviction costs others. The last two are 0 where
        the model, by its digest, is in memory: a request goes there, unless that is the longer wait.
Rule 2. An endpoint that lacks the model takes no part while another one has it.
Rule 3. Cold endpoints of about the same wait are told apart by model and endpoint alone, so that gateways
        that know nothing of each other load a model at the same place.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from steelyard.routing import latency, points
from steelyard.routing.decision import Load
from steelyard.routing.table import DEFAULT_OUTPUT_TOKENS, Attempt, Candidate

DEFAULT_COLD_SECONDS = 8.0
"""A load that was never measured: some gigabytes from a disk that reads half a gigabyte a second."""

DEFAULT_SERVICE_SECONDS = 4.0
"""A request of a model that was never measured: `DEFAULT_OUTPUT_TOKENS` at 50 a second."""

NEAR = 1.125
"""Waits within this factor of the least are near-ties, as in `balancing`."""

HOLD_LOADS = 1.5
"""A cold request holds back for so many loads at most: more load less, and wait longer (`hack/fleet`)."""

BUSY_MEETING = 0.5
"""From this share of requests on that find another one at their endpoint it holds back in full."""

MOST_HOLD_SECONDS = 5.0
"""It holds back no longer: the server has to be emptied, too, within `maxWaitSeconds`, 20 by default."""

LEAST_DISPLACED = 0.25
"""Where an eviction is expected to keep fewer requests waiting, nothing holds back."""

MOST_DISPLACED = 50.0
"""So many requests of an evicted model count at most."""

PINNED_SECONDS = 1e6
"""What it costs to evict a pinned model: anything else is done before."""

MISSING = float("inf")
"""The wait for a model that the endpoint does not have."""


class Resident(NamedTuple):
    """A model that would be evicted."""

    cold_seconds: float
    """How long it takes to load it again."""
    requests_per_second: float
    """How often it is asked for, shared by the endpoints that have it in memory."""
    is_pinned: bool = False
    """Whether it is to be evicted last."""


def is_placed(pool: Sequence[Attempt]) -> bool:
    """Whether an engine of this pool loads on demand."""
    candidate = pool[0].candidate
    if candidate.loads_on_demand:
        return True
    if pool[-1].candidate is candidate:
        return False
    return any(one.candidate.loads_on_demand for one in pool)


def first(pool: Sequence[Attempt], load: Load, draw: int) -> Attempt | None:
    """The endpoint of the least wait that does not rest; full ones take part. None: all rest, or lack it.

    Cold ones are not looked at closely while the wait at a warm one is shorter than any load.
    """
    up = [one for one in pool if not load.is_resting(one.endpoint)]
    colds = [_cold_seconds(one, load) for one in up]
    looked_at = [one for one, cold in zip(up, colds, strict=True) if not cold]
    waits = [wait_seconds(one, load) for one in looked_at]
    if min(waits, default=MISSING) > min([cold for cold in colds if cold], default=MISSING):
        looked_at, waits = up, [wait_seconds(one, load) for one in up]
    least = min(waits, default=MISSING)
    if least == MISSING:
        return None
    near = [one for one, wait in zip(looked_at, waits, strict=True) if wait <= least * NEAR]
    if len(near) == 1:
        return near[0]
    loaded = [one for one in near if not _cold_seconds(one, load)]
    return loaded[draw % len(loaded)] if loaded else max(near, key=_rank)


def warm(pool: Sequence[Attempt], load: Load) -> list[Attempt]:
    """Those that have the model in memory."""
    return [one for one in pool if not _cold_seconds(one, load)]


def able(pool: Sequence[Attempt], load: Load) -> Sequence[Attempt]:
    """Those that have the model, in memory or not; all, where none is known to have it."""
    return [one for one in pool if _cold_seconds(one, load) < MISSING] or pool


def least_cold_seconds(attempts: Iterable[Attempt], load: Load) -> float:
    """How long the load takes where it takes the least; 0 where the model is in memory, or nobody has it."""
    up = [one for one in attempts if not load.is_resting(one.endpoint)]
    least = min([load.cold_seconds(one) for one in up], default=0.0)
    return least if least < MISSING else 0.0


def ordered(pool: Sequence[Attempt], load: Load) -> list[Attempt]:
    """The pool by rising wait."""
    waits = [(wait_seconds(one, load), -_rank(one)) for one in pool]
    return [one for _, one in sorted(zip(waits, pool, strict=True), key=lambda pair: pair[0])]


def wait_seconds(attempt: Attempt, load: Load) -> float:
    """How long a request is predicted to wait there before it is worked on."""
    candidate = attempt.candidate
    if candidate.loads_on_demand:
        return load.wait_seconds(attempt)
    in_flight = load.in_flight(attempt.endpoint)
    if candidate.curve is not None:
        return latency.predicted_seconds(candidate.curve, in_flight) - candidate.curve.seconds[0]
    return in_flight / candidate.knee * service_seconds(candidate)


def service_seconds(candidate: Candidate) -> float:
    """How long a request takes by itself, by the profile; a guess where there is none."""
    if candidate.curve is not None:
        return candidate.curve.seconds[0]
    speed = candidate.output_tokens_per_second
    return DEFAULT_OUTPUT_TOKENS / speed if speed else DEFAULT_SERVICE_SECONDS


def eviction_seconds(cold_seconds: float, evicted: Iterable[Resident]) -> float:
    """What loading a model for so long costs others, in seconds of waiting: their own loads.

    Each of them counts for every request that comes while the other one and then it itself is loaded.
    """
    cost = 0.0
    for one in evicted:
        cost += one.cold_seconds * _displaced(cold_seconds, one)
        if one.is_pinned:
            cost += PINNED_SECONDS
    return cost


def hold_seconds(cold_seconds: float, evicted: Sequence[Resident], meeting: float) -> float:
    """How long a request waits for others of its cold model before an endpoint is emptied for it.

    For `HOLD_LOADS` times what the eviction costs, or the load where that is less: so a model is loaded for
    several requests where what it evicts is in use, and at once where it is not. `meeting`: the share of
    requests that found another one at the endpoint; where few did, nobody comes while one waits, and it
    waits for less long.
    """
    if sum([_displaced(cold_seconds, one) for one in evicted]) < LEAST_DISPLACED:
        return 0.0
    cost = min(cold_seconds, eviction_seconds(cold_seconds, evicted))
    return min(HOLD_LOADS * cost, MOST_HOLD_SECONDS) * min(meeting / BUSY_MEETING, 1.0)


def _displaced(cold_seconds: float, evicted: Resident) -> float:
    """How many requests for an evicted model come until it is loaded again."""
    return min(evicted.requests_per_second * (cold_seconds + evicted.cold_seconds), MOST_DISPLACED)


def _cold_seconds(attempt: Attempt, load: Load) -> float:
    """How long the load takes there; 0 also where the engine has its model loaded all the time."""
    return load.cold_seconds(attempt) if attempt.candidate.loads_on_demand else 0.0


def _rank(attempt: Attempt) -> int:
    return points.mixed(points.of_text(attempt.candidate.model) ^ attempt.point)
