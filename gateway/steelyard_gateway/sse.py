"""A stream of server-sent events on its way: what must be known of it, and the edits that were asked for.

Rule 1. Without edits, what `Events` hands out, joined with what it holds at the end, are the bytes that came.
Rule 2. An edit sees whole events only, each once; how the stream was cut on its way makes no difference.
Rule 3. Nothing is kept but an unfinished event, the last piece, and the last piece that tells of usage.
"""

import re
from collections.abc import Callable

from steelyard_gateway.shapes import PLAIN, Shape

MOST_HELD_BYTES = 65_536
"""A longer unfinished event is passed on as it comes, so that memory stays bounded."""

USAGE = b'"usage":'
"""A member of that name; within a string its quotes would be escaped."""

WAITING = b": waiting\n\n"
"""A comment for clients and proxies that take silence for the end; clients skip it."""

DATA = re.compile(rb"(?:\A|[\r\n])data: ?([^\r\n]*)")
"""What an event says, where it says it in one line."""

Edit = Callable[[bytes], bytes]
"""Changes whole events."""

_BLANK = (b"\n\n", b"\r\n\r\n", b"\r\r")
_CHUNK_END = tuple(blank + b"\r\n" for blank in _BLANK)
_BLANK_LINE = re.compile(rb"(\r\n\r\n|\n\n|\r\r)")


class Events:
    """A stream on its way: passes whole events, edited, and holds back an unfinished one."""

    __slots__ = ("_closing", "_edits", "_held", "_is_signed", "_mark", "lacks_end", "number", "told")

    def __init__(
        self, edits: tuple[Edit, ...] = (), *, is_signed: bool = False, shape: Shape = PLAIN
    ) -> None:
        """`is_signed`: there is an edit that must see every event, not only those that tell of usage."""
        self.lacks_end = shape.closing is not None
        """Whether the event is still to come that ends such a stream."""
        self.number = 0
        """Events so far, about: those that carry data."""
        self.told = b""
        """The last piece in which the engine told of usage; empty: none did."""
        self._edits = edits
        self._is_signed = is_signed
        self._held = b""
        self._mark, self._closing = shape.mark, shape.closing

    def whole(self, data: bytes) -> bytes:
        """The events that are complete with this piece; empty where none is."""
        if self._held:
            data = self._held + data
            self._held = b""
        if not data.endswith(_BLANK):
            border = max((data.rfind(blank) + len(blank) for blank in _BLANK if blank in data), default=0)
            if border:
                self._held = data[border:]
                data = data[:border]
            elif len(data) <= MOST_HELD_BYTES:
                self._held = data
                return b""
        return self._pass(data)

    def takes(self, chunk: bytes) -> bool:
        """Whether this chunk of the body, with its framing, may pass as it is: whole events without edits."""
        if self._held or self._is_signed or USAGE in chunk or not chunk.endswith(_CHUNK_END):
            return False
        self.number += chunk.count(b"data:")
        if self._mark in chunk:
            self._look_for_end(chunk)
        return True

    def rest(self) -> bytes:
        """What is held back still; for a stream that ended by its framing."""
        rest, self._held = self._held, b""
        return self._pass(rest) if rest else rest

    def _pass(self, data: bytes) -> bytes:
        if USAGE in data:
            self.told = data
        self.number += data.count(b"data:")
        if self._mark in data:
            self._look_for_end(data)
        for edit in self._edits:
            data = edit(data)
        return data

    def _look_for_end(self, data: bytes) -> None:
        if self.lacks_end and self._closing is not None and self._closing.search(data):
            self.lacks_end = False


def split(data: bytes) -> list[bytes]:
    """Events and the blank lines that end them, in turn; the last is an unfinished event, or empty."""
    return _BLANK_LINE.split(data)
