"""The plan for an LLMBackend: its status from what its endpoints said, and the profiles made for it. Pure.

Rule 1. What was not seen since the operator started stays as the status has it: a restart blanks nothing.
Rule 2. `Reachable`, `Uniform` and `Ready` are for people; only what the compiled table says excludes.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from steelyard.api import conditions
from steelyard.api.backend import (
    BackendSummary,
    LLMBackend,
    LLMBackendStatus,
    Location,
    ObservedModel,
    ProfilingMode,
)
from steelyard.api.conditions import Fact
from steelyard.api.meta import LocalObjectRef
from steelyard.api.profile import ModelProfile, automatic_name
from steelyard.kube.kinds import MODEL_PROFILE, Object
from steelyard.routing import endpoints
from steelyard.routing.table import Endpoint, Problem
from steelyard_operator import facts, gpus, jobs, profiles
from steelyard_operator.gpus import Sight
from steelyard_operator.plans import Note, NoteType, Plan
from steelyard_operator.probing import Description, Failure
from steelyard_operator.queue import Wait

TEMPLATE_ANNOTATION = "steelyard.dev/template"
"""Annotation of an automatic profile: a digest of the template that it was made from."""

MOST_NAMED = 10
"""So many things are named in a sentence, then their number is told."""


@dataclass(frozen=True, slots=True)
class EndpointView:
    """What is known of one endpoint."""

    endpoint: Endpoint
    """The endpoint."""
    answers: bool | None = None
    """Whether it counts as reachable; None: it was not asked yet."""
    failures: int = 0
    """Failed probes in a row."""
    failure: Failure | None = None
    """How the last probe failed."""
    description: Description | None = None
    """What it said of itself last."""


@dataclass(frozen=True, slots=True)
class Seen:
    """All that a backend's plan depends on."""

    backend: LLMBackend
    """The backend."""
    location: Location
    """Where it runs."""
    now: datetime
    """The present."""
    endpoints: tuple[EndpointView, ...] = ()
    """Its endpoints; none where it is not resolved or no pod is ready."""
    problems: tuple[Problem, ...] = ()
    """What the compiled table says of it."""
    profiles: tuple[ModelProfile, ...] = ()
    """The ModelProfiles that name it."""
    sights: tuple[Sight, ...] | None = None
    """What was told of GPUs near its endpoints; None: nobody was asked yet."""
    loaded: Fact | None = None
    """Whether its models are in memory as spec.memory wants; None: nothing is wanted, or known yet."""
    notes: tuple[Note, ...] = ()
    """What went wrong with that."""


def plan(seen: Seen) -> Plan:
    """What is to be done for this backend."""
    backend = seen.backend
    status = _observed(seen)
    after = backend.model_copy(update={"status": status})
    wanted, left = _wanted_profiles(seen, after)
    applies = tuple(_profile(backend, model) for model in wanted)
    before = status.conditions
    if backend.spec.memory is None:
        before = tuple(one for one in before if one.type != "Loaded")
    judged = tuple(_judged(seen, after, left))
    now = conditions.with_every_fact(before, judged, backend.metadata.generation, seen.now)
    status = status.model_copy(update={"conditions": now})
    pause = float(backend.spec.probe.interval_seconds)
    return Plan(
        applies=applies,
        status=status if status != backend.status else None,
        notes=(*_notes(backend.status, status), *seen.notes),
        outcome=Wait(pause, "the next probe"),
    )


def _observed(seen: Seen) -> LLMBackendStatus:
    """The status without its conditions."""
    backend, told = seen.backend, [one for one in seen.endpoints if one.description is not None]
    models, version = backend.status.models, backend.status.engine_version
    if told:
        models = _merged([one.description for one in told if one.description is not None])
        if len(told) < len(seen.endpoints):  # the others may serve what only the earlier status tells
            names = {model.name for model in models}
            earlier = [model for model in backend.status.models if model.name not in names]
            models = tuple(sorted((*models, *earlier), key=lambda model: model.name))[:256]
        versions = {one.description.engine_version for one in told if one.description is not None}
        version = versions.pop() if len(versions) == 1 else None
    answering = sum(one.answers is True for one in seen.endpoints)
    found = gpus.known(backend, seen.sights)
    summary = BackendSummary(
        models=len(backend.spec.models) or len(models),
        endpoints=f"{answering}/{len(seen.endpoints)}",
        gpu_memory=gpus.memory(found.gpus),
    )
    update: dict[str, Any] = {
        "observed_generation": backend.metadata.generation,
        "location": seen.location,
        "engine_version": version,
        "summary": summary,
        "models": models,
        "gpus": found.gpus,
        "gpu_exporters": found.exporters,
    }
    return backend.status.model_copy(update=update)


def _merged(descriptions: Sequence[Description]) -> tuple[ObservedModel, ...]:
    """The models of all endpoints: the shortest context, the digest where all agree."""
    by_name: dict[str, list[ObservedModel]] = {}
    for description in descriptions:
        for model in description.models:
            by_name.setdefault(model.name, []).append(model)
    merged = []
    for name in sorted(by_name)[:256]:
        same = by_name[name]
        digests = {model.digest for model in same}
        contexts = [model.context_tokens for model in same if model.context_tokens is not None]
        merged.append(
            ObservedModel(
                name=name,
                digest=digests.pop() if len(digests) == 1 else None,
                context_tokens=min(contexts, default=None),
                endpoints=len(same),
            )
        )
    return tuple(merged)


def _judged(seen: Seen, after: LLMBackend, left: Sequence[str]) -> Iterator[Fact]:
    """Every condition, Ready last."""
    accepted, resolved = facts.of_problems(seen.problems, ("Accepted", "ResolvedRefs"))
    if accepted.holds and left:
        most = seen.backend.spec.profiling.max_profiles
        message = f"spec.profiling.maxProfiles is {most}: no profile is made for {_named(left)}."
        accepted = Fact("Accepted", True, "ProfilesLimited", message)
    found = [_with_exporter(accepted, seen.backend), resolved, _reachable(seen), *_uniform(seen, after)]
    yield from found
    if seen.loaded is not None:
        yield seen.loaded
    broken = next((fact for fact in found if not fact.holds and fact.type != "Uniform"), None)
    at_work = None
    if broken is not None and broken.holds is None:  # it is asked soon
        at_work = replace(broken, type="Reconciling", holds=True)
    yield from facts.of_progress(accepted, at_work)
    if broken is not None:
        yield Fact("Ready", False, broken.reason, broken.message)
    elif not facts.served_models(after):
        message = "The engine has no model: load one, or list models in spec.models."
        yield Fact("Ready", False, "NoModels", message)
    else:
        yield Fact("Ready", True, "Ready")


def _with_exporter(accepted: Fact, backend: LLMBackend) -> Fact:
    """Accepted, with what is wrong with the exporter that the backend names: that excludes nothing."""
    url = backend.spec.metrics.gpu.url
    if not accepted.holds or url is None:
        return accepted
    try:
        endpoints.exporter(url)
    except endpoints.Unresolved as why:
        return Fact("Accepted", True, why.reason, f"spec.metrics.gpu.url is not read. {why.message}")
    return accepted


def _reachable(seen: Seen) -> Fact:
    """Whether requests would find an engine that answers."""
    views = seen.endpoints
    if not views:
        excluded = next((one for one in seen.problems if one.excludes), None)
        if excluded is not None:
            return Fact(
                "Reachable", None, "NotProbed", "The backend is not resolved: see the other conditions."
            )
        return Fact(
            "Reachable", False, "NoEndpoints", "No pod of its Service is ready: see kubectl get pods."
        )
    silent = [one for one in views if one.answers is False]
    if any(one.answers for one in views):
        if not silent:
            return Fact("Reachable", True, "Answering")
        message = f"{len(silent)} of {len(views)} endpoints do not answer: {_failing(silent)}"
        return Fact("Reachable", True, "SomeAnswer", message)
    if silent:
        reason = silent[0].failure.reason if silent[0].failure else "Unreachable"
        return Fact("Reachable", False, reason, _failing(silent))
    return Fact("Reachable", None, "NotProbed", "No endpoint was asked yet.")


def _failing(silent: Sequence[EndpointView]) -> str:
    """How the first of them fails: the others most likely fail alike."""
    return silent[0].failure.message if silent[0].failure else ""


def _uniform(seen: Seen, after: LLMBackend) -> Iterator[Fact]:
    """Whether the endpoints are alike in what routing takes for one backend."""
    told = {
        one.endpoint.name: _likeness(one.description) for one in seen.endpoints if one.description is not None
    }
    if not told:
        return
    cards = {f"{after.name}@{address}": names for address, names in gpus.names(after.status).items()}
    if others := _uncommon(told):
        message = f"Models, digests, context lengths or engine version differ on {_named(others)}."
        yield Fact("Uniform", False, "Different", message)
    elif others := _uncommon(cards):
        yield Fact("Uniform", False, "DifferentGpus", f"GPUs differ on {_named(others)}.")
    else:
        yield Fact("Uniform", True, "Alike")


def _uncommon(kinds: Mapping[str, tuple[object, ...]]) -> list[str]:
    """The endpoints that are not of the most common kind."""
    common = [kind for kind, _ in Counter(kinds.values()).most_common(1)]
    return [endpoint for endpoint, kind in kinds.items() if [kind] != common]


def _likeness(description: Description) -> tuple[object, ...]:
    models = tuple((one.name, one.digest, one.context_tokens) for one in description.models)
    return (description.engine_version, models)


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _wanted_profiles(seen: Seen, after: LLMBackend) -> tuple[list[str], list[str]]:
    """Models whose automatic profile is to be made or changed, and those that the limit leaves out."""
    backend = seen.backend
    mode = backend.spec.profiling.mode
    if mode is None:
        mode = ProfilingMode.AUTOMATIC if seen.location is Location.LOCAL else ProfilingMode.MANUAL
    if mode is ProfilingMode.MANUAL or not backend.metadata.uid:
        return [], []
    ours = {one.spec.model: one for one in seen.profiles if profiles.is_automatic(one, backend)}
    by_hand = {one.spec.model for one in seen.profiles} - set(ours)
    cannot_chat = {model.name for model in backend.spec.models if model.capabilities.chat is False}
    wanted = [one for one in facts.served_models(after) if one not in by_hand | cannot_chat]
    new = [model for model in wanted if model not in ours]
    room = max(backend.spec.profiling.max_profiles - len(ours), 0)
    changed = [model for model in wanted if model in ours and not _fits(ours[model], backend)]
    return changed + new[:room], new[room:]


def _fits(profile: ModelProfile, backend: LLMBackend) -> bool:
    """Whether the profile was made from the template as it is; what people changed in it since stays."""
    return profile.metadata.annotations.get(TEMPLATE_ANNOTATION) == _template(backend)[1]


def _template(backend: LLMBackend) -> tuple[Object, str]:
    """What the template says, and a digest of it."""
    template = backend.spec.profiling.template.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return template, hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:16]


def _profile(backend: LLMBackend, model: str) -> Object:
    """The automatic profile of this model."""
    template, digest = _template(backend)
    reference = LocalObjectRef(name=backend.name).model_dump(by_alias=True)
    return {
        "apiVersion": MODEL_PROFILE.api_version,
        "kind": MODEL_PROFILE.kind,
        "metadata": {
            "name": automatic_name(backend.name, model),
            "namespace": backend.namespace,
            "labels": {jobs.MANAGED_BY_LABEL: jobs.MANAGED_BY},
            "annotations": {TEMPLATE_ANNOTATION: digest},
            "ownerReferences": [jobs.owner(backend, MODEL_PROFILE.api_version)],
        },
        "spec": {**template, "backendRef": reference, "model": model},
    }


def _notes(before: LLMBackendStatus, after: LLMBackendStatus) -> Iterable[Note]:
    """Transitions of Ready, which a person would want to read."""
    was, now = conditions.find(before.conditions, "Ready"), conditions.find(after.conditions, "Ready")
    if now is None or (was is not None and was.status is now.status):
        return
    if now.status == "True":
        yield Note(NoteType.NORMAL, "Ready", "The engine answers.")
    else:
        yield Note(NoteType.WARNING, now.reason, now.message)
