"""What polling costs a gateway at rest: the share of a core, beside the same endpoints not polled.

Each endpoint is a loopback address where a fake vLLM tells what a real one told of itself. Those that are not
polled are of engine OpenAI, which tells nothing. Exit status 1 where the bound is missed.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from bench import resources  # noqa: E402 - the tests' fakes are no package
from fakes import program, slot_engine  # noqa: E402
from fakes.program import Gateway  # noqa: E402
from fakes.slot_engine import SlotEngine  # noqa: E402
from kube import waiting  # noqa: E402

MOST_PERCENT = 15.0
"""The most of one core that polls of `BOUND_ENDPOINTS` may take at the usual interval of 2 s."""

BOUND_ENDPOINTS = 1000
"""Of more nothing was promised."""

SETTLE_SECONDS = 5.0
"""After this every endpoint was asked once, and all connections stand."""

TOLD = ROOT / "tests" / "recordings" / "probes" / "vllm-0.32.0" / "metrics.body"
"""What a vLLM told, 61 kB."""


def main() -> int:
    """Measure, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoints", type=int, default=BOUND_ENDPOINTS, help="so many endpoints")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long each of the two is measured")
    chosen = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    engine = SlotEngine(1, 1.0, TOLD.read_bytes())
    with slot_engine.running([engine], host="0.0.0.0"):  # noqa: S104 - all of 127.0.0.0/8
        percents = {name: _percent(name, engine.port, chosen) for name in ("OpenAI", "VLLM")}
    polls = percents["VLLM"] - percents["OpenAI"]
    print(f"{chosen.endpoints} endpoints, {TOLD.stat().st_size / 1000:.0f} kB every 2 s from each")
    print(f"not polled  {percents['OpenAI']:5.1f} % of a core")
    print(f"polled      {percents['VLLM']:5.1f} % of a core")
    print(
        f"polls       {polls:5.1f} % of a core, at most {MOST_PERCENT:.0f} with {BOUND_ENDPOINTS} endpoints"
    )
    return int(chosen.endpoints <= BOUND_ENDPOINTS and polls > MOST_PERCENT)


def _percent(engine: str, port: int, chosen: argparse.Namespace) -> float:
    """The share of a core that a gateway at rest takes with endpoints of this engine."""
    objects = resources.many_endpoints(port, chosen.endpoints)
    objects[0]["spec"]["engine"] = engine
    with (
        tempfile.TemporaryDirectory() as folder,
        program.gateway(resources.write(Path(folder, "conf"), objects), "--drain-seconds", "1") as gateway,
    ):
        waiting.until(lambda: gateway.admin.get("/readyz").status_code == 200, "readiness")
        if engine == "VLLM":
            waiting.until(lambda: None not in _ages(gateway), "a sample of each endpoint")
        time.sleep(SETTLE_SECONDS)
        began, before = time.monotonic(), _cpu_seconds(gateway)
        time.sleep(chosen.seconds)
        return (_cpu_seconds(gateway) - before) / (time.monotonic() - began) * 100


def _ages(gateway: Gateway) -> list[Any]:
    (pair,) = gateway.admin.get("/admin/table").json()["candidates"]
    return [endpoint["sample"]["ageSeconds"] for endpoint in pair["endpoints"]]


def _cpu_seconds(gateway: Gateway) -> float:
    """Time of processors that it took so far, the kernel's for it included."""
    stat = Path("/proc", str(gateway.process.pid), "stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
