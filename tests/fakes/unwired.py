"""The whole request path without a network: a client's connection, an exchange, an engine's connection.

For tests of thousands of ways to cut one answer; what a socket does is for those over sockets.
"""

import asyncio
from collections.abc import Sequence
from typing import cast

import uvicorn
from uvicorn.server import ServerState

from fakes import gateways, ledgers
from fakes.wires import Line, Timeless, Wire
from steelyard.routing.table import Endpoint
from steelyard_gateway.admission import Admission
from steelyard_gateway.budget import RetryBudget
from steelyard_gateway.client_connection import Limits
from steelyard_gateway.parts import Gateway
from steelyard_gateway.protocol import GatewayProtocol, protocol_class
from steelyard_gateway.upstream.call import Call, Receiver
from steelyard_gateway.upstream.client import Client

_CONFIG = uvicorn.Config(gateways.page, ws="none", lifespan="off", log_config=None)
_CONFIG.load()


class HeardWire(Wire):
    """A client's wire, and what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.given.append(bytes(data))


class OneLine:
    """A client that has one connection to its engine, and makes a new one when that is not kept."""

    def __init__(self) -> None:
        self.line = Line()

    def send(self, endpoint: Endpoint, payload: bytes, receiver: Receiver, *, stream: bool) -> Call:
        if not self.line.is_free:
            self.line = Line()
        call = Call(endpoint, payload, receiver, stream)
        self.line.start(call)
        return call


class Unwired:
    """A gateway with one client and one engine."""

    def __init__(self, router: gateways.FixedRouter | None = None, max_attempts: int = 1) -> None:
        self.router = router or gateways.FixedRouter([gateways.candidate(gateways.endpoint(1))], max_attempts)
        self.endpoints = ledgers.LedgerEndpoints()
        self.recorder = ledgers.LedgerRecorder()
        self.upstream = OneLine()
        deadlines = Timeless()
        gateway = Gateway(
            self.router,
            self.endpoints,
            self.recorder,
            cast(Client, self.upstream),
            cast(Admission, None),
            deadlines,
            RetryBudget(),
        )
        self._class = protocol_class(gateway, deadlines, Limits())
        self._loop = asyncio.new_event_loop()
        self._is_left = False
        self.wire, self.connection = self._connected()

    def close(self) -> None:
        """End it."""
        self.hang_up()
        pages = asyncio.all_tasks(self._loop)
        for page in pages:
            page.cancel()
        if pages:
            self._loop.run_until_complete(asyncio.wait(pages))
        self._loop.close()

    def hang_up(self) -> None:
        """The client leaves."""
        if not self._is_left:
            self._is_left = True
            self.connection.connection_lost(None)

    def ask(self, request: bytes) -> None:
        """The client asks, on a new connection where the last was closed."""
        if self.wire.closed:
            self.hang_up()
            self.wire, self.connection = self._connected()
        self.connection.data_received(request)

    def exchange(self, request: bytes, pieces: Sequence[bytes], *, ends: bool = False) -> bytes:
        """What the client gets when the engine answers with these pieces, and closes if it `ends` there."""
        self.wire.given.clear()
        self.ask(request)
        line = self.upstream.line
        line.hear(pieces)
        if ends:
            line.end()
        return b"".join(self.wire.given)

    def _connected(self) -> tuple[HeardWire, GatewayProtocol]:
        self._is_left, wire = False, HeardWire()
        connection = self._class(config=_CONFIG, server_state=ServerState(), app_state={}, _loop=self._loop)
        connection.connection_made(wire)
        return wire, connection


def taken_apart(answer: bytes) -> gateways.Answer:
    """An answer as a client reads it; one that breaks off has the status 0."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    status = int(first.split(" ")[1])
    if "transfer-encoding" not in headers:
        assert len(rest) == int(headers["content-length"])
        return gateways.Answer(status, headers, rest)
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        assert rest[length : length + 2] == b"\r\n"
        if not length:
            return gateways.Answer(status, headers, body)
        body, rest = body + rest[:length], rest[length + 2 :]
    return gateways.Answer(0, headers, body)
