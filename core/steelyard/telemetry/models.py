"""The models that an engine says it serves.

Every engine answers GET /v1/models (OpenAI API reference, "List models"; vLLM and SGLang add `max_model_len`,
llama.cpp `meta.n_ctx`), but only Ollama's own /api/tags tells digests. No digest is made up for the others.

Invariant: an entry without a name that requests could use is left out; what an engine does not say is absent.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from steelyard.api.backend import ObservedModel

MOST_MODELS = 256
"""So many are taken, as many as a status may hold."""

MOST_ANSWER_BYTES = 4 * 1024 * 1024
"""A longer answer is no list of models, and no engine's metrics: a vLLM with 64 data-parallel ranks, 60 kB
each, tells as much."""

_LONGEST_NAME = 253
_MOST_CONTEXT_TOKENS = 2**31 - 1
_NUM_CTX = re.compile(r"^num_ctx\s+(\d{1,10})\s*$", re.MULTILINE)
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


class NotAModelList(ValueError):
    """The answer is not a list of models; the message says what it is instead, never its text."""


def observed(answer: bytes) -> tuple[ObservedModel, ...]:
    """The models in an answer to GET /v1/models, by name. Raises NotAModelList."""
    return _listed(answer, "data", "id", _served)


def tagged(answer: bytes) -> tuple[ObservedModel, ...]:
    """The models in Ollama's answer to GET /api/tags, by name, as its order changes. Raises NotAModelList."""
    return _listed(answer, "models", "name", _pulled)


def set_context_tokens(answer: bytes) -> int | None:
    """The context that a Modelfile sets, from Ollama's answer to POST /api/show; None where it sets none.

    Without `num_ctx` the server decides by its settings and GPU memory, which it does not tell; with it, the
    trained length is the limit. Both are fixed by the model's digest.
    """
    try:
        body = json.loads(answer)
        wanted = int(_NUM_CTX.findall(body["parameters"])[-1])
        details = body["model_info"]
        trained = details.get(f"{details['general.architecture']}.context_length")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return None
    return tokens(min(wanted, tokens(trained) or wanted))


def entries(answer: bytes, field: str, name_field: str) -> dict[str, dict[str, Any]]:
    """The entries of the list with this field, by name, without those that no request could name.

    Raises NotAModelList.
    """
    try:
        body = json.loads(answer)
    except (ValueError, RecursionError):
        raise NotAModelList("is not JSON") from None
    listed = body.get(field) if isinstance(body, dict) else None
    if not isinstance(listed, list):
        raise NotAModelList(f"holds no list named {field}")
    return {entry[name_field]: entry for entry in listed if _is_named(entry, name_field)}


def digest(entry: Mapping[str, Any]) -> str | None:
    """The digest, sha256:…, that an entry of Ollama's tells."""
    found = _SHA256.fullmatch(str(entry.get("digest")))
    return f"sha256:{found[1]}" if found else None


def tokens(value: object) -> int | None:
    """A length in tokens; None where this is none."""
    return value if type(value) is int and 0 < value <= _MOST_CONTEXT_TOKENS else None


def _listed(
    answer: bytes, field: str, name_field: str, read: Callable[[str, dict[str, Any]], ObservedModel]
) -> tuple[ObservedModel, ...]:
    named = entries(answer, field, name_field)
    return tuple(read(name, named[name]) for name in sorted(named)[:MOST_MODELS])


def _served(name: str, entry: dict[str, Any]) -> ObservedModel:
    meta = entry.get("meta")
    context = tokens(entry.get("max_model_len")) or tokens(meta.get("n_ctx") if isinstance(meta, dict) else 0)
    return ObservedModel(name=name, context_tokens=context)


def _pulled(name: str, entry: dict[str, Any]) -> ObservedModel:
    return ObservedModel(name=name, digest=digest(entry))


def _is_named(entry: object, field: str) -> bool:
    name = entry.get(field) if isinstance(entry, dict) else None
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
        return False
    return name == name.strip() and name.isprintable()
