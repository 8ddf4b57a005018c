"""Which GPUs are behind a backend's endpoints, and what its status says of them. Pure.

Rule 1. A GPU is an endpoint's if the exporter names the endpoint's pod with it. Where an exporter names no
        pod with any GPU, all are the endpoint's if it is in the endpoint's own pod, or if that is the only
        engine on the node. All that spec.metrics.gpu.url tells of are. Nothing else is guessed.
Rule 2. The status changes when a GPU came, went or moved by a tenth, and then as a whole; by figures alone no
        more than once a minute.
Rule 3. What could not be read stays as the status has it, as long as who told it is there; else it is absent.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from steelyard.api.backend import LLMBackend, LLMBackendStatus
from steelyard.api.signals import GpuExporter, GpuMetrics, GpuSource, ObservedGpu
from steelyard.routing.table import Endpoint
from steelyard.telemetry import gpus as telemetry
from steelyard.telemetry.gpus import Gpu

AGENT_PORT = 9400
"""Where `steelyard agent` answers as long as it is not told otherwise, as dcgm-exporter does."""

MOST_GPUS = 64
"""So many a status holds; the first by UUID."""

MOST_EXPORTERS = 256
"""Endpoints whose exporter a status names."""

MOST_UUIDS = 32
"""GPUs of one endpoint that a status names."""

TENTH = 0.1
"""The share of its range by which a figure has to move before the status is written."""

LEAST_POWER_WATTS = 10
"""Power has no range that is told: a tenth of the larger figure, and at least this, as idle cards flicker."""

_PERCENT_STEP = _CELSIUS_STEP = 10
_MOST_UUID, _MOST_NAME, _MOST_MIB = 96, 128, 2**53
_MIB_PER_GIB = 1024


class Place(StrEnum):
    """Where an exporter is."""

    NAMED = "Named"
    """Where spec.metrics.gpu.url says."""
    NODE = "Node"
    """On the pod's node."""
    POD = "Pod"
    """In the pod."""


@dataclass(frozen=True, slots=True)
class Exporter:
    """Who may tell of an endpoint's GPUs."""

    url: str
    """Where."""
    place: Place
    """Where that is, seen from the endpoint."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What an exporter told."""

    exporter: Exporter
    """The exporter."""
    gpus: tuple[Gpu, ...] | None
    """The GPUs that it knows of; None: it could not be read, or not yet."""
    is_lost: bool = False
    """Whether it could not be read for so long that another one's word counts."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One endpoint and all that was told near it."""

    endpoint: Endpoint
    """The endpoint."""
    readings: tuple[Reading, ...]
    """What its exporters told."""
    is_alone: bool = False
    """Whether its pod is the only engine on its node."""
    is_settled: bool = True
    """Whether the backend's status is a minute old; figures that moved wait until it is."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a backend's GPUs, as the status says it."""

    gpus: tuple[ObservedGpu, ...]
    """The GPUs."""
    exporters: tuple[GpuExporter, ...]
    """Where they are told of."""


def exporters(
    metrics: GpuMetrics, endpoint: Endpoint, on_nodes: Mapping[str, Sequence[str]]
) -> tuple[Exporter, ...]:
    """Who may tell of this endpoint's GPUs; `on_nodes`: URLs of the exporters' pods by node."""
    if metrics.source is GpuSource.NONE:
        return ()
    if metrics.url is not None:
        return (Exporter(metrics.url, Place.NAMED),)
    there = on_nodes.get(endpoint.node, ()) if endpoint.node else ()
    found = [Exporter(url, Place.NODE) for url in there]
    # What is on the node may be no agent, where only an agent counts.
    is_wanted = metrics.source is GpuSource.AGENT or (metrics.source is GpuSource.AUTO and not found)
    if endpoint.pod and is_wanted:
        host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
        found.append(Exporter(f"http://{host}:{AGENT_PORT}/metrics", Place.POD))
    return tuple(found)


def name(status: LLMBackendStatus, endpoint: str | None = None) -> str | None:
    """The GPUs behind an endpoint, host:port, or behind each that is told of, as `2x NVIDIA L4`.

    None where nobody tells, and where endpoints differ. An endpoint's GPUs are known by all or not at all.
    """
    models = {gpu.uuid: gpu.name for gpu in status.gpus}
    found = {
        _counted([models.get(uuid) for uuid in one.uuids])
        for one in status.gpu_exporters
        if endpoint in (None, one.endpoint)
    } - {None}
    return found.pop() if len(found) == 1 else None


def _counted(names: Sequence[str | None]) -> str | None:
    """Names with how often each is there."""
    known = [name for name in names if name is not None]
    if not known or len(known) < len(names):
        return None
    counts = sorted(Counter(known).items())
    return " + ".join(one if count == 1 else f"{count}x {one}" for one, count in counts)[:_MOST_NAME]


def known(backend: LLMBackend, sights: Sequence[Sight] | None) -> Known:
    """What the status is to say, given what it says and what was seen of each endpoint; None: nothing yet."""
    before = backend.status
    if sights is None:
        return Known(before.gpus, before.gpu_exporters)
    held = {one.endpoint: one for one in before.gpu_exporters}
    shown = {one.uuid: one for one in before.gpus}
    found: dict[str, ObservedGpu] = {}
    named: dict[str, GpuExporter] = {}
    for sight in sights:
        address = sight.endpoint.name.removeprefix(f"{backend.name}@")
        earlier = held.get(address)
        told = _told(sight, backend, earlier.url if earlier else None)
        if told is None and earlier is not None:
            named[address] = earlier
            found |= {uuid: shown[uuid] for uuid in earlier.uuids if uuid in shown}
        elif told is not None and told[1]:
            url, gpus = told
            uuids = tuple(sorted({gpu.uuid for gpu in gpus})[:MOST_UUIDS])
            named[address] = GpuExporter(endpoint=address, url=url, uuids=uuids)
            found |= {gpu.uuid: gpu for gpu in gpus}
    now = tuple(found[uuid] for uuid in sorted(found)[:MOST_GPUS])
    where = tuple(named[address] for address in sorted(named)[:MOST_EXPORTERS])
    is_settled = all(sight.is_settled for sight in sights)
    return Known(now if _have_changed(before.gpus, now, is_settled=is_settled) else before.gpus, where)


def exporter(backend: LLMBackend, sights: Sequence[Sight] | None, endpoint: Endpoint) -> GpuExporter | None:
    """Who tells of this endpoint's GPUs, and which they are; None: nobody."""
    address = endpoint.name.removeprefix(f"{backend.name}@")
    return next((one for one in known(backend, sights).exporters if one.endpoint == address), None)


def memory(gpus: Sequence[ObservedGpu]) -> str | None:
    """Memory in use and in all, as 17/22Gi; None where no GPU tells both."""
    told = [
        (gpu.memory_used_mib, gpu.memory_total_mib)
        for gpu in gpus
        if gpu.memory_used_mib is not None and gpu.memory_total_mib is not None
    ]
    if not told:
        return None
    used, total = (round(sum(part) / _MIB_PER_GIB) for part in zip(*told, strict=True))
    return f"{used}/{total}Gi"


def names(status: LLMBackendStatus) -> dict[str, tuple[str, ...]]:
    """What GPUs each endpoint works with, by host:port; those of which nothing is told are left out."""
    by_uuid = {gpu.uuid: gpu.name for gpu in status.gpus}
    found = {}
    for one in status.gpu_exporters:
        kinds = {by_uuid.get(uuid) for uuid in one.uuids}
        if kinds and None not in kinds:
            found[one.endpoint] = tuple(sorted(name for name in kinds if name))
    return found


def _told(
    sight: Sight, backend: LLMBackend, held_url: str | None
) -> tuple[str, tuple[ObservedGpu, ...]] | None:
    """Who tells of the endpoint's GPUs, and what of them; None: whoever may know was not read."""
    unread = {one.exporter.url: one.is_lost for one in sight.readings if one.gpus is None}
    if unread.get(held_url or "") is False:
        return None
    found = []
    for reading in sight.readings:
        of_it = _belonging(sight, reading, backend)
        gpus = tuple(gpu for gpu in map(_observed, of_it) if gpu is not None)
        if gpus:
            is_agent = gpus[0].source is GpuSource.AGENT
            found.append((not is_agent, reading.exporter.url, gpus))
    if found:
        _, url, gpus = min(found, key=lambda one: one[:2])
        return url, gpus
    is_open = held_url in unread or not all(unread.values())
    return None if is_open else ("", ())


def _belonging(sight: Sight, reading: Reading, backend: LLMBackend) -> tuple[Gpu, ...]:
    """The GPUs of this reading that are the endpoint's."""
    place, wanted = reading.exporter.place, backend.spec.metrics.gpu.source
    if place is Place.POD:
        wanted = GpuSource.AGENT
    gpus = tuple(gpu for gpu in reading.gpus or () if wanted in (GpuSource.AUTO, gpu.source))
    if place is Place.NAMED:
        return gpus
    alone = place is Place.POD or sight.is_alone
    return telemetry.of_endpoint(gpus, backend.namespace, sight.endpoint.pod, alone=alone)


def _observed(gpu: Gpu) -> ObservedGpu | None:
    """The GPU as the status says it; None for one without a usable UUID."""
    if not 0 < len(gpu.uuid) <= _MOST_UUID:
        return None
    return ObservedGpu(
        uuid=gpu.uuid,
        name=gpu.name[:_MOST_NAME] if gpu.name else None,
        memory_total_mib=_whole(gpu.memory_total_mib, 0, _MOST_MIB),
        memory_used_mib=_whole(gpu.memory_used_mib, 0, _MOST_MIB),
        utilization_percent=_whole(gpu.utilization_percent, 0, 100),
        temperature_celsius=_whole(gpu.temperature_celsius, -273, 1000),
        power_watts=_whole(gpu.power_watts, 0, 100_000),
        source=GpuSource(gpu.source),
    )


def _whole(value: float | None, least: int, most: int) -> int | None:
    """The figure, rounded; None where it is none."""
    if value is None or not math.isfinite(value) or not least <= round(value) <= most:
        return None
    return round(value)


def _have_changed(before: Sequence[ObservedGpu], now: Sequence[ObservedGpu], *, is_settled: bool) -> bool:
    """Whether a GPU came or went, or moved where the status is settled."""
    if [gpu.uuid for gpu in before] != [gpu.uuid for gpu in now]:
        return True
    return is_settled and any(_has_moved(one, two) for one, two in zip(before, now, strict=True))


def _has_moved(before: ObservedGpu, now: ObservedGpu) -> bool:
    if (before.name, before.memory_total_mib, before.source) != (now.name, now.memory_total_mib, now.source):
        return True
    power = max(before.power_watts or 0, now.power_watts or 0)
    memory_range = now.memory_total_mib or max(before.memory_used_mib or 0, now.memory_used_mib or 0)
    steps = (
        (before.memory_used_mib, now.memory_used_mib, TENTH * memory_range),
        (before.utilization_percent, now.utilization_percent, _PERCENT_STEP),
        (before.temperature_celsius, now.temperature_celsius, _CELSIUS_STEP),
        (before.power_watts, now.power_watts, max(TENTH * power, LEAST_POWER_WATTS)),
    )
    return any(_differ(*step) for step in steps)


def _differ(before: int | None, now: int | None, step: float) -> bool:
    if before is None or now is None:
        return before is not now
    return before != now and abs(now - before) >= step
