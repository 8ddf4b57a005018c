"""Polled: a poller over some backends, by a clock that is moved, and what came of it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from fakes.resources import backend, resource_set, secret
from steelyard.api.backend import LLMBackend
from steelyard.routing.table import Endpoint
from steelyard_gateway import current
from steelyard_gateway.deadlines import Deadlines
from steelyard_gateway.live import LiveEndpoints
from steelyard_gateway.polling import Poller
from steelyard_gateway.signals import Known
from steelyard_gateway.upstream.client import Client

LOAD = b"vllm:num_requests_running %d\nvllm:num_requests_waiting %d\nvllm:generation_tokens_total %d\n"
"""What a vLLM tells of itself: running, waiting, and tokens so far."""


class Polled:
    """A poller over some backends, and what came of it."""

    def __init__(self, *backends: LLMBackend) -> None:
        self.seconds = 1000.0
        self.live = LiveEndpoints(lambda: self.seconds)
        self.current = current.Current()
        self.client = Client(Deadlines())
        self.poller = Poller(self.current, self.live, self.client, now=lambda: self.seconds, rand=lambda: 0.0)
        self.take(*backends)

    def take(self, *backends: LLMBackend) -> None:
        """Put these into force."""
        key = secret("key", {"api-key": "sesame"})
        self.current.snapshot = current.snapshot(resource_set(*backends, key), "default", 0)

    async def round(self, seconds: float = 0.0) -> int:
        """Let time pass, and poll all whose turn it is; how many they were."""
        self.seconds += seconds
        turns = self.poller.due()
        await asyncio.gather(*(self.poller.poll(turn) for turn in turns))
        return len(turns)

    def endpoint(self, name: str = "a") -> Endpoint:
        assert self.current.snapshot is not None
        found = [one for pair in self.current.snapshot.table.candidates for one in pair.endpoints]
        return next(one for one in found if one.backend == name)

    def known(self, name: str = "a") -> Known:
        return self.live.known(self.endpoint(name))


def run(work: Callable[[Polled], Awaitable[None]], *backends: LLMBackend) -> None:
    """Do this in a loop of its own."""

    async def whole() -> None:
        polled = Polled(*backends)
        try:
            await work(polled)
        finally:
            await polled.client.aclose()

    asyncio.run(whole())


def vllm(port: int, name: str = "a", seconds: int = 2, **spec: Any) -> LLMBackend:
    """A backend of this engine; what is asked is asked so often."""
    metrics = {"engine": {"intervalSeconds": seconds}, **spec.pop("metrics", {})}
    return backend(name, "m", url=f"http://127.0.0.1:{port}", metrics=metrics, **spec)
