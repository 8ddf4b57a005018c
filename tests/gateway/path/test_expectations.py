"""When a first byte is expected: loads and long prompts of which nothing was measured are not slowness."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import httpx
import pytest

from fakes.engines import Ask, Script, answer, chunk, engine, says, stream_head
from fakes.folders import backend, model, resource, write
from fakes.program import Gateway, gateway
from kube import waiting
from steelyard.api.measuring import LOAD_PROMPT_TOKENS
from steelyard_gateway.breaker import LEAST_SAMPLES

STREAM = stream_head() + chunk(b'data: {"choices":[]}\n\n') + chunk(b"data: [DONE]\n\n") + chunk(b"")
TTFT_MS = 10
SLOW_SECONDS = 0.06


def profile(name: str, served: str, **performance: Any) -> dict[str, Any]:
    measured = {"ttftMs": {"p50": TTFT_MS}, "outputTokensPerSecond": 50, **performance}
    spec = {"backendRef": {"name": name}, "model": served}
    return resource("ModelProfile", f"{name}-{served}", spec, status={"performance": measured})


@contextmanager
def two(directory: Path, script: Script, engine_name: str, **performance: Any) -> Iterator[Gateway]:
    """Engine a with this script, and a fast one, b; both serve m and n."""
    with engine(script) as first, engine(says(STREAM)) as second:
        places = {"a": first.port, "b": second.port}
        written = [
            backend(name, port, model("m"), model("n"), engine=engine_name) for name, port in places.items()
        ]
        written += [profile(name, served, **performance) for name in places for served in "mn"]
        write(directory, *written)
        with gateway(directory) as up:
            yield up


def stream(up: Gateway, models: Sequence[str], words: int = 1) -> None:
    """Ask for these one after another, and read them to their ends."""
    with httpx.Client(base_url=up.url, timeout=20, trust_env=False) as client:
        for name in models:
            messages = [{"role": "user", "content": "word " * words}]
            body = {"model": name, "stream": True, "messages": messages}
            assert client.post("/v1/chat/completions", json=body).status_code == 200


def at_once(up: Gateway, name: str, words: int) -> None:
    """Ask for this so often that it is judged."""
    with ThreadPoolExecutor(LEAST_SAMPLES) as pool:
        list(pool.map(lambda _: stream(up, [name], words), range(LEAST_SAMPLES)))
    stream(up, [name], words)


def wait_until_told(up: Gateway) -> None:
    """Wait until it is known what is loaded."""

    def loaded() -> bool:
        table = up.admin.get("/admin/table").json()["candidates"]
        return any(one["sample"]["loaded"] for pair in table for one in pair["endpoints"])

    waiting.until(loaded, "what is loaded")


def circuits(up: Gateway) -> dict[str, str]:
    table = up.admin.get("/admin/table").json()["candidates"]
    return {one["name"].partition("@")[0]: one["circuit"] for pair in table for one in pair["endpoints"]}


class Swapping:
    """A script of a server whose memory holds one model, and which takes long to load another.

    One that keeps nothing unloads each model at once.
    """

    def __init__(self, *, keeps: bool = True) -> None:
        self._lock = Lock()
        self._keeps = keeps
        self._loaded = b"m"

    def __call__(self, ask: Ask) -> None:
        if b"/api/ps" in ask.line:
            told = b'{"name":"%b:latest"}' % self._loaded if self._loaded else b""
            ask.send(answer(b'{"models":[%b]}' % told))
        elif b"/api/tags" in ask.line:
            ask.send(answer(b'{"models":[{"name":"m:latest"},{"name":"n:latest"}]}'))
        elif b"GET" in ask.line:
            ask.send(answer(b"{}"))
        else:
            with self._lock:
                wanted = b"m" if b'"model":"m"' in ask.body else b"n"
                if wanted != self._loaded:
                    ask.stopped.wait(SLOW_SECONDS)
                    self._loaded = wanted if self._keeps else b""
            ask.send(STREAM)


@pytest.mark.parametrize("keeps", [True, False])
def test_a_server_that_loads_a_model_for_each_request_is_not_slow(keeps: bool, tmp_path: Path) -> None:
    cold = {"promptTokensPerSecond": 1000, "coldLoadMs": 5000}
    with two(tmp_path, Swapping(keeps=keeps), "Ollama", **cold) as up:
        wait_until_told(up)
        stream(up, ["m@b", "n@b"] * (LEAST_SAMPLES // 2))
        names = ["n@a", "m@a"] if keeps else ["n@a", "n@a"]
        stream(up, names * (LEAST_SAMPLES // 2 + 1))

        assert circuits(up)["a"] == "Closed"


@pytest.mark.parametrize(("words", "circuit"), [(2 * LOAD_PROMPT_TOKENS, "Closed"), (1, "Open")])
def test_a_long_prompt_is_judged_only_where_the_speed_of_prompts_was_measured(
    words: int, circuit: str, tmp_path: Path
) -> None:
    def slow(ask: Ask) -> None:
        ask.stopped.wait(10 * SLOW_SECONDS)
        ask.send(STREAM)

    with two(tmp_path, slow, "OpenAI", ttftMs={"p50": 10 * TTFT_MS}) as up:
        at_once(up, "m@b", 1)
        at_once(up, "m@a", words)

        assert circuits(up)["a"] == circuit
