"""The models that an engine reports in its answer to GET /v1/models.

Sources: OpenAI API reference, "List models"; vLLM adds `max_model_len`, llama.cpp `meta.n_ctx`.
"""

import json
from typing import Any

from steelyard.api.backend import ObservedModel

MOST_MODELS = 256
"""So many are taken, as many as a status may hold."""

MOST_ANSWER_BYTES = 4 * 1024 * 1024
"""A longer answer is no list of models."""

_LONGEST_NAME = 253


class NotAModelList(ValueError):
    """The answer is not a list of models; the message says what it is instead, never its text."""


def observed(answer: bytes) -> tuple[ObservedModel, ...]:
    """The models in this answer, by name: Ollama's order changes with each call. Raises NotAModelList."""
    try:
        body = json.loads(answer)
    except (ValueError, RecursionError):
        raise NotAModelList("is not JSON") from None
    entries = body.get("data") if isinstance(body, dict) else None
    if not isinstance(entries, list):
        raise NotAModelList("holds no list named data")
    found = {}
    for entry in entries[:MOST_MODELS]:
        name = entry.get("id") if isinstance(entry, dict) else None
        if isinstance(name, str) and _is_name(name):
            found[name] = ObservedModel(name=name, context_tokens=_context_tokens(entry))
    return tuple(found[name] for name in sorted(found))


def _is_name(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_NAME and text == text.strip() and text.isprintable()


def _context_tokens(entry: dict[str, Any]) -> int | None:
    meta = entry.get("meta")
    values = (entry.get("max_model_len"), meta.get("n_ctx") if isinstance(meta, dict) else None)
    return next((value for value in values if type(value) is int and value > 0), None)
