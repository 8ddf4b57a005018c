"""Live signals of a backend: what is read of engines and GPUs, and which models are kept in memory."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from steelyard.api.meta import ModelName, Percent, Spec
from steelyard.api.rules import SET, Rule
from steelyard.api.urls import PATH, URL, url_is_sound


class GpuSource(StrEnum):
    """Who tells how the GPUs behind an endpoint are."""

    AUTO = "Auto"
    DCGM = "Dcgm"
    AGENT = "Agent"
    NONE = "None"


class Eviction(StrEnum):
    """What may be unloaded so that a model fits."""

    LEAST_RECENTLY_USED = "LeastRecentlyUsed"
    NEVER = "Never"


class EngineMetrics(Spec):
    """Where and how often the gateway reads the engine's load."""

    path: Annotated[str, Field(min_length=1, max_length=1024, pattern=rf"^{PATH}$")] | None = None
    """Where VLLM, SGLang and LlamaCpp tell it; absent: /metrics."""
    interval_seconds: Annotated[int, Field(ge=1, le=300)] = 2
    """Time between two readings of an endpoint, by each gateway."""


class GpuMetrics(Spec):
    """Who tells how the GPUs behind the endpoints are."""

    rules = (
        Rule(
            "!has(self.url) || self.source != 'None'",
            "url is not read with source: None: remove one of them",
            lambda gpu: gpu.url is None or gpu.source is not GpuSource.NONE,
        ),
        Rule(
            f"!has(self.url) || self.url.matches(r'{URL}')",
            "url must be http(s)://host[:port][/path]",
            lambda gpu: gpu.url is None or url_is_sound(gpu.url),
        ),
    )

    source: GpuSource = GpuSource.AUTO
    """Auto: an exporter on the pod's node, else an agent in the pod. Dcgm, Agent: that one. None: nobody."""
    url: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    """The exporter's address, for one whose GPUs serve this backend alone; no path means /metrics."""


class Metrics(Spec):
    """Which live signals are read."""

    engine: EngineMetrics = EngineMetrics()
    """The engine's load."""
    gpu: GpuMetrics = GpuMetrics()
    """The GPUs."""


class Memory(Spec):
    """Which models of an engine that loads on demand are in its memory."""

    budget_mib: Annotated[int, Field(ge=1, le=2**31)] | None = None
    """What loaded models may take on one endpoint, by the sizes that the engine reports. Absent: any."""
    pinned: Annotated[tuple[ModelName, ...], Field(max_length=64), *SET] = ()
    """Models that are loaded on every endpoint and never unloaded for another."""
    preload: Annotated[tuple[ModelName, ...], Field(max_length=64), *SET] = ()
    """Models that are loaded when an endpoint starts, in this order, as far as the budget allows."""
    evict: Eviction = Eviction.LEAST_RECENTLY_USED
    """What is unloaded when loaded models exceed the budget. Never: nothing; more are not preloaded."""
    keep_alive_seconds: Annotated[int, Field(ge=-1, le=31_536_000)] = -1
    """How long an unused model stays that was loaded by Steelyard; -1: until it is unloaded."""


class ObservedGpu(Spec):
    """A GPU behind an endpoint, as an exporter told it. Written at most once a minute, when it has moved."""

    uuid: Annotated[str, Field(min_length=1, max_length=96)]
    """Its UUID, that of the MIG instance where it is one."""
    name: Annotated[str, Field(max_length=128)] | None = None
    """What it is, as NVIDIA L4."""
    memory_total_mib: Annotated[int, Field(ge=0, le=2**53)] | None = None
    """Its memory."""
    memory_used_mib: Annotated[int, Field(ge=0, le=2**53)] | None = None
    """What of it is in use."""
    utilization_percent: Percent | None = None
    """The share of the time in which it worked."""
    temperature_celsius: Annotated[int, Field(ge=-273, le=1000)] | None = None
    """How warm it is."""
    power_watts: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """What it draws."""
    source: GpuSource
    """Who told: Dcgm or Agent."""


class GpuExporter(Spec):
    """Where the GPUs behind one endpoint are told of."""

    endpoint: Annotated[str, Field(min_length=1, max_length=320)]
    """The endpoint, as host:port."""
    url: Annotated[str, Field(min_length=1, max_length=2048)]
    """The exporter's metrics."""
    uuids: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=96)], ...], Field(max_length=32), *SET
    ] = ()
    """Those of its GPUs that the endpoint works with."""
