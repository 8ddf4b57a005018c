"""What to GET from each engine, and how to read its version and its activity. Pure: bytes in, values out.

Sources: recorded answers of vLLM 0.32, llama.cpp b11434 and Ollama 0.17; SGLang's http_server.py.

Invariant: what an engine does not tell, or not in a way that can be read, is None, never a guess or an error.
"""

import json
import math
import re
from dataclasses import dataclass
from typing import assert_never

from steelyard.api.backend import Engine

_LONGEST_VERSION = 64


@dataclass(frozen=True, slots=True)
class Paths:
    """Where an engine answers."""

    models: str
    """The models that it serves."""
    health: str
    """The cheapest answer that shows it alive. SGLang's takes at least a second, and a token when idle."""
    versions: tuple[str, ...] = ()
    """Where it may tell its version, the first to try first; empty: it tells none."""
    activities: tuple[str, ...] = ()
    """Where it may tell its activity, likewise: metrics, then llama.cpp's slots, which are on by default."""
    show: str | None = None
    """Where Ollama shows a model that is named in a POST."""


def paths(engine: Engine, base_path: str) -> Paths:
    """Where this engine answers, given the path before /chat/completions: a closing /v1 is not its root's."""
    root, models = base_path.removesuffix("/v1"), f"{base_path}/models"
    match engine:
        case Engine.VLLM:
            return Paths(models, f"{root}/health", (f"{root}/version",), (f"{root}/metrics",))
        case Engine.SGLANG:
            versions = (f"{root}/server_info", f"{root}/get_server_info")
            return Paths(models, f"{root}/health", versions, (f"{root}/metrics",))
        case Engine.LLAMA_CPP:
            activities = (f"{root}/metrics", f"{root}/slots")
            return Paths(models, f"{root}/health", (f"{root}/props",), activities)
        case Engine.OLLAMA:
            version = f"{root}/api/version"
            return Paths(f"{root}/api/tags", version, (version,), show=f"{root}/api/show")
        case Engine.OPENAI:
            return Paths(models, models)
        case _:
            assert_never(engine)


def version(engine: Engine, answer: bytes) -> str | None:
    """The engine's version, from its answer at one of `Paths.versions`."""
    field = "build_info" if engine is Engine.LLAMA_CPP else "version"
    try:
        value = json.loads(answer)[field]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    usable = isinstance(value, str) and 0 < len(value) <= _LONGEST_VERSION and value.isprintable()
    return value.strip() or None if usable else None


def activity(engine: Engine, answer: bytes) -> int | None:
    """Requests that run or wait, from the engine's answer at one of `Paths.activities`."""
    match engine:
        case Engine.VLLM:
            names = ("vllm:num_requests_running", "vllm:num_requests_waiting")
        case Engine.SGLANG:
            names = ("sglang:num_running_reqs", "sglang:num_queue_reqs")
        case Engine.LLAMA_CPP if answer.startswith(b"["):
            return _busy_slots(answer)
        case Engine.LLAMA_CPP:
            names = ("llamacpp:requests_processing", "llamacpp:requests_deferred")
        case Engine.OLLAMA | Engine.OPENAI:
            return None
        case _:
            assert_never(engine)
    values = [_gauge(name, answer) for name in names]
    return None if None in values else sum(value for value in values if value is not None)


def _busy_slots(answer: bytes) -> int | None:
    """llama.cpp's slots with a request. Requests that wait for one are not told there."""
    try:
        flags = [slot["is_processing"] for slot in json.loads(answer)]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return flags.count(True) if flags and all(isinstance(flag, bool) for flag in flags) else None


def _gauge(name: str, exposition: bytes) -> int | None:
    """The sum of this gauge over its labels; None where it is not there or no number."""
    line = rb"^%b(?:\{[^\n]*\})?[ \t]+(\S{1,32})" % re.escape(name.encode())
    try:
        total = sum(float(value) for value in re.findall(line, exposition, re.MULTILINE) or [b"nan"])
    except ValueError:
        return None
    return int(total) if 0 <= total < math.inf else None
