"""Speed of one stream and of several: by the engine's law, within its shares, as far as it rises."""

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest

from fakes.odd_engine import OddEngine, question, story, tokens
from steelyard.api.measuring import Load, ProfileLimits, Suite
from steelyard.api.profile import Performance
from steelyard_profiler import measure, timing
from steelyard_profiler.drive import Drive
from steelyard_profiler.sampling import Sampler
from steelyard_profiler.session import Session
from steelyard_profiler.timing import Timing

LAW: dict[str, Any] = {"first_seconds": 0.05, "piece_seconds": 0.008}
"""The engine's latency law: 125 tokens a second."""

LOAD = Load(concurrency=(1, 2, 4, 8), prompt_tokens=64, output_tokens=16)


def timed(engine: OddEngine, load: Load = LOAD, **limits: Any) -> tuple[Timing, Session]:
    async def run() -> tuple[Timing, Session]:
        async with Drive(engine.target()) as drive, Sampler(None) as sampler:
            session = Session(drive, ProfileLimits(**limits))
            found = Timing(session, sampler, load, Suite.QUICK, lambda progress: None)
            await found.measure()
            return found, session

    with engine.running():
        return asyncio.run(run())


def speed(engine: OddEngine, load: Load = LOAD, **limits: Any) -> Performance:
    found = measure.performance(timed(engine, load, **limits)[0].timings)
    assert found is not None
    return found


def points(found: Performance) -> list[int]:
    return [point.concurrency for point in found.saturation]


def test_one_stream_follows_the_engines_law() -> None:
    found = speed(OddEngine(**LAW), Load(concurrency=(), prompt_tokens=64, output_tokens=128))

    assert found.ttft_ms and found.ttft_ms.p50 >= 50
    assert found.output_tokens_per_second and found.output_tokens_per_second <= 125
    assert found.inter_token_us and found.inter_token_us.p50 >= 8000
    assert found.cached_ttft_ms is not None and found.saturation == ()


def test_the_time_to_the_first_token_is_of_a_prompt_as_long_as_was_wanted() -> None:
    engine = OddEngine(
        usage=lambda prompt, output: {"prompt_tokens": 2 * prompt, "completion_tokens": output}
    )
    found, _ = timed(engine, Load(concurrency=(), prompt_tokens=256, output_tokens=16))

    assert len(found.timings.alone) == timing.QUICK.alone - 1
    for reply in found.timings.alone:
        assert abs(reply.prompt_tokens - 256) <= 51  # the first was of twice as many


def test_streams_that_do_not_hinder_each_other_bring_more_and_more() -> None:
    engine = OddEngine(first_seconds=0.1, piece_seconds=0.02)
    found, _ = timed(engine, LOAD.model_copy(update={"concurrency": (1, 2, 8)}))

    assert [point.concurrency for point in found.timings.points] == [1, 2, 8]
    assert engine.most_at_once == 8 and measure.rises(found.timings.points)


def test_the_curve_ends_where_it_rises_no_more() -> None:
    def crowded(body: dict[str, Any]) -> Any:
        threading.Event().wait(1.0 if engine.most_at_once > 1 else 0.0)
        return story(body)

    engine = OddEngine(say=crowded, **LAW)
    found = speed(engine)

    assert points(found) == [1, 2] and engine.most_at_once == 2
    assert found.saturation[1].output_tokens_per_second < found.saturation[0].output_tokens_per_second
    assert found.saturation[1].ttft_ms_p95 and found.saturation[1].ttft_ms_p95 >= 1000


def test_only_the_concurrency_that_was_asked_for_is_measured() -> None:
    assert points(speed(OddEngine(**LAW), LOAD.model_copy(update={"concurrency": (3,)}))) == [3]


def test_prompts_are_never_alike_but_for_the_one_that_is_asked_again() -> None:
    engine = OddEngine(**LAW)
    timed(engine)
    asked = [question(body) for body in engine.bodies[1:]]

    assert len(asked) - len(set(asked)) == timing.QUICK.repeated
    assert len({prompt[:19] for prompt in asked}) == len(set(asked)), "they differ from their first words on"


def test_what_would_not_fit_the_share_of_tokens_is_not_begun() -> None:
    found, session = timed(OddEngine(**LAW), max_tokens=5000)

    assert session.tokens <= timing.SPEED_SHARE * 5000
    assert [point.concurrency for point in found.timings.points] == [1, 2, 4]


def test_what_would_not_fit_the_share_of_seconds_is_not_begun() -> None:
    slow = OddEngine(first_seconds=0.3, piece_seconds=0.01)
    found, _ = timed(slow, max_duration_seconds=10)

    assert [point.concurrency for point in found.timings.points] == [1]
    assert slow.most_at_once == 1


@pytest.mark.parametrize(("seconds", "requests"), [(0.2, 2), (60, 3)])
def test_a_slow_model_is_timed_by_two_requests(
    monkeypatch: pytest.MonkeyPatch, seconds: float, requests: int
) -> None:
    monkeypatch.setattr(timing, "QUICK", replace(timing.QUICK, alone_seconds=seconds))
    engine = OddEngine(
        first_seconds=0.3,
        piece_seconds=0.001,
        usage=lambda prompt, output: {"prompt_tokens": LOAD.prompt_tokens, "completion_tokens": output},
    )
    found, _ = timed(engine)

    assert (len(found.timings.alone), len(found.timings.repeated)) == (requests, 1)


def test_a_point_where_a_request_fails_ends_the_curve_and_it_is_said() -> None:
    def busy(body: dict[str, Any]) -> Any:
        return 503 if engine.most_at_once > 2 else story(body)

    engine = OddEngine(say=busy, **LAW)
    found, _ = timed(engine)

    assert [point.concurrency for point in found.timings.points] == [1, 2]
    assert found.note.startswith("With 4 requests at once one failed: ") and "503" in found.note


def test_answers_of_few_tokens_make_no_curve() -> None:
    engine = OddEngine(say=lambda body: tokens(3))
    found = speed(engine)

    assert found.ttft_ms and found.output_tokens_per_second is None and found.saturation == ()
    assert engine.most_at_once == 1


@pytest.mark.parametrize("numbers", [(4, 1), (1, 1), (0,), (1, 2000)])
def test_a_load_that_does_not_rise_is_refused(numbers: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="concurrency"):
        Load(concurrency=numbers)
