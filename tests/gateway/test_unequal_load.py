"""Load on replicas of unequal speed, through a gateway: beside taking turns, and beside an ideal balance.

Both balances have a fleet of their own and get the same requests at the same times, so what else runs on the
machine hits both. The ideal knows when every request will end; its times are computed.
"""

import asyncio
import heapq
import json
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

from fakes import folders, gateways, program, slot_engine
from fakes.folders import resource
from fakes.slot_engine import SlotEngine

SPEEDS = (100, 100, 200, 300, 400, 800)
"""Tokens a second of one stream, by replica."""

SLOTS = 4
TOKENS = 128
"""Mean length of an answer."""

REQUESTS = 200
UTILISATION = 0.7
BALANCES = ("LeastLoad", "RoundRobin")

Arrival = tuple[float, int]
"""When a request comes, in seconds, and its tokens."""


def arrivals() -> list[Arrival]:
    """Poisson arrivals of requests of exponential length."""
    random, now, found = Random(5), 0.0, []
    rate = UTILISATION * sum(SPEEDS) * SLOTS / TOKENS
    for _ in range(REQUESTS):
        now += random.expovariate(rate)
        found.append((now, 1 + int(random.expovariate(1 / TOKENS))))
    return found


def p95(took: list[float]) -> float:
    return sorted(took)[int(0.95 * len(took))]


def ideal(plan: list[Arrival]) -> list[float]:
    """The times where each request goes to the replica that ends it first."""
    free, took = [[0.0] * SLOTS for _ in SPEEDS], []
    for now, tokens in plan:
        ends = [max(now, slots[0]) + tokens / speed for slots, speed in zip(free, SPEEDS, strict=True)]
        best = min(range(len(SPEEDS)), key=ends.__getitem__)
        heapq.heapreplace(free[best], ends[best])
        took.append(ends[best] - now)
    return took


def documents(balance: str, engines: list[SlotEngine]) -> list[dict[str, Any]]:
    """A fleet of one model, measured, and the policy over it."""
    model, found = balance.lower(), []
    for speed, one in zip(SPEEDS, engines, strict=True):
        name = f"{model}-{one.port}"
        found.append(folders.backend(name, one.port, {"name": model}, engine="LlamaCpp"))
        curve = [
            {"concurrency": streams, "outputTokensPerSecond": speed * min(streams, SLOTS)}
            for streams in (1, SLOTS, 2 * SLOTS)
        ]
        performance = {"outputTokensPerSecond": speed, "ttftMs": {"p50": 1}, "saturation": curve}
        spec: dict[str, Any] = {"backendRef": {"name": name}, "model": model}
        found.append(resource("ModelProfile", name, spec, status={"performance": performance}))
    spec = {"models": [{"name": f"auto-{model}"}], "candidates": [{"models": [model]}]}
    return [*found, resource("RoutingPolicy", model, spec | {"balance": {"type": balance}})]


async def load(port: int, plan: list[Arrival]) -> dict[str, list[float]]:
    """How long each request took, by balance; each on a connection of its own."""
    loop = asyncio.get_running_loop()
    took: dict[str, list[float]] = {balance: [] for balance in BALANCES}

    async def ask(balance: str, tokens: int) -> None:
        begun = loop.time()
        body = json.dumps(slot_engine.question(tokens) | {"model": f"auto-{balance.lower()}"}).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(gateways.post(body, "/v1/completions", "connection: close\r\n"))
        got = await reader.read()
        writer.close()
        assert got.startswith(b"HTTP/1.1 200 "), got
        took[balance].append(loop.time() - begun)

    async with asyncio.TaskGroup() as group:
        start = loop.time()
        for at, tokens in plan:
            await asyncio.sleep(max(0.0, start + at - loop.time()))
            for balance in BALANCES:
                group.create_task(ask(balance, tokens))
    return took


def test_unequal_replicas_answer_nearly_as_soon_as_an_ideal_balance_has_them_do(tmp_path: Path) -> None:
    fleets = {balance: [SlotEngine(SLOTS, 1 / speed) for speed in SPEEDS] for balance in BALANCES}
    plan = arrivals()
    with ExitStack() as stack:
        stack.enter_context(slot_engine.running([one for fleet in fleets.values() for one in fleet]))
        folders.write(tmp_path, *(one for name, fleet in fleets.items() for one in documents(name, fleet)))
        gateway = stack.enter_context(program.gateway(tmp_path))
        took = asyncio.run(load(int(gateway.url.rpartition(":")[2]), plan))

    best, ours, turns = p95(ideal(plan)), p95(took["LeastLoad"]), p95(took["RoundRobin"])
    assert ours <= 1.3 * best
    assert ours < 0.7 * turns
