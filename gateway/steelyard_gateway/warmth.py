"""What the gateway knows of servers that load models on demand: what is loaded where, and what a load costs.

State machines without I/O. Invariant: a server that did not tell what is in its memory, or too long ago, is
taken to have every model loaded: nothing is held back for what nobody knows.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from steelyard.routing import placing
from steelyard.routing.placing import MISSING, Resident
from steelyard.routing.table import Attempt, Candidate, Endpoint, Table
from steelyard.telemetry.samples import EngineSample
from steelyard_gateway.residents import Residents

DEMAND_SECONDS = 60.0
"""A request counts 1 ÷ e as much in a model's demand after so long."""

LEAST_SHARE = 0.1
"""What a new value adds to a mean: about the last ten count."""

LEAST_COLD_SECONDS = 0.01
"""No load takes less."""

MOST_FACTOR = 4.0
"""A single load counts at most so many times the mean: it waited for something else."""


class Mean:
    """A mean in which the last values count most."""

    __slots__ = ("_count", "value")

    def __init__(self) -> None:
        self.value: float | None = None
        """None: there was nothing yet."""
        self._count = 0

    def add(self, value: float) -> None:
        """Count a value."""
        self._count += 1
        mean = self.value
        self.value = value if mean is None else mean + (value - mean) * max(LEAST_SHARE, 1 / self._count)


class Demand:
    """How often something is asked for lately."""

    __slots__ = ("_asked", "_at")

    def __init__(self) -> None:
        self._asked = self._at = 0.0

    def per_second(self, now: float) -> float:
        """Requests a second."""
        return self._asked * math.exp((self._at - now) / DEMAND_SECONDS) / DEMAND_SECONDS

    def add(self, now: float) -> None:
        """It was asked for."""
        self._asked = self.per_second(now) * DEMAND_SECONDS + 1.0
        self._at = now


class Model:
    """What was learnt of one model on the servers of one backend."""

    __slots__ = ("_cold", "_first_bytes", "_service", "candidate", "demand")

    def __init__(self, candidate: Candidate | None) -> None:
        self.candidate = candidate
        """It, with what its profile says; None: others have it loaded, we do not know it."""
        self._cold, self._service = Mean(), Mean()
        self._first_bytes = {False: Mean(), True: Mean()}
        self.demand = Demand()
        """How often it is asked for."""

    def cold_seconds(self) -> float:
        """How long loading it takes."""
        if self._cold.value is not None:
            return self._cold.value
        profiled = self.candidate.cold_load_seconds if self.candidate is not None else None
        return placing.DEFAULT_COLD_SECONDS if profiled is None else profiled

    def service_seconds(self) -> float:
        """How long each of those before it keeps a request waiting: from one answer's end to the next."""
        if self._service.value is not None:
            return self._service.value
        candidate = self.candidate
        return placing.DEFAULT_SERVICE_SECONDS if candidate is None else placing.service_seconds(candidate)

    def was_warm(self, first_byte_seconds: float, *, is_stream: bool) -> None:
        """A request that was alone at a server that had it loaded got its first byte after so long."""
        self._first_bytes[is_stream].add(first_byte_seconds)

    def was_loaded(self, first_byte_seconds: float, *, is_stream: bool) -> None:
        """The first byte came so long after the request that had it loaded.

        What a loaded model takes is no part of the load. Of an answer that is not streamed that is most of
        it: unless it is known, the load is not.
        """
        warm, mean = self._first_bytes[is_stream].value, self._cold.value
        if warm is None and not is_stream:
            return
        seconds = max(first_byte_seconds - (warm or 0.0), LEAST_COLD_SECONDS)
        self._cold.add(seconds if mean is None else min(seconds, MOST_FACTOR * mean))

    def served(self, seconds: float) -> None:
        """So long after the one before, or after it began to work, an answer ended."""
        self._service.add(seconds)


@dataclass(slots=True)
class Claim:
    """Who keeps a server's memory is to load a model there."""

    key: str
    """The model."""
    on_turn: Callable[[], None]
    """Called once, when no other load is under way and nothing is at work that has to wait."""
    empties: bool
    """Whether requests for all other models have to wait."""
    is_active: bool = False
    """Whether the server is reserved for it."""
    had_turn: bool = False
    """Whether `on_turn` was called."""


@dataclass(slots=True)
class Server:
    """One server: its memory, and what is planned for it."""

    residents: Residents
    backend: str
    pairs: list[Candidate] = field(default_factory=list)
    """The table's models of it."""
    others: float = 0.0
    """Requests of others that are reckoned to be there."""
    reserved: str | None = None
    """The model for which it is being emptied."""
    draining: frozenset[str] = frozenset()
    """The models that take no new requests, for they have to go."""
    expected: int = 0
    """Requests that wait for `reserved`."""
    claim: Claim | None = None
    """What its keeper is to load."""
    meeting: float = 0.0
    """The share of requests that lately found another one there."""
    loading_since: float = 0.0
    ended_at: dict[str, float] = field(default_factory=dict)
    """When the last answer of each model that is at work ended, or the first one began."""

    def release(self) -> None:
        """Empty it no more."""
        self.reserved, self.draining, self.expected = None, frozenset(), 0


class Warmth:
    """Servers by endpoint, and what was learnt of models."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._servers: dict[str, Server] = {}
        self._models: dict[tuple[str, str], Model] = {}
        self._homes: Counter[str] = Counter()
        self._sizes: dict[str, int] = {}

    # What decisions read

    def cold_seconds(self, attempt: Attempt) -> float:
        """How long loading its model takes; 0: it is loaded, or nobody knows; infinite: it is not there."""
        server, key = self.at(attempt)
        residents = server.residents
        if residents.has(key) and not (residents.absent and residents.lacks(attempt.candidate)):
            return 0.0
        if residents.lacks(attempt.candidate):
            return MISSING
        return self._model(server, key, attempt.candidate).cold_seconds()

    def load_seconds(self, attempt: Attempt) -> float:
        """How long a request that is sent there waits for its model's load; infinite: nobody knows.

        A server that told nothing of the model since it was used may have unloaded it again.
        """
        server, key = self.at(attempt)
        if server.residents.loading == key:
            return self._left_seconds(server)
        is_sure = key in server.residents.confirmed or server.residents.is_remote(key)
        return 0.0 if is_sure else math.inf

    def wait_seconds(self, attempt: Attempt) -> float:
        """How long a new request waits there before it is worked on, what it costs others included.

        As `head_wait_seconds`, and where the server is being emptied for its model, for those before it.
        """
        server, key = self.at(attempt)
        seconds = self.head_wait_seconds(attempt)
        if server.reserved == key:
            seconds += server.expected * self._model(server, key).service_seconds()
        return seconds

    def head_wait_seconds(self, attempt: Attempt, waiting: int = 1) -> float:
        """The same for the first of so many who wait for its model, and share what the eviction costs.

        Those in flight, what is left of a load under way (one that is overdue takes as long again), another
        model for which the server is being emptied and those who wait for that, the load, the eviction.
        """
        server, key = self.at(attempt)
        residents = server.residents
        if residents.lacks(attempt.candidate):
            return MISSING
        if residents.is_remote(key):  # nothing here keeps it waiting, but it is spread like all else
            return residents.in_flight.total() * self._model(server, key, attempt.candidate).service_seconds()
        seconds = self._busy_seconds(server, key, attempt.candidate)
        is_loaded, reserved = residents.has(key), server.reserved
        if reserved is not None and reserved != key:
            first = self._model(server, reserved)
            seconds += server.expected * first.service_seconds() + first.cold_seconds()
            is_loaded = is_loaded and key not in server.draining
            return seconds if is_loaded else seconds + self._model(server, key).cold_seconds()
        if is_loaded:
            return seconds
        cold = self._model(server, key, attempt.candidate).cold_seconds()
        return seconds + cold + placing.eviction_seconds(cold, self._evicted(server, key)) / waiting

    # What the request path asks and tells

    def at(self, attempt: Attempt) -> tuple[Server, str]:
        """The server, and its key of the model."""
        server = self.server(attempt.endpoint)
        return server, server.residents.key(attempt.candidate)

    def server(self, endpoint: Endpoint) -> Server:
        """The server at this endpoint."""
        found = self._servers.get(endpoint.name)
        if found is None:
            found = self._servers[endpoint.name] = Server(
                Residents(self._homes, self._sizes), endpoint.backend
            )
            found.residents.budget_mib = endpoint.budget_mib
            found.residents.pin(endpoint.pinned)
        return found

    def hold_seconds(self, server: Server, key: str) -> float:
        """How long a request waits for others of this model before the server is emptied for it."""
        cold = self._model(server, key).cold_seconds()
        return placing.hold_seconds(cold, self._evicted(server, key), server.meeting)

    def came(self, attempt: Attempt) -> None:
        """A request was decided to go there, be it at once or later."""
        server = self.server(attempt.endpoint)
        is_met = bool(server.residents.at_work()) or server.reserved is not None
        server.meeting += (is_met - server.meeting) * LEAST_SHARE

    def sent(self, attempt: Attempt) -> None:
        """A request is sent there; `ended` follows."""
        server, key = self.at(attempt)
        now, residents = self._now(), server.residents
        self._model(server, key, attempt.candidate).demand.add(now)
        if residents.sent(key, is_there=not residents.lacks(attempt.candidate)):
            server.loading_since = now
        elif residents.loading != key:
            server.ended_at.setdefault(key, now)

    def began(self, attempt: Attempt, seconds: float, *, is_stream: bool) -> bool:
        """So long after it was sent, the first byte of a good answer came; whether that ended a load."""
        server, key = self.at(attempt)
        now, residents, learnt = self._now(), server.residents, self._model(server, key, attempt.candidate)
        if residents.loading != key:
            if residents.at_work() == 1:
                learnt.was_warm(seconds, is_stream=is_stream)
            return False
        learnt.was_loaded(now - server.loading_since, is_stream=is_stream)
        residents.answered(key)
        if is_stream:
            server.ended_at[key] = now
        return True

    def lacks(self, attempt: Attempt) -> None:
        """It answered that it lacks this model: it is no candidate for it until it tells what it has."""
        self.server(attempt.endpoint).residents.said_to_lack(attempt.candidate)

    def load_begins(self, server: Server, key: str) -> None:
        """Its keeper has it load this model; `load_ended` follows."""
        server.residents.sent(key, is_cold=True)
        server.loading_since = self._now()

    def load_ended(self, server: Server, key: str, *, is_loaded: bool) -> None:
        """That is over."""
        if is_loaded and server.residents.loading == key:
            self._model(server, key).was_loaded(self._now() - server.loading_since, is_stream=True)
            server.residents.answered(key)
        server.residents.ended(key)

    def ended(self, attempt: Attempt) -> None:
        """A request is over."""
        server, key = self.at(attempt)
        now, since = self._now(), server.ended_at.pop(key, None)
        if since is not None:
            self._model(server, key, attempt.candidate).served(now - since)
        server.residents.ended(key)
        if key in server.residents.in_flight and server.residents.loading != key:
            server.ended_at[key] = now

    # What polls and tables tell

    def told(self, endpoint: Endpoint, sample: EngineSample, *, keeps_absent: bool = False) -> None:
        """A server told this of itself. `keeps_absent`: what it has from before it said what it lacks."""
        if sample.loaded is not None or sample.models is not None:
            server = self.server(endpoint)
            if server.residents.told(sample, keeps_absent=keeps_absent):
                self._introduce(server)

    def fell_silent(self, name: str) -> None:
        """What the endpoint of this name told of its memory is too old."""
        server = self._servers.get(name)
        if server is not None:
            server.residents.fell_silent()

    def reckon(self, name: str, others: float) -> None:
        """So many requests of others are reckoned to be at the endpoint of this name."""
        server = self._servers.get(name)
        if server is not None:
            server.others = others

    def follow(self, table: Table) -> None:
        """Take what this table says of models and servers, and drop idle servers that it no longer has."""
        for server in self._servers.values():
            server.residents.forget_names()
            server.pairs = []
        for pair in table.candidates:
            for endpoint in pair.endpoints if pair.loads_on_demand else ():
                server = self.server(endpoint)
                if not server.pairs:
                    server.residents.budget_mib = endpoint.budget_mib
                    server.residents.pin(endpoint.pinned)
                server.pairs.append(pair)
        for name, server in list(self._servers.items()):
            if server.pairs:
                self._introduce(server)
            elif not server.residents.in_flight:
                server.residents.forget()
                del self._servers[name]
        backends = {server.backend for server in self._servers.values()}
        self._models = {key: learnt for key, learnt in self._models.items() if key[0] in backends}

    def _introduce(self, server: Server) -> None:
        """Know the table's models there by the keys that they have now."""
        for pair in server.pairs:
            self._model(server, server.residents.key(pair)).candidate = pair

    def _busy_seconds(self, server: Server, key: str, candidate: Candidate) -> float:
        """How long the requests that are there keep one for this model waiting, and a load under way."""
        seconds, residents = 0.0, server.residents
        if server.others:
            seconds = server.others * self._model(server, key, candidate).service_seconds()
        for one, number in residents.in_flight.items():
            if not residents.is_remote(one):
                seconds += number * self._model(server, one).service_seconds()
        return seconds + self._left_seconds(server)

    def _left_seconds(self, server: Server) -> float:
        """What is left of a load under way; one that is overdue takes as long again."""
        loading = server.residents.loading
        if loading is None:
            return 0.0
        return abs(self._model(server, loading).cold_seconds() - (self._now() - server.loading_since))

    def _evicted(self, server: Server, key: str) -> list[Resident]:
        """What it costs others to load this model there."""
        now, residents, found = self._now(), server.residents, []
        for victim in residents.victims(key):
            learnt = self._model(server, victim)
            per_second = learnt.demand.per_second(now) / max(self._homes[victim], 1)
            is_pinned = victim in residents.pinned
            found.append(Resident(learnt.cold_seconds(), per_second, is_pinned))
        return found

    def _model(self, server: Server, key: str, candidate: Candidate | None = None) -> Model:
        found = self._models.get((server.backend, key))
        if found is None:
            found = self._models[server.backend, key] = Model(candidate)
        elif found.candidate is None:
            found.candidate = candidate
        return found
