"""The gateway as users run it: a process of its own over a folder of resources."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

import httpx

SECONDS = 20.0
"""Nothing here takes longer, unless it hangs."""

_REPOSITORY = Path(__file__).parents[2]


class Gateway:
    """A gateway that is up."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self._queue: Queue[bytes] = Queue()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()
        listening = self.wait_for("listening")
        self.url: str = listening["url"]
        self.admin_url: str = listening["admin"]
        self.client = httpx.Client(base_url=self.url, timeout=SECONDS, trust_env=False)
        self.admin = httpx.Client(base_url=self.admin_url, timeout=SECONDS, trust_env=False)

    def wait_for(self, event: str) -> dict[str, Any]:
        """The next log line of this event; the lines before it are in `lines`."""
        while True:
            try:
                text = self._queue.get(timeout=SECONDS)
            except Empty:
                raise AssertionError(f"no line {event!r} came after {self.lines}") from None
            assert text, f"the gateway ended with {self.process.wait()}: {self.lines}"
            line: dict[str, Any] = json.loads(text)
            self.lines.append(line)
            if line["event"] == event:
                return line

    def wait_for_silence(self) -> None:
        """Wait until nobody is left who could write a line."""
        self._reader.join(SECONDS)
        assert not self._reader.is_alive()

    def chat(self, text: str = "What is 7 + 5?", model: str = "auto", **headers: str) -> httpx.Response:
        """The answer to one chat request; header names are written with underscores."""
        body = {"model": model, "messages": [{"role": "user", "content": text}]}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post("/v1/chat/completions", json=body, headers=named)

    def close(self) -> None:
        """End it: as Kubernetes does or, where that was done, at once."""
        self.client.close()
        self.admin.close()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(SECONDS)
        self._reader.join(SECONDS)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._queue.put(line)
        self._queue.put(b"")


@contextmanager
def gateway(directory: Path, *flags: str) -> Iterator[Gateway]:
    """A gateway over this folder, on free ports; no grace time unless the flags say one."""
    source, ports = ["--source", f"file:{directory}"], ["--port", "0", "--admin-port", "0"]
    words = ["-m", "steelyard_gateway", *source, *ports, "--grace-seconds", "0"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STEELYARD_")}
    with subprocess.Popen(
        [sys.executable, *words, *flags], stderr=subprocess.PIPE, env=environment, cwd=_REPOSITORY
    ) as process:
        try:
            with closing(Gateway(process)) as up:
                yield up
            assert process.returncode == 0
        finally:
            process.kill()
