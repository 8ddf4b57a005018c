"""Resources by namespace. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields

from steelyard.api.resources import Key, ResourceSet
from steelyard.routing.table import Problem


@dataclass(frozen=True, slots=True)
class State:
    """The resources at one moment."""

    resources: ResourceSet = field(default_factory=ResourceSet)
    """Those that can be read."""
    invalid: tuple[Problem, ...] = ()
    """What is wrong with those that cannot."""


_KINDS = tuple(one.name for one in fields(ResourceSet) if one.init)


def held(state: State) -> set[str]:
    """The namespaces that hold a resource of our kinds, be it one that cannot be read."""
    resources = state.resources
    ours: tuple[Mapping[Key, object], ...] = (resources.backends, resources.profiles, resources.policies)
    return {namespace for of_kind in ours for namespace, _ in of_kind} | {
        one.namespace for one in state.invalid
    }


def divided(state: State, namespaces: Iterable[str]) -> dict[str, State]:
    """What is in each of these namespaces."""
    parts: dict[str, dict[str, dict[Key, object]]] = {
        namespace: {kind: {} for kind in _KINDS} for namespace in namespaces
    }
    for kind in _KINDS:
        for key, one in getattr(state.resources, kind).items():
            if key[0] in parts:
                parts[key[0]][kind][key] = one
    return {
        namespace: State(
            ResourceSet(**part),  # type: ignore[arg-type]
            tuple(one for one in state.invalid if one.namespace == namespace),
        )
        for namespace, part in parts.items()
    }
