"""What a client's headers say to the decision. Pure.

Invariant: a header of ours that cannot be understood is refused with its name; all others are left alone.
"""

from steelyard.api.policy import Goal
from steelyard_gateway.errors import BadRequest
from steelyard_gateway.ports import HeaderLines, Headers

_OURS = b"x-steelyard-"
_GOALS = {goal.lower(): goal for goal in Goal}


class HeaderView:
    """Header lines as a look-up, without making a dict of them for each request."""

    __slots__ = ("_headers",)

    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    def get(self, name: str, /) -> str | None:
        """The last value of this header, its name in lower case."""
        wanted = name.encode("latin-1", "replace")
        found = None
        for key, value in self._headers:
            if key == wanted:
                found = value
        return None if found is None else found.decode("latin-1")


class Steering:
    """What the headers of a request say, read once for all requests that repeat them."""

    __slots__ = ("explain", "goal", "lookup", "session", "tolerance_percent")

    def __init__(self, headers: Headers) -> None:
        """Raises BadRequest naming the header and what it may be."""
        self.goal: Goal | None = None
        """x-steelyard-goal."""
        self.tolerance_percent: int | None = None
        """x-steelyard-tolerance."""
        self.session = ""
        """x-steelyard-session; empty: none."""
        self.explain = False
        """x-steelyard-explain: whether only the decision is asked for."""
        self.lookup = HeaderView(headers)
        """All headers by name."""
        for name, value in headers:
            if name.startswith(_OURS):
                self._take(name[len(_OURS) :], value.decode("latin-1").strip())

    def _take(self, name: bytes, text: str) -> None:
        match name:
            case b"goal":
                self.goal = _GOALS.get(text.lower())
                if self.goal is None:
                    message = f"Header x-steelyard-goal is {text[:40]!r}: use one of {', '.join(Goal)}."
                    raise BadRequest(message, param="x-steelyard-goal")
            case b"tolerance":
                if not text.isascii() or not text.isdigit() or len(text) > 3 or int(text) > 100:
                    message = (
                        f"Header x-steelyard-tolerance is {text[:40]!r}: use a whole number from 0 to 100."
                    )
                    raise BadRequest(message, param="x-steelyard-tolerance")
                self.tolerance_percent = int(text)
            case b"session":
                self.session = text
            case b"explain":
                self.explain = text.lower() in ("1", "true")


def read(headers: Headers) -> Steering:
    """What these headers say. Raises BadRequest naming the header and what it may be."""
    if not isinstance(headers, HeaderLines):
        return Steering(headers)
    known = headers.memo
    if not isinstance(known, Steering):
        headers.memo = known = Steering(headers)
    return known
