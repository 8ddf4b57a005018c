"""RunningGateway: the request path in front of any endpoints, with a router that always decides the same.

Only the request path is real here: the router, the endpoints' ledger and the recorder are named fakes.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic, perf_counter
from typing import Any, NamedTuple, Self

import msgspec
import uvicorn
import uvloop
from uvicorn.server import ServerState

from fakes.ledgers import LedgerEndpoints, LedgerRecorder
from steelyard.api.backend import Location, Timeouts
from steelyard.egress.proxies import DIRECT, Egress
from steelyard.routing.decision import Attempt, AttemptWalk, Decision
from steelyard.routing.table import Candidate, Endpoint, Price
from steelyard_gateway import draining, protocol
from steelyard_gateway.admission import Admission
from steelyard_gateway.budget import RetryBudget
from steelyard_gateway.client_connection import Limits
from steelyard_gateway.deadlines import Deadlines
from steelyard_gateway.parts import Gateway
from steelyard_gateway.ports import Headers, Reply, Routed
from steelyard_gateway.shares import Fleet
from steelyard_gateway.upstream.client import Client
from steelyard_gateway.warmth import Warmth

SECONDS = 10.0
"""Nothing in a test takes longer, unless it hangs."""

_PHASES: dict[str, Any] = dict.fromkeys(Timeouts.model_fields, 0.3)

SHORT = Timeouts.model_construct(**_PHASES)
"""Timeouts for tests that wait for one."""


def _is_full(connection: object) -> bool:
    return isinstance(connection, protocol.GatewayProtocol) and connection.is_full()


def endpoint(port: int, backend: str = "engine", timeouts: Timeouts | None = None, **more: Any) -> Endpoint:
    """An endpoint on loopback."""
    host = more.pop("host", "127.0.0.1")
    return Endpoint(
        name=f"{backend}@{host}:{port}",
        backend=backend,
        scheme=more.pop("scheme", "http"),
        host=host,
        port=port,
        base_path=more.pop("base_path", "/v1"),
        timeouts=timeouts or Timeouts(),
        **more,
    )


def candidate(place: Endpoint, model: str = "tiny", **more: Any) -> Candidate:
    """A pair of a model and the backend of this endpoint."""
    return Candidate(model, place.backend, (), {}, Location.LOCAL, (place,), Price(None, None), {}, **more)


class _Asked(msgspec.Struct):
    model: str
    stream: bool = False


class FixedRouter:
    """Sends every request to the same candidates in the same order."""

    def __init__(self, candidates: Sequence[Candidate], max_attempts: int = 3) -> None:
        self.seen: list[tuple[bytes, str, Headers, bytes]] = []
        self.replies: dict[str, Reply] = {}
        self.fields: dict[str, Any] = {}
        self.decision = _decision(candidates, max_attempts) if candidates else None

    def decide_for(self, place: Endpoint) -> None:
        """From now on, send every request there."""
        self.decision = _decision([candidate(place)], 1)

    def route(self, method: bytes, path: str, headers: Headers, body: bytes) -> Routed | Reply:
        """The same decision for everything that is not set in `replies`, with `fields` besides."""
        self.seen.append((method, path, headers, body))
        reply = self.replies.get(path)
        if reply is not None:
            return reply
        assert self.decision is not None
        asked = msgspec.json.decode(body, type=_Asked)
        value = msgspec.json.encode(asked.model)
        start = body.index(value)
        return Routed(
            decision=self.decision,
            walk=AttemptWalk(self.decision),
            path=path.removeprefix("/v1"),
            stream=asked.stream,
            body=body,
            model_span=(start, start + len(value)),
            **self.fields,
        )


def _decision(candidates: Sequence[Candidate], max_attempts: int) -> Decision:
    return Decision(
        model="asked",
        policy=None,
        goal=None,
        tolerance_percent=0,
        distribution=(),
        category=None,
        level=None,
        attempts=tuple(Attempt(one, place) for one in candidates for place in one.endpoints),
        max_attempts=max_attempts,
    )


class Answer(NamedTuple):
    """What a client got."""

    status: int
    headers: dict[str, str]
    body: bytes

    def error(self) -> dict[str, Any]:
        """The error in OpenAI's shape."""
        error: dict[str, Any] = msgspec.json.decode(self.body)["error"]
        assert set(error) == {"message", "type", "code", "param"}
        return error


class Line:
    """A client's connection of raw bytes, and what came over it and was not read yet."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        self._came = b""

    def send(self, data: bytes) -> Self:
        self.socket.sendall(data)
        return self

    def post(
        self, body: bytes = b'{"model":"asked"}', path: str = "/v1/chat/completions", headers: str = ""
    ) -> Self:
        """Send a request with a length."""
        return self.send(post(body, path, headers))

    def wait_for(self, mark: bytes) -> None:
        """Wait until these bytes are there to be read."""
        while mark not in self._came:
            assert self._receive(), f"closed before {mark!r}"

    def read(self, method: str = "POST") -> Answer:
        """The next answer; interim ones are skipped."""
        first, *lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        status = int(first.split(" ")[1])
        if status < 200:
            return self.read(method)
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        if method == "HEAD" or status == 204:
            body = b""
        elif "transfer-encoding" in headers:
            body = b"".join(iter(self._chunk, b""))
        else:
            body = self._exactly(int(headers["content-length"]))
        return Answer(status, headers, body)

    def read_to_end(self) -> bytes:
        """Everything until the gateway closes."""
        while self._receive():
            pass
        came, self._came = self._came, b""
        return came

    def receive_at_least(self, length: int) -> None:
        """Take so many bytes more, for `read`."""
        end = len(self._came) + length
        while len(self._came) < end and self._receive():
            pass

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _receive(self) -> bool:
        piece = self.socket.recv(1_048_576)
        self._came += piece
        return piece != b""

    def _until(self, mark: bytes) -> bytes:
        self.wait_for(mark)
        read, _, self._came = self._came.partition(mark)
        return read

    def _exactly(self, length: int) -> bytes:
        while len(self._came) < length:
            assert self._receive(), f"closed after {len(self._came)} of {length} bytes"
        read, self._came = self._came[:length], self._came[length:]
        return read

    def _chunk(self) -> bytes:
        data = self._exactly(int(self._until(b"\r\n"), 16))
        assert self._exactly(2) == b"\r\n"
        return data


def post(body: bytes = b'{"model":"asked"}', path: str = "/v1/chat/completions", headers: str = "") -> bytes:
    """A request with a length."""
    return (
        f"POST {path} HTTP/1.1\r\nhost: gateway\r\n{headers}content-length: {len(body)}\r\n\r\n".encode()
        + body
    )


class RunningGateway:
    """A gateway in a thread of its own."""

    def __init__(
        self, router: FixedRouter, limits: Limits, keep_seconds: float = 4.0, egress: Egress = DIRECT
    ) -> None:
        self.router = router
        self.endpoints = LedgerEndpoints()
        self.recorder = LedgerRecorder()
        self._limits = limits
        self._keep_seconds = keep_seconds
        self._egress = egress
        self._ready = Event()
        self._thread = Thread(target=self._run, name="gateway", daemon=True)
        self._thread.start()
        assert self._ready.wait(SECONDS)

    def line(self) -> Line:
        """A new connection to it."""
        return Line(self.port)

    def ask(
        self, body: bytes = b'{"model":"asked"}', path: str = "/v1/chat/completions", headers: str = ""
    ) -> Answer:
        """The answer to one request on a connection of its own."""
        with self.line() as line:
            return line.post(body, path, headers).read()

    def wait_for_start(self) -> None:
        """Wait until an attempt is under way."""
        self._poll(lambda: +self.endpoints.flights != Counter())

    def wait_for_queue(self, number: int) -> None:
        """Wait until so many requests wait for a slot."""
        self._poll(lambda: self.admission.waiting().total() == number)

    def do(self, step: Callable[[], None]) -> None:
        """Take this step where the gateway runs."""
        done = Event()
        self._loop.call_soon_threadsafe(step)
        self._loop.call_soon_threadsafe(done.set)
        assert done.wait(SECONDS)

    def wait_until_full(self) -> None:
        """Wait until a client's queue is full."""
        self._poll(lambda: any(_is_full(one) for one in list(self._state.connections)))

    def idle_seconds_left(self) -> float:
        """How long the only connection will be kept from now on without a request."""
        (connection,) = self._state.connections
        assert isinstance(connection, protocol.GatewayProtocol)
        return connection.deadline - perf_counter()

    def wait_for_no_connection(self) -> None:
        """Wait until no client is connected any more."""
        self._poll(lambda: not self._state.connections)

    def wait_for_connections(self, number: int) -> None:
        """Wait until so many clients are connected and what they sent was read."""
        self._poll(lambda: len(self._state.connections) >= number)
        done = Event()
        self._loop.call_soon_threadsafe(self._loop.call_later, 0.02, done.set)
        assert done.wait(SECONDS)

    def _poll(self, condition: Callable[[], bool]) -> None:
        end = monotonic() + SECONDS
        while not condition():
            assert monotonic() < end
            Event().wait(0.005)

    def shut_down(self) -> None:
        """Do to each connection what is done on SIGTERM, without a grace time."""

        def begin() -> None:
            draining.begin(self._made, 0.0)
            for one in list(self._state.connections):
                one.shutdown()

        self._loop.call_soon_threadsafe(begin)

    def stop(self) -> None:
        """Stop at once, and drop every connection."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        uvloop.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        deadlines = Deadlines()
        client = Client(deadlines, self._keep_seconds, self._egress)
        self.warmth = Warmth(perf_counter)
        self.admission = Admission(deadlines, perf_counter, Fleet(), self.warmth)
        gateway = Gateway(
            self.router, self.endpoints, self.recorder, client, self.admission, deadlines, RetryBudget()
        )
        self._made = made = protocol.protocol_class(gateway, deadlines, self._limits)
        config = uvicorn.Config(page, ws="none", lifespan="off", log_config=None, access_log=False)
        config.load()
        self._state = ServerState()
        self._state.default_headers = [(b"date", b"Sat, 21 Nov 2026 12:00:00 GMT")]
        server = await self._loop.create_server(
            lambda: made(config=config, server_state=self._state, app_state={}), "127.0.0.1", 0
        )
        self.port: int = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopping.wait()
        server.close()
        for connection in list(self._state.connections):
            connection.transport.abort()
        await client.aclose()
        await server.wait_closed()


async def page(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Stands for the pages that people read: tells its path and the body's length."""
    length, more = 0, True
    while more:
        message = await receive()
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = f"asgi {scope['path']} {length}".encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]}
    )
    await send({"type": "http.response.body", "body": body})


@contextmanager
def gateway(
    *endpoints: Endpoint,
    max_attempts: int = 3,
    limits: Limits | None = None,
    keep_seconds: float = 4.0,
    egress: Egress = DIRECT,
) -> Iterator[RunningGateway]:
    """A gateway that tries these endpoints in this order; every request ends where it started."""
    router = FixedRouter([candidate(place) for place in endpoints], max_attempts)
    running = RunningGateway(router, limits or Limits(), keep_seconds, egress)
    try:
        yield running
    finally:
        running.stop()
    assert +running.endpoints.flights == Counter()
