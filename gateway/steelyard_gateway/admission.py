"""Slots at endpoints with `maxConcurrency`, and the short queues of requests that wait for one.

Rule 1. A request is let in, by `enter` or as a waiter, while fewer than this gateway's share are there.
Rule 2. Who waits is let in before who comes later, at every endpoint that both may use.
Rule 3. Nobody waits at an endpoint that has room, and nobody at endpoints where this gateway has no slot.
Rule 4. What loads models on demand is `swapping`'s.

A state machine: time and timer are arguments. A waiter may leave, or enter elsewhere, while it is told.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import assert_never

from steelyard.routing.decision import Attempt
from steelyard.routing.table import Endpoint, Table
from steelyard_gateway.lines import Line, Lines, Reason, Refusal, Tally, Ticket, Timer, Waiter
from steelyard_gateway.shares import Fleet
from steelyard_gateway.swapping import Swapping
from steelyard_gateway.warmth import Warmth

MOST_FREED = 32
"""After so many freed slots the older half counts no more in the rate of freeing."""


class _Gate:
    """An endpoint's slots that are this gateway's."""

    __slots__ = (
        "backend",
        "freed",
        "full_seconds",
        "full_since",
        "limit",
        "lines",
        "max_concurrency",
        "name",
        "used",
    )

    def __init__(self, endpoint: Endpoint, max_concurrency: int) -> None:
        self.name = endpoint.name
        self.backend = endpoint.backend
        self.max_concurrency = max_concurrency
        self.limit = 0
        self.used = 0
        self.lines: list[_Line] = []
        self.full_since = 0.0
        self.full_seconds = 0.0
        self.freed = 0

    def observe(self, now: float) -> None:
        """Count one slot that was freed while all were in use."""
        self.full_seconds += now - self.full_since
        self.full_since = now
        self.freed += 1
        if self.freed >= MOST_FREED:
            self.freed //= 2
            self.full_seconds /= 2

    def freed_per_second(self, now: float) -> float:
        """How fast slots are freed while all are in use; before the first one, as if it came now."""
        if not self.limit:
            return 0.0
        seconds = self.full_seconds + (now - self.full_since if self.used >= self.limit else 0.0)
        return max(self.freed, 1) / seconds if seconds > 0.0 else math.inf


class _Line(Line):
    """Those who wait at the same endpoints."""

    __slots__ = ("gates",)

    def __init__(self, key: frozenset[str], gates: list[_Gate]) -> None:
        super().__init__(key, gates[0].backend)
        self.gates = gates


class Admission(Lines[_Line]):
    """Lets requests in, or lets them wait."""

    def __init__(
        self, timer: Timer, now: Callable[[], float], fleet: Fleet, warmth: Warmth | None = None
    ) -> None:
        """`now` is the clock of the timer; `warmth` knows what engines that load on demand have loaded."""
        super().__init__(timer, now, Tally())
        self._swapping = Swapping(timer, now, fleet, self.tally, warmth or Warmth(now))
        self._fleet = fleet
        self._gates: dict[str, _Gate] = {}
        self._opened: list[_Gate] = []
        self._is_serving = False

    @property
    def swapping(self) -> Swapping:
        """What lets in requests where models are loaded on demand."""
        return self._swapping

    # The request path

    def enter(self, attempt: Attempt) -> bool:
        """Take a slot, where there is one and nobody waits for it; `leave` gives it back."""
        if attempt.candidate.loads_on_demand:
            return self._swapping.enter(attempt)
        endpoint = attempt.endpoint
        max_concurrency = endpoint.max_concurrency
        if max_concurrency is None:
            return True
        gate = self._gates.get(endpoint.name) or self._made(endpoint, max_concurrency)
        if gate.used >= gate.limit or gate.lines:
            return False
        gate.used += 1
        if gate.used == gate.limit:
            gate.full_since = self.now()
        return True

    def began(self, attempt: Attempt, seconds: float, *, is_stream: bool) -> None:
        """The first byte of its answer came after so long."""
        if attempt.candidate.loads_on_demand:
            self._swapping.began(attempt, seconds, is_stream=is_stream)

    def leave(self, attempt: Attempt) -> None:
        """Give a slot back: who waits longest has it."""
        if attempt.candidate.loads_on_demand:
            self._swapping.leave(attempt)
            return
        endpoint = attempt.endpoint
        if endpoint.max_concurrency is None:
            return
        gate = self._gates[endpoint.name]
        if gate.used >= gate.limit:
            gate.observe(self.now())
        gate.used -= 1
        if gate.lines:
            self._serve(gate)

    def is_full(self, endpoint: Endpoint) -> bool:
        """Whether every slot there is in use, or waited for; never where models are loaded on demand."""
        max_concurrency = endpoint.max_concurrency
        if max_concurrency is None:
            return False
        gate = self._gates.get(endpoint.name) or self._made(endpoint, max_concurrency)
        return gate.used >= gate.limit or bool(gate.lines)

    def wait(
        self, attempts: Sequence[Attempt], waiter: Waiter, deadline: float, since: float | None = None
    ) -> Ticket | Refusal:
        """A place in the queue at the endpoints of these attempts, which let nobody in; or why there is none.

        The waiter is told when it has a slot at one of them, or at the deadline. All of them load on demand,
        or none does. `since`: when it began to wait, where that was before now.
        """
        since = self.now() if since is None else since
        if attempts[0].candidate.loads_on_demand:
            return self._swapping.wait(attempts, waiter, deadline, since)
        key = frozenset(one.endpoint.name for one in attempts)
        line = self._lines.get(key) or _Line(key, [self._gates[one.endpoint.name] for one in attempts])
        slots = sum(gate.limit for gate in line.gates)
        if not slots:
            return self._refusal(line, Reason.NO_SHARE)
        return self._join(line, waiter, slots=slots, times=(since, deadline))

    # The rest of the gateway

    @property
    def waits(self) -> Counter[str]:
        """How often requests began to wait, by the backend that they would have gone to first."""
        return self.tally.waits

    @property
    def refusals(self) -> Counter[tuple[str, Reason]]:
        """Requests that got no slot, by the same backend and why."""
        return self.tally.refusals

    def resize(self, fleet: Fleet) -> None:
        """Share anew. Requests under way go on where there are more of them now than slots."""
        if fleet == self._fleet:
            return
        self._fleet = fleet
        gates = list(self._gates.values())
        for gate in gates:
            self._share(gate)
        for gate in gates:
            self._serve(gate)
        for line in list(self._lines.values()):
            if not any(gate.limit for gate in line.gates):
                for ticket in list(line.tickets):
                    self.refuse(ticket, Reason.NO_SHARE)
        self._swapping.resize(fleet)

    def follow(self, table: Table) -> None:
        """Take the limits of this table, and tell those who wait, in their order, to decide anew."""
        limits = {one.name: one.max_concurrency for pair in table.candidates for one in pair.endpoints}
        waiting = self._dissolve()
        for name, gate in list(self._gates.items()):
            limit = limits.get(name)
            if limit is not None:
                gate.max_concurrency = limit
                self._share(gate)
            elif not gate.used:
                del self._gates[name]
        for ticket in waiting:
            ticket.waiter.decide_anew()
        self._swapping.follow(table)

    def waiting(self) -> Counter[str]:
        """How many requests wait now, by the backend that they would have gone to first."""
        return super().waiting() + self._swapping.waiting()

    # Inside

    def _begun(self, line: _Line) -> None:
        for gate in line.gates:
            gate.lines.append(line)

    def _ended(self, line: _Line) -> None:
        for gate in line.gates:
            gate.lines.remove(line)

    def _made(self, endpoint: Endpoint, max_concurrency: int) -> _Gate:
        gate = self._gates[endpoint.name] = _Gate(endpoint, max_concurrency)
        self._share(gate)
        return gate

    def _share(self, gate: _Gate) -> None:
        """Set how many slots are this gateway's."""
        limit = self._fleet.share(gate.max_concurrency)
        if limit != gate.limit:
            gate.limit = limit
            gate.full_since = self.now()

    def _serve(self, gate: _Gate) -> None:
        """Let in who waits longest, as long as there is room.

        Who is let in may fail at once, and leave: it is called from itself then, and only takes a note.
        """
        self._opened.append(gate)
        if self._is_serving:
            return
        self._is_serving = True
        try:
            while self._opened:
                gate = self._opened.pop()
                while gate.lines and gate.used < gate.limit:
                    ticket = min((line.first() for line in gate.lines), key=lambda first: first.number)
                    self.forget(ticket)
                    gate.used += 1
                    if gate.used == gate.limit:
                        gate.full_since = self.now()
                    ticket.waiter.admitted(gate.name)
        finally:
            self._is_serving = False

    def _words(self, line: _Line, reason: Reason) -> str:
        gate, others = line.gates[0], len(line.gates) - 1
        who = "is at its limit" if not others else f"and {others} more are at their limit"
        text = f"{who} of {gate.max_concurrency} requests at once (maxConcurrency)"
        match reason:
            case Reason.NO_SHARE:
                return f"{text}, and all of them are for other gateways"
            case Reason.QUEUE_FULL:
                return f"{text}, and {len(line.tickets)} requests wait already"
            case Reason.LATE:
                return f"{text}, and no request ended in time"
            case _:
                assert_never(reason)

    def _retry_seconds(self, line: _Line) -> float:
        now = self.now()
        freed_per_second = sum(gate.freed_per_second(now) for gate in line.gates)
        return (len(line.tickets) + 1) / freed_per_second if freed_per_second else 1.0
