"""Each command through its real entry point: what it prints, and how it ends when something is wrong."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from steelyard_cli import __main__ as cli

Steelyard = Callable[..., subprocess.CompletedProcess[str]]

FOLDER = """\
apiVersion: steelyard.dev/v1alpha1
kind: LLMBackend
metadata: {name: alpha}
spec:
  engine: VLLM
  url: http://127.0.0.1:8000
  models: [{name: small}, {name: large}]
---
apiVersion: steelyard.dev/v1alpha1
kind: RoutingPolicy
metadata: {name: auto}
spec:
  models: [{name: auto}]
"""
NO_SECRET = """\
---
apiVersion: steelyard.dev/v1alpha1
kind: LLMBackend
metadata: {name: locked}
spec:
  engine: VLLM
  url: http://127.0.0.1:8001
  models: [{name: secretive}]
  credentialsRef: {name: absent, key: token}
"""
SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"
QUESTION = "What is 17 + 25?"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good folder of resources."""
    made = tmp_path / "conf"
    made.mkdir()
    (made / "all.yaml").write_text(FOLDER)
    return made


def add(folder: Path, text: str) -> None:
    with (folder / "all.yaml").open("a") as file:
        file.write(text)


def request(tmp_path: Path, **body: Any) -> Path:
    path = tmp_path / "request.json"
    path.write_text(json.dumps({"model": "auto", "messages": [{"role": "user", "content": QUESTION}]} | body))
    return path


def refused(ended: subprocess.CompletedProcess[str], code: int = 1) -> str:
    """The one line of a command that could not do its work."""
    assert (ended.returncode, ended.stdout) == (code, "")
    [line] = ended.stderr.splitlines()
    return line


def test_without_a_word_the_commands_are_listed_and_the_status_is_that_of_a_mistake(
    steelyard: Steelyard,
) -> None:
    bare, asked = steelyard(), steelyard("--help")

    assert (bare.returncode, asked.returncode) == (2, 0)
    assert bare.stdout == asked.stdout
    assert {line.split()[0] for line in asked.stdout.splitlines() if line.startswith("  ")} == {*cli.COMMANDS}
    assert max(map(len, asked.stdout.splitlines())) <= 80


def test_a_word_that_is_no_command_is_told_with_those_that_are(steelyard: Steelyard) -> None:
    line = refused(steelyard("profle"), code=2)

    assert line.startswith("steelyard: 'profle' is no command; these are: demo, gateway, operator")


@pytest.mark.parametrize("word", cli.COMMANDS)
def test_help_names_each_setting_as_flag_and_as_variable(steelyard: Steelyard, word: str) -> None:
    text = " ".join(steelyard(word, "--help").stdout.split())

    assert f"usage: steelyard {word}" in text
    assert "STEELYARD_" in text
    for variable in {part.strip("[];") for part in text.split() if part.startswith("[STEELYARD_")}:
        assert f" --{variable.removeprefix('STEELYARD_').lower().replace('_', '-')} " in text


def test_a_setting_from_the_environment_is_checked_like_a_flag(steelyard: Steelyard, folder: Path) -> None:
    wrong = steelyard("gateway", "--source", f"file:{folder}", STEELYARD_PORT="70000")
    right = steelyard("get", "backends", STEELYARD_SOURCE=f"file:{folder}", STEELYARD_NAMESPACE="other")

    assert wrong.returncode == 2
    assert "argument --port: '70000' is not a whole number from 0 to 65535" in wrong.stderr
    assert refused(right, code=0) == "No backends in namespace other."


def test_a_good_folder_is_valid(steelyard: Steelyard, folder: Path) -> None:
    ended = steelyard("validate", folder)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "1 backends, 0 profiles, 1 policies: 3 names can be asked for.\n"


def test_a_broken_file_is_told_by_file_line_and_field(steelyard: Steelyard, folder: Path) -> None:
    add(folder, "  gaol: Best\n")

    line = refused(steelyard("validate", folder))

    assert line == f"{folder}/all.yaml:14: spec.gaol: unknown field; did you mean `goal`?"


def test_a_resource_that_refers_to_nothing_is_excluded_with_its_reason(
    steelyard: Steelyard, folder: Path
) -> None:
    add(folder, NO_SECRET)

    ended = steelyard("validate", folder)

    assert (ended.returncode, ended.stderr) == (1, "")
    assert ended.stdout.splitlines() == [
        "excluded: LLMBackend locked: SecretNotFound: spec.credentialsRef names Secret default/absent, "
        "which does not exist or lacks the label steelyard.dev/kind=backend-credential: "
        "create it or set the label.",
        "2 backends, 0 profiles, 1 policies: 3 names can be asked for.",
    ]


def test_explain_prints_the_decision_and_heeds_headers(steelyard: Steelyard, tmp_path: Path) -> None:
    asked = request(tmp_path)

    usual = json.loads(steelyard("explain", SAMPLES, asked).stdout)
    steered = json.loads(steelyard("explain", SAMPLES, asked, "--header", "X-Steelyard-Goal: Best").stdout)

    assert (usual["goal"], usual["category"], usual["policy"]) == ("Cheapest", "Math", "auto")
    assert usual["chosen"]["backend"] == "vllm-llama"
    assert (steered["goal"], steered["chosen"]["backend"]) == ("Best", "llamacpp-qwen")


def test_explain_says_in_a_line_why_there_is_no_decision(
    steelyard: Steelyard, folder: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"model": ')
    unknown = request(tmp_path, model="gpt-9")

    lines = [
        refused(steelyard("explain", folder, unknown)),
        refused(steelyard("explain", folder, bad)),
        refused(steelyard("explain", folder, tmp_path / "absent.json")),
        refused(steelyard("explain", tmp_path / "absent", unknown)),
        refused(steelyard("explain", folder, unknown, "--header", "no-colon"), code=2),
    ]

    assert lines[0].startswith("The model 'gpt-9' does not exist")
    assert "JSON" in lines[1]
    assert lines[2] == f"{tmp_path}/absent.json: No such file or directory"
    assert lines[3] == f"{tmp_path}/absent: cannot be read as a directory: No such file or directory"
    assert lines[4] == "--header 'no-colon' has no colon: write NAME:VALUE"


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        ("backends", ["NAME ENGINE READY MODELS AGE", "alpha VLLM True 2", "locked VLLM False 1"]),
        ("policies", ["NAME MODELS GOAL CANDIDATES READY AGE", "auto auto Cheapest 2/2 True"]),
        ("profiles", []),
    ],
)
def test_get_prints_a_table_of_what_the_files_tell(
    steelyard: Steelyard, folder: Path, kind: str, rows: list[str]
) -> None:
    add(folder, NO_SECRET)

    ended = steelyard("get", kind, "--source", f"file:{folder}")

    assert ended.returncode == 0
    assert [" ".join(line.split()) for line in ended.stdout.splitlines()] == rows
    assert ended.stderr == ("" if rows else "No profiles in namespace default.\n")


def test_get_shows_a_policy_that_selects_nothing_as_not_ready(steelyard: Steelyard, tmp_path: Path) -> None:
    lonely = "kind: RoutingPolicy\nmetadata: {name: lonely}\nspec: {models: [{name: auto}]}\n"
    (tmp_path / "all.yaml").write_text(f"apiVersion: steelyard.dev/v1alpha1\n{lonely}")

    ended = steelyard("get", "policies", "--source", f"file:{tmp_path}")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[1].split()[:3] == ["lonely", "auto", "Cheapest"]
    assert "False" in ended.stdout


def test_get_refuses_a_broken_folder_as_validate_does(steelyard: Steelyard, folder: Path) -> None:
    add(folder, "  gaol: Best\n")

    line = refused(steelyard("get", "policies", "--source", f"file:{folder}"))

    assert line == f"{folder}/all.yaml:14: spec.gaol: unknown field; did you mean `goal`?"


def test_a_reader_that_leaves_early_gets_no_traceback(folder: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)

    ended = subprocess.run(
        [sys.executable, "-m", "steelyard_cli", "get", "backends", "--source", f"file:{folder}"],
        stdout=writing,
        stderr=subprocess.PIPE,
    )

    os.close(writing)
    assert (ended.returncode, ended.stderr) == (128 + signal.SIGPIPE, b"")


def test_the_gateway_says_in_a_line_why_it_cannot_start(steelyard: Steelyard, folder: Path) -> None:
    missing = refused(steelyard("gateway", "--source", f"file:{folder}/absent"))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        taken = steelyard("gateway", "--source", f"file:{folder}", "--port", str(port), "--admin-port", "0")
    add(folder, "  gaol: Best\n")
    broken = refused(steelyard("gateway", "--source", f"file:{folder}", "--port", "0", "--admin-port", "0"))

    assert missing == f"{folder}/absent: cannot be read as a directory: No such file or directory"
    assert broken == f"{folder}/all.yaml:14: spec.gaol: unknown field; did you mean `goal`?"
    assert taken.returncode == 1
    *log, line = taken.stderr.splitlines()
    assert line == (
        f"Cannot listen on 127.0.0.1:{port} (Address already in use): choose another with --port."
    )
    assert all(json.loads(entry)["level"] == "INFO" for entry in log)


@pytest.mark.parametrize(
    ("word", "package", "extra"), [("operator", "kopf", "kubernetes"), ("agent", "pynvml", "agent")]
)
def test_a_command_without_its_packages_says_how_to_get_them(word: str, package: str, extra: str) -> None:
    without = f"import sys; sys.modules[{package!r}] = None; from steelyard_cli.__main__ import main; "
    words = [sys.executable, "-c", without + f"sys.exit(main([{word!r}, '--help']))"]
    ended = subprocess.run(words, capture_output=True, text=True)

    said = f"steelyard {word} needs {package}: pip install 'steelyard[{extra}]'\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", said)
