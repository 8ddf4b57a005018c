"""The tables of fields in docs/api, made from the types and their docstrings.

Run it to write every table anew. A table stands between `<!-- fields: KIND.PART -->` and `<!-- end -->`; the
rest of a page is prose and is left alone.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from steelyard.api.backend import LLMBackend
from steelyard.api.meta import Condition
from steelyard.api.policy import RoutingPolicy
from steelyard.api.profile import ModelProfile

PAGES = Path(__file__).parents[1] / "docs" / "api"
KINDS: tuple[type[BaseModel], ...] = (LLMBackend, ModelProfile, RoutingPolicy)

_BLOCK = re.compile(r"(<!-- fields: (\w+)\.(\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_HEADING = ("| field | value | default | |", "|---|---|---|---|")


def renewed(page: str) -> str:
    """The page with every table as the types have it now."""
    kinds = {kind.__name__: kind for kind in KINDS}
    return _BLOCK.sub(lambda block: block[1] + table(kinds[block[2]], block[3]) + block[4], page)


def table(kind: type[BaseModel], part: str) -> str:
    """The fields of a kind's spec or status as a Markdown table."""
    schema = kind.model_json_schema(by_alias=True)
    definitions = schema["$defs"]
    top = _resolved(schema["properties"][part], definitions)
    rows = [
        f"| `{field.path}` | {field.value} | {field.default} | {field.description} |"
        for field in _fields(top, definitions, "")
    ]
    return "\n".join([*_HEADING, *rows]) + "\n"


@dataclass(frozen=True, slots=True)
class _Field:
    """One row."""

    path: str
    """From the part on, as models[].price."""
    value: str
    """What it takes, with its bounds."""
    default: str
    """What its absence means; empty: nothing."""
    description: str
    """Its docstring."""


def _fields(schema: dict[str, Any], definitions: dict[str, Any], prefix: str) -> Iterator[_Field]:
    for name, stated in schema.get("properties", {}).items():
        field = _resolved(stated, definitions)
        below = _resolved(field.get("items", {}), definitions) if field.get("type") == "array" else field
        path = f"{prefix}{name}"
        description = stated.get("description") or field["description"]  # left out where both are the same
        description = description.replace("*", r"\*")
        yield _Field(path, _value(field, below), _default(schema, name, stated), description)
        if below.get("title") != Condition.__name__:
            yield from _fields(below, definitions, f"{path}[]." if below is not field else f"{path}.")


def _resolved(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema behind a reference, or behind `or null`."""
    options = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    if len(options) > 1:
        return {**schema, "type": "integer or string"}
    [only] = options
    if "$ref" in only:
        found: dict[str, Any] = definitions[only["$ref"].rsplit("/", 1)[1]]
        return found
    return {**schema, **only}


def _value(field: dict[str, Any], below: dict[str, Any]) -> str:
    if below is not field:
        most = f", at most {field['maxItems']}" if "maxItems" in field else ""
        return f"list{most}: {_plain(below)}"
    return _plain(field)


def _plain(field: dict[str, Any]) -> str:
    if "enum" in field:
        return ", ".join(field["enum"])
    if field.get("additionalProperties"):
        return "texts by name"
    if field.get("title") == Condition.__name__:
        return "condition"
    if field.get("pattern", "").startswith("^[0-9]"):
        return 'money as `"0.15"`'
    if field.get("format") == "date-time":
        return "time"
    names = {
        "integer or string": "number or text",
        "string": "text",
        "integer": "number",
        "boolean": "true or false",
        "object": "object",
    }
    value = names[field["type"]]
    least, most = field.get("minimum"), field.get("maximum")
    if most is not None:
        return f"{value}, {least} to {most}"
    return value if least is None else f"{value}, {least} or more"


def _default(holder: dict[str, Any], name: str, stated: dict[str, Any]) -> str:
    if name in holder.get("required", []):
        return "required"
    default = stated.get("default")
    if default is None or isinstance(default, dict | list) or default == "":
        return ""
    return default if isinstance(default, str) else json.dumps(default)


if __name__ == "__main__":
    for path in PAGES.glob("*.md"):
        path.write_text(renewed(path.read_text()))
