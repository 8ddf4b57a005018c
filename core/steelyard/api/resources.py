"""The set of resources that decisions are made from, and the core objects that ours refer to."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from steelyard.api.backend import LLMBackend
from steelyard.api.meta import Resource
from steelyard.api.policy import RoutingPolicy
from steelyard.api.profile import ModelProfile

Key = tuple[str, str]
"""(namespace, name)."""


class Secret(Resource):
    """A Kubernetes Secret. Its values never appear in repr, logs or messages."""

    api_version: Literal["v1"] = "v1"
    """The version of this kind."""
    kind: Literal["Secret"] = "Secret"
    """The kind."""
    type: str = "Opaque"
    """The Secret's type, not read."""
    immutable: bool | None = None
    """Not read."""
    data: dict[str, str] = Field(default={}, repr=False)
    """Values in base64."""
    string_data: dict[str, str] = Field(default={}, repr=False)
    """Values as they are; they win over data."""

    def value(self, key: str) -> str | None:
        """The decoded value of a key; None where it is missing or not base64 of UTF-8."""
        if key in self.string_data:
            return self.string_data[key]
        try:
            return base64.b64decode(self.data[key], validate=True).decode()
        except (KeyError, binascii.Error, UnicodeDecodeError):
            return None


class ConfigMap(Resource):
    """A Kubernetes ConfigMap."""

    api_version: Literal["v1"] = "v1"
    """The version of this kind."""
    kind: Literal["ConfigMap"] = "ConfigMap"
    """The kind."""
    immutable: bool | None = None
    """Not read."""
    data: dict[str, str] = Field(default={})
    """Text values."""
    binary_data: dict[str, str] = Field(default={})
    """Binary values in base64, not read."""


AnyResource = LLMBackend | ModelProfile | RoutingPolicy | Secret | ConfigMap
"""Every kind that files may hold."""


@dataclass(frozen=True, slots=True)
class ResourceSet:
    """All resources at one moment, by kind and key. Replaced as a whole, never changed."""

    backends: Mapping[Key, LLMBackend] = field(default_factory=dict)
    """LLMBackends."""
    profiles: Mapping[Key, ModelProfile] = field(default_factory=dict)
    """ModelProfiles."""
    policies: Mapping[Key, RoutingPolicy] = field(default_factory=dict)
    """RoutingPolicies."""
    secrets: Mapping[Key, Secret] = field(default_factory=dict)
    """Secrets."""
    config_maps: Mapping[Key, ConfigMap] = field(default_factory=dict)
    """ConfigMaps."""
