"""Compares `steelyard agent` with nvidia-smi on this machine; see gpu_check.sh.

A figure is right if it lies between what nvidia-smi says before and after, give or take its tolerance; one
that nvidia-smi does not have must be absent. Energy is compared with the power that was drawn meanwhile.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 60.0
"""A driver without persistence mode takes long to begin."""

ENERGY_TOLERANCE, ENERGY_SLACK_JOULES = 0.35, 10.0
"""By how much the energy may differ from what follows from the power at the beginning and the end."""

Figures = dict[str, float | None]
"""Of one GPU, by name; None: it has none."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What both tell."""

    name: str
    """dcgm-exporter's name, without its beginning."""
    query: str
    """nvidia-smi's name."""
    tolerance: float
    """By how much they may differ, in the unit of the figure."""
    relative: float = 0.0
    """And by which share of it."""


COMPARED = (
    Compared("FB_USED", "memory.used", 64),
    Compared("FB_RESERVED", "memory.reserved", 2),
    Compared("FB_FREE", "memory.free", 64),
    Compared("GPU_UTIL", "utilization.gpu", 20),
    Compared("MEM_COPY_UTIL", "utilization.memory", 20),
    Compared("ENC_UTIL", "utilization.encoder", 20),
    Compared("DEC_UTIL", "utilization.decoder", 20),
    Compared("GPU_TEMP", "temperature.gpu", 3),
    Compared("MEMORY_TEMP", "temperature.memory", 3),
    Compared("POWER_USAGE", "power.draw", 15, 0.2),
    Compared("SM_CLOCK", "clocks.sm", 50, 0.5),
    Compared("MEM_CLOCK", "clocks.mem", 50, 0.1),
    Compared("ECC_SBE_VOL_TOTAL", "ecc.errors.corrected.volatile.total", 0),
    Compared("ECC_DBE_VOL_TOTAL", "ecc.errors.uncorrected.volatile.total", 0),
    Compared("ECC_SBE_AGG_TOTAL", "ecc.errors.corrected.aggregate.total", 0),
    Compared("ECC_DBE_AGG_TOTAL", "ecc.errors.uncorrected.aggregate.total", 0),
)
ENERGY = "TOTAL_ENERGY_CONSUMPTION"

_LINE = re.compile(r'^DCGM_FI_DEV_(\w+)\{[^}]*\bUUID="([^"]+)"[^}]*\} (\S+)$', re.MULTILINE)


def main() -> int:
    """Compare, then profile where that is asked for; the exit status."""
    parser = argparse.ArgumentParser(prog="gpu_check.sh", description=__doc__)
    parser.add_argument(
        "--url", help="an engine on this machine's GPU, to be profiled, as http://127.0.0.1:8000"
    )
    parser.add_argument("--engine", default="VLLM", help="which it is, as in spec.engine (VLLM)")
    parser.add_argument("--model", help="its model")
    parser.add_argument("--seconds", type=float, default=5.0, help="for how long energy is measured (5)")
    arguments = parser.parse_args()
    if shutil.which("nvidia-smi") is None:
        sys.stderr.write(
            "There is no nvidia-smi here: run this on a machine with an NVIDIA GPU and its driver.\n"
        )
        return 1
    with agent() as url:
        is_right = compare(url, arguments.seconds)
        if arguments.url and arguments.model:
            profile(url, arguments.url, arguments.engine, arguments.model)
    return 0 if is_right else 1


@contextmanager
def agent() -> Iterator[str]:
    """An agent's metrics, as soon as it tells of a GPU."""
    words = [sys.executable, "-m", "steelyard_agent", "--port=0", "--host=127.0.0.1", "--interval-seconds=1"]
    with subprocess.Popen([*words, "--kubelet-socket="], stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            url = f"http://127.0.0.1:{json.loads(line)['port']}/metrics"
            deadline = time.monotonic() + START_SECONDS
            while not told_by_agent(url) and time.monotonic() < deadline:
                time.sleep(0.2)
            yield url
        finally:
            process.terminate()


def compare(url: str, pause_seconds: float) -> bool:
    """Print a table of all figures; whether all are right."""
    before, first, began = told_by_smi(), told_by_agent(url), time.monotonic()
    time.sleep(pause_seconds)
    second, after = told_by_agent(url), told_by_smi()
    seconds = time.monotonic() - began
    is_right = bool(before)
    for uuid, figures in after.items():
        print(f"{uuid}\n  {'':26}{'nvidia-smi':>24}{'agent':>14}")
        mine = second.get(uuid, {})
        for one in COMPARED:
            bounds = (before.get(uuid, {}).get(one.query), figures[one.query])
            is_good = fits(one, bounds, mine.get(one.name))
            shown = " to ".join("absent" if bound is None else f"{bound:g}" for bound in bounds)
            is_right &= _row(one.name, shown, mine.get(one.name), is_good)
        drawn = _joules(figures["power.draw"], before.get(uuid, {}).get("power.draw"), seconds)
        metered = _metered(first.get(uuid, {}), mine)
        is_good = drawn is metered is None
        if drawn is not None and metered is not None:
            is_good = abs(metered - drawn) <= ENERGY_SLACK_JOULES + ENERGY_TOLERANCE * drawn
        shown = "absent" if drawn is None else f"about {drawn:.0f}"
        is_right &= _row("joules meanwhile", shown, metered, is_good)
    print("All figures agree." if is_right else "They differ.")
    return is_right


def fits(one: Compared, bounds: tuple[float | None, ...], mine: float | None) -> bool:
    """Whether the agent's figure is right, given what nvidia-smi said before and after."""
    known = [bound for bound in bounds if bound is not None]
    if not known or mine is None:
        return not known and mine is None
    slack = one.tolerance + one.relative * max(known)
    return min(known) - slack <= mine <= max(known) + slack


def told_by_smi() -> Mapping[str, Figures]:
    """What nvidia-smi says of each GPU, by its own names."""
    queries = [one.query for one in COMPARED]
    words = ["nvidia-smi", f"--query-gpu=uuid,{','.join(queries)}", "--format=csv,noheader,nounits"]
    told: dict[str, Figures] = {}
    for line in subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines():
        uuid, *values = (part.strip() for part in line.split(","))
        told[uuid] = {name: _number(value) for name, value in zip(queries, values, strict=True)}
    return told


def told_by_agent(url: str) -> Mapping[str, Figures]:
    """What the agent says of each GPU."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own agent
        text = answer.read().decode()
    told: dict[str, Figures] = {}
    for name, uuid, value in _LINE.findall(text):
        told.setdefault(uuid, {})[name] = float(value)
    return told


def profile(metrics: str, url: str, engine: str, model: str) -> None:
    """Profile this engine with the agent's figures, and show what was written of them."""
    gpu = {"gpu": {"url": metrics}}
    backend = {"engine": engine, "url": url, "models": [{"name": model}], "metrics": gpu}
    document = {
        "apiVersion": "steelyard.dev/v1alpha1",
        "kind": "LLMBackend",
        "metadata": {"name": "checked"},
        "spec": backend,
    }
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "backend.json").write_text(json.dumps(document))
        steelyard = [sys.executable, "-m", "steelyard_cli"]
        subprocess.run([*steelyard, "profile", "--source", f"file:{folder}"], check=True)
        for file in sorted(Path(folder).iterdir()):
            print(file.read_text())


def _row(name: str, shown: str, mine: float | None, is_good: bool) -> bool:
    said = "absent" if mine is None else f"{mine:g}"
    print(f"  {name:26}{shown:>24}{said:>14}{'' if is_good else '   differs'}")
    return is_good


def _number(text: str) -> float | None:
    """nvidia-smi's figure; it writes [N/A], [Not Supported] or N/A for what there is not."""
    try:
        return float(text)
    except ValueError:
        return None


def _joules(one: float | None, other: float | None, seconds: float) -> float | None:
    return None if one is None or other is None else (one + other) / 2 * seconds


def _metered(first: Figures, second: Figures) -> float | None:
    began, ended = first.get(ENERGY), second.get(ENERGY)
    return None if began is None or ended is None else (ended - began) / 1000


if __name__ == "__main__":
    sys.exit(main())
