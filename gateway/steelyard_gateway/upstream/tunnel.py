"""A way to an engine that a proxy opens: a plain socket, on which TLS begins as on a direct one."""

import asyncio
import socket
from functools import partial

from steelyard.egress import connecting
from steelyard.egress.connecting import ProxyFailed
from steelyard.egress.proxies import Proxy


async def opened(proxy: Proxy, host: str, port: int) -> socket.socket:
    """A socket with this address on its other end; who is given it owns it. Raises ProxyFailed."""
    loop = asyncio.get_running_loop()
    way: socket.socket | None = None
    try:
        way = await _connected(proxy)
        send, receive = partial(loop.sock_sendall, way), partial(loop.sock_recv, way)
        await connecting.ask(proxy, host, port, send, receive)
        return way
    except BaseException as error:
        if way is not None:
            way.close()
        if isinstance(error, OSError) and not isinstance(error, ProxyFailed):
            raise connecting.unreached(proxy, error) from error
        raise


async def _connected(proxy: Proxy) -> socket.socket:
    """A socket to the first of the proxy's addresses that takes one. Raises OSError."""
    loop = asyncio.get_running_loop()
    last: OSError = OSError("no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(
        proxy.host, proxy.port, type=socket.SOCK_STREAM
    ):
        one = socket.socket(family, kind, protocol)
        try:
            one.setblocking(False)
            await loop.sock_connect(one, address)
        except BaseException as error:
            one.close()
            if not isinstance(error, OSError):
                raise
            last = error
        else:
            return one
    raise last
