"""Watched: a gateway as a process of its own, over engines that make it tell of everything that it can.

`big` is a vLLM with a GPU, which takes one request at a time; `small` an Ollama; `broken` fails always.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import httpx

from fakes.engines import SECONDS, Ask, answer, chunk, engine, stream_head
from fakes.folders import backend, model, resource, write
from fakes.gpu_exporter import Card, gpu_exporter
from fakes.program import Gateway, gateway
from kube import waiting

BIG, SMALL, BROKEN = "big", "smollm2:135m", "broken"
"""Models, by the backends big, small and broken."""

AUTO, HASTY = "auto", "hasty"
"""Policies: big before small; big at once or not at all."""

_RECORDED = Path(__file__).parents[1] / "recordings" / "probes" / "ollama-0.17.4"
_USAGE = {
    "prompt_tokens": 8,
    "completion_tokens": 12,
    "total_tokens": 20,
    "prompt_tokens_details": {"cached_tokens": 4},
}
_LOAD = """\
vllm:num_requests_running{{engine="0"}} 1
vllm:num_requests_waiting{{engine="0"}} 0
vllm:kv_cache_usage_perc{{engine="0"}} 0.25
vllm:generation_tokens_total{{engine="0"}} {tokens}
"""


@dataclass
class Engines:
    """What the engines do."""

    held: Event = field(default_factory=Event)
    """Set once `big` works on a request that it holds."""
    released: Event = field(default_factory=Event)
    """Set: `big` answers what it held."""
    tokens: Iterator[int] = field(default_factory=lambda: count(100, 50))
    """That `big` made, from reading to reading."""

    def big(self, ask: Ask) -> None:
        """A vLLM; a request whose text is `hold` is held."""
        path = ask.line.split()[1]
        if path == b"/metrics":
            ask.send(answer(_LOAD.format(tokens=next(self.tokens)).encode()))
        elif path == b"/version":
            ask.send(answer(b'{"version":"0.32.0"}'))
        else:
            if b'"hold"' in ask.body:
                self.held.set()
                self.released.wait(SECONDS)
            _chat(ask)

    def small(self, ask: Ask) -> None:
        """An Ollama that has its model loaded."""
        name = ask.line.split()[1].decode().removeprefix("/api/")
        pages = {"ps": "ps_one", "tags": "tags", "version": "version", "show": "show"}
        if name in pages:
            ask.send(answer((_RECORDED / f"{pages[name]}.body").read_bytes()))
        else:
            _chat(ask)

    def broken(self, ask: Ask) -> None:
        """Fails."""
        ask.send(answer(b"{}", "500 Internal Server Error"))


def _chat(ask: Ask) -> None:
    asked = json.loads(ask.body)
    whole = {"id": "x", "created": 1, "model": asked["model"], "usage": _USAGE}
    if asked.get("stream"):
        piece = {"index": 0, "delta": {"content": "hello"}, "finish_reason": "stop"}
        event = whole | {"object": "chat.completion.chunk", "choices": [piece]}
        data = f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n".encode()
        ask.send(stream_head() + chunk(data) + chunk(b""))
        return
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}}
    ask.send(answer(json.dumps(whole | {"object": "chat.completion", "choices": [choice]}).encode()))


class Watched:
    """The gateway and its engines."""

    def __init__(self, up: Gateway, engines: Engines) -> None:
        self.gateway = up
        self._engines = engines

    def metrics(self) -> str:
        """What it tells Prometheus."""
        return self.gateway.admin.get("/metrics").raise_for_status().text

    def traffic(self) -> None:
        """Requests of every kind and end, one of which waits for a slot and one of which gets none."""
        for name in (AUTO, BIG, SMALL):
            assert self.gateway.chat(model=name).status_code == 200
            assert self._stream(name).status_code == 200
        assert self.gateway.chat(model=BROKEN).status_code >= 500
        assert self.gateway.chat(model="nobody").status_code == 404
        self._engines.held.clear()
        self._engines.released.clear()
        with ThreadPoolExecutor(2) as threads:
            held = threads.submit(self.gateway.chat, "hold", BIG)
            assert self._engines.held.wait(SECONDS)
            waits = threads.submit(self.gateway.chat, "hello", BIG)
            try:
                waiting.until(lambda: 'queued_requests{backend="big"} 1.0' in self.metrics(), "one to wait")
                assert self.gateway.chat(model=HASTY).status_code == 429
            finally:
                self._engines.released.set()
            assert (held.result().status_code, waits.result().status_code) == (200, 200)

    def _stream(self, name: str) -> httpx.Response:
        body: dict[str, Any] = {
            "model": name,
            "stream": True,
            "messages": [{"role": "user", "content": "hi"}],
        }
        return self.gateway.client.post("/v1/chat/completions", json=body)


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    """The gateway, over resources in this folder, once engines and GPUs told of themselves twice."""
    engines = Engines()
    with (
        engine(engines.big) as big,
        engine(engines.small) as small,
        engine(engines.broken) as broken,
        gpu_exporter(Card()) as gpus,
    ):
        often = {"intervalSeconds": 1}
        read = {"engine": often, "gpu": {"url": gpus.url}}
        write(
            folder,
            backend("big", big.port, model(BIG), engine="VLLM", maxConcurrency=1, metrics=read),
            backend("small", small.port, model(SMALL), engine="Ollama", metrics={"engine": often}),
            backend("broken", broken.port, model(BROKEN)),
            _profile("big", BIG),
            _policy(AUTO, BIG, SMALL),
            _policy(HASTY, BIG, maxWaitSeconds=0),
        )
        with gateway(folder) as up:
            seen = Watched(up, engines)
            last = ("engine_output_tokens_per_second{", "engine_loaded_models{", "gpu_utilization_ratio{")
            waiting.until(lambda: all(one in seen.metrics() for one in last), "engines and GPUs to tell")
            yield seen


def _profile(of_backend: str, of_model: str) -> dict[str, Any]:
    """What was measured, at more than one request at a time: the engine says that it works on one always."""
    curve = [{"concurrency": 8, "outputTokensPerSecond": 100, "ttftMsP95": 9}]
    measured = {"ttftMs": {"p50": 9}, "outputTokensPerSecond": 20, "saturation": curve}
    spec = {"backendRef": {"name": of_backend}, "model": of_model}
    return resource("ModelProfile", f"{of_backend}-measured", spec, status={"performance": measured})


def _policy(name: str, *models: str, **spec: Any) -> dict[str, Any]:
    candidates = [{"models": [one]} for one in models]
    asked = {"models": [{"name": name}], "order": "AsListed", "candidates": candidates}
    return resource("RoutingPolicy", name, asked | spec)
