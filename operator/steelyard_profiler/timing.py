"""How fast a model answers: one request at a time, then several at once.

Rule 1. One request warms up and is not counted; prompts are fresh, so that no prompt cache helps. What a
        cache does is measured apart, by a prompt that was just answered.
Rule 2. It takes no more than its share of either budget: what would not fit, were more streams to bring no
        more speed, is not begun. At suite Quick it takes seconds.
Rule 3. The load curve ends where it rises no more, and where a request fails.
"""

import asyncio
import math
import secrets
import time
from dataclasses import dataclass, replace

from steelyard.api.measuring import Load, Suite
from steelyard_profiler import measure, workload
from steelyard_profiler.measure import Point, Timings
from steelyard_profiler.progress import OnProgress, Progress
from steelyard_profiler.sampling import Sampler
from steelyard_profiler.session import Session
from steelyard_profiler.target import Asked, Failure, Reply

SPEED_SHARE = 0.2
"""The most of either budget that measuring speed may take."""

OVERTIME = 1.5
"""A point of the load curve is left after this many times the seconds that it had."""

LENGTH_SLACK = 0.05
"""A prompt is of the wanted length within this share of it."""

_WARM_UP = Asked("Say hello.", 8, may_think=False)

_LEAST_WORDS = 16

_REPEATED_OUTPUT_TOKENS = 8

_ENOUGH_ALONE = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is timed."""

    alone: int
    """Requests one at a time."""
    repeated: int
    """Of these, how many are asked again."""
    rounds: int
    """Requests of each stream at a point of the load curve."""
    most_seconds: float = math.inf
    """After so many nothing more is begun; the share of the budget bounds it as well."""
    alone_seconds: float = math.inf
    """After so many two requests one at a time are enough."""


QUICK = Plan(alone=3, repeated=1, rounds=1, most_seconds=15, alone_seconds=6)
"""A model on a CPU gives four requests at once in this time, one on a GPU the whole curve."""

THOROUGH = Plan(alone=8, repeated=3, rounds=2)
"""Eight requests: their median of times to first token is within 3 % where these vary by 5 %."""


class Timing:
    """Speed as it is measured; `timings` holds what there is, also after a stop."""

    def __init__(
        self, session: Session, sampler: Sampler, load: Load, suite: Suite, on_progress: OnProgress
    ) -> None:
        self.timings = Timings()
        """What was timed so far."""
        self.first: Reply | None = None
        """The answer to the run's first request."""
        self.alone_samples = 0
        """The GPU samples from around the requests that came one at a time."""
        self.all_samples = 0
        """The GPU samples up to the end, several requests at once included."""
        self.note = ""
        """Why the load curve ended, where that was a failure."""
        self._session = session
        self._sampler = sampler
        self._load = load
        self._plan = QUICK if suite is Suite.QUICK else THOROUGH
        self._on_progress = on_progress
        self._nonce = secrets.token_hex(8)
        self._asked = 0
        self._last = _WARM_UP
        self._words = load.prompt_tokens * 3 // 4
        self._total = self._plan.alone + 1 + sum(number > 1 for number in load.concurrency)
        self._done = 0
        self._began = math.inf

    async def measure(self) -> None:
        """Measure all that fits. Raises Stopped."""
        try:
            self.first = await self._session.answer(_WARM_UP, any_length=True)
            self._began = time.monotonic()
            await self._one_at_a_time()
            self._leave_misfit()
            self.alone_samples = len(self._sampler.samples)
            await self._again()
            await self._several_at_once()
        finally:
            self.alone_samples = self.alone_samples or len(self._sampler.samples)
            await self._sampler.take()
            self.all_samples = len(self._sampler.samples)
        self._on_progress(Progress(None, self._total, self._total))

    async def _one_at_a_time(self) -> None:
        await self._sampler.take()
        longest = 0.0
        while len(self.timings.alone) < self._plan.alone and self._words >= _LEAST_WORDS:
            if not self._fits(1, longest) or self._are_enough_alone():
                return
            self._show()
            reply = await self._session.answer(self._fresh(), any_length=True)
            if reply is None:
                self._words //= 2
                continue
            if not self.timings.alone:
                wanted = self._words * self._load.prompt_tokens // max(1, reply.prompt_tokens)
                self._words = max(_LEAST_WORDS, wanted)
            await self._sampler.take()
            longest = max(longest, reply.seconds)
            self.timings = replace(self.timings, alone=(*self.timings.alone, reply))
            self._done += 1

    def _leave_misfit(self) -> None:
        """Leave out the first answer, of which lengths were learnt, where only its prompt was of another."""
        alone, wanted = self.timings.alone, self._load.prompt_tokens
        off = [abs(reply.prompt_tokens - wanted) for reply in alone]
        if len(alone) > 1 and off[0] > max(LENGTH_SLACK * wanted, 2 * off[1]):
            self.timings = replace(self.timings, alone=alone[1:])

    async def _again(self) -> None:
        """Ask what was just answered once more."""
        for _ in range(min(self._plan.repeated, len(self.timings.alone))):
            seconds = self.timings.alone[-1].first_seconds
            if not self._fits(1, seconds):
                return
            reply = await self._session.attempt(replace(self._last, max_tokens=_REPEATED_OUTPUT_TOKENS))
            if isinstance(reply, Failure):
                return
            self.timings = replace(self.timings, repeated=(*self.timings.repeated, reply))

    async def _several_at_once(self) -> None:
        alone = self.timings.alone
        if not alone:
            return
        reference = Point(1, alone, sum(reply.seconds for reply in alone))
        for concurrency in self._load.concurrency:
            if concurrency == 1:
                self._add(reference)
                continue
            count = concurrency * self._plan.rounds
            speed = measure.throughput(reference)
            if speed is None:
                return
            tokens = sum(reply.output_tokens for reply in alone) / len(alone)
            if not self._fits(count, count * tokens / speed):
                return
            self._show()
            point = await self._at_once(concurrency)
            if point is None:
                return
            self._add(point)
            reference = point
            self._done += 1
            if not measure.rises(self.timings.points):
                return

    async def _at_once(self, concurrency: int) -> Point | None:
        """So many streams, each with its requests one after the other; None where one failed."""
        replies: list[Reply] = []
        failures: list[Failure] = []
        began = time.perf_counter()

        async def stream() -> None:
            for _ in range(self._plan.rounds):
                reply = await self._session.attempt(self._fresh())
                if isinstance(reply, Failure):
                    failures.append(reply)
                if failures or isinstance(reply, Failure):
                    return
                replies.append(reply)

        try:
            async with asyncio.timeout(OVERTIME * self._seconds_left), asyncio.TaskGroup() as group:
                for number in range(concurrency):
                    group.create_task(stream(), name=f"stream {number}")
        except TimeoutError:
            self.note = f"{concurrency} requests at once took too long to be timed."
            return None
        if failures:
            self.note = f"With {concurrency} requests at once one failed: {failures[0].message}"
            return None
        return Point(concurrency, tuple(replies), time.perf_counter() - began)

    def _add(self, point: Point) -> None:
        self.timings = replace(self.timings, points=(*self.timings.points, point))

    def _fresh(self) -> Asked:
        """A request that nobody made before."""
        prompt = workload.speed_prompt(self._nonce, self._asked, self._words)
        self._asked += 1
        self._last = Asked(prompt, self._load.output_tokens, may_think=False)
        return self._last

    @property
    def _seconds_left(self) -> float:
        share = SPEED_SHARE * self._session.limits.max_duration_seconds
        return min(share, self._plan.most_seconds) - (time.monotonic() - self._began)

    def _fits(self, requests: int, seconds: float) -> bool:
        """Whether so many requests fit into the shares, if they take so long."""
        tokens = requests * (2 * self._words + self._load.output_tokens)
        left = SPEED_SHARE * self._session.limits.max_tokens - self._session.tokens
        return tokens <= left and seconds <= self._seconds_left

    def _are_enough_alone(self) -> bool:
        took = time.monotonic() - self._began
        return len(self.timings.alone) >= _ENOUGH_ALONE and took > self._plan.alone_seconds

    def _show(self) -> None:
        self._on_progress(Progress(None, self._done + 1, self._total))
