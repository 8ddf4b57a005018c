"""What the gateway knows of its endpoints from its own requests: how many are in flight, and which rest.

State outlives tables: it is keyed by the endpoint's name. Invariant: `in_flight` is the number of `started`
without their `ended`.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from steelyard.routing.table import Endpoint, Table

FIRST_REST_SECONDS = 1.0
"""Pause after one failure; it doubles with each further one."""

LONGEST_REST_SECONDS = 30.0
"""The longest pause after failures."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _State:
    in_flight: int = 0
    failures: int = 0
    rest_until: float = 0.0
    how: str = ""


class LiveEndpoints:
    """Load and health by endpoint, fed by the request path and read by decisions."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._states: dict[str, _State] = {}

    def in_flight(self, endpoint: Endpoint) -> int:
        """Requests under way on this endpoint."""
        state = self._states.get(endpoint.name)
        return 0 if state is None else state.in_flight

    def is_resting(self, endpoint: Endpoint) -> bool:
        """Whether it failed lately or asked for a pause."""
        state = self._states.get(endpoint.name)
        return state is not None and state.rest_until > 0.0 and state.rest_until > self._now()

    def rest_seconds(self, endpoint: Endpoint) -> float:
        """How long it still rests; 0 when it does not."""
        state = self._states.get(endpoint.name)
        return 0.0 if state is None else max(state.rest_until - self._now(), 0.0)

    def failures(self, endpoint: Endpoint) -> int:
        """Failures in a row."""
        state = self._states.get(endpoint.name)
        return 0 if state is None else state.failures

    def how_failed(self, endpoint: Endpoint) -> str:
        """How it failed last, as the rest of a sentence that begins with its name; empty when it answers."""
        state = self._states.get(endpoint.name)
        return "" if state is None else state.how

    def started(self, endpoint: Endpoint) -> None:
        """A request was handed to this endpoint."""
        self._state(endpoint).in_flight += 1

    def ended(self, endpoint: Endpoint) -> None:
        """That request is over."""
        self._state(endpoint).in_flight -= 1

    def answered(self, endpoint: Endpoint) -> None:
        """It gave an answer that is no failure of its own: failures are forgiven."""
        state = self._state(endpoint)
        if state.failures:
            logger.info("endpoint answers again", extra=_fields(endpoint))
        state.failures, state.rest_until, state.how = 0, 0.0, ""

    def failed(self, endpoint: Endpoint, how: str) -> None:
        """It failed: it rests, the longer the more often in a row. Logged when it begins or changes."""
        state = self._state(endpoint)
        if how != state.how:
            logger.warning("endpoint failed", extra=_fields(endpoint) | {"detail": how})
        state.how = how
        pause = min(FIRST_REST_SECONDS * 2 ** min(state.failures, 10), LONGEST_REST_SECONDS)
        state.failures += 1
        state.rest_until = max(state.rest_until, self._now() + pause)

    def rest(self, endpoint: Endpoint, seconds: float) -> None:
        """It asked for a pause."""
        state = self._state(endpoint)
        state.rest_until = max(state.rest_until, self._now() + seconds)

    def forget_all_but(self, table: Table) -> None:
        """Drop what is known of idle endpoints that this table no longer has."""
        kept = {endpoint.name for pair in table.candidates for endpoint in pair.endpoints}
        for name in [name for name, state in self._states.items() if name not in kept]:
            if self._states[name].in_flight == 0:
                del self._states[name]

    def _state(self, endpoint: Endpoint) -> _State:
        state = self._states.get(endpoint.name)
        if state is None:
            state = self._states[endpoint.name] = _State()
        return state


def _fields(endpoint: Endpoint) -> dict[str, str]:
    return {"backend": endpoint.backend, "endpoint": endpoint.name}
