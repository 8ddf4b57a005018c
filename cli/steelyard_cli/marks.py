"""What a measurement on files holds for, and whether it still does: by the operator's own code.

Rule 1. What a backend does not tell, or not this time, is absent, and is no failure of the run.
Rule 2. Fresh is judged by age, suite and spec whenever files are read: time passes without anybody's writing.
Rule 3. It is judged by the engine where that was asked just now. A backend's status in files may be older
        than what was measured, so that Fresh stays as it was said, as it does where no age is known.
"""

from dataclasses import replace
from datetime import datetime

from steelyard.api import conditions
from steelyard.api.backend import LLMBackend, LLMBackendStatus
from steelyard.api.profile import ModelProfile
from steelyard.api.resources import ResourceSet
from steelyard.routing import endpoints
from steelyard.routing.table import Endpoint
from steelyard.telemetry import gpus as telemetry
from steelyard_operator import freshness, gpus
from steelyard_operator.drift import Drift
from steelyard_operator.exporters import ANSWER_SECONDS
from steelyard_operator.gpus import Exporter, Reading, Sight
from steelyard_operator.probing import Failure, Prober
from steelyard_profiler.drive import CATALOGUE_SECONDS
from steelyard_profiler.profiling import Result

_UNHEARD = Drift()
"""On files no gateway is asked."""

_OF_ENGINES = frozenset({"ModelChanged", "EngineChanged", "GpuChanged"})
"""Reasons of Fresh that only an engine or an exporter can take back."""


async def asked(prober: Prober, backend: LLMBackend, endpoint: Endpoint) -> LLMBackend:
    """The backend with nothing in its status but what this endpoint, and the exporters near it, tell now."""
    told = await prober.describe(backend.spec.engine, endpoint, CATALOGUE_SECONDS)
    status = LLMBackendStatus()
    if not isinstance(told, Failure):
        status = LLMBackendStatus(models=told.models, engine_version=told.engine_version)
    now = backend.model_copy(update={"status": status})
    named = gpus.exporters(backend.spec.metrics.gpu, endpoint, {})
    readings = tuple([await _reading(prober, exporter) for exporter in named])
    known = gpus.known(now, (Sight(endpoint, readings),))
    update = {"gpus": known.gpus, "gpu_exporters": known.exporters}
    return now.model_copy(update={"status": status.model_copy(update=update)})


async def _reading(prober: Prober, exporter: Exporter) -> Reading:
    try:
        place = endpoints.exporter(exporter.url)
    except endpoints.Unresolved:
        return Reading(exporter, None)
    answer = await prober.exposition(place, ANSWER_SECONDS)
    return Reading(exporter, telemetry.read(answer) if isinstance(answer, bytes) else None)


def marked(result: Result, model: str, told: LLMBackend, endpoint: Endpoint) -> Result:
    """The result with a fingerprint of all that is known; `told`: what `asked` gave before the run."""
    address = endpoint.name.removeprefix(f"{told.name}@")
    held = {
        "model_digest": freshness.digest(told.status.models, model),
        "engine_version": told.status.engine_version,
        "gpu": gpus.name(told.status, address),
        "endpoint": address,
        "time": result.run.completion_time,
    }
    return replace(result, fingerprint=result.fingerprint.model_copy(update=held))


def with_fresh(profile: ModelProfile, told: LLMBackend | None, now: datetime) -> ModelProfile:
    """The profile with its condition Fresh; `told`: what `asked` gave, None where nobody was asked."""
    status, knows_engine = profile.status, told is not None and bool(told.status.models)
    stale, said = freshness.stale(profile, told, _UNHEARD, now), conditions.find(status.conditions, "Fresh")
    stands = not knows_engine and said is not None and said.reason in _OF_ENGINES
    if stale is None and (stands or freshness.measured_at(status) is None):
        return profile
    facts = [freshness.fact(stale)]
    found = conditions.with_facts(status.conditions, facts, profile.metadata.generation, now)
    return profile.model_copy(update={"status": status.model_copy(update={"conditions": found})})


def judged(resources: ResourceSet, now: datetime) -> ResourceSet:
    """Resources of files with the condition Fresh of each profile that was measured as it is now."""
    profiles = {
        key: with_fresh(one, None, now) if one.status.fingerprint is not None else one
        for key, one in resources.profiles.items()
    }
    return replace(resources, profiles=profiles)
