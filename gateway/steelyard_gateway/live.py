"""What the gateway knows of its endpoints: how many requests are in flight there, and which rest.

Its own requests are counted, those of others come from `signals`. State outlives tables: it is keyed by the
endpoint's name. Invariant: `own` is the number of `started` without their `ended`, and `in_flight` that with
the requests of others, kept as one number, for decisions read it several times for each request.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from steelyard.routing.table import Attempt, Endpoint, Table
from steelyard.telemetry.gpus import Gpu
from steelyard.telemetry.samples import EngineSample
from steelyard_gateway import breaker
from steelyard_gateway.breaker import Breaker, Cause, Circuit
from steelyard_gateway.signals import Known, Signals
from steelyard_gateway.warmth import Warmth

DEFAULT_REST_SECONDS = 2.0
"""How long others come first after a 429 that names no time."""

STALE_SECONDS = 600.0
"""Samples from before so long a silence say nothing of now."""

logger = logging.getLogger(__name__)

_NEVER = float("-inf")


@dataclass(slots=True)
class _State:
    own: int = 0
    in_flight: float = 0
    rest_until: float = 0.0
    """Until then others come first, at its own request."""
    pause_until: float = 0.0
    """Until then nothing is sent there, at its own request."""
    alive_at: float = _NEVER
    """When it began an answer to a request last, be it an error."""
    misses_polls: bool = False
    """Whether it did not answer the last poll, as far as it is not known to be well since."""
    how: str = ""
    """What is wrong with it while its breaker is not closed."""
    wants_models: bool = False
    """Whether it is to be asked which models it has."""
    breaker: Breaker = field(default_factory=Breaker)
    signals: Signals = field(default_factory=Signals)


@dataclass(frozen=True, slots=True)
class Health:
    """How an endpoint stands, for people."""

    circuit: Circuit
    """Whether requests are let through."""
    cause: Cause | None
    """Why not all are; None: all are."""
    seconds: float
    """How long others still come first: by its breaker, or because it asked for a pause."""
    pause_seconds: float
    """How long nothing is sent there, because it asked for that."""
    failures: int
    """In a row."""
    ttft_ratio: float | None
    """Moving mean of actual ÷ expected time to the first byte; None: not known."""


class LiveEndpoints:
    """Load and health by endpoint, fed by the request path and read by decisions."""

    def __init__(
        self,
        now: Callable[[], float],
        is_full: Callable[[Endpoint], bool] = lambda endpoint: False,
        warmth: Warmth | None = None,
        has_heard: Callable[[Endpoint, float], bool] = lambda endpoint, seconds: False,
        *,
        namespace: str = "",
    ) -> None:
        """`is_full`: whether an endpoint has as many requests as it may have; `warmth`: what is loaded;
        `has_heard`: whether anything of a stream came from there within so many seconds; `namespace`: theirs,
        where the log is to say it.
        """
        self._now = now
        self._told = {"namespace": namespace} if namespace else {}
        self.is_full = is_full
        self._has_heard = has_heard
        self._warmth = warmth or Warmth(now)
        self.cold_seconds = self._warmth.cold_seconds
        self.wait_seconds = self._warmth.wait_seconds
        self.load_seconds = self._warmth.load_seconds
        self._states: dict[str, _State] = {}
        self._returned: set[str] = set()
        self._table = Table()
        self._peers: dict[str, list[list[str]]] | None = None

    # What decisions read

    def in_flight(self, endpoint: Endpoint) -> float:
        """Requests under way on this endpoint, those of others too as far as they are known."""
        state = self._states.get(endpoint.name)
        return 0 if state is None else state.in_flight

    def sample(self, endpoint: Endpoint) -> EngineSample | None:
        """What its engine told last; None: nothing, or too long ago."""
        state = self._states.get(endpoint.name)
        return None if state is None else state.signals.engine.value

    def is_resting(self, endpoint: Endpoint) -> bool:
        """Whether others come first: it failed lately, is slow, or asked for a pause."""
        state = self._states.get(endpoint.name)
        if state is None:
            return False
        until = state.breaker.until
        if not (until or state.rest_until):
            return False
        return max(until, state.rest_until) > self._now()

    # What the request path tells

    def started(self, endpoint: Endpoint) -> None:
        """A request was handed to this endpoint."""
        state = self._states.get(endpoint.name) or self._state(endpoint)
        state.own += 1
        state.in_flight += 1
        state.signals.own_started()
        if state.breaker.until:
            state.breaker.started(self._now())

    def ended(self, endpoint: Endpoint) -> None:
        """That request is over."""
        state = self._states[endpoint.name]
        state.own -= 1
        state.in_flight -= 1

    def answered(self, endpoint: Endpoint, ratio: float = 0.0) -> None:
        """It gave an answer that is no failure of its own: failures are forgiven.

        `ratio` is actual ÷ expected time to the first byte of a stream; 0: nothing was expected.
        """
        state, now = self._states.get(endpoint.name) or self._state(endpoint), self._now()
        health = state.breaker
        if now - state.alive_at > STALE_SECONDS:
            health.forget()
        state.alive_at = now
        if state.misses_polls:
            state.misses_polls = False
            self._returned.add(endpoint.name)
        if health.cause is None:
            if health.answered(now, ratio):
                self._judge(endpoint, now)
            return
        health.answered(now, ratio)
        if health.cause is None:
            logger.info("endpoint answers again", extra=self._fields(endpoint))

    def failed(self, endpoint: Endpoint, how: str) -> None:
        """It failed: it rests, the longer the more often in a row. Logged when it begins or changes."""
        state = self._state(endpoint)
        if how != self.how_failed(endpoint):
            logger.warning("endpoint failed", extra=self._fields(endpoint) | {"detail": how})
        state.how = how
        state.breaker.failed(self._now())

    def answered_500(self, endpoint: Endpoint, request_key: int) -> None:
        """It answered 500, which may be the request's fault: a failure only where most requests get it.

        `request_key` is the same for the same request, so that a client that insists counts once.
        """
        state, now = self._state(endpoint), self._now()
        state.alive_at = now
        was = state.breaker.cause
        state.breaker.faulted(now, request_key)
        if state.breaker.cause is not was:
            state.how = "answered most requests with 500"
            logger.warning("endpoint failed", extra=self._fields(endpoint) | {"detail": state.how})

    def rest(self, endpoint: Endpoint, seconds: float | None) -> None:
        """It asked for a pause: nothing is sent there meanwhile. None: for how long? Others come first."""
        state, now = self._state(endpoint), self._now()
        state.alive_at = now
        until = now + (DEFAULT_REST_SECONDS if seconds is None else seconds)
        state.rest_until = max(state.rest_until, until)
        if seconds is not None:
            state.pause_until = max(state.pause_until, until)

    def lacks(self, attempt: Attempt) -> None:
        """It answered that it does not have this model: it is no candidate for it until it tells what it has,
        which it is asked at once."""
        if attempt.candidate.loads_on_demand:
            self._warmth.lacks(attempt)
            self._state(attempt.endpoint).wants_models = True

    # What the request path asks

    def pause_seconds(self, endpoint: Endpoint) -> float:
        """How long the pause that it asked for still lasts; 0: there is none."""
        state = self._states.get(endpoint.name)
        if state is None or not state.pause_until:
            return 0.0
        return max(state.pause_until - self._now(), 0.0)

    def is_silent(self, endpoint: Endpoint, seconds: float) -> bool:
        """Whether nothing at all came from it for so many seconds.

        Nothing is: no answer, nothing of another stream, and no answer to a poll that is not too old by now.
        """
        state, now = self._states.get(endpoint.name), self._now()
        if state is None:
            return True
        told = state.signals.engine
        polled_at = now - (told.age_seconds(now) or 0.0) if told.value is not None else _NEVER
        is_quiet = now - max(state.alive_at, polled_at) >= seconds
        return is_quiet and not self._has_heard(endpoint, seconds)

    def under_way(self, endpoint: Endpoint) -> int:
        """Own requests on the endpoints that serve the same models as this one, itself included."""
        names = {endpoint.name}.union(*self._peers_of(endpoint.name))
        return sum(self._states[name].own for name in names if name in self._states)

    # What polls tell

    def own(self, endpoint: Endpoint) -> int:
        """Requests of this gateway on this endpoint."""
        state = self._states.get(endpoint.name)
        return 0 if state is None else state.own

    def wants_models(self, endpoint: Endpoint) -> bool:
        """Whether it is to be asked at once which models it has; said once each time."""
        state = self._states.get(endpoint.name)
        if state is None or not state.wants_models:
            return False
        state.wants_models = False
        return True

    def sampled(self, endpoint: Endpoint, sample: EngineSample, own: int, valid_seconds: float) -> None:
        """Its engine told this; `own`: the larger of its own requests before and after it was asked."""
        state, now = self._state(endpoint), self._now()
        if state.misses_polls:
            state.misses_polls = False
            state.breaker.is_back(now)
        state.signals.sampled(sample, own, now, valid_seconds)
        self._warmth.told(endpoint, sample, keeps_absent=state.wants_models)
        self._reckon(endpoint.name, state)

    def not_sampled(self, endpoint: Endpoint, why: str) -> None:
        """Its engine told nothing; `why` ends a sentence about it."""
        state = self._state(endpoint)
        state.misses_polls = True
        state.signals.engine.failure = why

    def returned(self) -> set[str]:
        """The names of those that answered a request after they had not answered a poll; said once."""
        found, self._returned = self._returned, set()
        return found

    def gpus_told(self, endpoint: Endpoint, gpus: tuple[Gpu, ...], own: int, valid_seconds: float) -> None:
        """An exporter told this of its GPUs; `own` likewise."""
        state = self._state(endpoint)
        state.signals.gpus_told(gpus, own, self._now(), valid_seconds)
        self._reckon(endpoint.name, state)

    def gpus_not_told(self, endpoint: Endpoint, why: str) -> None:
        """The exporter told nothing."""
        self._state(endpoint).signals.gpus.failure = why

    def expire(self) -> None:
        """Forget what was told too long ago. Visits every endpoint."""
        now = self._now()
        for name, state in self._states.items():
            if state.signals.expire(now):
                if state.signals.engine.value is None:
                    self._warmth.fell_silent(name)
                self._reckon(name, state)

    # What people read

    def known(self, endpoint: Endpoint) -> Known:
        """What its engine and its GPUs told."""
        state = self._states.get(endpoint.name) or _State()
        return state.signals.known(self._now())

    def rest_seconds(self, endpoint: Endpoint) -> float:
        """How long it still rests; 0 when it does not."""
        return self.health(endpoint).seconds

    def failures(self, endpoint: Endpoint) -> int:
        """Failures in a row."""
        return self.health(endpoint).failures

    def how_failed(self, endpoint: Endpoint) -> str:
        """What is wrong with it, as the rest of a sentence that begins with its name; empty: nothing."""
        state = self._states.get(endpoint.name)
        return "" if state is None or state.breaker.cause is None else state.how

    def health(self, endpoint: Endpoint) -> Health:
        """How it stands."""
        state, now = self._states.get(endpoint.name) or _State(), self._now()
        health = state.breaker
        return Health(
            circuit=health.circuit(now),
            cause=health.cause,
            seconds=max(health.until - now, state.rest_until - now, 0.0),
            pause_seconds=max(state.pause_until - now, 0.0),
            failures=health.failures,
            ttft_ratio=health.ratio or None,
        )

    # New tables

    def forget_all_but(self, table: Table) -> None:
        """Drop what is known of idle endpoints that this table no longer has; it says who is whose peer."""
        self._table, self._peers = table, None
        kept = {endpoint.name for pair in table.candidates for endpoint in pair.endpoints}
        for name in [name for name, state in self._states.items() if name not in kept]:
            if self._states[name].own == 0:
                del self._states[name]

    def _reckon(self, name: str, state: _State) -> None:
        """Take what the signals say of others."""
        state.in_flight = state.own + state.signals.others
        self._warmth.reckon(name, state.signals.others)

    def _judge(self, endpoint: Endpoint, now: float) -> None:
        """Eject a slow endpoint if its peers allow it."""
        state = self._state(endpoint)
        groups = [
            [self._states[name].breaker if name in self._states else Breaker() for name in group]
            for group in self._peers_of(endpoint.name)
        ]
        if breaker.eject_slow(state.breaker, groups, now):
            state.how = f"sends its first byte {state.breaker.ratio:.1f} times as late as expected"
            logger.warning("endpoint is slow", extra=self._fields(endpoint) | {"detail": state.how})

    def _peers_of(self, name: str) -> list[list[str]]:
        """The names of the endpoints of each model that this one serves; sorted out once per table."""
        if self._peers is None:
            by_model: dict[str, dict[str, None]] = {}
            for pair in self._table.candidates:
                by_model.setdefault(pair.model, {}).update((one.name, None) for one in pair.endpoints)
            self._peers = {}
            for names in by_model.values():
                group = list(names)
                for one in group:
                    self._peers.setdefault(one, []).append(group)
        return self._peers.get(name, [])

    def _state(self, endpoint: Endpoint) -> _State:
        state = self._states.get(endpoint.name)
        if state is None:
            state = self._states[endpoint.name] = _State()
        return state

    def _fields(self, endpoint: Endpoint) -> dict[str, str]:
        return {"backend": endpoint.backend, "endpoint": endpoint.name, **self._told}
