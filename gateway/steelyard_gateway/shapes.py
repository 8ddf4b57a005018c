"""How the streams of each kind of path end, and how they tell of an error.

Invariant: whatever an engine said of an error, clients get an object `error` with a `message`, for without
one they take it for a part of the answer.
"""

import re
from typing import Any, NamedTuple

import msgspec

NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding may raise: also for what is nested too deeply."""


class Shape(NamedTuple):
    """The shape of streams of events."""

    mark: bytes = b""
    """What their last event holds; looked for before `closing`."""
    closing: re.Pattern[bytes] | None = None
    """Their last event, in bytes that begin with an event or a line break; None: they just end."""
    last_event: str = ""
    """The same in words."""
    is_responses: bool = False
    """Whether events have types and numbers, as those of /v1/responses do."""

    def error(self, answer: bytes, status: int, number: int) -> bytes:
        """The event for an answer of this status that tells of an error, after so many other events."""
        told = _told(answer, status)
        if not self.is_responses:
            return b"data: %b\n\n" % msgspec.json.encode(told)
        error = told["error"]
        flat = {name: error.get(name) for name in ("code", "message", "param")}
        event = {"type": "error", "sequence_number": number, **flat, **told}
        return b"event: error\ndata: %b\n\n" % msgspec.json.encode(event)


PLAIN = Shape()
"""Where nothing is known of the end."""

DONE = Shape(b"[DONE]", re.compile(rb"(?:\A|[\r\n])data: ?\[DONE\] *(?:[\r\n]|\Z)"), "[DONE]")
"""Chat and completions."""

RESPONSES = Shape(
    b"",
    re.compile(
        rb"(?:\A|[\r\n])(?:data: ?\[DONE\] *(?:[\r\n]|\Z)|(?:event: ?|data: ?\{\"type\": ?\")"
        rb"(?:response\.(?:completed|incomplete|failed)|error)[\"\r\n])"
    ),
    "response.completed",
    is_responses=True,
)
"""The Responses API: its last event tells what became of the response."""


def _told(answer: bytes, status: int) -> dict[str, Any]:
    """What this answer says, with an `error` in OpenAI's shape."""
    try:
        said = msgspec.json.decode(answer)
    except NOT_JSON:
        said = None
    fields = said if isinstance(said, dict) else {}
    error = fields.get("error")
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        return fields
    reason = error or fields.get("message") or fields.get("detail")
    if reason is None:
        reason = f"The backend answered {status} without saying why."
    return {
        "error": {
            "message": reason if isinstance(reason, str) else msgspec.json.encode(reason).decode(),
            "type": fields.get("type") or ("invalid_request_error" if status < 500 else "server_error"),
            "code": fields.get("code"),
            "param": fields.get("param"),
        }
    }
