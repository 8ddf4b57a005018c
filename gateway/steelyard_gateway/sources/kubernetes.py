"""Resources from an API server: listed and watched, in some namespaces or in all, and never written.

Rule 1. Nothing is handed on before all that is followed was told once. After that the last state stays,
        whatever becomes of the API server.
Rule 2. Changes that come together are one state; none waits long for others.
Rule 3. Only what backends name is followed of EndpointSlices and ConfigMaps, which may be many and large;
        and the EndpointSlices of the gateways' own Service, in the gateway's own namespace.
Rule 4. Named namespaces are followed each by itself, so that a Role in each is enough; all of them, as one.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass

from steelyard.api.backend import LLMBackend, ServiceRouting
from steelyard.api.meta import SECRET_SELECTOR
from steelyard.api.resources import SERVICE_NAME_LABEL, ResourceSet
from steelyard.kube import kinds, watching
from steelyard.kube.client import Client
from steelyard.kube.configuration import Configuration
from steelyard.kube.kinds import Kind
from steelyard.kube.store import Invalid, Store
from steelyard.kube.watching import Change, Freshness, Pace, Replaced
from steelyard.routing.table import Problem

QUIET_SECONDS = 0.05
"""Changes that follow one another within this are handed on together: a pod that left is out of use soon."""

MOST_GATHER_SECONDS = 0.5
"""The longest that a change waits for others, or for the pods of a Service that is new here."""

MOST_SERVICES = 100
"""As many are named in a selector, which is part of a URL; of more, all EndpointSlices are followed."""

MOST_LABEL_CHARACTERS = 63
"""A longer name is no Service's, and would spoil the selector for the others."""

Take = Callable[[ResourceSet, tuple[Problem, ...]], None]
"""Puts a state into force: the resources, and the problems of those that cannot be read."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Scope:
    """What one follow follows."""

    kind: Kind
    namespace: str | None
    """None: all."""
    labels: str = ""
    name: str = ""

    def words(self, usual: str | None) -> str:
        """How it is told of, where this namespace goes without saying."""
        where = f" in {self.namespace}" if self.namespace not in (None, usual) else ""
        return f"{self.kind.plural} {self.name}".strip() + where


def _always(namespace: str | None) -> Iterator[_Scope]:
    for kind in kinds.OURS:
        yield _Scope(kind, namespace)
    yield _Scope(kinds.SERVICE, namespace)
    yield _Scope(kinds.SECRET, namespace, labels=SECRET_SELECTOR)


@dataclass(slots=True)
class _Follow:
    """One follow under way."""

    task: asyncio.Task[None]
    freshness: Freshness
    told: bool = False


class KubernetesSource:
    """The resources of some namespaces, or of all."""

    def __init__(
        self,
        configuration: Configuration,
        namespaces: Iterable[str] | None,
        pace: Pace | None = None,
        *,
        gateway_service: str = "",
    ) -> None:
        """`namespaces`: None is all of them, which takes rights over the whole cluster.

        `gateway_service`: the gateways' own, in the namespace of the configuration; empty: none.
        """
        self._configuration = configuration
        self._namespaces: tuple[str | None, ...] = (
            (None,) if namespaces is None else tuple(dict.fromkeys(namespaces))
        )
        self._usual = self._namespaces[0] if len(self._namespaces) == 1 else None
        self._pace = pace or Pace()
        self._gateway_service = gateway_service
        self._store = Store()
        self._follows: dict[_Scope, _Follow] = {}
        self._changed = asyncio.Event()
        self._handed: tuple[ResourceSet, tuple[Problem, ...]] | None = None

    async def run(self, take: Take) -> None:
        """Hand each state on, for ever."""
        while True:
            try:
                async with Client(self._configuration, user_agent="steelyard-gateway") as client:
                    await self._run(client, take)
            except Exception:
                logger.exception("resources cannot be followed, begun anew")
            await asyncio.sleep(self._pace.longest_pause_seconds)

    def waits_for(self) -> str:
        """What was never told, and why; empty when all was."""
        waiting: dict[str, list[str]] = {}
        for scope, follow in self._follows.items():
            if not follow.told:
                waiting.setdefault(follow.freshness.failure, []).append(scope.words(self._usual))
        return "; ".join(
            ", ".join(scopes) + (f": {failure}" if failure else "") for failure, scopes in waiting.items()
        )

    def connected(self) -> bool:
        """Whether all changes are being told now."""
        return bool(self._follows) and all(one.freshness.connected for one in self._follows.values())

    def age_seconds(self) -> float | None:
        """How long nothing was heard of the kind that was heard least lately; None: never of any."""
        now = time.monotonic()
        ages = [one.freshness.age_seconds(now) for one in self._follows.values()]
        return max((age for age in ages if age is not None), default=None)

    async def _run(self, client: Client, take: Take) -> None:
        async with asyncio.TaskGroup() as tasks:

            def begin(scope: _Scope) -> _Follow:
                freshness = Freshness()
                follow = self._follow(client, scope, freshness)
                name = f"follow {scope.words(None)}"
                return _Follow(tasks.create_task(follow, name=name), freshness)

            self._follows.clear()
            self._adjust(begin)
            while True:
                await self._changed.wait()
                await self._gather(begin)
                if self._handed or not self.waits_for():
                    self._hand_on(take)

    async def _gather(self, begin: Callable[[_Scope], _Follow]) -> None:
        """Return when nothing changes and what is new to be followed was told, or when that takes long."""
        end = time.monotonic() + MOST_GATHER_SECONDS
        while time.monotonic() < end:
            self._changed.clear()
            try:
                async with asyncio.timeout(QUIET_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                self._adjust(begin)
                if not self.waits_for():
                    return
        self._adjust(begin)

    def _hand_on(self, take: Take) -> None:
        """Hand the state on, unless it is the last one."""
        state = (self._store.resources, tuple(_problem(one) for one in self._store.invalid))
        if state != self._handed:
            take(*state)
            self._handed = state

    def _adjust(self, begin: Callable[[_Scope], _Follow]) -> None:
        """Follow what the backends of now need, and that only."""
        wanted = dict.fromkeys(scope for namespace in self._namespaces for scope in self._wanted(namespace))
        home = self._configuration.namespace
        if self._gateway_service and not self._serves(home):
            own = f"{SERVICE_NAME_LABEL}={self._gateway_service}"
            wanted[_Scope(kinds.ENDPOINT_SLICE, home, labels=own)] = None
        for scope in [scope for scope in self._follows if scope not in wanted]:
            self._follows.pop(scope).task.cancel()
        for scope in wanted:
            if scope not in self._follows:
                self._follows[scope] = begin(scope)

    def _serves(self, namespace: str) -> bool:
        return namespace in self._namespaces or None in self._namespaces

    def _wanted(self, namespace: str | None) -> Iterator[_Scope]:
        """What is followed in this namespace, or in all."""
        yield from _always(namespace)
        every = self._store.resources.backends.values()
        backends = [one for one in every if namespace in (None, one.namespace)]
        has_own = namespace in (None, self._configuration.namespace)
        yield from _needed(backends, namespace, self._gateway_service if has_own else "")

    async def _follow(self, client: Client, scope: _Scope, freshness: Freshness) -> None:
        following = watching.follow(
            client,
            scope.kind,
            scope.namespace,
            scope.labels,
            f"metadata.name={scope.name}" if scope.name else "",
            freshness=freshness,
            pace=self._pace,
        )
        async with aclosing(following) as changes:
            async for change in changes:
                follow = self._follows[scope]
                if self._take(scope, change) or not follow.told:
                    self._changed.set()
                follow.told = True
                del change  # it may hold all objects there are, and the next may be long in coming

    def _take(self, scope: _Scope, change: Change) -> bool:
        """Hold what was told; whether anything changed."""
        if not scope.name or not isinstance(change, Replaced):
            return self._store.take(scope.kind, scope.namespace, change)
        for value in change.objects:
            return self._store.put(value)
        assert scope.namespace is not None
        return self._store.remove(scope.kind, (scope.namespace, scope.name))


def _needed(backends: Iterable[LLMBackend], namespace: str | None, gateway_service: str) -> Iterator[_Scope]:
    """What these backends of a namespace, or of all, name; and the gateways' own Service where it is there.

    In all namespaces the slices of a Service's namesakes come along; decisions look by namespace.
    """
    services, config_maps = {gateway_service} - {""}, set()
    for backend in backends:
        reference, tls = backend.spec.service_ref, backend.spec.tls
        if reference and reference.routing is ServiceRouting.ENDPOINTS:
            services.add(reference.name)
        if tls and tls.ca_ref:
            config_maps.add((backend.namespace, tls.ca_ref.name))
    named = sorted(name for name in services if len(name) <= MOST_LABEL_CHARACTERS)
    if len(named) > MOST_SERVICES:
        yield _Scope(kinds.ENDPOINT_SLICE, namespace, labels=SERVICE_NAME_LABEL)
    elif named:
        yield _Scope(kinds.ENDPOINT_SLICE, namespace, labels=f"{SERVICE_NAME_LABEL} in ({','.join(named)})")
    for of_namespace, name in sorted(config_maps):
        yield _Scope(kinds.CONFIG_MAP, of_namespace, name=name)


def _problem(one: Invalid) -> Problem:
    message = f"It does not fit what this gateway knows of its kind: {one.message}."
    return Problem(one.kind, one.namespace, one.name, "Accepted", "Invalid", message, excludes=True)
