"""The paths that never reach ASGI, and how tolerantly they are spelled.

Invariant: a path that is not offered is not forwarded: engines have dangerous routes of their own.
"""

import re
from dataclasses import dataclass

from steelyard_gateway.shapes import DONE, PLAIN, RESPONSES, Shape

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
    need: str = ""
    """The capability that it asks of a model; empty: no model is asked."""
    is_form: bool = False
    """Whether its body is a form with files (multipart/form-data) unless it says that it is JSON."""
    is_played: bool = False
    """Whether its answer is used while it comes, although no stream was asked for: speech."""
    shape: Shape = PLAIN
    """Of its streams."""

    def allowed(self) -> bytes:
        """The value of `Allow`."""
        return b", ".join(sorted((*self.methods, b"OPTIONS")))


READ = frozenset({b"GET", b"HEAD"})


def _asks(path: str, need: str, shape: Shape = PLAIN, **more: bool) -> Place:
    return Place(path, path, frozenset({b"POST"}), need, shape=shape, **more)


_PLACES = (
    _asks("/v1/chat/completions", "chat", DONE),
    _asks("/v1/completions", "completions", DONE),
    _asks("/v1/embeddings", "embeddings"),
    _asks("/v1/responses", "chat", RESPONSES),
    _asks("/v1/rerank", "rerank"),
    _asks("/v1/score", "rerank"),
    _asks("/v1/audio/speech", "audio", is_played=True),
    _asks("/v1/audio/transcriptions", "audio", is_form=True),
    _asks("/v1/audio/translations", "audio", is_form=True),
    _asks("/v1/images/generations", "images"),
    _asks("/v1/images/edits", "images", is_form=True),
    _asks("/v1/images/variations", "images", is_form=True),
    Place("/v1/models", "/v1/models", READ),
)

BY_PATH = {place.path: place for place in _PLACES}
"""Every offered path but those of single models."""

EXACT = {place.path.encode(): place for place in _PLACES}
"""Request targets that need no second look."""


def find(target: bytes) -> tuple[Place, bytes] | None:
    """The offered path that a request target means, and its query with the `?`; None: not offered.

    A doubled slash, a trailing slash, the prefix /openai and the absolute form are tolerated.
    """
    if not target.startswith(b"/"):
        target = re.sub(rb"^https?://[^/?#]*", b"", target, flags=re.IGNORECASE)
    target = target.partition(b"#")[0]
    raw_path, mark, query = target.partition(b"?")
    path = re.sub("/{2,}", "/", raw_path.decode("ascii", "replace")).rstrip("/")
    path = path.removeprefix("/openai") if path.startswith("/openai/v1/") else path
    place = BY_PATH.get(path)
    if place is None and path.startswith(MODEL_PREFIX):
        place = Place(path, MODEL_PREFIX + "{id}", READ)
    return None if place is None else (place, mark + query if query else b"")
