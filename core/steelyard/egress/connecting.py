"""CONNECT (RFC 9110, 9.3.6): what a proxy is asked, and what its answer means. Does no I/O of its own.

Invariant: nothing that the proxy sent is quoted but its status, and its credentials are in the request alone.
"""

import re
import socket
from collections.abc import Awaitable, Callable

from steelyard.egress.proxies import Proxy, bracketed

MOST_HEAD_BYTES = 16_384
"""Longest head of an answer to CONNECT; proxies send a few hundred bytes."""

_PIECE_BYTES = 4096
_END = b"\r\n\r\n"
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})[ \r]")
_WANTS_CREDENTIALS = 407


class ProxyFailed(OSError):
    """The proxy opened no way; the message names it and says why."""

    def __init__(self, proxy: Proxy, deed: str) -> None:
        super().__init__(f"the proxy {proxy} {deed}")


async def ask(
    proxy: Proxy,
    host: str,
    port: int,
    send: Callable[[bytes], Awaitable[object]],
    receive: Callable[[int], Awaitable[bytes]],
) -> None:
    """Have the proxy open a way to this address. `receive` gives up to so many bytes, none at the end.

    Raises ProxyFailed, and what `send` and `receive` raise.
    """
    await send(request(proxy, host, port))
    came = b""
    while not is_open(proxy, came):
        piece = await receive(_PIECE_BYTES)
        if not piece:
            raise ProxyFailed(proxy, "closed the connection before it answered CONNECT")
        came += piece


def request(proxy: Proxy, host: str, port: int) -> bytes:
    """What asks the proxy for a way to this address."""
    target = f"{bracketed(host)}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.authorization is not None:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def is_open(proxy: Proxy, came: bytes) -> bool:
    """Whether the way is open after these bytes; False: more are to come. Raises ProxyFailed."""
    head, end, more = came.partition(_END)
    found = _STATUS.match(came)
    if found is None and b"\r\n" in came:
        raise ProxyFailed(proxy, "does not speak HTTP/1.1")
    if found is not None and not 200 <= (status := int(found[1])) < 300:
        advice = ": give it a user and a password" if status == _WANTS_CREDENTIALS else ""
        raise ProxyFailed(proxy, f"answered {status} to CONNECT{advice}")
    if len(head) > MOST_HEAD_BYTES:
        raise ProxyFailed(proxy, "answered CONNECT with too long a head")
    if more:
        raise ProxyFailed(proxy, "sent more than its answer to CONNECT")
    return bool(end)


def late(proxy: Proxy, seconds: float) -> ProxyFailed:
    """It took too long."""
    return ProxyFailed(proxy, f"opened no way within {seconds:g} s")


def unreached(proxy: Proxy, error: BaseException) -> ProxyFailed:
    """The proxy itself could not be connected to, or broke off."""
    match error:
        case socket.gaierror() | UnicodeError():
            return ProxyFailed(proxy, "has a host name that could not be resolved")
        case ConnectionRefusedError():
            return ProxyFailed(proxy, "refused the connection")
        case ConnectionError():
            return ProxyFailed(proxy, "broke off the connection")
        case _:
            return ProxyFailed(proxy, "could not be reached")
