"""The load that engines tell in a Prometheus exposition. Pure: bytes in, values out.

Sources: recorded answers of vLLM 0.32 and llama.cpp b11434; SGLang's metrics_collector.py; older vLLM and
llama.cpp, whose caches had other names.

Invariant: a number of which one engine core's part is missing, or cannot be read, is None.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from steelyard.api.backend import Engine
from steelyard.telemetry import exposition

_MOST = 2**53
"""Above, floats are no counts."""

_FULL = 1.01
"""A cache that is this full is full: shares are rounded."""

_TOTALS = (("priority", ""), ("mode", "decode"))
"""SGLang repeats its totals by priority, and counts prompts in other modes: such lines play no part."""

_RANKS = frozenset({"tp_rank", "pp_rank", "moe_ep_rank"})
"""SGLang's processes that share requests; with --enable-metrics-for-all-schedulers each tells them."""


@dataclass(frozen=True, slots=True)
class Load:
    """What an exposition tells, as EngineSample has it."""

    running: int | None
    """Requests that it works on."""
    waiting: int | None
    """Requests that wait in it."""
    cache_use: float | None
    """Share of its cache that is in use."""
    output_tokens: float | None
    """Tokens made since it started."""


@dataclass(frozen=True, slots=True)
class _Names:
    """An engine's names of these. Of several, the first that is told counts."""

    running: str
    waiting: str
    cache_use: tuple[str, ...]
    output_tokens: tuple[str, ...]


_NAMES = {
    Engine.VLLM: _Names(
        "vllm:num_requests_running",
        "vllm:num_requests_waiting",
        ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
        ("vllm:generation_tokens_total",),
    ),
    Engine.SGLANG: _Names(
        "sglang:num_running_reqs",
        "sglang:num_queue_reqs",
        ("sglang:token_usage",),
        # The second counts a request's tokens when it ends.
        ("sglang:realtime_tokens_total", "sglang:generation_tokens_total"),
    ),
    Engine.LLAMA_CPP: _Names(
        "llamacpp:requests_processing",
        "llamacpp:requests_deferred",
        ("llamacpp:kv_cache_usage_ratio",),
        ("llamacpp:tokens_predicted_total",),
    ),
}
_ALL_NAMES = {
    engine: (names.running, names.waiting, *names.cache_use, *names.output_tokens)
    for engine, names in _NAMES.items()
}


def read(engine: Engine, answer: bytes) -> Load:
    """The load, from an exposition of VLLM, SGLANG or LLAMA_CPP."""
    names, lines = _NAMES[engine], _lines(answer, _ALL_NAMES[engine])
    tokens = _by_core(lines, names.output_tokens)
    return Load(
        running=count(_by_core(lines, (names.running,))),
        waiting=count(_by_core(lines, (names.waiting,))),
        cache_use=share(_by_core(lines, names.cache_use)),
        output_tokens=sum(tokens) if tokens and sum(tokens) < _MOST else None,
    )


def count(values: list[float] | None) -> int | None:
    """The sum over engine cores, none of which tells less than 0."""
    total = sum(values) if values else _MOST
    return int(total) if total < _MOST else None


def share(values: list[float] | None) -> float | None:
    """The mean of engine cores, none of which tells less than 0."""
    mean = sum(values) / len(values) if values else _MOST
    return min(mean, 1.0) if mean <= _FULL else None


def _lines(answer: bytes, names: tuple[str, ...]) -> dict[str, list[exposition.Line]]:
    lines: dict[str, list[exposition.Line]] = {}
    for line in exposition.read(answer, names):
        if all(line.labels.get(label, wanted) == wanted for label, wanted in _TOTALS):
            lines.setdefault(line.name, []).append(line)
    return lines


def _by_core(lines: dict[str, list[exposition.Line]], names: Iterable[str]) -> list[float] | None:
    """The value of each engine core; None where one is none, or below 0."""
    told = next((lines[name] for name in names if name in lines), None)
    if told is None:
        return None
    cores: dict[frozenset[tuple[str, str]], float] = {}
    for line in told:
        if line.value is None or line.value < 0:
            return None
        core = frozenset(label for label in line.labels.items() if label[0] not in _RANKS)
        cores[core] = max(line.value, cores.get(core, 0.0))
    return list(cores.values())
