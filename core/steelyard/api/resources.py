"""The set of resources that decisions are made from, and the core objects that ours refer to."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import ConfigDict, Field

from steelyard.api.backend import LLMBackend
from steelyard.api.meta import Resource, Spec
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


SERVICE_NAME_LABEL = "kubernetes.io/service-name"
"""Label of an EndpointSlice with the name of its Service."""


class _Foreign(Spec):
    """Base of parts of Kubernetes' own kinds: fields that are not read are left out."""

    model_config = ConfigDict(extra="ignore")


class ServicePort(_Foreign):
    """A port of a Service."""

    name: str = ""
    """Its name; empty where it is the only one."""
    port: int
    """Its number."""


class ServiceSpec(_Foreign):
    """What a Service says."""

    type: str = "ClusterIP"
    """ClusterIP, NodePort, LoadBalancer or ExternalName."""
    ports: tuple[ServicePort, ...] = ()
    """Its ports."""


class Service(Resource):
    """A Kubernetes Service."""

    model_config = ConfigDict(extra="ignore")

    api_version: Literal["v1"] = "v1"
    """The version of this kind."""
    kind: Literal["Service"] = "Service"
    """The kind."""
    spec: ServiceSpec = ServiceSpec()
    """What it says."""


class SliceConditions(_Foreign):
    """In what state an endpoint is."""

    ready: bool | None = None
    """Whether it takes requests; absent: it does."""
    terminating: bool | None = None
    """Whether its pod is being deleted."""


class TargetRef(_Foreign):
    """The object behind an address."""

    name: str = ""
    """Its name."""


class SliceEndpoint(_Foreign):
    """A pod behind a Service."""

    addresses: tuple[str, ...]
    """Its addresses, all for the same pod; the first counts."""
    conditions: SliceConditions = SliceConditions()
    """In what state it is."""
    target_ref: TargetRef | None = None
    """The pod; absent where somebody else than Kubernetes made the slice."""
    node_name: str = ""
    """The node that it runs on; empty where nobody says."""


class SlicePort(_Foreign):
    """A port that all pods of a slice have."""

    name: str = ""
    """The Service port's name."""
    port: int | None = None
    """The pods' own port."""


class EndpointSlice(Resource):
    """Some of the pods behind a Service."""

    model_config = ConfigDict(extra="ignore")

    api_version: Literal["discovery.k8s.io/v1"] = "discovery.k8s.io/v1"
    """The version of this kind."""
    kind: Literal["EndpointSlice"] = "EndpointSlice"
    """The kind."""
    address_type: str
    """IPv4, IPv6 or FQDN."""
    endpoints: tuple[SliceEndpoint, ...] | None = None
    """The pods."""
    ports: tuple[SlicePort, ...] | None = None
    """Their ports."""

    @property
    def service(self) -> str:
        """The name of the Service."""
        return self.metadata.labels.get(SERVICE_NAME_LABEL, "")


AnyResource = LLMBackend | ModelProfile | RoutingPolicy | Secret | ConfigMap | Service | EndpointSlice
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
    services: Mapping[Key, Service] = field(default_factory=dict)
    """Services."""
    endpoint_slices: Mapping[Key, EndpointSlice] = field(default_factory=dict)
    """EndpointSlices."""
    slices_by_service: Mapping[Key, Sequence[EndpointSlice]] = field(init=False, repr=False, compare=False)
    """The same by their Service."""

    def __post_init__(self) -> None:
        found: dict[Key, list[EndpointSlice]] = {}
        for (namespace, _), one in self.endpoint_slices.items():
            found.setdefault((namespace, one.service), []).append(one)
        object.__setattr__(self, "slices_by_service", found)
