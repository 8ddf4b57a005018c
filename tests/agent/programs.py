"""The agent as users run it: a process of its own, with a driver that a test scripts."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from fakes.nvml.driver import FakeDriver
from kube import waiting

HOSTNAME = "node-1"
SECONDS = 20.0
"""Nothing here takes longer, unless it hangs."""

_REPOSITORY = Path(__file__).parents[2]


class Series:
    """What an exposition says."""

    def __init__(self, text: str) -> None:
        self.text = text
        families = list(text_string_to_metric_families(text))
        self.kinds = {family.name: family.type for family in families}
        # The parser gives counters the ending that OpenMetrics wants; dcgm-exporter's have none.
        self._samples = [
            sample._replace(name=sample.name.removesuffix("_total"))
            for family in families
            for sample in family.samples
        ]

    def labels(self, name: str) -> list[dict[str, str]]:
        """The labels of each line of this name."""
        return [sample.labels for sample in self._samples if sample.name == name]

    def values(self, name: str, label: str = "gpu") -> dict[str, float]:
        """The values of this name, by a label."""
        return {sample.labels.get(label, ""): sample.value for sample in self._samples if sample.name == name}

    def of_gpu(self, gpu: str) -> dict[str, float]:
        """All values of this GPU, by name without its beginning."""
        chosen = [sample for sample in self._samples if sample.labels.get("gpu") == gpu]
        return {sample.name.removeprefix("DCGM_FI_DEV_"): sample.value for sample in chosen}


class Program:
    """An agent that is up."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log
        port = waiting.until(lambda: self.logged("listening"), "a line that tells the port")[0]["port"]
        self.address = ("127.0.0.1", int(port))
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=SECONDS, trust_env=False)

    @property
    def log(self) -> str:
        """All that it wrote."""
        return self._log.read_text()

    def lines(self) -> list[dict[str, Any]]:
        """Its log lines."""
        return [json.loads(line) for line in self.log.splitlines(keepends=True) if line.endswith("\n")]

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Its log lines of this event."""
        return [line for line in self.lines() if line["event"] == event]

    def metrics(self) -> Series:
        """What it says now."""
        answer = self.client.get("/metrics").raise_for_status()
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        return Series(answer.text)

    def health(self) -> dict[str, Any]:
        """How it is now."""
        health: dict[str, Any] = self.client.get("/healthz").json()
        return health

    def wait_for(self, name: str, values: Mapping[str, float]) -> Series:
        """The first exposition in which these are the values, by GPU."""

        def look() -> Series | None:
            series = self.metrics()
            return series if series.values(f"DCGM_FI_DEV_{name}") == values else None

        return waiting.until(look, f"{name} {values}", SECONDS)

    def stop(self) -> int:
        """End it as Kubernetes does; its exit status."""
        self.process.terminate()
        return self.process.wait(SECONDS)


Run = Callable[..., AbstractContextManager[Program]]
"""Starts an agent with these further flags."""


@contextmanager
def running(driver: FakeDriver, folder: Path, *flags: str) -> Iterator[Program]:
    """An agent that looks once a second, on a free port, and asks no kubelet unless the flags say so."""
    words = ["--port=0", "--host=127.0.0.1", "--interval-seconds=1", f"--hostname={HOSTNAME}"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STEELYARD_")}
    log = folder / "agent.log"
    with (
        log.open("wb") as written,
        subprocess.Popen(
            [sys.executable, "-m", "steelyard_agent", *words, "--kubelet-socket=", *flags],
            stderr=written,
            env=environment | driver.environment,
            cwd=_REPOSITORY,
        ) as process,
    ):
        try:
            up = Program(process, log)
            yield up
            up.client.close()
            if process.poll() is None:
                assert up.stop() == 0, up.log
        finally:
            process.kill()
    assert "Traceback" not in up.log, up.log
