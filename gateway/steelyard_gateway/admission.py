"""Slots at endpoints with `maxConcurrency`, and the short queues of requests that wait for one.

Rule 1. A request is let in, by `enter` or as a waiter, while fewer than this gateway's share are there.
Rule 2. Who waits is let in before who comes later, at every endpoint that both may use.
Rule 3. A ticket ends once: its waiter is admitted, refused or told to decide anew, or it is cancelled.
Rule 4. Nobody waits at an endpoint that has room, and nobody at endpoints where this gateway has no slot.

A state machine: time and timer are arguments. A waiter may leave, or enter elsewhere, while it is told.
"""

import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol, assert_never

import msgspec

from steelyard.routing.table import Endpoint, Table
from steelyard_gateway.deadlines import Watched
from steelyard_gateway.shares import Fleet

LEAST_QUEUE = 8
"""So many may wait anywhere; where there are more slots, as many as those: one answer each serves all."""

MOST_QUEUE = 1024
"""So many may wait at most, however many slots there are: each holds a connection and a body."""

LONGEST_RETRY_SECONDS = 60
"""The longest Retry-After: what was observed is no better than that."""

MOST_FREED = 32
"""After so many freed slots the older half counts no more in the rate of freeing."""


class Reason(StrEnum):
    """Why a request may not wait, or may not wait longer."""

    NO_SHARE = "no_share"
    """Other gateways have all slots."""
    QUEUE_FULL = "queue_full"
    """Too many wait already."""
    LATE = "late"
    """It waited as long as it may."""


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """What a client is told that got no slot."""

    reason: Reason
    """Why."""
    words: str
    """The rest of a sentence that begins with the endpoint's name."""
    retry_after_seconds: int
    """When to try again."""


class Waiter(Protocol):
    """A request that waits. What it is told ends its ticket."""

    def admitted(self, name: str) -> None:
        """It has a slot at the endpoint of this name, and must give it back by `leave`."""
        ...

    def refused(self, refusal: Refusal) -> None:
        """It waited in vain."""
        ...

    def decide_anew(self) -> None:
        """The table changed: endpoints came, went or mean something else."""
        ...


class Timer(Protocol):
    """What `deadlines.Deadlines` does."""

    def watch(self, item: Watched) -> None:
        """Tell this item when its deadline passes, until it is forgotten."""
        ...

    def forget(self, item: Watched) -> None:
        """Stop watching."""
        ...


class Ticket:
    """A place in a queue."""

    __slots__ = ("_admission", "deadline", "line", "number", "waiter")

    def __init__(
        self, admission: "Admission", line: "_Line", waiter: Waiter, *, number: int, deadline: float
    ) -> None:
        self._admission = admission
        self.line = line
        self.waiter = waiter
        self.number = number
        """Its turn: lower ones come first."""
        self.deadline = deadline
        """When it waited as long as it may, on the timer's clock."""

    def cancel(self) -> None:
        """The client left: no slot is wanted any more."""
        self._admission.forget(self)

    def on_late(self, now: float) -> None:
        """It waited as long as it may."""
        self._admission.refuse(self, Reason.LATE)


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


class _Line:
    """Those who wait at the same endpoints."""

    __slots__ = ("gates", "key", "tickets")

    def __init__(self, key: frozenset[str], gates: list[_Gate]) -> None:
        self.key = key
        self.gates = gates
        self.tickets: OrderedDict[Ticket, None] = OrderedDict()

    def first(self) -> Ticket:
        return next(iter(self.tickets))


class Admission:
    """Lets requests in, or lets them wait."""

    def __init__(self, timer: Timer, now: Callable[[], float], fleet: Fleet) -> None:
        """`now` is the clock of the timer."""
        self._timer = timer
        self._now = now
        self._fleet = fleet
        self._gates: dict[str, _Gate] = {}
        self._lines: dict[frozenset[str], _Line] = {}
        self._issued = 0
        self._opened: list[_Gate] = []
        self._is_serving = False
        self.waits: Counter[str] = Counter()
        """How often requests began to wait, by the backend that they would have gone to first."""
        self.refusals: Counter[tuple[str, Reason]] = Counter()
        """Requests that got no slot, by the same backend and why."""

    # The request path

    def enter(self, endpoint: Endpoint) -> bool:
        """Take a slot, where there is one and nobody waits for it; `leave` gives it back."""
        max_concurrency = endpoint.max_concurrency
        if max_concurrency is None:
            return True
        gate = self._gates.get(endpoint.name) or self._made(endpoint, max_concurrency)
        if gate.used >= gate.limit or gate.lines:
            return False
        gate.used += 1
        if gate.used == gate.limit:
            gate.full_since = self._now()
        return True

    def leave(self, endpoint: Endpoint) -> None:
        """Give a slot back: who waits longest has it."""
        if endpoint.max_concurrency is None:
            return
        gate = self._gates[endpoint.name]
        if gate.used >= gate.limit:
            gate.observe(self._now())
        gate.used -= 1
        if gate.lines:
            self._serve(gate)

    def is_full(self, endpoint: Endpoint) -> bool:
        """Whether `enter` would not let in."""
        max_concurrency = endpoint.max_concurrency
        if max_concurrency is None:
            return False
        gate = self._gates.get(endpoint.name) or self._made(endpoint, max_concurrency)
        return gate.used >= gate.limit or bool(gate.lines)

    def wait(self, endpoints: Sequence[Endpoint], waiter: Waiter, deadline: float) -> Ticket | Refusal:
        """A place in the queue at these endpoints, none of which lets in; or why there is none.

        The waiter is told when it has a slot at one of them, or at the deadline.
        """
        line = self._line(endpoints)
        slots = sum(gate.limit for gate in line.gates)
        if not slots:
            return self._refusal(line, Reason.NO_SHARE)
        if len(line.tickets) >= min(max(slots, LEAST_QUEUE), MOST_QUEUE):
            return self._refusal(line, Reason.QUEUE_FULL)
        if deadline <= self._now():
            return self._refusal(line, Reason.LATE)
        if not line.tickets:
            self._lines[line.key] = line
            for gate in line.gates:
                gate.lines.append(line)
        self._issued += 1
        ticket = Ticket(self, line, waiter, number=self._issued, deadline=deadline)
        line.tickets[ticket] = None
        self._timer.watch(ticket)
        self.waits[line.gates[0].backend] += 1
        return ticket

    # The rest of the gateway

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

    def follow(self, table: Table) -> None:
        """Take the limits of this table, and tell those who wait, in their order, to decide anew."""
        limits = {one.name: one.max_concurrency for pair in table.candidates for one in pair.endpoints}
        waiting = [ticket for line in self._lines.values() for ticket in line.tickets]
        waiting.sort(key=lambda ticket: ticket.number)
        for ticket in waiting:
            self.forget(ticket)
        for name, gate in list(self._gates.items()):
            limit = limits.get(name)
            if limit is not None:
                gate.max_concurrency = limit
                self._share(gate)
            elif not gate.used:
                del self._gates[name]
        for ticket in waiting:
            ticket.waiter.decide_anew()

    def waiting(self) -> Counter[str]:
        """How many requests wait now, by the backend that they would have gone to first."""
        counted: Counter[str] = Counter()
        for line in self._lines.values():
            counted[line.gates[0].backend] += len(line.tickets)
        return counted

    # What tickets do

    def forget(self, ticket: Ticket) -> bool:
        """End this ticket; whether it had not ended."""
        line = ticket.line
        if ticket not in line.tickets:
            return False
        del line.tickets[ticket]
        self._timer.forget(ticket)
        if not line.tickets:
            del self._lines[line.key]
            for gate in line.gates:
                gate.lines.remove(line)
        return True

    def refuse(self, ticket: Ticket, reason: Reason) -> None:
        """End this ticket in vain."""
        if self.forget(ticket):
            ticket.waiter.refused(self._refusal(ticket.line, reason))

    # Inside

    def _line(self, endpoints: Sequence[Endpoint]) -> _Line:
        """The queue at these endpoints; a new one is kept from its first ticket on."""
        key = frozenset(endpoint.name for endpoint in endpoints)
        line = self._lines.get(key)
        if line is None:
            gates = [self._gates[endpoint.name] for endpoint in endpoints]
            line = _Line(key, gates)
        return line

    def _made(self, endpoint: Endpoint, max_concurrency: int) -> _Gate:
        gate = self._gates[endpoint.name] = _Gate(endpoint, max_concurrency)
        self._share(gate)
        return gate

    def _share(self, gate: _Gate) -> None:
        """Set how many slots are this gateway's."""
        limit = self._fleet.share(gate.max_concurrency)
        if limit != gate.limit:
            gate.limit = limit
            gate.full_since = self._now()

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
                        gate.full_since = self._now()
                    ticket.waiter.admitted(gate.name)
        finally:
            self._is_serving = False

    def _refusal(self, line: _Line, reason: Reason) -> Refusal:
        self.refusals[line.gates[0].backend, reason] += 1
        now, waiting = self._now(), len(line.tickets)
        freed_per_second = sum(gate.freed_per_second(now) for gate in line.gates)
        seconds = math.ceil((waiting + 1) / freed_per_second) if freed_per_second else 1
        return Refusal(reason, _words(line, reason), min(max(seconds, 1), LONGEST_RETRY_SECONDS))


def _words(line: _Line, reason: Reason) -> str:
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
