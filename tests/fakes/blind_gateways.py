"""Gateways that know nothing of each other's requests, in front of engines with slots; all of it simulated.

Only LiveEndpoints and `balancing` are real. Time is that of the events, so a run of hours takes a second and
always comes out the same.
"""

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from fakes import gateways
from steelyard.api.backend import Location
from steelyard.api.policy import Balance
from steelyard.routing import balancing
from steelyard.routing.decision import Request
from steelyard.routing.table import Candidate, Price
from steelyard.telemetry.samples import EngineSample
from steelyard_gateway.live import LiveEndpoints

INTERVAL_SECONDS = 2.0
"""Between two readings of an engine by a gateway, give or take a tenth."""

_REQUEST = Request("m", (), "")


@dataclass(frozen=True)
class Traffic:
    """Requests that take exactly so long, at random times."""

    seconds: float
    """How long each takes."""
    share: float
    """Share of all slots that they take."""
    gateways: Sequence[int]
    """The gateways among which they are spread."""


class Fleet:
    """Engines of one model and the gateways before them."""

    def __init__(self, number: int, engines: int, slots: int, *, polls: bool, seed: int = 1) -> None:
        """`number` of gateways, `slots` of each engine."""
        self._rand = random.Random(seed)
        self._now = 0.0
        self._slots = slots
        places = tuple(gateways.endpoint(8000 + at) for at in range(engines))
        price = Price(None, None)
        self._candidate = Candidate("m", "engine", (), {}, Location.LOCAL, places, price, {})
        self._live = [LiveEndpoints(lambda: self._now) for _ in range(number)]
        self._draws = [self._rand.randrange(2**32) for _ in range(number)]
        self._running = [0] * engines
        self._queues: list[deque[Callable[[], None]]] = [deque() for _ in range(engines)]
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        if polls:
            for live in self._live:
                for engine in range(engines):
                    self._poll(live, engine)

    def times(self, *traffic: Traffic, of: Traffic, number: int) -> list[float]:
        """How long so many requests of one kind took from their coming to their end, in seconds."""
        times: list[float] = []
        for one in traffic:
            self._come(one, times if one is of else [])
        while len(times) < number:
            self._now, _, step = heappop(self._events)
            step()
        return times

    def _after(self, seconds: float, step: Callable[[], None]) -> None:
        self._count += 1
        heappush(self._events, (self._now + seconds, self._count, step))

    def _come(self, traffic: Traffic, times: list[float]) -> None:
        """One comes after the other, for ever."""
        per_second = traffic.share * len(self._running) * self._slots / traffic.seconds

        def come() -> None:
            self._send(self._rand.choice(traffic.gateways) % len(self._live), traffic.seconds, times)
            self._after(self._rand.expovariate(per_second), come)

        self._after(self._rand.expovariate(per_second), come)

    def _send(self, gateway: int, seconds: float, times: list[float]) -> None:
        live = self._live[gateway]
        self._draws[gateway] += 1
        attempt = balancing.first(self._candidate.attempts, Balance(), _REQUEST, live, self._draws[gateway])
        assert attempt is not None
        endpoint, came = attempt.endpoint, self._now
        engine = self._candidate.endpoints.index(endpoint)
        live.started(endpoint)

        def begin() -> None:
            self._running[engine] += 1
            self._after(seconds, end)

        def end() -> None:
            self._running[engine] -= 1
            live.ended(endpoint)
            times.append(self._now - came)
            if self._queues[engine]:
                self._queues[engine].popleft()()

        if self._running[engine] < self._slots:
            begin()
        else:
            self._queues[engine].append(begin)

    def _poll(self, live: LiveEndpoints, engine: int) -> None:
        endpoint = self._candidate.endpoints[engine]

        def poll() -> None:
            told = EngineSample(running=self._running[engine], waiting=len(self._queues[engine]))
            live.sampled(endpoint, told, live.own(endpoint), 3 * INTERVAL_SECONDS)
            self._after(INTERVAL_SECONDS * self._rand.uniform(0.9, 1.1), poll)

        self._after(INTERVAL_SECONDS * self._rand.random(), poll)
