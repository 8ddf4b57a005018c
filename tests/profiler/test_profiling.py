"""A run against engines that tell the truth, fail or lie."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from fakes.loading_ollama import LoadingOllama, Stored
from fakes.profiled_engine import Fault, ProfiledEngine
from steelyard.api.backend import Engine, ObservedModel
from steelyard.api.measuring import LOAD_OUTPUT_TOKENS, Load
from steelyard.api.profile import Category, Level, ModelProfileSpec, Quality, ResourceUse
from steelyard_cli.engines.fleet import Engine as RealEngine
from steelyard_profiler import profiling, timing, workload
from steelyard_profiler.drive import Drive
from steelyard_profiler.profiling import Result
from steelyard_profiler.progress import Progress
from steelyard_profiler.target import Failure, Target

CHANCES = {Level.EASY: 0.9, Level.MEDIUM: 0.5, Level.HARD: 0.1}


def spec(**limits: float) -> ModelProfileSpec:
    value = {"backendRef": {"name": "b"}, "model": "m", "limits": limits}
    return ModelProfileSpec.model_validate(value)


def profiled(target: Target, on_progress: Any = lambda progress: None, **limits: float) -> Result:
    return asyncio.run(profiling.profile(target, spec(**limits), on_progress))


def quality_of(result: Result) -> Quality:
    assert result.quality is not None, result.failure
    return result.quality


def test_known_chances_are_recovered_within_the_intervals() -> None:
    chances = {(category, level): CHANCES[level] for category in Category for level in Level}
    with ProfiledEngine(chances).running() as engine:
        quality = quality_of(profiled(engine.target()))

    assert [score.name for score in quality.categories] == list(workload.TEMPLATES)
    for score in (*quality.categories, quality.overall):
        assert score and score.low_percent is not None and score.high_percent is not None
        assert score.low_percent <= 50 <= score.high_percent


def test_each_level_counts_its_own_probes() -> None:
    chances = {(Category.MATH, Level.HARD): 0.0, (Category.EXTRACTION, Level.EASY): 0.0}
    with ProfiledEngine(chances).running() as engine:
        scores = {score.name: score for score in quality_of(profiled(engine.target())).categories}

    assert [level.passed for level in scores[Category.MATH].levels] == [7, 7, 0]
    assert [level.passed for level in scores[Category.EXTRACTION].levels] == [0, 7, 6]
    assert scores[Category.REASONING].score_percent == 100


def test_speed_follows_the_engines_law() -> None:
    engine = ProfiledEngine(first_token_seconds=0.01, token_seconds=0.002)
    with engine.running():
        speed = profiled(engine.target(), max_duration_seconds=10).performance

    assert speed and speed.ttft_ms and speed.output_tokens_per_second
    assert speed.ttft_ms.p50 >= 10
    assert 1 <= speed.output_tokens_per_second <= 500


def test_prompts_for_speed_are_about_512_tokens_and_never_begin_alike() -> None:
    with ProfiledEngine().running() as engine:
        profiled(engine.target())
        profiled(engine.target())
    prompts = [
        body["messages"][0]["content"] for body in engine.bodies if body["max_tokens"] == LOAD_OUTPUT_TOKENS
    ]

    assert len({prompt[:16] for prompt in prompts}) == 2
    assert len(set(prompts)) == len(prompts) >= 2 * timing.QUICK.alone
    assert all(400 < len(prompt) // 4 < 1000 for prompt in prompts)


def test_requests_are_streamed_at_temperature_0_and_ask_for_usage() -> None:
    with ProfiledEngine().running() as engine:
        profiled(engine.target(authorization="Bearer key"))

    assert all(body["stream"] and body["temperature"] == 0 for body in engine.bodies)
    assert all(body["stream_options"] == {"include_usage": True} for body in engine.bodies)
    assert {headers["authorization"] for headers in engine.headers} == {"Bearer key"}


FAILURES = {
    Fault.HTML: ("NotAnEngine", "answered 200 (text/html) instead of a stream"),
    Fault.STATUS_401: ("Unauthorized", "answered 401 (application/json): check the key"),
    Fault.STATUS_404: ("NotFound", "answered 404 (application/json): it does not serve model 'm'"),
    Fault.STATUS_500: ("EngineError", "answered 500 (application/json): see the engine's log"),
    Fault.REDIRECT: ("Redirected", "answered 302 (text/plain): redirects are not followed"),
    Fault.HALF_STREAM: ("StreamBroken", "broke the connection before its answer was whole"),
    Fault.NOT_JSON: ("BadStream", "sent a stream event that is not JSON"),
    Fault.ERROR_EVENT: ("EngineError", "reported an error within a stream"),
}


@pytest.mark.parametrize("fault", FAILURES)
def test_a_failing_engine_is_told_in_words_without_its_body(fault: Fault) -> None:
    reason, words = FAILURES[fault]
    with ProfiledEngine(fault=fault).running() as engine:
        result = profiled(engine.target())

    assert result.quality is None and result.failure is not None
    assert result.failure.reason == reason
    assert words in result.failure.message
    assert "secret" not in result.failure.message


@pytest.mark.parametrize(
    ("fault", "field"),
    [(Fault.HANGS, "timeouts.firstByteSeconds"), (Fault.HANGS_MIDWAY, "timeouts.idleSeconds")],
)
def test_an_engine_that_hangs_is_left_after_its_timeout_which_is_named(fault: Fault, field: str) -> None:
    with ProfiledEngine(fault=fault).running() as engine:
        result = profiled(engine.target(first_byte_seconds=0.2, idle_seconds=0.2))

    assert result.failure and result.failure.reason == "Timeout"
    assert f"in 0.2 s ({field})" in result.failure.message
    assert len(engine.bodies) == 1


def test_an_engine_that_is_down_is_told() -> None:
    with ProfiledEngine().running() as engine:
        pass
    result = profiled(engine.target())

    assert result.failure and result.failure.reason == "ConnectFailed"
    assert f"{engine.url} cannot be connected to" in result.failure.message


def test_one_hiccup_is_forgiven() -> None:
    with ProfiledEngine(fault=Fault.FIRST_500).running() as engine:
        result = profiled(engine.target())

    assert result.failure is None


@pytest.mark.parametrize("fault", [Fault.NO_USAGE, Fault.REFUSES_STREAM_OPTIONS, Fault.WRONG_USAGE])
def test_without_believable_usage_tokens_are_estimated_and_it_is_said(fault: Fault) -> None:
    with ProfiledEngine(fault=fault).running() as engine:
        result = profiled(engine.target())

    assert result.capabilities.stream_usage is False
    assert result.capabilities.chat is True
    assert "tokens are estimated" in result.note
    assert result.run.tokens_used > 3000
    assert all((score.output_tokens_mean or 0) > 0 for score in quality_of(result).categories)


def test_usage_is_asked_for_once_where_it_is_refused() -> None:
    with ProfiledEngine(fault=Fault.REFUSES_STREAM_OPTIONS).running() as engine:
        profiled(engine.target())

    assert sum("stream_options" in body for body in engine.bodies) == 1


def test_a_short_context_is_measured_with_shorter_prompts() -> None:
    with ProfiledEngine(fault=Fault.SHORT_CONTEXT).running() as engine:
        result = profiled(engine.target())

    assert result.performance and result.performance.ttft_ms


def test_no_question_is_longer_than_the_context_that_the_backend_says() -> None:
    with ProfiledEngine().running() as engine:
        result = profiled(replace(engine.target(), context_tokens=300))

    assert "longer than the context of 300 tokens" in result.note


def test_an_engine_that_never_stops_is_left() -> None:
    with ProfiledEngine(fault=Fault.BABBLES).running() as engine:
        result = profiled(engine.target())

    assert quality_of(result).overall is not None
    assert result.capabilities.stream_usage is False


def test_the_token_budget_is_hard_and_what_was_measured_is_reported() -> None:
    with ProfiledEngine().running() as engine:
        result = profiled(engine.target(), max_tokens=5000)

    assert result.run.tokens_used <= 5000
    assert "limits.maxTokens = 5000" in result.note
    scores = quality_of(result).categories
    counts = [level.samples for score in scores for level in score.levels]
    assert max(counts) - min(counts) <= 1


def test_a_budget_below_one_round_is_a_failure() -> None:
    with ProfiledEngine(fault=Fault.BABBLES).running() as engine:
        result = profiled(engine.target(), max_tokens=1000)

    assert result.failure and result.failure.reason == "BudgetSpent"


def test_progress_tells_each_category_and_its_running_score() -> None:
    seen: list[Progress] = []
    chances = {(Category.MATH, Level.HARD): 0.0}
    with ProfiledEngine(chances).running() as engine:
        profiled(engine.target(), seen.append)
    last = {progress.category: progress for progress in seen}

    assert last[Category.MATH] == Progress(Category.MATH, 20, 20, 14)
    assert last[Category.REASONING] == Progress(Category.REASONING, 20, 20, 20)
    assert last[None].done == last[None].total


MODELS = {
    "names": (["b", "a"], (ObservedModel(name="a"), ObservedModel(name="b"))),
    "vLLM's context": ([{"id": "a", "max_model_len": 8}], (ObservedModel(name="a", context_tokens=8),)),
    "llama.cpp's context": (
        [{"id": "a", "meta": {"n_ctx": 9}}],
        (ObservedModel(name="a", context_tokens=9),),
    ),
    "odd entries": ([{"id": ""}, {"id": "a\n"}, {"id": "b", "meta": 1}], (ObservedModel(name="b"),)),
}


@pytest.mark.parametrize("case", MODELS)
def test_the_engines_models_are_listed(case: str) -> None:
    listed, wanted = MODELS[case]
    with ProfiledEngine(models=listed).running() as engine:
        assert models_of(engine) == wanted


@pytest.mark.parametrize(
    ("models", "fault", "reason"),
    [
        ([], Fault.NONE, "NoModels"),
        (["a"], Fault.HTML, "NotAnEngine"),
        ([1, None], Fault.NONE, "NoModels"),
    ],
)
def test_a_list_that_is_none_is_a_failure(models: list[str], fault: Fault, reason: str) -> None:
    with ProfiledEngine(models=models, fault=fault).running() as engine:
        failure = models_of(engine)

    assert isinstance(failure, Failure) and failure.reason == reason


def models_of(engine: ProfiledEngine) -> tuple[ObservedModel, ...] | Failure:
    async def ask() -> tuple[ObservedModel, ...] | Failure:
        async with Drive(engine.target()) as drive:
            return await drive.models()

    return asyncio.run(ask())


def ollama_with(*loaded: str) -> LoadingOllama:
    server = LoadingOllama([Stored("m:latest", 700), Stored("other:latest", 900)])
    for name in loaded:
        server.use(name)
    return server


def test_of_an_ollama_the_time_to_load_and_the_models_memory_are_measured() -> None:
    engine = ProfiledEngine(ollama=ollama_with("other"))
    with engine.running():
        result = profiled(engine.target(engine=Engine.OLLAMA))

    assert result.performance and result.performance.cold_load_ms is not None
    assert result.resources == ResourceUse(memory_mib=700)
    assert engine.ollama and engine.ollama.journal[1:] == [("loaded", "m:latest")]


@pytest.mark.parametrize("only_when_idle", [True, False])
def test_a_model_in_memory_is_unloaded_only_if_others_may_be_disturbed(only_when_idle: bool) -> None:
    engine = ProfiledEngine(ollama=ollama_with("m"))
    with engine.running():
        result = profiled(engine.target(engine=Engine.OLLAMA), only_when_idle=only_when_idle)

    assert result.performance and (result.performance.cold_load_ms is None) is only_when_idle
    assert engine.ollama and (("unloaded", "m:latest") in engine.ollama.journal) is not only_when_idle


def test_other_engines_are_not_asked_to_load() -> None:
    engine = ProfiledEngine(ollama=ollama_with())
    with engine.running():
        result = profiled(engine.target())

    assert result.performance and result.performance.cold_load_ms is None
    assert engine.ollama and engine.ollama.journal == []


def test_a_real_model_is_neither_useless_nor_perfect(smollm2_engine: RealEngine) -> None:
    load = Load(concurrency=(1,), prompt_tokens=128, output_tokens=32)
    short = spec(max_tokens=7000).model_copy(update={"load": load})
    target = Target(f"{smollm2_engine.url}/v1", smollm2_engine.alias)
    result = asyncio.run(profiling.profile(target, short, lambda progress: None))
    easy = [score.levels[0] for score in quality_of(result).categories]

    assert 0 < sum(level.passed for level in easy) < sum(level.samples for level in easy)
    assert result.performance and result.performance.output_tokens_per_second
    assert result.capabilities.stream_usage is True
