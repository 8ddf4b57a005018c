"""The plan for a ModelProfile: its run, its conditions, its end. Pure.

Rule 1. A run is begun when something is due and nothing is in its way; how it then goes is `runs`' business.
Rule 2. An automatic profile whose model has been gone for `retainHours` is deleted; one made by hand stays.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from steelyard.api import conditions
from steelyard.api.backend import LLMBackend
from steelyard.api.conditions import Fact
from steelyard.api.meta import PROFILE_NOW, ConditionStatus
from steelyard.api.profile import ModelProfile, ModelProfileStatus
from steelyard.egress.proxies import DIRECT, Egress
from steelyard.kube import kinds
from steelyard.routing.table import Problem
from steelyard_operator import facts, freshness, jobs, runs, telling
from steelyard_operator.plans import DONE, Deletion, Plan
from steelyard_operator.queue import Outcome, Wait
from steelyard_operator.runs import Seen
from steelyard_profiler.target import Failure

LEAST_WAIT_SECONDS = 1.0
"""A wait is at least this long: clocks of seconds are rounded."""

_SUSPENDED = Failure("Suspended", "spec.suspend ended the run: set it to false for another one.")

_NOT_AS_ASKED = ("NotMeasured", "SpecChanged")
"""Of these the reasons for which the spec is not met."""

GIVEN_UP = "No further attempt is made until the spec or the annotation steelyard.dev/profile-now changes."
"""What is said before the reason of the last failure."""


def plan(seen: Seen, problems: Iterable[Problem], image: str, egress: Egress = DIRECT) -> Plan:
    """What is to be done for this profile; its Job runs this image, and reaches what is outside this way."""
    profile = seen.profile
    *resolved, read = facts.of_problems(problems, ("Accepted", "ResolvedRefs", "Ready"))
    excluded = next((fact for fact in resolved if not fact.holds), None)
    gone = seen.backend is not None and _is_gone(seen.backend, profile.spec.model)
    if gone and _has_expired(seen):
        uid = profile.metadata.uid
        return Plan(deletions=(Deletion(kinds.MODEL_PROFILE, profile.name, uid),))
    made = _run_plan(seen, excluded, is_gone=gone, image=image, egress=egress)
    status = made.status if isinstance(made.status, ModelProfileStatus) else profile.status
    judged = [*_succeeded(profile.status, status), *_judged(seen, status, excluded, made, is_gone=gone)]
    if read.reason == "BitmapInvalid" and status.quality == profile.status.quality:
        judged = [read if (one.type, one.holds) == ("Ready", True) else one for one in judged]
    accepted, ready = resolved[0], judged[-1]
    progress = facts.of_progress(accepted, None if excluded or gone else _at_work(seen, status, ready))
    status = _with_conditions(seen, status, [*resolved, *judged, *progress])
    since = (profile.status.gone_since or seen.now.replace(microsecond=0)) if gone else None
    update: dict[str, Any] = {"observed_generation": profile.metadata.generation, "gone_since": since}
    status = status.model_copy(update=update)
    quality_only = seen.job.mark.quality_only if seen.job is not None else seen.has_waited_out
    return replace(
        made,
        status=status if status != profile.status else None,
        notes=telling.notes(profile.status, status, quality_only=quality_only),
        outcome=_outcome(seen, made.outcome, is_gone=gone),
    )


def _run_plan(seen: Seen, excluded: Fact | None, *, is_gone: bool, image: str, egress: Egress) -> Plan:
    """What is to be done about runs."""
    status = seen.profile.status
    if runs.is_under_way(status):
        return _under_way(seen)
    if seen.job is not None:  # made, and the status that says so was lost
        run = runs.begun(seen.job.name, seen.job.mark, seen.job.created or seen.now)
        return Plan(status=status.model_copy(update={"run": run}))
    why = runs.due(seen)
    if not why or excluded or is_gone or seen.profile.spec.suspend or seen.backend is None:
        return _waiting(status, "", DONE)
    pause = runs.pause_seconds(seen)
    if pause is None:
        return _waiting(status, f"{runs.MOST_ATTEMPTS} attempts failed: {_ASK_AGAIN}", DONE)
    if pause > 0:
        attempt = (status.run.attempts or 0) + 1 if status.run else 1
        message = f"Attempt {attempt} follows after a pause."
        return _waiting(status, message, Wait(pause, "pause before the next attempt"))
    if seen.obstacle or seen.site is None:
        return _waiting(status, seen.obstacle, Wait(runs.LOOK_SECONDS, seen.obstacle))
    if not seen.is_idle and not seen.has_waited_out:
        message = f"Waits until {seen.site.endpoint.name} {telling.BUSY}"
        return _waiting(status, message, Wait(runs.IDLE_LOOK_SECONDS, message))
    mark = runs.next_mark(seen)
    job = jobs.manifest(
        seen.profile,
        seen.backend,
        seen.site.endpoint,
        mark,
        image=image,
        ca_in_secret=seen.ca_in_secret,
        exporter=seen.site.exporter,
        egress=egress,
    )
    run = runs.begun(jobs.next_name(seen.profile), mark, seen.now)
    return Plan(job=job, status=status.model_copy(update={"run": run}))


_ASK_AGAIN = "mend what Succeeded says, then set the annotation steelyard.dev/profile-now to a new value."


def _under_way(seen: Seen) -> Plan:
    """The run goes on, ends, or is ended."""
    profile, job = seen.profile, seen.job
    if profile.spec.suspend and (job is None or not job.finished):
        ended = () if job is None else (Deletion(kinds.JOB, job.name, job.uid),)
        status = runs.finished(seen, _SUSPENDED)
        run = status.run and status.run.model_copy(update={"asked": None})  # what was asked for is still due
        return Plan(deletions=ended, status=status.model_copy(update={"run": run}))
    if job is None or job.finished:
        kept = () if job is None or job.has_ttl else (job.name,)
        return Plan(status=runs.finished(seen), kept_jobs=kept)
    return _waiting(profile.status, _progress(seen), DONE)


def _progress(seen: Seen) -> str:
    """What the run's pod is doing, in a sentence."""
    pod = seen.pod
    if pod is None:
        return "The Job has no pod yet: kubectl describe job tells more if it stays so."
    if pod.phase == "Pending" and pod.detail:
        return f"The Job's pod waits: {pod.reason}: {pod.detail}"[:1000]
    return "Measuring." if pod.phase == "Running" else "The Job's pod is being started."


def _waiting(status: ModelProfileStatus, message: str, outcome: Outcome) -> Plan:
    """Nothing but a sentence on what is waited for, where there was a run to say it of."""
    if status.run is None or status.run.message == message:
        return Plan(outcome=outcome)
    run = status.run.model_copy(update={"message": message})
    return Plan(status=status.model_copy(update={"run": run}), outcome=outcome)


def _judged(
    seen: Seen, status: ModelProfileStatus, excluded: Fact | None, made: Plan, *, is_gone: bool
) -> Iterable[Fact]:
    """Fresh and Ready."""
    after = replace(seen, profile=seen.profile.model_copy(update={"status": status}))
    yield freshness.fact(runs.stale(after))
    if excluded:
        yield Fact("Ready", False, excluded.reason, excluded.message)
    elif is_gone:
        backend, model = seen.profile.spec.backend_ref.name, seen.profile.spec.model
        yield Fact("Ready", False, "ModelGone", f"LLMBackend {backend} does not serve {model} any more.")
    elif status.quality is not None:
        yield Fact("Ready", True, "Measured")
    elif seen.profile.spec.priors:
        yield Fact("Ready", True, "PriorsOnly", "Nothing was measured here: decisions go by spec.priors.")
    else:
        yield _not_measured(seen, status, made)


def _not_measured(seen: Seen, status: ModelProfileStatus, made: Plan) -> Fact:
    """Why there is no measurement yet."""
    succeeded = conditions.find(status.conditions, "Succeeded")
    if runs.is_under_way(status):
        return Fact("Ready", False, "Measuring", "The first run is under way.")
    if seen.profile.spec.suspend:
        return Fact("Ready", False, "Suspended", "spec.suspend is true: set it to false to have it measured.")
    if succeeded is not None:
        return Fact("Ready", False, "NotMeasured", "No run has succeeded yet: see Succeeded.")
    if not runs.due(seen):
        message = f"Set the annotation {PROFILE_NOW} to have this External model measured."
        return Fact("Ready", False, "NotAsked", message)
    why = made.outcome.reason if isinstance(made.outcome, Wait) else "The first run is about to begin."
    return Fact("Ready", False, "Waiting", why)


def _at_work(seen: Seen, status: ModelProfileStatus, ready: Fact) -> Fact | None:
    """What is done so that the model is measured as the spec says, or that no more is; None: nothing.

    A measurement that is only old, or of another version, is one all the same.
    """
    after = replace(seen, profile=seen.profile.model_copy(update={"status": status}))
    stale = runs.stale(after)
    if stale is None or stale.reason not in _NOT_AS_ASKED or seen.profile.spec.suspend:
        return None
    why = replace(ready, type="Reconciling", holds=True)
    if ready.holds:
        why = replace(why, reason=stale.reason, message=stale.message)
    if runs.is_under_way(status):
        return why
    if not runs.due(after):
        return None
    failed = conditions.find(status.conditions, "Succeeded")
    if runs.pause_seconds(after) is not None or failed is None:
        return why
    return replace(why, type="Stalled", reason=failed.reason, message=f"{GIVEN_UP} {failed.message}")


def _succeeded(before: ModelProfileStatus, after: ModelProfileStatus) -> Iterable[Fact]:
    """How a run ended, where one did just now."""
    said = conditions.find(after.conditions, "Succeeded")
    if said is not None and said != conditions.find(before.conditions, "Succeeded"):
        yield Fact(said.type, said.status is ConditionStatus.TRUE, said.reason, said.message)


def _with_conditions(seen: Seen, status: ModelProfileStatus, found: Sequence[Fact]) -> ModelProfileStatus:
    """The status with these facts over the conditions as they were, so that none is dated anew in between."""
    profile = seen.profile
    now = conditions.with_every_fact(profile.status.conditions, found, profile.metadata.generation, seen.now)
    return status.model_copy(update={"conditions": now})


def _is_gone(backend: LLMBackend, model: str) -> bool:
    """Whether the backend's models are known, be it that there are none, and this is none of them."""
    served = facts.served_models(backend)
    told = bool(served) or conditions.holds(backend.status.conditions, "Reachable")
    return told and model not in served


def _has_expired(seen: Seen) -> bool:
    profile, since, backend = seen.profile, seen.profile.status.gone_since, seen.backend
    if since is None or backend is None or not is_automatic(profile, backend):
        return False
    return seen.now - since >= timedelta(hours=backend.spec.profiling.retain_hours)


def is_automatic(profile: ModelProfile, backend: LLMBackend) -> bool:
    """Whether the operator made this profile for this backend."""
    return any(owner.uid == backend.metadata.uid for owner in profile.metadata.owner_references)


def _outcome(seen: Seen, of_run: Outcome, *, is_gone: bool) -> Outcome:
    """When to look again: what the run waits for, or the measurement's age."""
    if isinstance(of_run, Wait):
        return Wait(max(of_run.seconds, LEAST_WAIT_SECONDS), of_run.reason)
    since, backend = freshness.measured_at(seen.profile.status), seen.backend
    if is_gone and backend is not None:
        return Wait(
            backend.spec.profiling.retain_hours * 3600 + LEAST_WAIT_SECONDS, "the model may come back"
        )
    if since is None:
        return DONE
    age = timedelta(hours=seen.profile.spec.refresh.max_age_hours)
    left = (since + age - seen.now).total_seconds()
    return Wait(left + LEAST_WAIT_SECONDS, "the measurement grows old") if left > 0 else DONE
