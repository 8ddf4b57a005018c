"""The paths that never reach ASGI, and how tolerantly they are spelled.

Invariant: a path that is not offered is not forwarded: engines have dangerous routes of their own.
"""

import re
from dataclasses import dataclass

MODEL_PREFIX = "/v1/models/"


@dataclass(frozen=True, slots=True)
class Place:
    """An offered path."""

    path: str
    """The path as it is decided, percent-encoded as the client sent it: /v1/chat/completions."""
    label: str
    """The same for metrics and logs, without what clients may invent."""
    methods: frozenset[bytes]
    """The methods that it takes."""
    ends_with_done: bool = False
    """Whether its streams end with `data: [DONE]`."""


POST = frozenset({b"POST"})
READ = frozenset({b"GET", b"HEAD"})

_PLACES = (
    Place("/v1/chat/completions", "/v1/chat/completions", POST, ends_with_done=True),
    Place("/v1/completions", "/v1/completions", POST, ends_with_done=True),
    Place("/v1/embeddings", "/v1/embeddings", POST),
    Place("/v1/models", "/v1/models", READ),
)
_BY_PATH = {place.path: place for place in _PLACES}

EXACT = {place.path.encode(): place for place in _PLACES}
"""Request targets that need no second look."""


def find(target: bytes) -> tuple[Place, bytes] | None:
    """The offered path that a request target means, and its query with the `?`; None: not offered.

    A doubled slash, a trailing slash, the prefix /openai and the absolute form are tolerated.
    """
    if not target.startswith(b"/"):
        target = re.sub(rb"^https?://[^/?#]*", b"", target)
    target = target.partition(b"#")[0]
    raw_path, mark, query = target.partition(b"?")
    path = re.sub("/{2,}", "/", raw_path.decode("ascii", "replace")).rstrip("/")
    path = path.removeprefix("/openai") if path.startswith("/openai/v1/") else path
    place = _BY_PATH.get(path)
    if place is None and path.startswith(MODEL_PREFIX):
        place = Place(path, MODEL_PREFIX + "{id}", READ)
    return None if place is None else (place, mark + query if query else b"")
