"""The calibration's tables hold what they say, and the profiler's numbers hold by them."""

import asyncio
import random
from pathlib import Path

import pytest

from calibration import asked, simulated, tables
from calibration.simulated import World
from fakes.profiled_engine import ProfiledEngine
from steelyard.api.measuring import Suite
from steelyard.api.profile import Category, Level
from steelyard_profiler import workload

RUNS = 300
"""Few: the whole calibration, of 2 000 runs, is `make calibrate`."""

LEAST_PERCENT = 90.0
"""Below 93 % by more than four standard errors of so few runs."""


def coverage(suite: Suite, rate: float, world: World) -> float:
    draws, kinds = random.Random(f"{suite}/{rate}/{world}"), list(workload.TEMPLATES)
    held = [
        simulated.covers(
            simulated.category(workload.PLANS[suite], rate, world, draws, kinds[run % len(kinds)]).estimate,
            rate,
        )
        for run in range(RUNS)
    ]
    return 100 * sum(held) / RUNS


@pytest.mark.parametrize("world", tables.WORLDS)
@pytest.mark.parametrize("suite", Suite)
def test_intervals_hold_the_truth(suite: Suite, world: str) -> None:
    for rate in tables.RATES:
        assert coverage(suite, rate, tables.WORLDS[world]) >= LEAST_PERCENT, rate


def test_a_simulated_model_is_as_good_as_it_is_said_to_be() -> None:
    draws, plan = random.Random(1), workload.PLANS[Suite.FULL]
    for world in tables.WORLDS.values():
        runs = [simulated.category(plan, 0.4, world, draws, Category.MATH) for _ in range(RUNS)]

        assert sum(run.estimate.rate for run in runs) / RUNS == pytest.approx(0.4, abs=0.02)
        assert {run.samples for run in runs} <= set(plan.batch_ends)


def test_models_far_apart_differ_and_a_model_does_not_from_itself() -> None:
    draws, plan = random.Random(1), workload.PLANS[Suite.STANDARD]
    low, same, high = (
        simulated.category(plan, rate, World(), draws, Category.MATH) for rate in (0.3, 0.3, 0.7)
    )

    assert simulated.differ(low, high) and simulated.lie_apart(low, high)
    assert not simulated.differ(low, low) and not simulated.lie_apart(same, same)


def test_every_table_has_a_figure_for_each_column() -> None:
    for table in tables.joined([tables.of_suite(suite, 40, 1) for suite in (Suite.QUICK, Suite.STANDARD)]):
        assert {row[0] for row in table.rows} == {"Quick", "Standard"}
        assert all(len(row) == len(table.head) for row in table.rows), table.title
        assert "|" not in "".join("".join(row) for row in table.rows), "it would be a column of Markdown"


def test_runs_of_a_real_model_are_kept_and_gone_on_with(tmp_path: Path) -> None:
    keep = tmp_path / "runs"
    with ProfiledEngine({(Category.MATH, level): 0.0 for level in Level}).running() as engine:
        asyncio.run(asked.seeds(engine.target(), Suite.QUICK, range(1, 3), keep))
        first, kept = len(engine.bodies), keep.read_text()
        table = asyncio.run(asked.seeds(engine.target(), Suite.QUICK, range(1, 5), keep))
    math, *_, every = table.rows

    assert first * 2 == len(engine.bodies) and keep.read_text().startswith(kept)
    assert math[:3] == ("Math", "2", "0.0") and math[3:] == ("0.0", "0.0")
    assert every[:2] == ("all", "20")
