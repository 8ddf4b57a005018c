"""Errors as clients see them: OpenAI's shape, made in one place.

RequestError
├── BadRequest               400  the request cannot be understood
│   └── MalformedHttp        400  … not even as HTTP
├── NotFound                 404  no such path
│   └── ModelNotFound        404  no such model
├── MethodNotAllowed         405
├── RequestLate              408  the request's body did not arrive
├── BodyTooLarge             413
├── HeadTooLarge             431
├── RateLimited              429  every backend asked for a pause
├── Refused                  4xx  as the last backend answered, in other words
├── Internal                 500  our own fault
├── BadUpstream              502  no backend answered well
├── NoUpstream               503  no backend can take it now
└── UpstreamLate             504  the last backend took too long

Invariant: a message never quotes what an engine sent.
"""

from typing import ClassVar

import msgspec

from steelyard_gateway.ports import Reply

HeaderLines = tuple[tuple[bytes, bytes], ...]


class RequestError(Exception):
    """A request that is answered with an error."""

    status: int
    """HTTP status code."""
    type: ClassVar[str]
    """OpenAI's class of error."""
    code: ClassVar[str]
    """Stable word for programs, also a metric label."""

    def __init__(self, message: str, *, param: str | None = None, headers: HeaderLines = ()) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.headers = headers

    def body(self) -> bytes:
        """The error as JSON."""
        return msgspec.json.encode(
            {
                "error": {
                    "message": self.message,
                    "type": self.type,
                    "code": self.code,
                    "param": self.param,
                }
            }
        )

    def reply(self) -> Reply:
        """The error as an answer."""
        return Reply(self.status, self.body(), self.headers, self.code)


class BadRequest(RequestError):
    """The request cannot be understood."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_request"


class MalformedHttp(BadRequest):
    """What came is not valid HTTP/1.1, or is ambiguous."""

    code = "malformed_http"


class NotFound(RequestError):
    """No such path."""

    status = 404
    type = "invalid_request_error"
    code = "not_found"


class ModelNotFound(NotFound):
    """No such model."""

    code = "model_not_found"


class MethodNotAllowed(RequestError):
    """The path does not take this method."""

    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"


class RequestLate(RequestError):
    """The request's body stopped coming."""

    status = 408
    type = "invalid_request_error"
    code = "request_timeout"


class BodyTooLarge(RequestError):
    """The request's body is larger than the gateway takes."""

    status = 413
    type = "invalid_request_error"
    code = "body_too_large"


class HeadTooLarge(RequestError):
    """The request's head is larger than the gateway takes."""

    status = 431
    type = "invalid_request_error"
    code = "head_too_large"


class RateLimited(RequestError):
    """Every backend that could answer asked for a pause."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class Internal(RequestError):
    """The gateway's own fault."""

    status = 500
    type = "server_error"
    code = "internal_error"


class BadUpstream(RequestError):
    """No backend answered well."""

    status = 502
    type = "server_error"
    code = "bad_upstream"


class NoUpstream(RequestError):
    """No backend can take the request now."""

    status = 503
    type = "server_error"
    code = "no_upstream"


class Refused(RequestError):
    """Whoever was asked refused it, and not in words that clients understand."""

    status = 400
    type = "invalid_request_error"
    code = "refused"

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class UpstreamLate(RequestError):
    """The last backend that was tried took too long."""

    status = 504
    type = "server_error"
    code = "upstream_timeout"


class StreamCut(RequestError):
    """An answer broke off after its first byte; only ever an event of a stream."""

    status = 502
    type = "server_error"
    code = "stream_cut"
