"""When each of many is asked again. A state machine without I/O and without a clock: time is an argument.

Rule 1. Each is asked once in its interval, which is up to `JITTER` longer, and begins at a moment of its own.
Rule 2. Nobody is asked while an earlier question to it is under way, be it that it went and came back.
Rule 3. Who fails again and again is asked the less often, though once in `LONGEST_SECONDS`, and in its
        interval as soon as it is known to be well.
"""

import math
from collections.abc import Callable, Mapping
from heapq import heappop, heappush

JITTER = 0.2
"""An interval is up to this share longer, so that gateways that began together do not stay together."""

LONGEST_SECONDS = 10.0
"""The longest pause after failures, where the interval itself is not longer: so late is it noticed at worst
that somebody tells again, and a fifth of the usual work is what a thousand that are down cost."""

BEGIN_SECONDS = 1.0
"""Who is new is asked within this: until then its load is unknown."""


class Turn:
    """One of those who are asked."""

    __slots__ = ("begun_at", "due_at", "failures", "interval_seconds", "name")

    def __init__(self, name: str, interval_seconds: float) -> None:
        self.name = name
        self.interval_seconds: float | None = interval_seconds
        """None: it went while it was asked."""
        self.due_at: float | None = None
        """When it is asked next; None: it is being asked."""
        self.begun_at = 0.0
        self.failures = 0
        """In a row."""


class Pace:
    """Says whose turn it is."""

    def __init__(self, rand: Callable[[], float]) -> None:
        """`rand`: a number from 0 to 1, drawn anew at each call."""
        self._rand = rand
        self._turns: dict[str, Turn] = {}
        self._heap: list[tuple[float, str]] = []

    def follow(self, intervals: Mapping[str, float], now: float) -> None:
        """These are asked from now on, each in its interval."""
        for gone in [turn for name, turn in self._turns.items() if name not in intervals]:
            gone.interval_seconds = None
            if gone.due_at is not None:
                del self._turns[gone.name]
        for name, seconds in intervals.items():
            turn = self._turns.get(name)
            if turn is None:
                turn = self._turns[name] = Turn(name, seconds)
                self._put(turn, now + self._rand() * min(seconds, BEGIN_SECONDS))
            elif turn.due_at is not None and seconds < (turn.interval_seconds or 0.0):
                self._put(turn, min(turn.due_at, now + self._rand() * seconds))
            turn.interval_seconds = seconds

    def take_due(self, now: float) -> list[Turn]:
        """Those whose turn it is; each must be told as `finished`."""
        found = []
        while self._heap and self._heap[0][0] <= now:
            at, name = heappop(self._heap)
            turn = self._turns.get(name)
            if turn is not None and turn.due_at == at:
                turn.due_at = None
                turn.begun_at = now
                found.append(turn)
        return found

    def next_at(self) -> float:
        """When somebody's turn comes, or a moment before."""
        return self._heap[0][0] if self._heap else math.inf

    def finished(self, turn: Turn, now: float, *, well: bool) -> None:
        """It was asked, and answered well or not."""
        if turn.interval_seconds is None:
            del self._turns[turn.name]
            return
        turn.failures = 0 if well else turn.failures + 1
        pause = turn.interval_seconds
        if turn.failures:
            doubled = pause * 2.0 ** min(turn.failures - 1, 10)
            pause = max(pause, min(doubled, LONGEST_SECONDS))
        self._put(turn, max(turn.begun_at + pause * (1.0 + JITTER * self._rand()), now))

    def again(self, name: str, now: float) -> None:
        """It is known to be well: it is asked as if it had not failed."""
        turn = self._turns.get(name)
        if turn is None or not turn.failures:
            return
        turn.failures = 0
        if turn.due_at is not None and turn.interval_seconds is not None:
            self._put(turn, max(min(turn.due_at, turn.begun_at + turn.interval_seconds), now))

    def _put(self, turn: Turn, at: float) -> None:
        turn.due_at = at
        heappush(self._heap, (at, turn.name))
