"""How long an Ollama takes to load a model, and what that takes; nobody's model is unloaded unasked."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from fakes import engines, loading_ollama, real_ollama
from fakes.engines import Ask
from fakes.loading_ollama import LoadingOllama, Stored
from fakes.profiled_engine import ProfiledEngine
from fakes.real_ollama import GEMMA3, SMOLLM2
from steelyard.api.backend import Engine
from steelyard.api.profile import ModelProfileSpec
from steelyard_profiler import loading, profiling
from steelyard_profiler.drive import Drive
from steelyard_profiler.target import Target

T = TypeVar("T")


def asked(url: str, what: Callable[[Drive], Awaitable[T]]) -> T:
    async def ask() -> T:
        async with Drive(Target(f"{url}/v1", "a", engine=Engine.OLLAMA)) as drive:
            return await what(drive)

    return asyncio.run(ask())


def cold_load(url: str, model: str = "a", *, may_unload: bool = False) -> int | None:
    return asked(url, lambda drive: loading.cold_load_ms(drive, model, seconds=30, may_unload=may_unload))


def memory(url: str, model: str = "a") -> int | None:
    return asked(url, lambda drive: loading.memory_mib(drive, model))


def ollama(**fields: Any) -> LoadingOllama:
    return LoadingOllama([Stored("a:latest", 700), Stored("b:latest", 900)], **fields)


def test_a_model_that_is_not_in_memory_is_loaded_and_timed() -> None:
    server = ollama()
    with loading_ollama.served(server) as url:
        took = cold_load(url)
        assert took is not None and took >= 0
        assert server.journal == [("loaded", "a:latest")]
        assert (memory(url), memory(url, "b")) == (700, None)


def test_a_model_for_which_another_server_answers_is_not_loaded() -> None:
    server = LoadingOllama([Stored("a:latest", 1, is_remote=True)])
    with loading_ollama.served(server) as url:
        assert cold_load(url) is None
    assert server.asked == []


def test_a_model_in_memory_stays_there_unless_it_may_be_unloaded() -> None:
    server = ollama()
    server.use("a")
    with loading_ollama.served(server) as url:
        assert cold_load(url) is None
        assert server.journal == [("loaded", "a:latest")]
        assert cold_load(url, may_unload=True) is not None
    assert server.journal[1:] == [("unloaded", "a:latest"), ("loaded", "a:latest")]


def test_a_model_that_was_to_stay_for_ever_is_again() -> None:
    server = ollama()
    server.begin("a", keep_alive=loading_ollama.FOR_EVER_SECONDS)
    server.end("a")
    with loading_ollama.served(server) as url:
        assert cold_load(url, may_unload=True) is not None
    assert server.asked[-1][1]["keep_alive"] == -1
    server.use("b")
    with loading_ollama.served(server) as url:
        assert cold_load(url, "b", may_unload=True) is not None
    assert "keep_alive" not in server.asked[-1][1], "the server's own time holds as before"


def test_an_unloaded_model_is_waited_for_while_it_answers_others() -> None:
    server = ollama()
    server.begin("a")
    looks: list[str] = []

    def script(ask: Ask) -> None:
        path = ask.line.split()[1].decode()
        if path == "/api/ps" and server.asked:
            looks.append(path)
            if len(looks) == 2:
                server.end("a")
        _, body = server.answer(path, ask.body or None)
        ask.send(engines.answer(body))

    with engines.engine(script) as up:
        assert cold_load(f"http://127.0.0.1:{up.port}", may_unload=True) is not None
    assert len(looks) == 2
    assert server.journal == [("loaded", "a:latest"), ("unloaded", "a:latest"), ("loaded", "a:latest")]


NOT_TOLD: dict[str, dict[bytes, bytes]] = {
    "it has no such model": {b"/api/tags": b'{"models": [{"name": "b"}]}', b"/api/ps": b'{"models": []}'},
    "it lists nothing": {b"/api/tags": b"<html>", b"/api/ps": b'{"models": []}'},
    "it does not tell what is in memory": {b"/api/tags": b'{"models": [{"name": "a"}]}'},
    "its load ends otherwise": {
        b"/api/tags": b'{"models": [{"name": "a"}]}',
        b"/api/ps": b'{"models": []}',
        b"/api/generate": b'{"done": true, "done_reason": "stop"}',
    },
    "its load is no JSON": {
        b"/api/tags": b'{"models": [{"name": "a"}]}',
        b"/api/ps": b'{"models": []}',
        b"/api/generate": b"[" * 100_000,
    },
    "it does not unload": {
        b"/api/tags": b'{"models": [{"name": "a"}]}',
        b"/api/ps": b'{"models": [{"name": "a", "size": 5}]}',
        b"/api/generate": b"{}",
    },
}


@pytest.mark.parametrize("case", NOT_TOLD)
def test_no_time_is_made_up_where(case: str) -> None:
    answers = NOT_TOLD[case]
    lost = engines.answer(b"", "404 Not Found")

    def script(ask: Ask) -> None:
        body = answers.get(ask.line.split()[1])
        ask.send(lost if body is None else engines.answer(body))

    with engines.engine(script) as up:
        assert cold_load(f"http://127.0.0.1:{up.port}", may_unload=True) is None


def test_a_load_that_hangs_is_left_when_its_time_is_over() -> None:
    def script(ask: Ask) -> None:
        path = ask.line.split()[1]
        if path != b"/api/generate":
            models = [{"name": "a"}] if path == b"/api/tags" else []
            ask.send(engines.answer(json.dumps({"models": models}).encode()))

    with engines.engine(script) as up:
        url = f"http://127.0.0.1:{up.port}"
        took = asked(url, lambda drive: loading.cold_load_ms(drive, "a", seconds=0.2, may_unload=False))
    assert took is None


@pytest.mark.parametrize(("made", "is_timed"), [(0, True), (5, False), (None, False)])
def test_the_first_request_after_a_start_is_timed(made: int | None, is_timed: bool) -> None:
    engine = ProfiledEngine(load=[0], made_tokens=made, first_token_seconds=0.01)
    with engine.running():
        spec = ModelProfileSpec.model_validate({"backendRef": {"name": "b"}, "model": "m"})
        target = engine.target(engine=Engine.VLLM)
        result = asyncio.run(profiling.profile(target, spec, lambda progress: None))
    assert result.performance and result.performance.ttft_ms
    assert (result.performance.cold_load_ms is not None) is is_timed


def test_a_real_ollama_is_timed_and_tells_what_a_model_takes(ollama_home: Path, tmp_path: Path) -> None:
    with real_ollama.ollama(ollama_home, tmp_path / "one", [SMOLLM2, GEMMA3]) as server:
        first = cold_load(server.url, SMOLLM2)
        assert first is not None and first > 0
        assert server.loads() == 1 and list(server.loaded()) == [SMOLLM2]
        assert cold_load(server.url, SMOLLM2) is None and server.loads() == 1
        again = cold_load(server.url, SMOLLM2, may_unload=True)
        assert again is not None and server.loads() == 2
        size = server.loaded()[SMOLLM2]["size"]
        assert memory(server.url, SMOLLM2) == -(-size // 2**20)
        assert memory(server.url, GEMMA3) is None
