"""Carries plans out: what is already so counts as done, what the API server refuses is told and tried later.

Invariant: a status is written only over the state that the plan was made from.
"""

import logging
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from steelyard.api import conditions
from steelyard.api.backend import LLMBackend
from steelyard.api.policy import RoutingPolicy
from steelyard.api.profile import ModelProfile, ModelProfileStatus
from steelyard.api.resources import Key
from steelyard.kube import errors, kinds
from steelyard.kube.client import Client
from steelyard.kube.kinds import Kind, Object
from steelyard_operator import jobs, runs
from steelyard_operator.metrics import Metrics
from steelyard_operator.plans import AnyStatus, Note, NoteType, Plan
from steelyard_operator.queue import Outcome, Wait
from steelyard_operator.world import World
from steelyard_profiler.target import Failure

AnyOurs = LLMBackend | ModelProfile | RoutingPolicy

AGAIN_SECONDS = 1.0
"""After a write that met a newer state."""

REFUSED_SECONDS = 60.0
"""After the API server refused."""

FORBIDDEN_SECONDS = 10.0
"""After it did for want of rights: one that has just started may not have read them yet."""

AWAY_SECONDS = 5.0
"""After it did not answer: it is back within seconds, or the lease is lost."""

_KINDS: dict[str, Kind] = {one.kind: one for one in kinds.OURS}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A profile that the API server does not want."""

    manifest: Object
    message: str
    until: float
    """Not tried again before, by the monotonic clock."""


class Executor:
    """The only one who writes to the API server."""

    def __init__(self, client: Client, world: World, metrics: Metrics, identity: str) -> None:
        self._client = client
        self._world = world
        self._metrics = metrics
        self._identity = identity
        self._refusals: dict[Key, _Refusal] = {}

    async def execute(self, of: AnyOurs, plan: Plan) -> Outcome:
        """Do what the plan says; when to look again."""
        try:
            try:
                await self._carry_out(of, plan)
            except (errors.Conflict, errors.NotFound):
                await self._read_anew(of)
                return Wait(AGAIN_SECONDS, "the object moved on")
        except errors.KubeError as error:
            self._metrics.api_failed(of.kind)
            fields = {"kind": of.kind, "object": f"{of.namespace}/{of.name}", "detail": str(error)}
            logger.warning("not written", extra=fields)
            return waiting_out(error)
        return plan.outcome

    async def _carry_out(self, of: AnyOurs, plan: Plan) -> None:
        """Write all that the plan says, and tell people."""
        status, notes = plan.status, plan.notes
        if plan.job is not None:
            refusal = await self._make_job(of.namespace, plan.job)
            if refusal is not None:
                assert isinstance(of, ModelProfile) and isinstance(status, ModelProfileStatus)
                status, notes = _refused(of, status, refusal), _refusal_notes(refusal)
        for deletion in plan.deletions:
            await self._client.delete(deletion.kind, of.namespace, deletion.name, deletion.uid)
        if status is not None:
            await self._write(of, status)
        for note in notes:
            await self._tell(of, note)
        for name in plan.kept_jobs:
            await self.keep_a_while(self._world.jobs[of.namespace, name])
        for manifest in plan.applies:
            await self._apply(of, manifest)

    async def keep_a_while(self, job: jobs.Job) -> None:
        """Have Kubernetes remove a Job that is over and read, some time later."""
        body = {"spec": {"ttlSecondsAfterFinished": jobs.KEPT_SECONDS}}
        with suppress(errors.NotFound):  # somebody was faster
            self._world.learn_job(job, await self._client.patch(kinds.JOB, job.namespace, job.name, body))

    async def _apply(self, of: AnyOurs, manifest: Object) -> None:
        """Make or change a profile; a refusal is told once as an Event, and it is tried again later.

        Nothing else waits for that: the backend's probes and its other profiles go on.
        """
        key = (of.namespace, manifest["metadata"]["name"])
        before = self._refusals.get(key)
        if before is not None and before.manifest == manifest and time.monotonic() < before.until:
            return
        try:
            await self._client.apply(kinds.MODEL_PROFILE, manifest, jobs.MANAGED_BY)
        except (errors.Invalid, errors.Forbidden) as refusal:
            self._metrics.api_failed(of.kind)
            until = time.monotonic() + waiting_out(refusal).seconds
            self._refusals[key] = _Refusal(manifest, refusal.message, until)
            if before is None or before.message != refusal.message:
                message = f"The API server refused ModelProfile {key[1]}: {refusal.message}"
                await self._tell(of, Note(NoteType.WARNING, "ProfileRefused", message))
        else:
            self._refusals.pop(key, None)

    async def _make_job(self, namespace: str, manifest: dict[str, object]) -> errors.Refused | None:
        """Make the Job; where the API server does not want it, why. Room for it is taken at once."""
        reserved = self._world.put_job(manifest)
        try:
            try:
                made = await self._client.create(kinds.JOB, manifest)
            except errors.AlreadyExists:
                made = await self._client.get(kinds.JOB, namespace, reserved.name)
        except errors.KubeError as error:
            self._world.learn_job(reserved, None)
            if isinstance(error, errors.Invalid | errors.Forbidden):
                return error
            raise
        self._world.learn_job(reserved, made)
        return None

    async def _read_anew(self, of: AnyOurs) -> None:
        """Learn the present state, in case that no watch will tell it."""
        kind = _KINDS[of.kind]
        try:
            self._world.learn(kind, of, await self._client.get(kind, of.namespace, of.name))
        except errors.NotFound:
            self._world.learn(kind, of, None)

    async def _write(self, of: AnyOurs, status: AnyStatus) -> None:
        plain = status.model_dump(mode="json", by_alias=True, exclude_none=True)
        kind, version = _KINDS[of.kind], of.metadata.resource_version
        written = await self._client.patch_status(kind, of.namespace, of.name, plain, version)
        self._metrics.status_written(of.kind)
        if isinstance(of, ModelProfile) and isinstance(status, ModelProfileStatus):
            self._count(of.status, status)
        self._world.learn(kind, of, written)

    def _count(self, before: ModelProfileStatus, after: ModelProfileStatus) -> None:
        """Count a run that has ended by what was just written, whatever becomes of the rest of the plan."""
        if runs.is_under_way(before) and not runs.is_under_way(after):
            self._metrics.run_ended(ok=conditions.holds(after.conditions, "Succeeded"))

    async def _tell(self, of: AnyOurs, note: Note) -> None:
        """Post an Event; one that cannot be posted is only logged."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        event = {
            "metadata": {"name": f"{of.name[:230]}.{secrets.token_hex(8)}", "namespace": of.namespace},
            "eventTime": now,
            "reportingController": "steelyard.dev/operator",
            "reportingInstance": self._identity[:128],
            "action": "Reconcile",
            "type": note.type,
            "reason": note.reason,
            "note": note.message[:1024],
            "regarding": {
                "apiVersion": of.api_version,
                "kind": of.kind,
                "name": of.name,
                "namespace": of.namespace,
                "uid": of.metadata.uid,
            },
        }
        try:
            await self._client.create(kinds.EVENT, event)
        except errors.KubeError as error:
            logger.warning("event not posted", extra={"reason": note.reason, "detail": str(error)})


def waiting_out(error: errors.KubeError) -> Wait:
    """When to try again after this."""
    match error:
        case errors.Forbidden():
            return Wait(FORBIDDEN_SECONDS, "the API server refused")
        case errors.TooMany() | errors.ServerFault():
            return Wait(AWAY_SECONDS, "the API server is busy")
        case errors.Refused():
            return Wait(REFUSED_SECONDS, "the API server refused")
        case _:
            return Wait(AWAY_SECONDS, "the API server did not answer")


def _refused(of: ModelProfile, begun: ModelProfileStatus, refusal: errors.Refused) -> ModelProfileStatus:
    """The status of a profile whose Job the API server does not want: a run that failed as it began."""
    failure = Failure("JobRefused", f"The API server refused the Job: {refusal.message}")
    seen = runs.Seen(of.model_copy(update={"status": begun}), datetime.now(UTC))
    return runs.finished(seen, failure)


def _refusal_notes(refusal: errors.Refused) -> tuple[Note, ...]:
    return (Note(NoteType.WARNING, "JobRefused", refusal.message),)
