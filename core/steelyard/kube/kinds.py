"""The kinds of objects that Steelyard reads or writes, and where the API server keeps them."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

Object = dict[str, Any]
"""A Kubernetes object as JSON."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of objects."""

    group: str
    """The API group; empty for Kubernetes' oldest kinds."""
    version: str
    """The group's version."""
    plural: str
    """The word in paths."""
    kind: str
    """The word in objects."""
    namespaced: bool = True
    """Whether each object is in a namespace."""

    @property
    def api_version(self) -> str:
        """As objects say it in apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str = "", subresource: str = "") -> str:
        """The path of one object, or without a name of all in a namespace, or in all of them (None)."""
        if name and self.namespaced and not namespace:
            raise ValueError(f"{self.kind} {name} needs a namespace")
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/" + "/".join(quote(part, safe="") for part in parts)


LLM_BACKEND = Kind("steelyard.dev", "v1alpha1", "llmbackends", "LLMBackend")
MODEL_PROFILE = Kind("steelyard.dev", "v1alpha1", "modelprofiles", "ModelProfile")
ROUTING_POLICY = Kind("steelyard.dev", "v1alpha1", "routingpolicies", "RoutingPolicy")
OURS = (LLM_BACKEND, MODEL_PROFILE, ROUTING_POLICY)
"""The kinds that Steelyard defines."""

SECRET = Kind("", "v1", "secrets", "Secret")
CONFIG_MAP = Kind("", "v1", "configmaps", "ConfigMap")
SERVICE = Kind("", "v1", "services", "Service")
POD = Kind("", "v1", "pods", "Pod")
ENDPOINT_SLICE = Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
JOB = Kind("batch", "v1", "jobs", "Job")
LEASE = Kind("coordination.k8s.io", "v1", "leases", "Lease")
EVENT = Kind("events.k8s.io", "v1", "events", "Event")

CUSTOM_RESOURCE_DEFINITION = Kind(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)
DEPLOYMENT = Kind("apps", "v1", "deployments", "Deployment")
SELF_ACCESS_REVIEW = Kind(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False
)
ACCESS_REVIEW = Kind(
    "authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False
)
