"""What people are shown of live signals, by /admin/table and by /metrics."""

import asyncio
from io import BytesIO
from typing import Any

import httpx

from fakes.resources import backend, resource_set
from steelyard.routing.table import Endpoint
from steelyard.telemetry.gpus import Gpu
from steelyard.telemetry.samples import EngineSample, LoadedModel
from steelyard_gateway import admin, current, merging
from steelyard_gateway.admission import Admission
from steelyard_gateway.budget import RetryBudget
from steelyard_gateway.current import Current
from steelyard_gateway.deadlines import Deadlines
from steelyard_gateway.live import LiveEndpoints
from steelyard_gateway.metrics import SIGNALS, Metrics
from steelyard_gateway.recording import Recorder
from steelyard_gateway.shares import Fleet
from steelyard_gateway.space import Space
from steelyard_gateway.state import State

VALID_SECONDS = 6.0
SAMPLE = EngineSample(
    running=3,
    waiting=2,
    capacity=4,
    cache_use=0.256,
    output_tokens=100.0,
    output_tokens_per_second=51.25,
    loaded=(LoadedModel("m:latest", "sha256:ab", 191, 0, 4096, 1_800_000_000.0),),
    version="0.17.4",
)
GPU = Gpu("GPU-1", "NVIDIA L4", "0", "node", 40.0, 17408.0, 23034.0, 60.0, 60.4)
UNKNOWN = {
    "running": None,
    "waiting": None,
    "capacity": None,
    "cacheUsePercent": None,
    "outputTokensPerSecond": None,
    "loaded": None,
    "version": None,
}


class Shown:
    """The pages of a gateway with one endpoint, by a clock that moves when told."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.live = LiveEndpoints(lambda: self.seconds)
        self.current = Current()
        self.current.snapshot = current.snapshot(resource_set(backend("a", "m")), "default", 0)
        admission = Admission(Deadlines(), lambda: 0.0, Fleet())
        log = Recorder(BytesIO())
        self.space = Space("default", self.current, self.live, log, admission, RetryBudget())
        self.endpoint: Endpoint = self.current.snapshot.table.candidates[0].endpoints[0]

    def tell(self) -> None:
        self.live.started(self.endpoint)
        self.live.sampled(self.endpoint, SAMPLE, 1, VALID_SECONDS)
        self.live.gpus_told(self.endpoint, (GPU,), 1, VALID_SECONDS)

    def wait(self, seconds: float) -> None:
        self.seconds += seconds
        self.live.expire()

    def row(self) -> dict[str, Any]:
        """The endpoint in /admin/table."""
        app = admin.make(State(None), self.space, lambda: {"default": self.space})

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://admin") as client:
                return await client.get("/admin/table")

        ((row,),) = [pair["endpoints"] for pair in asyncio.run(ask()).json()["candidates"]]
        shown: dict[str, Any] = row
        return shown

    def series(self) -> dict[str, float]:
        """The gauges of signals in /metrics that have a value."""
        metrics = Metrics(lambda: [self.space], now=lambda: 0.0)
        return {
            one.name.removeprefix("steelyard_"): one.samples[0].value
            for one in metrics.collect()
            if one.name.removeprefix("steelyard_") in SIGNALS and one.samples
        }


def test_the_table_shows_what_engine_and_gpus_told_and_how_long_ago() -> None:
    shown = Shown()
    shown.tell()
    shown.wait(1)
    row = shown.row()
    assert (row["inFlight"], row["othersInFlight"]) == (1, 4)
    loaded = {
        "name": "m:latest",
        "digest": "sha256:ab",
        "memoryMiB": 191,
        "gpuMemoryMiB": 0,
        "contextTokens": 4096,
        "expiresAt": "2027-01-15T08:00:00+00:00",
    }
    assert row["sample"] == {
        "ageSeconds": 1.0,
        "failure": None,
        "running": 3,
        "waiting": 2,
        "capacity": 4,
        "cacheUsePercent": 26,
        "outputTokensPerSecond": 51.2,
        "loaded": [loaded],
        "version": "0.17.4",
    }
    gpu = {
        "uuid": "GPU-1",
        "name": "NVIDIA L4",
        "utilizationPercent": 40.0,
        "memoryUsedMiB": 17408.0,
        "memoryTotalMiB": 23034.0,
        "temperatureCelsius": 60.0,
        "powerWatts": 60.4,
        "source": "Dcgm",
    }
    assert row["gpus"] == {"ageSeconds": 1.0, "failure": None, "gpus": [gpu]}


def test_what_is_too_old_is_shown_as_unknown_with_its_age_and_why() -> None:
    shown = Shown()
    shown.tell()
    shown.live.not_sampled(shown.endpoint, "refused the connection")
    shown.live.gpus_not_told(shown.endpoint, "answered 500")
    shown.wait(3600)
    row = shown.row()
    assert row["sample"] == UNKNOWN | {"ageSeconds": 3600.0, "failure": "refused the connection"}
    assert row["gpus"] == {"ageSeconds": 3600.0, "failure": "answered 500", "gpus": None}
    assert (row["inFlight"], row["othersInFlight"]) == (1, 0)


def test_prometheus_is_told_what_is_known() -> None:
    shown = Shown()
    shown.tell()
    shown.wait(2)
    assert shown.series() == {
        "engine_running": 3,
        "engine_waiting": 2,
        "engine_cache_use_ratio": 0.256,
        "engine_output_tokens_per_second": 51.25,
        "engine_loaded_models": 1,
        "engine_sample_age_seconds": 2,
        "gpu_utilization_ratio": 0.4,
        "gpu_memory_used_bytes": 17408 * 2**20,
        "gpu_sample_age_seconds": 2,
    }


def test_prometheus_is_told_nothing_of_what_is_unknown_but_its_age() -> None:
    shown = Shown()
    assert shown.series() == {}
    shown.tell()
    shown.wait(60)
    assert shown.series() == {"engine_sample_age_seconds": 60, "gpu_sample_age_seconds": 60}


def test_what_a_worker_takes_for_requests_of_others_is_partly_of_its_siblings() -> None:
    def told(own: int, others: float) -> dict[str, Any]:
        endpoint = {"name": "e", "inFlight": own, "othersInFlight": others}
        return {"candidates": [{"namespace": "n", "endpoints": [endpoint]}]}

    assert merging.table_of_all([told(2, 5), told(3, 4)]) == told(5, 2)
    assert merging.table_of_all([told(2, 1), told(3, 4)]) == told(5, 0)
