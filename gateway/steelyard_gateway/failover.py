"""What each way to fail means: the fault table, and the words when nothing is left to try.

Only judgements live here, no I/O. Invariant: the error names every endpoint that failed, and how.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum, auto

from steelyard.routing.table import Endpoint
from steelyard_gateway import errors
from steelyard_gateway.ports import Headers
from steelyard_gateway.upstream.failure import LATE, Failure

DEFAULT_REST_SECONDS = 2.0
"""How long an endpoint rests after a 429 that names no time."""

MOST_REST_SECONDS = 3600.0
"""A longer Retry-After is a mistake, or would outlive what is known."""

MOST_NAMED = 8
"""So many failed attempts are told; an error stays readable."""


class Verdict(Enum):
    """What is done about an engine's status."""

    PASS = auto()
    """It is the client's answer."""
    NEXT = auto()
    """The endpoint failed: try the next."""
    REST = auto()
    """The endpoint asked for a pause: try the next."""
    ELSEWHERE = auto()
    """Try once elsewhere: it may be the engine's fault, or the request's wherever it goes."""


@dataclass(frozen=True, slots=True)
class Misstep:
    """One attempt that did not work."""

    endpoint: Endpoint
    """Where."""
    words: str
    """The rest of a sentence that begins with the endpoint's name."""
    late: bool = False
    """Whether a timeout ended it."""
    status: int = 0
    """The engine's status; 0: there was none."""
    rest_seconds: float | None = None
    """The pause that it asked for."""


def judge(status: int, retry_after: float | None, *, is_page: bool) -> Verdict:
    """What is done about an answer, other than a good one, before any of it is passed on."""
    match status:
        case 429:
            return Verdict.REST
        case 503 if retry_after is not None:
            return Verdict.REST
        case 502 | 503 | 504:
            return Verdict.NEXT
        case _ if is_page:
            return Verdict.NEXT
        case 500:
            return Verdict.ELSEWHERE
        case _ if status < 400 or status > 599:
            return Verdict.NEXT
        case _:
            return Verdict.PASS


def of_status(endpoint: Endpoint, status: int, rest_seconds: float | None) -> Misstep:
    """An answer that is not passed on, as a misstep."""
    words = f"answered {status}"
    if status < 300:
        words += " with a web page, which no engine does: correct the backend's url"
    if 300 <= status < 400:
        words += ", a redirect, and none is followed: correct the backend's url"
    return Misstep(endpoint, words, status=status, rest_seconds=rest_seconds)


def of_failure(endpoint: Endpoint, failure: Failure) -> Misstep:
    """A failed call as a misstep."""
    return Misstep(endpoint, failure.words, late=failure.kind in LATE)


def conclude(missteps: Sequence[Misstep]) -> errors.RequestError:
    """The error when nothing is left to try; the last misstep decides, unless all were asked for pauses."""
    last = missteps[-1]
    said = list(dict.fromkeys(f"{misstep.endpoint.name} {misstep.words}" for misstep in missteps))
    more = f"; and {len(said) - MOST_NAMED} more" if len(said) > MOST_NAMED else ""
    message = "No backend could answer: " + "; ".join(said[:MOST_NAMED]) + more + "."
    rests = [misstep.rest_seconds for misstep in missteps if misstep.rest_seconds is not None]
    headers = ((b"retry-after", b"%d" % max(1, round(min(rests)))),) if rests else ()
    if len(rests) == len(missteps):
        return errors.RateLimited(message, headers=headers)
    if last.late or last.status == 504:
        return errors.UpstreamLate(message)
    if last.status in (429, 503):
        return errors.NoUpstream(message, headers=headers)
    return errors.BadUpstream(message)


def retry_after(headers: Headers, now_unix: float) -> float | None:
    """The pause in seconds that Retry-After asks for, at most an hour (RFC 9110, 10.2.3); None: none."""
    for name, value in headers:
        if name == b"retry-after":
            return _seconds(value.decode("latin-1").strip(), now_unix)
    return None


def _seconds(text: str, now_unix: float) -> float | None:
    try:
        seconds = float(text) if text.isdecimal() else parsedate_to_datetime(text).timestamp() - now_unix
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), MOST_REST_SECONDS)
