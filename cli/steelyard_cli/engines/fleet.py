"""Engines as child processes: start several, wait until each is ready, stop all of them.

Readiness is the line that `llamacpp` prints, never a guess by time. Nothing here fetches anything.

Invariant: no engine outlives the `with` block, nor this process, however it ends.
"""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from steelyard_cli.engines.errors import EngineError
from steelyard_cli.engines.parts import Parts

READY_SECONDS = 60.0
"""Loading takes one to three seconds on two idle cores; this is for a slow disk."""

STOP_SECONDS = 5.0
"""An engine ends at once when told; after this it is killed."""


SPINS = "1000"
"""How often an engine's thread looks for its siblings before it sleeps: libgomp's number for shared cores.
With its usual one, another busy process makes an engine on two cores ten times slower."""


@dataclass(frozen=True, slots=True)
class Served:
    """One model to be served by an engine of its own."""

    alias: str
    """Name of the model in the engine's API."""
    model_file: Path
    """GGUF file."""
    port: int = 0
    """Port on 127.0.0.1; 0 takes a free one."""
    context_tokens: int = 4096
    """Tokens that each conversation may hold."""
    parallel: int = 4
    """Conversations that are answered at a time; more wait inside the engine."""
    chat_template: str | None = None
    """Name of one of llama.cpp's templates, for a model that brings none."""


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that is ready."""

    alias: str
    """Name of its model."""
    url: str
    """Root of its API, without /v1: http://127.0.0.1:PORT."""
    process_id: int
    """Of the server's own process."""
    log_file: Path
    """What llama.cpp has to say."""


def demo_models(parts: Parts) -> tuple[Served, Served]:
    """The demo's two models: a small one that was taught to answer, and one twice its size that was not."""
    return (
        Served(alias="smollm2-135m-instruct", model_file=parts.smollm2_gguf),
        Served(alias="gemma-3-270m", model_file=parts.gemma3_gguf, chat_template="gemma"),
    )


@contextmanager
def running(
    models: Sequence[Served], *, site: Path, log_folder: Path, ready_seconds: float = READY_SECONDS
) -> Iterator[tuple[Engine, ...]]:
    """One ready engine per model, in their order, stopped in reverse at the end. Raises EngineError."""
    deadline = time.monotonic() + ready_seconds
    with ExitStack() as stack:
        started = []
        for model in models:
            log_file = log_folder / f"{model.alias}.log"
            process = _start(model, site, log_file)
            stack.callback(_stop, process)
            started.append((model.alias, process, log_file))
        yield tuple(_ready(alias, process, log_file, deadline) for alias, process, log_file in started)


def _start(model: Served, site: Path, log_file: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "steelyard_cli.engines.llamacpp", "--site", str(site)]
    command += ["--model", str(model.model_file), "--alias", model.alias, "--port", str(model.port)]
    command += [
        "--context",
        str(model.context_tokens),
        "--parallel",
        str(model.parallel),
        "--log",
        str(log_file),
    ]
    if model.chat_template:
        command += ["--chat-template", model.chat_template]
    # In a session of its own, so that Ctrl-C reaches the parent alone, which stops the engines last.
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        env={"GOMP_SPINCOUNT": SPINS, **os.environ},
    )


def _ready(alias: str, process: subprocess.Popen[bytes], log_file: Path, deadline: float) -> Engine:
    line = _first_line(process, deadline)
    if line is None:
        raise EngineError(f"The engine of {alias} was not ready in time.{_last_words(log_file)}")
    if not line:
        code = process.wait()
        raise EngineError(
            f"The engine of {alias} ended with code {code} while it started.{_last_words(log_file)}"
        )
    answer = json.loads(line)
    if not answer["ready"]:
        raise EngineError(f"The engine of {alias} did not start: {answer['message']}{_last_words(log_file)}")
    return Engine(alias=alias, url=answer["url"], process_id=process.pid, log_file=log_file)


def _first_line(process: subprocess.Popen[bytes], deadline: float) -> bytes | None:
    """The engine's line; empty when it ended without one, None when the deadline passed."""
    assert process.stdout is not None
    line = b""
    while not line.endswith(b"\n"):
        left_seconds = max(0.0, deadline - time.monotonic())
        if not select.select([process.stdout], [], [], left_seconds)[0]:
            return None
        chunk = os.read(process.stdout.fileno(), 4096)
        if not chunk:
            return b""
        line += chunk
    return line


def _last_words(log_file: Path) -> str:
    lines = log_file.read_text(errors="replace").splitlines() if log_file.exists() else []
    return f" Its log {log_file} ends: {' | '.join(lines[-3:])}" if lines else ""


def _stop(process: subprocess.Popen[bytes]) -> None:
    with process:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
