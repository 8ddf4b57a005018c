"""A client's connection: how long it may take, when it is full, how it closes. What it says is `protocol`'s.

Invariant: a client that neither sends nor reads is let go, and one that still reads gets all that is queued.
"""

import asyncio
from dataclasses import dataclass
from time import perf_counter
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from steelyard_gateway.deadlines import NEVER, Deadlines
from steelyard_gateway.ports import Headers


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may take."""

    body_bytes: int = 32 * 1024 * 1024
    """Longest request body."""
    head_seconds: float = 20.0
    """From a request's first byte to the end of its head."""
    body_seconds: float = 60.0
    """Between two pieces of a request's body, and between two looks at whether a client reads its answer."""
    keep_alive_seconds: float = 75.0
    """So long an idle connection is kept, also a new one: ingress-nginx keeps its own for 60."""
    linger_seconds: float = 5.0
    """After a close, the client may go on for so long to send what nobody reads."""


class ClientConnection(HttpToolsProtocol):
    """The part of a client's connection that does not look at what is said."""

    limits: ClassVar[Limits]
    deadlines: ClassVar[Deadlines]

    def __init__(self, **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self.deadline = NEVER
        self._in_head = self._in_body = self._is_deaf = self._is_closing = False
        self._unsent_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected."""
        super().connection_made(transport)
        self.write = transport.write
        self.deadline = perf_counter() + self.limits.keep_alive_seconds
        self.deadlines.watch(self)

    def pause_writing(self) -> None:
        """So much is queued that the client must read some of it in time."""
        super().pause_writing()
        self._unsent_bytes = 0
        self.deadline = perf_counter() + self.limits.body_seconds

    def on_late(self, now: float) -> None:
        """The client was too slow."""
        raise NotImplementedError

    def is_full(self) -> bool:
        """Whether so much is queued for the client that no more should be read for it."""
        return self.flow.write_paused

    def date_lines(self) -> Headers:
        """The headers that uvicorn gives to every answer."""
        return self.server_state.default_headers

    def close(self) -> None:
        """Close after what is queued was sent; a client that still sends is heard out, else it would be reset
        before it has read the answer."""
        self._is_closing = True
        self.deadline = perf_counter() + self.limits.linger_seconds
        is_sending = self._is_deaf or self._in_head or self._in_body
        self._is_deaf = True
        if is_sending and self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def abort(self) -> None:
        """Close at once, so that the client sees an answer broken off."""
        self.transport.abort()

    def _linger(self, now: float) -> None:
        """Wait on while the client reads what was queued for it; else it has left without a word."""
        unsent_bytes = self.transport.get_write_buffer_size()
        if unsent_bytes and unsent_bytes != self._unsent_bytes:
            self._unsent_bytes = unsent_bytes
            self.deadline = now + self.limits.body_seconds
        else:
            self.transport.abort()
