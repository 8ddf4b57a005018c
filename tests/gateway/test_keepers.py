"""The gateway over files keeps the memory of engines that load on demand: real processes, real HTTP."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from fakes import folders
from fakes.loading_ollama import SECONDS, LoadingOllama, Stored, served
from fakes.program import Gateway, gateway

OFTEN = {"engine": {"intervalSeconds": 1}}


def server(**options: Any) -> LoadingOllama:
    models = [Stored("a:1", 100), Stored("b:1", 200), Stored("c:1", 300)]
    return LoadingOllama(models, now=time.time(), **options)


def of_ollama(url: str, **memory: Any) -> dict[str, Any]:
    """A backend with this memory."""
    models: list[dict[str, Any]] = [{"name": "a:1", "contextTokens": 8192}, {"name": "b:1"}, {"name": "c:1"}]
    spec = {"engine": "Ollama", "url": url, "memory": memory, "metrics": OFTEN}
    return folders.backend("ollama", 0, *models, **spec)


def write(folder: Path, url: str, **memory: Any) -> None:
    folders.write(folder, of_ollama(url, **memory))


def holding(model: str, held: Event, go_on: Event) -> Callable[[str], None]:
    """What holds up the load of this model until it may go on."""

    def before_load(name: str) -> None:
        if name == model:
            held.set()
            assert go_on.wait(SECONDS)

    return before_load


def wait_for(ollama: LoadingOllama, *names: str) -> None:
    """Wait until just these are in memory."""
    with ollama.changed:
        assert ollama.changed.wait_for(lambda: sorted(ollama.loaded()) == list(names), SECONDS), (
            ollama.loaded()
        )


def loads(ollama: LoadingOllama) -> list[dict[str, Any]]:
    """What had a model loaded; asking whether one works does not."""
    return [asked for _, asked in ollama.asked if "keep_alive" in asked]


def test_pinned_models_are_loaded_with_their_context_and_again_after_a_restart(tmp_path: Path) -> None:
    ollama = server()
    with served(ollama) as url:
        write(tmp_path, url, pinned=["a:1"], preload=["b:1"], keepAliveSeconds=60)
        with gateway(tmp_path) as up:
            wait_for(ollama, "a:1", "b:1")
            assert loads(ollama) == [
                {"model": "a:1", "keep_alive": -1, "options": {"num_ctx": 8192}},
                {"model": "b:1", "keep_alive": 60, "options": {}},
            ]
            assert [up.wait_for("memory changed")["model"] for _ in range(2)] == ["a:1", "b:1"]
            assert up.lines[-2]["detail"] == "was loaded: 200 MiB."  # twice the context, twice the size

            ollama.restart()

            wait_for(ollama, "a:1", "b:1")


def test_of_two_workers_one_loads_and_one_model_after_another(tmp_path: Path) -> None:
    ollama = server()
    with served(ollama) as url:
        write(tmp_path, url, pinned=["a:1", "b:1", "c:1"])
        with gateway(tmp_path, "--workers", "2"):
            wait_for(ollama, "a:1", "b:1", "c:1")

    assert [asked["model"] for asked in loads(ollama)] == ["a:1", "b:1", "c:1"]
    assert ollama.most_loading == 1


def test_a_load_holds_nothing_up_and_behind_one_address_for_all_pods_nothing_is_kept(tmp_path: Path) -> None:
    ollama, held, go_on = server(), Event(), Event()
    service: dict[str, Any] = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "engine"}}
    service["spec"] = {"ports": [{"port": 11434}]}
    hidden = of_ollama("", pinned=["a:1"])
    del hidden["spec"]["url"]
    hidden["metadata"]["name"] = "hidden"
    hidden["spec"]["serviceRef"] = {"name": "engine", "port": 11434, "routing": "ClusterIP"}
    with served(ollama, holding("a:1", held, go_on)) as url:
        folders.write(tmp_path, service, hidden, of_ollama(url, pinned=["a:1"]))
        with gateway(tmp_path) as up:
            assert held.wait(SECONDS)
            assert up.admin.get("/readyz").status_code == 200
            told = up.wait_for("memory is not as wanted")
            assert (told["backend"], told["reason"]) == ("hidden", "NotByPod")
        go_on.set()


def test_what_is_wanted_may_change_and_what_fails_is_told_once(tmp_path: Path) -> None:
    ollama = server(failing={"b:1": 503})
    with served(ollama) as url:
        write(tmp_path, url, budgetMiB=10_000, preload=["a:1", "b:1"], pinned=["gone:1"])
        with gateway(tmp_path) as up:
            failed = up.wait_for("model not kept in memory")
            assert (failed["model"], failed["endpoint"]) == ("b:1", f"ollama@{url.removeprefix('http://')}")
            assert failed["detail"] == "could not be loaded: the server answered 503."
            told = up.wait_for("memory is not as wanted")
            assert told["reason"] == "ModelMissing"
            assert "spec.memory.pinned names gone:1" in told["detail"]

            ollama.failing.clear()
            write(tmp_path, url, budgetMiB=450, pinned=["c:1"])
            wait_for(ollama, "c:1")  # a went for it

            assert up.wait_for("memory is as wanted")["backend"] == "ollama"


def until(what: Callable[[], bool]) -> None:
    """Ask again and again until this is so."""
    deadline = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < deadline


def knows(up: Gateway, *names: str) -> bool:
    """Whether the gateway knows that just these are in memory, on one server or another."""
    found = [
        place["sample"]["loaded"]
        for pair in up.admin.get("/admin/table").json()["candidates"]
        for place in pair["endpoints"]
    ]
    told = [sorted(one["name"] for one in loaded) for loaded in found if loaded is not None]
    return sorted(names) in told


@contextmanager
def traffic(up: Gateway, model: str) -> Iterator[list[int]]:
    """Requests for a model, one upon the other; their statuses."""
    stops, statuses = Event(), list[int]()

    def ask() -> None:
        while not stops.is_set():
            statuses.append(up.chat(model=model).status_code)

    with ThreadPoolExecutor(3) as people:
        asked = [people.submit(ask) for _ in range(3)]
        until(lambda: len(statuses) > 3)
        try:
            yield statuses
        finally:
            stops.set()
            for one in asked:
                one.result(SECONDS)


@pytest.mark.parametrize("memory", [{}, {"budgetMiB": 10_000}], ids=["no budget", "a budget"])
def test_a_pinned_model_of_unknown_size_is_loaded_though_its_server_is_never_idle(
    tmp_path: Path, memory: dict[str, Any]
) -> None:
    ollama = server()
    with served(ollama) as url:
        write(tmp_path, url, evict="Never")
        with gateway(tmp_path) as up, traffic(up, "b:1") as statuses:
            until(lambda: knows(up, "b:1"))
            write(tmp_path, url, pinned=["a:1"], **memory)
            wait_for(ollama, "a:1", "b:1")
            seen = len(statuses)
            until(lambda: len(statuses) > seen + 6)

    assert set(statuses) == {200}
    assert ollama.starved == []


def test_a_request_for_another_model_waits_for_the_load_of_a_pinned_one(tmp_path: Path) -> None:
    ollama, held, go_on = server(), Event(), Event()
    with served(ollama, holding("a:1", held, go_on)) as url, ThreadPoolExecutor(1) as person:
        write(tmp_path, url, evict="Never")
        with gateway(tmp_path) as up:
            until(lambda: knows(up))
            write(tmp_path, url, pinned=["a:1"])
            assert held.wait(SECONDS)
            asked = person.submit(up.chat, model="b:1")
            until(lambda: 'steelyard_queued_requests{backend="ollama"} 1.0' in up.admin.get("/metrics").text)
            go_on.set()
            assert asked.result(SECONDS).status_code == 200

    assert ollama.most_loading == 1


def test_a_pinned_model_waits_for_the_load_that_a_request_began(tmp_path: Path) -> None:
    ollama, held, go_on = server(), Event(), Event()
    with served(ollama, holding("b:1", held, go_on)) as url, ThreadPoolExecutor(1) as person:
        write(tmp_path, url, evict="Never")
        with gateway(tmp_path) as up:
            until(lambda: knows(up))
            asked = person.submit(up.chat, model="b:1")
            assert held.wait(SECONDS)
            write(tmp_path, url, pinned=["a:1"])
            looks = ollama.looks
            until(lambda: ollama.looks > looks + 2)
            go_on.set()
            assert asked.result(SECONDS).status_code == 200
            wait_for(ollama, "a:1", "b:1")

    assert ollama.most_loading == 1


def test_a_pinned_model_never_leaves_for_what_another_server_can_load(tmp_path: Path) -> None:
    ollamas = [server(most_loaded=1), server(most_loaded=1)]
    with served(ollamas[0]) as one, served(ollamas[1]) as other:
        documents = [of_ollama(one, pinned=["a:1"]), of_ollama(other)]
        for number, document in enumerate(documents):
            document["metadata"]["name"] = f"o{number}"
        del documents[1]["spec"]["memory"]
        folders.write(tmp_path, *documents)
        with gateway(tmp_path) as up, ThreadPoolExecutor(6) as people:
            wait_for(ollamas[0], "a:1")
            until(lambda: knows(up, "a:1"))
            models = [f"{name}:1" for name in "bcbcabcb"]
            asked = people.map(lambda model: up.chat(model=model).status_code, models)
            assert set(asked) == {200}

    assert [name for what, name in ollamas[0].journal if what == "evicted"] == []
