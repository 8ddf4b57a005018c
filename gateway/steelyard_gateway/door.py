"""The client's connection, as an exchange uses it."""

from typing import Protocol

from steelyard_gateway.ports import Headers


class Door(Protocol):
    """Takes an answer and tells when it is full."""

    def write(self, data: bytes) -> None:
        """Send these bytes, or queue them."""
        ...

    def is_full(self) -> bool:
        """Whether so much is queued that no more should be read for it."""
        ...

    def date_lines(self) -> Headers:
        """Headers of answers that the gateway gives by itself."""
        ...

    def close(self) -> None:
        """Close after what is queued was sent."""
        ...

    def abort(self) -> None:
        """Close at once, so that the client sees an answer broken off."""
        ...

    def finished(self) -> None:
        """The exchange in turn is over; the next may begin."""
        ...
