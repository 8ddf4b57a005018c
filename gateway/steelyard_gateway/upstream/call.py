"""One request to an engine, as its sender sees it."""

import asyncio
from typing import TYPE_CHECKING, Protocol

from steelyard.routing.table import Endpoint
from steelyard_gateway.ports import HeaderLines
from steelyard_gateway.upstream.failure import Failure

if TYPE_CHECKING:
    from steelyard_gateway.upstream.connection import Connection


class Receiver(Protocol):
    """Hears what comes of a call; see the rules of the package."""

    def on_head(self, status: int, headers: HeaderLines) -> None:
        """The final status (200 to 999) and its header lines, names in lower case, came in."""
        ...

    def on_data(self, data: bytes) -> None:
        """Bytes of the body, freed of their framing; never empty."""
        ...

    def on_chunk(self, chunk: bytes, start: int) -> None:
        """One whole chunk of a stream with its framing, not the first; its content is chunk[start:-2]."""
        ...

    def on_end(self) -> None:
        """The answer is complete by its own framing."""
        ...

    def on_whole(self, headers: HeaderLines, body: bytes) -> None:
        """All of a 200 in JSON came in one piece, instead of `on_head`, `on_data` and `on_end`.

        The length among the headers may be that of another answer.
        """
        ...

    def on_failure(self, failure: Failure) -> None:
        """There will be no answer, or no more of it."""
        ...


class Call:
    """A request under way. Its owner drops it after `on_end` or `on_failure`."""

    __slots__ = ("connection", "dial", "endpoint", "payload", "receiver", "stream")

    def __init__(self, endpoint: Endpoint, payload: bytes, receiver: Receiver, stream: bool) -> None:
        self.endpoint = endpoint
        self.payload = payload
        self.receiver = receiver
        self.stream = stream
        self.connection: Connection | None = None
        self.dial: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        """Want no more of it: close the connection at once, unless the answer is complete already."""
        if self.connection is not None:
            self.connection.abandon()
        elif self.dial is not None:
            self.dial.cancel()

    def pause(self) -> None:
        """Read no further until `resume`; a stream's idle time stands still meanwhile."""
        if self.connection is not None:
            self.connection.pause()

    def resume(self) -> None:
        """Read on."""
        if self.connection is not None:
            self.connection.resume()
