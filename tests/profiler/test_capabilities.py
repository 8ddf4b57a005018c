"""What a model and its engine can do is tried, and what nobody can tell is absent."""

import asyncio
import base64
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from fakes.odd_engine import Body, OddEngine, question, story, tokens
from steelyard.api.measuring import ProfileLimits, Suite
from steelyard_cli.engines.fleet import Engine as RealEngine
from steelyard_profiler import capabilities, holding, pictures
from steelyard_profiler.capabilities import Seen
from steelyard_profiler.drive import Drive
from steelyard_profiler.session import Session
from steelyard_profiler.target import Target


def tried(target: Target, **limits: Any) -> tuple[Seen, Session]:
    async def run() -> tuple[Seen, Session]:
        async with Drive(target) as drive:
            session = Session(drive, ProfileLimits(**limits))
            return await capabilities.seen(session), session

    return asyncio.run(run())


def seen(say: Callable[[Body], Any], **fields: Any) -> Seen:
    engine = OddEngine(say=say, **fields)
    with engine.running():
        return tried(engine.target())[0]


def able(body: Body) -> Any:
    """Whatever is asked for, as an engine with a good model does it."""
    shape = body.get("response_format", {}).get("type")
    if "tools" in body:
        call = {"index": 0, "id": "a", "function": {"name": "get_weather", "arguments": '{"city": "Lima"}'}}
        return {"tool_calls": [call]}
    if shape == "json_schema":
        return ['{"metal": "cobalt",', ' "grade": "fine"}']
    if shape == "json_object":
        return ['{"name": "Tom", "color": "grey"}']
    if "image" in json.dumps(body):
        return [color_of(body)]
    if body["messages"][0]["role"] == "system":
        return ["Pelican."]
    return tokens(body["max_tokens"])


def color_of(body: Body) -> str:
    """What an engine that decodes the picture sees."""
    data = base64.b64decode(body["messages"][0]["content"][1]["image_url"]["url"].split(",")[1])
    start = data.index(b"IDAT") + 4
    pixels = zlib.decompress(data[start : data.index(b"IEND") - 8])
    red, _, blue = pixels[1:4]
    return "Red." if red > blue else "Blue."


def test_what_is_done_is_known() -> None:
    embedded = {"/embeddings": lambda body: ("200 OK", {"data": [{"embedding": [0.5, -1, 2.0]}]})}
    found = seen(able, others=embedded)

    told = found.capabilities.model_dump(exclude_none=True)
    assert told == {
        "tools": True,
        "json_schema": True,
        "json_mode": True,
        "vision": True,
        "embeddings": True,
        "logprobs": False,
        "system_prompt": True,
    }
    assert found.embedding_dimension == 3 and found.note == ""


def test_an_engine_that_heeds_nothing_can_nothing() -> None:
    told = seen(story).capabilities.model_dump(exclude_none=True)

    assert told and not any(told.values())
    assert set(told) == {*capabilities.ATTEMPTS, "tools", "embeddings"}


@pytest.mark.parametrize("status", [400, 404, 405, 422, 501])
def test_what_is_refused_cannot_be_done(status: int) -> None:
    told = seen(lambda body: status, others={"/embeddings": lambda body: (f"{status} No", {})}).capabilities

    assert {told.tools, told.json_schema, told.json_mode, told.vision, told.embeddings} == {False}


@pytest.mark.parametrize("status", [500, 503, 429])
def test_what_failed_otherwise_is_unknown(status: int) -> None:
    found = seen(lambda body: status, others={"/embeddings": lambda body: (f"{status} No", {})})

    assert found == Seen()


def test_an_engine_that_is_silent_is_unknown() -> None:
    with OddEngine(first_seconds=60).running() as engine:
        found, _ = tried(engine.target(first_byte_seconds=0.05, idle_seconds=0.05))

    assert found.capabilities.tools is None and found.capabilities.vision is None


def test_a_call_that_is_written_as_text_is_no_call_and_it_is_said() -> None:
    written = ['{"name": "get_weather",', ' "arguments": {"city": "Lima"}}']
    found = seen(lambda body: written if "tools" in body else able(body))

    assert found.capabilities.tools is False
    assert "tool calls as text" in found.note


ODD_CALLS = {
    "another tool": ("get_time", '{"city": "Lima"}'),
    "no JSON": ("get_weather", "Lima"),
    "no arguments": ("get_weather", "{}"),
    "a city that is none": ("get_weather", '{"city": 7}'),
    "another city": ("get_weather", '{"city": "Paris"}'),
}


@pytest.mark.parametrize("case", ODD_CALLS)
def test_a_call_is_none_with(case: str) -> None:
    name, arguments = ODD_CALLS[case]
    call = {"function": {"name": name, "arguments": arguments}}

    assert seen(lambda body: {"tool_calls": [call]}).capabilities.tools is False


def test_a_color_that_is_guessed_is_not_seen() -> None:
    assert seen(lambda body: ["Red."]).capabilities.vision is False


@pytest.mark.parametrize(
    "words",
    ["The picture is colored {}.", "It is covered in {}.", "**{}**", "<think>Red or blue?</think>{}."],
)
def test_a_color_is_told_in_whatever_words(words: str) -> None:
    def say(body: Body) -> Any:
        return (
            [words.format(color_of(body).strip(".").lower())] if "image" in json.dumps(body) else able(body)
        )

    assert seen(say).capabilities.vision is True


def test_an_engine_that_repeats_what_it_is_told_obeys_nothing() -> None:
    def echo(body: Body) -> list[str]:
        return [" ".join(str(message["content"]) for message in body["messages"])]

    assert seen(echo).capabilities.system_prompt is False


def test_log_probabilities_are_seen_where_they_come() -> None:
    engine = OddEngine(logprobs=True)
    with engine.running():
        assert tried(engine.target())[0].capabilities.logprobs is True


def test_trying_takes_few_requests_and_its_share_of_tokens() -> None:
    engine = OddEngine(say=able)
    with engine.running():
        _, session = tried(engine.target())
        assert len(engine.bodies) <= 9 and session.tokens < 3000
        found, session = tried(engine.target(), max_tokens=2000)

    assert session.tokens <= capabilities.SHARE * 2000
    assert found.capabilities.vision is None, "it did not fit"


EMBEDDINGS: dict[str, Any] = {
    "no list": {"data": []},
    "no numbers": {"data": [{"embedding": ["a"]}]},
    "nothing": {"data": [{"embedding": []}]},
    "not a number": {"data": [{"embedding": [0.5, float("nan")]}]},
    "an endless one": {"data": [{"embedding": [10**400]}]},
    "no JSON object": [],
}


@pytest.mark.parametrize("case", EMBEDDINGS)
def test_an_answer_that_holds_no_embedding_is_none(case: str) -> None:
    found = seen(able, others={"/embeddings": lambda body: ("200 OK", EMBEDDINGS[case])})

    assert found.capabilities.embeddings is False and found.embedding_dimension is None


def test_embeddings_of_one_model_are_of_one_length() -> None:
    def embedded(body: Body) -> tuple[str, Any]:
        return "200 OK", {"data": [{"embedding": [0.5] * len(body["input"])}]}

    found = seen(able, others={"/embeddings": embedded})
    assert found.capabilities.embeddings is False and found.embedding_dimension is None


def test_a_picture_is_a_png_of_one_color() -> None:
    data = pictures.plain((1, 2, 3), 2)

    assert data.startswith(b"\x89PNG\r\n\x1a\n") and data.endswith(b"IEND\xaeB`\x82")
    start = data.index(b"IDAT") + 4
    assert zlib.decompress(data[start : data.index(b"IEND") - 8]) == 2 * (b"\x00" + 2 * b"\x01\x02\x03")


def held(engine: OddEngine, told: int | None, **limits: Any) -> int | None:
    async def run() -> int | None:
        async with Drive(engine.target()) as drive:
            session = Session(drive, ProfileLimits(**limits))
            return await holding.verified_tokens(session, told, Suite.QUICK)

    with engine.running():
        return asyncio.run(run())


def remembers(most_bytes: int) -> Callable[[Body], Any]:
    """A model that sees the last bytes only."""

    def say(body: Body) -> Any:
        kept = question(body)[-most_bytes:]
        return [word.strip(".") for word in kept.split() if word.strip(".").isdigit()] or ["?"]

    return say


def test_a_context_is_held_as_far_as_the_first_words_are_told() -> None:
    assert held(OddEngine(say=remembers(1 << 20)), None, max_tokens=1000) is None, "no budget to try"
    whole = held(OddEngine(say=remembers(1 << 20)), 4096)
    assert whole and 3000 < whole <= 4096
    short = held(OddEngine(say=remembers(10_000)), 4096)
    assert short and 1500 < short <= 2500
    assert held(OddEngine(say=remembers(100)), 4096) is None


def test_no_prompt_is_longer_than_the_context_that_is_told() -> None:
    engine = OddEngine(say=remembers(1 << 20))
    assert held(engine, 1500)
    assert max(len(question(body)) for body in engine.bodies) < 4 * 1500


def test_a_real_model_is_tried(smollm2_engine: RealEngine) -> None:
    found, session = tried(Target(f"{smollm2_engine.url}/v1", smollm2_engine.alias))

    assert found.capabilities.json_schema is True and found.capabilities.logprobs is True
    assert found.capabilities.vision is not True and found.capabilities.embeddings is not True
    assert session.tokens < 2000
