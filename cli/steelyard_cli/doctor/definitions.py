"""The definitions of the kinds: whether the cluster has them, and whether they fit this program."""

from collections.abc import Iterator
from typing import Any

from steelyard.api import crd
from steelyard.kube import errors
from steelyard.kube.client import Client
from steelyard.kube.kinds import CUSTOM_RESOURCE_DEFINITION, Object
from steelyard_cli.doctor.findings import Finding, ok, problem, warning

APPLY = "steelyard crds | kubectl apply --server-side -f -"
"""What writes those of this program."""

MOST_NAMED = 3
"""How many fields are named."""

_SUBJECT = "definitions"


async def findings(client: Client) -> list[Finding]:
    """What is to be said of each."""
    found = []
    for wanted in crd.definitions():
        name = wanted["metadata"]["name"]
        try:
            there = await client.get(CUSTOM_RESOURCE_DEFINITION, None, name)
        except errors.NotFound:
            found.append(problem(_SUBJECT, f"there is no {name}", f"install the chart, or: {APPLY}"))
        except errors.Forbidden:
            remedy = "ask an administrator to run this, or for: get customresourcedefinitions"
            return [warning(_SUBJECT, "you may not read them: whether they fit is unknown", remedy)]
        else:
            found.append(compared(there, wanted))
    return found


def compared(there: Object, wanted: Object) -> Finding:
    """Whether a definition in the cluster is what this program expects."""
    name = wanted["metadata"]["name"]
    version = next((one for one in there["spec"]["versions"] if one["name"] == crd.VERSION), None)
    if version is None or not version["served"]:
        return problem(_SUBJECT, f"{name} does not serve {crd.VERSION}", APPLY)
    if not _is_established(there):
        return problem(_SUBJECT, f"{name} is not established: kubectl describe crd {name} says why")
    if "status" not in version.get("subresources", {}):
        return problem(_SUBJECT, f"{name} has no status apart from its spec", APPLY)
    schema, expected = (one["schema"]["openAPIV3Schema"] for one in (version, wanted["spec"]["versions"][0]))
    schema, expected = _without_words(schema), _without_words(expected)
    if schema == expected:
        return ok(_SUBJECT, f"{name} fits")
    theirs, ours = set(_fields(schema)), set(_fields(expected))
    if missing := sorted(ours - theirs):
        return problem(_SUBJECT, f"{name} is older than this program: it lacks {_named(missing)}", APPLY)
    if unknown := sorted(theirs - ours):
        remedy = "upgrade this program to the version of the definitions"
        return warning(_SUBJECT, f"{name} is newer than this program: it has {_named(unknown)}", remedy)
    return warning(_SUBJECT, f"{name} has other rules or defaults than this program", APPLY)


def _is_established(there: Object) -> bool:
    conditions = (there.get("status") or {}).get("conditions", ())
    return any((one["type"], one["status"]) == ("Established", "True") for one in conditions)


def _without_words(schema: Any) -> Any:
    """A schema without the texts for people, which may change at any time."""
    if isinstance(schema, list):
        return [_without_words(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    # A field may be called `description`, too; it is an object then.
    kept = {word: part for word, part in schema.items() if word != "description" or not isinstance(part, str)}
    return {word: _without_words(part) for word, part in kept.items()}


def _fields(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """The path of every field."""
    for name, part in schema.get("properties", {}).items():
        below = f"{path}.{name}" if path else name
        yield below
        yield from _fields(part, below)
    for word, sign in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(part := schema.get(word), dict):
            yield from _fields(part, path + sign)


def _named(fields: list[str]) -> str:
    more = f" and {len(fields) - MOST_NAMED} more" if len(fields) > MOST_NAMED else ""
    return ", ".join(fields[:MOST_NAMED]) + more
