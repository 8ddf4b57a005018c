"""httpx through a proxy: a transport whose connections are ways that the proxy opened.

httpx's own proxies take no name that the certificate must carry (`sni_hostname`), and give CONNECT no time;
here both hold. Invariant: whatever goes wrong before the way is open is an httpx.ProxyError that names the
proxy.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager

import httpcore
import httpx

from steelyard.egress import connecting
from steelyard.egress.connecting import ProxyFailed
from steelyard.egress.proxies import Proxy

_Option = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class Tunnels(httpx.AsyncBaseTransport):
    """Sends every request through this proxy."""

    def __init__(self, proxy: Proxy, trusts: ssl.SSLContext, *, keeps_connections: bool = True) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=trusts,
            max_keepalive_connections=None if keeps_connections else 0,
            network_backend=_Ways(proxy),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer; its body is still to come."""
        assert isinstance(request.stream, httpx.AsyncByteStream)
        url = request.url
        asked = httpcore.Request(
            request.method,
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _as_httpx_says():
            response = await self._pool.handle_async_request(asked)
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx_says():
            async for piece in self._response.aiter_stream():
                yield piece

    async def aclose(self) -> None:
        await self._response.aclose()


class _Ways(httpcore.AsyncNetworkBackend):
    """Connects to addresses by asking the proxy for a way there."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[_Option] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                return await self._open(host, port, local_address, socket_options)
        except ProxyFailed as failed:
            raise httpcore.ProxyError(str(failed)) from failed
        except TimeoutError as late:
            raise httpcore.ProxyError(str(connecting.late(self._proxy, timeout or 0))) from late

    async def _open(
        self, host: str, port: int, local_address: str | None, options: Iterable[_Option] | None
    ) -> httpcore.AsyncNetworkStream:
        proxy = self._proxy
        stream = None
        try:
            stream = await self._network.connect_tcp(
                proxy.host, proxy.port, local_address=local_address, socket_options=options
            )
            await connecting.ask(proxy, host, port, stream.write, stream.read)
            return stream
        except BaseException as error:
            if stream is not None:
                await stream.aclose()
            if isinstance(error, httpcore.NetworkError):
                raise connecting.unreached(proxy, _root(error)) from error
            raise

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@contextmanager
def _as_httpx_says() -> Iterator[None]:
    """httpcore's errors as those of httpx, which have the same names."""
    try:
        yield
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.ProxyError,
    ) as error:
        kind: type[httpx.TransportError] = getattr(httpx, type(error).__name__)
        raise kind(str(error)) from error


def _root(error: BaseException) -> BaseException:
    """What it began with."""
    while True:
        inner = (
            error.exceptions[0]
            if isinstance(error, BaseExceptionGroup)
            else error.__cause__ or error.__context__
        )
        if inner is None:
            return error
        error = inner
