"""Usage through the gateway: asked of the engine, hidden from the client, and counted for every request."""

import json
from pathlib import Path
from threading import Event

import pytest

from fakes import engines, gateways
from fakes.engines import Ask, Script, answer, chunk, says, stream_head
from steelyard_gateway.usage import Usage

FOLDER = Path(__file__).parents[2] / "recordings"
STREAMED = b'{"model":"asked","stream":true,"messages":[]}'
ASKED = b'{"model":"tiny","stream_options":{"include_usage":true},"stream":true,"messages":[]}'
PROMPT_TOKENS = 21


def recorded(name: str) -> bytes:
    """The body of a real answer."""
    return (FOLDER / f"{name}.body").read_bytes()


def streams(*pieces: bytes) -> Script:
    """An engine that streams these pieces."""
    return says(stream_head() + b"".join(map(chunk, pieces)) + b"0\r\n\r\n")


def exchange(
    script: Script,
    body: bytes = STREAMED,
    path: str = "/v1/chat/completions",
    headers: str = "",
    *,
    asks: bool = True,
) -> tuple[gateways.Answer, Ask, Usage | None]:
    """What the client got, what the engine was asked, and what was counted."""
    with (
        engines.engine(script) as up,
        gateways.gateway(gateways.endpoint(up.port, asks_usage=asks)) as gateway,
    ):
        gateway.router.fields["prompt_tokens"] = PROMPT_TOKENS
        got = gateway.ask(body, path, headers)
        outcome = gateway.recorder.wait_for(1)[0]
    return got, up.asks[0], outcome.usage


def without_last(stream: bytes) -> bytes:
    """The stream without its event of no choices."""
    return b"\n\n".join(event for event in stream.split(b"\n\n") if b'"choices":[]' not in event)


@pytest.mark.parametrize("step", [1, 61, 1_000_000])
@pytest.mark.parametrize(
    ("name", "used"),
    [("vllm-0.32.0/chat_stream", Usage(37, 8)), ("llama.cpp-b11434/chat_stream", Usage(37, 24, 36))],
)
def test_usage_of_a_stream_is_asked_for_counted_and_hidden(name: str, used: Usage, step: int) -> None:
    stream = recorded(name)
    pieces = [stream[start : start + step] for start in range(0, len(stream), step)]

    got, asked, counted = exchange(streams(*pieces))

    assert asked.body == ASKED
    assert got.body == without_last(stream)
    assert counted == used


@pytest.mark.parametrize(
    ("body", "asks"),
    [(STREAMED[:-1] + b',"stream_options":{"include_usage":true}}', True), (STREAMED, False)],
    ids=["the client asks itself", "the backend is AsAsked"],
)
def test_not_a_byte_of_request_or_stream_is_changed_where(body: bytes, asks: bool) -> None:
    stream = recorded("vllm-0.32.0/chat_stream")

    got, asked, counted = exchange(streams(stream), body, asks=asks)

    assert asked.body == body.replace(b'"asked"', b'"tiny"')
    assert got.body == stream
    assert counted == Usage(37, 8)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b'{"model":"asked"}', "/v1/chat/completions"),
        (b'{"model":"asked","stream":true}', "/v1/responses"),
        (b'{"model":"asked","stream":true}', "/v1/embeddings"),
    ],
)
def test_usage_is_asked_for_in_streams_of_chats_and_completions_only(body: bytes, path: str) -> None:
    _, asked, _ = exchange(says(answer(b"{}")), body, path)

    assert asked.body == body.replace(b'"asked"', b'"tiny"')


@pytest.mark.parametrize("asks", [True, False])
def test_an_engine_is_not_told_of_the_clients_codings(asks: bool) -> None:
    headers = "accept-encoding: gzip\r\naccept: */*\r\n"
    _, asked, _ = exchange(streams(b"data: [DONE]\n\n"), headers=headers, asks=asks)

    assert b"accept-encoding" not in asked.headers
    assert asked.headers[b"accept"] == b"*/*"


def test_a_stream_that_tells_nothing_is_counted_by_its_events() -> None:
    got, _, counted = exchange(streams(recorded("ollama-0.17.4/v1_chat_stream")), asks=False)

    assert got.body == recorded("ollama-0.17.4/v1_chat_stream")
    assert counted == Usage(PROMPT_TOKENS, 7, estimated=True)


def test_a_stream_of_an_engine_that_was_not_asked_keeps_its_usage_after_one_that_was() -> None:
    stream = recorded("ollama-0.17.4/v1_completions_stream")
    with engines.engine(says(answer(b"", "503 Busy"))) as bad, engines.engine(streams(stream)) as good:
        tried = (
            gateways.endpoint(bad.port, "bad", asks_usage=True),
            gateways.endpoint(good.port, "good", asks_usage=False),
        )
        with gateways.gateway(*tried) as gateway:
            got = gateway.ask(STREAMED, "/v1/completions")

    assert bad.asks[0].body == ASKED
    assert good.asks[0].body == STREAMED.replace(b'"asked"', b'"tiny"')
    assert got.body == stream


@pytest.mark.parametrize(
    ("name", "path", "used"),
    [
        ("vllm-0.32.0/chat", "/v1/chat/completions", Usage(37, 8)),
        ("llama.cpp-b11434/chat_tools", "/v1/chat/completions", Usage(34, 48, 24)),
        ("ollama-0.17.4/v1_embeddings", "/v1/embeddings", Usage(2, 0)),
    ],
)
def test_usage_of_an_answer_is_read_from_it(name: str, path: str, used: Usage) -> None:
    got, _, counted = exchange(says(answer(recorded(name))), b'{"model":"asked"}', path)

    assert got.body == recorded(name)
    assert counted == used


def test_usage_of_an_answer_too_long_to_be_held_is_read_from_its_end() -> None:
    body = b'{"data":[%b1],"usage":{"prompt_tokens":11,"total_tokens":11}}' % (b"0.25," * 500_000)

    got, _, counted = exchange(says(answer(body)), b'{"model":"asked"}', "/v1/embeddings")

    assert got.body == body
    assert counted == Usage(11, 0)


def test_a_stream_that_was_asked_for_and_came_as_plain_json_is_counted() -> None:
    body = recorded("vllm-0.32.0/chat")

    got, _, counted = exchange(says(answer(body)))

    assert got.body == body
    assert counted == Usage(37, 8)


def test_an_answer_that_tells_nothing_is_counted_by_its_text() -> None:
    body = json.dumps({"choices": [{"message": {"content": "x" * 400}}]}).encode()

    _, _, counted = exchange(says(answer(body)), b'{"model":"asked"}')

    assert counted == Usage(PROMPT_TOKENS, 100, estimated=True)


@pytest.mark.parametrize("status", ["400 Bad Request", "500 Oops"])
def test_an_error_counts_no_tokens(status: str) -> None:
    got, _, counted = exchange(says(answer(b'{"error":{"message":"no"}}', status)))

    assert got.status >= 400
    assert counted is None


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("leaves", [False, True], ids=["the engine breaks off", "the client leaves"])
def test_a_stream_without_its_end_is_counted_as_far_as_it_came_where(told: bool, leaves: bool) -> None:
    usage = b',"usage":{"prompt_tokens":30,"completion_tokens":4}' if told else b""
    event = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'
    sent = (event[:-3] + usage + event[-3:]) * 4
    heard = Event()

    def script(ask: Ask) -> None:
        ask.send(stream_head() + chunk(sent))
        assert heard.wait(engines.SECONDS)
        if leaves:
            ask.wait_for_hang_up()
        else:
            ask.close()

    with (
        engines.engine(script) as up,
        gateways.gateway(gateways.endpoint(up.port, asks_usage=True)) as gateway,
    ):
        gateway.router.fields["prompt_tokens"] = PROMPT_TOKENS
        with gateway.line() as line:
            line.post(STREAMED).wait_for(event * 4)
            heard.set()
            if not leaves:
                line.read()
        outcome = gateway.recorder.wait_for(1)[0]

    assert outcome.code == ("client_left" if leaves else "stream_cut")
    assert outcome.usage == (Usage(30, 4) if told else Usage(PROMPT_TOKENS, 2, estimated=True))
