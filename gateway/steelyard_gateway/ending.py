"""How an exchange ends when the gateway does: as the last of its connection, or before its time.

Invariant: a client that reads is told: by `connection: close`, an error or an error event, not by silence.
"""

from steelyard_gateway import errors
from steelyard_gateway.queueing import Queueing

WORDS = "The gateway is shutting down: send the request again."


class Ending(Queueing):
    """An exchange that can be made the last, and cut short."""

    def be_last(self) -> None:
        """Close the connection after this answer, and say so, unless its head is sent already."""
        if self._first_byte_at is None and not self._has_head:
            self.keep_alive = False

    def cut_short(self) -> None:
        """End the answer now: an error, or an error event where it has begun."""
        if self.response_complete:
            return
        self._want_nothing()
        self.keep_alive = False
        if self._first_byte_at is None:
            self._passed = None
            self._detail = "the gateway was shut down"
            self._answer(errors.NoUpstream(WORDS).reply())
        else:
            self._cut(errors.StreamCut(WORDS), b"" if self._events is None else self._events.rest())
            self._finish(errors.StreamCut.code)
