"""The border between the request path and the rest of the gateway.

The request path (`protocol`, `exchange`, `upstream`) knows resources, decisions, metrics and logs only
through these shapes; it can be run and tested with any implementation of them.
"""

from dataclasses import dataclass
from typing import Protocol

import msgspec

from steelyard.routing.decision import Attempt, AttemptWalk, Decision
from steelyard.routing.table import Endpoint
from steelyard_gateway.comparing import Compared
from steelyard_gateway.usage import Usage

Headers = list[tuple[bytes, bytes]]
"""Header lines in order; names in lower case."""


class HeaderLines(Headers):
    """Header lines of a head. A connection uses one object for all messages that begin with the same head."""

    __slots__ = ("memo",)

    def __init__(self) -> None:
        super().__init__()
        self.memo: object = None
        """What was worked out of them that holds for any length of the body; kept by who works it out."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that the gateway gives by itself: an error, a list of models, an explanation."""

    status: int
    """HTTP status code."""
    body: bytes
    """JSON."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Further headers; content-type, content-length, date and x-request-id are added by the writer."""
    code: str = ""
    """The error's code, for `Outcome.code`; empty: no error."""


class Routed(msgspec.Struct, gc=False):
    """A request that was decided."""

    decision: Decision
    """What was decided."""
    walk: AttemptWalk
    """The attempts, to be walked as they fail."""
    path: str
    """Path to append to the endpoint's base path: /chat/completions."""
    stream: bool
    """Whether the client asked for a stream; the phases' timeouts depend on it."""
    body: bytes
    """The client's body as it came; emptied once an answer began, for then it is needed no more."""
    model_span: tuple[int, int]
    """Where the value of `model` stands in `body`: of JSON with its quotes, of a form the bare text."""
    prompt_tokens: int = 0
    """Estimated length of the prompt, in tokens."""
    signature: str | None = None
    """The policy's signature of answers; None: answers are not signed."""
    comment_seconds: int = 0
    """So often a client that waits for a stream is sent a comment; 0: never."""


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What became of a request, told once at its end."""

    path: str
    """The client's path, one of those offered, else "other"."""
    request_id: bytes
    """Value of x-request-id: visible ASCII."""
    status: int
    """Status given to the client; 499 when it left before an answer."""
    duration_seconds: float
    """From the complete request to the last byte of the answer."""
    overhead_seconds: float
    """From the complete request to the first attempt: parsing and deciding."""
    attempts: int
    """Endpoints that were tried."""
    code: str = ""
    """The error code given to the client, or `stream_cut` or `client_left`; empty: none."""
    ttfb_seconds: float | None = None
    """From the complete request to the first byte of the answer; None: there was none."""
    routed: Routed | None = None
    """None where the gateway answered by itself."""
    attempt: Attempt | None = None
    """The attempt that answered, or the last one."""
    detail: str = ""
    """What the client was told of the endpoints that failed; empty where one answered."""
    usage: Usage | None = None
    """Tokens; None: no engine's answer was passed on."""
    compared: Compared | None = None
    """Its time beside what was expected; None: nothing was, or it was no stream that came to its end."""


class Router(Protocol):
    """Decides requests. Never raises for anything that a client can send."""

    def route(self, method: bytes, path: str, headers: Headers, body: bytes) -> Routed | Reply:
        """The decision for a complete request, or the gateway's own answer."""
        ...


class Endpoints(Protocol):
    """Live load and health of endpoints, fed by the request path."""

    def started(self, endpoint: Endpoint) -> None:
        """A request was handed to this endpoint."""
        ...

    def ended(self, endpoint: Endpoint) -> None:
        """That request is over, well or badly; called exactly once for each `started`."""
        ...

    def in_flight(self, endpoint: Endpoint) -> float:
        """Requests under way there, those of others as far as they are known."""
        ...

    def load_seconds(self, attempt: Attempt) -> float:
        """How long a request that was let in there waits for its model's load; infinite: nobody knows."""
        ...

    def answered(self, endpoint: Endpoint, ratio: float = 0.0) -> None:
        """It gave an answer that is no failure of its own. `ratio`: its time to the first byte divided by the
        expected one; 0: not judged."""
        ...

    def answered_500(self, endpoint: Endpoint, request_key: int) -> None:
        """It answered 500 to the request with this key, which may be the request's fault."""
        ...

    def failed(self, endpoint: Endpoint, how: str) -> None:
        """It failed: not reachable, reset, 502, 503, 504, too late; `how` ends a sentence about it."""
        ...

    def lacks(self, attempt: Attempt) -> None:
        """It answered that it lacks the model: it is no candidate for it until it tells what it has."""
        ...

    def rest(self, endpoint: Endpoint, seconds: float | None) -> None:
        """It asked for a pause, of so many seconds where it named any (Retry-After)."""
        ...

    def is_resting(self, endpoint: Endpoint) -> bool:
        """Whether it failed lately or asked for a pause."""
        ...

    def pause_seconds(self, endpoint: Endpoint) -> float:
        """How long the pause that it named still lasts; 0: none."""
        ...

    def is_silent(self, endpoint: Endpoint, seconds: float) -> bool:
        """Whether nothing came from it for so long: no answer, no chunk of another stream, to no poll."""
        ...

    def under_way(self, endpoint: Endpoint) -> int:
        """Requests under way on it and on those that serve the same models."""
        ...


class Recorder(Protocol):
    """Counts and logs."""

    def finished(self, outcome: Outcome) -> None:
        """A request is over; called exactly once for each."""
        ...
