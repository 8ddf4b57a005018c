"""Engines as child processes, on real llama.cpp: they answer, they fail in words, they never stay behind."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from steelyard_cli.engines import fleet
from steelyard_cli.engines.errors import EngineError
from steelyard_cli.engines.fleet import Engine, Served
from steelyard_cli.engines.parts import Parts

GONE_WITHIN_SECONDS = 30

PARENT_OF_AN_ENGINE = """
import os, pathlib, sys
from steelyard_cli.engines import fleet
site, model, logs = map(pathlib.Path, sys.argv[1:])
with fleet.running([fleet.Served("orphan", model)], site=site, log_folder=logs) as engines:
    print(engines[0].process_id, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def smollm2(engine_parts: Parts) -> Served:
    return fleet.demo_models(engine_parts)[0]


def ask(engine: Engine, question: str) -> str:
    body = {"messages": [{"role": "user", "content": question}], "max_tokens": 16, "temperature": 0}
    answer = httpx.post(f"{engine.url}/v1/chat/completions", json=body, timeout=60, trust_env=False)
    return str(answer.raise_for_status().json()["choices"][0]["message"]["content"])


def start_and_expect_an_error(model: Served, parts: Parts, logs: Path, **options: float) -> str:
    with (
        pytest.raises(EngineError) as caught,
        fleet.running([model], site=parts.site, log_folder=logs, **options),
    ):
        pass
    return str(caught.value)


def wait_until_gone(process_descriptor: int) -> bool:
    gone = bool(select.select([process_descriptor], [], [], GONE_WITHIN_SECONDS)[0])
    os.close(process_descriptor)
    return gone


def test_an_engine_lists_its_model_by_its_alias(smollm2_engine: Engine) -> None:
    models = httpx.get(f"{smollm2_engine.url}/v1/models", trust_env=False).raise_for_status().json()["data"]

    assert [model["id"] for model in models] == [smollm2_engine.alias]
    assert models[0]["meta"]["n_ctx"] == 4096


def test_smollm2_can_add(smollm2_engine: Engine) -> None:
    assert "12" in ask(smollm2_engine, "What is 7 + 5? Answer with the number.")


def test_gemma_sees_the_question_and_still_does_not_answer_it(gemma3_engine: Engine) -> None:
    assert "12" not in ask(gemma3_engine, "What is 7 + 5?")
    assert ask(gemma3_engine, "What is 7 + 5?") != ask(gemma3_engine, "Name a colour.")


def test_two_engines_run_at_once_and_both_end_with_the_block(engine_parts: Parts, tmp_path: Path) -> None:
    models = fleet.demo_models(engine_parts)
    with fleet.running(models, site=engine_parts.site, log_folder=tmp_path) as engines:
        descriptors = [os.pidfd_open(engine.process_id) for engine in engines]

        assert [engine.alias for engine in engines] == [model.alias for model in models]
        assert len({engine.url for engine in engines}) == 2
    assert all(map(wait_until_gone, descriptors))


def test_an_error_inside_the_block_ends_the_engine(
    smollm2: Served, engine_parts: Parts, tmp_path: Path
) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        fleet.running([smollm2], site=engine_parts.site, log_folder=tmp_path) as engines,
    ):
        descriptor = os.pidfd_open(engines[0].process_id)
        raise ZeroDivisionError
    assert wait_until_gone(descriptor)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_an_engine_does_not_outlive_its_parent(
    smollm2: Served, engine_parts: Parts, tmp_path: Path, end: signal.Signals
) -> None:
    command = [sys.executable, "-c", PARENT_OF_AN_ENGINE]
    command += [str(engine_parts.site), str(smollm2.model_file), str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        descriptor = os.pidfd_open(int(parent.stdout.readline()))
        parent.send_signal(end)
    assert wait_until_gone(descriptor)


def test_a_port_that_is_taken_is_named(smollm2: Served, engine_parts: Parts, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        message = start_and_expect_an_error(replace(smollm2, port=port), engine_parts, tmp_path)

    assert f"Port {port} on 127.0.0.1 cannot be used (Address already in use)" in message


def test_a_failing_engine_takes_the_others_with_it(
    smollm2: Served, engine_parts: Parts, tmp_path: Path
) -> None:
    port_holder = socket.create_server(("127.0.0.1", 0))
    free_port = port_holder.getsockname()[1]
    port_holder.close()
    absent = Served("absent", tmp_path / "absent.gguf")

    with (
        pytest.raises(EngineError, match="absent"),
        fleet.running(
            [replace(smollm2, port=free_port), absent], site=engine_parts.site, log_folder=tmp_path
        ),
    ):
        pass

    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{free_port}/health", trust_env=False)


def test_a_model_file_that_is_missing_is_named(engine_parts: Parts, tmp_path: Path) -> None:
    missing = tmp_path / "missing.gguf"

    message = start_and_expect_an_error(Served("missing", missing), engine_parts, tmp_path)

    assert message == f"The engine of missing did not start: There is no model file {missing}."


def test_a_file_that_is_no_model_is_told_with_the_end_of_the_log(engine_parts: Parts, tmp_path: Path) -> None:
    (tmp_path / "prose.gguf").write_text("Not a model.")

    message = start_and_expect_an_error(Served("prose", tmp_path / "prose.gguf"), engine_parts, tmp_path)

    assert "did not start" in message
    assert "exiting due to model loading error" in message


def test_a_folder_without_llama_cpp_is_told(smollm2: Served, engine_parts: Parts, tmp_path: Path) -> None:
    message = start_and_expect_an_error(smollm2, replace(engine_parts, site=tmp_path), tmp_path)

    assert "llama.cpp cannot be loaded (No module named 'xllamacpp')" in message


def test_an_engine_that_is_not_ready_in_time_is_told(
    smollm2: Served, engine_parts: Parts, tmp_path: Path
) -> None:
    message = start_and_expect_an_error(smollm2, engine_parts, tmp_path, ready_seconds=0)

    assert "was not ready in time" in message


def test_by_hand_an_engine_prints_one_line_and_ends_with_its_input(
    smollm2: Served, engine_parts: Parts
) -> None:
    command = [sys.executable, "-m", "steelyard_cli.engines.llamacpp", "--alias", "byhand"]
    command += ["--site", str(engine_parts.site), "--model", str(smollm2.model_file)]

    ended = subprocess.run(command, input="", capture_output=True, text=True, check=True)

    assert json.loads(ended.stdout)["ready"] is True
    assert ended.stderr == ""
