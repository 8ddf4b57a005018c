"""What is asked of an Ollama about its memory, as bytes. What it does: docs/ollama.md.

Invariant: no request here makes a token, and each of them names `keep_alive` only where it is to change.
"""

import json
from dataclasses import dataclass
from typing import Any

from steelyard.api.signals import Memory
from steelyard.telemetry import samples

FOR_EVER = -1
"""`keep_alive` of a model that stays until it is unloaded."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request to a server."""

    path: str
    """Where, from the server's root."""
    body: bytes | None
    """What to POST, in JSON; None: GET."""
    timeout_seconds: float
    """After so long no answer is a failure; the connection is closed then, which aborts a load."""
    loads: str = ""
    """The model that it has loaded; empty: none."""


def keep_alive_seconds(memory: Memory, model: str) -> int:
    """How long this model stays when nobody uses it: what every request that may load it is to name."""
    pinned = {samples.canonical(name) for name in memory.pinned}
    return FOR_EVER if samples.canonical(model) in pinned else memory.keep_alive_seconds


def load(model: str, keep_alive: int, num_ctx: int | None) -> dict[str, Any]:
    """Body that has a model loaded, or its keep_alive changed where it is loaded with these options."""
    return {"model": model, "keep_alive": keep_alive, "options": _options(num_ctx)}


def unload(model: str) -> dict[str, Any]:
    """Body that has a model go once nothing uses it. The answer comes at once."""
    return {"model": model, "keep_alive": 0}


def touch(model: str, num_ctx: int | None) -> dict[str, Any]:
    """Body that has a loaded model used for a moment: its expiry moves unless it works on something else."""
    return {"model": model, "options": _options(num_ctx)}


def post(path: str, body: dict[str, Any], timeout_seconds: float, loads: str = "") -> Request:
    """The request with this body, which has this model loaded."""
    return Request(path, json.dumps(body, separators=(",", ":")).encode(), timeout_seconds, loads)


def _options(num_ctx: int | None) -> dict[str, int]:
    return {} if num_ctx is None else {"num_ctx": num_ctx}
