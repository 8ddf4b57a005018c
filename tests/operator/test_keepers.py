"""The operator keeps the memory of engines that load on demand: every endpoint, holding nothing up."""

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from fakes import engines, gateways
from fakes.loading_ollama import SECONDS, LoadingOllama, Stored, served
from fakes.operated import DiscoverableApiServer, Operated, Tale, operate, vllm
from fakes.profiled import backend as profiled_backend
from steelyard.api.backend import LLMBackend
from steelyard.api.conditions import Fact
from steelyard.kube import kinds
from steelyard.routing.table import Endpoint
from steelyard_operator.keepers import Keepers
from steelyard_operator.probing import Prober

KEY = ("llm", "engine")
Run = Callable[..., DiscoverableApiServer]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Tells a tale beside an operator."""

    def told(tale: Tale) -> DiscoverableApiServer:
        return operate(tale, folder=tmp_path, patch=monkeypatch)

    return told


def server(**options: Any) -> LoadingOllama:
    return LoadingOllama([Stored("a:1", 100), Stored("b:1", 200)], now=time.time(), **options)


def put_backend(world: Operated, url: str, generation: int = 1, **spec: Any) -> None:
    whole = {"engine": "Ollama", "url": url, "probe": {"intervalSeconds": 1}, "profiling": {"mode": "Manual"}}
    world.put(kinds.LLM_BACKEND, "ollama", generation, spec=whole | spec)


def said(world: Operated) -> tuple[str, str]:
    return world.said(kinds.LLM_BACKEND, "ollama", "Loaded")


def test_pinned_models_are_loaded_and_again_after_a_restart_until_nothing_is_wanted(run: Run) -> None:
    ollama = server()

    async def tale(world: Operated) -> None:
        put_backend(world, url, memory={"pinned": ["a:1"]})
        await world.until(lambda: said(world) == ("True", "AsWanted"))
        assert ollama.loaded() == ["a:1"]

        ollama.restart()
        await world.until(lambda: ollama.loaded() == ["a:1"])

        put_backend(world, url, generation=2, memory={"pinned": ["a:1", "lost:1"]})
        await world.until(lambda: said(world) == ("False", "ModelMissing"))
        put_backend(world, url, generation=3)
        await world.until(lambda: said(world) == ("", ""))

    with served(ollama) as url:
        run(tale)


def test_a_load_that_fails_is_an_event_with_model_and_status_and_keeps_nothing_from_being_ready(
    run: Run,
) -> None:
    def notes(world: Operated) -> list[str]:
        return [one["note"] for one in world.all(kinds.EVENT) if one["reason"] == "ModelNotLoaded"]

    async def tale(world: Operated) -> None:
        put_backend(world, url, memory={"pinned": ["b:1"]})
        await world.until(lambda: said(world) == ("False", "LoadFailed"))
        await world.until(lambda: world.said(kinds.LLM_BACKEND, "ollama", "Ready") == ("True", "Ready"))
        await world.until(lambda: notes(world))
        place = f"ollama@{url.removeprefix('http://')}"
        assert notes(world) == [f"{place}: Model b:1 could not be loaded: the server answered 500."]

    with served(server(failing={"b:1": 500})) as url:
        run(tale)


def test_a_load_that_takes_long_holds_up_nobody(run: Run) -> None:
    held, go_on = Event(), Event()

    def before_load(name: str) -> None:
        held.set()
        assert go_on.wait(SECONDS)

    async def tale(world: Operated) -> None:
        put_backend(world, url, memory={"pinned": ["a:1"]})
        await asyncio.to_thread(held.wait, SECONDS)
        await world.until(lambda: said(world) == ("False", "NotLoaded"))
        spec = {"engine": "VLLM", "url": f"http://127.0.0.1:{other.port}", "profiling": {"mode": "Manual"}}
        world.put(kinds.LLM_BACKEND, "other", spec=spec)
        await world.until(lambda: world.said(kinds.LLM_BACKEND, "other", "Ready") == ("True", "Ready"))
        go_on.set()
        await world.until(lambda: said(world) == ("True", "AsWanted"))

    with served(server(), before_load) as url, engines.engine(vllm("tiny")) as other:
        run(tale)


# Each endpoint by itself


def backend(**spec: Any) -> LLMBackend:
    return profiled_backend(engine="Ollama", probe={"intervalSeconds": 1}, **spec)


def place(url: str) -> Endpoint:
    return gateways.endpoint(int(url.rpartition(":")[2]))


async def kept(of: LLMBackend, places: list[Endpoint], until: Callable[[Keepers], object]) -> Keepers:
    """What keepers know once this holds."""
    changed = asyncio.Event()
    async with Prober() as prober, asyncio.timeout(SECONDS), asyncio.TaskGroup() as tasks:
        keepers = Keepers(prober)
        keepers.want(of, places)
        running = tasks.create_task(keepers.run(lambda key: changed.set()))
        while not until(keepers):
            changed.clear()
            await changed.wait()
        running.cancel()
    return keepers


def test_every_endpoint_has_the_pinned_models_and_the_worst_is_told() -> None:
    well, ill = server(), server(failing={"a:1": 503})
    with ExitStack() as stack:
        places = [place(stack.enter_context(served(one))) for one in (well, ill)]

        def is_known(keepers: Keepers) -> bool:
            fact = keepers.fact(KEY)
            return fact is not None and fact.reason == "LoadFailed" and "Nor is" not in fact.message

        keepers = asyncio.run(kept(backend(memory={"pinned": ["a:1"]}), places, is_known))
        assert well.loaded() == ["a:1"]

    fact = keepers.fact(KEY)
    assert fact is not None
    message = f"{places[1].name}: Model a:1 could not be loaded: the server answered 503."
    assert (fact.holds, fact.message) == (False, message)
    assert [note.message for note in keepers.notes(KEY)] == [message]
    assert keepers.notes(KEY) == ()


def test_a_server_that_is_away_is_told_without_its_address_being_asked_more_often() -> None:
    with engines.refusing_port() as port:
        away = gateways.endpoint(port)
        keepers = asyncio.run(kept(backend(memory={"pinned": ["a:1"]}), [away], lambda one: one.fact(KEY)))

    message = f"{away.name}: What is in memory is not known: the server did not answer (Unreachable)."
    assert keepers.fact(KEY) == Fact("Loaded", False, "NotTold", message)


def test_nothing_is_said_of_a_backend_that_wants_nothing_or_was_not_asked_yet() -> None:
    async def story() -> None:
        async with Prober() as prober:
            keepers = Keepers(prober)
            keepers.want(backend(), [gateways.endpoint(1)])
            assert keepers.fact(KEY) is None
            keepers.want(backend(memory={}), [gateways.endpoint(1)])
            assert keepers.fact(KEY) is None
            keepers.forget(KEY)
            assert keepers.fact(KEY) is None

    asyncio.run(story())


def test_behind_one_address_for_all_pods_nothing_is_kept() -> None:
    async def story() -> Fact | None:
        async with Prober() as prober:
            keepers = Keepers(prober)
            reference = {"name": "engine", "port": 11434, "routing": "ClusterIP"}
            of = backend(url=None, serviceRef=reference, memory={"pinned": ["a:1"]})
            keepers.want(of, [gateways.endpoint(1)])
            return keepers.fact(KEY)

    fact = asyncio.run(story())

    assert fact is not None
    assert (fact.holds, fact.reason) == (False, "NotByPod")
