"""Messages whose head came before on the same connection: known by their bytes, they are not parsed again.

Clients and engines that keep a connection send the same head over and over; only the digits of Content-Length
differ. Invariant: a repeated message means what the parser said of the first one, with another body; whatever
is not surely a repetition goes to the parser.
"""

import re

from steelyard_gateway.ports import HeaderLines

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]{1,9})\r\n", re.IGNORECASE)
_LENGTH_DIGITS = 9
_END = b"\r\n\r\n"


class Repetition:
    """The bytes of a head, without the digits of its Content-Length, and the header lines in it."""

    __slots__ = ("_after", "_before", "_start", "headers")

    def __init__(self, before: bytes, after: bytes, headers: HeaderLines) -> None:
        self._before = before
        self._after = after
        self._start = len(before)
        self.headers = headers

    def body_of(self, data: bytes) -> bytes | None:
        """The body, if these bytes are this head again with the whole of a body and nothing more."""
        if not data.startswith(self._before):
            return None
        end = data.find(b"\r", self._start, self._start + _LENGTH_DIGITS + 1)
        if end < 0 or not data.startswith(self._after, end):
            return None
        digits = data[self._start : end]
        body = data[end + len(self._after) :]
        return body if digits.isdigit() and int(digits) == len(body) else None


class LatestHead:
    """The head that any of several connections saw last: the date in it is the same for all of them."""

    __slots__ = ("repetition",)

    def __init__(self) -> None:
        self.repetition: Repetition | None = None


def repetition(data: bytes, headers: HeaderLines) -> Repetition | None:
    """How the message in `data`, which the parser took for one message of known length, could come again."""
    end = data.find(_END)
    found = _LENGTH.search(data, 0, end + 2)
    if found is None or int(found[1]) != len(data) - end - len(_END):
        return None
    start, stop = found.span(1)
    return Repetition(data[:start], data[stop : end + len(_END)], headers)
