"""What is expected of an endpoint under load, by the formulas in docs/decisions.md."""

from typing import Any

import pytest

from fakes.resources import backend, measured, resource_set
from steelyard.api.measuring import Load
from steelyard.routing import latency
from steelyard.routing.compiling import compile_table
from steelyard.routing.table import Candidate

SATURATION = [
    {"concurrency": 4, "outputTokensPerSecond": 200, "ttftMsP95": 150},
    {"concurrency": 1, "outputTokensPerSecond": 70, "ttftMsP95": 50},
    {"concurrency": 16, "outputTokensPerSecond": 320, "ttftMsP95": 650},
]
"""Not in order, as a file may have it."""

PERFORMANCE = {
    "ttftMs": {"p50": 40},
    "outputTokensPerSecond": 80,
    "promptTokensPerSecond": 1000,
    "saturation": SATURATION,
}


def pair(performance: dict[str, Any] | None = None, **spec: Any) -> Candidate:
    profile = measured("b", "m", 50, **({} if performance is None else {"performance": performance}))
    table, problems = compile_table(resource_set(backend("b", "m", **spec), profile), "default")
    assert not problems
    return table.candidates[0]


def test_the_first_token_of_an_idle_endpoint_comes_after_its_median_and_the_longer_prompt() -> None:
    assert latency.expected_ttft_seconds(pair(PERFORMANCE), 512, 0) == pytest.approx(0.04)
    assert latency.expected_ttft_seconds(pair(PERFORMANCE), 100, 0) == pytest.approx(0.04)
    assert latency.expected_ttft_seconds(pair(PERFORMANCE), 2512, 0) == pytest.approx(2.04)


def test_a_prompt_is_longer_than_those_that_the_profile_was_measured_with() -> None:
    profile = measured("b", "m", 50, performance=PERFORMANCE)
    load = Load(prompt_tokens=2048)
    profile = profile.model_copy(update={"spec": profile.spec.model_copy(update={"load": load})})
    table, _ = compile_table(resource_set(backend("b", "m"), profile), "default")

    assert latency.expected_ttft_seconds(table.candidates[0], 2048, 0) == pytest.approx(0.04)
    assert latency.expected_ttft_seconds(table.candidates[0], 3048, 0) == pytest.approx(1.04)


@pytest.mark.parametrize(("in_flight", "added"), [(1, 0.0), (4, 0.1), (10, 0.35), (16, 0.6)])
def test_requests_in_flight_add_what_the_saturation_curve_says(in_flight: int, added: float) -> None:
    expected = latency.expected_ttft_seconds(pair(PERFORMANCE), 512, in_flight)
    assert expected == pytest.approx(0.04 + added)


def test_beyond_the_curve_each_request_waits_for_one_measured_answer() -> None:
    expected = latency.expected_ttft_seconds(pair(PERFORMANCE), 512, 26)
    assert expected == pytest.approx(0.04 + 0.6 + 10 * 128 / 320)


def test_without_a_curve_load_adds_nothing_and_without_a_measurement_nothing_is_expected() -> None:
    assert latency.expected_ttft_seconds(pair({"ttftMs": {"p50": 40}}), 512, 99) == pytest.approx(0.04)
    assert latency.expected_ttft_seconds(pair(), 100, 0) is None
    assert latency.expected_ttft_seconds(pair({"outputTokensPerSecond": 80}), 100, 0) is None


def test_of_a_longer_prompt_nothing_is_expected_where_the_speed_of_prompts_was_not_measured() -> None:
    assert latency.expected_ttft_seconds(pair({"ttftMs": {"p50": 40}}), 513, 0) is None


@pytest.mark.parametrize(
    ("in_flight", "speed", "ttft"),
    [(0, 80, 0.04), (1, 80, 0.04), (4, 200 / 4, 0.14), (10, 260 / 10, 0.39), (32, 320 / 32, 0.64)],
)
def test_the_whole_answer_takes_its_share_of_the_throughput(
    in_flight: int, speed: float, ttft: float
) -> None:
    expected = latency.expected_seconds(pair(PERFORMANCE), 512, 100, in_flight)
    assert expected == pytest.approx(ttft + 100 / speed)


def test_one_stream_is_as_fast_as_the_least_measured_where_it_was_not_measured_alone() -> None:
    alone = {"saturation": [{"concurrency": 4, "outputTokensPerSecond": 200}]}
    assert latency.expected_seconds(pair(alone), 512, 100, 0) == pytest.approx(100 / 50)
    assert latency.expected_seconds(pair(), 512, 100, 0) is None


def test_a_prediction_counts_the_new_request_and_goes_on_beyond_the_curve() -> None:
    curve = pair(PERFORMANCE).curve
    assert curve is not None
    assert latency.predicted_seconds(curve, 3) == pytest.approx(0.14 + 128 / 50)
    assert latency.predicted_seconds(curve, 15) == pytest.approx(0.64 + 128 / 20)
    assert latency.predicted_seconds(curve, 31) == pytest.approx(0.64 + 128 / 20 + 16 * 128 / 320)


KNEES: dict[str, tuple[list[tuple[int, int]], dict[str, Any], int]] = {
    "from which twice as many bring less than a tenth": ([(1, 70), (2, 130), (4, 140), (8, 145)], {}, 2),
    "found over more than a doubling": ([(1, 70), (4, 250), (16, 290)], {}, 4),
    "not where two doublings bring a little over a tenth each": ([(1, 70), (4, 250), (16, 310)], {}, 16),
    "the last one where more always brought more": ([(1, 70), (4, 250), (16, 800)], {}, 16),
    "measured before it is stated": ([(1, 70), (4, 71)], {"maxConcurrency": 64}, 1),
    "stated where one point says nothing": ([(4, 250)], {"maxConcurrency": 64}, 64),
    "8 where nothing is known": ([], {}, 8),
    "2 of an Ollama": ([], {"engine": "Ollama"}, 2),
}


@pytest.mark.parametrize("case", KNEES)
def test_the_knee_is(case: str) -> None:
    points, spec, knee = KNEES[case]
    saturation = [{"concurrency": at, "outputTokensPerSecond": speed} for at, speed in points]
    assert pair({"saturation": saturation}, **spec).knee == knee
