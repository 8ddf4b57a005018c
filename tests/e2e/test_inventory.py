"""What counts as left behind; these need no cluster."""

from typing import Any

import pytest

from e2e import inventory
from e2e.clusters import MADE_BY


def item(kind: str, name: str, **metadata: Any) -> dict[str, Any]:
    """An object."""
    return {"kind": kind, "metadata": {"name": name, **metadata}}


def test_what_came_and_nobody_else_made_is_left() -> None:
    role = item("ClusterRole", "view")
    owner = [{"kind": "ModelProfile", "name": "m"}]
    came = [
        item("Lease", "steelyard-operator"),
        item("ClusterRole", "steelyard-operator", labels={"app.kubernetes.io/instance": "steelyard"}),
        item("CustomResourceDefinition", "llmbackends.steelyard.dev"),
        item("CustomResourceDefinition", "others.example.com"),
        item("APIService", "v1alpha1.steelyard.dev"),
        item("LLMBackend", "llamacpp"),
        item("Job", "profile", ownerReferences=owner),
        item("Deployment", "llamacpp", labels=MADE_BY),
        item("Event", "llamacpp.1"),
        item("ConfigMap", "kube-root-ca.crt"),
        item("ConfigMap", "mine"),
    ]

    found = inventory.left(inventory.names([role]), inventory.names([role, *came]))

    assert found == [
        "ClusterRole/steelyard-operator",
        "ConfigMap/mine",
        "CustomResourceDefinition/others.example.com",
        "Lease/steelyard-operator",
    ]


@pytest.mark.parametrize(
    ("after", "is_kept"),
    [
        ({"spec": {"models": [{"name": "m"}], "seed": 1}, "quality": {}}, True),
        ({"spec": {"models": [{"name": "m", "new": 0}], "seed": 1, "new": []}, "quality": {"new": 1}}, True),
        ({"spec": {"models": [{"name": "m"}]}, "quality": {}}, False),
        ({"spec": {"models": [{"name": "m"}], "seed": 2}, "quality": {}}, False),
        ({"spec": {"models": [], "seed": 1}, "quality": {}}, False),
        (None, False),
    ],
    ids=["the same", "more", "less", "another value", "a shorter list", "gone"],
)
def test_what_was_there_is_kept_where_all_of_it_is_there_still(after: Any, is_kept: bool) -> None:
    before = {"spec": {"models": [{"name": "m"}], "seed": 1}, "quality": {}}

    assert inventory.is_kept(before, after) is is_kept
