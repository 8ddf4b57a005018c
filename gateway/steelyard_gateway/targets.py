"""Whom to ask for live signals, by the resources in force. Pure.

Invariant: no target is a link-local or metadata address, and an exporter is asked without a credential.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from steelyard.api.backend import Engine, LLMBackend
from steelyard.api.signals import GpuSource
from steelyard.routing import endpoints
from steelyard.routing.table import Endpoint
from steelyard.telemetry import samples
from steelyard.telemetry.samples import Questions
from steelyard_gateway.current import Snapshot

LEAST_GPU_SECONDS = 5.0
"""GPUs are not asked more often: exporters themselves read them every few seconds, dcgm-exporter every 30."""


@dataclass(frozen=True, slots=True)
class EngineTarget:
    """An engine that tells something of itself."""

    endpoint: Endpoint
    """Where it answers."""
    engine: Engine
    """What it is."""
    questions: Questions
    """What it is asked."""
    interval_seconds: float
    """How often."""


@dataclass(frozen=True, slots=True)
class Behind:
    """An endpoint of whose GPUs an exporter tells."""

    endpoint: Endpoint
    """The endpoint."""
    uuids: frozenset[str]
    """Its GPUs; empty: all of which the exporter tells."""


@dataclass(frozen=True, slots=True)
class ExporterTarget:
    """An exporter, with all who share it."""

    exporter: Endpoint
    """Where it answers; its base path is the whole path."""
    behind: tuple[Behind, ...]
    """The endpoints of whose GPUs it tells."""
    interval_seconds: float
    """How often it is asked."""


@dataclass(frozen=True, slots=True)
class RefusedExporter:
    """An exporter that must not be asked."""

    url: str
    """Where it would be."""
    why: str
    """Why not, and what to do."""
    endpoints: tuple[Endpoint, ...]
    """Of whose GPUs nothing is known therefore."""


@dataclass(frozen=True, slots=True)
class Targets:
    """All that are to be asked."""

    engines: tuple[EngineTarget, ...]
    """Engines that tell something."""
    exporters: tuple[ExporterTarget, ...]
    """Each URL once."""
    refused: tuple[RefusedExporter, ...]
    """Likewise."""


def of(snapshot: Snapshot) -> Targets:
    """Whom to ask."""
    engines: list[EngineTarget] = []
    shared: dict[str, tuple[float, list[Behind]]] = {}
    for endpoint in {one.name: one for pair in snapshot.table.candidates for one in pair.endpoints}.values():
        backend = snapshot.resources.backends[snapshot.namespace, endpoint.backend]
        metrics = backend.spec.metrics
        seconds = float(metrics.engine.interval_seconds)
        asked = samples.questions(backend.spec.engine, endpoint.base_path, metrics.engine.path)
        if asked.often:
            engines.append(EngineTarget(endpoint, backend.spec.engine, asked, seconds))
        for url, uuids in _exporters(backend, endpoint):
            least, behind = shared.get(url, (seconds, []))
            shared[url] = min(least, seconds), [*behind, Behind(endpoint, uuids)]
    exporters: list[ExporterTarget] = []
    refused: list[RefusedExporter] = []
    for url, (seconds, behind) in shared.items():
        try:
            exporter = endpoints.exporter(url)
        except endpoints.Unresolved as forbidden:
            refused.append(RefusedExporter(url, forbidden.message, tuple(one.endpoint for one in behind)))
        else:
            exporters.append(ExporterTarget(exporter, tuple(behind), max(seconds, LEAST_GPU_SECONDS)))
    return Targets(tuple(engines), tuple(exporters), tuple(refused))


def _exporters(backend: LLMBackend, endpoint: Endpoint) -> Iterator[tuple[str, frozenset[str]]]:
    """The URLs where this endpoint's GPUs are told of: the owner's, else those that the operator found."""
    chosen = backend.spec.metrics.gpu
    if chosen.url is not None:
        yield chosen.url, frozenset()
    elif chosen.source is not GpuSource.NONE:
        for found in backend.status.gpu_exporters:
            if endpoint.name == f"{backend.name}@{found.endpoint}":
                yield found.url, frozenset(found.uuids)
