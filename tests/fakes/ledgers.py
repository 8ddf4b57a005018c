"""LedgerEndpoints and LedgerRecorder: they write down what the request path tells, and decide nothing."""

from collections import Counter
from threading import Event

from steelyard.routing.table import Attempt, Endpoint
from steelyard_gateway.ports import Outcome

SECONDS = 10.0
"""Nothing in a test takes longer, unless it hangs."""


class LedgerEndpoints:
    """Writes down what it is told of endpoints."""

    def __init__(self) -> None:
        self.flights: Counter[str] = Counter()
        self.told: list[tuple[str, str]] = []
        self.rests: list[float] = []
        self.pauses: dict[str, float] = {}
        self.resting: set[str] = set()
        self.alive: set[str] = set()

    def started(self, endpoint: Endpoint) -> None:
        self.flights[endpoint.backend] += 1

    def in_flight(self, endpoint: Endpoint) -> int:
        return self.flights[endpoint.backend]

    def load_seconds(self, attempt: Attempt) -> float:
        return 0.0

    def ended(self, endpoint: Endpoint) -> None:
        self.flights[endpoint.backend] -= 1
        assert self.flights[endpoint.backend] >= 0

    def answered(self, endpoint: Endpoint, ratio: float = 0.0) -> None:
        self.told.append(("answered", endpoint.backend))

    def answered_500(self, endpoint: Endpoint, request_key: int) -> None:
        self.told.append(("answered 500", endpoint.backend))

    def failed(self, endpoint: Endpoint, how: str) -> None:
        self.told.append(("failed", endpoint.backend))

    def is_resting(self, endpoint: Endpoint) -> bool:
        return endpoint.backend in self.pauses or endpoint.backend in self.resting

    def lacks(self, attempt: Attempt) -> None:
        self.told.append(("lacks", attempt.endpoint.backend))

    def rest(self, endpoint: Endpoint, seconds: float | None) -> None:
        self.told.append(("rest", endpoint.backend))
        if seconds is not None:
            self.rests.append(seconds)

    def pause_seconds(self, endpoint: Endpoint) -> float:
        return self.pauses.get(endpoint.backend, 0.0)

    def is_silent(self, endpoint: Endpoint, seconds: float) -> bool:
        return endpoint.backend not in self.alive

    def under_way(self, endpoint: Endpoint) -> int:
        return self.flights.total()


class LedgerRecorder:
    """Keeps every outcome, and lets a test wait for the next."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self._came = Event()

    def finished(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self._came.set()

    def wait_for(self, number: int) -> list[Outcome]:
        """The outcomes, once there are so many."""
        while len(self.outcomes) < number:
            self._came.clear()
            if len(self.outcomes) < number:
                assert self._came.wait(SECONDS), f"only {len(self.outcomes)} of {number} outcomes"
        return self.outcomes
