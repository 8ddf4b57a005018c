"""GPUs behind backends, with the whole operator in this process: from an exporter to status and Job."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fakes import engines
from fakes.engines import Engine
from fakes.gpu_exporter import Card, GpuExporter, gpu_exporter
from fakes.operated import NAMESPACE, DiscoverableApiServer, Operated, operate, vllm
from steelyard.api.profile import automatic_name
from steelyard.api.resources import SERVICE_NAME_LABEL
from steelyard.kube import kinds
from steelyard.kube.kinds import Object
from steelyard_profiler import command as profiler

OURS = Card("GPU-1", namespace=NAMESPACE, pod="pods-0")
OTHERS = Card("GPU-2", namespace=NAMESPACE, pod="other-0")
DCGM = ("gpu-operator", "dcgm")
AUTOMATIC = automatic_name("engine", "tiny")
Run = Callable[..., DiscoverableApiServer]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return partial(operate, folder=tmp_path, patch=monkeypatch, gpu_exporters=(DCGM,))


@pytest.fixture
def engine() -> Iterator[Engine]:
    with engines.engine(vllm("tiny")) as up:
        yield up


@pytest.fixture
def dcgm() -> Iterator[GpuExporter]:
    with gpu_exporter(OURS, OTHERS) as up:
        yield up


def put_pods(world: Operated, name: str, port: int, namespace: str = NAMESPACE) -> None:
    """A Service with a pod on the node `one`."""
    about = {"namespace": namespace, "creationTimestamp": "2026-11-21T10:00:00Z"}
    pod = {"addresses": ["127.0.0.1"], "nodeName": "one", "targetRef": {"kind": "Pod", "name": f"{name}-0"}}
    labels = {SERVICE_NAME_LABEL: name}
    for kind, told in (
        (kinds.SERVICE, {"metadata": about | {"name": name}, "spec": {"ports": [{"port": 80}]}}),
        (
            kinds.ENDPOINT_SLICE,
            {
                "metadata": about | {"name": f"{name}-1", "labels": labels},
                "addressType": "IPv4",
                "endpoints": [pod],
                "ports": [{"port": port}],
            },
        ),
    ):
        world.api.put(kind.plural, {"apiVersion": kind.api_version, "kind": kind.kind} | told)


def put_backend(world: Operated, generation: int = 1, **gpu: Any) -> None:
    spec = {"engine": "VLLM", "serviceRef": {"name": "pods", "port": 80}, "probe": {"intervalSeconds": 1}}
    world.put(kinds.LLM_BACKEND, "engine", generation, spec=spec | {"metrics": {"gpu": gpu}})


def status(world: Operated) -> Object:
    found: Object = world.get(kinds.LLM_BACKEND, "engine").get("status", {})
    return found


def uuids(world: Operated) -> list[str]:
    return [gpu["uuid"] for gpu in status(world).get("gpus", ())]


def test_the_gpus_of_a_backends_pods_stand_in_its_status_and_its_profile_is_measured_with_them(
    run: Run, engine: Engine, dcgm: GpuExporter
) -> None:
    async def tale(world: Operated) -> None:
        put_pods(world, "pods", engine.port)
        put_pods(world, DCGM[1], dcgm.port, DCGM[0])
        put_backend(world)
        await world.until(lambda: uuids(world) and world.all(kinds.JOB))
        assert uuids(world) == ["GPU-1"]
        assert status(world)["summary"]["gpuMemory"] == "17/22Gi"
        assert status(world)["gpuExporters"] == [
            {"endpoint": f"127.0.0.1:{engine.port}", "url": dcgm.url, "uuids": ["GPU-1"]}
        ]
        (job,) = world.all(kinds.JOB)
        arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]
        target = profiler._target(profiler._parser({}).parse_args(arguments))
        assert target.gpus is not None
        assert (target.engine, target.gpus.url, target.gpus.uuids) == ("VLLM", dcgm.url, ("GPU-1",))

    run(tale)


def test_a_restart_keeps_the_gpus_and_writes_nothing_where_little_moved(
    run: Run, engine: Engine, dcgm: GpuExporter
) -> None:
    written: list[int] = []

    async def first(world: Operated) -> None:
        put_pods(world, "pods", engine.port)
        put_pods(world, DCGM[1], dcgm.port, DCGM[0])
        put_backend(world)
        await world.until(lambda: uuids(world) and world.said(kinds.MODEL_PROFILE, AUTOMATIC, "Ready")[0])
        written.append(len(world.written(kinds.LLM_BACKEND)))

    async def second(world: Operated) -> None:
        dcgm.tell(OURS.but(util=45, used=18000, power=64.0, joules=2000.0), OTHERS)
        before = dcgm.asked
        await asyncio.to_thread(dcgm.wait_for_asks, before + 1)
        await asyncio.to_thread(engine.wait_for_asks, len(engine.asks) + 2)
        assert world.written(kinds.LLM_BACKEND)[written[0] :] == []
        assert [gpu["utilizationPercent"] for gpu in status(world)["gpus"]] == [40]

    async def third(world: Operated) -> None:
        dcgm.tell(OURS.but(util=95), OTHERS)
        await world.until(lambda: [gpu["utilizationPercent"] for gpu in status(world)["gpus"]] == [95])

    run(first, second, third)


def test_gpus_that_nobody_is_to_read_leave_the_status(run: Run, engine: Engine, dcgm: GpuExporter) -> None:
    async def tale(world: Operated) -> None:
        put_pods(world, "pods", engine.port)
        put_backend(world, url=dcgm.url)
        await world.until(lambda: uuids(world) == ["GPU-1", "GPU-2"])
        put_backend(world, 2, source="None")
        await world.until(lambda: not uuids(world) and "gpuMemory" not in status(world)["summary"])
        assert "gpuExporters" not in status(world) or status(world)["gpuExporters"] == []

    run(tale)


def test_an_exporter_that_hangs_holds_up_no_probe_and_no_run_for_long(run: Run, engine: Engine) -> None:
    with engines.engine(lambda ask: None) as hanging:

        async def tale(world: Operated) -> None:
            put_pods(world, "pods", engine.port)
            put_backend(world, url=f"http://127.0.0.1:{hanging.port}")
            await world.until(lambda: world.said(kinds.LLM_BACKEND, "engine", "Ready") == ("True", "Ready"))
            await world.until(lambda: world.all(kinds.JOB))
            assert "gpus" not in status(world) or uuids(world) == []

        run(tale)
