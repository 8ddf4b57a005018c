"""Engines that are really asked: fake ones of a known latency, and a real one by many seeds."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean, median

from pydantic import BaseModel

from calibration import simulated
from calibration.simulated import Answers
from calibration.tables import Table
from fakes.truthful_engine import Law, TruthfulEngine
from steelyard.api.measuring import LOAD_OUTPUT_TOKENS, ProfileLimits, Suite
from steelyard.api.meta import LocalObjectRef
from steelyard.api.profile import CategoryScore, ModelProfileSpec
from steelyard_profiler import profiling, quality, timing, workload
from steelyard_profiler.asking import Asking, Marks
from steelyard_profiler.drive import Drive
from steelyard_profiler.sampling import Sampler
from steelyard_profiler.session import Session
from steelyard_profiler.target import Target

LAWS = {
    "a small model on two cores": Law(0.02, 900, 45),
    "a small model on a GPU": Law(0.015, 12_000, 160),
    "a large model on a GPU": Law(0.06, 2500, 35),
}
"""Latencies as engines have them."""

_NO_LIMITS = ProfileLimits(max_duration_seconds=86_400, max_tokens=100_000_000)


async def latency() -> Table:
    """What runs of suite Quick find of engines whose latency is known.

    On a busy machine a fake engine is late itself: the error is that against its own clock.
    """
    head = ("engine", "TTFT by law, ms", "kept", "measured", "error", "tokens by second", "measured", "error")
    rows = [await _latency(name, law) for name, law in LAWS.items()]
    return Table("Latency of a fake engine over HTTP", head, tuple(rows))


class Run(BaseModel):
    """One run of a real model, as a file of runs holds it."""

    model: str
    """The model."""
    suite: str
    """The suite with its version."""
    seed: int
    """The seed."""
    scores: tuple[CategoryScore, ...]
    """Of each category."""


async def seeds(target: Target, suite: Suite, numbers: Sequence[int], keep: Path | None) -> Table:
    """How often two seeds say different things of one real model.

    `keep`: a file of runs, one by line: those of this model, suite and seeds are taken from it, others added.
    """
    version = workload.version(suite)
    runs = {run.seed: run for run in _kept(keep) if (run.model, run.suite) == (target.model, version)}
    for seed in numbers:
        if seed not in runs:
            scores = await _scores(target, suite, seed)
            runs[seed] = Run(model=target.model, suite=version, seed=seed, scores=tuple(scores))
            _keep(runs[seed], keep)
        overall = quality.overall(runs[seed].scores).overall
        sys.stderr.write(f"seed {seed}: {overall.score_percent if overall else '-'} %\n")
    found = [{score.name: score for score in runs[seed].scores} for seed in numbers]
    rows = []
    for category in (*workload.TEMPLATES, None):
        named = [category] if category else list(workload.TEMPLATES)
        answers = [
            [_answers(one[name]) for one in half if name in one]
            for name in named
            for half in (found[::2], found[1::2])
        ]
        both = [pair for at in range(0, len(answers), 2) for pair in zip(*answers[at : at + 2], strict=False)]
        rows.append(
            (
                category.value if category else "all",
                f"{len(both)}",
                _percent(one.passed / one.samples for pair in both for one in pair),
                _percent(simulated.differ(*pair) for pair in both),
                _percent(simulated.lie_apart(*pair) for pair in both),
            )
        )
    head = ("category", "pairs", "passed, %", "differ by z, %", "by the intervals, %")
    return Table(f"{target.model}, suite {suite}, two seeds", head, tuple(rows))


def _kept(file: Path | None) -> list[Run]:
    if file is None or not file.exists():
        return []
    return [Run.model_validate_json(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _keep(run: Run, file: Path | None) -> None:
    if file is not None:
        with file.open("a", encoding="utf-8") as held:
            held.write(f"{run.model_dump_json()}\n")


async def _latency(name: str, law: Law) -> tuple[str, ...]:
    engine = TruthfulEngine(law=law)
    spec = ModelProfileSpec(backend_ref=LocalObjectRef(name="fake"), model="m", limits=_NO_LIMITS)
    with engine.running():
        result = await profiling.profile(engine.target, spec, lambda progress: None)
    speed = result.performance
    if speed is None or speed.ttft_ms is None or speed.output_tokens_per_second is None:
        raise RuntimeError(f"the run found no speed: {result.failure}")
    long = [told for told in engine.told if told.tokens == LOAD_OUTPUT_TOKENS][: timing.QUICK.alone]
    wanted_ms = 1000 * law.first_seconds(round(median(told.prompt_tokens for told in long)))
    first_ms = 1000 * median(told.first_seconds for told in long)
    return (
        name,
        f"{wanted_ms:.0f}",
        f"{first_ms:.0f}",
        f"{speed.ttft_ms.p50}",
        f"{100 * (speed.ttft_ms.p50 / first_ms - 1):+.1f} %",
        f"{law.tokens_per_second:.0f}",
        f"{speed.output_tokens_per_second}",
        f"{100 * (speed.output_tokens_per_second / law.tokens_per_second - 1):+.1f} %",
    )


async def _scores(target: Target, suite: Suite, seed: int) -> list[CategoryScore]:
    """Scores of one run without its speed; raises Stopped where the engine fails."""
    marks = Marks()
    async with Drive(target) as drive, Sampler(None) as sampler:
        session = Session(drive, _NO_LIMITS)
        await Asking(session, sampler, lambda progress: None, marks).ask(suite, seed)
    return [marks.score(category) for category in workload.TEMPLATES if marks.has(category)]


def _answers(score: CategoryScore) -> Answers:
    return Answers(
        quality.estimate([score]),
        sum(level.passed for level in score.levels),
        sum(level.samples for level in score.levels),
    )


def _percent(shares: Iterable[float]) -> str:
    found = list(shares)
    return f"{100 * fmean(found):.1f}" if found else ""
