"""Short queues of requests that wait for the same thing.

Rule 1. A ticket ends once: its waiter is admitted, refused or told to decide anew, or it is cancelled.
Rule 2. A line is short, and nobody waits beyond a deadline.

A state machine: time and timer are arguments. A waiter may leave, or wait anew, while it is told.
"""

import math
from abc import ABC, abstractmethod
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from steelyard_gateway.deadlines import Watched

LEAST_QUEUE = 8
"""So many may wait anywhere; where there are more slots, as many as those: one answer each serves all."""

MOST_QUEUE = 1024
"""So many may wait at most, however many slots there are: each holds a connection and a body."""

LONGEST_RETRY_SECONDS = 60
"""The longest Retry-After: what was observed is no better than that."""


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


class Tally:
    """What is counted of those who wait."""

    __slots__ = ("refusals", "waits")

    def __init__(self) -> None:
        self.waits: Counter[str] = Counter()
        """How often requests began to wait, by the backend that they would have gone to first."""
        self.refusals: Counter[tuple[str, Reason]] = Counter()
        """Requests that got no slot, by the same backend and why."""


class Line:
    """Those who wait for the same thing."""

    __slots__ = ("backend", "key", "tickets")

    def __init__(self, key: Hashable, backend: str) -> None:
        self.key = key
        self.backend = backend
        """The backend that they would have gone to first."""
        self.tickets: OrderedDict[Ticket, None] = OrderedDict()

    def first(self) -> "Ticket":
        """Who waits longest."""
        return next(iter(self.tickets))


_Line = TypeVar("_Line", bound=Line)


class Ticket:
    """A place in a line."""

    __slots__ = ("_lines", "deadline", "line", "number", "since", "waiter")

    def __init__(
        self, lines: "Lines[Any]", line: Line, waiter: Waiter, *, number: int, times: tuple[float, float]
    ) -> None:
        self._lines = lines
        self.line = line
        self.waiter = waiter
        self.number = number
        """Its turn: lower ones come first."""
        self.since, self.deadline = times
        """When it began to wait, and when it waited as long as it may, on the timer's clock."""

    def cancel(self) -> None:
        """The client left: nothing is wanted any more."""
        self._lines.forget(self)

    def on_late(self, now: float) -> None:
        """It waited as long as it may."""
        self._lines.refuse(self, Reason.LATE)


class Lines(ABC, Generic[_Line]):
    """Keeps the lines of one kind."""

    def __init__(self, timer: Timer, now: Callable[[], float], tally: Tally) -> None:
        """`now` is the clock of the timer."""
        self.now = now
        self.tally = tally
        self._timer = timer
        self._lines: dict[Hashable, _Line] = {}
        self._issued = 0

    def waiting(self) -> Counter[str]:
        """How many requests wait now, by the backend that they would have gone to first."""
        counted: Counter[str] = Counter()
        for line in self._lines.values():
            counted[line.backend] += len(line.tickets)
        return counted

    def forget(self, ticket: Ticket) -> bool:
        """End this ticket; whether it had not ended."""
        line = self._lines.get(ticket.line.key)
        if line is None or ticket not in line.tickets:
            return False
        del line.tickets[ticket]
        self._timer.forget(ticket)
        if not line.tickets:
            del self._lines[line.key]
            self._ended(line)
        return True

    def refuse(self, ticket: Ticket, reason: Reason) -> None:
        """End this ticket in vain."""
        line = self._lines.get(ticket.line.key)
        if line is not None and self.forget(ticket):
            ticket.waiter.refused(self._refusal(line, reason))

    def _join(
        self, line: _Line, waiter: Waiter, *, slots: float, times: tuple[float, float]
    ) -> Ticket | Refusal:
        """A place in this line, where there are so many slots; or why there is none.

        `times`: since when it waits, and the deadline.
        """
        if len(line.tickets) >= min(max(slots, LEAST_QUEUE), MOST_QUEUE):
            return self._refusal(line, Reason.QUEUE_FULL)
        if times[1] <= self.now():
            return self._refusal(line, Reason.LATE)
        if not line.tickets:
            self._lines[line.key] = line
            self._begun(line)
        self._issued += 1
        ticket = Ticket(self, line, waiter, number=self._issued, times=times)
        line.tickets[ticket] = None
        self._timer.watch(ticket)
        self.tally.waits[line.backend] += 1
        return ticket

    def _dissolve(self) -> list[Ticket]:
        """End all tickets; those that there were, in their order."""
        waiting = [ticket for line in self._lines.values() for ticket in line.tickets]
        waiting.sort(key=lambda ticket: ticket.number)
        for ticket in waiting:
            self.forget(ticket)
        return waiting

    def _refusal(self, line: _Line, reason: Reason) -> Refusal:
        self.tally.refusals[line.backend, reason] += 1
        seconds = math.ceil(min(self._retry_seconds(line), LONGEST_RETRY_SECONDS))
        return Refusal(reason, self._words(line, reason), max(seconds, 1))

    @abstractmethod
    def _begun(self, line: _Line) -> None:
        """The first one waits in this line."""

    @abstractmethod
    def _ended(self, line: _Line) -> None:
        """Nobody waits in it any more."""

    @abstractmethod
    def _words(self, line: _Line, reason: Reason) -> str:
        """Why somebody may not wait in it, as the rest of a sentence that begins with the endpoint's name."""

    @abstractmethod
    def _retry_seconds(self, line: _Line) -> float:
        """After which time there may be room in it."""
