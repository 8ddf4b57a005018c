"""Carries plans out: what is already so counts as done, what the API server refuses is told and tried later.

Invariant: a status is written only over the state that the plan was made from.
"""

import logging
import secrets
from datetime import UTC, datetime

from steelyard.api.backend import LLMBackend
from steelyard.api.conditions import Fact, with_facts
from steelyard.api.policy import RoutingPolicy
from steelyard.api.profile import ModelProfile
from steelyard.kube import errors, kinds
from steelyard.kube.client import Client
from steelyard.kube.kinds import Kind
from steelyard_operator import jobs
from steelyard_operator.metrics import Metrics
from steelyard_operator.plans import AnyStatus, Note, NoteType, Plan
from steelyard_operator.queue import Outcome, Wait
from steelyard_operator.world import World

AnyOurs = LLMBackend | ModelProfile | RoutingPolicy

AGAIN_SECONDS = 1.0
"""After a write that met a newer state: the watch brings that state."""

REFUSED_SECONDS = 60.0
"""After the API server refused or did not answer."""

_KINDS: dict[str, Kind] = {
    one.kind: one for one in (kinds.LLM_BACKEND, kinds.MODEL_PROFILE, kinds.ROUTING_POLICY)
}

logger = logging.getLogger(__name__)


class Executor:
    """The only one who writes to the API server."""

    def __init__(self, client: Client, world: World, metrics: Metrics, identity: str) -> None:
        self._client = client
        self._world = world
        self._metrics = metrics
        self._identity = identity

    async def execute(self, of: AnyOurs, plan: Plan) -> Outcome:
        """Do what the plan says; when to look again."""
        status = plan.status
        notes = plan.notes
        try:
            if plan.job is not None:
                refusal = await self._make_job(of.namespace, plan.job)
                if refusal is not None:
                    status, notes = _refused(of, refusal), _refusal_notes(refusal)
            for deletion in plan.deletions:
                await self._client.delete(deletion.kind, of.namespace, deletion.name, deletion.uid)
            for manifest in plan.applies:
                applied = await self._client.apply(kinds.MODEL_PROFILE, manifest, jobs.MANAGED_BY)
                self._world.put(applied)
            for name in plan.kept_jobs:
                body = {"spec": {"ttlSecondsAfterFinished": jobs.KEPT_SECONDS}}
                self._world.put_job(await self._client.patch(kinds.JOB, of.namespace, name, body))
            if status is not None:
                await self._write(of, status)
        except errors.Conflict:
            return Wait(AGAIN_SECONDS, "the object moved on")
        except errors.NotFound:
            return Wait(AGAIN_SECONDS, "an object went away")
        except errors.KubeError as error:
            self._metrics.api_failed(of.kind)
            fields = {"kind": of.kind, "object": f"{of.namespace}/{of.name}", "detail": str(error)}
            logger.warning("not written", extra=fields)
            return Wait(REFUSED_SECONDS, "the API server refused")
        for note in notes:
            await self._tell(of, note)
        return plan.outcome

    async def _make_job(self, namespace: str, manifest: dict[str, object]) -> errors.Refused | None:
        """Make the Job; where the API server does not want it, why. Room for it is taken at once."""
        reserved = self._world.put_job(manifest)
        try:
            self._world.put_job(await self._client.create(kinds.JOB, manifest))
        except errors.AlreadyExists:
            self._world.put_job(await self._client.get(kinds.JOB, namespace, reserved.name))
        except (errors.Invalid, errors.Forbidden) as refusal:
            self._world.remove_job((namespace, reserved.name))
            return refusal
        except errors.KubeError:
            self._world.remove_job((namespace, reserved.name))
            raise
        return None

    async def _write(self, of: AnyOurs, status: AnyStatus) -> None:
        plain = status.model_dump(mode="json", by_alias=True, exclude_none=True)
        version = of.metadata.resource_version
        written = await self._client.patch_status(_KINDS[of.kind], of.namespace, of.name, plain, version)
        self._metrics.status_written(of.kind)
        self._world.put(written)

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


def _refused(of: AnyOurs, refusal: errors.Refused) -> AnyStatus:
    """The status of a profile whose Job the API server does not want."""
    fact = Fact("Succeeded", False, "JobRefused", f"The API server refused the Job: {refusal.message}")
    found = with_facts(of.status.conditions, (fact,), of.metadata.generation, datetime.now(UTC))
    return of.status.model_copy(update={"conditions": found})


def _refusal_notes(refusal: errors.Refused) -> tuple[Note, ...]:
    return (Note(NoteType.WARNING, "JobRefused", refusal.message),)
