"""CustomResourceDefinitions made from the types: structural schemas, CEL rules, columns for kubectl.

Pure. Invariant: the API server refuses what the types refuse as far as a schema can say it, and every
description is the field's docstring.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from steelyard.api import meta
from steelyard.api.backend import LLMBackend
from steelyard.api.policy import RoutingPolicy
from steelyard.api.profile import ModelProfile
from steelyard.api.rules import VALIDATIONS

GROUP = "steelyard.dev"
VERSION = "v1alpha1"

UNSEEN = {"observedGeneration": 0}
"""The status of an object that no operator has seen yet. By kstatus (https://pkg.go.dev/sigs.k8s.io/cli-utils),
as Flux has it, an object without observedGeneration and without conditions would be ready."""


@dataclass(frozen=True, slots=True)
class _Column:
    """A column that kubectl prints."""

    name: str
    path: str
    type: str = "string"
    is_wide: bool = False
    """Shown with -o wide only."""

    def plain(self) -> dict[str, Any]:
        column: dict[str, Any] = {"name": self.name, "type": self.type, "jsonPath": self.path}
        return {**column, "priority": 1} if self.is_wide else column


@dataclass(frozen=True, slots=True)
class _Names:
    """What kubectl calls a kind."""

    plural: str
    short: str
    columns: tuple[_Column, ...]


def _condition(name: str, part: str = "status") -> str:
    return f'.status.conditions[?(@.type=="{name}")].{part}'


_AGE = _Column("Age", ".metadata.creationTimestamp", "date")
_READY = _Column("Ready", _condition("Ready"))
_WHY = (
    _Column("Reason", _condition("Ready", "reason"), is_wide=True),
    _Column("Message", _condition("Ready", "message"), is_wide=True),
)

_KINDS: dict[type[BaseModel], _Names] = {
    LLMBackend: _Names(
        "llmbackends",
        "llmb",
        (
            _Column("Engine", ".spec.engine"),
            _READY,
            _Column("Endpoints", ".status.summary.endpoints"),
            _Column("Models", ".status.summary.models", "integer"),
            _Column("GPU-Mem", ".status.summary.gpuMemory"),
            _Column("Version", ".status.engineVersion", is_wide=True),
            _Column("Location", ".status.location", is_wide=True),
            *_WHY,
            _AGE,
        ),
    ),
    ModelProfile: _Names(
        "modelprofiles",
        "mprof",
        (
            _Column("Model", ".spec.model"),
            _Column("Backend", ".spec.backendRef.name"),
            _Column("Quality", ".status.quality.overall.scorePercent", "integer"),
            _Column("Tok/s", ".status.performance.outputTokensPerSecond", "integer"),
            _Column("TTFT", ".status.performance.ttftMs.p50", "integer"),
            _Column("Mem", ".status.resources.memoryMiB", "integer"),
            _Column("Fresh", _condition("Fresh")),
            _Column("Succeeded", _condition("Succeeded"), is_wide=True),
            _Column("Run", ".status.run.message", is_wide=True),
            *_WHY,
            _AGE,
        ),
    ),
    RoutingPolicy: _Names(
        "routingpolicies",
        "rpol",
        (
            _Column("Models", ".status.summary.models"),
            _Column("Goal", ".spec.goal"),
            _Column("Candidates", ".status.summary.candidates"),
            _READY,
            _Column("Precise", _condition("Precise"), is_wide=True),
            *_WHY,
            _AGE,
        ),
    ),
}


def definitions() -> list[dict[str, Any]]:
    """The CustomResourceDefinition of each kind, as plain data."""
    return [_definition(kind, names) for kind, names in _KINDS.items()]


def _definition(kind: type[BaseModel], names: _Names) -> dict[str, Any]:
    plural, singular = names.plural, kind.__name__.lower()
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.__name__,
                "listKind": f"{kind.__name__}List",
                "plural": plural,
                "singular": singular,
                "shortNames": [names.short],
                "categories": ["steelyard"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [column.plain() for column in names.columns],
                    "schema": {"openAPIV3Schema": _schema(kind)},
                }
            ],
        },
    }


def _schema(kind: type[BaseModel]) -> dict[str, Any]:
    stated = kind.model_json_schema(by_alias=True)
    parts = stated["properties"]
    rules = {name: tuple(one.rules) for name, one in _spec_types(meta.Spec)}
    making = _Making(stated["$defs"], rules)
    return {
        "type": "object",
        "description": stated["description"],
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "The version of this kind."},
            "kind": {"type": "string", "description": "The kind."},
            "metadata": {"type": "object"},
            "spec": making.field(parts["spec"], with_defaults=True),
            "status": {**making.field(parts["status"], with_defaults=False), "default": UNSEEN},
        },
    }


def _spec_types(root: type[meta.Spec]) -> list[tuple[str, type[meta.Spec]]]:
    below = [found for one in root.__subclasses__() for found in _spec_types(one)]
    return [(root.__name__, root), *below]


_KEPT = (
    "type",
    "enum",
    "format",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "maxProperties",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    VALIDATIONS,
)
"""Words of JSON schema that are carried over as they are."""


class _Making:
    """From pydantic's JSON schema with references to a structural schema without."""

    def __init__(self, named: dict[str, Any], rules: dict[str, tuple[Any, ...]]) -> None:
        self._named = named
        self._rules = rules

    def field(self, stated: dict[str, Any], *, with_defaults: bool) -> dict[str, Any]:
        """The schema of one field, its default included where it says something."""
        schema = self._resolved(stated)
        made: dict[str, Any] = {}
        description = stated.get("description") or schema.get("description")
        if description:
            made["description"] = description
        made |= {word: schema[word] for word in _KEPT if word in schema}
        if schema.get("x-kubernetes-int-or-string"):
            made["x-kubernetes-int-or-string"] = True
        if "items" in schema:
            made["items"] = self.field(schema["items"], with_defaults=with_defaults)
        if isinstance(schema.get("additionalProperties"), dict):
            made["additionalProperties"] = self.field(schema["additionalProperties"], with_defaults=False)
        if "properties" in schema:
            made["properties"] = {
                name: self.field(one, with_defaults=with_defaults)
                for name, one in schema["properties"].items()
            }
        if schema.get("required"):
            made["required"] = schema["required"]
        if rules := self._rules.get(schema.get("title", "")):
            made[VALIDATIONS] = [{"rule": rule.cel, "message": rule.message} for rule in rules]
        default = _pruned(stated.get("default"))
        if with_defaults and default not in (None, "", [], {}):
            made["default"] = default
        return made

    def _resolved(self, stated: dict[str, Any]) -> dict[str, Any]:
        """The schema behind a reference or `or null`, with what stands beside it."""
        options = [one for one in stated.get("anyOf", [stated]) if one.get("type") != "null"]
        if len(options) > 1:
            return {"x-kubernetes-int-or-string": True}
        [only] = options
        if "$ref" in only:
            only = self._named[only["$ref"].rsplit("/", 1)[1]]
        beside = {word: stated[word] for word in _KEPT if word in stated}
        return {**only, **beside}


def _pruned(value: Any) -> Any:
    """Without what says nothing: nulls and empty values."""
    if not isinstance(value, dict):
        return value
    pruned = {key: _pruned(one) for key, one in value.items()}
    return {key: one for key, one in pruned.items() if one not in (None, "", [], {})}
