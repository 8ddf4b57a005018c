"""What is in the cluster: the objects that belong to no namespace, and those of the namespace of the tests.

Not counted is what Kubernetes makes by itself, what goes with its owner, and what the tests made.
"""

import json
from collections.abc import Set
from typing import Any

from e2e.clusters import MADE_BY, Cluster

OF_PEOPLE = frozenset({"LLMBackend", "ModelProfile", "RoutingPolicy"})
"""Kinds whose objects outlast an installation."""

DEFINED = "steelyard.dev"
"""The group of these kinds: their definitions stay, too, and the API server's own note of the group."""

_BY_ITSELF = frozenset({"Endpoints", "Event", "IPAddress", "NodeMetrics", "PodMetrics"})
"""Kinds whose objects follow from others."""
_OF_ANY_NAMESPACE = frozenset({"ServiceAccount/default", "ConfigMap/kube-root-ca.crt"})


def objects(cluster: Cluster, namespace: str) -> frozenset[str]:
    """What somebody put there, each as KIND/NAME."""
    kinds = cluster.kubectl("api-resources", "--verbs=list", "-o", "name").split()
    listed = json.loads(cluster.kubectl("-n", namespace, "get", ",".join(kinds), "-o", "json"))
    return names(listed["items"])


def names(items: list[dict[str, Any]]) -> frozenset[str]:
    """Those of these objects that count, each as KIND/NAME."""
    found = (f"{one['kind']}/{one['metadata']['name']}" for one in items if not _follows(one))
    return frozenset(name for name in found if name not in _OF_ANY_NAMESPACE)


def of_people(cluster: Cluster, namespace: str) -> dict[str, Any]:
    """What people wrote in the namespace and what was measured for them, by KIND/NAME."""
    kinds = ",".join(kind.lower() for kind in sorted(OF_PEOPLE))
    listed = json.loads(cluster.kubectl("-n", namespace, "get", kinds, "-o", "json"))
    return {
        f"{one['kind']}/{one['metadata']['name']}": {
            "spec": one["spec"],
            "quality": one.get("status", {}).get("quality", {}),
        }
        for one in listed["items"]
    }


def is_kept(before: Any, after: Any) -> bool:
    """Whether all of it is there still; there may be more, as a newer definition has new defaults."""
    if isinstance(before, dict) and isinstance(after, dict):
        return all(is_kept(value, after.get(key)) for key, value in before.items())
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return all(map(is_kept, before, after))
    return bool(before == after)


def left(before: Set[str], after: Set[str]) -> list[str]:
    """What came and is neither a definition of our kinds nor an object of one."""
    return sorted(name for name in after - before if not _may_stay(name))


def _follows(one: dict[str, Any]) -> bool:
    labels = one["metadata"].get("labels", {})
    is_owned = bool(one["metadata"].get("ownerReferences"))
    return one["kind"] in _BY_ITSELF or is_owned or MADE_BY.items() <= labels.items()


def _may_stay(name: str) -> bool:
    kind, _, rest = name.partition("/")
    is_definition = kind in ("CustomResourceDefinition", "APIService") and rest.endswith(f".{DEFINED}")
    return kind in OF_PEOPLE or is_definition
