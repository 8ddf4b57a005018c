"""The client: kept connections by endpoint, and the opening of new ones.

Connections are kept by endpoint name and taken last in, first out, so that the surplus is idle and closed.
Invariant: a connection is handed only to calls for the same address with the same TLS settings.
"""

import asyncio
import logging
from functools import partial
from time import perf_counter

from steelyard.egress.proxies import DIRECT, Egress, Proxy
from steelyard.routing.table import Endpoint
from steelyard_gateway.deadlines import NEVER, Deadlines
from steelyard_gateway.repeated import LatestHead
from steelyard_gateway.upstream import failure, tls, tunnel
from steelyard_gateway.upstream.call import Call, Receiver
from steelyard_gateway.upstream.connection import Connection
from steelyard_gateway.upstream.failure import Failure, Kind

KEEP_SECONDS = 4.0
"""How long an idle connection is kept: below the 5 s after which uvicorn (vLLM) and cpp-httplib (llama.cpp)
close theirs, so that a request seldom meets a connection that is being closed."""

logger = logging.getLogger(__name__)


class Client:
    """Sends requests to endpoints. Belongs to one event loop."""

    def __init__(
        self, deadlines: Deadlines, keep_seconds: float = KEEP_SECONDS, egress: Egress = DIRECT
    ) -> None:
        self._deadlines = deadlines
        self._keep_seconds = keep_seconds
        self._egress = egress
        self._latest = LatestHead()
        self._pools: dict[str, _Pool] = {}
        self._connections: set[Connection] = set()
        self._dials: set[asyncio.Task[None]] = set()

    def send(self, endpoint: Endpoint, payload: bytes, receiver: Receiver, *, stream: bool) -> Call:
        """Send a whole HTTP/1.1 request, head and body; the receiver is told what comes of it.

        `stream` says which of the endpoint's timeouts hold: firstByte and idle, or total.
        """
        call = Call(endpoint, payload, receiver, stream)
        pool = self._pools.get(endpoint.name)
        connection = pool.take() if pool is not None and pool.fits(endpoint) else None
        if connection is not None:
            connection.start(call)
        else:
            self._dial(call)
        return call

    def has_heard(self, endpoint: Endpoint, seconds: float) -> bool:
        """Whether anything of a stream came from there within so many seconds. Visits its connections."""
        pool = self._pools.get(endpoint.name)
        return pool is not None and pool.has_heard(perf_counter() - seconds)

    async def aclose(self) -> None:
        """Give up every call and close every connection."""
        dials = list(self._dials)
        for dial in dials:
            dial.cancel()
        await asyncio.gather(*dials, return_exceptions=True)
        for connection in self._connections:
            connection.close()

    def _dial(self, call: Call) -> None:
        call.dial = asyncio.get_running_loop().create_task(
            self._connect(call), name=f"dial {call.endpoint.name}"
        )
        self._dials.add(call.dial)
        call.dial.add_done_callback(self._dials.discard)

    async def _connect(self, call: Call) -> None:
        endpoint = call.endpoint
        seconds = endpoint.timeouts.connect_seconds
        proxy = self._egress.proxy_for(endpoint.scheme, endpoint.host, endpoint.port, endpoint.location)
        reason = Failure(Kind.UNREACHABLE, False, "could not be reached")
        try:
            async with asyncio.timeout(seconds):
                connection = await self._open(endpoint, proxy)
        except (OSError, UnicodeError) as error:
            reason = failure.of_dialling(error, seconds, proxy)
        except Exception:
            logger.exception("dial failed", extra={"endpoint": endpoint.name})
        else:
            connection.start(call)
            return
        call.receiver.on_failure(reason)

    async def _open(self, endpoint: Endpoint, proxy: Proxy | None) -> Connection:
        context = None
        if endpoint.scheme == "https":
            context = await asyncio.to_thread(tls.context, endpoint.ca_pem, self._egress.ca_pem)
        pool = self._pool(endpoint)

        def made() -> Connection:
            free, lost = pool.idle.append, partial(self._lost, pool)
            return Connection(self._deadlines, self._keep_seconds, self._latest, free, lost)

        connect = partial(
            asyncio.get_running_loop().create_connection,
            made,
            ssl=context,
            server_hostname=(endpoint.server_name or endpoint.host) if context else None,
        )
        connection: Connection
        try:
            if proxy is None:
                _, connection = await connect(endpoint.host, endpoint.port)
            else:
                way = await tunnel.opened(proxy, endpoint.host, endpoint.port)
                _, connection = await connect(sock=way)
        except BaseException:
            self._tidy(pool)
            raise
        if connection.is_usable():
            pool.connections.add(connection)
            self._connections.add(connection)
        return connection

    def _pool(self, endpoint: Endpoint) -> "_Pool":
        """The endpoint's pool; one that no longer fits is replaced, and ends with what is under way."""
        pool = self._pools.get(endpoint.name)
        if pool is None or not pool.fits(endpoint):
            if pool is not None:
                pool.close_idle()
            pool = self._pools[endpoint.name] = _Pool(endpoint)
        return pool

    def _lost(self, pool: "_Pool", connection: Connection, call: Call | None) -> None:
        if connection in self._connections:
            self._connections.discard(connection)
            pool.drop(connection)
        self._tidy(pool)
        if call is not None:
            self._dial(call)

    def _tidy(self, pool: "_Pool") -> None:
        """Forget a pool without connections, so that endpoints that went away leave nothing behind."""
        name = pool.endpoint.name
        if not pool.connections and self._pools.get(name) is pool:
            del self._pools[name]


class _Pool:
    """The connections of one endpoint."""

    __slots__ = ("_heard_at", "connections", "endpoint", "idle")

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.idle: list[Connection] = []
        self.connections: set[Connection] = set()
        self._heard_at = -NEVER

    def fits(self, endpoint: Endpoint) -> bool:
        """Whether these connections are ones to this endpoint, which a new table may have brought."""
        if endpoint is not self.endpoint:
            if _identity(endpoint) != _identity(self.endpoint):
                return False
            self.endpoint = endpoint
        return True

    def take(self) -> Connection | None:
        """The connection that was used last, if one still stands."""
        while self.idle:
            connection = self.idle.pop()
            if connection.is_usable():
                return connection
        return None

    def drop(self, connection: Connection) -> None:
        """It is gone; when it was heard of last is kept."""
        self.connections.discard(connection)
        self._heard_at = max(self._heard_at, connection.heard_at)
        if connection in self.idle:
            self.idle.remove(connection)

    def has_heard(self, since: float) -> bool:
        """Whether one of the connections brought anything of a stream since then."""
        return self._heard_at >= since or any(one.heard_at >= since for one in self.connections)

    def close_idle(self) -> None:
        """Keep none of the connections."""
        for connection in self.idle:
            connection.close()


def _identity(endpoint: Endpoint) -> tuple[str | int | None, ...]:
    """What makes a connection one to this endpoint and no other."""
    address = endpoint.scheme, endpoint.host, endpoint.port
    return *address, endpoint.ca_pem, endpoint.server_name, endpoint.location
