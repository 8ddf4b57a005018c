"""The generated schemas, walked; and what breaks them, word by word. Pure."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from steelyard.api import crd

ITEM = "[]"
"""A path's step into a list; in an object, its first entry."""

VALUE = "{}"
"""A path's step into a map; in an object, its first value."""


@dataclass(frozen=True, slots=True)
class Node:
    """A place in a schema."""

    path: tuple[str, ...]
    """From the object on."""
    schema: dict[str, Any]
    """What stands there."""

    @property
    def text(self) -> str:
        """The path as people write it, with the entries of lists and maps: spec.models[]."""
        return ".".join(self.path).replace("." + ITEM, ITEM).replace("." + VALUE, VALUE)


SCHEMAS: dict[str, dict[str, Any]] = {
    one["spec"]["names"]["kind"]: one["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for one in crd.definitions()
}
"""The schema by kind."""


def nodes(kind: str) -> Iterator[Node]:
    """Every place of spec and status."""
    for part in ("spec", "status"):
        yield from _below(Node((part,), SCHEMAS[kind]["properties"][part]))


def _below(node: Node) -> Iterator[Node]:
    yield node
    parts = dict(node.schema.get("properties", {}))
    parts |= {ITEM: node.schema["items"]} if "items" in node.schema else {}
    parts |= {VALUE: node.schema["additionalProperties"]} if "additionalProperties" in node.schema else {}
    for name, schema in parts.items():
        yield from _below(Node((*node.path, name), schema))


def at(whole: Any, path: tuple[str, ...]) -> Any:
    """What an object holds at this path; KeyError or IndexError where it holds nothing."""
    for step in path:
        whole = whole[_key(whole, step)]
    return whole


def holds(whole: Any, path: tuple[str, ...]) -> bool:
    """Whether an object holds something at this path."""
    try:
        at(whole, path)
    except (LookupError, StopIteration):
        return False
    return True


def changed(whole: Any, path: tuple[str, ...], value: Any) -> Any:
    """The object with another value at this path."""
    made = copy.deepcopy(whole)
    above = at(made, path[:-1])
    above[_key(above, path[-1])] = value
    return made


def _key(holder: Any, step: str) -> Any:
    if step == ITEM:
        return 0
    return next(iter(holder)) if step == VALUE else step


def breaking(schema: dict[str, Any], good: Any) -> Iterator[tuple[str, Any, str]]:
    """For each word of the schema a value that breaks it, and what the API server says then."""
    if "format" in schema:
        yield "format", "yesterday", f"must be of type {schema['format']}"
    elif "type" in schema:
        yield "type", "5" if schema["type"] == "integer" else 5, f"must be of type {schema['type']}"
    if "enum" in schema:
        yield "enum", "Nonsense", "supported values: "
    if "pattern" in schema:
        yield "pattern", " ", f"should match '{schema['pattern']}'"
    yield from _too_small_or_large(schema)
    if "maxItems" in schema:
        most = schema["maxItems"]
        yield "maxItems", [_other(schema, good[0], n) for n in range(most + 1)], f"at most {most} items"
    if "maxProperties" in schema:
        most = schema["maxProperties"]
        value = next(iter(good.values()))
        yield "maxProperties", {f"k{n}": value for n in range(most + 1)}, f"at most {most} items"
    if "x-kubernetes-list-type" in schema:
        yield "x-kubernetes-list-type", [good[0], *good], "Duplicate value"
    for name in schema.get("required", ()):
        yield "required", {key: value for key, value in good.items() if key != name}, "Required value"
    if "properties" in schema:
        yield "properties", {**good, "unheardOf": 1}, "unheardOf"


def _too_small_or_large(schema: dict[str, Any]) -> Iterator[tuple[str, Any, str]]:
    if schema.get("minLength"):
        yield "minLength", "", "at least"
    if "maxLength" in schema:
        most = schema["maxLength"]
        yield "maxLength", "a" * (most + 1), f"may not be more than {most} bytes"
    if schema.get("minItems"):
        yield "minItems", [], f"at least {schema['minItems']}"
    if "minimum" in schema:
        yield "minimum", schema["minimum"] - 1, f"greater than or equal to {schema['minimum']}"
    if "maximum" in schema:
        yield "maximum", schema["maximum"] + 1, f"less than or equal to {schema['maximum']}"


def _other(schema: dict[str, Any], item: Any, number: int) -> Any:
    """An entry like this one, another one for each number."""
    [key] = schema.get("x-kubernetes-list-map-keys", [""])
    if not key:
        return f"n{number}" if isinstance(item, str) else item
    return {**item, key: f"n{number}"}
