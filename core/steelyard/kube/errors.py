"""Everything that can go wrong with the Kubernetes API, as one tree; what HTTP says is mapped here only.

    KubeError
    ├── NotConfigured        nothing tells where an API server is
    ├── Unreachable          no answer, or none of an API server: connection, TLS, timeout, a cut, no JSON
    └── Refused              an answer that is not a success
        ├── Invalid          400, 422
        ├── Unauthorized     401
        ├── Forbidden        403
        ├── NotFound         404: no such object, or no such kind yet
        ├── Conflict         409: the object moved on
        │   └── AlreadyExists
        ├── Gone             410: too old a version was asked for
        ├── TooMany          429
        └── ServerFault      5xx

Invariant: a message holds what the API server said or how the connection failed, never a credential.
"""

import json
from typing import Any

MOST_MESSAGE_CHARACTERS = 1000
"""Longer messages are cut: a log line is to be read."""


class KubeError(Exception):
    """The Kubernetes API could not be used."""


class NotConfigured(KubeError):
    """Nothing tells where an API server is, or what tells it cannot be read."""


class Unreachable(KubeError):
    """There was no answer, or none that an API server gives."""


class Refused(KubeError):
    """The API server answered with something other than success."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}" if reason else f"{status}: {message}")
        self.status = status
        """The HTTP status."""
        self.reason = reason
        """One CamelCase word; empty where the answer had none."""
        self.message = message
        """What the API server said."""


class Invalid(Refused):
    """The request or the object in it does not fit."""


class Unauthorized(Refused):
    """The credentials are not accepted."""


class Forbidden(Refused):
    """The credentials are known and do not allow this."""


class NotFound(Refused):
    """There is no such object, or no such kind."""


class Conflict(Refused):
    """The object is not as the request expected it."""


class AlreadyExists(Conflict):
    """An object of this name is there already."""


class Gone(Refused):
    """The version that was asked for is no longer kept."""


class TooMany(Refused):
    """The API server has too much to do."""


class ServerFault(Refused):
    """The API server, or what stands before it, failed."""


_BY_STATUS: dict[int, type[Refused]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: TooMany,
}


def unreachable(error: Exception) -> Unreachable:
    """What a failed connection is to callers."""
    said = str(error) or type(error).__name__
    return Unreachable(f"the Kubernetes API server cannot be reached: {said}")


def refused(status: int, body: bytes) -> Refused:
    """What an answer other than a success is to callers."""
    try:
        said = json.loads(body)
    except ValueError:
        said = {"message": body.decode(errors="replace").strip()}
    return refused_by(said if isinstance(said, dict) else {}, status)


def refused_by(status_object: dict[str, Any], status: int = 500) -> Refused:
    """What a Status object is to callers; `status` counts where it has no code itself."""
    code = status_object.get("code")
    status = code if isinstance(code, int) else status
    reason = str(status_object.get("reason") or "")
    message = str(status_object.get("message") or "nothing more was said")[:MOST_MESSAGE_CHARACTERS]
    kind = _BY_STATUS.get(status, ServerFault if status >= 500 else Refused)
    return (AlreadyExists if reason == "AlreadyExists" else kind)(status, reason, message)
