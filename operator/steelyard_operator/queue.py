"""Which keys are to be worked on, and when: the queue of a level-triggered operator.

Rule 1. A key is in the queue at most once; of two due times the earlier counts.
Rule 2. A key is never worked on twice at once; added while it is, it runs once more afterwards.
Rule 3. Two runs of a key begin at least `min_interval_seconds` apart, however often it is added.
Rule 4. An exception of the work is our bug: it is logged and that key alone is tried again, ever more slowly.
"""

import asyncio
import heapq
import itertools
import logging
import math
import time
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

FIRST_RETRY_SECONDS = 1.0
"""Pause after the first exception; each further one doubles it."""

LONGEST_RETRY_SECONDS = 300.0
"""No pause after an exception is longer."""

MIN_INTERVAL_SECONDS = 0.2
"""A resource that is edited ten times a second is worked on five times."""

logger = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing is left to do until the key is added again."""


@dataclass(frozen=True, slots=True)
class Wait:
    """The key wants another look later."""

    seconds: float
    """After so long."""
    reason: str
    """What is waited for, for the log."""


Outcome = Done | Wait


class Queue(Generic[K]):
    """Keys with due times. To be used from one event loop."""

    def __init__(
        self,
        *,
        min_interval_seconds: float = MIN_INTERVAL_SECONDS,
        fatal: tuple[type[Exception], ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._min_interval_seconds = min_interval_seconds
        self._fatal = fatal
        self._clock = clock
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._serial = itertools.count()
        self._working: set[K] = set()
        self._not_before: dict[K, float] = {}
        self._pauses: dict[K, float] = {}
        self._changed = asyncio.Event()

    @property
    def depth(self) -> int:
        """Keys that are due."""
        now = self._clock()
        return sum(due <= now for due in self._due.values())

    def add(self, key: K, after_seconds: float = 0.0) -> None:
        """Have the key worked on after so long, or earlier where that was asked for."""
        due = max(self._clock() + after_seconds, self._not_before.get(key, -math.inf))
        if due < self._due.get(key, math.inf):
            self._due[key] = due
            self._push(key)
            self._changed.set()

    async def run(self, work: Callable[[K], Awaitable[Outcome]], workers: int) -> None:
        """Work on keys as they fall due, so many at once, until cancelled.

        Raises an ExceptionGroup with the `fatal` exception that ended it.
        """
        async with asyncio.TaskGroup() as group:
            while True:
                key = await self._take(workers)
                group.create_task(self._work_on(key, work), name=f"work on {key}")

    async def _take(self, workers: int) -> K:
        """The key that is due for longest, once one is due and a worker is free."""
        while True:
            self._changed.clear()
            key = self._first() if len(self._working) < workers else None
            wait_seconds = None if key is None else self._due[key] - self._clock()
            if key is not None and wait_seconds is not None and wait_seconds <= 0:
                self._begin(key)
                return key
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_seconds):
                    await self._changed.wait()

    def _push(self, key: K) -> None:
        """Have the key found by its due time; what the heap says of it otherwise counts no more."""
        if key not in self._working:
            heapq.heappush(self._heap, (self._due[key], next(self._serial), key))
        if len(self._heap) > 2 * len(self._due) + 64:
            self._heap = [entry for entry in self._heap if self._counts(entry)]
            heapq.heapify(self._heap)

    def _counts(self, entry: tuple[float, int, K]) -> bool:
        due, _, key = entry
        return self._due.get(key) == due and key not in self._working

    def _first(self) -> K | None:
        while self._heap and not self._counts(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][2] if self._heap else None

    def _begin(self, key: K) -> None:
        now = self._clock()
        del self._due[key]
        self._working.add(key)
        self._not_before = {other: until for other, until in self._not_before.items() if until > now}
        self._not_before[key] = now + self._min_interval_seconds

    async def _work_on(self, key: K, work: Callable[[K], Awaitable[Outcome]]) -> None:
        try:
            outcome = await work(key)
        except self._fatal:
            raise
        except Exception:
            pause = min(2 * self._pauses.get(key, FIRST_RETRY_SECONDS / 2), LONGEST_RETRY_SECONDS)
            self._pauses[key] = pause
            logger.exception("work failed", extra={"key": str(key), "retry_seconds": pause})
            self.add(key, pause)
        else:
            self._pauses.pop(key, None)
            if isinstance(outcome, Wait):
                fields = {"key": str(key), "seconds": outcome.seconds, "reason": outcome.reason}
                logger.debug("waits", extra=fields)
                self.add(key, outcome.seconds)
        finally:
            self._working.discard(key)
            if key in self._due:
                self._push(key)
            self._changed.set()
