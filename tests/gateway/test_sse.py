"""Streams of events: whole events pass, unfinished ones wait, and cuts on the way make no difference."""

from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard_gateway import shapes, sse, usage
from steelyard_gateway.signature import Signer

FOLDER = Path(__file__).parents[1] / "recordings"
STREAMS = {
    f"{path.parent.name}/{path.stem}": path.read_bytes()
    for path in sorted(FOLDER.glob("*/*stream*.body"))
    if path.read_bytes().startswith(b"data:")
}
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}\n\n'
DONE = b"data: [DONE]\n\n"

CASES = ["as it is", "edited"]


def events_for(case: str) -> sse.Events:
    """A stream without edits or with all; a signer is made anew, for it has a memory."""
    edits = () if case == "as it is" else (usage.hide, Signer("\nModel: tiny").events)
    return sse.Events(edits, shape=shapes.DONE)


def passed(events: sse.Events, *pieces: bytes) -> bytes:
    """All that comes out for these pieces."""
    return b"".join(map(events.whole, pieces)) + events.rest()


def test_a_piece_of_whole_events_is_passed_as_the_same_object() -> None:
    assert sse.Events().whole(EVENT) is EVENT
    assert sse.Events((usage.hide,)).whole(EVENT) is EVENT


def framed(content: bytes) -> bytes:
    """The content as a chunk."""
    return b"%x\r\n%b\r\n" % (len(content), content)


def test_a_chunk_of_whole_events_passes_as_it_is_unless_something_is_to_be_changed() -> None:
    told = b'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n'

    assert sse.Events((usage.hide,)).takes(framed(EVENT))
    assert not sse.Events((usage.hide,)).takes(framed(told))
    assert not sse.Events().takes(framed(EVENT[:-1]))
    assert not sse.Events((Signer("x").events,), is_signed=True).takes(framed(EVENT))
    waits = sse.Events()
    waits.whole(b"data: ")
    assert not waits.takes(framed(b"x\n\n"))


def test_events_in_chunks_are_counted_and_the_closing_one_is_seen() -> None:
    events = sse.Events(shape=shapes.DONE)

    assert events.takes(framed(EVENT)) and events.takes(framed(EVENT * 2)) and events.lacks_end
    assert events.takes(framed(DONE)) and not events.lacks_end
    assert events.number == 4


def test_an_unfinished_event_waits_for_its_end() -> None:
    events = sse.Events()

    assert events.whole(EVENT + DONE[:-1]) == EVENT
    assert events.whole(b"\n" + EVENT) == DONE + EVENT


def test_an_event_longer_than_what_is_held_passes_as_it_comes() -> None:
    events = sse.Events()

    assert len(events.whole(b"data: " + b"x" * sse.MOST_HELD_BYTES)) > sse.MOST_HELD_BYTES
    assert events.whole(b"x") == b""
    assert events.whole(b"\n\n") == b"x\n\n"


LONG_COMMENT = b": %b\n\n" % (b"x" * 1000)


@pytest.mark.parametrize(
    "ending",
    [
        DONE,
        b"data:[DONE]\r\n\r\n",
        b"data: [DONE]",
        DONE + b": bye\n\n",
        DONE + LONG_COMMENT,
        DONE + EVENT * 3,
    ],
)
def test_a_stream_is_done_when_its_closing_event_came_whatever_comes_after_it(ending: bytes) -> None:
    for cut in range(len(ending)):
        events = sse.Events(shape=shapes.DONE)
        passed(events, EVENT * 3, ending[:cut], ending[cut:])
        assert not events.lacks_end


@pytest.mark.parametrize("ending", [b"", b'data: "data: [DONE]"\n\n', b'data: "[DONE]"\n\n'])
def test_a_stream_is_not_done_before_its_closing_event(ending: bytes) -> None:
    events = sse.Events(shape=shapes.DONE)
    passed(events, EVENT, ending)

    assert events.lacks_end


@pytest.mark.parametrize(
    "ending",
    [
        b'event: response.completed\ndata: {"type":"response.completed"}\n\n',
        b'data: {"type": "response.incomplete"}\r\n\r\n',
        b"event: response.failed\ndata: {}\n\n",
        b'event: error\ndata: {"type":"error"}\n\n',
        DONE,
    ],
)
def test_a_response_is_over_when_it_says_what_became_of_it(ending: bytes) -> None:
    delta = b'event: response.output_text.delta\ndata: {"delta":"response.completed"}\n\n'
    events = sse.Events(shape=shapes.RESPONSES)

    assert events.takes(framed(delta)) and events.lacks_end
    passed(events, ending)
    assert not events.lacks_end


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", STREAMS)
def test_a_recorded_stream_cut_anywhere_gives_the_same_as_one_that_came_at_once(name: str, case: str) -> None:
    body = STREAMS[name]
    whole = events_for(case)
    expected = passed(whole, body)

    for cut in range(1, len(body)):
        events = events_for(case)
        assert passed(events, body[:cut], body[cut:]) == expected
        assert (events.number, events.lacks_end) == (whole.number, whole.lacks_end)
        assert usage.of_stream(events) == usage.of_stream(whole)


@pytest.mark.parametrize("case", CASES)
@given(
    lengths=st.lists(st.integers(1, 300), max_size=30), blank=st.sampled_from([b"\n\n", b"\r\n\r\n", b"\r\r"])
)
def test_a_stream_cut_many_times_gives_the_same_with_any_line_ends(
    case: str, lengths: list[int], blank: bytes
) -> None:
    body = STREAMS["vllm-0.32.0/chat_stream"].replace(b"\n\n", blank)
    borders = [0, *accumulate(lengths), len(body)]
    pieces = [body[start:end] for start, end in pairwise(borders)]

    assert passed(events_for(case), *pieces) == passed(events_for(case), body)


@pytest.mark.parametrize("name", STREAMS)
def test_a_recorded_stream_without_edits_passes_byte_for_byte(name: str) -> None:
    assert passed(sse.Events(), *(bytes([byte]) for byte in STREAMS[name])) == STREAMS[name]
