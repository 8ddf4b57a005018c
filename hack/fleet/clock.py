"""Simulated time: events in their order, and the timer that the gateway's state machines are given."""

import itertools
from collections.abc import Callable
from heapq import heappop, heappush

from steelyard_gateway.deadlines import TICK_SECONDS, Watched


class Clock:
    """Moves from event to event. Events of one moment happen in the order in which they were planned."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def __call__(self) -> float:
        return self.now

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        """Let this happen so much later."""
        heappush(self._events, (self.now + seconds, next(self._numbers), event))

    def run_until(self, is_over: Callable[[], bool]) -> None:
        """Let everything happen until this is so."""
        while not is_over():
            self.now, _, event = heappop(self._events)
            event()


class Ticking:
    """`deadlines.Deadlines` by simulated time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._items: dict[Watched, None] = {}
        self._is_ticking = False

    def watch(self, item: Watched) -> None:
        """Tell this item when its deadline passes."""
        self._items[item] = None
        if not self._is_ticking:
            self._is_ticking = True
            self._clock.after(TICK_SECONDS, self._tick)

    def forget(self, item: Watched) -> None:
        """Stop watching."""
        self._items.pop(item, None)

    def _tick(self) -> None:
        self._is_ticking = bool(self._items)
        if self._is_ticking:
            self._clock.after(TICK_SECONDS, self._tick)
        now = self._clock.now
        for item in [item for item in self._items if item.deadline <= now]:
            if item.deadline <= now:
                item.on_late(now)
