"""Story: a ModelProfile through its runs, with a cluster that is only values and a clock that only it moves.

Every look is checked: what is written is read back as the API server would give it, and looking again soon
comes to rest. Only makers of what plans see live here.
"""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from fakes.gateways import endpoint
from steelyard.api import conditions
from steelyard.api.backend import Capabilities, LLMBackend, Location, ObservedModel
from steelyard.api.meta import Condition
from steelyard.api.profile import (
    Category,
    Fingerprint,
    Level,
    LevelScore,
    ModelProfile,
    ModelProfileStatus,
    Performance,
    Run,
    Ttft,
)
from steelyard.api.signals import GpuExporter, GpuSource, ObservedGpu
from steelyard.routing.table import Problem
from steelyard_operator import jobs, profiles, runs
from steelyard_operator.drift import Drift
from steelyard_operator.jobs import Job, Pod
from steelyard_operator.plans import Plan
from steelyard_operator.probing import Description
from steelyard_profiler import quality, report
from steelyard_profiler.profiling import Result
from steelyard_profiler.target import Failure

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
MODEL = "smollm2"
DIGEST, OTHER_DIGEST = "sha256:" + "a" * 64, "sha256:" + "b" * 64
MOST_LOOKS = 4
"""A run ends, the next begins, its progress is told, nothing is left to write."""


def backend(digest: str | None = DIGEST, version: str | None = "1.0", **spec: Any) -> LLMBackend:
    """A backend whose engine serves MODEL."""
    served = [{"name": MODEL, "endpoints": 1} | ({"digest": digest} if digest else {})]
    status = {"models": served} | ({"engineVersion": version} if version else {})
    document = {
        "metadata": {"name": "engine", "namespace": "llm", "uid": "uid-engine", "generation": 1},
        "spec": {"engine": "VLLM", "url": "http://127.0.0.1:8000"} | spec,
        "status": status,
    }
    return LLMBackend.model_validate_json(json.dumps(document))


def with_gpus(of: LLMBackend, *names: str | None, exporters: int = 1) -> LLMBackend:
    """The backend with these GPUs behind each of its endpoints."""
    uuids = [f"GPU-{number}" for number in range(len(names))]
    gpus = [
        ObservedGpu(uuid=uuid, name=name, source=GpuSource.DCGM)
        for uuid, name in zip(uuids, names, strict=True)
    ]
    told = [
        GpuExporter(endpoint=f"10.0.0.{number + 1}:8000", url="http://dcgm:9400/metrics", uuids=tuple(uuids))
        for number in range(exporters)
    ]
    status = of.status.model_copy(update={"gpus": tuple(gpus), "gpu_exporters": tuple(told)})
    return of.model_copy(update={"status": status})


def profile(metadata: dict[str, Any] | None = None, **spec: Any) -> ModelProfile:
    """A profile of MODEL that was never run."""
    document = {
        "metadata": {"name": "one", "namespace": "llm", "uid": "uid-one", "generation": 1} | (metadata or {}),
        "spec": {"backendRef": {"name": "engine"}, "model": MODEL} | spec,
    }
    return ModelProfile.model_validate_json(json.dumps(document))


def site(digest: str | None = DIGEST, version: str | None = "1.0", host: str = "10.0.0.1") -> runs.Site:
    """An endpoint of the backend that says this of itself."""
    told = Description((ObservedModel(name=MODEL, digest=digest),), version)
    return runs.Site(endpoint(8000, "engine", host=host), told)


def result(failure: Failure | None = None, suite: str = "Quick/2", seed: int = 1, passed: int = 6) -> Result:
    """What a run found."""
    mark = Fingerprint(suite=suite, seed=seed)
    run = Run(start_time=NOW, completion_time=NOW, tokens_used=81)
    if failure is not None:
        return Result(mark, run, failure=failure)
    levels = [LevelScore(level=level, passed=passed, samples=8) for level in Level]
    return Result(
        mark,
        run,
        quality=quality.overall([quality.category_score(Category.MATH, levels, 20)]),
        performance=Performance(
            ttft_ms=Ttft(p50=1, p95=2), output_tokens_per_second=3, prompt_tokens_per_second=4
        ),
        capabilities=Capabilities(chat=True),
    )


GOOD = report.encode(result())
BETTER = report.encode(result(passed=8))
BAD = report.encode(result(Failure("Timeout", "The engine sent nothing.")))


def read_back(before: ModelProfile, status: ModelProfileStatus) -> ModelProfile:
    """The profile with this status as the API server gives it."""
    plain = status.model_dump_json(by_alias=True, exclude_none=True)
    return before.model_copy(update={"status": ModelProfileStatus.model_validate_json(plain)})


@dataclass
class Story:
    """One profile; change what it sees, then have a look."""

    profile: ModelProfile = field(default_factory=profile)
    backend: LLMBackend | None = field(default_factory=backend)
    site: runs.Site | None = field(default_factory=site)
    location: Location = Location.LOCAL
    now: datetime = NOW
    obstacle: str = ""
    is_idle: bool = True
    has_waited_out: bool = False
    drift: Drift = field(default_factory=Drift)
    problems: tuple[Problem, ...] = ()
    jobs: dict[str, Job] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    """Names of the Jobs that plans asked for, in order."""
    told: list[tuple[str, str, str]] = field(default_factory=list)
    """Type, reason and message of the Events, in order."""

    @property
    def seen(self) -> runs.Seen:
        """What a plan depends on."""
        run = self.profile.status.run
        name = run.job_name if run and runs.is_under_way(self.profile.status) else None
        name = name or jobs.next_name(self.profile)
        return runs.Seen(
            profile=self.profile,
            now=self.now,
            backend=self.backend,
            location=self.location,
            obstacle=self.obstacle,
            site=self.site,
            is_idle=self.is_idle,
            has_waited_out=self.has_waited_out,
            drift=self.drift,
            job=self.jobs.get(name),
            pod=self.pods.get(name),
        )

    def look(self) -> Plan:
        """Plan once and carry it out."""
        plan = profiles.plan(self.seen, self.problems, "profiler:1")
        self.told += [(note.type.value, note.reason, note.message) for note in plan.notes]
        if plan.job is not None:
            added = {"uid": f"uid-{len(self.made)}", "creationTimestamp": self.now.isoformat()}
            made = jobs.of(plan.job | {"metadata": plan.job["metadata"] | added})
            self.jobs[made.name] = made
            self.made.append(made.name)
        if isinstance(plan.status, ModelProfileStatus):
            assert plan.status != self.profile.status, "a write that changes nothing"
            assert plan.status.observed_generation == self.profile.metadata.generation
            self._check_times(plan.status.conditions)
            self.profile = read_back(self.profile, plan.status)
            assert self.profile.status == plan.status, "what was written is not what is read"
        for name in plan.kept_jobs:
            self.jobs[name] = replace(self.jobs[name], has_ttl=True)
        for deletion in plan.deletions:
            self.jobs.pop(deletion.name, None)
        return plan

    def settle(self) -> Plan:
        """Look until nothing is left to write, which must be soon; the first plan."""
        first = plan = self.look()
        for _ in range(MOST_LOOKS):
            if plan.status is None and plan.job is None:
                return first
            plan = self.look()
        raise AssertionError("the status is written again and again")

    def wait(self, **period: float) -> Plan:
        """Let time pass, then settle."""
        self.now += timedelta(**period)
        return self.settle()

    def end(self, message: str = "", exit_code: int = 0, reason: str = "Completed", detail: str = "") -> Plan:
        """The pod of the run under way ends so, and its Job with it; then settle."""
        name = self.job_name
        self.pods[name] = Pod("llm", name, "Succeeded", message, exit_code, reason, detail)
        return self.end_job("Failed" if exit_code else "Complete")

    def end_job(self, how: str, reason: str = "") -> Plan:
        """The Job of the run under way ends so; then settle."""
        self.jobs[self.job_name] = replace(self.jobs[self.job_name], finished=how, reason=reason)
        return self.settle()

    def change(self, generation: int | None = None, **spec: Any) -> None:
        """Somebody edits the profile's spec."""
        metadata = self.profile.metadata
        after = generation or metadata.generation + 1
        self.profile = self.profile.model_copy(
            update={
                "metadata": metadata.model_copy(update={"generation": after}),
                "spec": self.profile.spec.model_copy(update=spec),
            }
        )

    def annotate(self, value: str) -> None:
        """Somebody sets profile-now."""
        annotations = {"steelyard.dev/profile-now": value}
        metadata = self.profile.metadata.model_copy(update={"annotations": annotations})
        self.profile = self.profile.model_copy(update={"metadata": metadata})

    def upgrade(self, digest: str | None = DIGEST, version: str | None = "1.0") -> None:
        """The engine says something else of itself."""
        self.backend, self.site = backend(digest, version), site(digest, version)

    @property
    def status(self) -> ModelProfileStatus:
        """The profile's status."""
        return self.profile.status

    @property
    def run(self) -> Run:
        """The last run."""
        assert self.status.run is not None
        return self.status.run

    @property
    def job_name(self) -> str:
        """The last run's Job."""
        assert self.run.job_name is not None
        return self.run.job_name

    @property
    def is_measuring(self) -> bool:
        """Whether a run is under way."""
        return runs.is_under_way(self.status)

    def said(self, condition: str) -> tuple[str, str]:
        """Status and reason of a condition."""
        found = self.condition(condition)
        return found.status.value, found.reason

    def condition(self, condition: str) -> Condition:
        """A condition."""
        found = conditions.find(self.status.conditions, condition)
        assert found is not None, condition
        return found

    def _check_times(self, after: tuple[Condition, ...]) -> None:
        for new in after:
            old = conditions.find(self.status.conditions, new.type)
            if old is not None and old.status is new.status:
                assert new.last_transition_time == old.last_transition_time, new.type
            else:
                assert new.last_transition_time == self.now.replace(microsecond=0), new.type


def measured(**fields: Any) -> Story:
    """A story whose first run has ended well."""
    story = Story(**fields)
    story.settle()
    story.end(GOOD)
    return story
