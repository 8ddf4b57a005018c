"""The table of contents: what the operator watches, and whose turn it is when something changes.

kopf lists and watches; nothing else of it is used, so that no object ever carries a finalizer or an
annotation of its. The index fills the world before the first handler runs: kopf awaits every index.
"""

from collections.abc import Callable, Iterable
from typing import Any

import kopf

from steelyard.api.meta import SECRET_SELECTOR
from steelyard.api.resources import SERVICE_NAME_LABEL, ResourceSet
from steelyard.kube import kinds
from steelyard.kube.kinds import Kind, Object
from steelyard_operator import jobs
from steelyard_operator.queue import Queue
from steelyard_operator.reconciling import Key
from steelyard_operator.world import World

REFERRED = (kinds.SECRET, kinds.SERVICE, kinds.ENDPOINT_SLICE)
"""The kinds that backends refer to, but for ConfigMaps: those are many and large, and each is fetched."""

OF_SERVICES = (kinds.SERVICE, kinds.ENDPOINT_SLICE)
"""The kinds of which only a part is kept; the rest is fetched when a backend names it."""

SELECTORS: dict[Kind, str] = {
    kinds.SECRET: SECRET_SELECTOR,
    kinds.JOB: jobs.MANAGED,
    kinds.POD: jobs.MANAGED,
}
"""What of a kind is watched; of the others everything."""


class Handlers:
    """Puts what kopf tells into the world, and the keys that it concerns into the queue."""

    def __init__(self, world: World, queue: Queue[Key], after_run: Callable[[], Iterable[Key]]) -> None:
        self._world = world
        self._queue = queue
        self._after_run = after_run

    def registry(self) -> kopf.OperatorRegistry:
        """All handlers."""
        registry = kopf.OperatorRegistry()
        for kind in (*kinds.OURS, *REFERRED, kinds.JOB, kinds.POD):
            where = (kind.group, kind.version, kind.plural)
            kopf.index(*where, registry=registry, id=f"index-{kind.plural}")(self._index(kind))
            kopf.on.event(*where, registry=registry, id=f"event-{kind.plural}")(self._event(kind))
        return registry

    def enqueue_all(self) -> None:
        """Every object of ours gets a look."""
        resources = self._world.resources
        for kind, held in zip(
            kinds.OURS, (resources.backends, resources.profiles, resources.policies), strict=True
        ):
            for namespace, name in held:
                self._queue.add(Key(kind.kind, namespace, name))

    def _index(self, kind: Kind) -> Callable[..., Any]:
        async def index(body: kopf.Body, **_: Any) -> None:
            self._put(kind, dict(body))

        return index

    def _event(self, kind: Kind) -> Callable[..., Any]:
        async def event(event: kopf.RawEvent, **_: Any) -> None:
            value: Object = dict(event["object"])
            if event["type"] == "DELETED":
                self._remove(kind, value)
            else:
                self._put(kind, value)
            for key in self._concerned(kind, value):
                self._queue.add(key)

        return event

    def _put(self, kind: Kind, value: Object) -> None:
        if kind is kinds.JOB:
            self._world.put_job(value)
        elif kind is kinds.POD:
            self._world.put_pod(value)
        elif self.is_wanted(kind, value):
            self._world.put({"apiVersion": kind.api_version, "kind": kind.kind} | value)

    def is_wanted(self, kind: Kind, value: Object) -> bool:
        """Whether this object counts: of Services there may be many, and only those that backends name do."""
        if kind not in OF_SERVICES:
            return True
        namespace, name = value["metadata"]["namespace"], value["metadata"]["name"]
        return any(True for _ in _referring(kind, namespace, name, value, self._world.resources))

    def _remove(self, kind: Kind, value: Object) -> None:
        key = (value["metadata"]["namespace"], value["metadata"]["name"])
        if kind is kinds.JOB:
            self._world.remove_job(key)
        elif kind is kinds.POD:
            self._world.put_pod(value)  # its last words
        else:
            self._world.remove(kind, key, value["metadata"].get("uid", ""))

    def _concerned(self, kind: Kind, value: Object) -> Iterable[Key]:
        """Whose turn it is."""
        namespace, name = value["metadata"]["namespace"], value["metadata"]["name"]
        resources = self._world.resources
        if kind is kinds.JOB:
            job = jobs.of(value)
            yield Key("ModelProfile", namespace, job.profile)
            if job.finished or (namespace, name) not in self._world.jobs:
                yield from self._after_run()
        elif kind is kinds.POD:
            of_job = self._world.jobs.get((namespace, jobs.pod_of(value).job))
            if of_job is not None:
                yield Key("ModelProfile", namespace, of_job.profile)
        else:
            yield from _dependents(kind, namespace, name, value, resources)


def _dependents(
    kind: Kind, namespace: str, name: str, value: Object, resources: ResourceSet
) -> Iterable[Key]:
    """The objects of ours whose status may depend on this one."""
    backends: set[str] = set()
    pair: tuple[str, str] | None = None
    if kind in kinds.OURS:
        yield Key(kind.kind, namespace, name)
        if kind is kinds.LLM_BACKEND:
            backends = {name}
        elif kind is kinds.MODEL_PROFILE:
            spec = value.get("spec", {})
            pair = (spec.get("backendRef", {}).get("name", ""), spec.get("model", ""))
            yield Key("LLMBackend", namespace, pair[0])
    else:
        backends = set(_referring(kind, namespace, name, value, resources))
        if not backends:
            return
        for backend in backends:
            yield Key("LLMBackend", namespace, backend)
    for (of_namespace, profile_name), profile in resources.profiles.items():
        of_backend = profile.spec.backend_ref.name
        if of_namespace == namespace and (of_backend in backends or (of_backend, profile.spec.model) == pair):
            yield Key("ModelProfile", namespace, profile_name)
    for of_namespace, policy in resources.policies:
        if of_namespace == namespace:
            yield Key("RoutingPolicy", namespace, policy)


def _referring(kind: Kind, namespace: str, name: str, value: Object, resources: ResourceSet) -> Iterable[str]:
    """The backends that refer to this object."""
    if kind is kinds.ENDPOINT_SLICE:
        name = (value["metadata"].get("labels") or {}).get(SERVICE_NAME_LABEL, "")
    for (of_namespace, backend_name), backend in resources.backends.items():
        if of_namespace != namespace:
            continue
        spec = backend.spec
        service = spec.service_ref.name if spec.service_ref else None
        secrets = [spec.credentials_ref, spec.tls.ca_ref if spec.tls else None]
        names = [service] if kind in OF_SERVICES else [r.name for r in secrets if r]
        if name in names:
            yield backend_name
