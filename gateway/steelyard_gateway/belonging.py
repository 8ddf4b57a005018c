"""Which namespace a request belongs to: its path's, /ns/NAMESPACE/v1/…, else the gateway's own."""

import re
from dataclasses import dataclass, replace

from steelyard_gateway import errors, paths
from steelyard_gateway.parts import Gateway
from steelyard_gateway.ports import Headers, Reply, Routed

_NAMED = re.compile(rb"(?:(?i:https?)://[^/?#]*)?/+ns/+([a-z0-9][-a-z0-9]{0,62})(/.*)", re.DOTALL)


def find(gateway: Gateway, target: bytes) -> tuple[Gateway, tuple[paths.Place, bytes] | None]:
    """Whose request it is, and the offered path with its query as `paths.find` tells them."""
    found, others = paths.find(target), gateway.others
    if found is not None or others is None:
        return gateway, found
    named = _NAMED.fullmatch(target)
    if named is None:
        return gateway, None
    namespace, rest = named.groups()
    unserved = replace(gateway, router=_Unserved(namespace.decode())) if others else gateway
    return others.get(namespace, unserved), paths.find(rest)


@dataclass(frozen=True, slots=True)
class _Unserved:
    """The router of a namespace that is not served."""

    namespace: str

    def route(self, method: bytes, path: str, headers: Headers, body: bytes) -> Routed | Reply:
        """An error."""
        message = (
            f"Namespace {self.namespace!r} is not served here: no LLMBackend, ModelProfile or RoutingPolicy "
            "is in it, or the gateway does not watch it."
        )
        return errors.NotFound(message).reply()
