"""Real Ollama servers that hold one model each, and zipf traffic for three.

By turns goes straight to the servers, as a proxy would that knows nothing of models; Steelyard is a gateway
in a process of its own over two LLMBackends. Both get the same requests. Every model has num_thread 1: two
servers on two cores would else wait for each other's spinning threads most of the time.

    PYTHONPATH=hack:tests python -m fleet.real
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from fakes import program, real_ollama
from fakes.real_ollama import RealOllama
from kube import waiting

MODELS = (real_ollama.SMOLLM2, real_ollama.SMOLLM2_LONG, real_ollama.GEMMA3)
"""By falling demand. The first two are one file: each of them throws the other out of any server."""

SECONDS = 120.0
"""No answer takes longer, unless it hangs."""

MAX_WAIT = 100
"""`maxWaitSeconds` of the gateway: nobody is sent away, as by turns nobody is."""

MOST_TOKENS = 8
"""Answers are at most so long: what is measured are loads."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of the traffic."""

    model: str
    tokens: int
    is_stream: bool


@dataclass(frozen=True, slots=True)
class Pace:
    """When requests come."""

    clients: int = 0
    """Clients that ask one after another; 0: `per_second` counts."""
    per_second: float = 1.0
    """Requests, whether those before are answered or not."""
    seed: int = 1

    def pauses(self) -> Iterator[float]:
        """Seconds between two requests."""
        chance = random.Random(self.seed)
        while True:
            yield chance.expovariate(self.per_second)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the traffic."""

    loads: int
    """Models that were loaded, by all servers together."""
    seconds: tuple[float, ...]
    """How long each request took, rising."""
    errors: tuple[str, ...]
    """Answers that were none."""

    def percentile(self, percent: int) -> float:
        """So many percent of the requests took no longer."""
        return self.seconds[len(self.seconds) * percent // 100]


def traffic(requests: int, seed: int) -> list[Asked]:
    """Requests of which the n-th model has a share in proportion to 1 ÷ n."""
    chance = random.Random(seed)
    weights = [1 / rank for rank in range(1, len(MODELS) + 1)]
    return [
        Asked(_own(model), chance.randint(1, MOST_TOKENS), chance.random() < 0.5)
        for model in chance.choices(MODELS, weights, k=requests)
    ]


@contextmanager
def servers(home: Path, folder: Path, number: int = 2) -> Iterator[Sequence[RealOllama]]:
    """So many servers that hold one model each."""
    with ExitStack() as stack:
        up = [
            stack.enter_context(real_ollama.ollama(home, folder / f"{index}", OLLAMA_MAX_LOADED_MODELS=1))
            for index in range(number)
        ]
        for server in up:
            for model in MODELS:
                server.create(_own(model), of=model, num_thread=1)
        yield up


def by_turns(up: Sequence[RealOllama], asked: Sequence[Asked], pace: Pace) -> Outcome:
    """Each server in turn."""
    return _measured(up, [server.url for server in up], asked, pace)


def steelyard(up: Sequence[RealOllama], asked: Sequence[Asked], pace: Pace, folder: Path) -> Outcome:
    """A gateway in front of them."""
    folder.mkdir()
    documents = [
        _document("LLMBackend", f"ollama-{index}", engine="Ollama", url=server.url)
        for index, server in enumerate(up)
    ]
    for number, model in enumerate(map(_own, MODELS)):
        spec = {"models": [{"name": model}], "candidates": [{"models": [model]}], "maxWaitSeconds": MAX_WAIT}
        documents.append(_document("RoutingPolicy", f"model-{number}", **spec))
    (folder / "fleet.yaml").write_text("---\n".join(json.dumps(one) + "\n" for one in documents))
    with program.gateway(folder) as gateway:
        waiting.until(lambda: _is_told(gateway, len(up)), "word of what is loaded")
        return _measured(up, [gateway.url], asked, pace)


def main(words: Sequence[str] | None = None) -> int:
    """Print a table in Markdown, a row for each round and way."""
    parser = argparse.ArgumentParser(prog="python -m fleet.real", description=__doc__)
    parser.add_argument("--requests", type=int, default=100, help="of each round (100)")
    parser.add_argument("--clients", type=int, default=0, help="that ask one after another (0: --per-second)")
    parser.add_argument("--per-second", type=float, default=3.0, help="requests, whatever was answered (3)")
    parser.add_argument("--rounds", type=int, default=3, help="each with other requests (3)")
    chosen = parser.parse_args(words)
    print("| round | balancer | loads | p50 s | p95 s | errors |\n| --- | --- | --: | --: | --: | --: |")
    with tempfile.TemporaryDirectory() as name, servers(real_ollama.build(), Path(name)) as up:
        for number in range(1, chosen.rounds + 1):
            asked = traffic(chosen.requests, number)
            pace = Pace(chosen.clients, chosen.per_second, number)
            _show(number, "by turns", by_turns(up, asked, pace))
            ours = steelyard(up, asked, pace, Path(name) / f"resources-{number}")
            _show(number, "steelyard", ours)
    return 0


def _document(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "steelyard.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def _own(model: str) -> str:
    return f"fleet-{model}"


def _is_told(gateway: program.Gateway, number: int) -> bool:
    """Whether it knows of all of so many servers what they have loaded."""
    pairs = gateway.admin.get("/admin/table").json()["candidates"]
    told = {pair["backend"] for pair in pairs if pair["endpoints"][0]["sample"]["loaded"] is not None}
    return len(told) == number


def _measured(up: Sequence[RealOllama], urls: Sequence[str], asked: Sequence[Asked], pace: Pace) -> Outcome:
    before = sum(server.loads() for server in up)
    taken, errors = asyncio.run(_drive(urls, asked, pace))
    return Outcome(sum(server.loads() for server in up) - before, tuple(sorted(taken)), tuple(errors))


async def _drive(urls: Sequence[str], asked: Sequence[Asked], pace: Pace) -> tuple[list[float], list[str]]:
    taken: list[float] = []
    errors: list[str] = []

    async def ask(http: httpx.AsyncClient, index: int) -> None:
        one = asked[index]
        body = {
            "model": one.model,
            "messages": [{"role": "user", "content": f"Tell me of the number {index}."}],
            "max_tokens": one.tokens,
            "stream": one.is_stream,
        }
        began_at = time.perf_counter()
        answer = await http.post(f"{urls[index % len(urls)]}/v1/chat/completions", json=body)
        taken.append(time.perf_counter() - began_at)
        if not answer.is_success:
            errors.append(f"{answer.status_code} {answer.text[:200]}")

    async def client(http: httpx.AsyncClient, left: Iterator[int]) -> None:
        for index in left:
            await ask(http, index)

    limits = httpx.Limits(max_connections=None)
    async with (
        httpx.AsyncClient(timeout=SECONDS, trust_env=False, limits=limits) as http,
        asyncio.TaskGroup() as tasks,
    ):
        every = iter(range(len(asked)))
        for _ in range(pace.clients):
            tasks.create_task(client(http, every))
        if not pace.clients:
            for index, pause in zip(every, pace.pauses(), strict=False):
                tasks.create_task(ask(http, index))
                await asyncio.sleep(pause)
    return taken, errors


def _show(number: int, name: str, one: Outcome) -> None:
    p50, p95 = one.percentile(50), one.percentile(95)
    print(f"| {number} | {name} | {one.loads} | {p50:.2f} | {p95:.2f} | {len(one.errors)} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
