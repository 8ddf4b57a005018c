"""Containers: what a pod's first container comes to when it is run as a process of this machine.

Nothing here talks to the API server. Invariant: a process that was started has ended when `run` is left.
"""

import asyncio
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MESSAGE_BYTES = 4096
"""A termination message is at most the last so many bytes of its file. Kubernetes,
pkg/kubelet/container/runtime.go: MaxContainerTerminationMessageLength."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a container."""

    exit_code: int = 0
    """0 makes the pod Succeeded, all else Failed."""
    message: str = ""
    """What its termination message file holds."""
    reason: str = ""
    """As OOMKilled; empty: Completed or Error, by the exit code."""


@dataclass(frozen=True, slots=True)
class Container:
    """A process to be."""

    words: list[str]
    """Its command line."""
    environment: dict[str, str]
    """All that it inherits."""
    folder: Path
    """Where it runs and its files are; `log` is its output."""
    message: Path
    """Its termination message."""
    grace_seconds: float
    """How long it may go on after SIGTERM."""


def prepare(pod: dict[str, Any], files: Mapping[str, Mapping[str, bytes]], folder: Path) -> Container:
    """The first container of a pod, with its volumes in `folder`.

    `files`: contents by file name, by volume. A path of a volume or of the termination message is
    replaced wherever a word or a variable names it.
    """
    spec, container = pod["spec"], pod["spec"]["containers"][0]
    folder.mkdir(parents=True, exist_ok=True)
    message = folder / "termination-log"
    places = {container["terminationMessagePath"]: message}
    for mount in container.get("volumeMounts", []):
        place = places[mount["mountPath"]] = folder / "volumes" / mount["name"]
        place.mkdir(parents=True, exist_ok=True)
        for name, content in files.get(mount["name"], {}).items():
            (place / name).write_bytes(content)
    message.touch()
    inside = re.compile("|".join(re.escape(path) for path in sorted(places, key=len, reverse=True)))

    def outside(text: str) -> str:
        return inside.sub(lambda path: str(places[path[0]]), text)

    words = [outside(word) for word in [*container["command"], *container.get("args", [])]]
    if Path(words[0]).name.startswith("python"):
        words[0] = sys.executable
    variables = {entry["name"]: outside(entry.get("value", "")) for entry in container.get("env", [])}
    return Container(
        words=words,
        environment={"PATH": os.environ["PATH"], **variables},
        folder=folder,
        message=message,
        grace_seconds=spec["terminationGracePeriodSeconds"],
    )


async def run(container: Container, ending: asyncio.Event) -> Outcome:
    """Run it to its end; when `ending` is set it is told to end, as a kubelet does."""
    with (container.folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *container.words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=container.environment,
            cwd=container.folder,
        )
    try:
        async with asyncio.TaskGroup() as tasks:
            ender = tasks.create_task(_end(process, ending, container.grace_seconds), name="ender")
            status = await process.wait()
            ender.cancel()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    message = container.message.read_bytes()[-MESSAGE_BYTES:]
    return Outcome(status if status >= 0 else 128 - status, message.decode(errors="replace"))


async def _end(process: asyncio.subprocess.Process, ending: asyncio.Event, grace_seconds: float) -> None:
    await ending.wait()
    process.terminate()
    await asyncio.sleep(grace_seconds)
    process.kill()
