"""The chart, rendered by a real Helm, and finding one's way among the objects."""

from collections.abc import Callable, Sequence
from typing import Any

import yaml

import helm_binary

Render = Callable[..., list[dict[str, Any]]]
"""Of words of `helm template`, the objects that the chart renders to."""


def rendered(*words: str, **more: str) -> list[dict[str, Any]]:
    """What the chart renders to; as `helm_binary.template` else."""
    return [one for one in yaml.safe_load_all(helm_binary.template(*words, **more)) if one]


def only(objects: Sequence[dict[str, Any]], kind: str, name: str, namespace: str = "") -> dict[str, Any]:
    """The one object of this kind and name, and namespace where one is given."""
    (found,) = [
        one
        for one in objects
        if (one["kind"], one["metadata"]["name"]) == (kind, name)
        and namespace in ("", one["metadata"].get("namespace"))
    ]
    return found


def pod_of(objects: Sequence[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """The specification of the pods of a Deployment or DaemonSet."""
    pod: dict[str, Any] = only(objects, kind, name)["spec"]["template"]["spec"]
    return pod


def environment(pod: dict[str, Any]) -> dict[str, str]:
    """The variables of its first container that have a value written down."""
    return {one["name"]: one["value"] for one in pod["containers"][0]["env"] if "value" in one}
