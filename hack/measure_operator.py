"""What the operator costs with many backends and profiles: until its last write, and then at rest.

A real API server and one fake engine behind every backend; the operator runs with its shipped roles. Exit
status 1 where a bound is missed.
"""

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import kube_binaries  # noqa: E402 - the tests' fakes are no package
from kube import control_plane, programs, reports, waiting  # noqa: E402
from kube.programs import Operator, Programs  # noqa: E402
from kube.spaces import Space  # noqa: E402
from steelyard.api import profile as profiles  # noqa: E402
from steelyard.kube import kinds  # noqa: E402
from steelyard_profiler import report  # noqa: E402

MOST_MIB = 200.0
"""The most memory that it may take."""

MOST_PERCENT = 5.0
"""The most of one core that it may take."""

MOST_SETTLE_SECONDS = 60.0
"""The longest until its last write, from its begin on."""

QUIET_SECONDS = 15.0
"""It is at rest when it has written nothing for so long."""

PATIENCE_SECONDS = 300.0
"""It is at rest after so long, or something is wrong."""

MODELS = ("qwen3-4b", "llama-3.1-8b", "gemma-3-12b")
"""What the engine serves."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used by now."""

    at: float
    """When, in seconds."""
    processor_seconds: float
    """Time of processors, its own and the kernel's for it."""
    rss_mib: float
    """Memory that it holds."""
    writes: float
    """Statuses written."""
    probes: float
    """Engines asked."""


def main() -> int:
    """Measure, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backends", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long it is watched at rest")
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        control_plane.running(kube_binaries.find(print), Path(folder), ROOT / "crds") as up,
        programs.engine(*MODELS) as port,
    ):
        space = Space(up, up.create_namespace())
        programs.grant(up, space.namespace)
        for number in range(chosen.backends):
            _fill(space, f"engine-{number:03}", f"http://127.0.0.1:{port}/{number}/v1")
        with Programs(up, space.namespace, Path(folder)).operator() as operator:
            settled = _settled(operator, space, chosen.backends)
            before = _usage(operator)
            time.sleep(chosen.seconds)
            after = _usage(operator)
    return _told(settled, before, after, chosen.backends)


def _fill(space: Space, backend: str, url: str) -> None:
    """A backend and a measured profile of each of its models, as the operator makes them."""
    made = space.apply(kinds.LLM_BACKEND, backend, {"engine": "VLLM", "url": url})
    owner = {"apiVersion": made["apiVersion"], "kind": made["kind"], "name": backend}
    for model in MODELS:
        name = profiles.automatic_name(backend, model)
        metadata = {"ownerReferences": [{**owner, "uid": made["metadata"]["uid"]}]}
        spec = {"backendRef": {"name": backend}, "model": model}
        space.apply(kinds.MODEL_PROFILE, name, spec, metadata=metadata)
        space.patch(kinds.MODEL_PROFILE, f"{name}/status", {"status": _status()})


def _status() -> dict[str, Any]:
    """The status of a profile that was measured just now."""
    result = report.decode(reports.line())
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert result.quality is not None
    return {
        "quality": result.quality.model_dump(mode="json", by_alias=True, exclude_none=True),
        "fingerprint": {"suite": result.fingerprint.suite, "seed": 1, "time": now},
        "run": {"startTime": now, "completionTime": now, "jobName": "mprof-0", "attempts": 1},
    }


def _settled(operator: Operator, space: Space, count: int) -> float:
    """Seconds until nothing is written any more, and every backend is ready."""
    began = since = time.monotonic()
    last = space.versions()

    def at_rest() -> bool:
        nonlocal last, since
        time.sleep(1)
        now = space.versions()
        if now != last:
            last, since = now, time.monotonic()
        is_idle = operator.metric("steelyard_operator_queue_depth") == 0
        return is_idle and time.monotonic() - since >= QUIET_SECONDS

    waiting.until(at_rest, "rest", PATIENCE_SECONDS)
    ready = [
        condition
        for backend in space.all(kinds.LLM_BACKEND)
        for condition in backend["status"]["conditions"]
        if condition["type"] == "Ready" and condition["status"] == "True"
    ]
    assert len(ready) == count, f"{len(ready)} of {count} backends are ready"
    assert not space.all(kinds.JOB), "profiles were to be measured already"
    return since - began


def _usage(operator: Operator) -> Usage:
    folder = Path("/proc", str(operator.process.pid))
    fields = folder.joinpath("stat").read_text().rpartition(")")[2].split()
    pages = int(folder.joinpath("statm").read_text().split()[1])
    return Usage(
        at=time.monotonic(),
        processor_seconds=(int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
        rss_mib=pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
        writes=operator.metric("steelyard_operator_status_writes_total"),
        probes=operator.metric("steelyard_operator_probes_total"),
    )


def _told(settled: float, before: Usage, after: Usage, count: int) -> int:
    """Print the figures; 1 where one of them is too large."""
    seconds = after.at - before.at
    percent = 100 * (after.processor_seconds - before.processor_seconds) / seconds
    writes, probes = after.writes - before.writes, after.probes - before.probes
    print(f"{count} backends, {count * len(MODELS)} profiles, {seconds:.0f} s at rest")
    print(f"last write after {settled:5.0f} s,   at most {MOST_SETTLE_SECONDS:.0f}")
    print(f"memory          {after.rss_mib:6.1f} MiB     at most {MOST_MIB:.0f}")
    print(f"processor       {percent:6.2f} % of a core, at most {MOST_PERCENT:.0f}")
    print(f"status writes   {writes:6.0f}, at most 0; {before.writes:.0f} before")
    print(f"probes          {probes:6.0f}")
    is_late = settled > MOST_SETTLE_SECONDS
    return int(is_late or after.rss_mib > MOST_MIB or percent > MOST_PERCENT or writes > 0)


if __name__ == "__main__":
    sys.exit(main())
