"""Pauses while an engine works for others: people's requests come before questions of ours.

Rule 1. It is looked before a request is sent, at most once in `SPARING_SECONDS`, by what the engine itself
        tells of its load. One that tells nothing is never waited for, and soon not asked any more.
Rule 2. Pauses take no more than their share of the run in all, and end with it: then questions go on beside
        the others. A run that could never ask anything would harm nobody, and help nobody.
Invariant: no time that is measured has a look in it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from steelyard.telemetry import engines, samples
from steelyard.telemetry.samples import EngineSample
from steelyard_profiler.drive import Drive
from steelyard_profiler.target import Target

SPARING_SECONDS = 1.0
"""Between two looks at an idle engine."""

PAUSES_SECONDS = (0.05, 0.2, 0.5, 1.0)
"""Before each further look at a busy one; the last is repeated. The first two are for an engine that still
counts the request that we had last: what is over by then was none of others."""

OWN_LOOKS = 2
"""So many of the first pauses are not told."""

PAUSES_SHARE = 0.5
"""The most of a run's time that pauses may take."""

ANSWER_SECONDS = 3.0
"""How long a look may take."""

MOST_FAILURES = 3
"""After so many looks in a row that told nothing none is made any more."""

Look = Callable[[], Awaitable[int | None]]
"""Requests that run or wait in the engine; None: it does not tell."""


def looking(drive: Drive, target: Target) -> Look | None:
    """How this engine is looked at; None: it tells nothing of its load."""
    if not _paths(target):
        return None

    async def look() -> int | None:
        return samples.activity(await told(drive, target))

    return look


async def told(drive: Drive, target: Target) -> EngineSample:
    """What the engine tells of its load now; nothing where it does not."""
    address = urlsplit(target.url)
    for path in _paths(target):
        root = f"{address.scheme}://{address.netloc}"
        answer = await drive.exchange(root + path, None, seconds=ANSWER_SECONDS)
        if answer is not None and answer[0] == 200:
            return samples.read(target.engine, samples.Topic.LOAD, answer[1])
    return samples.NOTHING


def _paths(target: Target) -> tuple[str, ...]:
    return engines.paths(target.engine, urlsplit(target.url).path, target.metrics_path).load


class Idling:
    """The pauses of one run."""

    def __init__(
        self,
        look: Look | None,
        own: Callable[[], int],
        most_seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`own`: requests of the run itself that are under way; `most_seconds`: of all pauses together."""
        self._look = look
        self._own = own
        self._left = most_seconds
        self._clock = clock
        self._sleep = sleep
        self._looked_at = float("-inf")
        self._failures = 0
        self._pauses = 0
        self._paused_seconds = 0.0
        self._turn = asyncio.Lock()

    @property
    def note(self) -> str:
        """What a reader of the report should know; empty where there was no pause."""
        if not self._pauses:
            return ""
        times = "once" if self._pauses == 1 else f"{self._pauses} times"
        words = (
            f"The run paused {times}, {self._paused_seconds:.0f} s in all, for other requests at the engine"
        )
        return f"{words}, and then went on beside them." if self._left <= 0 else f"{words}."

    async def wait_until_idle(self, seconds_left: float) -> None:
        """Return once the engine has no requests but our own, nobody tells, or pauses have taken their share;
        at the latest when the run's time, of which so much is left, is over."""
        async with self._turn:
            began = self._clock()
            if self._left <= 0 or began - self._looked_at < SPARING_SECONDS:
                return
            pauses = 0
            while await self._is_busy():
                over = min(self._left, seconds_left) - (self._clock() - began)
                if over <= 0:
                    break
                await self._sleep(min(PAUSES_SECONDS[min(pauses, len(PAUSES_SECONDS) - 1)], over))
                pauses += 1
            self._looked_at = self._clock()
            if pauses > OWN_LOOKS:
                self._pauses += 1
                self._paused_seconds += self._looked_at - began
                self._left -= self._looked_at - began

    async def _is_busy(self) -> bool:
        if self._look is None or self._failures >= MOST_FAILURES:
            return False
        before = self._own()
        running = await self._look()
        self._failures = self._failures + 1 if running is None else 0
        # One of ours may have begun or ended while the engine answered.
        return running is not None and running > max(before, self._own())
