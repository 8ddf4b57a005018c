"""The table in force and what it was made from.

Invariant: it is replaced by one assignment; readers take `snapshot` once per request.
"""

from dataclasses import dataclass

import msgspec

from steelyard.api.resources import ResourceSet
from steelyard.routing import compiling
from steelyard.routing.table import Problem, Table


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """One compiled state of the resources."""

    namespace: str
    """The namespace that requests see."""
    resources: ResourceSet
    """What the table was compiled from."""
    table: Table
    """What requests are decided by."""
    problems: tuple[Problem, ...]
    """All that is wrong with the resources."""
    models: bytes
    """The answer to GET /v1/models."""
    created: int
    """When it was compiled, in seconds since 1970."""


class Current:
    """Holder of the snapshot in force; None until the first was compiled."""

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None


def snapshot(
    resources: ResourceSet, namespace: str, created: int, invalid: tuple[Problem, ...] = ()
) -> Snapshot:
    """The compiled state of these resources; `invalid`: what is wrong with those that cannot be read."""
    table, problems = compiling.compile_table(resources, namespace)
    return Snapshot(namespace, resources, table, (*invalid, *problems), _models(table, created), created)


def model_object(table: Table, name: str, created: int) -> dict[str, object] | None:
    """A name that clients may ask for, in OpenAI's shape; None where it is unknown."""
    if name in table.policies:
        return {"id": name, "object": "model", "created": created, "owned_by": "steelyard"}
    pairs = table.models.get(name) or table.aliases.get(name)
    if not pairs:
        return None
    return {"id": name, "object": "model", "created": created, "owned_by": pairs[0].backend}


def _models(table: Table, created: int) -> bytes:
    names = dict.fromkeys((*table.policies, *table.models, *table.aliases))
    listed = [model_object(table, name, created) for name in names]
    return msgspec.json.encode({"object": "list", "data": listed})
