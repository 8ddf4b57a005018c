"""A stream of server-sent events on its way: what must be known of it, and the edits that were asked for.

Rule 1. Without edits, what `Events` hands out, joined with what it holds at the end, are the bytes that came.
Rule 2. An edit sees whole events only, each once; how the stream was cut on its way makes no difference.
Rule 3. Nothing is kept but an unfinished event, the last piece, and the last piece that tells of usage.
"""

import re
from collections.abc import Callable

import msgspec

MOST_HELD_BYTES = 65_536
"""A longer unfinished event is passed on as it comes, so that memory stays bounded."""

TAIL_BYTES = 128
"""How much of the end is looked at for the closing event."""

USAGE = b'"usage":'
"""A member of that name; within a string its quotes would be escaped."""

WAITING = b": waiting\n\n"
"""A comment for clients and proxies that take silence for the end; clients skip it."""

DATA = re.compile(rb"(?:\A|[\r\n])data: ?([^\r\n]*)")
"""What an event says, where it says it in one line."""

NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding may raise: also for what is nested too deeply."""

Edit = Callable[[bytes], bytes]
"""Changes whole events."""

_BLANK = (b"\n\n", b"\r\n\r\n", b"\r\r")
_CHUNK_END = tuple(blank + b"\r\n" for blank in _BLANK)
_BLANK_LINE = re.compile(rb"(\r\n\r\n|\n\n|\r\r)")
_DONE = re.compile(rb"[\r\n]data: ?\[DONE\] *(?:[\r\n]|\Z)")


class Events:
    """A stream on its way: passes whole events, edited, and holds back an unfinished one."""

    __slots__ = ("_edits", "_held", "_is_signed", "_last", "number", "told")

    def __init__(self, edits: tuple[Edit, ...] = (), *, is_signed: bool = False) -> None:
        """`is_signed`: there is an edit that must see every event, not only those that tell of usage."""
        self.number = 0
        """Events so far, about: those that carry data."""
        self.told = b""
        """The last piece in which the engine told of usage; empty: none did."""
        self._edits = edits
        self._is_signed = is_signed
        self._held = b""
        self._last = b"\n"

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
        self._last = chunk if len(chunk) > TAIL_BYTES else self._last[-TAIL_BYTES:] + chunk
        return True

    def rest(self) -> bytes:
        """What is held back still; for a stream that ended by its framing."""
        rest, self._held = self._held, b""
        return self._pass(rest) if rest else rest

    def is_done(self) -> bool:
        """Whether the closing event `data: [DONE]` was among the last that came."""
        return _DONE.search(self._last, max(0, len(self._last) - TAIL_BYTES)) is not None

    def _pass(self, data: bytes) -> bytes:
        if USAGE in data:
            self.told = data
        self.number += data.count(b"data:")
        self._last = data if len(data) > TAIL_BYTES else self._last[-TAIL_BYTES:] + data
        for edit in self._edits:
            data = edit(data)
        return data


def split(data: bytes) -> list[bytes]:
    """Events and the blank lines that end them, in turn; the last is an unfinished event, or empty."""
    return _BLANK_LINE.split(data)


def error(answer: bytes) -> bytes | None:
    """An engine's error as an event, for a stream whose head was sent already; None: it is no JSON."""
    try:
        return b"data: %b\n\n" % msgspec.json.format(answer, indent=-1)
    except NOT_JSON:
        return None
