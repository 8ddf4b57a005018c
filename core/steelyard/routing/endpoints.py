"""From an LLMBackend and what it refers to, to the addresses and credentials of requests to it.

Pure: nothing is looked up in DNS. Invariant: an Endpoint that comes out may be connected to; link-local and
metadata addresses never do.
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from steelyard.api.backend import (
    Engine,
    LLMBackend,
    Location,
    ServiceRef,
    ServiceRouting,
    Timeouts,
    UsageAsking,
)
from steelyard.api.meta import SECRET_LABEL, SECRET_LABEL_VALUE, SECRET_SELECTOR, KeyRef
from steelyard.api.resources import EndpointSlice, ResourceSet, Secret, Service, ServicePort, SliceEndpoint
from steelyard.routing.table import Endpoint

METADATA_HOSTS = frozenset(
    {"metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"}
)
"""Names by which clouds serve instance metadata, credentials included."""

METADATA_ADDRESSES = frozenset(
    ipaddress.ip_address(address) for address in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200")
)
"""Addresses of the same, of which two are not link-local."""

USAGE_ENGINES = frozenset({Engine.VLLM, Engine.SGLANG, Engine.LLAMA_CPP})
"""Engines that are known to understand `stream_options.include_usage` and to answer as OpenAI does."""

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
    """Where the backend runs: as it says, else Local for a Service, else judged by its URL's host."""
    if backend.spec.location is not None:
        return backend.spec.location
    if backend.spec.url is None:
        return Location.LOCAL
    return of_host(_of_url(backend.spec.url).host)


def of_host(host: str) -> Location:
    """Where a host is, judged by its name or address, which comes without brackets."""
    address = _address(host)
    if address is not None:
        return Location.LOCAL if address.is_private or address.is_loopback else Location.EXTERNAL
    is_local = "." not in host or host.endswith(_LOCAL_SUFFIXES)
    return Location.LOCAL if is_local else Location.EXTERNAL


def resolve(backend: LLMBackend, resources: ResourceSet) -> tuple[Endpoint, ...]:
    """The backend's endpoints by name; none while no pod of its Service is ready.

    Raises Unresolved when an address is forbidden or a reference leads nowhere.
    """
    spec = backend.spec
    server_name = spec.tls.server_name if spec.tls else None
    if spec.service_ref is not None:
        addresses = _of_service(spec.service_ref, backend, resources)
        if spec.tls is not None and server_name is None:
            server_name = f"{spec.service_ref.name}.{backend.namespace}.svc"
    else:
        addresses = [_of_url(spec.url or "")]
    authorization = _authorization(backend, resources)
    ca_pem = _ca_pem(spec.tls.ca_ref, backend, resources) if spec.tls and spec.tls.ca_ref else None
    field = "spec.url" if spec.service_ref is None else f"Service {spec.service_ref.name}"
    where = location(backend)
    found = {}
    for address in addresses:
        _refuse_forbidden(address.host, field)
        shown = f"[{address.host}]" if ":" in address.host else address.host
        name = f"{backend.name}@{shown}:{address.port}"
        found[name] = Endpoint(
            name=name,
            backend=backend.name,
            scheme=address.scheme,
            host=address.host,
            port=address.port,
            base_path=address.base_path,
            timeouts=spec.timeouts,
            authorization=authorization,
            ca_pem=ca_pem,
            server_name=server_name,
            max_concurrency=spec.max_concurrency,
            asks_usage=spec.usage is UsageAsking.AUTO and spec.engine in USAGE_ENGINES,
            pod=address.pod,
            node=address.node,
            location=where,
            budget_mib=spec.memory.budget_mib if spec.memory else None,
            pinned=spec.memory.pinned if spec.memory else (),
        )
    return tuple(found[name] for name in sorted(found))


def exporter(url: str) -> Endpoint:
    """Who tells of GPUs at this URL; the base path is the whole path. No credential is sent there.

    Raises Unresolved when the address is forbidden or no address.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port or _DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise Unresolved("Accepted", "UrlInvalid", f"{url} is no URL of an exporter: correct it.") from None
    _refuse_forbidden(host, "The GPU exporter's URL")
    return Endpoint(
        name=url,
        backend="",
        scheme=parts.scheme,
        host=host,
        port=port,
        base_path=parts.path.rstrip("/") or "/metrics",
        timeouts=Timeouts(),
    )


@dataclass(frozen=True, slots=True)
class _Address:
    """Where to connect to."""

    scheme: str
    host: str
    port: int
    base_path: str
    pod: str = ""
    node: str = ""


def _of_url(text: str) -> _Address:
    url = urlsplit(text)
    host = (url.hostname or "").rstrip(".")
    return _Address(url.scheme, host, url.port or _DEFAULT_PORTS[url.scheme], _base_path(url.path))


def _base_path(path: str) -> str:
    return path.rstrip("/") or "/v1"


def _of_service(reference: ServiceRef, backend: LLMBackend, resources: ResourceSet) -> list[_Address]:
    service = resources.services.get((backend.namespace, reference.name))
    if service is None:
        raise Unresolved(
            "ResolvedRefs",
            "ServiceNotFound",
            f"spec.serviceRef names Service {backend.namespace}/{reference.name}, "
            "which does not exist: create it or correct the name.",
        )
    port = _port(reference, service)
    scheme = "http" if backend.spec.tls is None else "https"
    base_path = _base_path(reference.path)
    if reference.routing is ServiceRouting.CLUSTER_IP:
        host = f"{service.name}.{service.namespace}.svc"
        return [_Address(scheme, host, port.port, base_path)]
    if service.spec.type == "ExternalName":
        raise Unresolved(
            "ResolvedRefs",
            "ServiceHasNoPods",
            f"spec.serviceRef names Service {service.name} of type ExternalName, which has no pods: "
            "use spec.url, or routing: ClusterIP.",
        )
    every = resources.slices_by_service.get((backend.namespace, reference.name), ())
    slices = [one for one in every if one.address_type == "IPv4"]
    # A Service of both families has each pod in a slice of either.
    slices = slices or [one for one in every if one.address_type == "IPv6"]
    return [
        _Address(scheme, pod.addresses[0], number, base_path, _pod_name(pod), pod.node_name)
        for one in slices
        for pod, number in _ready(one, port.name)
    ]


def _port(reference: ServiceRef, service: Service) -> ServicePort:
    for port in service.spec.ports:
        if reference.port in (port.port, port.name):
            return port
    has = ", ".join(f"{port.port} {port.name}".strip() for port in service.spec.ports) or "none"
    raise Unresolved(
        "ResolvedRefs",
        "ServicePortNotFound",
        f"spec.serviceRef.port is {reference.port}, which Service {service.name} does not have: "
        f"its ports are {has}.",
    )


def _pod_name(pod: SliceEndpoint) -> str:
    return pod.target_ref.name if pod.target_ref is not None else ""


def _ready(one: EndpointSlice, port_name: str) -> Iterator[tuple[SliceEndpoint, int]]:
    """Each pod and its port that takes new requests. An absent `ready` means yes, says Kubernetes.

    One that is terminating takes none, even where its Service publishes pods that are not ready.
    """
    numbers = [port.port for port in one.ports or () if port.name == port_name and port.port is not None]
    for endpoint in one.endpoints or ():
        conditions = endpoint.conditions
        if conditions.ready is not False and not conditions.terminating and endpoint.addresses:
            for number in numbers[:1]:
                yield endpoint, number


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ipaddress.ip_address("127.0.0.1") if host == "localhost" else None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _refuse_forbidden(host: str, field: str) -> None:
    address = _address(host)
    if host in METADATA_HOSTS or (address and (address.is_link_local or address in METADATA_ADDRESSES)):
        raise Unresolved(
            "Accepted",
            "UrlForbidden",
            f"{field} leads to {host}, a link-local or metadata address: name the engine's own address.",
        )
    if address and (address.is_unspecified or address.is_multicast):
        raise Unresolved(
            "Accepted",
            "UrlForbidden",
            f"{field} leads to {host}, which no server can have: name its address.",
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
            f"{field} names Secret {backend.namespace}/{reference.name}, which does not exist or lacks the "
            f"label {SECRET_SELECTOR}: create it or set the label.",
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
            f"{SECRET_SELECTOR}: set it to allow its use.",
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
