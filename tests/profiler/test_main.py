"""`python -m steelyard_profiler` is what a Job runs: one line on stdout, the same in the termination log."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fakes.profiled_engine import Fault, ProfiledEngine
from steelyard_profiler import command as program
from steelyard_profiler import report


def test_a_measured_model_is_reported_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "termination-log"
    (tmp_path / "key").write_text("token\n")
    environment = {"STEELYARD_MODEL": "m", "STEELYARD_TERMINATION_LOG": str(log)}
    with ProfiledEngine().running() as engine:
        words = ["--url", engine.url, "--api-key-file", str(tmp_path / "key")]
        assert program.main(words, environment) == 0
    printed = capsys.readouterr()
    quality = report.decode(log.read_text()).quality

    assert printed.out == log.read_text() + "\n"
    assert printed.err == ""
    assert quality and quality.overall and quality.overall.score_percent == 100
    assert engine.headers[0]["authorization"] == "Bearer token"


def test_a_failed_run_is_reported_with_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    with ProfiledEngine(fault=Fault.STATUS_404).running() as engine:
        assert program.main(["--url", engine.url, "--model", "m"], {}) == 1
    failure = report.decode(capsys.readouterr().out.strip()).failure

    assert failure and failure.reason == "NotFound"


def test_a_missing_key_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--url", "http://127.0.0.1:9/v1", "--model", "m", "--api-key-file", str(tmp_path / "none")]

    assert program.main(words, {}) == 1
    assert capsys.readouterr().err.endswith("none'\n")


def test_a_certificate_file_without_certificate_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ca").write_text("nothing")
    words = ["--url", "https://127.0.0.1:9/v1", "--model", "m", "--ca-file", str(tmp_path / "ca")]

    assert program.main(words, {}) == 1
    assert capsys.readouterr().err == f"steelyard_profiler: {tmp_path}/ca holds no PEM certificate\n"


def test_a_signal_to_end_is_heard_while_the_imports_load() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "steelyard_profiler"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        next(line for line in process.stderr if line.split()[-1] == "argparse")
        process.send_signal(signal.SIGTERM)
        process.stderr.read()

    assert process.returncode == 128 + signal.SIGTERM
