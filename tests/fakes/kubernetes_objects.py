"""What an API server does to objects without knowing their kinds: select, merge, patch. Pure."""

import json
import re
from typing import Any

Object = dict[str, Any]

_TERM = re.compile(r"([\w./-]+)(=[^,]*| in \([^)]*\))?,?")
"""A label and what its value may be; that it exists is enough where nothing is said."""


def is_selected(value: Object, query: dict[str, str]) -> bool:
    """Whether the selectors of a request's query select it."""
    labels: dict[str, str] = value["metadata"].get("labels", {})
    for name, values in _TERM.findall(query.get("labelSelector", "")):
        if name not in labels or (
            values and labels[name] not in values.removeprefix(" in ").strip("=()").split(",")
        ):
            return False
    field, _, wanted = query.get("fieldSelector", "").partition("=")
    return field in ("", "metadata.name") and wanted in ("", value["metadata"]["name"])


def merged(before: Object, change: Object) -> Object:
    """A merge patch applied."""
    result = dict(before)
    for name, value in change.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name) or {}, value) if isinstance(value, dict) else value
    return result


def patched(before: Object, steps: list[Object]) -> Object:
    """A JSON patch of `add` and `replace` on members of objects applied."""
    result: Object = json.loads(json.dumps(before))
    for step in steps:
        *parents, last = step["path"].strip("/").split("/")
        holder = result
        for parent in parents:
            holder = holder[parent]
        holder[last] = step["value"]
    return result
