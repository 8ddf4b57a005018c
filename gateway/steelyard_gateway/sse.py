"""What must be known of a stream of server-sent events to end it well. Events are never changed or kept.

Invariant: what `Events` hands out, joined with what it holds at the end, are the bytes that came in.
"""

import re

MOST_HELD_BYTES = 65_536
"""A longer unfinished event is passed on as it comes, so that memory stays bounded."""

TAIL_BYTES = 128
"""How much of the end is looked at for the closing event."""

_BLANK = (b"\n\n", b"\r\n\r\n", b"\r\r")
_DONE = re.compile(rb"[\r\n]data: ?\[DONE\] *(?:[\r\n]|\Z)")


class Events:
    """A stream on its way: passes whole events and holds back an unfinished one."""

    __slots__ = ("_held", "_tail")

    def __init__(self) -> None:
        self._held = b""
        self._tail = b"\n"

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
        self._look_at(data)
        return data

    def rest(self) -> bytes:
        """What is held back still; for a stream that ended by its framing."""
        rest, self._held = self._held, b""
        self._look_at(rest)
        return rest

    def is_done(self) -> bool:
        """Whether the closing event `data: [DONE]` was among the last that came."""
        return _DONE.search(self._tail) is not None

    def _look_at(self, data: bytes) -> None:
        self._tail = data[-TAIL_BYTES:] if len(data) >= TAIL_BYTES else (self._tail + data)[-TAIL_BYTES:]
