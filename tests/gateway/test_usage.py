"""Usage: how it is asked for, hidden again, read and estimated."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard_gateway import spans, sse, usage
from steelyard_gateway.usage import Usage

FOLDER = Path(__file__).parents[1] / "recordings"
DONE = b"data: [DONE]\n\n"


def recorded(name: str) -> bytes:
    """The body of a real answer."""
    return (FOLDER / f"{name}.body").read_bytes()


def read(*pieces: bytes) -> sse.Events:
    """A stream that came in these pieces."""
    events = sse.Events()
    for piece in pieces:
        events.whole(piece)
    events.rest()
    return events


def asked(body: bytes) -> bytes:
    """The request as the engine gets it, but for its model's name."""
    edit = usage.ask(body, body.index(b'"m"') + 3)
    return spans.splice(body, [edit] if edit else [])


ASKED = {
    "nothing is said": (b'{"model":"m"}', b'{"model":"m","stream_options":{"include_usage":true}}'),
    "model comes first": (
        b'{"model" : "m" , "a":[1, 2.50]}',
        b'{"model" : "m","stream_options":{"include_usage":true} , "a":[1, 2.50]}',
    ),
    "the options are empty": (
        b'{"stream_options" : { },"model":"m"}',
        b'{"stream_options" : {"include_usage":true},"model":"m"}',
    ),
    "the options are null": (
        b'{"stream_options":null,"model":"m"}',
        b'{"stream_options":{"include_usage":true},"model":"m"}',
    ),
    "the client wants none": (
        b'{"stream_options":{"include_usage": false, "x": 1.50},"model":"m"}',
        b'{"stream_options":{"include_usage":true,"x":1.50},"model":"m"}',
    ),
    "other options are given": (
        b'{"stream_options":{"x":"\\u00e9"},"model":"m"}',
        b'{"stream_options":{"x":"\\u00e9","include_usage":true},"model":"m"}',
    ),
    "a message is about options": (
        b'{"model":"m","messages":[{"content":"\\"stream_options\\":{}"}]}',
        b'{"model":"m","stream_options":{"include_usage":true},"messages":[{"content":"\\"stream_options\\":{}"}]}',
    ),
    "only something within has options": (
        b'{"model":"m","metadata":{"stream_options":{}}}',
        b'{"model":"m","stream_options":{"include_usage":true},"metadata":{"stream_options":{}}}',
    ),
    "a text has escaped letters": (
        b'{"model":"m","user":"caf\\u00e9"}',
        b'{"model":"m","stream_options":{"include_usage":true},"user":"caf\\u00e9"}',
    ),
}


@pytest.mark.parametrize("case", ASKED)
def test_usage_is_asked_for_by_one_edit_where(case: str) -> None:
    body, expected = ASKED[case]

    assert asked(body) == expected
    assert json.loads(expected)["stream_options"]["include_usage"] is True


UNTOUCHED = {
    "the client asks itself": b'{"model":"m","stream_options":{"include_usage":true}}',
    "it asks with a key in escapes": b'{"model":"m","stream\\u005foptions":{"include_usage":true}}',
    "it asks for more": b'{"stream_options":{"include_usage":true,"continuous":true},"model":"m"}',
    "the options are of the wrong type": b'{"model":"m","stream_options":"yes"}',
    "the choice is of the wrong type": b'{"model":"m","stream_options":{"include_usage":1}}',
    "the same options stand in two places": b'{"model":"m","stream_options":{},"a":{"stream_options":{}}}',
    "there are objects among the options": b'{"model":"m","stream_options":{"a":{}}}',
}


@pytest.mark.parametrize("case", UNTOUCHED)
def test_a_request_stays_as_it_is_where(case: str) -> None:
    body = UNTOUCHED[case]

    assert usage.ask(body, body.index(b'"m"') + 3) is None


CHUNK = b'data: {"id":"1","choices":[{"delta":{"content":"a"}}]}\n\n'
LAST = b'data: {"id":"1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n'

HIDDEN = {
    "the last event": (CHUNK + LAST + DONE, CHUNK + DONE),
    "the last event with spaces": (
        b'data:{"choices": [], "usage": {"prompt_tokens": 3}}\r\n\r\n' + DONE,
        DONE,
    ),
    "the last event without its blank line": (CHUNK + LAST[:-1], CHUNK),
    "a null at the end of an event": (CHUNK[:-3] + b',"usage":null}\n\n' + CHUNK, CHUNK + CHUNK),
    "a null after a space": (CHUNK[:-3] + b', "usage": null }\n\n', CHUNK[:-3] + b" }\n\n"),
    "counts of the way": (
        b'data: {"usage":{"prompt_tokens":3,"details":{"a":[1]}},"choices":[{}],"x":"usage"}\n\n',
        b'data: {"choices":[{}],"x":"usage"}\n\n',
    ),
    "a member in the middle": (
        b'data: {"choices":[{}],"usage":null,"x":1.50}\n\n',
        b'data: {"choices":[{}],"x":1.50}\n\n',
    ),
    "an only member": (b'data: {"usage":null}\n\n', b"data: {}\n\n"),
}


@pytest.mark.parametrize("case", HIDDEN)
def test_hiding_takes_out(case: str) -> None:
    came, expected = HIDDEN[case]

    assert usage.hide(came) == expected


KEPT = {
    "words about usage": b'data: {"choices":[{"delta":{"content":"\\"usage\\":null}"}}]}\n\n',
    "a member of that name further in": b'data: {"choices":[{"delta":{"usage":null}}]}\n\n',
    "an event that is no JSON": b'data: "usage":null\n\n',
    "an event without data": b': "usage":null\n\n',
    "an event of no choices and no usage": b'data: {"choices":[],"prompt_filter_results":[]}\n\n',
    "an error": b'data: {"error":{"message":"no","usage":1}}\n\n',
}


@pytest.mark.parametrize("case", KEPT)
def test_hiding_keeps(case: str) -> None:
    assert usage.hide(KEPT[case]) == KEPT[case]


@pytest.mark.parametrize("name", ["vllm-0.32.0/chat_stream", "llama.cpp-b11434/chat_stream"])
def test_a_real_stream_loses_only_the_event_that_was_not_asked_for(name: str) -> None:
    body = recorded(name)
    events = body.split(b"\n\n")
    expected = b"\n\n".join(one for one in events if b'"choices":[]' not in one)

    assert len(expected) < len(body)
    assert usage.hide(body) == expected


def test_a_real_stream_with_counts_in_every_event_loses_each() -> None:
    hidden = usage.hide(recorded("ollama-0.17.4/v1_completions_stream"))

    said = [json.loads(one[len(b"data: ") :]) for one in hidden.split(b"\n\n")[:-2]]
    assert "".join(one["choices"][0]["text"] for one in said) == "Paris, the capital city of France,"
    assert all("usage" not in one and one["system_fingerprint"] == "fp_ollama" for one in said)


TOLD = {
    "vllm-0.32.0/chat": Usage(37, 8),
    "vllm-0.32.0/completions": Usage(5, 8),
    "llama.cpp-b11434/chat_tools": Usage(34, 48, 24),
    "ollama-0.17.4/v1_chat": Usage(16, 8),
    "ollama-0.17.4/v1_embeddings": Usage(2, 0),
}


@pytest.mark.parametrize("name", TOLD)
def test_usage_is_read_from_a_real_answer(name: str) -> None:
    assert usage.of_answer(recorded(name)) == TOLD[name]


SHAPES = {
    "responses": (
        b'{"output":[{"usage":1}],"usage":{"input_tokens":7,"output_tokens":5,"input_tokens_details":{"cached_tokens":4}}}',
        Usage(7, 5, 4),
    ),
    "a reranker with one count": (b'{"results":[],"usage":{"total_tokens":9}}', Usage(9, 0)),
    "details that are null": (
        b'{"usage":{"prompt_tokens":1,"completion_tokens":2,"prompt_tokens_details":null}}',
        Usage(1, 2),
    ),
    "a tool with a property of that name": (
        b'{"tools":[{"usage":{"prompt_tokens":99}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}',
        Usage(1, 2),
    ),
}


@pytest.mark.parametrize("case", SHAPES)
def test_usage_is_read_in_the_shape_of(case: str) -> None:
    body, expected = SHAPES[case]

    assert usage.of_answer(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"RIFF\x00\xff",
        b"[1]",
        b"{}",
        b'{"usage":null}',
        b'{"usage":{"prompt_tokens":0,"completion_tokens":0}}',
        b'{"usage":{"prompt_tokens":"many"}}',
        b'{"usage":[',
        b'{"usage":{"prompt_tokens":-3}}',
    ],
)
def test_an_answer_that_tells_no_usage_gives_none(body: bytes) -> None:
    assert usage.of_answer(body) is None


@pytest.mark.parametrize("place", ["end", "start", "end with something after"])
def test_usage_is_found_in_a_large_answer_wherever_it_stands(place: str) -> None:
    told, data = b'"usage":{"prompt_tokens":11,"total_tokens":11}', b'"data":[%b1]' % (b"0.25," * 100_000)
    bodies = {
        "end": b"{%b,%b}" % (data, told),
        "start": b"{%b,%b}" % (told, data),
        "end with something after": b'{%b,%b,"id":"{"}' % (data, told),
    }

    assert usage.of_answer(bodies[place]) == Usage(11, 0)


@given(cuts=st.lists(st.integers(1, 5_000), max_size=40))
def test_the_end_of_an_answer_that_passes_in_pieces_tells_its_usage(cuts: list[int]) -> None:
    body = b'{"data":[%b1],"usage":{"prompt_tokens":11}}\n' % (b"0.25," * 5_000)
    end, at = b"", 0
    for length in [*cuts, len(body)]:
        end = usage.tail(end, body[at : at + length])
        at += length

    assert len(end) <= usage.TAIL_BYTES
    assert usage.of_answer(end) == Usage(11, 0)


STREAMED = {
    "vllm-0.32.0/chat_stream": Usage(37, 8),
    "llama.cpp-b11434/chat_stream": Usage(37, 24, 36),
    "ollama-0.17.4/v1_chat_stream_usage": Usage(16, 8),
    "ollama-0.17.4/v1_completions_stream": Usage(14, 8),
    "vllm-0.32.0/chat_stream_nousage": None,
}


@pytest.mark.parametrize("name", STREAMED)
def test_usage_is_read_from_the_end_of_a_real_stream(name: str) -> None:
    body = recorded(name)

    assert usage.of_stream(read(body)) == STREAMED[name]
    assert usage.of_stream(read(*(bytes([byte]) for byte in body))) == STREAMED[name]


def test_usage_of_a_responses_stream_is_in_its_last_event_however_long_that_is() -> None:
    counts = {"input_tokens": 16, "input_tokens_details": {"cached_tokens": 2}, "output_tokens": 8}
    for length in (10, 20_000, sse.MOST_HELD_BYTES + 1):
        response: dict[str, Any] = {"output": "x" * length, "usage": counts, "user": None}
        event = b'event: response.completed\ndata: {"response":%b}\n\n' % json.dumps(response).encode()

        cut = len(event) - 1_000
        assert usage.of_stream(read(b'data: {"response":{"usage":null}}\n\n', event)) == Usage(16, 8, 2)
        assert usage.of_stream(read(event[: max(1, cut)], event[max(1, cut) :])) == Usage(16, 8, 2)


def test_a_stream_that_tells_no_usage_is_estimated_by_its_events() -> None:
    events = read(recorded("ollama-0.17.4/v1_chat_stream"))

    assert usage.of_stream(events) is None
    assert usage.of_events(12, events) == Usage(12, 7, estimated=True)


def test_a_stream_that_never_began_has_no_completion() -> None:
    assert usage.of_events(12, read(b"")) == Usage(12, 0, estimated=True)


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        ('{"choices":[{"message":{"content":"été, été"}}]}'.encode(), 3),
        (b'{"choices":[{"text":"12345678"},{"text":"1234"}]}', 3),
        (b'{"choices":[{"message":{"content":null}}]}', 0),
        (b'{"data":[]}', 0),
        (b"RIFF\xff", 0),
    ],
)
def test_an_answer_that_tells_no_usage_is_estimated_by_its_text(body: bytes, tokens: int) -> None:
    assert usage.of_text(12, body) == Usage(12, tokens, estimated=True)


def test_a_count_that_cannot_be_is_not_believed() -> None:
    assert usage.of_answer(b'{"usage":{"prompt_tokens":1%s}}' % (b"0" * 400)) is None
