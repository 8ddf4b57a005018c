"""What real engines answered, replayed by a fake one: clients must get the same bytes, however cut."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fakes import engines, gateways
from fakes.unwired import Unwired, taken_apart

FOLDER = Path(__file__).parents[2] / "recordings"
RECORDINGS = sorted(path.relative_to(FOLDER).as_posix()[: -len(".body")] for path in FOLDER.glob("*/*.body"))
STREAMS = [name for name in RECORDINGS if b"text/event-stream" in (FOLDER / f"{name}.headers").read_bytes()]
CUT = {"ollama-0.17.4/v1_chat_stream_runner_killed", "ollama-0.17.4/v1_chat_stream_sigterm"}
"""Streams that ended without their last event, because the engine was killed."""

BUSY = "ollama-0.17.4/v1_err_queue_full"
PASSED = [name for name in RECORDINGS if name != BUSY]
"""What is the client's, whether good or bad."""

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding"}
OURS = {"x-request-id", "content-length", "transfer-encoding"}


def recorded(name: str) -> tuple[bytes, bytes]:
    """Head and body as they came."""
    return (FOLDER / f"{name}.headers").read_bytes(), (FOLDER / f"{name}.body").read_bytes()


def on_the_wire(head: bytes, body: bytes, chunk_bytes: int) -> bytes:
    """The answer with the framing that the head declares."""
    if b"transfer-encoding: chunked" not in head.lower():
        return head + body
    parts = [body[start : start + chunk_bytes] for start in range(0, len(body), chunk_bytes)]
    return head + b"".join(map(engines.chunk, parts)) + b"0\r\n\r\n"


def request(name: str) -> bytes:
    """A request that might have been answered so."""
    path = "/v1/responses" if "responses" in name else "/v1/chat/completions"
    stream = b"true" if "stream" in name else b"false"
    return gateways.post(b'{"model":"asked","stream":%b}' % stream, path)


def check(name: str, got: gateways.Answer) -> None:
    """What the client got is what was recorded: status, headers that are end to end, body."""
    head, body = recorded(name)
    lines = [line.decode("latin-1").split(":", 1) for line in head.split(b"\r\n")[1:] if line]
    sent = {key.lower(): value.strip() for key, value in lines if key.lower() not in HOP_BY_HOP}
    mine = {key: value for key, value in got.headers.items() if not key.startswith("x-steelyard-")}

    assert got.status == int(head.split(b" ")[1])
    assert {key: value for key, value in mine.items() if key not in OURS} == {
        key: value for key, value in sent.items() if key not in OURS
    }
    if name in CUT:
        assert got.body.startswith(body)
        assert cut_off(name, got.body[len(body) :])
    else:
        assert got.body == body


def cut_off(name: str, told: bytes) -> bool:
    """Whether this is nothing but the event that tells so, in the shape of the path."""
    is_responses = request(name).startswith(b"POST /v1/responses")
    start = b"event: error\ndata: " if is_responses else b"data: "
    event = json.loads(told.removeprefix(start))
    assert not is_responses or (event["type"], event["message"]) == ("error", event["error"]["message"])
    message: str = event["error"]["message"]
    return told.startswith(start) and message.startswith("The answer was cut off: ")


@pytest.fixture
def unwired() -> Iterator[Unwired]:
    with closing(Unwired()) as gateway:
        yield gateway


def test_there_are_recordings_of_each_engine() -> None:
    assert {name.split("-")[0] for name in RECORDINGS} == {"llama.cpp", "ollama", "vllm"}
    assert len(RECORDINGS) >= 50
    assert len(STREAMS) >= 8


@pytest.mark.parametrize("step", [1, 7, 1_000, 1_000_000])
@pytest.mark.parametrize("name", PASSED)
def test_a_recorded_answer_reaches_the_client_unchanged_over_sockets(name: str, step: int) -> None:
    wire = on_the_wire(*recorded(name), chunk_bytes=step)
    borders = range(step, len(wire), max(step, len(wire) // 40))

    with (
        engines.engine(lambda ask: ask.send_pieces(wire, borders)) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        check(name, line.send(request(name)).read())


@pytest.mark.parametrize("name", PASSED)
def test_it_is_the_same_each_time_it_comes_over_one_connection(name: str, unwired: Unwired) -> None:
    wire = on_the_wire(*recorded(name), chunk_bytes=1_000_000)

    for _ in range(3):
        check(name, taken_apart(unwired.exchange(request(name), [wire])))


@pytest.mark.parametrize("chunk_bytes", [31, 1_000_000])
@pytest.mark.parametrize("name", PASSED)
def test_it_is_the_same_wherever_it_is_cut_in_two(name: str, chunk_bytes: int, unwired: Unwired) -> None:
    wire, asked = on_the_wire(*recorded(name), chunk_bytes), request(name)
    whole = taken_apart(unwired.exchange(asked, [wire]))
    check(name, whole)

    for cut in range(1, len(wire)):
        got = taken_apart(unwired.exchange(asked, [wire[:cut], wire[cut:]]))
        assert (got.status, got.body) == (whole.status, whole.body), cut
        assert got.headers.keys() - OURS == whole.headers.keys() - OURS, cut


@pytest.mark.parametrize("chunk_bytes", [1, 5])
@pytest.mark.parametrize("name", PASSED)
def test_it_is_the_same_byte_by_byte(name: str, chunk_bytes: int, unwired: Unwired) -> None:
    wire = on_the_wire(*recorded(name), chunk_bytes)

    check(name, taken_apart(unwired.exchange(request(name), [bytes([byte]) for byte in wire])))


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("name", ["llama.cpp-b11434/chat_stream", "vllm-0.32.0/chat_stream"])
def test_comments_unknown_events_and_other_line_ends_pass_unchanged(
    name: str, line_end: bytes, unwired: Unwired
) -> None:
    head, body = recorded(name)
    told = b": waiting\n\n:\n\nevent: new.kind\nid: 7\nretry: 10\ndata: {\ndata: }\n\nunknown: x\n\n"
    body = (told + body.replace(b"\n\n", b"\n\n: ping\n\n", 3)).replace(b"\n", line_end)
    wire = on_the_wire(head, body, chunk_bytes=97)

    for cut in range(1, len(wire)):
        got = taken_apart(unwired.exchange(request(name), [wire[:cut], wire[cut:]]))
        assert got.body == body, cut


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_breaks_off_at_any_byte_gives_whole_events_and_then_an_error(
    name: str, unwired: Unwired
) -> None:
    head, body = recorded(name)
    pieces = body.split(b"\n\n")
    ends = [len(b"\n\n".join(pieces[:number])) + 2 for number in range(1, len(pieces))]

    for cut in range(1, len(body)):
        sent = [head + engines.chunk(body[:cut])]
        got = taken_apart(unwired.exchange(request(name), sent, ends=True))
        if cut < ends[0]:
            assert (got.status, got.error()["code"]) == (502, "bad_upstream"), cut
            continue
        whole = max(end for end in ends if end <= cut + 1)
        assert got.body[:whole] == body[:whole], cut
        assert cut_off(name, got.body[whole:]), cut


def events(body: bytes) -> list[bytes]:
    """The data of each event, as a client's reader finds it."""
    found, data = [], b""
    for line in re.split(rb"\r\n|\n|\r", body):
        if line.startswith(b"data:"):
            data += line.removeprefix(b"data:").removeprefix(b" ")
        elif not line and data:
            found.append(data)
            data = b""
    return found


@pytest.mark.parametrize("line_end", [b"\r\n", b"\r"])
@pytest.mark.parametrize("name", ["llama.cpp-b11434/chat_stream", "ollama-0.17.4/v1_responses_stream"])
def test_the_error_stands_alone_whatever_ends_a_line(name: str, line_end: bytes, unwired: Unwired) -> None:
    head, body = recorded(name)
    body = body.replace(b"\n", line_end)
    whole = events(body)

    for cut in range(body.index(2 * line_end) + 2 * len(line_end), len(body)):
        sent = [head + engines.chunk(body[:cut])]
        *passed, error = events(taken_apart(unwired.exchange(request(name), sent, ends=True)).body)
        assert passed == whole[: len(passed)], cut
        assert len(passed) >= len(events(body[:cut])), cut
        assert json.loads(error)["error"]["message"].startswith("The answer was cut off: "), cut


@pytest.mark.parametrize("name", [name for name in PASSED if name not in STREAMS])
def test_of_an_answer_that_breaks_off_at_any_byte_the_client_gets_nothing(
    name: str, unwired: Unwired
) -> None:
    wire, asked = on_the_wire(*recorded(name), chunk_bytes=13), request(name)

    for cut in range(1, len(wire)):
        got = taken_apart(unwired.exchange(asked, [wire[:cut]], ends=True))
        assert (got.status, got.error()["code"]) == (502, "bad_upstream"), cut


def test_a_busy_engine_is_left_and_its_words_are_not_the_clients(unwired: Unwired) -> None:
    got = taken_apart(unwired.exchange(request(BUSY), [on_the_wire(*recorded(BUSY), chunk_bytes=99)]))

    assert (got.status, got.error()["code"]) == (503, "no_upstream")
    assert "pending requests" not in got.error()["message"]
