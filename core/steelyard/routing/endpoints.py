"""From an LLMBackend and what it refers to, to the addresses and credentials of requests to it.

Pure: nothing is looked up in DNS. Invariant: an Endpoint that comes out may be connected to; link-local and
metadata addresses never do.
"""

import ipaddress
from urllib.parse import SplitResult, urlsplit

from steelyard.api.backend import LLMBackend, Location
from steelyard.api.meta import SECRET_LABEL, SECRET_LABEL_VALUE, KeyRef
from steelyard.api.resources import ResourceSet, Secret
from steelyard.routing.table import Endpoint

METADATA_HOSTS = frozenset(
    {"metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"}
)
"""Names by which clouds serve instance metadata, credentials included."""

METADATA_ADDRESSES = frozenset(
    ipaddress.ip_address(address) for address in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200")
)
"""Addresses of the same, of which two are not link-local."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOCAL_SUFFIXES = (".svc", ".svc.cluster.local", ".local", ".localhost")


class Unresolved(Exception):
    """Why a backend cannot be connected to, as a condition says it."""

    def __init__(self, condition: str, reason: str, message: str) -> None:
        super().__init__(message)
        self.condition = condition
        """Accepted or ResolvedRefs."""
        self.reason = reason
        """One CamelCase word."""
        self.message = message
        """A sentence that says what to do."""


def location(backend: LLMBackend) -> Location:
    """Where the backend runs: as it says, else judged by its URL's host."""
    if backend.spec.location is not None:
        return backend.spec.location
    host = _host(urlsplit(backend.spec.url))
    address = _address(host)
    if address is not None:
        return Location.LOCAL if address.is_private or address.is_loopback else Location.EXTERNAL
    is_local = "." not in host or host.endswith(_LOCAL_SUFFIXES)
    return Location.LOCAL if is_local else Location.EXTERNAL


def resolve(backend: LLMBackend, resources: ResourceSet) -> Endpoint:
    """The backend's endpoint. Raises Unresolved when its URL is forbidden or a reference leads nowhere."""
    url = urlsplit(backend.spec.url)
    host = _host(url)
    _refuse_forbidden(host)
    port = url.port or _DEFAULT_PORTS[url.scheme]
    tls = backend.spec.tls
    shown = f"[{host}]" if ":" in host else host
    return Endpoint(
        name=f"{backend.name}@{shown}:{port}",
        backend=backend.name,
        scheme=url.scheme,
        host=host,
        port=port,
        base_path=url.path.rstrip("/") if url.path not in ("", "/") else "/v1",
        timeouts=backend.spec.timeouts,
        authorization=_authorization(backend, resources),
        ca_pem=_ca_pem(tls.ca_ref, backend, resources) if tls and tls.ca_ref else None,
        server_name=tls.server_name if tls else None,
    )


def _host(url: SplitResult) -> str:
    return (url.hostname or "").rstrip(".")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ipaddress.ip_address("127.0.0.1") if host == "localhost" else None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _refuse_forbidden(host: str) -> None:
    address = _address(host)
    if host in METADATA_HOSTS or (address and (address.is_link_local or address in METADATA_ADDRESSES)):
        raise Unresolved(
            "Accepted",
            "UrlForbidden",
            f"spec.url leads to {host}, a link-local or metadata address: name the engine's own address.",
        )
    if address and (address.is_unspecified or address.is_multicast):
        raise Unresolved(
            "Accepted",
            "UrlForbidden",
            f"spec.url leads to {host}, which no server can have: name its address.",
        )


def _authorization(backend: LLMBackend, resources: ResourceSet) -> str | None:
    reference = backend.spec.credentials_ref
    if reference is None:
        return None
    field = "spec.credentialsRef"
    secret = resources.secrets.get((backend.namespace, reference.name))
    if secret is None:
        raise Unresolved(
            "ResolvedRefs",
            "SecretNotFound",
            f"{field} names Secret {backend.namespace}/{reference.name}, which does not exist: create it.",
        )
    _refuse_unlabelled(secret, field)
    value = secret.value(reference.key)
    if value is None:
        raise Unresolved(
            "ResolvedRefs",
            "SecretKeyNotFound",
            f"{field} names key {reference.key}, which Secret {secret.name} does not hold as text: add it.",
        )
    value = value.strip()
    if not all("!" <= character <= "~" for character in value):
        raise Unresolved(
            "ResolvedRefs",
            "SecretKeyInvalid",
            f"Key {reference.key} of Secret {secret.name} is no API key: it holds special characters.",
        )
    return f"Bearer {value}" if value else None


def _refuse_unlabelled(secret: Secret, field: str) -> None:
    if secret.metadata.labels.get(SECRET_LABEL) != SECRET_LABEL_VALUE:
        raise Unresolved(
            "ResolvedRefs",
            "SecretNotLabelled",
            f"{field} names Secret {secret.name}, which lacks the label "
            f"{SECRET_LABEL}={SECRET_LABEL_VALUE}: set it to allow its use.",
        )


def _ca_pem(reference: KeyRef, backend: LLMBackend, resources: ResourceSet) -> str:
    field, key = "spec.tls.caRef", (backend.namespace, reference.name)
    config_map, secret = resources.config_maps.get(key), resources.secrets.get(key)
    if config_map is not None:
        pem = config_map.data.get(reference.key)
    elif secret is not None:
        _refuse_unlabelled(secret, field)
        pem = secret.value(reference.key)
    else:
        raise Unresolved(
            "ResolvedRefs",
            "CaNotFound",
            f"{field} names {reference.name}, but there is no ConfigMap or Secret of that name: create one.",
        )
    if not pem or "-----BEGIN CERTIFICATE-----" not in pem:
        raise Unresolved(
            "ResolvedRefs",
            "CaInvalid",
            f"{field}: key {reference.key} of {reference.name} holds no PEM certificate: put one there.",
        )
    return pem
