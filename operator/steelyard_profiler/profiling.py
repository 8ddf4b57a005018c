"""One run: what loading takes, speed, then the suite's probes in rounds, within the budgets of the profile.

Invariant: a run that meets a budget after one full round reports what it has.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from steelyard.api.backend import Capabilities, Engine
from steelyard.api.profile import (
    Fingerprint,
    ModelProfileSpec,
    Performance,
    Quality,
    ResourceUse,
    Run,
)
from steelyard_profiler import (
    asking,
    capabilities,
    holding,
    idling,
    loading,
    measure,
    quality,
    resources,
    workload,
)
from steelyard_profiler.asking import Asking, Marks
from steelyard_profiler.capabilities import Seen
from steelyard_profiler.drive import Drive
from steelyard_profiler.idling import PAUSES_SHARE, Idling
from steelyard_profiler.measure import LEAST_OUTPUT_TOKENS, Timings
from steelyard_profiler.progress import OnProgress
from steelyard_profiler.sampling import Sampler
from steelyard_profiler.session import THOUGHT_TOKENS, Session, Stopped
from steelyard_profiler.target import Failure, Target
from steelyard_profiler.timing import Timing


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
    context_tokens_verified: int | None = None
    """The longest prompt whose first words the model could tell."""
    embedding_dimension: int | None = None
    """Numbers in one embedding."""
    failure: Failure | None = None
    """Why the run failed."""
    note: str = ""
    """What a reader of the numbers should know."""


async def profile(
    target: Target, spec: ModelProfileSpec, on_progress: OnProgress, *, quality_only: bool = False
) -> Result:
    """Measure one model; never raises for what an engine does.

    `quality_only`: leave speed out, and do not wait for others at the engine, who are always there.
    """
    async with Drive(target) as drive, Sampler(target.gpus) as sampler:
        return await _Run(target, drive, sampler, spec, on_progress, quality_only=quality_only).result()


def failed(spec: ModelProfileSpec, failure: Failure, now: datetime) -> Result:
    """The result of a run that could not begin."""
    run = Run(start_time=now, completion_time=now, tokens_used=0)
    return Result(Fingerprint(suite=workload.version(spec.suite), seed=spec.seed), run, failure=failure)


_EMPTY = Failure(
    "EmptyAnswers", "The engine answered every request without a word: is its chat template right?"
)


class _Run:
    """The state of one run."""

    def __init__(
        self,
        target: Target,
        drive: Drive,
        sampler: Sampler,
        spec: ModelProfileSpec,
        on_progress: OnProgress,
        *,
        quality_only: bool,
    ) -> None:
        self._quality_only = quality_only
        self._target = target
        self._sampler = sampler
        self._spec = spec
        self._on_progress = on_progress
        looks = spec.limits.only_when_idle and not quality_only
        self._idling = Idling(
            idling.looking(drive, target) if looks else None,
            lambda: drive.under_way,
            PAUSES_SHARE * spec.limits.max_duration_seconds,
        )
        self._session = Session(drive, spec.limits, self._idling)
        self._cold_load_ms: int | None = None
        self._has_answered = True
        self._memory_mib: int | None = None
        bearable = tuple(number for number in spec.load.concurrency if number <= target.max_concurrency)
        load = spec.load.model_copy(update={"concurrency": bearable})
        self._timing = Timing(self._session, sampler, load, spec.suite, on_progress)
        self._seen = Seen()
        self._held_tokens: int | None = None
        self._marks = Marks()
        at_once = 1 if quality_only else min(asking.PROBES_AT_ONCE, target.max_concurrency)
        self._asking = Asking(self._session, sampler, on_progress, self._marks, at_once=at_once)

    async def result(self) -> Result:
        began = datetime.now(UTC).replace(microsecond=0)
        stopped: Failure | None = None
        try:
            if not self._quality_only:
                await self._measure_load()
            self._session.room.context_tokens = await self._context_tokens()
            if not self._quality_only:
                await self._measure_speed()
            await self._try_out()
            await self._asking.ask(self._spec.suite, self._spec.seed)
        except Stopped as stop:
            stopped = stop.failure
        return self._result(began, stopped)

    def _result(self, began: datetime, stopped: Failure | None) -> Result:
        over_budget = stopped is not None and stopped.reason == "BudgetSpent"
        scored = [category for category in workload.TEMPLATES if self._marks.has(category)]
        usable = bool(scored) and (stopped is None or (over_budget and self._marks.has_round()))
        if stopped is None and self._session.answers and not self._session.texts:
            usable, stopped = False, _EMPTY
        if not usable and stopped is None:
            message = "The engine refused every question of a level in each category."
            if note := self._session.room.context_note():
                message = f"No level has an answer in any category. {note} Is contextTokens right?"
            stopped = Failure("TooFewAnswers", message)
        run = Run(
            start_time=began,
            completion_time=datetime.now(UTC).replace(microsecond=0),
            tokens_used=self._session.tokens,
        )
        fingerprint = Fingerprint(suite=workload.version(self._spec.suite), seed=self._spec.seed)
        if not usable:
            return Result(fingerprint, run, failure=stopped)
        found = self._seen.capabilities.model_copy(
            update={
                "chat": True,
                "reasoning": self._session.thoughts > 0,
                "tools": self._can_call(),
                "stream_usage": self._session.usages == self._session.answers,
            }
        )
        return Result(
            fingerprint,
            run,
            quality=quality.overall([self._marks.score(category) for category in scored]),
            performance=self._performance(),
            resources=self._resources(),
            capabilities=found,
            context_tokens_verified=self._held_tokens,
            embedding_dimension=self._seen.embedding_dimension,
            note=" ".join(self._notes(stopped)),
        )

    def _can_call(self) -> bool | None:
        """Whether one right call was seen, when that was tried or in ToolUse."""
        tried, asked = self._seen.capabilities.tools, self._marks.tools.can_call
        if tried or asked:
            return True
        return False if self._session.refuses("tools") or asked is False else tried

    def _performance(self) -> Performance | None:
        speed = measure.performance(self._timings())
        if speed is None and self._cold_load_ms is None:
            return None
        return (speed or Performance()).model_copy(update={"cold_load_ms": self._cold_load_ms})

    def _timings(self) -> Timings:
        """What was timed, its tokens as they are believed by now."""
        settled, timed = self._session.settled, self._timing.timings
        return Timings(
            tuple(map(settled, timed.alone)),
            tuple(map(settled, timed.repeated)),
            tuple(replace(point, replies=tuple(map(settled, point.replies))) for point in timed.points),
        )

    def _resources(self) -> ResourceUse | None:
        speed = measure.decode_tokens_per_second(self._timings().alone)
        samples, timing = self._sampler.samples, self._timing
        used = resources.use(
            samples, timed=timing.alone_samples, skipped=timing.all_samples, tokens_per_second=speed
        )
        used = used or ResourceUse()
        if used.memory_mib is None:
            used = used.model_copy(update={"memory_mib": self._memory_mib})
        return used if used != ResourceUse() else None

    def _notes(self, stopped: Failure | None) -> Iterable[str]:
        if stopped:
            yield stopped.message
        if self._idling.note:
            yield self._idling.note
        if self._session.usages < self._session.answers:
            yield "The engine does not report plausible usage: tokens are estimated by pieces and bytes."
        if self._session.overruns:
            yield "The engine does not stop at max_tokens: answers were cut."
        if self._session.unfinished:
            yield (
                f"{self._session.unfinished} answers ended within the model's thoughts, for which they had "
                f"{THOUGHT_TOKENS} tokens: their questions count as not passed."
            )
        long = [reply for reply in self._timings().alone if reply.output_tokens >= LEAST_OUTPUT_TOKENS]
        if long and not any(map(measure.comes_bit_by_bit, long)):
            yield "The engine sends answers in one piece: its speed of decoding is unknown."
        if self._timing.timings.alone and not long:
            yield "The engine ends every long answer at once: its speed of decoding is unknown."
        yield from (note for note in (self._timing.note, self._seen.note) if note)
        if self._session.refuses("tools"):
            yield "The engine refuses requests with tools: ToolUse is not measured."
        elif self._marks.tools.as_text and not self._seen.note:
            yield "Tool calls came as text, which no client runs: the engine lacks a parser of its calls."
        yield from self._session.room.notes()

    async def _measure_load(self) -> None:
        if self._target.engine is not Engine.OLLAMA:
            told = await idling.told(self._session.drive, self._target)
            self._has_answered = told.output_tokens != 0
            return
        limits = self._spec.limits
        self._cold_load_ms = await loading.cold_load_ms(
            self._session.drive,
            self._target.model,
            seconds=min(self._target.first_byte_seconds, limits.max_duration_seconds),
            may_unload=not limits.only_when_idle,
        )

    async def _context_tokens(self) -> int | None:
        """The model's context, as its backend says or else its engine, among its models."""
        if self._target.context_tokens is not None:
            return self._target.context_tokens
        models = await self._session.drive.models()
        if isinstance(models, Failure):
            return None
        return next((model.context_tokens for model in models if model.name == self._target.model), None)

    async def _try_out(self) -> None:
        self._seen = await capabilities.seen(self._session)
        if self._quality_only:
            return  # a long prompt is slow, and slows others
        told = self._session.room.context_tokens
        self._held_tokens = await holding.verified_tokens(self._session, told, self._spec.suite)

    async def _measure_speed(self) -> None:
        await self._timing.measure()
        if self._timing.first is not None and not self._has_answered:
            self._cold_load_ms = round(1000 * self._timing.first.first_seconds)
        if self._target.engine is Engine.OLLAMA:
            self._memory_mib = await loading.memory_mib(self._session.drive, self._target.model)
