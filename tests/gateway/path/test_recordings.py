"""What real engines answered, replayed by a fake one: clients must get the same bytes."""

from pathlib import Path

import pytest

from fakes import engines, gateways
from fakes.engines import Ask

FOLDER = Path(__file__).parents[2] / "recordings"
RECORDINGS = sorted(path.relative_to(FOLDER).as_posix()[: -len(".body")] for path in FOLDER.glob("*/*.body"))
CUT = {"ollama-0.17.4/v1_chat_stream_runner_killed", "ollama-0.17.4/v1_chat_stream_sigterm"}
"""Streams that ended without their last event, because the engine was killed."""


def recorded(name: str) -> tuple[bytes, bytes]:
    """Head and body as they came."""
    return (FOLDER / f"{name}.headers").read_bytes(), (FOLDER / f"{name}.body").read_bytes()


def on_the_wire(head: bytes, body: bytes, chunk_bytes: int) -> bytes:
    """The answer with the framing that the head declares."""
    if b"transfer-encoding: chunked" not in head.lower():
        return head + body
    parts = [body[start : start + chunk_bytes] for start in range(0, len(body), chunk_bytes)]
    return head + b"".join(map(engines.chunk, parts)) + b"0\r\n\r\n"


def test_there_are_recordings_of_each_engine() -> None:
    assert {name.split("-")[0] for name in RECORDINGS} == {"llama.cpp", "ollama", "vllm"}
    assert len(RECORDINGS) >= 30


@pytest.mark.parametrize("step", [1, 7, 1_000, 1_000_000])
@pytest.mark.parametrize("name", RECORDINGS)
def test_a_recorded_answer_reaches_the_client_unchanged_however_it_is_cut(name: str, step: int) -> None:
    head, body = recorded(name)
    wire = on_the_wire(head, body, chunk_bytes=step)
    borders = range(step, len(wire), max(step, len(wire) // 40))

    with (
        engines.engine(lambda ask: ask.send_pieces(wire, borders)) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
    ):
        got = gateway.ask(b'{"model":"asked","stream":true}')

    assert got.status == int(head.split(b" ")[1])
    if name in CUT:
        assert got.body.startswith(body + b'data: {"error"')
    else:
        assert got.body == body
    sent = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    assert got.headers["content-type"].encode() == sent[b"content-type"]


@pytest.mark.parametrize(
    "name", ["llama.cpp-b11434/chat_stream", "ollama-0.17.4/v1_chat_tools_stream", "vllm-0.32.0/chat_stream"]
)
def test_a_recorded_stream_cut_at_any_byte_gives_whole_events_and_then_an_error(name: str) -> None:
    head, body = recorded(name)
    events = body.split(b"\n\n")
    ends = [len(b"\n\n".join(events[:number])) + 2 for number in range(1, len(events))]

    def script(ask: Ask) -> None:
        cut = int(ask.headers[b"x-cut"])
        ask.send(head + engines.chunk(body[:cut]))
        ask.close()

    with (
        engines.engine(script) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
    ):
        for cut in {*range(1, len(body), 23), *ends[:-1], *(end - 1 for end in ends)}:
            got = gateway.ask(b'{"model":"asked","stream":true}', headers=f"x-cut: {cut}\r\n")
            if cut < ends[0]:
                assert (got.status, got.error()["code"]) == (502, "bad_upstream")
            else:
                passed, _, error = got.body.rpartition(b'data: {"error"')
                assert passed == body[: max(end for end in ends if end <= cut + 1)]
                assert error.startswith(b':{"message":"The answer was cut off: ')
