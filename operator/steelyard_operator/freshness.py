"""Whether a measurement still holds; if not, why, and whether that asks for a new run. Pure.

Rule 1. What an engine or an exporter does not tell is no change, nor is what it tells for the first time.
Rule 2. A change is always told; it asks for a run where spec.refresh.onChange is true.
Rule 3. One run for one drift: where the new measurement drifts as well, the engine is not to blame, and
        another run follows a day later at the soonest.
Rule 4. A fingerprint without a time, as people write it, is as old as the last run if that succeeded. If not,
        and if age was why that run began, it still is too old.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from steelyard.api import conditions
from steelyard.api.backend import LLMBackend, ObservedModel
from steelyard.api.conditions import Fact
from steelyard.api.meta import PROFILE_NOW, ConditionStatus
from steelyard.api.profile import Fingerprint, ModelProfile, ModelProfileStatus
from steelyard_operator import gpus
from steelyard_operator.drift import Drift, Verdict
from steelyard_profiler import workload

DRIFT_PAUSE = timedelta(days=1)
"""Between two runs for drift."""

STALE = {
    "NotMeasured": "No run has succeeded yet.",
    "SpecChanged": "The spec changed since: suite or seed are others.",
    "SuiteChanged": "Steelyard has a newer version of the suite.",
    "ModelChanged": "The engine reports another digest of the model.",
    "EngineChanged": "The engine reports another version.",
    "GpuChanged": "Other GPUs are behind the engine.",
    "TooOld": "The measurement is older than spec.refresh.maxAgeHours.",
    "Drifted": "Gateways see another speed than was measured.",
}
"""Why a measurement does not hold any more, by the reason of Fresh."""

_CHANGES = frozenset({"SuiteChanged", "ModelChanged", "EngineChanged", "GpuChanged", "Drifted"})
"""What asks for a run only where spec.refresh.onChange is true."""

_SUITE = re.compile(r"(\w+)/(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Stale:
    """Why a measurement holds no longer."""

    reason: str
    """As Fresh says it."""
    message: str
    """A sentence or two."""
    asks_for_run: bool
    """Whether the model is to be measured again for it."""


def stale(profile: ModelProfile, backend: LLMBackend | None, drift: Drift, now: datetime) -> Stale | None:
    """Why what was measured holds no longer; None while it does."""
    mark = profile.status.fingerprint
    if mark is None or profile.status.quality is None:
        return Stale("NotMeasured", STALE["NotMeasured"], True)
    for reason, detail in (
        _of_spec(profile, mark),
        _of_engine(profile, mark, backend),
        _of_age(profile, now),
        _of_drift(profile, mark, drift),
    ):
        if reason:
            return _stale(profile, reason, detail, now)
    return None


def fact(found: Stale | None) -> Fact:
    """The condition Fresh."""
    return (
        Fact("Fresh", True, "Current") if found is None else Fact("Fresh", False, found.reason, found.message)
    )


def digest(models: Iterable[ObservedModel], model: str) -> str | None:
    """The digest that an engine tells of this model; None where it tells none."""
    return next((one.digest for one in models if one.name == model), None)


def measured_at(status: ModelProfileStatus) -> datetime | None:
    """When it was measured; None where that is not known."""
    mark, run = status.fingerprint, status.run
    if mark is not None and mark.time is not None:
        return mark.time
    said = conditions.find(status.conditions, "Succeeded")
    has_failed = said is not None and said.status is ConditionStatus.FALSE
    return None if mark is None or run is None or has_failed else run.completion_time


def _stale(profile: ModelProfile, reason: str, detail: str, now: datetime) -> Stale:
    message = f"{STALE[reason]} {detail}".strip()
    if reason not in _CHANGES:
        return Stale(reason, message, True)
    if not profile.spec.refresh.on_change:
        return Stale(
            reason, f"{message} spec.refresh.onChange is false: {PROFILE_NOW} asks for a run.", False
        )
    return Stale(reason, message, reason != "Drifted" or not _was_run_for_drift(profile, now))


def _of_spec(profile: ModelProfile, mark: Fingerprint) -> tuple[str, str]:
    spec, wanted = profile.spec, _SUITE.fullmatch(workload.version(profile.spec.suite))
    measured = _SUITE.fullmatch(mark.suite)
    if mark.seed != spec.seed or wanted is None or measured is None or measured[1] != wanted[1]:
        return "SpecChanged", ""
    if int(measured[2]) < int(wanted[2]):
        return "SuiteChanged", f"{mark.suite} was measured, {wanted[0]} is asked now."
    return "", ""


def _of_engine(profile: ModelProfile, mark: Fingerprint, backend: LLMBackend | None) -> tuple[str, str]:
    if backend is None:
        return "", ""
    told = backend.status  # what all endpoints agree on: of some that differ, none tells of a change
    gpu = gpus.name(told)
    for reason, measured, present in (
        ("ModelChanged", mark.model_digest, digest(told.models, profile.spec.model)),
        ("EngineChanged", mark.engine_version, told.engine_version),
        ("GpuChanged", mark.gpu, gpu),
    ):
        if measured is not None and present is not None and measured != present:
            return reason, f"Now it is {present}; {measured} was measured."
    return "", ""


def _of_age(profile: ModelProfile, now: datetime) -> tuple[str, str]:
    since, run = measured_at(profile.status), profile.status.run
    age = timedelta(hours=profile.spec.refresh.max_age_hours)
    if since is None:
        return ("TooOld", "") if run is not None and run.reason == "TooOld" else ("", "")
    return ("TooOld", "") if now - since > age else ("", "")


def _of_drift(profile: ModelProfile, mark: Fingerprint, drift: Drift) -> tuple[str, str]:
    """By what is known; where that is nothing yet, what was said before of the same measurement stands."""
    if profile.spec.refresh.drift_percent == 0 or mark.time is None:
        return "", ""
    if drift.measured_at == mark.time and drift.verdict is not Verdict.UNDECIDED:
        return ("Drifted", drift.words) if drift.verdict is Verdict.DRIFTED else ("", "")
    said = conditions.find(profile.status.conditions, "Fresh")
    stands = (
        drift.verdict is not Verdict.UNREACHABLE
        and said is not None
        and (said.status, said.reason) == (ConditionStatus.FALSE, "Drifted")
        and said.last_transition_time is not None
        and said.last_transition_time >= mark.time
    )
    if not stands or said is None:
        return "", ""
    return "Drifted", _detail(said.message)


def _detail(message: str) -> str:
    """What a condition said beside the sentence of its reason."""
    said = message.removeprefix(STALE["Drifted"]).partition("spec.refresh.onChange")[0]
    return said.strip()


def _was_run_for_drift(profile: ModelProfile, now: datetime) -> bool:
    """Whether the last run was for drift, has succeeded, and is not a day old."""
    run = profile.status.run
    if run is None or run.reason != "Drifted" or run.completion_time is None:
        return False
    succeeded = conditions.holds(profile.status.conditions, "Succeeded")
    return succeeded and now - run.completion_time < DRIFT_PAUSE
