"""Which proxy stands before an address. Pure.

HTTPS_PROXY and NO_PROXY mean what they mean to Python's own library, and NO_PROXY may hold networks besides.
"""

import base64
import ipaddress
import urllib.request
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes, urlsplit

from steelyard.api.backend import Location

DEFAULT_PORT = 80
"""Of a proxy whose URL names none, as of any http URL."""


class WrongProxy(ValueError):
    """The URL is none of a proxy that we can use; the message does not quote it: it may hold a password."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy that opens ways by CONNECT."""

    host: str
    """Host name or address literal, without brackets."""
    port: int
    """TCP port."""
    authorization: str | None = field(default=None, repr=False)
    """Value of the Proxy-Authorization header; None: send none."""
    url: str = field(default="", repr=False)
    """The URL as it was given, user and password included."""

    def __str__(self) -> str:
        """How it may be named to anybody: host:port."""
        return f"{bracketed(self.host)}:{self.port}"


@dataclass(frozen=True, slots=True)
class Egress:
    """How what is outside is reached."""

    proxy: Proxy | None = None
    """What stands before External backends; None: nothing."""
    no_proxy: str = ""
    """Hosts that are reached without it, with commas between them, as in NO_PROXY."""
    ca_pem: str = field(default="", repr=False)
    """PEM certificates that are trusted beside the system's; empty: none."""

    def proxy_before(self, scheme: str, location: Location) -> Proxy | None:
        """The proxy before such addresses, those apart that NO_PROXY names; None: before none of them."""
        return self.proxy if scheme == "https" and location is Location.EXTERNAL else None

    def proxy_for(self, scheme: str, host: str, port: int, location: Location) -> Proxy | None:
        """The proxy that connections to this address go through; None: they go straight there."""
        proxy = self.proxy_before(scheme, location)
        return None if proxy is None or is_exempt(host, port, self.no_proxy) else proxy


DIRECT = Egress()
"""Without a proxy, and with the system's certificates alone."""


def read(url: str) -> Proxy | None:
    """The proxy of a URL; None: it is empty. Raises WrongProxy."""
    if not url.strip():
        return None
    text = url.strip() if "://" in url else f"http://{url.strip()}"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise WrongProxy("it is no URL: write http://[user:password@]host[:port]") from None
    if parts.scheme != "http":
        raise WrongProxy("its scheme is not http, the only one spoken to proxies: write http://host:port")
    if not _is_sound(host) or port == 0 or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise WrongProxy("it is not of the form http://[user:password@]host[:port]")
    authorization = None
    if parts.username is not None:
        credentials = [unquote_to_bytes(part) for part in (parts.username, parts.password or "")]
        authorization = f"Basic {base64.b64encode(b':'.join(credentials)).decode()}"
    return Proxy(host, port or DEFAULT_PORT, authorization, text)


def is_exempt(host: str, port: int, no_proxy: str) -> bool:
    """Whether NO_PROXY says that this host is reached directly: host, .suffix, *, address, network."""
    named = {"no": no_proxy.strip()}
    if urllib.request.proxy_bypass_environment(f"{host}:{port}", named):  # type: ignore[attr-defined]
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in _networks(no_proxy))


def bracketed(host: str) -> str:
    """The host as it stands before a colon and a port."""
    return f"[{host}]" if ":" in host else host


def _networks(no_proxy: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    found = []
    for part in no_proxy.split(","):
        try:
            found.append(ipaddress.ip_network(part.strip().strip("[]"), strict=False))
        except ValueError:
            continue
    return found


def _is_sound(host: str) -> bool:
    return host != "" and host.isascii() and host.isprintable() and " " not in host
