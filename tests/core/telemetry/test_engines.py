import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.api.backend import Engine
from steelyard.telemetry import engines

RECORDINGS = Path(__file__).parents[2] / "recordings" / "probes"


def recorded(name: str) -> bytes:
    return (RECORDINGS / f"{name}.body").read_bytes()


@pytest.mark.parametrize(
    ("engine", "base_path", "health", "models"),
    [
        (Engine.VLLM, "/v1", "/health", "/v1/models"),
        (Engine.SGLANG, "/llm/v1", "/llm/health", "/llm/v1/models"),
        (Engine.LLAMA_CPP, "/api", "/api/health", "/api/models"),
        (Engine.OLLAMA, "/v1", "/api/version", "/api/tags"),
        (Engine.OPENAI, "/api/v1", "/api/v1/models", "/api/v1/models"),
    ],
)
def test_an_engines_own_paths_are_beside_v1(engine: Engine, base_path: str, health: str, models: str) -> None:
    paths = engines.paths(engine, base_path)
    assert (paths.health, paths.models) == (health, models)


@pytest.mark.parametrize(
    ("engine", "name", "version"),
    [
        (Engine.VLLM, "vllm-0.32.0/version", "0.32.0"),
        (Engine.LLAMA_CPP, "llama.cpp-b11434/props", "b0-unknown"),
        (Engine.OLLAMA, "ollama-0.17.4/version", "0.17.4"),
    ],
)
def test_real_engines_tell_their_version(engine: Engine, name: str, version: str) -> None:
    assert engines.version(engine, recorded(name)) == version


def test_sglang_tells_its_version_among_its_arguments() -> None:
    answer = json.dumps({"model_path": "m", "api_key": "secret", "version": "0.5.20"}).encode()
    assert engines.version(Engine.SGLANG, answer) == "0.5.20"


@pytest.mark.parametrize("value", [None, 5, "", "  ", "1\n2", "x" * 65])
def test_a_version_that_is_none_is_absent(value: object) -> None:
    assert engines.version(Engine.VLLM, json.dumps({"version": value}).encode()) is None


@pytest.mark.parametrize(
    ("engine", "name"), [(Engine.VLLM, "vllm-0.32.0"), (Engine.LLAMA_CPP, "llama.cpp-b11434")]
)
def test_idle_real_engines_are_at_zero_and_not_unknown(engine: Engine, name: str) -> None:
    assert engines.activity(engine, recorded(f"{name}/metrics")) == 0


def test_running_and_waiting_requests_of_every_engine_core_count() -> None:
    metrics = (
        b"# HELP vllm:num_requests_running Number of requests\n"
        b'vllm:num_requests_running{engine="0",model_name="a } 9"} 3.0\n'
        b'vllm:num_requests_running{engine="1",model_name="a"} 1.0\n'
        b'vllm:num_requests_waiting{engine="0"} 2.0 1795255306000\n'
        b'vllm:num_requests_waiting_by_reason{reason="capacity"} 50.0\n'
    )
    assert engines.activity(Engine.VLLM, metrics) == 6


def test_sglangs_gauges_have_names_of_their_own() -> None:
    metrics = b'sglang:num_running_reqs{tp_rank="0"} 4.0\nsglang:num_queue_reqs{tp_rank="0"} 1.0\n'
    assert engines.activity(Engine.SGLANG, metrics) == 5


@pytest.mark.parametrize(
    "metrics",
    [
        b"",
        b"llamacpp:requests_processing 1\n",
        b"llamacpp:requests_processing 1\nllamacpp:requests_deferred NaN\n",
        b"llamacpp:requests_processing 1\nllamacpp:requests_deferred +Inf\n",
        b"llamacpp:requests_processing 1\nllamacpp:requests_deferred -1\n",
        b"llamacpp:requests_processing 1\nllamacpp:requests_deferred many\n",
        b"x llamacpp:requests_processing 1\nllamacpp:requests_deferred 1\n",
    ],
)
def test_what_half_of_the_metrics_tell_is_unknown(metrics: bytes) -> None:
    assert engines.activity(Engine.LLAMA_CPP, metrics) is None


@pytest.mark.parametrize("engine", [Engine.OLLAMA, Engine.OPENAI])
def test_engines_without_metrics_are_never_said_to_be_idle(engine: Engine) -> None:
    assert engines.paths(engine, "/v1").activities == ()
    assert engines.activity(engine, b"") is None


def test_busy_slots_are_counted() -> None:
    busy = recorded("llama.cpp-b11434/slots").replace(b"false}", b"true}", 1)
    assert engines.activity(Engine.LLAMA_CPP, recorded("llama.cpp-b11434/slots")) == 0
    assert engines.activity(Engine.LLAMA_CPP, busy) == 1


@pytest.mark.parametrize("answer", [b"[]", b"{}", b"<html>", b"[1]", b'[{"is_processing": "yes"}]'])
def test_slots_that_tell_nothing_are_unknown(answer: bytes) -> None:
    assert engines.activity(Engine.LLAMA_CPP, answer) is None


@given(st.sampled_from(Engine), st.binary(max_size=200))
def test_any_bytes_can_be_read(engine: Engine, answer: bytes) -> None:
    engines.version(engine, answer)
    engines.activity(engine, answer)
    engines.activity(Engine.LLAMA_CPP, b"[" + answer)
