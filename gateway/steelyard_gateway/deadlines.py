"""One coarse timer for everything that has a deadline: connections of clients, and to engines.

Nothing is scheduled per request: an item is watched while its connection lives and moves its own `deadline`,
a plain number. Invariant: an item is told within one tick after its deadline, and never before it.
"""

import asyncio
import math
from time import perf_counter
from typing import Protocol

NEVER = math.inf
"""The deadline of something that may take as long as it likes."""

TICK_SECONDS = 0.2
"""How late a deadline may be noticed: small beside the shortest timeout of one second."""


class Watched(Protocol):
    """Something with a deadline on the clock of `time.perf_counter`."""

    @property
    def deadline(self) -> float:
        """When to call `on_late`, or NEVER."""
        ...

    def on_late(self, now: float) -> None:
        """The deadline has passed; called again each tick until it is moved."""
        ...


class Deadlines:
    """Watches items and tells those that are late. It ticks only while there is something to watch."""

    def __init__(self) -> None:
        self._items: set[Watched] = set()
        self._ticking = False

    def watch(self, item: Watched) -> None:
        """Tell this item when its deadline passes, until it is forgotten."""
        self._items.add(item)
        if not self._ticking:
            self._ticking = True
            asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)

    def forget(self, item: Watched) -> None:
        """Stop watching; an item that is not watched is no mistake."""
        self._items.discard(item)

    def _tick(self) -> None:
        self._ticking = bool(self._items)
        if self._ticking:
            asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)
        now = perf_counter()
        for item in [item for item in self._items if item.deadline <= now]:
            if item.deadline <= now:  # another one that was told may have moved it
                item.on_late(now)
