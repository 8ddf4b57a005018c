"""What a model takes of an Ollama, which loads on demand: time to be loaded, memory.

Sources: Ollama's docs/api.md ("Load a model", "Unload a model"); `load_duration` is no measure, for it holds
the wait for other loads as well.

Rule 1. A model that is in memory is unloaded only where that is allowed: Ollama does not tell who uses it.
Rule 2. What cannot be had in time is None; it fails no run.
"""

import asyncio
import json
import time

from steelyard.api.backend import Engine
from steelyard.telemetry import engines, samples
from steelyard.telemetry.samples import EngineSample, LoadedModel, Topic
from steelyard_profiler.drive import Drive

UNLOAD_SECONDS = 60.0
"""How long an unloaded model may stay for requests that are under way."""

LOOK_SECONDS = 0.1
"""How often it is looked whether it has gone."""

ANSWER_SECONDS = 10.0
"""How long any answer may take but that to the load."""

NEVER_SECONDS = 10 * 365 * 86400.0
"""A model that expires later than so long from now was loaded with keep_alive -1, and is again."""

_PATHS = engines.paths(Engine.OLLAMA, "/v1")
_GENERATE = "/api/generate"


async def cold_load_ms(drive: Drive, model: str, *, seconds: float, may_unload: bool) -> int | None:
    """How long the model takes to be loaded; None where it is in memory and has to stay, or nobody tells."""
    sample = await _sample(drive)
    if sample is None or not samples.has(sample, model) or samples.canonical(model) in sample.remote:
        return None
    held = samples.loaded(sample, model)
    if held is not None and not (may_unload and await _unloaded(drive, model)):
        return None
    wanted: dict[str, object] = {"model": model, "stream": False}
    if held is not None and _stays(held):
        wanted["keep_alive"] = -1
    began = time.perf_counter()
    answer = await drive.call(_GENERATE, wanted, seconds=seconds)
    took = time.perf_counter() - began
    return round(1000 * took) if _ended(answer, "load") else None


async def memory_mib(drive: Drive, model: str) -> int | None:
    """What the engine says that the model takes in all; None where it is not in memory, or not told."""
    sample = await _sample(drive)
    held = samples.loaded(sample, model) if sample is not None else None
    return held.memory_mib if held is not None else None


async def _unloaded(drive: Drive, model: str) -> bool:
    """Whether the model has left the memory after it was asked to."""
    asked = {"model": model, "stream": False, "keep_alive": 0}
    if not _ended(await drive.call(_GENERATE, asked, seconds=ANSWER_SECONDS), "unload"):
        return False
    until = time.monotonic() + UNLOAD_SECONDS
    while time.monotonic() < until:
        sample = await _sample(drive)
        if sample is None:
            return False
        if samples.loaded(sample, model) is None:
            return True
        await asyncio.sleep(LOOK_SECONDS)
    return False


async def _sample(drive: Drive) -> EngineSample | None:
    """What the engine has, and has in memory."""
    tags = await drive.call(_PATHS.models, seconds=ANSWER_SECONDS)
    held = await drive.call(_PATHS.loaded or "", seconds=ANSWER_SECONDS)
    if tags is None or held is None:
        return None
    known = samples.read(Engine.OLLAMA, Topic.MODELS, tags)
    sample = samples.read(Engine.OLLAMA, Topic.LOAD, held, known)
    return sample if sample.loaded is not None else None


def _stays(held: LoadedModel) -> bool:
    return held.expires_at is not None and held.expires_at - time.time() > NEVER_SECONDS


def _ended(answer: bytes | None, how: str) -> bool:
    """Whether the engine says that it did this."""
    try:
        return answer is not None and json.loads(answer)["done_reason"] == how
    except (ValueError, LookupError, TypeError, RecursionError):
        return False
