"""A gateway, over a folder of resources, before engines that serve one model each, or all the same."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx
import yaml

from fakes.engines import Engine, Script, engine
from fakes.folders import resource
from fakes.program import Gateway, gateway

CHAT = "/v1/chat/completions"
TTFT_MS = 150
WORDS = 4


class Fleet:
    """A gateway before engines that serve one model each, or all the same."""

    def __init__(self, up: Gateway, engines: Sequence[Engine]) -> None:
        self.gateway = up
        self.engines = engines

    def asks(self) -> list[int]:
        """How many requests each engine got."""
        return [len(one.asks) for one in self.engines]

    def circuits(self) -> list[str]:
        """The state of each engine's breaker, by name."""
        every = self.gateway.admin.get("/admin/table").json()["candidates"]
        return [endpoint["circuit"] for one in every for endpoint in one["endpoints"]]

    def stream(self, model: str, times: int, words: int = WORDS) -> None:
        """Ask for so many streams at once, and read them to their ends."""
        together = Barrier(times)

        def ask(_: int) -> int:
            with httpx.Client(base_url=self.gateway.url, timeout=20, trust_env=False) as client:
                together.wait()
                return client.post(CHAT, json=body(model, words, stream=True)).status_code

        with ThreadPoolExecutor(times) as pool:
            assert list(pool.map(ask, range(times))) == [200] * times

    def slow_ones(self) -> list[str]:
        """The endpoints that the log calls slow, so far."""
        self.gateway.chat(model="nobody")
        while self.gateway.wait_for("request")["status"] != 404:
            pass
        return [line["endpoint"] for line in self.gateway.lines if line["event"] == "endpoint is slow"]


def body(model: str, words: int = WORDS, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "word " * words}], **more}


def backend(number: int, port: int, model: str, **fields: Any) -> dict[str, Any]:
    models = [{"name": model, **fields}]
    spec = {"engine": "OpenAI", "url": f"http://127.0.0.1:{port}", "models": models}
    return resource("LLMBackend", f"engine-{number}", spec)


def profile(number: int, model: str) -> dict[str, Any]:
    performance = {
        "ttftMs": {"p50": TTFT_MS},
        "promptTokensPerSecond": 1000,
        "outputTokensPerSecond": 50,
    }
    spec = {"backendRef": {"name": f"engine-{number}"}, "model": model}
    return resource("ModelProfile", f"engine-{number}", spec, status={"performance": performance})


Documents = Callable[[int, int], Sequence[dict[str, Any]]]


def of_one_model(number: int, port: int) -> Sequence[dict[str, Any]]:
    """The resources of an engine that serves the same model as the others."""
    return backend(number, port, "m"), profile(number, "m")


def of_its_own_model(number: int, port: int) -> Sequence[dict[str, Any]]:
    """The resources of an engine with a model of its own, with a larger context the higher its number."""
    return (backend(number, port, f"model-{number}", contextTokens=8192 * (number + 1)),)


LISTED = resource(
    "RoutingPolicy",
    "default",
    {
        "models": [{"name": "auto"}],
        "order": "AsListed",
        "candidates": [{"models": [f"model-{number}"]} for number in range(3)],
    },
)


@contextmanager
def fleet(
    directory: Path, *scripts: Script, documents: Documents = of_one_model, policy: dict[str, Any] = LISTED
) -> Iterator[Fleet]:
    """Engines behind a gateway; where each has a model of its own, `auto` tries them in this order."""
    with ExitStack() as stack:
        engines = [stack.enter_context(engine(script)) for script in scripts]
        written = [one for number, up in enumerate(engines) for one in documents(number, up.port)]
        if documents is of_its_own_model:
            written.append(policy)
        (directory / "all.yaml").write_text(yaml.safe_dump_all(written))
        yield Fleet(stack.enter_context(gateway(directory)), engines)
