"""Rules over a type's fields, each said once: files check it here, the API server by the same rule in CEL.

Invariant: `cel` and `holds` refuse the same values; a test holds them against a real API server. A message
begins with the field at fault and says what to do.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import AfterValidator, GetJsonSchemaHandler, ValidationInfo
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

VALIDATIONS = "x-kubernetes-validations"
"""Where a schema keeps its CEL rules."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What must hold between the fields of one object."""

    cel: str
    """The rule for the API server; `self` is the object."""
    message: str
    """What to do where it does not hold."""
    holds: Callable[[Any], bool]
    """The same rule over the typed object."""


class Immutable:
    """Marks a field that never changes once it was set; only the API server sees the old value."""

    def __init__(self, message: str) -> None:
        self._message = message

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core), VALIDATIONS: [{"rule": "self == oldSelf", "message": self._message}]}


class _ListType:
    """Marks a list that the API server merges by its entries."""

    def __init__(self, marks: dict[str, Any]) -> None:
        self._marks = marks

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core), **self._marks}


def camel(name: str) -> str:
    """A field's name outside: camelCase, with units of bytes as people write them."""
    return to_camel(name).replace("Mib", "MiB")


def _refuse_twice(field: str | None, values: Iterable[Hashable]) -> None:
    twice = [value for value, count in Counter(values).items() if count > 1]
    if twice:
        raise ValueError(f"{camel(field or 'the list')} lists {twice[0]} twice: keep one entry")


def _unique(entries: tuple[Any, ...], info: ValidationInfo) -> tuple[Any, ...]:
    _refuse_twice(info.field_name, entries)
    return entries


def map_by(key: str) -> tuple[AfterValidator, _ListType]:
    """A list that holds one entry for each value of the field `key`; unpack it into Annotated."""

    def check(entries: tuple[Any, ...], info: ValidationInfo) -> tuple[Any, ...]:
        _refuse_twice(info.field_name, (getattr(entry, key) for entry in entries))
        return entries

    marks = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}
    return AfterValidator(check), _ListType(marks)


SET = (AfterValidator(_unique), _ListType({"x-kubernetes-list-type": "set"}))
"""A list of texts none of which comes twice; unpack it into Annotated."""
