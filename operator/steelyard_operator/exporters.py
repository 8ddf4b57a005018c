"""What GPU exporters said when they were asked: each once a minute, whoever is behind it.

Asking goes on beside the reconciling, so that an exporter that hangs delays no probe. Kept in memory only.
Invariant: what was told is replaced as a whole once all have answered: a status changes once a minute by it.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from steelyard.api.backend import LLMBackend
from steelyard.api.resources import SERVICE_NAME_LABEL, Key
from steelyard.kube import errors, kinds
from steelyard.kube.client import Client
from steelyard.kube.kinds import Object
from steelyard.kube.store import Store
from steelyard.routing import endpoints
from steelyard.routing.table import Endpoint
from steelyard.telemetry import gpus as telemetry
from steelyard.telemetry.gpus import Gpu
from steelyard_operator import gpus
from steelyard_operator.gpus import Exporter, Place, Reading, Sight
from steelyard_operator.probing import Prober

READ_SECONDS = 60.0
"""How often an exporter is asked."""

LOST_SECONDS = 180.0
"""Who told nothing for so long is lost: another one's word counts, where there is one."""

SETTLED_SECONDS = 60.0
"""How long a status says the same of GPUs, if none comes or goes."""

AGENTLESS_SECONDS = 600.0
"""How often a pod is asked where no agent answered: most engines' pods have none."""

ANSWER_SECONDS = 3.0
"""How long an exporter may take."""

PAUSE_SECONDS = 0.5
"""Between two rounds: backends that come together are asked for together."""

MOST_AT_ONCE = 8
"""Exporters that are asked at the same time, which bounds the memory that their answers take."""

METRICS_PORT = "metrics"
"""The name of an exporter's port, where its Service has several."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Memory:
    """One exporter."""

    asked_at: float
    """When it was asked last."""
    told_at: float
    """When it answered last; where it never did, when it was asked first."""
    has_told: bool = False
    """Whether it ever answered."""
    gpus: tuple[Gpu, ...] | None = None
    """What it said when it was asked last; None: it failed."""

    def is_lost(self, now: float) -> bool:
        """Whether it has not answered for long."""
        return self.gpus is None and now - self.told_at >= LOST_SECONDS


@dataclass(frozen=True, slots=True)
class _Site:
    """One backend."""

    backend: LLMBackend
    endpoints: tuple[Endpoint, ...]
    changed_at: float = float("-inf")
    """When what its status says of GPUs was seen to change last."""


class Exporters:
    """Asks exporters and remembers what they said."""

    def __init__(
        self,
        prober: Prober,
        client: Client,
        services: Sequence[Key] = (),
        *,
        answer_seconds: float = ANSWER_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`services`: those whose pods tell of their nodes' GPUs, by namespace and name."""
        self._prober = prober
        self._client = client
        self._services = services
        self._answer_seconds = answer_seconds
        self._clock = clock
        self._sites: dict[Key, _Site] = {}
        self._on_services: dict[Key, Mapping[str, Sequence[str]]] = {}
        self._troubles: dict[Key, str] = {}
        self._on_nodes: Mapping[str, Sequence[str]] | None = None
        self._memories: Mapping[str, _Memory] = {}
        self._has_new = asyncio.Event()

    def want(self, backend: LLMBackend, places: Sequence[Endpoint]) -> None:
        """These are the backend's endpoints; those that are new are read soon."""
        key = (backend.namespace, backend.name)
        before = self._sites.get(key)
        changed_at = before.changed_at if before is not None else float("-inf")
        if before is not None and before.backend.status.gpus != backend.status.gpus:
            changed_at = self._clock()
        site = self._sites[key] = _Site(backend, tuple(places), changed_at)
        if before is None or _question(before) != _question(site):
            self._has_new.set()

    def forget(self, key: Key) -> None:
        """The backend is gone."""
        self._sites.pop(key, None)

    def sights(self, key: Key, engines: Mapping[str, Set[Key]]) -> tuple[Sight, ...] | None:
        """What is known near each of the backend's endpoints; None before the first round.

        `engines`: the engines' pods on each node.
        """
        site = self._sites.get(key)
        if site is None or self._on_nodes is None:
            return None
        is_settled = self._clock() - site.changed_at >= SETTLED_SECONDS
        return tuple(
            Sight(
                place,
                self._readings(site, place),
                is_settled=is_settled,
                is_alone=engines.get(place.node) == {(key[0], place.pod or place.host)},
            )
            for place in site.endpoints
        )

    def has_asked(self, key: Key) -> bool:
        """Whether all who may tell of the backend's GPUs were asked, be it that they did not answer."""
        site = self._sites.get(key)
        if site is None or self._on_nodes is None:
            return False
        return all(exporter.url in self._memories for exporter in self._wanted(site))

    async def run(self, tell: Callable[[Key], None]) -> None:
        """Ask for ever; `tell` gets each backend of whose exporters something was read."""
        tick = self._clock()
        while True:
            is_tick = self._clock() >= tick
            if is_tick:
                tick = self._clock() + READ_SECONDS
            for key in await self.ask(everybody=is_tick):
                tell(key)
            await asyncio.sleep(PAUSE_SECONDS)
            try:
                async with asyncio.timeout(max(tick - self._clock(), 0.0)):
                    await self._has_new.wait()
            except TimeoutError:
                continue

    async def ask(self, *, everybody: bool) -> list[Key]:
        """One round, of everybody who is due or of the new ones alone; the backends that it concerns."""
        self._has_new.clear()
        if not await self._find():
            return []
        wanted = {key: self._wanted(site) for key, site in self._sites.items()}
        every = {one.url: one for found in wanted.values() for one in found}
        asked = {url: one for url, one in every.items() if self._is_due(one, everybody=everybody)}
        turns = asyncio.Semaphore(MOST_AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            under_way = {
                url: tasks.create_task(self._read(one, turns), name=f"read GPUs at {url}")
                for url, one in asked.items()
            }
        kept = {url: memory for url, memory in self._memories.items() if url in every}
        self._memories = kept | {url: task.result() for url, task in under_way.items()}
        return [key for key, found in wanted.items() if any(one.url in asked for one in found)]

    async def _find(self) -> bool:
        """Find the exporters' pods; whether it is known where they are."""
        for service in self._services:
            trouble = await self._list(service)
            if trouble and trouble != self._troubles.get(service):
                fields = {"service": "/".join(service), "detail": trouble}
                logger.warning("pods of GPU exporter not listed", extra=fields)
            self._troubles[service] = trouble
        if len(self._on_services) < len(self._services):
            return False
        found: dict[str, list[str]] = {}
        for by_node in self._on_services.values():
            for node, urls in by_node.items():
                found.setdefault(node, []).extend(urls)
        self._on_nodes = found
        return True

    async def _list(self, service: Key) -> str:
        """List the pods of one Service; why that failed, where it did: then those known before count."""
        namespace, name = service
        try:
            listing = await self._client.list(kinds.ENDPOINT_SLICE, namespace, f"{SERVICE_NAME_LABEL}={name}")
        except errors.KubeError as error:
            if isinstance(error, errors.Forbidden):
                self._on_services.setdefault(service, {})
            return str(error)
        statuses = [site.backend.status for site in self._sites.values()]
        told = {one.url for status in statuses for one in status.gpu_exporters}
        self._on_services[service] = _by_node(listing.items, told)
        return ""

    def _wanted(self, site: _Site) -> list[Exporter]:
        metrics, on_nodes = site.backend.spec.metrics.gpu, self._on_nodes or {}
        return [one for place in site.endpoints for one in gpus.exporters(metrics, place, on_nodes)]

    def _readings(self, site: _Site, place: Endpoint) -> tuple[Reading, ...]:
        now = self._clock()
        found = []
        for exporter in gpus.exporters(site.backend.spec.metrics.gpu, place, self._on_nodes or {}):
            memory = self._memories.get(exporter.url)
            is_lost = memory is not None and memory.is_lost(now)
            found.append(Reading(exporter, None if memory is None else memory.gpus, is_lost=is_lost))
        return tuple(found)

    def _is_due(self, exporter: Exporter, *, everybody: bool) -> bool:
        memory, now = self._memories.get(exporter.url), self._clock()
        if memory is None or not everybody:
            return memory is None
        has_agent = exporter.place is not Place.POD or (memory.has_told and not memory.is_lost(now))
        return has_agent or now - memory.asked_at >= AGENTLESS_SECONDS

    async def _read(self, exporter: Exporter, turns: asyncio.Semaphore) -> _Memory:
        """What is known of an exporter after it was asked."""
        before = self._memories.get(exporter.url)
        async with turns:
            answer = await self._exposition(exporter.url)
        now = self._clock()
        if isinstance(answer, bytes):
            try:
                return _Memory(now, now, has_told=True, gpus=telemetry.read(answer))
            except telemetry.NothingTold as why:
                answer = f"It {why}."
        was_there = exporter.place is not Place.POD if before is None else before.gpus is not None
        if was_there:
            logger.warning("GPUs not read", extra={"exporter": exporter.url, "detail": answer})
        return _Memory(now, now) if before is None else replace(before, asked_at=now, gpus=None)

    async def _exposition(self, url: str) -> bytes | str:
        try:
            exporter = endpoints.exporter(url)
        except endpoints.Unresolved as why:
            return why.message
        return await self._prober.exposition(exporter, self._answer_seconds)


def _question(site: _Site) -> tuple[object, ...]:
    """All that decides on who is asked."""
    return site.backend.spec.metrics.gpu, [(one.name, one.pod, one.node) for one in site.endpoints]


def _by_node(slices: Sequence[Object], told: Set[str]) -> dict[str, list[str]]:
    """URLs of the exporters' pods by their node: of those that are ready, and of those in `told`."""
    store = Store()
    for value in slices:
        store.put(value)
    every = list(store.resources.endpoint_slices.values())
    # A Service of both families has each pod in a slice of either.
    counted = [one for one in every if one.address_type == "IPv4"] or every
    found: dict[str, list[str]] = {}
    for one in counted:
        ports = [port for port in one.ports or () if port.port is not None]
        numbers = [port.port for port in ports if port.name == METRICS_PORT or len(ports) == 1]
        for pod in one.endpoints or ():
            if not (pod.node_name and pod.addresses and numbers):
                continue
            host = f"[{pod.addresses[0]}]" if ":" in pod.addresses[0] else pod.addresses[0]
            url = f"http://{host}:{numbers[0]}/metrics"
            if pod.conditions.ready is not False or url in told:
                found.setdefault(pod.node_name, []).append(url)
    return found
