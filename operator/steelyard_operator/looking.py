"""What endpoints said when they were asked, and whom to ask when.

One health request per interval goes to one endpoint of a backend, in turn; models and version are asked for
once a minute, and at once when an endpoint is new or is back. Kept in memory only.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from steelyard.api.backend import LLMBackend
from steelyard.api.resources import Key
from steelyard.routing.table import Endpoint
from steelyard_operator.backends import EndpointView
from steelyard_operator.metrics import Metrics
from steelyard_operator.probing import Failure, Prober

DESCRIBE_SECONDS = 60.0
"""How often an endpoint is asked for its models and version."""

MOST_AT_ONCE = 16
"""New endpoints of one backend that are asked at the same time; the others follow."""


@dataclass(slots=True)
class _Memory:
    """One endpoint."""

    view: EndpointView
    described_at: float = float("-inf")


@dataclass(slots=True)
class _Site:
    """One backend."""

    memories: dict[tuple[object, ...], _Memory] = field(default_factory=dict)
    asked_at: float = float("-inf")
    turn: int = 0


class Looks:
    """Asks endpoints and remembers what they said."""

    def __init__(self, prober: Prober, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._prober = prober
        self._metrics = metrics
        self._clock = clock
        self._sites: dict[Key, _Site] = {}

    def views(self, key: Key) -> tuple[EndpointView, ...]:
        """What is remembered of a backend's endpoints."""
        site = self._sites.get(key)
        return tuple(memory.view for memory in site.memories.values()) if site else ()

    def forget(self, key: Key) -> None:
        """The backend is gone."""
        self._sites.pop(key, None)

    async def look(self, backend: LLMBackend, endpoints: Sequence[Endpoint]) -> float:
        """Ask whoever is due; the seconds until the next one is."""
        key = (backend.namespace, backend.name)
        site = self._sites.setdefault(key, _Site())
        known = site.memories
        site.memories = {
            mark: known.get(mark) or _Memory(EndpointView(endpoint))
            for mark, endpoint in ((_mark(backend, one), one) for one in endpoints)
        }
        new = [memory for memory in site.memories.values() if memory.view.answers is None]
        asked = new[:MOST_AT_ONCE]
        interval = backend.spec.probe.interval_seconds
        if self._clock() >= site.asked_at + interval and site.memories:
            site.asked_at = self._clock()
            site.turn += 1
            in_turn = list(site.memories.values())[site.turn % len(site.memories)]
            asked += [] if in_turn in asked else [in_turn]
        async with asyncio.TaskGroup() as tasks:
            for memory in asked:
                tasks.create_task(self._ask(backend, memory), name=f"ask {memory.view.endpoint.name}")
        if len(new) > MOST_AT_ONCE:
            return 0.0
        return max(site.asked_at + interval - self._clock(), 0.0) if site.memories else float("inf")

    async def _ask(self, backend: LLMBackend, memory: _Memory) -> None:
        engine, endpoint = backend.spec.engine, memory.view.endpoint
        seconds = backend.spec.probe.timeout_seconds
        failure = await self._prober.health(engine, endpoint, seconds)
        is_back = memory.view.answers is not True or memory.view.failures > 0
        if failure is None and (is_back or self._clock() - memory.described_at >= DESCRIBE_SECONDS):
            described = await self._prober.describe(engine, endpoint, seconds)
            if isinstance(described, Failure):
                failure = described
            else:
                memory.described_at = self._clock()
                memory.view = replace(memory.view, description=described)
        self._metrics.probed(ok=failure is None)
        memory.view = _after(memory.view, failure, backend.spec.probe.unhealthy_after)


def _after(view: EndpointView, failure: Failure | None, unhealthy_after: int) -> EndpointView:
    """What is known after one more probe."""
    if failure is None:
        return replace(view, answers=True, failures=0, failure=None)
    failures = view.failures + 1
    answers = view.answers is True and failures < unhealthy_after
    return replace(view, answers=answers, failures=failures, failure=failure)


def _mark(backend: LLMBackend, endpoint: Endpoint) -> tuple[object, ...]:
    """What makes an endpoint another one: with a new key or path it is asked at once."""
    return (
        backend.spec.engine,
        endpoint.name,
        endpoint.scheme,
        endpoint.base_path,
        endpoint.authorization,
        endpoint.ca_pem,
        endpoint.server_name,
    )
