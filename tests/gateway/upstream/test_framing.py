"""Random answers in random pieces, right and wrong, read by the client and by h11: they must agree."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

import h11
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fakes import gateways
from steelyard_gateway.deadlines import Deadlines
from steelyard_gateway.ports import Headers
from steelyard_gateway.upstream.call import Call
from steelyard_gateway.upstream.connection import Connection
from steelyard_gateway.upstream.failure import Failure

ENDPOINT = gateways.endpoint(1)
Result = tuple[int, bytes] | None
"""Status and body, or None for a failure."""

STRICTER = ("illegal status line", "no response line received", "illegal request line")
"""h11 refuses empty lines before an answer and control bytes in the reason, which goes nowhere with us."""


class Wire(asyncio.Transport):
    """A transport that only remembers whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None: ...

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return 0


class Ear:
    """Keeps what the client says of one call, and checks that it says it in order."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self.ends: list[Failure | None] = []

    @property
    def result(self) -> Result:
        assert len(self.ends) == 1, "a call that neither ended nor failed, or did so twice"
        return None if self.ends[0] is not None else (self.status, self.body)

    def on_head(self, status: int, headers: Headers) -> None:
        assert not self.status and not self.ends
        self.status = status

    def on_data(self, data: bytes) -> None:
        assert self.status and data and not self.ends
        self.body += data

    def on_end(self) -> None:
        assert self.status
        self.ends.append(None)

    def on_failure(self, failure: Failure) -> None:
        self.ends.append(failure)


class Client:
    """One connection of the client, without a network."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.free = False
        self.connection = Connection(Deadlines(), 4.0, self._freed, lambda *_: None)
        self.connection.connection_made(self.wire)

    def ask(self) -> Ear:
        ear = Ear()
        self.free = False
        self.connection.start(Call(ENDPOINT, b"request", ear, False))
        return ear

    def hear(self, pieces: Sequence[bytes]) -> None:
        for piece in pieces:
            if not self.wire.closed:
                self.connection.data_received(piece)

    def end(self) -> None:
        self.connection.connection_lost(None)

    def _freed(self, _: Connection) -> None:
        self.free = True


def by_h11(pieces: Sequence[bytes]) -> Result:
    """What h11 reads in the same bytes."""
    peer = h11.Connection(h11.CLIENT, max_incomplete_event_size=1_000_000)
    peer.send(h11.Request(method="POST", target="/", headers=[("host", "x")]))
    peer.send(h11.EndOfMessage())
    status, body = 0, b""
    try:
        for piece in (*pieces, b""):
            if piece or peer.their_state is not h11.DONE:
                peer.receive_data(piece)
            while True:
                event = peer.next_event()
                if isinstance(event, h11.Response):
                    status = event.status_code
                elif isinstance(event, h11.Data):
                    body += event.data
                elif isinstance(event, h11.EndOfMessage):
                    return status, body
                elif not isinstance(event, h11.InformationalResponse):
                    break
    except h11.RemoteProtocolError as error:
        if str(error).startswith(STRICTER):
            raise StricterError from error
    return None


class StricterError(Exception):
    """h11 refused what we knowingly take."""


def by_us(pieces: Sequence[bytes]) -> Result:
    """What the client reads in them."""

    async def read() -> Result:
        client = Client()
        ear = client.ask()
        client.hear(pieces)
        if not ear.ends:
            client.end()
        return ear.result

    return asyncio.run(read())


TOKENS = st.text("abcdefgXYZ-_!1", min_size=1, max_size=8).map(lambda name: f"x-{name}".encode())
VALUES = st.text('abc XYZ:;,="/é\t', max_size=20).map(lambda value: value.strip().encode("latin-1"))
LINES = st.lists(st.tuples(TOKENS, VALUES), max_size=4).map(
    lambda lines: b"".join(b"%b: %b\r\n" % line for line in lines)
)
BODIES = st.binary(max_size=300) | st.sampled_from([b"0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"\r\n"])
INTERIM = st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\n"])


@st.composite
def chunked(draw: st.DrawFn, body: bytes) -> bytes:
    """The body in chunks, with extensions and trailers."""
    borders = sorted(draw(st.lists(st.integers(0, len(body)), max_size=4)))
    parts = [body[start:end] for start, end in zip((0, *borders), (*borders, len(body)), strict=True)]
    extension = draw(st.sampled_from([b"", b";a=b", b";a"]))
    form = draw(st.sampled_from([b"%x", b"%X", b"000%x"]))
    written = b"".join(form % len(part) + extension + b"\r\n" + part + b"\r\n" for part in parts if part)
    return written + b"0\r\n" + draw(st.sampled_from([b"", b"x-trailer: t\r\n"])) + b"\r\n"


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """A valid answer."""
    status = draw(st.sampled_from([200, 200, 201, 204, 304, 400, 404, 500, 503]))
    head = draw(INTERIM) + b"HTTP/1.1 %d %b\r\n" % (status, draw(st.sampled_from([b"OK", b"", b"So so"])))
    head += draw(LINES)
    body = draw(BODIES)
    framing = draw(st.sampled_from(["length", "chunked", "close"]))
    if status in (204, 304):
        return head + (b"content-length: 7\r\n" if draw(st.booleans()) and status == 304 else b"") + b"\r\n"
    if framing == "length":
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    if framing == "chunked":
        return head + b"Transfer-Encoding: Chunked\r\n\r\n" + draw(chunked(body))
    return head + b"connection: close\r\n\r\n" + body


@st.composite
def in_pieces(draw: st.DrawFn, source: st.SearchStrategy[bytes]) -> list[bytes]:
    """Bytes cut at random places, sometimes at every one."""
    data = draw(source)
    if draw(st.integers(0, 5)) == 0:
        return [data[start : start + 1] for start in range(len(data))]
    borders = sorted(draw(st.sets(st.integers(1, max(1, len(data) - 1)), max_size=6)))
    return [data[start:end] for start, end in zip((0, *borders), (*borders, len(data)), strict=True)]


POISON = st.sampled_from(
    [b"\r\n", b"\n", b"\0", b" ", b"\r", b":", b"0", b"-1", b"ffffffffffffffff", b"content-length: 5\r\n",
     b"transfer-encoding: chunked\r\n", b"transfer-encoding: gzip\r\n", b"content-length: 6\r\n", b"\r\n\r\n",
     b" folded\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200 OK\r\n", b"connection: close\r\n"]
)  # fmt: skip


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """An answer with something cut out, put in, repeated or replaced."""
    data = draw(answers())
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 12)))
        match draw(st.integers(0, 3)):
            case 0:
                data = data[:start] + data[end:]
            case 1:
                data = data[:start] + draw(POISON) + data[start:]
            case 2:
                data = data[:end] + data[start:]
            case _:
                data = data[:start] + draw(st.binary(max_size=3)) + data[end:]
    return data


@settings(max_examples=400, deadline=None)
@given(in_pieces(answers()))
def test_every_valid_answer_is_read_as_h11_reads_it(pieces: list[bytes]) -> None:
    read = by_us(pieces)

    assert read is not None
    assert read == by_h11(pieces)


@settings(max_examples=800, deadline=None)
@given(in_pieces(spoilt()))
@example([b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"])
@example([b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"])
def test_a_spoilt_answer_fails_or_is_read_as_h11_reads_it(pieces: list[bytes]) -> None:
    read = by_us(pieces)

    with suppress(StricterError):
        assert read is None or read == by_h11(pieces)


@settings(max_examples=300, deadline=None)
@given(in_pieces(answers()), st.binary(max_size=40), in_pieces(answers()))
def test_no_request_gets_what_came_before_it_was_sent(
    first: list[bytes], surplus: bytes, second: list[bytes]
) -> None:
    async def read() -> tuple[bool, Result, Result]:
        client = Client()
        client.ask()
        client.hear([*first[:-1], first[-1] + surplus])
        if not client.free:
            return False, None, None
        client.connection.reused = False
        ear = client.ask()
        client.hear(second)
        if not ear.ends:
            client.end()
        return True, ear.result, by_h11(second)

    was_kept, ours, theirs = asyncio.run(read())
    assert ours == theirs
    assert not (was_kept and surplus.strip(b"\r\n"))


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


def test_bytes_that_nobody_asked_for_close_a_kept_connection() -> None:
    async def work() -> None:
        client = Client()
        ear = client.ask()
        client.hear([b"HTTP/1.1 204 No\r\n\r\n"])
        assert (ear.result, client.free, client.wire.closed) == ((204, b""), True, False)
        client.hear([b"HTTP/1.1 408 Late\r\n\r\n"])
        assert client.wire.closed

    run(work)


def test_a_connection_that_the_engine_will_close_is_not_kept() -> None:
    async def work() -> None:
        client = Client()
        ear = client.ask()
        client.hear([b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"])
        assert (ear.result, client.free, client.wire.closed) == ((200, b"ok"), False, True)

    run(work)
