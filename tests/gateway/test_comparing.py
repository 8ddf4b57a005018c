"""Streams beside what their model's profile lets expect: what is compared, with what, what is left out."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from fakes.engines import Ask, answer, chunk, engine, stream_head
from fakes.folders import backend, model, resource, write
from fakes.gateways import candidate, endpoint
from fakes.program import gateway
from steelyard.routing.table import Curve
from steelyard_gateway import comparing
from steelyard_gateway.comparing import Stream
from steelyard_gateway.usage import Usage
from steelyard_operator import gateways
from steelyard_operator.drift import Phase

CURVE = Curve(concurrency=(1, 4), tokens_per_second=(100.0, 200.0), added_ttft_seconds=(0.0, 0.3))
USED = Usage(512, 101)


def stream(used: Usage | None = USED, **more: Any) -> Stream:
    """A stream of a model measured with 200 ms, 1 000 prompt tokens a second and 100 tokens a second."""
    known: dict[str, Any] = {
        "ttft_ms": 200,
        "prompt_tokens_per_second": 1000,
        "output_tokens_per_second": 100,
    }
    pair = candidate(endpoint(8000), "tiny", **(known | more.pop("known", {})))
    seen: dict[str, Any] = {
        "prompt_tokens": 512,
        "in_flight": (0.0, 0.0),
        "first_seconds": 0.4,
        "decode_seconds": 1.5,
    }
    return Stream(candidate=pair, used=used, **(seen | more))


def phases(one: Stream) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
    """Actual and expected seconds of either phase."""
    found = comparing.compared(one)
    if found is None:
        return None, None
    first, decoding = (
        None if phase is None else (phase.actual_seconds, phase.expected_seconds)
        for phase in (found.first_byte, found.decoding)
    )
    return first, decoding


def test_an_idle_endpoint_is_to_be_as_fast_as_one_stream_was() -> None:
    first, decoding = phases(stream())
    assert first == pytest.approx((0.4, 0.2))
    assert decoding == pytest.approx((1.5, 1.0))  # 100 tokens after the first, at 100 a second


EXPECTED: dict[str, tuple[Stream, float | None, float | None]] = {
    "a longer prompt": (stream(Usage(1512, 101)), 1.2, 1.0),
    "a prompt that was in the cache": (stream(Usage(1512, 101, cached_tokens=1400)), 0.2, 1.0),
    "a prompt of which only the length in bytes is known": (stream(None, prompt_tokens=1512), 1.2, None),
    "tokens that nobody counted": (stream(Usage(512, 101, estimated=True)), 0.2, None),
    "an answer of a few tokens": (stream(Usage(512, comparing.LEAST_TOKENS - 1)), 0.2, None),
    "a client that reads slowly": (stream(decode_seconds=None), 0.2, None),
    "others there, and no curve": (stream(in_flight=(1.0, 0.0)), None, None),
    "others who came, and no curve": (stream(in_flight=(0.0, 2.0)), 0.2, None),
    "others there, and a curve": (stream(known={"curve": CURVE}, in_flight=(3.0, 3.0)), 0.4, 2.0),
    "no speed": (stream(known={"output_tokens_per_second": None}), 0.2, None),
    "no time to the first token": (stream(known={"ttft_ms": None}), None, 1.0),
    "nothing measured": (stream(known={"ttft_ms": None, "output_tokens_per_second": None}), None, None),
    "a long prompt, and no speed of prompts": (
        stream(Usage(1512, 101), known={"prompt_tokens_per_second": None}),
        None,
        1.0,
    ),
}


@pytest.mark.parametrize("case", EXPECTED)
def test_like_is_compared_with_like(case: str) -> None:
    one, first, decoding = EXPECTED[case]
    expected = [None if phase is None else pytest.approx(phase[1]) for phase in phases(one)]
    assert expected == [first, decoding]


def test_one_that_hung_does_not_outweigh_all_others() -> None:
    first, _ = phases(stream(first_seconds=600.0))
    assert first == pytest.approx((0.2 * comparing.MOST_RATIO, 0.2))


def event(**fields: Any) -> bytes:
    return chunk(b"data: %b\n\n" % json.dumps({"choices": [], **fields}).encode())


def talkative(ask: Ask) -> None:
    """An engine that streams, or answers whole, or breaks off where it is asked to."""
    asked = json.loads(ask.body)
    usage = {"prompt_tokens": 4, "completion_tokens": 11}
    if not asked.get("stream"):
        ask.send(answer(json.dumps({"choices": [], "usage": usage}).encode()))
    elif asked["messages"][0]["content"] == "break":
        ask.send(stream_head() + event() + chunk(b""))
    else:
        ask.send(stream_head() + event() + event(usage=usage) + chunk(b"data: [DONE]\n\n") + chunk(b""))


def test_the_gateway_counts_streams_that_came_to_their_end(tmp_path: Path) -> None:
    measured = {"ttftMs": {"p50": 100}, "outputTokensPerSecond": 10}
    with engine(talkative) as up:
        write(
            tmp_path,
            backend("a", up.port, model("m")),
            resource(
                "ModelProfile",
                "a-m",
                {"backendRef": {"name": "a"}, "model": "m"},
                status={"performance": measured},
            ),
        )
        with gateway(tmp_path) as served:
            for text, is_stream in (("go", True), ("go", True), ("go", False), ("break", True)):
                body = {"model": "m", "stream": is_stream, "messages": [{"role": "user", "content": text}]}
                served.client.post("/v1/chat/completions", json=body)
            told = served.admin.get("/metrics").text

    found = re.findall(r'steelyard_compared_(\w+)_total\{backend="a",model="m",phase="(\w+)"\} (\S+)', told)
    values = {(name, phase): float(value) for name, phase, value in found}
    assert values["requests", "first_byte"] == values["requests", "decoding"] == 2
    assert values["expected_seconds", "first_byte"] == pytest.approx(0.2)
    assert values["expected_seconds", "decoding"] == pytest.approx(2.0)
    assert 0 < values["actual_seconds", "decoding"] < 2.0
    heard = gateways.read(told.encode())
    assert heard is not None and heard.serves == {"default"}, "the operator understands it"
    assert heard.sums["default", "m", "a"][Phase.DECODING].expected_seconds == pytest.approx(2.0)
