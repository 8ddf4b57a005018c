"""Which model a server that loads on demand may be sent now, and the queue of requests that have to wait.

A full server loads another model only once nothing is at work with what it evicts, and goes on letting in
requests for that: while it is busy, who waits starves. So a request for a cold model waits here, and its
server is emptied first.

Rule 1. A loaded model's requests are let in, unless the server is being emptied of it.
Rule 2. A cold model's requests wait until what it evicts is idle there; one load at a time on each server.
        What evicts a pinned model waits in any case, for then all servers are compared.
Rule 3. A server is emptied for one model at a time, that whose first request waits longest: the server with
        the least predicted wait for it, once the request has held back for `placing.hold_seconds`.
Rule 4. Who keeps a server's memory loads by the same rules: one load at a time, after a drain where the model
        may not fit. Its claim comes after the reservation that there is, and before any other.
Rule 5. Requests for one model are let in in their order, whichever server takes them.

A state machine: time and timer are arguments. A waiter may leave, or enter elsewhere, while it is told.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import assert_never

from steelyard.routing.decision import Attempt
from steelyard.routing.table import Endpoint, Table
from steelyard_gateway.deadlines import NEVER
from steelyard_gateway.lines import Line, Lines, Reason, Refusal, Tally, Ticket, Timer, Waiter
from steelyard_gateway.shares import Fleet
from steelyard_gateway.warmth import Claim, Server, Warmth

LOOK_SECONDS = 0.2
"""So often it is looked whether who waits has held back long enough, and what servers told meanwhile."""


class _Line(Line):
    """Those who wait for the same model at the same servers."""

    __slots__ = ("attempts",)

    def __init__(self, key: frozenset[tuple[str, str]], attempts: Sequence[Attempt]) -> None:
        super().__init__(key, attempts[0].candidate.backend)
        self.attempts = attempts


class Swapping(Lines[_Line]):
    """Lets requests in, or lets them wait."""

    def __init__(
        self, timer: Timer, now: Callable[[], float], fleet: Fleet, tally: Tally, warmth: Warmth
    ) -> None:
        """`now` is the clock of the timer."""
        super().__init__(timer, now, tally)
        self._fleet = fleet
        self._warmth = warmth
        self._is_stale = self._is_looking = False
        self._emptied: dict[str, Server] = {}
        self._claimed: list[Server] = []
        self.deadline = NEVER
        """When it is looked again; it is an item of the timer while somebody waits."""

    # The request path

    def enter(self, attempt: Attempt) -> bool:
        """Be let in, where the server takes this model now; `leave` gives the place back."""
        self._warmth.came(attempt)
        if not self._takes(attempt, spares_pinned=True):
            return False
        self._warmth.sent(attempt)
        return True

    def began(self, attempt: Attempt, seconds: float, *, is_stream: bool) -> None:
        """So long after it was sent, the first byte of a good answer came: its model is loaded."""
        if self._warmth.began(attempt, seconds, is_stream=is_stream):
            self._look()

    def leave(self, attempt: Attempt) -> None:
        """A request is over."""
        self._warmth.ended(attempt)
        server = self._warmth.server(attempt.endpoint)
        is_emptied = server.reserved is not None and server.residents.is_idle(server.draining)
        if is_emptied or server.claim is not None or attempt.endpoint.max_concurrency is not None:
            self._look()

    def wait(
        self, attempts: Sequence[Attempt], waiter: Waiter, deadline: float, since: float
    ) -> Ticket | Refusal:
        """A place in the queue for the model of these attempts, or why there is none.

        The waiter is told when a server takes it. `since`: when it began to wait, be it in another line.
        """
        key = frozenset((one.endpoint.name, self._warmth.at(one)[1]) for one in attempts)
        line = self._lines.get(key) or _Line(key, attempts)
        slots = sum(self._limit(one) for one in attempts)
        if not slots:
            return self._refusal(line, Reason.NO_SHARE)
        return self._join(line, waiter, slots=slots, times=(since, deadline))

    # Who keeps a server's memory

    @contextmanager
    def claimed(
        self, endpoint: Endpoint, model: str, on_turn: Callable[[], None], *, empties: bool
    ) -> Iterator[None]:
        """Meanwhile, from the call of `on_turn` on, nobody else has another model loaded there.

        `empties`: nor is anything sent there for another model, and it is called once nothing is at work.
        """
        server = self._warmth.server(endpoint)
        assert server.claim is None
        claim = server.claim = Claim(server.residents.key_of(model), on_turn, empties)
        self._claimed.append(server)
        self._serve(server)
        try:
            yield
        finally:
            server.claim = None
            self._claimed.remove(server)
            if claim.is_active:
                server.release()
            self._look()

    @contextmanager
    def loading(self, endpoint: Endpoint, model: str) -> Iterator[Callable[[], None]]:
        """Meanwhile this model is loaded there; call what is given when it is."""
        server, loaded = self._warmth.server(endpoint), []
        key = server.residents.key_of(model)
        self._warmth.load_begins(server, key)
        try:
            if server.claim is not None:
                server.draining = frozenset()  # what has to go for it is taken to be gone
                self._look()
            yield lambda: loaded.append(key)
        finally:
            self._warmth.load_ended(server, key, is_loaded=bool(loaded))
            self._look()

    # The rest of the gateway

    def resize(self, fleet: Fleet) -> None:
        """Share anew."""
        self._fleet = fleet
        for line in list(self._lines.values()):
            if not any(self._limit(one) for one in line.attempts):
                for ticket in list(line.tickets):
                    self.refuse(ticket, Reason.NO_SHARE)
        self._look()

    def follow(self, table: Table) -> None:
        """Take what this table says, and tell those who wait, in their order, to decide anew."""
        waiting = self._dissolve()
        self._warmth.follow(table)
        for ticket in waiting:
            ticket.waiter.decide_anew()

    def on_late(self, now: float) -> None:
        """It is time to look again."""
        self.deadline = now + LOOK_SECONDS
        self._look()

    # Inside

    def _limit(self, attempt: Attempt) -> float:
        """How many requests this gateway may have there."""
        most = attempt.endpoint.max_concurrency
        return math.inf if most is None else self._fleet.share(most)

    def _takes(self, attempt: Attempt, *, spares_pinned: bool = False) -> bool:
        """Whether a request for this model may go there now; `spares_pinned`: none pinned may go for it."""
        server, key = self._warmth.at(attempt)
        residents = server.residents
        if residents.in_flight.total() >= self._limit(attempt):
            return False
        if residents.has(key):
            return key not in server.draining
        if residents.lacks(attempt.candidate):
            return True
        if residents.loading is not None or server.reserved not in (None, key):
            return False
        victims = residents.victims(key)
        if not residents.is_idle(victims) or (spares_pinned and not residents.pinned.isdisjoint(victims)):
            return False
        return server.reserved == key or not self._warmth.hold_seconds(server, key)

    def _look(self) -> None:
        """Let in and reserve what can be.

        Who is let in may fail at once, and leave: it is called from itself then, and only takes a note.
        """
        self._is_stale = True
        if self._is_looking or not (self._lines or self._emptied or self._claimed):
            return
        self._is_looking = True
        try:
            while self._is_stale:
                self._is_stale = False
                self._release()
                for line in sorted(self._lines.values(), key=lambda line: line.first().number):
                    self._place(line)
                for server in self._claimed:
                    self._serve(server)
        finally:
            self._is_looking = False

    def _place(self, line: _Line) -> None:
        """Let in those of this line whom the best server takes, or the one that is emptied for them."""
        while line.tickets:
            attempts, waiting = [one for one in line.attempts if self._limit(one)], len(line.tickets)
            waits = [self._warmth.head_wait_seconds(one, waiting) for one in attempts]
            best = attempts[waits.index(min(waits))]
            emptied = [one for one in attempts if self._is_emptied_for(one)]
            taking = [one for one in (best, *emptied) if self._takes(one)]
            if taking:
                ticket = line.first()
                self.forget(ticket)
                self._warmth.sent(taking[0])
                ticket.waiter.admitted(taking[0].endpoint.name)
            elif emptied or not self._reserve(line, best):
                return

    def _reserve(self, line: _Line, best: Attempt) -> bool:
        """Have this server emptied for the line's model, if it is time; whether it is."""
        server, key = self._warmth.at(best)
        residents = server.residents
        if server.claim is not None or server.reserved is not None:
            return False
        if residents.has(key) or residents.loading is not None:
            return False
        if self.now() - line.first().since < self._warmth.hold_seconds(server, key):
            return False
        server.reserved, server.draining = key, frozenset(residents.victims(key))
        server.expected = len(line.tickets)
        self._emptied[best.endpoint.name] = server
        return True

    def _release(self) -> None:
        """Empty no server for a model that is loaded by now, or for which nobody waits any more."""
        for name, server in list(self._emptied.items()):
            server.expected = sum(
                len(line.tickets)
                for line in self._lines.values()
                if any(one.endpoint.name == name and self._is_emptied_for(one) for one in line.attempts)
            )
            is_loading = server.residents.loading == server.reserved
            is_loaded = server.reserved in server.residents.keys and not is_loading
            if is_loaded or not (server.expected or is_loading):
                server.release()
                del self._emptied[name]
                if not self._is_looking:
                    self._serve(server)

    def _serve(self, server: Server) -> None:
        """Reserve a server for its keeper once nobody else has it, and tell when it is its turn."""
        claim, residents = server.claim, server.residents
        if claim is None or claim.had_turn:
            return
        if not claim.is_active:
            if server.reserved is not None:
                return
            others = {*residents.keys, *residents.in_flight} - {claim.key} if claim.empties else ()
            claim.is_active, server.reserved = True, claim.key
            server.draining = frozenset(one for one in others if not residents.is_remote(one))
        if residents.loading is None and residents.is_idle(server.draining):
            claim.had_turn = True
            claim.on_turn()

    def _is_emptied_for(self, attempt: Attempt) -> bool:
        server, key = self._warmth.at(attempt)
        return server.reserved == key

    def _begun(self, line: _Line) -> None:
        if len(self._lines) == 1:
            self.deadline = self.now() + LOOK_SECONDS
            self._timer.watch(self)

    def _ended(self, line: _Line) -> None:
        self._release()
        if not self._lines:
            self.deadline = NEVER
            self._timer.forget(self)

    def _words(self, line: _Line, reason: Reason) -> str:
        limits = [(one.endpoint.max_concurrency, self._limit(one)) for one in line.attempts]
        in_flight = [self._warmth.at(one)[0].residents.in_flight.total() for one in line.attempts]
        full = [most for (most, own), number in zip(limits, in_flight, strict=True) if number >= own]
        text = "has other models in memory, and they are in use"
        if len(full) == len(limits):
            text = f"is at its limit of {full[0]} requests at once (maxConcurrency)"
        match reason:
            case Reason.NO_SHARE:
                return f"{text}, and all of them are for other gateways"
            case Reason.QUEUE_FULL:
                return f"{text}, and {len(line.tickets)} requests wait already"
            case Reason.LATE:
                return f"{text}, and that did not change in time"
            case _:
                assert_never(reason)

    def _retry_seconds(self, line: _Line) -> float:
        return min(map(self._warmth.wait_seconds, line.attempts))
