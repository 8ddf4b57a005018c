"""One connection to an engine: the framing of HTTP/1.1 answers, one after another.

The parser's callbacks only note what came; the receiver is told after each read, outside the parser, so that
it may cancel, pause or send anew from there. Invariant: bytes are given to the call that was under way when
they arrived, and a connection on which anything came unasked is never used again.
"""

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import cast

import httptools

from steelyard_gateway.deadlines import NEVER, Deadlines
from steelyard_gateway.ports import HeaderLines, Headers
from steelyard_gateway.repeated import LatestHead, Repetition, repetition
from steelyard_gateway.upstream import chunks, failure
from steelyard_gateway.upstream.call import Call
from steelyard_gateway.upstream.failure import Failure

MOST_HEAD_BYTES = 65_536
"""Longest response head, and most framing in a row without a byte of body; ten times what engines send."""

FRAMING_HEADERS = frozenset({b"content-length", b"transfer-encoding"})

OK, OK_LINE = 200, b"HTTP/1.1 200 "
"""The status of answers that come again and again; what begins with another one may be two heads."""

HTTP_1 = frozenset({"1.0", "1.1"})
"""The versions of HTTP that are understood."""

JSON = (b"content-type", b"application/json")
"""The header of answers that come again and again."""

NO_BODY = frozenset({204, 304})
"""Statuses without a body, whatever the headers say (RFC 9112, 6.3)."""


class Connection(asyncio.Protocol):
    """A connection that answers one call at a time."""

    __slots__ = (
        "_announced", "_bare_bytes", "_between", "_broken", "_call", "_deadlines", "_ended", "_flowing",
        "_framed", "_head_bytes", "_headed", "_headers", "_heard_at", "_idle_seconds", "_keep_seconds",
        "_latest", "_lost", "_on_free", "_on_lost", "_parser", "_paused", "_pieces", "_repetition",
        "_reusable", "_status", "_transport", "deadline", "on_body", "reused",
    )  # fmt: skip

    # Of the answer under way:
    _announced: bool
    """The receiver knows the head."""
    _bare_bytes: int
    """Bytes in a row that brought nothing of the body."""
    _between: bool
    """What was read ends with a chunk of a stream's body."""
    _broken: bool
    """Something came that does not belong."""
    _ended: bool
    """The answer is complete."""
    _flowing: bool
    """The receiver has some of the body."""
    _framed: bool
    """The body's end is told by its framing, not by the connection's."""
    _head_bytes: int
    """Bytes that came in reads that began before the head was complete."""
    _headed: bool
    """The final head is complete."""
    _reusable: bool
    """Both sides mean to keep the connection."""

    def __init__(
        self,
        deadlines: Deadlines,
        keep_seconds: float,
        latest: LatestHead,
        on_free: Callable[["Connection"], None],
        on_lost: Callable[["Connection", Call | None], None],
    ) -> None:
        """`on_free` hears that it can take a call; `on_lost` that it is gone, with a call to redial."""
        self.deadline = NEVER
        self.reused = False
        self._deadlines = deadlines
        self._keep_seconds = keep_seconds
        self._latest = latest
        self._on_free = on_free
        self._on_lost = on_lost
        self._call: Call | None = None
        self._lost = self._paused = False
        self._heard_at = -NEVER
        self._repetition: Repetition | None = None
        self._headers = HeaderLines()
        self._head_bytes = 0
        self._pieces: list[bytes] = []
        self.on_body = self._pieces.append
        self._reset()
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)

    def is_usable(self) -> bool:
        """Whether a call can be started on it."""
        return not self._transport.is_closing()

    @property
    def heard_at(self) -> float:
        """When it brought something of a stream last; the deadline of one that flows tells."""
        call = self._call
        if call is None or not call.stream or not self._flowing or self.deadline is NEVER:
            return self._heard_at
        return self.deadline - self._idle_seconds

    def start(self, call: Call) -> None:
        """Send the call's request; its receiver is told what comes of it."""
        call.connection = self
        if self._lost:
            call.receiver.on_failure(failure.RESET)
            return
        self._call = call
        self._reset()
        timeouts = call.endpoint.timeouts
        seconds = timeouts.first_byte_seconds if call.stream else timeouts.total_seconds
        self._idle_seconds = timeouts.idle_seconds
        self.deadline = perf_counter() + seconds
        self._transport.write(call.payload)
        if not self.reused:
            call.payload = b""

    def abandon(self) -> None:
        """Forget the call under way; keep the connection only if the answer is complete."""
        call, self._call = self._call, None
        if call is None:
            return
        call.connection = None
        self._pieces.clear()
        if self._ended:
            self._free()
        else:
            self.close()

    def pause(self) -> None:
        """Read no further; a stream's idle time stands still."""
        if not self._paused and self._call is not None and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()
            if self._call.stream:
                self._heard_at = perf_counter()
                self.deadline = NEVER

    def resume(self) -> None:
        """Read on."""
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()
            if self._call is not None and self._call.stream:
                self.deadline = perf_counter() + self._idle_seconds

    def close(self) -> None:
        """Close at once, whatever is still unsent."""
        self.deadline = NEVER
        self._transport.abort()

    # What the deadlines say

    def on_late(self, now: float) -> None:
        """The phase under way, or the time to be kept idle, is over."""
        call = self._call
        if call is None:
            self.close()
            return
        timeouts = call.endpoint.timeouts
        if not call.stream:
            self._fail(failure.total_late(timeouts.total_seconds))
        elif self._flowing:
            self._fail(failure.idle_late(timeouts.idle_seconds))
        else:
            self._fail(failure.first_byte_late(timeouts.first_byte_seconds))

    # What the transport says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands; if its call is cancelled at this very moment, not for long."""
        self._transport = cast(asyncio.Transport, transport)
        self.deadline = perf_counter() + self._keep_seconds
        self._deadlines.watch(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone; what that means depends on how far the answer came."""
        self._lost = True
        self._deadlines.forget(self)
        self._parser = None
        call, self._call = self._call, None
        if call is None:
            self._on_lost(self, None)
        elif self.reused and not self._head_bytes:
            call.connection = None
            self._on_lost(self, call)
        else:
            self._on_lost(self, None)
            if self._headed and not self._framed and exc is None:
                call.receiver.on_end()
            else:
                call.receiver.on_failure(failure.CUT if self._headed else failure.RESET)

    def data_received(self, data: bytes) -> None:
        """Parse what came, then tell the receiver."""
        call, parser = self._call, self._parser
        if call is None or parser is None:
            self.close()
            return
        if self._between and (start := chunks.content_start(data)):
            self.deadline = perf_counter() + self._idle_seconds
            call.receiver.on_chunk(data, start)
            return
        if not self._head_bytes:
            for known in (self._repetition, self._latest.repetition):
                body = None if known is None else known.body_of(data)
                if body is not None and known is not None:
                    self._repetition = known
                    self._hand_over(call, body, known.headers)
                    return
        if not self._headed:
            self._head_bytes += len(data)
        try:
            parser.feed_data(data)
        except httptools.HttpParserError:
            self._broken = True
        if self._between and not data.endswith(chunks.END):
            self._between = False
        if self._ended or self._announced or (self._headed and not self._broken):
            if self._ended and self._reusable and self._head_bytes == len(data) and data.startswith(OK_LINE):
                self._note(data)
            self._tell(call, len(data))
        elif self._head_bytes > MOST_HEAD_BYTES and not self._headed:
            self._fail(failure.HEAD_TOO_LARGE)
        elif self._broken:
            self._fail(failure.BAD_FRAMING)

    # What the parser says

    def on_message_begin(self) -> None:
        """The first byte of an answer; of a second answer to one request nothing is read."""
        if self._ended:
            raise ValueError("only one answer was asked for")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header line, or a trailer line after the body, which is dropped."""
        if not self._headed:
            name = name.lower()
            if name in FRAMING_HEADERS:
                if name == b"transfer-encoding" and (self._framed or value.lower() != b"chunked"):
                    raise ValueError("only one transfer coding is understood, and it is chunked")
                self._framed = True
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """A head is complete; interim ones are skipped, but nothing was asked to be upgraded."""
        parser = self._parser
        if self._ended or parser is None:
            return
        if parser.get_http_version() not in HTTP_1:
            raise ValueError("another version of HTTP")
        status = parser.get_status_code()
        if status < 200:
            if status < 100 or status == 101:
                raise ValueError("no such answer was asked for")
            return
        if self._head_bytes > MOST_HEAD_BYTES and _size(self._headers) > MOST_HEAD_BYTES:
            raise ValueError("head too large")
        self._status = status
        self._headed = True
        if status in NO_BODY:
            self._framed = True

    def on_chunk_header(self) -> None:
        """A chunk begins."""
        self._between = False

    def on_chunk_complete(self) -> None:
        """A chunk is complete."""
        self._between = self._call is not None and self._call.stream

    def on_message_complete(self) -> None:
        """An answer is complete."""
        if self._headed:
            self._ended = True
            self._reusable = self._parser is not None and self._parser.should_keep_alive()
        else:
            self._headers.clear()
            self._framed = False

    # Telling the receiver

    def _note(self, data: bytes) -> None:
        """Know the head of this answer when it comes again."""
        if JSON in self._headers:
            self._repetition = self._latest.repetition = repetition(data, self._headers)

    def _hand_over(self, call: Call, body: bytes, headers: HeaderLines) -> None:
        """An answer whose head is that of an earlier one, but for the length."""
        self._call = call.connection = None
        call.payload = b""
        self._reusable = True
        self._free()
        call.receiver.on_whole(headers, body)

    def _tell(self, call: Call, read_bytes: int) -> None:
        if not self._announced:
            self._announced = True
            call.payload = b""
            call.receiver.on_head(self._status, self._headers)
            if self._call is not call:
                return
        pieces = self._pieces
        if pieces:
            data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            self._flowing = True
            self._bare_bytes = 0
            if call.stream:
                self.deadline = perf_counter() + self._idle_seconds
            call.receiver.on_data(data)
        else:
            self._bare_bytes += read_bytes
            self._broken |= self._bare_bytes > MOST_HEAD_BYTES
        if self._call is not call:
            return
        if self._ended:
            if call.stream:
                self._heard_at = perf_counter()
            self._call = call.connection = None
            self._free()
            call.receiver.on_end()
        elif self._broken:
            self._fail(failure.BAD_FRAMING)

    def _fail(self, reason: Failure) -> None:
        call, self._call = self._call, None
        self.close()
        if call is not None:
            call.connection = None
            call.receiver.on_failure(reason)

    def _free(self) -> None:
        """The answer is complete: keep the connection if both sides are clean."""
        if self._broken or not self._reusable or self._transport.get_write_buffer_size():
            self.close()
            return
        if self._paused:
            self.resume()
        self.reused = True
        self.deadline = perf_counter() + self._keep_seconds
        self._on_free(self)

    def _reset(self) -> None:
        if self._head_bytes:
            self._headers = HeaderLines()
        self._status = 0
        self._head_bytes = self._bare_bytes = 0
        self._headed = self._announced = self._flowing = self._ended = self._between = False
        self._framed = self._reusable = self._broken = False


def _size(headers: Headers) -> int:
    """Bytes of these header lines."""
    return sum(len(name) + len(value) + 4 for name, value in headers)
