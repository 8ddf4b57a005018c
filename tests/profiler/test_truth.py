"""What is true of an engine is what a run finds, over HTTP and with all its parts."""

import asyncio
import json
from dataclasses import replace
from statistics import median

import pytest

from fakes.profiled_engine import Fault, ProfiledEngine
from fakes.truthful_engine import Law, TruthfulEngine
from steelyard.api.measuring import LOAD_OUTPUT_TOKENS, Suite
from steelyard.api.meta import LocalObjectRef
from steelyard.api.profile import Category, Level, ModelProfileSpec, Quality
from steelyard_profiler import profiling, quality, timing, workload
from steelyard_profiler.asking import PROBES_AT_ONCE
from steelyard_profiler.profiling import Result
from steelyard_profiler.target import UNBOUNDED

CHANCES = {
    (category, level): chance
    for category in Category
    for level, chance in zip(Level, (0.9, 0.6, 0.3), strict=True)
}
TRUTH_PERCENT = 60
SPEC = ModelProfileSpec(backend_ref=LocalObjectRef(name="b"), model="m")

MOST_MISSES = 2
"""An interval misses once in twenty; that three of ten do is rarer than one in eighty."""


def measured(engine: TruthfulEngine, max_concurrency: int = UNBOUNDED) -> Result:
    value = {"backendRef": {"name": "b"}, "model": "m", "suite": engine.suite, "seed": engine.seed}
    spec = ModelProfileSpec.model_validate_json(json.dumps(value))
    with engine.running():
        target = replace(engine.target, max_concurrency=max_concurrency)
        return asyncio.run(profiling.profile(target, spec, lambda progress: None))


def quality_of(result: Result) -> Quality:
    assert result.quality is not None, result.failure
    return result.quality


@pytest.mark.parametrize("salt", ["one model", "another"])
def test_known_chances_are_recovered_within_the_intervals(salt: str) -> None:
    found = quality_of(measured(TruthfulEngine(CHANCES, salt=salt)))
    assert found.overall
    misses = [
        score
        for score in found.categories
        if not (score.low_percent or 0) <= TRUTH_PERCENT <= (score.high_percent or 0)
    ]

    assert [score.name for score in found.categories] == list(workload.TEMPLATES)
    assert (found.overall.low_percent or 0) <= TRUTH_PERCENT <= (found.overall.high_percent or 0)
    assert len(misses) <= MOST_MISSES, misses


def test_the_bitmap_says_which_probes_were_passed() -> None:
    engine = TruthfulEngine(CHANCES, seed=3)
    for score in quality_of(measured(engine)).categories:
        assert score.bitmap is not None
        answers = engine.asked[score.name]

        assert quality.outcomes_of(score.bitmap, len(answers)) == [answers[at] for at in range(len(answers))]


def test_of_standard_a_category_goes_on_until_its_interval_is_narrow() -> None:
    halves = (Category.MATH, Category.LONG_CONTEXT)
    chances = dict.fromkeys(CHANCES, 1.0) | {(category, level): 0.5 for category in halves for level in Level}
    engine = TruthfulEngine(chances, suite=Suite.STANDARD)
    found = quality_of(measured(engine))
    counts = {score.name: sum(level.samples for level in score.levels) for score in found.categories}

    assert counts == dict.fromkeys(workload.TEMPLATES, 40) | {Category.MATH: 80}
    assert len(engine.asked[Category.MATH]) == 80 and len(engine.asked[Category.REASONING]) == 40
    assert all(score.bitmap for score in found.categories), "LongContext's second batch is beyond its share"


@pytest.mark.parametrize(("most", "at_once"), [(UNBOUNDED, PROBES_AT_ONCE), (2, 2), (1, 1)])
def test_no_more_probes_are_under_way_at_once_than_the_backend_allows(most: int, at_once: int) -> None:
    engine = TruthfulEngine(law=Law(base_seconds=0.01))
    found = quality_of(measured(engine, max_concurrency=most))

    assert engine.probes_at_once == at_once
    assert found.overall and found.overall.score_percent == 100


def test_a_failure_while_several_probes_are_under_way_ends_the_run_as_any_other() -> None:
    with ProfiledEngine(fault=Fault.PROBES_401).running() as engine:
        result = asyncio.run(profiling.profile(engine.target(), SPEC, lambda progress: None))

    assert result.quality is None
    assert result.failure and result.failure.reason == "Unauthorized"


def test_a_probe_that_is_refused_costs_its_category_the_bitmap_and_one_sample() -> None:
    refusing = ProfiledEngine(refused=lambda probe: probe.category is Category.MATH and probe.index == 4)
    with refusing.running() as engine:
        result = asyncio.run(profiling.profile(engine.target(), SPEC, lambda progress: None))
    math, *others = quality_of(result).categories

    assert math.bitmap is None and sum(level.samples for level in math.levels) == 19
    assert all(score.bitmap for score in others)


def test_a_category_that_is_refused_is_absent_and_the_others_are_there() -> None:
    refusing = ProfiledEngine(refused=lambda probe: probe.category is Category.MATH)
    with refusing.running() as engine:
        result = asyncio.run(profiling.profile(engine.target(), SPEC, lambda progress: None))
    found = [score.name for score in quality_of(result).categories]

    assert found == [category for category in workload.TEMPLATES if category is not Category.MATH]


def test_latency_is_the_engines_own() -> None:
    law = Law(base_seconds=0.01, prompt_tokens_per_second=1500, tokens_per_second=150)
    engine = TruthfulEngine(law=law)
    speed = measured(engine).performance
    stories = [told for told in engine.told if told.tokens == LOAD_OUTPUT_TOKENS][: timing.QUICK.alone]
    first_ms = 1000 * median(told.first_seconds for told in stories)
    tokens_per_second = median((told.tokens - 1) / told.rest_seconds for told in stories)

    assert speed and speed.ttft_ms
    assert speed.ttft_ms.p50 == pytest.approx(first_ms, rel=0.1)
    assert speed.output_tokens_per_second == pytest.approx(tokens_per_second, rel=0.1)
