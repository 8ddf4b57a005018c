"""The profiling Job: its manifest, and what is read of it and of its pod. Pure.

Invariant: the pod fits PodSecurity `restricted`, holds no token, and its name follows from the profile and
the run before, so that whoever makes it twice makes it once.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from steelyard.api.backend import LLMBackend
from steelyard.api.measuring import JobResources
from steelyard.api.profile import ModelProfile
from steelyard.api.signals import GpuExporter
from steelyard.egress.proxies import DIRECT, Egress
from steelyard.kube.kinds import JOB, MODEL_PROFILE, Object
from steelyard.routing.table import Endpoint
from steelyard_operator import handing
from steelyard_operator.handing import Handed

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
"""Label of everything that the operator makes."""

MANAGED_BY = "steelyard-operator"
"""The value of `MANAGED_BY_LABEL`; also the field manager."""

MANAGED = f"{MANAGED_BY_LABEL}={MANAGED_BY}"
"""Label selector of what the operator makes."""

START_SECONDS = 300
"""Beyond the run itself: scheduling and pulling the image."""

KEPT_SECONDS = 3600
"""How long a Job whose result was read stays, for its log."""

_JOB_NAME_LABEL = "batch.kubernetes.io/job-name"

_USER = 65532

_DEFAULT_RESOURCES = {
    "requests": {"cpu": "100m", "memory": "128Mi"},
    "limits": {"memory": "256Mi"},
}
"""One request at a time over few sockets; a run was seen to take less than half of it."""

_UNPRIVILEGED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "privileged": False,
    "readOnlyRootFilesystem": True,
}

_NO_SIDECARS = {"sidecar.istio.io/inject": "false", "linkerd.io/inject": "disabled"}
"""Annotations of the pod: a sidecar would outlive the run."""

_RUN_ANNOTATION = "steelyard.dev/run"
_BACKEND_ANNOTATION = "steelyard.dev/backend"


@dataclass(frozen=True, slots=True)
class Mark:
    """What a run was begun for and on; its Job carries it."""

    cause: str = ""
    """Digest of all that makes another attempt worth while."""
    generation: int = 0
    """The profile's generation."""
    asked: str = ""
    """The annotation profile-now."""
    attempts: int = 1
    """Runs for this cause, this one included."""
    endpoint: str = ""
    """The address that is measured, as host:port."""
    model_digest: str | None = None
    """Of the model on it, where its engine tells."""
    engine_version: str | None = None
    """Of the engine on it, where it tells."""
    gpu: str | None = None
    """The GPUs behind it, where an exporter tells."""
    reason: str = ""
    """Why it was begun, as Fresh says it, or Asked."""
    quality_only: bool = False
    """Whether the engine was waited for in vain, so that speed is not measured."""


_MARK = TypeAdapter(Mark)


@dataclass(frozen=True, slots=True)
class Job:
    """What is read of a Job."""

    namespace: str
    """Its namespace."""
    name: str
    """Its name."""
    uid: str
    """Its identifier; empty between the decision to make it and the API server's answer."""
    profile: str
    """The ModelProfile that it measures; empty where it has no such owner."""
    backend: str
    """The LLMBackend that it measures."""
    created: datetime | None
    """When it was made."""
    mark: Mark = Mark()
    """What the run is for."""
    finished: str = ""
    """Complete or Failed; empty while it runs."""
    reason: str = ""
    """Why it failed, as Kubernetes says it."""
    has_ttl: bool = False
    """Whether Kubernetes removes it by itself."""


@dataclass(frozen=True, slots=True)
class Pod:
    """What is read of a Job's pod."""

    namespace: str
    """Its namespace."""
    job: str
    """Its Job."""
    phase: str
    """Pending, Running, Succeeded, Failed."""
    message: str
    """What its container left as termination message; empty while it runs."""
    exit_code: int | None
    """How its container ended; None while it runs."""
    reason: str
    """Why it ended, or what it waits for, as Kubernetes says it: OOMKilled, ImagePullBackOff."""
    detail: str
    """The sentence to that reason."""


def next_name(profile: ModelProfile) -> str:
    """The name of the Job of the profile's next run; it follows from the last run's."""
    run = profile.status.run
    text = f"{profile.metadata.uid}\n{(run.job_name if run else None) or ''}"
    return f"mprof-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def manifest(
    profile: ModelProfile,
    backend: LLMBackend,
    endpoint: Endpoint,
    mark: Mark,
    *,
    image: str,
    ca_in_secret: bool = False,
    exporter: GpuExporter | None = None,
    egress: Egress = DIRECT,
) -> Object:
    """The Job of the profile's next run, which measures its model at this endpoint.

    `ca_in_secret`: what tls.caRef names is a Secret, not a ConfigMap. `exporter`: who tells of its GPUs.
    `egress`: how what is outside is reached.
    """
    spec = profile.spec
    labels = {MANAGED_BY_LABEL: MANAGED_BY}
    annotations = {
        "steelyard.dev/model": spec.model,
        _BACKEND_ANNOTATION: backend.name,
        _RUN_ANNOTATION: json.dumps(asdict(mark)),
    }
    arguments = _arguments(profile, backend, endpoint)
    if mark.quality_only:
        arguments.append("--quality-only=true")
    if exporter is not None:
        arguments += [f"--gpu-url={exporter.url}", f"--gpu-uuids={','.join(exporter.uuids)}"]
    handed = handing.handed(backend, endpoint, egress, ca_in_secret=ca_in_secret)
    pod = _pod(profile, handed, arguments)
    pod["containers"][0]["image"] = image
    return {
        "apiVersion": JOB.api_version,
        "kind": JOB.kind,
        "metadata": {
            "name": next_name(profile),
            "namespace": profile.namespace,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [owner(profile, MODEL_PROFILE.api_version)],
        },
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": spec.limits.max_duration_seconds + START_SECONDS,
            "template": {
                "metadata": {
                    "labels": labels | {"sidecar.istio.io/inject": "false"},
                    "annotations": _NO_SIDECARS | handed.annotations,
                },
                "spec": pod,
            },
        },
    }


def _pod(profile: ModelProfile, handed: Handed, arguments: list[str]) -> dict[str, Any]:
    """The pod's spec, but for the image."""
    options = profile.spec.job
    container: dict[str, Any] = {
        "name": "profiler",
        "command": ["python", "-m", "steelyard_profiler"],
        # Kubernetes expands $(NAME) in arguments and reads $$ as $.
        "args": [one.replace("$", "$$") for one in arguments] + [*handed.arguments],
        "resources": _resources(options.resources),
        "securityContext": _UNPRIVILEGED,
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "volumeMounts": [*handed.mounts],
    }
    if handed.environment:
        container["env"] = [*handed.environment]
    placed = options.model_dump(
        mode="json", by_alias=True, exclude={"resources"}, exclude_defaults=True, exclude_none=True
    )
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [*handed.volumes],
        **placed,
    }


def _resources(stated: JobResources) -> dict[str, dict[str, str]]:
    """What is stated, and our defaults for what is not named: half of ours may not fit half of theirs."""
    named = {*stated.requests, *stated.limits}
    both = {"requests": stated.requests, "limits": stated.limits}
    return {
        part: {name: amount for name, amount in _DEFAULT_RESOURCES[part].items() if name not in named} | given
        for part, given in both.items()
    }


def owner(of: ModelProfile | LLMBackend, api_version: str) -> Object:
    """The reference by which an object goes when this one does, and does not hold it up."""
    return owner_reference(api_version, of.kind, of.name, of.metadata.uid)


def owner_reference(api_version: str, kind: str, name: str, uid: str) -> Object:
    """The same for an object of which no more is known."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def of(value: Object) -> Job:
    """What is read of this Job."""
    metadata, status = value["metadata"], value.get("status") or {}
    owners = [one["name"] for one in metadata.get("ownerReferences", ()) if one["kind"] == MODEL_PROFILE.kind]
    ended = [
        condition
        for condition in status.get("conditions") or ()
        if condition["type"] in ("Complete", "Failed") and condition["status"] == "True"
    ]
    created, annotations = metadata.get("creationTimestamp"), metadata.get("annotations") or {}
    return Job(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        profile=owners[0] if owners else "",
        backend=annotations.get(_BACKEND_ANNOTATION, ""),
        created=datetime.fromisoformat(created) if created else None,
        mark=_mark(annotations.get(_RUN_ANNOTATION, "")),
        finished=ended[0]["type"] if ended else "",
        reason=ended[0].get("reason", "") if ended else "",
        has_ttl="ttlSecondsAfterFinished" in value.get("spec", {}),
    )


def pods_of(job: Job) -> str:
    """The label selector of this Job's pods."""
    return f"{_JOB_NAME_LABEL}={job.name}"


def pod_of(value: Object) -> Pod:
    """What is read of this pod."""
    metadata, status = value["metadata"], value.get("status") or {}
    states = [one.get("state") or {} for one in status.get("containerStatuses") or ()]
    ended: Mapping[str, Any] = next((one["terminated"] for one in states if "terminated" in one), {})
    waiting: Mapping[str, Any] = next((one["waiting"] for one in states if "waiting" in one), {})
    unscheduled: Mapping[str, Any] = next(
        (
            one
            for one in status.get("conditions") or ()
            if one["type"] == "PodScheduled" and one["status"] == "False"
        ),
        {},
    )
    why = ended or waiting or unscheduled
    # What could not start or was killed left no report: the message is the kubelet's own.
    is_report = ended.get("reason", "Completed") in ("Completed", "Error")
    return Pod(
        namespace=metadata["namespace"],
        job=metadata.get("labels", {}).get(_JOB_NAME_LABEL, ""),
        phase=status.get("phase", ""),
        message=ended.get("message", "") if is_report else "",
        exit_code=ended.get("exitCode"),
        reason=why.get("reason", "") or status.get("reason", ""),
        detail="" if ended and is_report else why.get("message", "") or status.get("message", ""),
    )


def _mark(text: str) -> Mark:
    """What the annotation says; nothing where a person changed it."""
    try:
        return _MARK.validate_json(text, strict=True)
    except ValidationError:
        return Mark()


def _arguments(profile: ModelProfile, backend: LLMBackend, endpoint: Endpoint) -> list[str]:
    spec = profile.spec
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    arguments = [
        f"--url={endpoint.scheme}://{host}:{endpoint.port}{endpoint.base_path}",
        f"--model={spec.model}",
        f"--engine={backend.spec.engine}",
        f"--suite={spec.suite}",
        f"--seed={spec.seed}",
        f"--load-concurrency={','.join(map(str, spec.load.concurrency))}",
        f"--load-prompt-tokens={spec.load.prompt_tokens}",
        f"--load-output-tokens={spec.load.output_tokens}",
        f"--max-tokens={spec.limits.max_tokens}",
        f"--max-duration-seconds={spec.limits.max_duration_seconds}",
        f"--only-when-idle={str(spec.limits.only_when_idle).lower()}",
        f"--connect-seconds={backend.spec.timeouts.connect_seconds}",
        f"--first-byte-seconds={backend.spec.timeouts.first_byte_seconds}",
        f"--idle-seconds={backend.spec.timeouts.idle_seconds}",
        "--termination-log=/dev/termination-log",
    ]
    if backend.spec.max_concurrency is not None:
        arguments.append(f"--max-concurrency={backend.spec.max_concurrency}")
    declared = backend.spec.declared(spec.model)
    if declared is not None and declared.context_tokens is not None:
        arguments.append(f"--context-tokens={declared.context_tokens}")
    if backend.spec.metrics.engine.path is not None:
        arguments.append(f"--metrics-path={backend.spec.metrics.engine.path}")
    return [*arguments, f"--server-name={endpoint.server_name}"] if endpoint.server_name else arguments
