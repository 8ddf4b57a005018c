"""A resource as the plain data that a file or an API body holds. Pure."""

from typing import Any

from steelyard.api.resources import AnyResource

_ORDER = ("apiVersion", "kind", "metadata")


def to_plain(resource: AnyResource) -> dict[str, Any]:
    """camelCase, in the order people write, without what was never set."""
    dump = resource.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)
    dump |= {"apiVersion": resource.api_version, "kind": resource.kind}
    return {key: dump[key] for key in (*_ORDER, *(key for key in dump if key not in _ORDER))}
