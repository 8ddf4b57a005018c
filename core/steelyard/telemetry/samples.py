"""EngineSample: what an engine says of its load, in one form for all engines. Pure: bytes in, values out.

Sources: recorded answers of vLLM 0.32, llama.cpp b11434 and Ollama 0.17; SGLang's metrics_collector.py and
v1_loads.py; for older vLLM and llama.cpp, the names that they had then.

A poller GETs what `questions` says, and gives each answer to `read`.

Invariant: what an engine does not tell, or not in a way that can be read, is None, never 0 or a guess.
"""

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any, assert_never

from steelyard.api.backend import Engine
from steelyard.telemetry import engines, metrics, models

NOT_THERE = frozenset({404, 405, 501})
"""Status codes of a path that an engine does not have, or not with its settings: llama.cpp has /metrics only
with --metrics (501), SGLang only with --enable-metrics (404)."""

_LONGEST_VERSION = 64
_MOST = 2**53
"""Larger numbers are none."""


class Topic(Enum):
    """What a question is about."""

    LOAD = "load"
    """What it works on, and what is in its memory."""
    SETTINGS = "settings"
    """Its version, and what it is set to."""
    MODELS = "models"
    """Which models it has, where it may lack one."""


@dataclass(frozen=True, slots=True)
class Question:
    """Something to GET from an engine."""

    topic: Topic
    """What the answer is about, to be given to `read` with it."""
    paths: tuple[str, ...]
    """Where to ask; the first whose status is not in NOT_THERE answers, with 200 or with a failure.

    Stay with it, and begin again with the first when the seldom questions are asked again: it may have been
    restarted with other settings."""


@dataclass(frozen=True, slots=True)
class Questions:
    """What to ask an engine, and how often."""

    often: tuple[Question, ...] = ()
    """Each interval; empty for an engine that tells nothing of its load."""
    seldom: tuple[Question, ...] = ()
    """First of all, and then every half minute or so."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in the memory of an engine that loads on demand."""

    name: str
    """The engine's name of it; of models with the same weights and options only one is told."""
    digest: str | None
    """sha256:… of the model; None: not told."""
    memory_mib: int | None
    """What it takes in all, weights, cache and buffers, rounded up."""
    gpu_memory_mib: int | None
    """What of that is in GPU memory, rounded up; 0 where it runs on the CPU."""
    context_tokens: int | None
    """The context that it was loaded with, for each request."""
    expires_at: float | None
    """When it goes if nobody asks for it, in seconds since 1970; in the past: busy, or about to go."""


@dataclass(frozen=True, slots=True)
class EngineSample:
    """What an engine said of itself at one moment. None: it does not tell."""

    running: int | None = None
    """Requests that it works on, over all its engine cores."""
    waiting: int | None = None
    """Requests that wait in it, likewise."""
    capacity: int | None = None
    """Requests that it works on at once."""
    cache_use: float | None = None
    """Share of its key-value cache that is in use, 0 to 1; of several engine cores, whose caches are equal,
    the mean."""
    output_tokens: float | None = None
    """Tokens made since it started."""
    output_tokens_per_second: float | None = None
    """Tokens a second lately: reckoned from the samples before."""
    loaded: tuple[LoadedModel, ...] | None = None
    """Models in its memory; None: an engine that does not load on demand, or does not tell."""
    models: Mapping[str, str | None] | None = None
    """Digest, sha256:…, by `canonical` name of the models that it has; None: it does not tell."""
    remote: frozenset[str] = frozenset()
    """`canonical` names of those for which it has another server answer, as Ollama's cloud models."""
    version: str | None = None
    """Its version."""


NOTHING = EngineSample()
"""Of an engine that has told nothing."""


def questions(engine: Engine, base_path: str, metrics_path: str | None = None) -> Questions:
    """What to ask this engine, given the path before /chat/completions and spec.metrics.engine.path."""
    paths = engines.paths(engine, base_path, metrics_path)
    load = paths.load if paths.loaded is None else (paths.loaded,)
    listed = () if paths.loaded is None else (paths.models,)
    seldom = (Question(Topic.MODELS, listed), Question(Topic.SETTINGS, paths.settings))
    return Questions((Question(Topic.LOAD, load),) if load else (), tuple(one for one in seldom if one.paths))


def read(engine: Engine, topic: Topic, answer: bytes, known: EngineSample = NOTHING) -> EngineSample:
    """`known`, but for this topic what this answer tells, which came with status 200.

    For LOAD, `known` is what the seldom answers told, not the sample before. An answer that cannot be read
    tells nothing. Never raises.
    """
    match topic:
        case Topic.LOAD:
            return _load(engine, answer, known)
        case Topic.SETTINGS:
            return _settings(engine, answer, known)
        case Topic.MODELS:
            return _models(answer, known) if engine is Engine.OLLAMA else known
        case _:
            assert_never(topic)


def activity(sample: EngineSample) -> int | None:
    """Requests that run or wait, as far as they are told; None where not even whether there are any is."""
    if sample.running is None or sample.waiting is None:
        return sample.running or sample.waiting or None
    return sample.running + sample.waiting


@functools.lru_cache(maxsize=4096)
def canonical(name: str) -> str:
    """One name for all of Ollama's of a model: SmolLM2 and library/smollm2 are smollm2:latest."""
    short = name.lower().removeprefix("registry.ollama.ai/").removeprefix("library/")
    return short if ":" in short.rpartition("/")[2] else f"{short}:latest"


def has(sample: EngineSample, name: str) -> bool | None:
    """Whether the engine has the model of this name; None where it does not tell."""
    return None if sample.models is None else canonical(name) in sample.models


def loaded(sample: EngineSample, name: str, digest: str | None = None) -> LoadedModel | None:
    """The model of this name as it is in the engine's memory; None: not there, or not told.

    It is known by the digest that this engine has under the name, else by `digest`, else by the name: a name
    may stand for different models on different servers, and a copy is told under the other's name.
    """
    digest = (sample.models or {}).get(canonical(name)) or digest
    for model in sample.loaded or ():
        if digest is None or model.digest is None:
            if canonical(model.name) == canonical(name):
                return model
        elif model.digest == digest:
            return model
    return None


def _load(engine: Engine, answer: bytes, known: EngineSample) -> EngineSample:
    quiet = EngineSample(
        capacity=known.capacity, models=known.models, remote=known.remote, version=known.version
    )
    match engine:
        case Engine.OLLAMA:
            return replace(quiet, loaded=_loaded(answer))
        case Engine.OPENAI:
            return quiet
        case Engine.LLAMA_CPP if answer.lstrip().startswith(b"["):
            return _slots(answer, quiet)
        case Engine.SGLANG if answer.lstrip().startswith(b"{"):
            return _loads(answer, quiet)
        case Engine.VLLM | Engine.SGLANG | Engine.LLAMA_CPP:
            told = metrics.read(engine, answer)
            return replace(
                quiet,
                running=told.running,
                waiting=told.waiting,
                cache_use=told.cache_use,
                output_tokens=told.output_tokens,
            )
        case _:
            assert_never(engine)


def _slots(answer: bytes, quiet: EngineSample) -> EngineSample:
    """From llama.cpp's slots: only while all are taken does a request wait, and how many do is not told."""
    slots = _parsed(answer)
    flags = [slot.get("is_processing") if isinstance(slot, dict) else None for slot in slots or ()]
    if not flags or not all(isinstance(flag, bool) for flag in flags):
        return quiet
    running = flags.count(True)
    return replace(quiet, running=running, waiting=0 if running < len(flags) else None, capacity=len(flags))


def _loads(answer: bytes, quiet: EngineSample) -> EngineSample:
    """From SGLang's /v1/loads, which tells each of its engine cores."""
    loads = _field(_parsed(answer), "loads")
    if not isinstance(loads, list) or not loads:
        return quiet
    return replace(
        quiet,
        running=metrics.count(_numbers(loads, "num_running_reqs")),
        waiting=metrics.count(_numbers(loads, "num_waiting_reqs")),
        capacity=metrics.count(_numbers(loads, "max_running_requests")) or quiet.capacity,
        cache_use=metrics.share(_numbers(loads, "token_usage")),
    )


def _settings(engine: Engine, answer: bytes, known: EngineSample) -> EngineSample:
    body = _parsed(answer)
    capacity = known.capacity
    if engine is Engine.LLAMA_CPP:
        capacity = metrics.count(_numbers([body], "total_slots")) or None
    elif engine is Engine.SGLANG:
        states = _field(body, "internal_states")
        cores = states if isinstance(states, list) and states else [None]
        capacity = metrics.count(_numbers(cores, "effective_max_running_requests_per_dp")) or None
    name = "build_info" if engine is Engine.LLAMA_CPP else "version"
    return replace(known, version=_version(_field(body, name)), capacity=capacity)


def _version(value: object) -> str | None:
    usable = isinstance(value, str) and 0 < len(value) <= _LONGEST_VERSION and value.isprintable()
    return str(value).strip() or None if usable else None


def _models(answer: bytes, known: EngineSample) -> EngineSample:
    """From Ollama's /api/tags."""
    try:
        entries = models.entries(answer, "models", "name")
    except models.NotAModelList:
        return replace(known, models=None, remote=frozenset())
    return replace(
        known,
        models={canonical(name): models.digest(entry) for name, entry in entries.items()},
        remote=frozenset(canonical(name) for name, entry in entries.items() if entry.get("remote_host")),
    )


def _loaded(answer: bytes) -> tuple[LoadedModel, ...] | None:
    """From Ollama's /api/ps."""
    try:
        entries = models.entries(answer, "models", "name")
    except models.NotAModelList:
        return None
    return tuple(
        LoadedModel(
            name,
            models.digest(entry),
            _mib(entry.get("size")),
            _mib(entry.get("size_vram")),
            models.tokens(entry.get("context_length")),
            _moment(entry.get("expires_at")),
        )
        for name, entry in entries.items()
    )


def _moment(text: object) -> float | None:
    """Seconds since 1970 of an RFC 3339 time, also one with nanoseconds or, for "never", in the year 2319."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
        return moment.timestamp() if moment is not None and moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _parsed(answer: bytes) -> Any:
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        return None


def _field(body: object, name: str) -> object:
    return body.get(name) if isinstance(body, dict) else None


def _numbers(entries: Iterable[object], name: str) -> list[float] | None:
    """This field of all entries; None where one has none, or below 0."""
    values: list[float] = []
    for entry in entries:
        value = _field(entry, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _MOST:
            return None
        values.append(value)
    return values


def _mib(size_bytes: object) -> int | None:
    if type(size_bytes) is not int or not 0 <= size_bytes < _MOST:
        return None
    return -(-size_bytes // 2**20)
