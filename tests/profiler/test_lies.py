"""Engines that lie, repeat themselves, refuse or say nothing get a clear note or reason."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fakes.odd_engine import Body, OddEngine, question, tokens
from fakes.profiled_engine import ProfiledEngine
from steelyard.api.measuring import ProfileLimits
from steelyard.api.profile import ModelProfileSpec
from steelyard_profiler import profiling
from steelyard_profiler.drive import Drive
from steelyard_profiler.profiling import Result
from steelyard_profiler.session import Session
from steelyard_profiler.target import Asked, Reply

KNOWN = ProfiledEngine()
"""Knows the probes; it is not run."""


def right(body: Body) -> list[str]:
    """The right answer in pieces as tokens are, or a story as long as was asked for."""
    asked = question(body)
    if "these words appear" in asked:
        return list(tokens(body["max_tokens"]))
    text = KNOWN.answer(asked)
    return [text[at : at + 5] for at in range(0, len(text), 5)][: body["max_tokens"]]


def profiled(engine: OddEngine, **limits: Any) -> Result:
    value = {"backendRef": {"name": "b"}, "model": "m", "limits": limits, "load": {"concurrency": ()}}
    spec = ModelProfileSpec.model_validate(value)
    with engine.running():
        return asyncio.run(profiling.profile(engine.target(), spec, lambda progress: None))


FALSE_USAGE: dict[str, Callable[[int, int], Body | None]] = {
    "too few": lambda prompt, output: {"prompt_tokens": prompt, "completion_tokens": output // 5},
    "somewhat too few": lambda prompt, output: {
        "prompt_tokens": prompt,
        "completion_tokens": output * 4 // 5,
    },
    "too many": lambda prompt, output: {"prompt_tokens": prompt, "completion_tokens": 20 * output},
    "negative": lambda prompt, output: {"prompt_tokens": prompt, "completion_tokens": -output},
    "constant": lambda prompt, output: {"prompt_tokens": 50, "completion_tokens": 50},
    "text": lambda prompt, output: {"prompt_tokens": str(prompt), "completion_tokens": str(output)},
    "a fraction": lambda prompt, output: {"prompt_tokens": prompt, "completion_tokens": output + 0.5},
    "too long prompts": lambda prompt, output: {"prompt_tokens": 10**6, "completion_tokens": output},
}


@pytest.mark.parametrize("case", FALSE_USAGE)
def test_false_usage_is_found_out(case: str) -> None:
    async def ask(engine: OddEngine) -> tuple[Session, list[Reply | None]]:
        async with Drive(engine.target()) as drive:
            session = Session(drive, ProfileLimits())
            asked = [Asked("How are you? " * 20, length) for length in (24, 4, 128)]
            return session, [await session.answer(one) for one in asked]

    engine = OddEngine(usage=FALSE_USAGE[case])
    with engine.running():
        session, replies = asyncio.run(ask(engine))

    assert not session.believes_usage
    assert [reply and session.settled(reply).output_tokens for reply in replies] == [24, 4, 128]


def test_no_count_of_an_engine_that_lied_once_is_believed() -> None:
    engine = OddEngine(say=right, usage=FALSE_USAGE["constant"], first_seconds=0.01, piece_seconds=0.002)
    result = profiled(engine)

    assert result.failure is None and result.capabilities.stream_usage is False
    assert "tokens are estimated by pieces and bytes" in result.note
    speed = result.performance and result.performance.output_tokens_per_second
    assert speed and speed <= 500, "the pieces tell"
    assert 3000 < result.run.tokens_used < 60_000


def test_honest_usage_is_believed() -> None:
    result = profiled(OddEngine(say=right))

    assert result.capabilities.stream_usage is True and "estimated" not in result.note


def test_an_engine_that_repeats_itself_for_ever_is_left_and_it_is_said() -> None:
    engine = OddEngine(say=lambda body: ["and so on " * 40] * 400, usage=lambda prompt, output: None)
    result = profiled(engine, max_tokens=100_000)

    assert "does not stop at max_tokens" in result.note
    assert result.quality and result.quality.overall and result.quality.overall.score_percent == 0


def test_an_engine_that_does_not_stop_takes_no_more_than_the_budget() -> None:
    engine = OddEngine(say=lambda body: tokens(body["max_tokens"] * 3), usage=lambda prompt, output: None)
    result = profiled(engine, max_tokens=10_000)

    assert "does not stop at max_tokens" in result.note
    assert result.run.tokens_used <= 10_000


def test_who_refuses_tools_is_asked_for_its_usage_all_the_same() -> None:
    def say(body: Body) -> list[str] | int:
        return 400 if "tools" in body else right(body)

    engine = OddEngine(say=say, refusal_seconds=0.02)
    result = profiled(engine)

    assert result.capabilities.stream_usage is True and result.capabilities.tools is False
    plain = [body for body in engine.bodies if "tools" not in body]
    assert all("stream_options" in body for body in plain)


def test_one_refusal_does_not_end_the_asking_for_usage() -> None:
    statuses = iter([0] * 20 + [400])
    engine = OddEngine(say=lambda body: next(statuses, 0) or right(body))
    result = profiled(engine)

    assert result.capabilities.stream_usage is True
    assert all("stream_options" in body for body in engine.bodies)


def test_an_engine_that_says_nothing_is_a_failure_and_not_a_model_that_knows_nothing() -> None:
    result = profiled(OddEngine(say=lambda body: []))

    assert result.quality is None and result.failure and result.failure.reason == "EmptyAnswers"
    assert "chat template" in result.failure.message


@pytest.mark.parametrize(
    ("status", "reason"), [(400, "BadRequest"), (422, "BadRequest"), (501, "NotOffered")]
)
def test_an_engine_that_refuses_everything_is_a_failure_soon(status: int, reason: str) -> None:
    engine = OddEngine(say=lambda body: status)
    result = profiled(engine)

    assert result.failure and result.failure.reason == reason and str(status) in result.failure.message
    assert len(engine.bodies) <= 6


def test_a_model_that_will_not_answer_has_zero_percent() -> None:
    result = profiled(OddEngine(say=lambda body: ["I", " cannot", " help", " with", " that", "."]))

    assert result.quality and result.quality.overall and result.quality.overall.score_percent == 0
    assert "ends every long answer at once" in result.note
    assert result.performance and result.performance.output_tokens_per_second is None


@pytest.mark.parametrize("whole", ["one piece", "one packet"])
def test_an_answer_that_was_held_back_has_no_speed_and_it_is_said(whole: str) -> None:
    def one(body: Body) -> list[str]:
        return ["".join(right(body))] if whole == "one piece" else right(body)

    result = profiled(OddEngine(say=one, at_once=True, first_seconds=0.01))

    assert result.quality and result.performance and result.performance.ttft_ms
    assert result.performance.output_tokens_per_second is None
    assert result.performance.inter_token_us is None and result.performance.saturation == ()
    assert "sends answers in one piece" in result.note


@pytest.mark.parametrize(("finish", "is_whole"), [("stop", True), (None, False)])
def test_a_stream_without_done_is_whole_where_it_says_that_it_finished(
    finish: str | None, is_whole: bool
) -> None:
    result = profiled(OddEngine(say=right, is_done=False, finish=finish))

    assert (result.failure is None) is is_whole
    assert is_whole or (result.failure and result.failure.reason == "StreamBroken")


def test_tool_calls_as_text_are_none_and_it_is_said() -> None:
    def written(body: Body) -> list[str]:
        return ['{"name": "get_weather", "arguments": {}}'] if "tools" in body else right(body)

    result = profiled(OddEngine(say=written))

    assert result.capabilities.tools is False and "writes tool calls as text" in result.note


def test_the_context_that_the_engine_tells_bounds_what_is_asked() -> None:
    listed = {"data": [{"id": "m", "max_model_len": 400}]}
    engine = OddEngine(say=right, others={"/models": lambda body: ("200 OK", listed)})
    result = profiled(engine)

    assert "longer than the context of 400 tokens" in result.note
    long = [body for body in engine.bodies if question(body).startswith("Read these notes")]
    assert long and max(len(question(body)) for body in long) <= 1600


def test_a_context_that_holds_no_question_is_named_and_not_the_engine() -> None:
    listed = {"data": [{"id": "m", "max_model_len": 16}]}
    result = profiled(OddEngine(say=right, others={"/models": lambda body: ("200 OK", listed)}))

    assert result.failure and result.failure.reason == "TooFewAnswers"
    assert "longer than the context of 16 tokens. Is contextTokens right?" in result.failure.message
