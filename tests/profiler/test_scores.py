"""Scores, speed and price follow from what was counted."""

import pytest

from steelyard.api.profile import Category, Level, LevelScore, Performance, Ttft
from steelyard_profiler import measure, quality
from steelyard_profiler.target import Reply


def levels(*passed: int, samples: int = 10) -> list[LevelScore]:
    return [
        LevelScore(level=level, passed=n, samples=samples) for level, n in zip(Level, passed, strict=True)
    ]


def reply(first: float, rest: float, output: int = 101, prompt: int = 500) -> Reply:
    return Reply("", first, rest, prompt, output, usage_reported=True)


@pytest.mark.parametrize(
    ("passed", "samples", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (1, 1, 0.2065, 1.0)],
)
def test_the_interval_is_wilsons(passed: int, samples: int, low: float, high: float) -> None:
    assert quality.wilson(passed, samples) == pytest.approx((low, high), abs=5e-5)


def test_a_category_pools_its_levels() -> None:
    score = quality.category_score(Category.MATH, levels(9, 5, 1), 14.4)

    assert (score.score_percent, score.low_percent, score.high_percent) == (50, 33, 67)
    assert score.output_tokens_mean == 14


def test_overall_is_the_unweighted_mean_of_the_categories() -> None:
    small = quality.category_score(Category.MATH, levels(1, 1, 1, samples=1), 1)
    large = quality.category_score(Category.CODING, levels(0, 0, 0, samples=100), 1)
    overall = quality.overall([small, large]).overall

    assert overall and (overall.score_percent, overall.samples) == (50, 303)
    assert overall.low_percent is not None and overall.high_percent is not None
    assert overall.low_percent <= 50 <= overall.high_percent


def test_overall_of_a_perfect_model_is_not_certain() -> None:
    overall = quality.overall([quality.category_score(Category.MATH, levels(8, 8, 8, samples=8), 1)]).overall

    assert overall and overall.score_percent == overall.high_percent == 100
    assert overall.low_percent is not None and overall.low_percent < 95


def test_without_a_category_nothing_is_said() -> None:
    assert quality.overall([]).overall is None


def test_speed_is_the_median_of_single_requests() -> None:
    speed = measure.performance([reply(0.1, 2.0), reply(0.2, 1.0), reply(0.4, 4.0)])

    assert speed == Performance(
        ttft_ms=Ttft(p50=200, p95=380), output_tokens_per_second=50, prompt_tokens_per_second=2500
    )


def test_short_answers_say_nothing_about_decoding() -> None:
    speed = measure.performance([reply(0.1, 0.5, output=7)])

    assert speed and speed.output_tokens_per_second is None and speed.ttft_ms


def test_without_requests_there_is_no_speed() -> None:
    assert measure.performance([]) is None


def test_the_price_of_an_hour_is_split_by_the_seconds_of_prompt_and_answer() -> None:
    speed = Performance(output_tokens_per_second=128, prompt_tokens_per_second=1024)
    price = measure.amortised_price("3.60", speed)

    # a request takes 1 s of decoding, so 3 600 an hour at 0.001 USD each; prompt .5 s of 1.5 s
    assert price and price.input_usd_per_million_tokens == "0.651042"
    assert price.output_usd_per_million_tokens == "5.208333"


@pytest.mark.parametrize(
    ("usd", "tokens_per_second", "money"),
    [("0", 1, "0"), ("999999", 1, "999999.999999"), ("0.000001", 9, "0.000031")],
)
def test_a_price_is_always_money(usd: str, tokens_per_second: int, money: str) -> None:
    speed = Performance(output_tokens_per_second=tokens_per_second, prompt_tokens_per_second=100_000)
    price = measure.amortised_price(usd, speed)

    assert price and price.output_usd_per_million_tokens == money


@pytest.mark.parametrize("speed", [None, Performance(), Performance(output_tokens_per_second=1)])
def test_a_price_needs_both_speeds(speed: Performance | None) -> None:
    assert measure.amortised_price("1", speed) is None
