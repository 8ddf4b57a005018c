"""The namespaces that are served, each as a `Space` of its own, and which of them a request belongs to.

Rule 1. A request belongs to one namespace: that of its path (/ns/NAMESPACE/v1/…), else the gateway's own.
Rule 2. Named namespaces are always served; of all, those that hold a resource of our kinds, and the own one.
Rule 3. Of several, one whose resources did not change is left alone, whatever happens in others.
Rule 4. A namespace that is served no more knows no model; its counts stay, and it may come back.
"""

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO

from steelyard_gateway import dividing
from steelyard_gateway.admission import Admission
from steelyard_gateway.budget import RetryBudget
from steelyard_gateway.cors import Cors
from steelyard_gateway.current import Current
from steelyard_gateway.deadlines import Deadlines
from steelyard_gateway.discovery import Discovery
from steelyard_gateway.dividing import State
from steelyard_gateway.keepers import Keepers
from steelyard_gateway.live import LiveEndpoints
from steelyard_gateway.parts import Gateway
from steelyard_gateway.polling import Poller
from steelyard_gateway.publishing import Publisher
from steelyard_gateway.recording import Recorder
from steelyard_gateway.shares import Fleet
from steelyard_gateway.space import Space
from steelyard_gateway.steady import steadily
from steelyard_gateway.upstream.client import Client
from steelyard_gateway.warmth import Warmth


@dataclass(frozen=True, slots=True)
class Reach:
    """Which namespaces are served."""

    own: str
    """Whose resources requests see that name no namespace."""
    others: tuple[str, ...] | None = ()
    """Those that are served beside it; None: all."""

    @property
    def is_wide(self) -> bool:
        """Whether requests may name a namespace."""
        return self.others != ()

    @property
    def named(self) -> tuple[str, ...] | None:
        """All of them, each once; None: all that there are."""
        return None if self.others is None else tuple(dict.fromkeys((self.own, *self.others)))


@dataclass(frozen=True, slots=True)
class Shared:
    """What all namespaces have in common."""

    client: Client
    """Sends to engines."""
    deadlines: Deadlines
    """The timer."""
    log: BinaryIO
    """Where requests are logged."""
    cors: Cors | None = None
    """Which web pages may read answers."""
    trusts_status: bool = False
    """Whether somebody keeps the models in a backend's status current."""
    keeps_memory: bool = False
    """Whether nobody else keeps the memory of engines as `spec.memory` says."""


class Served:
    """A namespace, and what keeps its Space current."""

    def __init__(self, reach: Reach, namespace: str, shared: Shared, fleet: Fleet) -> None:
        warmth = Warmth(time.monotonic)
        admission = Admission(shared.deadlines, time.perf_counter, fleet, warmth)
        told_namespace = namespace if reach.is_wide else ""
        live = LiveEndpoints(
            time.monotonic, admission.is_full, warmth, shared.client.has_heard, namespace=told_namespace
        )
        self.space = Space(
            namespace,
            Current(),
            live,
            Recorder(shared.log, told_namespace),
            admission,
            RetryBudget(),
            is_own=namespace == reach.own,
        )
        self.state: State | None = None
        """Its resources; None: none were read yet."""
        self.gateway = Gateway(
            router=self.space.router,
            endpoints=live,
            recorder=self.space.recorder,
            client=shared.client,
            admission=admission,
            deadlines=shared.deadlines,
            budget=self.space.budget,
            cors=shared.cors,
        )
        """What its exchanges work with."""
        self.asked = asyncio.Event()
        """Set once engines whose models nobody listed were asked."""
        self._shared = shared
        self._publisher = Publisher(
            self.space.current, live, admission, namespace, trusts_status=shared.trusts_status
        )
        self._discovery = Discovery(self._publisher, shared.client)

    def take(self, state: State) -> None:
        """Put these resources of it into force."""
        self.state = state
        self._publisher.replace(state.resources, state.invalid)
        self._discovery.changed.set()

    def end(self) -> None:
        """Be without resources, and keep nobody waiting."""
        self.asked.set()
        if self.state != State():
            self.take(State())

    async def run(self) -> None:
        """Keep informed of its engines, for ever."""
        work = {"poll engines and exporters": self._poll, "ask engines for models": self._discover}
        if self._shared.keeps_memory:
            work["keep memory"] = self._keep_memory
        async with asyncio.TaskGroup() as tasks:
            for name, one in work.items():
                tasks.create_task(steadily(one, name), name=name)

    async def _poll(self) -> None:
        space, client = self.space, self._shared.client
        await Poller(space.current, space.live, client, now=time.monotonic, rand=random.random).run()

    async def _discover(self) -> None:
        try:
            await self._discovery.round()
        finally:
            self.asked.set()
        await self._discovery.run()

    async def _keep_memory(self) -> None:
        await Keepers(self.space.current, self._shared.client, self.space.admission.swapping).run()


class Spaces:
    """All namespaces that are served."""

    def __init__(self, reach: Reach, shared: Shared, fleet: Fleet) -> None:
        self._reach = reach
        self._shared = shared
        self._fleet = fleet
        self._gateways: dict[bytes, Gateway] = {}
        own = Served(reach, reach.own, shared, fleet)
        if reach.is_wide:
            own.gateway = replace(own.gateway, others=self._gateways)
        self.own = own
        """That of requests that name none."""
        self._known = {reach.own: own}
        self._served: dict[str, Served] = {}
        self._changed = asyncio.Event()

    def served(self) -> dict[str, Space]:
        """Those of now, by name; none before resources were read."""
        return {namespace: one.space for namespace, one in self._served.items()}

    def every(self) -> list[Space]:
        """Those of now and, for their counts, those that were."""
        return [one.space for one in self._known.values()]

    def take(self, state: State, fleet: Fleet) -> None:
        """Put these resources of all namespaces into force, for so many gateways."""
        self._fleet = fleet
        for one in self._known.values():
            one.space.admission.resize(fleet)
        parts = self._parts(state)
        self._served = {namespace: self._one(namespace) for namespace in parts}
        for namespace, gone in self._known.items():
            if namespace not in parts:
                gone.end()
        for namespace, part in parts.items():
            if not self._reach.is_wide or self._served[namespace].state != part:
                self._served[namespace].take(part)
        self._gateways.clear()
        if self._reach.is_wide:
            self._gateways.update((name.encode(), one.gateway) for name, one in self._served.items())
        self._changed.set()

    async def run(self) -> None:
        """Keep each of them informed of its engines, for ever."""
        running: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as tasks:
            while True:
                for namespace in [one for one in running if one not in self._served]:
                    running.pop(namespace).cancel()
                for namespace, served in self._served.items():
                    if namespace not in running:
                        running[namespace] = tasks.create_task(served.run(), name=f"serve {namespace}")
                await self._changed.wait()
                self._changed.clear()

    async def asked(self) -> None:
        """Return once all that are served asked their engines for models; they are, since `take`."""
        while waiting := [one for one in self._served.values() if not one.asked.is_set()]:
            await waiting[0].asked.wait()

    def _parts(self, state: State) -> Mapping[str, State]:
        if not self._reach.is_wide:
            return {self._reach.own: state}
        named = self._reach.named
        if named is None:
            named = tuple(sorted(dividing.held(state) | {self._reach.own}))
        return dividing.divided(state, named)

    def _one(self, namespace: str) -> Served:
        known = self._known.get(namespace)
        if known is None:
            known = self._known[namespace] = Served(self._reach, namespace, self._shared, self._fleet)
        return known
