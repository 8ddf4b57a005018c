"""The models that an engine's answer to `GET /models` lists. Pure.

Invariant: an entry without a usable name is left out; what an engine does not say is absent.
"""

import json

from steelyard.api.backend import ObservedModel

MOST_MODELS = 256
"""As many as a backend's status holds."""


def models(body: bytes) -> tuple[ObservedModel, ...] | None:
    """The models by name; None where this is no list of models."""
    try:
        entries = json.loads(body)["data"]
        named = {str(entry["id"]).strip(): entry for entry in entries}
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return tuple(
        ObservedModel(name=name, context_tokens=_context_tokens(entry))
        for name, entry in sorted(named.items())
        if 0 < len(name) <= 253 and name.isprintable()
    )[:MOST_MODELS]


def _context_tokens(entry: dict[str, object]) -> int | None:
    """vLLM and SGLang say max_model_len, llama.cpp says meta.n_ctx."""
    meta = entry.get("meta")
    for value in (entry.get("max_model_len"), meta.get("n_ctx") if isinstance(meta, dict) else None):
        if isinstance(value, int) and value > 0:
            return value
    return None
