"""A profile's Events: the story that kubectl describe tells of it, from one status to the next. Pure.

Rule. Each tells of a change that is being written, so that a look that changes nothing tells nothing.
"""

from collections.abc import Iterator

from steelyard.api import conditions
from steelyard.api.meta import Condition, ConditionStatus
from steelyard.api.profile import ModelProfileStatus
from steelyard_operator import runs
from steelyard_operator.plans import Note, NoteType

BUSY = "has no request under way."
"""So ends the sentence of a profile that waits for an idle engine."""


def notes(before: ModelProfileStatus, after: ModelProfileStatus, *, quality_only: bool) -> tuple[Note, ...]:
    """What a person would want to read of this change, in the order in which it came about.

    `quality_only`: of a run that begins, whether it leaves speed out.
    """
    return (
        *_ended(before, after),
        *_freshness(before, after),
        *_waits(before, after),
        *_began(before, after, quality_only=quality_only),
    )


def _ended(before: ModelProfileStatus, after: ModelProfileStatus) -> Iterator[Note]:
    """The run that is over."""
    succeeded = conditions.find(after.conditions, "Succeeded")
    if not runs.is_under_way(before) or runs.is_under_way(after) or succeeded is None:
        return
    if succeeded.status is not ConditionStatus.TRUE:
        stands = " What was measured before stands." if after.quality is not None else ""
        message = f"{succeeded.message or 'The run ended.'}{stands}"
        yield Note(NoteType.WARNING, succeeded.reason, message)
        return
    overall = after.quality.overall if after.quality is not None else None
    if overall is not None:
        low, high = overall.low_percent, overall.high_percent
        interval = f" ({low} to {high} %)" if low is not None and high is not None else ""
        message = f"The model scores {overall.score_percent} %{interval}."
        yield Note(NoteType.NORMAL, "Measured", f"{message} {succeeded.message}".strip())


def _freshness(before: ModelProfileStatus, after: ModelProfileStatus) -> Iterator[Note]:
    """Whether the measurement holds, where that is news."""
    earlier, now = conditions.find(before.conditions, "Fresh"), conditions.find(after.conditions, "Fresh")
    if before.quality is None or earlier is None or now is None or _said(earlier) == _said(now):
        return
    if now.status is ConditionStatus.FALSE:
        kind = NoteType.WARNING if now.reason == "Drifted" else NoteType.NORMAL
        yield Note(kind, now.reason, now.message)
    elif not runs.is_under_way(before):
        yield Note(NoteType.NORMAL, now.reason, "The measurement holds again.")


def _waits(before: ModelProfileStatus, after: ModelProfileStatus) -> Iterator[Note]:
    """That an idle engine is waited for."""
    words = _waiting(after)
    if words and not _waiting(before):
        yield Note(NoteType.NORMAL, "WaitingForIdle", words)


def _began(before: ModelProfileStatus, after: ModelProfileStatus, *, quality_only: bool) -> Iterator[Note]:
    """The run that is begun."""
    run = after.run
    if run is None or not runs.is_under_way(after) or runs.is_under_way(before):
        return
    why = f" ({run.reason})" if run.reason else ""
    slow = " Only quality: the engine had other requests all the time." if quality_only else ""
    yield Note(NoteType.NORMAL, "RunBegan", f"Job {run.job_name} measures the model{why}.{slow}")


def _waiting(status: ModelProfileStatus) -> str:
    """The sentence of a profile that waits for an idle engine; empty where it does not."""
    ready = conditions.find(status.conditions, "Ready")
    said = (status.run.message if status.run else "", ready.message if ready else "")
    return next((words for words in said if words.endswith(BUSY)), "")


def _said(condition: Condition) -> tuple[str, str]:
    return condition.status, condition.reason
