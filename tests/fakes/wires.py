"""Both halves of the request path without a network: a wire, and an engine's connection on it."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from fakes import gateways
from steelyard_gateway.deadlines import Deadlines, Watched
from steelyard_gateway.ports import Headers
from steelyard_gateway.repeated import LatestHead
from steelyard_gateway.upstream.call import Call
from steelyard_gateway.upstream.connection import Connection
from steelyard_gateway.upstream.failure import BAD_FRAMING, Failure


class Timeless(Deadlines):
    """Deadlines that never pass."""

    def watch(self, item: Watched) -> None: ...


class Wire(asyncio.Transport):
    """A transport whose peer reads everything; it remembers whether it is read from, and was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = self.is_paused = False

    def write(self, data: bytes | bytearray | memoryview) -> None: ...

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def get_write_buffer_size(self) -> int:
        return 0

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


class Read(NamedTuple):
    """What was read in some bytes; status 0: no answer, or not all of one."""

    status: int = 0
    body: bytes = b""
    keeps: bool = False
    """Whether another request may be sent."""


class Ear:
    """Keeps what is said of one call, and checks that it is said in order."""

    def __init__(self, cancels_at: str = "") -> None:
        self.status = 0
        self.body = b""
        self.ends: list[Failure | None] = []
        self.chunks = 0
        """Chunks that came with their framing."""
        self.call = Call(gateways.endpoint(1), b"request", self, True)
        self._cancels_at = cancels_at

    def on_head(self, status: int, headers: Headers) -> None:
        assert not self.status and not self.ends
        assert status >= 200
        self.status = status
        self._cancel_at("head")

    def on_data(self, data: bytes) -> None:
        assert self.status and data and not self.ends
        self.body += data
        self._cancel_at("data")

    def on_end(self) -> None:
        assert self.status and not self.ends
        self.ends.append(None)

    def on_chunk(self, chunk: bytes, start: int) -> None:
        """The content of a chunk of a stream."""
        self.chunks += 1
        self.on_data(chunk[start:-2])

    def on_whole(self, headers: Headers, body: bytes) -> None:
        assert not self.status and not self.ends
        self.status, self.body = 200, body
        self.ends.append(None)

    def on_failure(self, failure: Failure) -> None:
        assert not self.ends
        self.ends.append(failure)

    def _cancel_at(self, place: str) -> None:
        if self._cancels_at == place:
            self.call.cancel()
            self.ends.append(BAD_FRAMING)


class Line:
    """One connection to an engine."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.redialled: list[Call] = []
        self._free = True
        self.connection = Connection(Timeless(), 4.0, LatestHead(), self._freed, self._lost)
        self.connection.connection_made(self.wire)

    @property
    def is_free(self) -> bool:
        """Whether another call can be started."""
        return self._free and not self.wire.closed

    def ask(self, ear: Ear | None = None) -> Ear:
        """Start a call."""
        ear = ear or Ear()
        self.start(ear.call)
        return ear

    def start(self, call: Call) -> None:
        """Start this call."""
        self._free = False
        self.connection.start(call)

    def hear(self, pieces: Sequence[bytes]) -> None:
        """The engine sends these, as long as it is listened to."""
        for piece in pieces:
            if not self.wire.closed:
                self.connection.data_received(piece)

    def end(self) -> None:
        """The engine closes."""
        self.wire.closed = True
        self.connection.connection_lost(None)

    def read(self, pieces: Sequence[bytes], ear: Ear | None = None) -> Read:
        """What is read as the answer to one call; the engine closes where it is not complete."""
        ear = self.ask(ear)
        self.hear(pieces)
        if not ear.ends:
            self.end()
        if self.redialled:
            assert self.redialled == [ear.call] and not ear.status and not any(pieces)
            return Read()
        assert len(ear.ends) == 1, "a call that neither ended nor failed"
        return Read() if ear.ends[0] is not None else Read(ear.status, ear.body, self.is_free)

    def _freed(self, _: Connection) -> None:
        self._free = True

    def _lost(self, _: Connection, call: Call | None) -> None:
        if call is not None:
            self.redialled.append(call)
