"""Backends behind Services, with the whole operator in this process: what no backend names is not kept."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fakes import engines
from fakes.engines import Engine
from fakes.operated import DiscoverableApiServer, Operated, operate, vllm
from steelyard.api.resources import SERVICE_NAME_LABEL
from steelyard.kube import kinds

Run = Callable[..., DiscoverableApiServer]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return partial(operate, folder=tmp_path, patch=monkeypatch)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with engines.engine(vllm("tiny")) as up:
        yield up


def put_service(world: Operated, name: str, port: int) -> None:
    world.put(kinds.SERVICE, name, spec={"ports": [{"port": 80}]})
    world.put(
        kinds.ENDPOINT_SLICE,
        f"{name}-1",
        metadata={"labels": {SERVICE_NAME_LABEL: name}},
        addressType="IPv4",
        endpoints=[{"addresses": ["127.0.0.1"]}],
        ports=[{"port": port}],
    )


def put_backend(world: Operated, service: str, generation: int = 1) -> None:
    spec: dict[str, Any] = {"engine": "VLLM", "serviceRef": {"name": service, "port": 80}}
    world.put(kinds.LLM_BACKEND, "engine", generation, spec=spec | {"probe": {"intervalSeconds": 1}})


def ready(world: Operated) -> tuple[str, str]:
    return world.said(kinds.LLM_BACKEND, "engine", "Ready")


def test_a_service_that_was_there_long_before_its_backend_is_found(run: Run, engine: Engine) -> None:
    async def tale(world: Operated) -> None:
        put_service(world, "pods", engine.port)
        world.put(kinds.ROUTING_POLICY, "auto", spec={"models": [{"name": "auto"}]})
        await world.until(lambda: world.said(kinds.ROUTING_POLICY, "auto", "Ready")[0])
        put_backend(world, "pods")
        await world.until(lambda: ready(world) == ("True", "Ready"))

    run(tale)


def test_a_service_that_comes_after_its_backend_is_found(run: Run, engine: Engine) -> None:
    async def tale(world: Operated) -> None:
        put_backend(world, "pods")
        await world.until(lambda: ready(world) == ("False", "ServiceNotFound"))
        put_service(world, "pods", engine.port)
        await world.until(lambda: ready(world) == ("True", "Ready"))

    run(tale)


def test_a_service_that_is_named_again_is_as_it_is_then(run: Run, engine: Engine) -> None:
    async def tale(world: Operated) -> None:
        put_service(world, "pods", 9)
        put_service(world, "others", engine.port)
        put_backend(world, "others")
        await world.until(lambda: ready(world) == ("True", "Ready"))
        put_backend(world, "pods", 2)
        await world.until(lambda: ready(world) == ("False", "Unreachable"))
        put_backend(world, "others", 3)
        await world.until(lambda: ready(world) == ("True", "Ready"))
        put_service(world, "pods", engine.port)
        put_backend(world, "pods", 4)
        await world.until(
            lambda: (
                world.get(kinds.LLM_BACKEND, "engine")["status"]["observedGeneration"] == 4
                and ready(world) == ("True", "Ready")
            )
        )

    run(tale)


def test_a_resync_lets_go_of_jobs_that_ended_days_ago_and_keeps_what_backends_name(
    run: Run, engine: Engine
) -> None:
    async def tale(world: Operated) -> None:
        put_service(world, "pods", engine.port)
        put_service(world, "unrelated", engine.port)
        put_backend(world, "pods")
        labels = {"app.kubernetes.io/managed-by": "steelyard-operator"}
        over = {"conditions": [{"type": "Complete", "status": "True"}]}
        for name, day in (("old", "2026-11-01"), ("young", "2099-01-01")):
            metadata = {"labels": labels, "uid": name, "creationTimestamp": f"{day}T10:00:00Z"}
            world.put(kinds.JOB, name, metadata=metadata, spec={}, status=over)
        await world.until(lambda: "ttlSecondsAfterFinished" in world.get(kinds.JOB, "old")["spec"])
        await world.until(lambda: ready(world) == ("True", "Ready"))
        assert "ttlSecondsAfterFinished" not in world.get(kinds.JOB, "young")["spec"]

    run(tale, resync_seconds=0.2)
