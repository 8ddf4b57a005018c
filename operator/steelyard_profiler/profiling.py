"""One run: what loading takes, speed, then the suite's probes in rounds, within the budgets of the profile.

Rule 1. Budgets are hard: a request is sent only when its prompt and longest answer still fit, and the clock
        ends a request that would outlast it.
Rule 2. A question that got no answer is no sample. Some failures in a row, or one that no retry can mend, end
        the run.
Rule 3. A run that meets a budget after one full round reports what it has.
"""

import asyncio
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from steelyard.api.backend import Capabilities, Engine
from steelyard.api.measuring import LOAD_OUTPUT_TOKENS, LOAD_PROMPT_TOKENS
from steelyard.api.profile import (
    Category,
    CategoryScore,
    Fingerprint,
    Level,
    LevelScore,
    ModelProfileSpec,
    Performance,
    Quality,
    ResourceUse,
    Run,
)
from steelyard_profiler import loading, measure, quality, resources, workload
from steelyard_profiler.drive import BYTES_PER_TOKEN, Drive
from steelyard_profiler.probe import Probe
from steelyard_profiler.sampling import Sampler
from steelyard_profiler.target import Failure, Reply, Severity, Target

MOST_FAILURES_IN_A_ROW = 3
"""More than a hiccup: a retry is one of them."""

RETRY_SECONDS = 0.5
"""Pause before a question is asked once more."""

SPEED_REQUESTS = 4
"""Timed requests, after one to warm up."""

SPEED_SHARE = 0.2
"""The most of either budget that measuring speed may take."""

_WARM_UP = "Say hello."


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    category: Category | None
    """The category; None while speed is measured."""
    done: int
    """Requests done."""
    total: int
    """Requests planned."""
    passed: int = 0
    """Probes answered rightly."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a run found."""

    fingerprint: Fingerprint
    """What it holds for."""
    run: Run
    """When, and at what cost."""
    quality: Quality | None = None
    """What the model can do; None when the run failed."""
    performance: Performance | None = None
    """How fast it is."""
    resources: ResourceUse | None = None
    """What it takes of its GPUs or of its engine's memory; None where nobody tells."""
    capabilities: Capabilities = field(default_factory=Capabilities)
    """What was seen."""
    failure: Failure | None = None
    """Why the run failed."""
    note: str = ""
    """What a reader of the numbers should know."""


OnProgress = Callable[[Progress], None]


async def profile(target: Target, spec: ModelProfileSpec, on_progress: OnProgress) -> Result:
    """Measure one model; never raises for what an engine does."""
    async with Drive(target) as drive, Sampler(target.gpus) as sampler:
        return await _Run(target, drive, sampler, spec, on_progress).result()


def failed(spec: ModelProfileSpec, failure: Failure, now: datetime) -> Result:
    """The result of a run that could not begin."""
    run = Run(start_time=now, completion_time=now, tokens_used=0)
    return Result(Fingerprint(suite=workload.version(spec.suite), seed=spec.seed), run, failure=failure)


class _Stop(Exception):
    """The run ends here."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.message)


class _Run:
    """The state of one run."""

    def __init__(
        self,
        target: Target,
        drive: Drive,
        sampler: Sampler,
        spec: ModelProfileSpec,
        on_progress: OnProgress,
    ) -> None:
        self._target = target
        self._drive = drive
        self._sampler = sampler
        self._spec = spec
        self._on_progress = on_progress
        self._started = time.monotonic()
        self._nonce = secrets.token_hex(8)
        self._tokens = 0
        self._failures = 0
        self._cold_load_ms: int | None = None
        self._memory_mib: int | None = None
        self._timed: list[Reply] = []
        self._timed_samples = 0
        self._passed: dict[tuple[Category, Level], int] = defaultdict(int)
        self._samples: dict[tuple[Category, Level], int] = defaultdict(int)
        self._output_tokens: dict[Category, int] = defaultdict(int)
        self._answers = 0
        self._usages = 0

    async def result(self) -> Result:
        began = datetime.now(UTC).replace(microsecond=0)
        stopped: Failure | None = None
        try:
            await self._measure_load()
            await self._measure_speed()
            await self._ask_probes(workload.probes(self._spec.suite, self._spec.seed))
        except _Stop as stop:
            stopped = stop.failure
        return self._result(began, stopped)

    def _result(self, began: datetime, stopped: Failure | None) -> Result:
        over_budget = stopped is not None and stopped.reason == "BudgetSpent"
        cells = [(category, level) for category in workload.TEMPLATES for level in Level]
        usable = all(self._samples[cell] for cell in cells) and (stopped is None or over_budget)
        if not usable and stopped is None:
            stopped = Failure("TooFewAnswers", "The engine refused every question of a category and level.")
        run = Run(
            start_time=began,
            completion_time=datetime.now(UTC).replace(microsecond=0),
            tokens_used=self._tokens,
        )
        fingerprint = Fingerprint(suite=workload.version(self._spec.suite), seed=self._spec.seed)
        if not usable:
            return Result(fingerprint, run, failure=stopped)
        seen = {"chat": True, "stream_usage": self._usages == self._answers}
        return Result(
            fingerprint,
            run,
            quality=quality.overall([self._score(category) for category in workload.TEMPLATES]),
            performance=self._performance(),
            resources=self._resources(),
            capabilities=Capabilities(**seen),
            note=" ".join(self._notes(stopped)),
        )

    def _performance(self) -> Performance | None:
        speed = measure.performance(self._timed)
        if speed is None and self._cold_load_ms is None:
            return None
        return (speed or Performance()).model_copy(update={"cold_load_ms": self._cold_load_ms})

    def _resources(self) -> ResourceUse | None:
        speed = measure.decode_tokens_per_second(self._timed)
        used = resources.use(self._sampler.samples, self._timed_samples, speed) or ResourceUse()
        if used.memory_mib is None:
            used = used.model_copy(update={"memory_mib": self._memory_mib})
        return used if used != ResourceUse() else None

    def _notes(self, stopped: Failure | None) -> Iterable[str]:
        if stopped:
            yield stopped.message
        if self._usages < self._answers:
            yield "The engine does not report plausible usage: tokens are estimated as bytes ÷ 4."

    def _score(self, category: Category) -> CategoryScore:
        levels = [
            LevelScore(
                level=level, passed=self._passed[category, level], samples=self._samples[category, level]
            )
            for level in Level
        ]
        samples = sum(level.samples for level in levels)
        return quality.category_score(category, levels, self._output_tokens[category] / samples)

    async def _measure_load(self) -> None:
        if self._target.engine is not Engine.OLLAMA:
            return
        limits = self._spec.limits
        self._cold_load_ms = await loading.cold_load_ms(
            self._drive,
            self._target.model,
            seconds=min(self._target.first_byte_seconds, limits.max_duration_seconds),
            may_unload=not limits.only_when_idle,
        )

    async def _measure_speed(self) -> None:
        try:
            await self._time_requests()
        finally:
            self._timed_samples = len(self._sampler.samples)
        if self._target.engine is Engine.OLLAMA:
            self._memory_mib = await loading.memory_mib(self._drive, self._target.model)

    async def _time_requests(self) -> None:
        limits = self._spec.limits
        words = LOAD_PROMPT_TOKENS * 3 // 4
        total, done = SPEED_REQUESTS + 1, 0
        await self._answer(_WARM_UP, 8)
        began = time.monotonic()
        await self._sampler.take()
        while done < SPEED_REQUESTS and words >= 16:
            cost = 2 * words + LOAD_OUTPUT_TOKENS
            seconds = time.monotonic() - began
            if self._tokens + cost > SPEED_SHARE * limits.max_tokens:
                return
            if seconds > SPEED_SHARE * limits.max_duration_seconds:
                return
            self._on_progress(Progress(None, done + 1, total))
            prompt = workload.speed_prompt(self._nonce, done, words)
            reply = await self._answer(prompt, LOAD_OUTPUT_TOKENS)
            if reply is None:
                words //= 2
                continue
            if done == 0 and not self._timed:
                words = max(16, words * LOAD_PROMPT_TOKENS // max(1, reply.prompt_tokens))
            await self._sampler.take()
            self._timed.append(reply)
            done += 1
        self._on_progress(Progress(None, total, total))

    async def _ask_probes(self, probes: tuple[Probe, ...]) -> None:
        totals: dict[Category, int] = defaultdict(int)
        done: dict[Category, int] = defaultdict(int)
        right: dict[Category, int] = defaultdict(int)
        for probe in probes:
            totals[probe.category] += 1
        for probe in probes:
            reply = await self._answer(probe.question, probe.max_tokens)
            await self._sampler.take(sparing=True)
            done[probe.category] += 1
            if reply is not None:
                is_right = probe.accepts(reply.text)
                cell = (probe.category, probe.level)
                self._samples[cell] += 1
                self._passed[cell] += is_right
                self._output_tokens[probe.category] += reply.output_tokens
                right[probe.category] += is_right
            self._on_progress(
                Progress(probe.category, done[probe.category], totals[probe.category], right[probe.category])
            )

    async def _answer(self, question: str, max_tokens: int) -> Reply | None:
        """The reply; None where this question is refused or failed twice."""
        for attempt in range(2):
            if attempt:
                await asyncio.sleep(RETRY_SECONDS)
            reply = await self._within_budget(question, max_tokens)
            if isinstance(reply, Reply):
                self._failures = 0
                self._answers += 1
                self._usages += reply.usage_reported
                self._tokens += reply.prompt_tokens + reply.output_tokens
                return reply
            self._failures += 1
            if reply.severity is Severity.FATAL or self._failures >= MOST_FAILURES_IN_A_ROW:
                raise _Stop(reply)
            if reply.severity is Severity.REFUSED:
                return None
        return None

    async def _within_budget(self, question: str, max_tokens: int) -> Reply | Failure:
        limits = self._spec.limits
        expected = len(question.encode()) // BYTES_PER_TOKEN + max_tokens
        if self._tokens + expected > limits.max_tokens:
            raise _Stop(_spent(f"limits.maxTokens = {limits.max_tokens}", self._asked()))
        left = limits.max_duration_seconds - (time.monotonic() - self._started)
        try:
            async with asyncio.timeout(left):
                return await self._drive.ask(question, max_tokens)
        except TimeoutError:
            budget = f"limits.maxDurationSeconds = {limits.max_duration_seconds}"
            raise _Stop(_spent(budget, self._asked())) from None

    def _asked(self) -> int:
        return sum(self._samples.values())


def _spent(budget: str, asked: int) -> Failure:
    return Failure("BudgetSpent", f"The run stopped at {budget} after {asked} probes.")
