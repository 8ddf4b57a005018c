"""Three gateways that know nothing of each other's requests, beside one that has them all.

Each setup gets the same requests at the same times: short ones, at random, and long ones. Of three gateways
one has the long ones, and the others share the short ones: what keeps an engine busy they see by its signals
alone. What counts is the time of the short ones. With own counts alone the same engines are of engine OpenAI,
which is not polled. Exit status 1 where the signals do not keep their promise.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from fakes import folders, program, slot_engine  # noqa: E402 - the tests' fakes are no package
from fakes.slot_engine import SlotEngine  # noqa: E402
from steelyard_cli.engines import fleet, parts  # noqa: E402

MOST_RATIO = 1.3
"""Three gateways' p95 ÷ one gateway's, at most."""

LEAST_WORSE = 1.1
"""Own counts' p95 ÷ that with signals, at least: else they bring nothing."""

ENGINES = 3
"""Engines of each model."""

SLOTS = 2
"""Requests that each fake works on at once; a real one, which shares this machine's cores, works on one."""

LOAD = 0.2
"""Share of all slots that short requests take, and as much again that long ones do."""

TOKEN_SECONDS = 0.05
"""A fake engine's time for a token: a request's time is exact."""

SHORT_TOKENS, LONG_TOKENS = 20, 400
"""A second and twenty of a fake engine."""

MODELS = 10
"""So many such fleets of fakes at once, each with its own model, behind the same gateways: more to count."""

SETUPS = {"one gateway": (1, True), "three, with signals": (3, True), "three, own counts": (3, False)}
"""How many gateways, and whether they poll."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request of the plan."""

    at_seconds: float
    """When, from the beginning."""
    model: str
    """Which model."""
    gateway: int
    """Which of three gateways gets it."""
    tokens: int
    """How long the answer is."""


def main() -> int:
    """Measure, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--engines", choices=("fake", "llamacpp"), default="fake", help="fakes with exact times, or real ones"
    )
    parser.add_argument("--seconds", type=float, default=240.0, help="of load on each setup")
    parser.add_argument("--seed", type=int, default=1, help="of the plan")
    chosen = parser.parse_args()
    measure = _measure_fakes if chosen.engines == "fake" else _measure_llamacpp
    times = measure(chosen)
    return _tell(times)


def plan(
    models: Sequence[str], slots: int, short_seconds: float, chosen: argparse.Namespace
) -> list[Arrival]:
    """What comes when, with so many slots for each model. Long ones are of the first gateway."""
    rand, arrivals = random.Random(chosen.seed), []
    for model in models:
        for tokens, gateways in ((SHORT_TOKENS, (1, 2)), (LONG_TOKENS, (0,))):
            took, at = short_seconds * tokens / SHORT_TOKENS, 0.0
            while (at := at + rand.expovariate(LOAD * slots / took)) < chosen.seconds:
                arrivals.append(Arrival(at, model, rand.choice(gateways), tokens))
    return sorted(arrivals, key=lambda one: one.at_seconds)


def _measure_fakes(chosen: argparse.Namespace) -> dict[str, list[float]]:
    """All setups at once, each with fakes of its own: nothing is at work but time."""
    models = [f"model-{number}" for number in range(MODELS)]
    arrivals = plan(models, ENGINES * SLOTS, SHORT_TOKENS * TOKEN_SECONDS, chosen)
    with ExitStack() as stack:
        urls = {}
        for name, (gateways, polls) in SETUPS.items():
            made = {model: [SlotEngine(SLOTS, TOKEN_SECONDS) for _ in range(ENGINES)] for model in models}
            stack.enter_context(slot_engine.running([one for fakes in made.values() for one in fakes]))
            ports = {model: [one.port for one in fakes] for model, fakes in made.items()}
            urls[name] = stack.enter_context(_gateways(ports, gateways, polls=polls))

        async def run() -> dict[str, list[float]]:
            sent = [_send(at, arrivals) for at in urls.values()]
            return dict(zip(urls, await asyncio.gather(*sent), strict=True))

        return asyncio.run(run())


def _measure_llamacpp(chosen: argparse.Namespace) -> dict[str, list[float]]:
    """One setup after the other on the same engines."""
    found = parts.ensure_parts(print)
    smollm2, _ = fleet.demo_models(found)
    served = [fleet.Served(f"smollm2-{number}", smollm2.model_file, parallel=1) for number in range(ENGINES)]
    with (
        tempfile.TemporaryDirectory() as logs,
        fleet.running(served, site=found.site, log_folder=Path(logs)) as up,
    ):
        ports = {"m": [int(engine.url.rpartition(":")[2]) for engine in up]}
        short_seconds = _seconds_alone(ports["m"][0])
        print(f"a short request takes {short_seconds:.2f} s on an idle engine")
        # The engines share this machine's cores: each is as slow as that where all have work.
        arrivals = plan(["m"], ENGINES, ENGINES * short_seconds, chosen)
        times = {}
        for name, (gateways, polls) in SETUPS.items():
            with _gateways(ports, gateways, polls=polls) as urls:
                times[name] = asyncio.run(_send(urls, arrivals))
        return times


def _seconds_alone(port: int) -> float:
    """What a short request takes on an idle engine, the second time."""
    for _ in range(2):
        began = time.monotonic()
        url = f"http://127.0.0.1:{port}/v1/completions"
        httpx.post(url, json=slot_engine.question(SHORT_TOKENS), timeout=60, trust_env=False)
    return time.monotonic() - began


@contextmanager
def _gateways(ports: dict[str, list[int]], number: int, *, polls: bool) -> Iterator[list[str]]:
    """So many gateways in front of these engines, each a process of its own; their URLs."""
    engine = "LlamaCpp" if polls else "OpenAI"
    metrics = {"engine": {"intervalSeconds": 1}}
    numbers = count()
    backends = [
        folders.backend(f"engine-{next(numbers)}", port, folders.model(model), engine=engine, metrics=metrics)
        for model, every in ports.items()
        for port in every
    ]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        folders.write(Path(folder), *backends)
        yield [stack.enter_context(program.gateway(Path(folder))).url for _ in range(number)]


async def _send(urls: Sequence[str], arrivals: Sequence[Arrival]) -> list[float]:
    """Send what the plan says; the times of the short ones, in seconds."""
    times: list[float] = []
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with (
        httpx.AsyncClient(timeout=600, limits=limits, trust_env=False) as client,
        asyncio.TaskGroup() as tasks,
    ):
        began = time.monotonic()

        async def ask(arrival: Arrival) -> None:
            body = slot_engine.question(arrival.tokens) | {"model": arrival.model}
            url = f"{urls[arrival.gateway % len(urls)]}/v1/completions"
            sent = time.monotonic()
            (await client.post(url, json=body)).raise_for_status()
            if arrival.tokens == SHORT_TOKENS:
                times.append(time.monotonic() - sent)

        for arrival in arrivals:
            await asyncio.sleep(max(began + arrival.at_seconds - time.monotonic(), 0.0))
            tasks.create_task(ask(arrival))
    return times


def _tell(times: dict[str, list[float]]) -> int:
    """Print the figures; 1 where a promise is not kept."""
    p95 = {name: _percentile(every, 95) for name, every in times.items()}
    alone, signals, own = p95.values()
    print(f"{len(times['one gateway'])} short requests")
    print(f"{'':22}{'p50 s':>8}{'p95 s':>8}{'× one':>8}")
    for name, every in times.items():
        print(f"{name:22}{_percentile(every, 50):8.2f}{p95[name]:8.2f}{p95[name] / alone:8.2f}")
    return int(signals > MOST_RATIO * alone or own < LEAST_WORSE * signals)


def _percentile(values: Sequence[float], percent: int) -> float:
    return sorted(values)[min(len(values) * percent // 100, len(values) - 1)]


if __name__ == "__main__":
    sys.exit(main())
