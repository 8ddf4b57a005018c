"""Processes under test: started on their own cores, asked until they answer, and what they cost.

Linux only: /proc tells time and memory. Invariant: whoever starts one ends it, with its children.
"""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_POLL_SECONDS = 0.005
_TICKS = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """The run cannot go on; the message says why."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How a process is started."""

    command: Sequence[str]
    """Program and arguments."""
    environment: Mapping[str, str]
    """Variables besides PATH and HOME: no setting of the caller's leaks in."""


class Program:
    """A process that was started, with its children."""

    def __init__(self, launch: Launch, cores: frozenset[int], log: Path) -> None:
        self.log = log
        """Where all goes that it writes; appended to, so that it can be emptied under way."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.started = time.monotonic()
        with on_cores(cores), log.open("ab") as out:
            self._process = subprocess.Popen(
                launch.command,
                env=kept | dict(launch.environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def cpu_seconds(self) -> float:
        """Time of processors so far, the kernel's for it and its children's included."""
        return sum(_ticks(pid) for pid in tree(self.pid)) / _TICKS

    def peak_rss_mib(self) -> float:
        """The most memory that it and its children ever held, pages that they share counted for each."""
        return sum(_peak_kib(pid) for pid in tree(self.pid)) / 1024

    def stop(self) -> None:
        """End it and its children at once: nothing of theirs is kept."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


@contextlib.contextmanager
def on_cores(cores: frozenset[int]) -> Iterator[None]:
    """What is started inside runs on these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def wait_for_answer(program: Program, port: int, body: bytes, patience_seconds: float) -> float:
    """Ask until a chat request is answered well; seconds since the program's start."""
    while time.monotonic() - program.started < patience_seconds:
        if not program.is_running():
            raise BenchError(f"it ended at once: {tail(program.log)}")
        if _answers(port, body):
            return time.monotonic() - program.started
        time.sleep(_POLL_SECONDS)
    raise BenchError(f"no good answer within {patience_seconds:.0f} s: {tail(program.log)}")


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def tail(log: Path) -> str:
    """The last lines of a log."""
    return log.read_text(errors="replace")[-2000:] or "it wrote nothing"


def tree(root: int) -> list[int]:
    """The process and all below it."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (fields := _stat(int(folder.name))):
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def _answers(port: int, body: bytes) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request(
            "POST",
            "/v1/chat/completions",
            body,
            {"content-type": "application/json", "authorization": "Bearer x"},
        )
        answer = connection.getresponse()
        return answer.status == 200 and b'"choices"' in answer.read1()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _ticks(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[11]) + int(fields[12]) if fields else 0


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name, state first; empty where the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _peak_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)
