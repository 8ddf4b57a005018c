"""The objects that were followed as typed resources: one set, replaced as a whole, never changed.

Rule 1. An object that does not fit its type is kept out and told in `invalid`; everything else goes on.
Rule 2. Fields that the types do not know are ignored: the CRD may be newer than this program.
Rule 3. A new resourceVersion alone is no change for readers, though the set then holds it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from steelyard.api.backend import LLMBackend
from steelyard.api.meta import Resource
from steelyard.api.policy import RoutingPolicy
from steelyard.api.profile import ModelProfile
from steelyard.api.resources import ConfigMap, EndpointSlice, Key, ResourceSet, Secret, Service
from steelyard.kube.kinds import Kind, Object
from steelyard.kube.watching import Change, Put, Removed, Replaced

KINDS: Mapping[str, tuple[type[Resource], str]] = {
    "LLMBackend": (LLMBackend, "backends"),
    "ModelProfile": (ModelProfile, "profiles"),
    "RoutingPolicy": (RoutingPolicy, "policies"),
    "Secret": (Secret, "secrets"),
    "ConfigMap": (ConfigMap, "config_maps"),
    "Service": (Service, "services"),
    "EndpointSlice": (EndpointSlice, "endpoint_slices"),
}
"""Type and field of ResourceSet by kind."""

MOST_ERRORS = 5
"""How many of an object's errors are told."""


@dataclass(frozen=True, slots=True)
class Invalid:
    """An object that does not fit its type."""

    kind: str
    """Its kind."""
    namespace: str
    """Its namespace."""
    name: str
    """Its name."""
    message: str
    """What does not fit, field by field."""


class Store:
    """Typed resources by kind and key."""

    def __init__(self) -> None:
        self._held: dict[str, dict[Key, Resource | Invalid]] = {kind: {} for kind in KINDS}
        self._stale: set[str] = set()
        self._resources = ResourceSet()

    @property
    def resources(self) -> ResourceSet:
        """All resources as they are now; the very same set while nothing changes."""
        if self._stale:
            fields: dict[str, Any] = {
                KINDS[kind][1]: {
                    key: held for key, held in self._held[kind].items() if isinstance(held, Resource)
                }
                for kind in self._stale
            }
            self._resources = replace(self._resources, **fields)
            self._stale.clear()
        return self._resources

    @property
    def invalid(self) -> tuple[Invalid, ...]:
        """The objects that are kept out."""
        every = (held for of_kind in self._held.values() for held in of_kind.values())
        return tuple(held for held in every if isinstance(held, Invalid))

    def misfit(self, kind: str, key: Key) -> Invalid | None:
        """Why this object is kept out; None where it is not."""
        held = self._held[kind].get(key)
        return held if isinstance(held, Invalid) else None

    def take(self, kind: Kind, namespace: str | None, change: Change) -> bool:
        """Hold what `watching.follow` of this kind and namespace told; whether anything changed."""
        match change:
            case Replaced(objects):
                return self.replace(kind, namespace, objects)
            case Put(changed):
                return self.put(changed)
            case Removed(gone):
                return self.remove(kind, _key(gone))

    def replace(self, kind: Kind, namespace: str | None, objects: Iterable[Object]) -> bool:
        """Hold these as all objects of a kind in a namespace, or in all (None); whether anything changed."""
        there = {_key(value): value for value in objects}
        before = [key for key in self._held[kind.kind] if namespace in (None, key[0])]
        changes = [self.remove(kind, key) for key in before if key not in there]
        changes += [self.put(value) for value in there.values()]
        return any(changes)

    def put(self, value: Object) -> bool:
        """Hold this object as it is now; whether anything but its resourceVersion changed."""
        kind, key = value["kind"], _key(value)
        before = self._held[kind].get(key)
        if isinstance(before, Resource) and _is_same_version(before, value):
            return False
        now = _typed(value)
        if now == before:
            return False
        self._held[kind][key] = now
        self._stale.add(kind)
        return not (isinstance(before, Resource) and isinstance(now, Resource) and _means_same(before, now))

    def remove(self, kind: Kind, key: Key) -> bool:
        """Hold no such object; whether there was one."""
        if self._held[kind.kind].pop(key, None) is None:
            return False
        self._stale.add(kind.kind)
        return True


def _typed(value: Object) -> Resource | Invalid:
    try:
        return KINDS[value["kind"]][0].model_validate_json(
            json.dumps(value), by_alias=True, by_name=False, extra="ignore"
        )
    except ValidationError as error:
        # Without the values: they may be a Secret's.
        told = [f"{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors()]
        return Invalid(value["kind"], *_key(value), message="; ".join(told[:MOST_ERRORS]))


def _key(value: Object) -> Key:
    return value["metadata"].get("namespace", ""), value["metadata"]["name"]


def _is_same_version(held: Resource, value: Object) -> bool:
    """Whether the API server says so; it spares a list of the known from being read again."""
    about = held.metadata
    said = (value["metadata"].get("uid"), value["metadata"].get("resourceVersion"))
    return bool(about.resource_version) and said == (about.uid, about.resource_version)


def _means_same(before: Resource, now: Resource) -> bool:
    metadata = before.metadata.model_copy(update={"resource_version": now.metadata.resource_version})
    return before.model_copy(update={"metadata": metadata}) == now
