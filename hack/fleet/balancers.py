"""Who sends requests to simulated servers: by turns, by a score as an Ollama balancer has it, and Steelyard.

Of Steelyard everything is real but the connections: its decisions, its queue, and what it knows of servers.
"""

import json
import random
from collections.abc import Sequence
from typing import Protocol

from fleet.clock import Clock, Ticking
from fleet.servers import Asked, Over, Server
from steelyard.api.backend import LLMBackend
from steelyard.api.policy import DEFAULT_MAX_WAIT_SECONDS
from steelyard.api.resources import ResourceSet
from steelyard.routing import deciding
from steelyard.routing.compiling import compile_table
from steelyard.routing.decision import Attempt, AttemptWalk, Request, Turn
from steelyard_gateway.admission import Admission
from steelyard_gateway.lines import Refusal
from steelyard_gateway.live import LiveEndpoints
from steelyard_gateway.shares import Fleet
from steelyard_gateway.warmth import Warmth

POLL_SECONDS = 2.0
"""`spec.metrics.engine.intervalSeconds` by default; the balancer that goes by a score has the same."""

STALE_SECONDS = 10.0
"""Metrics older than this count no more, in that balancer."""

MOST_FAILED_CHECKS = 3
"""After so many a server is unhealthy, in that balancer."""


class Balancer(Protocol):
    """Sends requests to servers."""

    def take(self, asked: Asked, over: Over) -> None:
        """A request comes."""
        ...


class _Simply:
    """A request that was sent to a server, and gets an error where that fails."""

    def __init__(self, asked: Asked, over: Over) -> None:
        self.asked = asked
        self._over = over

    def began(self) -> None:
        """It is passed on."""

    def ended(self) -> None:
        """It is over."""
        self._over(self.asked)

    def failed(self) -> None:
        """It is over, too."""
        self.asked.is_refused = True
        self._over(self.asked)


class ByTurns:
    """Round robin."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._servers = servers
        self._turn = -1

    def take(self, asked: Asked, over: Over) -> None:
        """The next server has it."""
        self._turn += 1
        self._servers[self._turn % len(self._servers)].ask(_Simply(asked, over))


class ByScore:
    """The rules of a balancer for Ollama that reads GPU metrics.

    score = 10 × active requests + GPU utilization in percent; the least score has it. Where metrics are older
    than 10 s it is round robin. A server is unhealthy after 3 failed checks; when all are, the answer is 503.
    """

    def __init__(self, clock: Clock, servers: Sequence[Server], *, has_metrics: bool = True) -> None:
        self._clock, self._servers = clock, servers
        self._has_metrics = has_metrics
        self._active = [0] * len(servers)
        self._failed = [0] * len(servers)
        self._utilization = [0.0] * len(servers)
        self._read_at = float("-inf")
        self._turn = -1
        self._look()

    def take(self, asked: Asked, over: Over) -> None:
        """The healthy server with the least score has it."""
        healthy = [index for index, failed in enumerate(self._failed) if failed < MOST_FAILED_CHECKS]
        if not healthy:
            _Simply(asked, over).failed()
            return
        self._turn += 1
        index = healthy[self._turn % len(healthy)]
        if self._clock.now - self._read_at <= STALE_SECONDS:
            index = min(healthy, key=lambda one: 10 * self._active[one] + self._utilization[one])
        self._active[index] += 1

        def left(asked: Asked) -> None:
            self._active[index] -= 1
            over(asked)

        self._servers[index].ask(_Simply(asked, left))

    def _look(self) -> None:
        for index, server in enumerate(self._servers):
            self._failed[index] = 0 if server.is_up else self._failed[index] + 1
        if self._has_metrics:
            self._utilization = [100.0 if server.is_working() else 0.0 for server in self._servers]
            self._read_at = self._clock.now
        self._clock.after(POLL_SECONDS, self._look)


class Steelyard:
    """One gateway."""

    def __init__(
        self, clock: Clock, servers: Sequence[Server], models: Sequence[str], *, poll_after: float = 0.0
    ) -> None:
        self.clock = clock
        self._table, _ = compile_table(_resources(len(servers), models), "default")
        places = {one.host: one for pair in self._table.candidates for one in pair.endpoints}
        self._places = [places[_host(index)] for index in range(len(servers))]
        self.servers = {place.name: one for place, one in zip(self._places, servers, strict=True)}
        warmth = Warmth(clock)
        self.admission = Admission(Ticking(clock), clock, Fleet(), warmth)
        self.live = LiveEndpoints(clock, self.admission.is_full, warmth)
        self.admission.follow(self._table)
        self._draw = 0
        clock.after(poll_after, self._poll)

    def take(self, asked: Asked, over: Over) -> None:
        """Decide it, and send it where it was decided."""
        self._draw += 1
        request = Request(asked.model, (Turn("", 10, frozenset({"chat"})),), conversation="")
        decision = deciding.decide(request, self._table, self.live, self._draw, lambda _: ())
        _Sending(self, asked, over, AttemptWalk(decision)).try_next()

    def _poll(self) -> None:
        for place in self._places:
            server = self.servers[place.name]
            if server.is_up:
                self.live.sampled(place, server.sample(), self.live.own(place), 3 * POLL_SECONDS)
        self.live.expire()
        self.clock.after(POLL_SECONDS, self._poll)


class _Sending:
    """A request on its way: what `exchange` and `queueing` do with it."""

    def __init__(self, gateway: Steelyard, asked: Asked, over: Over, walk: AttemptWalk) -> None:
        self.asked = asked
        self._gateway, self._over, self._walk = gateway, over, walk
        self._equal: Sequence[Attempt] = ()
        self._attempt: Attempt | None = None
        self._sent_at = 0.0

    def try_next(self) -> None:
        """Send it to the next endpoint, or let it wait."""
        attempt = self._walk.next()
        if attempt is None:
            self._give_up()
        elif self._gateway.admission.enter(attempt):
            self._send(attempt)
        else:
            self._equal, since = self._walk.equal(), self.asked.at
            deadline = since + DEFAULT_MAX_WAIT_SECONDS
            given = self._gateway.admission.wait(self._equal, self, deadline, since)
            if isinstance(given, Refusal):
                self.refused(given)

    # What the queue says

    def admitted(self, name: str) -> None:
        """It may be sent there."""
        attempt = next(one for one in self._equal if one.endpoint.name == name)
        self._walk.prefer(attempt)
        self._send(attempt)

    def refused(self, refusal: Refusal) -> None:
        """It waited in vain."""
        self._give_up()

    def decide_anew(self) -> None:
        """No table changes here."""

    # What the server says

    def began(self) -> None:
        """The first byte came, if it is a stream."""
        if self.asked.is_stream:
            self._began()

    def ended(self) -> None:
        """The answer is complete."""
        if not self.asked.is_stream:
            self._began()
        self._leave()
        self._over(self.asked)

    def failed(self) -> None:
        """Try the next one."""
        assert self._attempt is not None
        self._gateway.live.failed(self._attempt.endpoint, "could not be reached")
        self._leave()
        self.try_next()

    def _send(self, attempt: Attempt) -> None:
        gateway = self._gateway
        self._attempt, self._sent_at = attempt, gateway.clock.now
        gateway.live.started(attempt.endpoint)
        gateway.servers[attempt.endpoint.name].ask(self)

    def _began(self) -> None:
        gateway, attempt = self._gateway, self._attempt
        assert attempt is not None
        gateway.live.answered(attempt.endpoint)
        seconds = gateway.clock.now - self._sent_at
        gateway.admission.began(attempt, seconds, is_stream=self.asked.is_stream)

    def _leave(self) -> None:
        assert self._attempt is not None
        self._gateway.live.ended(self._attempt.endpoint)
        self._gateway.admission.leave(self._attempt)

    def _give_up(self) -> None:
        self.asked.is_refused = True
        self._over(self.asked)


class Several:
    """Gateways that know nothing of each other; each has a part of the requests, by chance."""

    def __init__(self, balancers: Sequence[Balancer], seed: int) -> None:
        self._balancers = balancers
        self._random = random.Random(seed)

    def take(self, asked: Asked, over: Over) -> None:
        """One of them has it."""
        self._random.choice(self._balancers).take(asked, over)


def _host(index: int) -> str:
    return f"10.0.0.{index + 1}"


def _resources(servers: int, models: Sequence[str]) -> ResourceSet:
    backends = {}
    for index in range(servers):
        spec = {
            "engine": "Ollama",
            "url": f"http://{_host(index)}:11434",
            "models": [{"name": name} for name in models],
        }
        document = {"metadata": {"name": f"ollama-{index}"}, "spec": spec}
        backend = LLMBackend.model_validate_json(json.dumps(document))
        backends[backend.namespace, backend.name] = backend
    return ResourceSet(backends=backends)
