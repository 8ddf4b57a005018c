"""The generated schemas say all that people and the API server need; the samples hold every field."""

import pytest

from kube import crd_samples, crd_schemas
from kube.crd_samples import FULL_SPECS, FULL_STATUS
from kube.crd_schemas import SCHEMAS, Node

BOUNDS = frozenset({"enum", "format", "maxLength"})
"""A string has at least one of these: the cost of a CEL rule is bounded by them."""

KEYS = frozenset({"name", "type", "level", "concurrency", "uuid", "endpoint", "category"})
"""A list whose entries must have one of these holds one entry for each value of it."""


def _is_unbounded(node: Node) -> bool:
    match node.schema.get("type"):
        case "string":
            return not BOUNDS & node.schema.keys()
        case "array":
            return "maxItems" not in node.schema
        case "object":
            return "additionalProperties" in node.schema and "maxProperties" not in node.schema
        case _:
            return False


LISTS_WITH_REPETITION = {"status.history"}
"""Lists whose entries may be alike: two runs may leave the same line."""


def _list_type(node: Node) -> str | None:
    """How the API server must merge this list; None where nothing tells its entries apart."""
    entries = node.schema["items"]
    if entries["type"] in ("string", "integer"):
        return "set" if node.text not in LISTS_WITH_REPETITION else None
    return "map" if KEYS & set(entries.get("required", ())) else None


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_field_is_described(kind: str) -> None:
    silent = [
        node.text
        for node in crd_schemas.nodes(kind)
        if not node.path[-1].startswith(("[", "{")) and not node.schema.get("description")
    ]

    assert silent == []


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_string_list_and_map_is_bounded(kind: str) -> None:
    assert [node.text for node in crd_schemas.nodes(kind) if _is_unbounded(node)] == []


@pytest.mark.parametrize("kind", SCHEMAS)
def test_lists_are_merged_by_what_tells_their_entries_apart(kind: str) -> None:
    lists = [node for node in crd_schemas.nodes(kind) if node.schema.get("type") == "array"]

    assert {node.text: node.schema.get("x-kubernetes-list-type") for node in lists} == {
        node.text: _list_type(node) for node in lists
    }


@pytest.mark.parametrize("kind", SCHEMAS)
def test_status_has_no_default_but_that_nobody_has_seen_the_object(kind: str) -> None:
    defaults = {
        node.text: node.schema["default"] for node in crd_schemas.nodes(kind) if "default" in node.schema
    }

    found = {text: default for text, default in defaults.items() if text.startswith("status")}
    assert found == {"status": {"observedGeneration": 0}}


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_full_samples_hold_every_field(kind: str) -> None:
    full = [
        crd_samples.resource(kind, spec, FULL_STATUS[kind]) for sampled, spec in FULL_SPECS if sampled == kind
    ]

    missing = [
        node.text
        for node in crd_schemas.nodes(kind)
        if not any(crd_schemas.holds(one, node.path) for one in full)
    ]

    assert missing == []
