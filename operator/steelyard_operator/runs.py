"""When a profile is measured, and what became of a run. Pure: from what was seen to the profile's plan.

Rule 1. One run at a time: `status.run` without completionTime is under way. Its Job is made first, then the
        status is written; a Job that is there without the status is taken over.
Rule 2. A failed run changes conditions and `run` alone: older measurements stand.
Rule 3. Where the engine was never idle, a run measures quality alone, and what was known of speed stands as
        long as model, engine and GPUs are the same.
Rule 4. A run that failed is tried again after a pause that doubles, after MOST_ATTEMPTS once an hour.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from steelyard.api import conditions
from steelyard.api.backend import LLMBackend, LLMBackendStatus, Location
from steelyard.api.meta import PROFILE_NOW, ConditionStatus
from steelyard.api.profile import ModelProfile, ModelProfileStatus, Run
from steelyard.api.signals import GpuExporter
from steelyard.routing.table import Endpoint
from steelyard_operator import freshness, gpus, jobs
from steelyard_operator.drift import Drift
from steelyard_operator.freshness import Stale
from steelyard_operator.jobs import Job, Mark, Pod
from steelyard_operator.probing import Description
from steelyard_profiler import history, profiling, report, workload
from steelyard_profiler.profiling import Result
from steelyard_profiler.target import Failure

MOST_ATTEMPTS = 5
"""Runs for one cause with short pauses; an External model, which costs money, gets no more of them."""

LONG_PAUSE_SECONDS = 3600.0
"""Between further attempts at a Local model: what was in the way may have gone."""

FIRST_PAUSE_SECONDS = 30.0
"""Before the second attempt; it doubles with each further one."""

IDLE_LOOK_SECONDS = 15.0
"""How often a busy engine is looked at again."""

LOOK_SECONDS = 60.0
"""How often other obstacles are, though most tell of their end by an event."""


_UNDECIDED = Drift()

_QUALITY_ONLY = (
    "Only quality was measured, one question at a time, and no speed: the engine always had other requests "
    "for limits.maxIdleWaitSeconds = {}."
)


@dataclass(frozen=True, slots=True)
class Site:
    """An endpoint to measure, with what it says of itself."""

    endpoint: Endpoint
    """The endpoint."""
    description: Description | None
    """None where it did not say."""
    exporter: GpuExporter | None = None
    """Where its GPUs are told of; None: nowhere."""


@dataclass(frozen=True, slots=True)
class Seen:
    """All that a profile's plan depends on."""

    profile: ModelProfile
    """The profile."""
    now: datetime
    """The present."""
    backend: LLMBackend | None = None
    """Its backend; None where there is none."""
    location: Location = Location.LOCAL
    """Where that runs."""
    obstacle: str = ""
    """Why no run may begin now, in a sentence: the backend does not answer, another run is under way."""
    site: Site | None = None
    """The endpoint that the next run measures."""
    ca_in_secret: bool = False
    """Whether tls.caRef of the backend names a Secret."""
    is_idle: bool = True
    """Whether it has no request under way, as far as it tells."""
    has_waited_out: bool = False
    """Whether it was waited for as long as limits.maxIdleWaitSeconds, in vain."""
    drift: Drift = _UNDECIDED
    """What gateways see of the model's speed."""
    job: Job | None = None
    """The Job of the run under way, or the next one's where it is there already."""
    pod: Pod | None = None
    """Its pod."""


def due(seen: Seen) -> str:
    """Why the model is to be measured, as Fresh's reason says it; empty when it is not."""
    profile, status = seen.profile, seen.profile.status
    asked = _asked(profile)
    if asked and (status.run is None or status.run.asked != asked or _failures(seen)):
        return "Asked"
    if seen.location is Location.EXTERNAL:
        return ""
    found = stale(seen)
    return found.reason if found is not None and found.asks_for_run else ""


def stale(seen: Seen) -> Stale | None:
    """Why what was measured holds no longer; None while it does."""
    return freshness.stale(seen.profile, seen.backend, seen.drift, seen.now)


def pause_seconds(seen: Seen) -> float | None:
    """How long to wait before the next attempt; 0: none; None: no more attempts for this cause."""
    run, before = seen.profile.status.run, _failures(seen)
    if run is None or run.completion_time is None or before == 0:
        return 0.0
    if before >= MOST_ATTEMPTS and seen.location is Location.EXTERNAL:
        return None
    seconds = FIRST_PAUSE_SECONDS * 2 ** (before - 1) if before < MOST_ATTEMPTS else LONG_PAUSE_SECONDS
    pause = timedelta(seconds=seconds)
    return max((run.completion_time + pause - seen.now).total_seconds(), 0.0)


def cause(seen: Seen) -> str:
    """A digest of all that makes another attempt worth while.

    Of the engine counts what all endpoints agree on: each attempt may be at another one.
    """
    told = seen.backend.status if seen.backend is not None else LLMBackendStatus()
    parts = (
        str(seen.profile.metadata.generation),
        _asked(seen.profile),
        freshness.digest(told.models, seen.profile.spec.model) or "",
        told.engine_version or "",
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def is_under_way(status: ModelProfileStatus) -> bool:
    """Whether a run began and did not end."""
    return status.run is not None and status.run.job_name is not None and status.run.completion_time is None


def next_mark(seen: Seen) -> Mark:
    """What the next run is for, and on."""
    site = seen.site
    told = site.description if site is not None else None
    address = site.endpoint.name.removeprefix(f"{site.endpoint.backend}@") if site else ""
    return Mark(
        cause=cause(seen),
        generation=seen.profile.metadata.generation,
        asked=_asked(seen.profile),
        attempts=_failures(seen) + 1,
        endpoint=address,
        model_digest=freshness.digest(told.models, seen.profile.spec.model) if told else None,
        engine_version=told.engine_version if told else None,
        gpu=_gpu(seen, address),
        reason=due(seen),
        quality_only=seen.has_waited_out,
    )


def begun(job_name: str, mark: Mark, started: datetime) -> Run:
    """The run that begins with this Job."""
    return Run(
        start_time=started.replace(microsecond=0),
        job_name=job_name,
        reason=mark.reason or None,
        cause=mark.cause,
        asked=mark.asked,
        attempts=mark.attempts,
    )


def finished(seen: Seen, failure: Failure | None = None) -> ModelProfileStatus:
    """The status after the run under way: by its pod's report, or with this failure."""
    profile, before = seen.profile, seen.profile.status.run
    assert before is not None
    result = _result(seen) if failure is None else failure
    if isinstance(result, Failure):
        result = profiling.failed(profile.spec, result, seen.now)
    # The clock of the profiler's node may be wrong, and waits are counted from this.
    told = result.run.completion_time or seen.now
    completed = max(before.start_time, min(told, seen.now)).replace(microsecond=0)
    if result.failure is None and seen.job is not None:
        mark = seen.job.mark
        held = {
            "model_digest": mark.model_digest,
            "engine_version": mark.engine_version,
            "gpu": mark.gpu or _gpu(seen, mark.endpoint),
            "endpoint": mark.endpoint or None,
            "time": completed,
        }
        result = replace(result, fingerprint=result.fingerprint.model_copy(update=held))
        if mark.quality_only:
            words = _QUALITY_ONLY.format(profile.spec.limits.max_idle_wait_seconds)
            result = replace(result, note=f"{words} {result.note}".strip())
    status = report.status(profile, result, seen.backend.spec.cost if seen.backend else None, seen.now)
    ended = {"completion_time": completed, "tokens_used": result.run.tokens_used, "message": ""}
    update = {
        "run": before.model_copy(update=ended),
        "history": history.with_run(profile.status.history, result, completed),
    }
    if result.failure is None and seen.job is not None and seen.job.mark.quality_only:
        update |= _speed_before(profile.status, status)
    return status.model_copy(update=update)


def _speed_before(before: ModelProfileStatus, after: ModelProfileStatus) -> dict[str, object]:
    """What was known of speed, where it was of the same model on the same engine and GPUs."""
    earlier, mark = before.fingerprint, after.fingerprint
    if after.performance is not None or earlier is None or mark is None:
        return {}
    one, other = ((found.model_digest, found.engine_version, found.gpu) for found in (earlier, mark))
    if one != other:
        return {}
    return {
        "performance": before.performance,
        "resources": after.resources or before.resources,
        "price": before.price,
        "context_tokens_verified": after.context_tokens_verified or before.context_tokens_verified,
    }


def _gpu(seen: Seen, address: str) -> str | None:
    """The GPUs behind this endpoint of the backend."""
    return gpus.name(seen.backend.status, address) if seen.backend is not None and address else None


def _result(seen: Seen) -> Result | Failure:
    """What the run's pod left, checked; or why it left nothing."""
    job, pod = seen.job, seen.pod
    if job is None:
        return Failure("JobDeleted", "The run's Job was deleted before it ended: another one is made.")
    if pod is not None and pod.message:
        try:
            return _checked(report.decode(pod.message), seen, job)
        except report.ReportError as error:
            return Failure("ReportInvalid", f"What the profiler left is no report: {error}.")
    if job.reason == "DeadlineExceeded":
        last = f" It was last {pod.reason}: {pod.detail}" if pod and pod.reason and pod.detail else ""
        seconds = seen.profile.spec.limits.max_duration_seconds + jobs.START_SECONDS
        return Failure("DeadlineExceeded", f"The run did not end in {seconds} s.{last}")
    if pod is not None and pod.reason == "OOMKilled":
        message = "The profiler ran out of memory: raise spec.job.resources.limits.memory."
        return Failure("OutOfMemory", message)
    how = f"with exit status {pod.exit_code}" if pod and pod.exit_code is not None else "without a result"
    why = f" ({pod.reason}: {pod.detail})" if pod and pod.detail else ""
    return Failure("ProfilerFailed", f"The profiler ended {how}{why}: see the log of Job {job.name}.")


def _checked(result: Result, seen: Seen, job: Job) -> Result | Failure:
    """The result where it is one for this profile's spec."""
    spec, got = seen.profile.spec, result.fingerprint
    asked = (workload.version(spec.suite), spec.seed)
    if result.failure is not None:
        return result
    if result.quality is None:
        return Failure("ReportInvalid", "The profiler reports success and no score: see --profiler-image.")
    if asked == (got.suite, got.seed):
        return result
    if job.mark.generation != seen.profile.metadata.generation:
        return Failure("SpecChanged", "The spec changed during the run: another one begins.")
    message = f"The profiler measured {got.suite} with seed {got.seed}, not {asked[0]} with seed {asked[1]}"
    return Failure("ReportInvalid", f"{message}: see --profiler-image.")


def _failures(seen: Seen) -> int:
    """Runs in a row that failed for the present cause."""
    run, succeeded = seen.profile.status.run, conditions.find(seen.profile.status.conditions, "Succeeded")
    if run is None or succeeded is None or succeeded.status is not ConditionStatus.FALSE:
        return 0
    return (run.attempts or 0) if run.cause == cause(seen) else 0


def _asked(profile: ModelProfile) -> str:
    return profile.metadata.annotations.get(PROFILE_NOW, "")[:253]
