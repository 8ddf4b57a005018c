"""What a profiling Job's pod is handed beside its words: the engine's key, certificates, the way out. Pure.

Invariant: a Secret is mounted and never read. The proxy's password alone stands in the manifest, in plain
text, for Jobs of External models: the operator may make no Secret.
"""

from dataclasses import dataclass

from steelyard.api.backend import LLMBackend
from steelyard.egress.proxies import Egress
from steelyard.kube.kinds import Object
from steelyard.routing.table import Endpoint

BUNDLE_ANNOTATION = "steelyard.dev/ca-bundle"
"""Annotation of the pod with the operator's extra certificates, which its container has as a file: what the
operator's own come from is in its namespace, and a Job's may be another."""

_FOLDER = "/etc/steelyard"


@dataclass(frozen=True, slots=True)
class Handed:
    """Parts of a pod's manifest."""

    volumes: tuple[Object, ...]
    """Volumes."""
    mounts: tuple[Object, ...]
    """Where they are in the container."""
    arguments: tuple[str, ...]
    """Words that name the files in them, and where the engine is."""
    environment: tuple[Object, ...]
    """Environment variables."""
    annotations: dict[str, str]
    """Annotations of the pod."""


def handed(backend: LLMBackend, endpoint: Endpoint, egress: Egress, *, ca_in_secret: bool) -> Handed:
    """What the pod needs for this endpoint. `ca_in_secret`: tls.caRef names a Secret, not a ConfigMap."""
    key, tls = backend.spec.credentials_ref, backend.spec.tls
    volumes: list[Object] = []
    arguments, annotations = [], {}
    if key is not None:
        item = {"key": key.key, "path": "api-key"}
        volumes.append({"name": "api-key", "secret": {"secretName": key.name, "items": [item]}})
        arguments.append(f"--api-key-file={_FOLDER}/api-key/api-key")
    if tls is not None and tls.ca_ref is not None:
        item = {"key": tls.ca_ref.key, "path": "ca.crt"}
        source: Object = (
            {"secret": {"secretName": tls.ca_ref.name, "items": [item]}}
            if ca_in_secret
            else {"configMap": {"name": tls.ca_ref.name, "items": [item]}}
        )
        volumes.append({"name": "ca", **source})
        arguments.append(f"--ca-file={_FOLDER}/ca/ca.crt")
    elif egress.ca_pem and endpoint.scheme == "https":
        field = {"fieldPath": f"metadata.annotations['{BUNDLE_ANNOTATION}']"}
        items = [{"path": "ca.crt", "fieldRef": field}]
        volumes.append({"name": "ca-bundle", "downwardAPI": {"items": items}})
        arguments.append(f"--ca-bundle={_FOLDER}/ca-bundle/ca.crt")
        annotations[BUNDLE_ANNOTATION] = egress.ca_pem
    environment = _of_proxy(egress, endpoint)
    if environment:
        arguments.append(f"--location={endpoint.location}")
    mounts = [
        {"name": one["name"], "mountPath": f"{_FOLDER}/{one['name']}", "readOnly": True} for one in volumes
    ]
    return Handed(tuple(volumes), tuple(mounts), tuple(arguments), environment, annotations)


def _of_proxy(egress: Egress, endpoint: Endpoint) -> tuple[Object, ...]:
    """The variables that name the proxy, where one may stand before this endpoint."""
    proxy = egress.proxy_before(endpoint.scheme, endpoint.location)
    if proxy is None:
        return ()
    named = {"HTTPS_PROXY": proxy.url, "NO_PROXY": egress.no_proxy}
    # Kubernetes expands $(NAME) and reads $$ as $.
    return tuple({"name": name, "value": value.replace("$", "$$")} for name, value in named.items() if value)
