"""Signatures through the gateway: under what clients get, and out of what engines are asked."""

import json
from pathlib import Path
from typing import Any

import pytest

from fakes import engines, gateways
from fakes.engines import Script, answer, chunk, says, stream_head

FOLDER = Path(__file__).parents[2] / "recordings"
TEMPLATE = "\n— {model}, {backend}"
TEXT = "\n— tiny, engine"
STREAMED = b'{"model":"asked","stream":true,"messages":[]}'


def recorded(name: str) -> bytes:
    """The body of a real answer."""
    return (FOLDER / f"{name}.body").read_bytes()


def streams(*pieces: bytes) -> Script:
    """An engine that streams these pieces."""
    return says(stream_head() + b"".join(map(chunk, pieces)) + b"0\r\n\r\n")


def exchange(
    script: Script, body: bytes = b'{"model":"asked"}', path: str = "/v1/chat/completions", headers: str = ""
) -> tuple[gateways.Answer, engines.Ask]:
    """What a client of a signing policy got, and what the engine was asked."""
    with (
        engines.engine(script) as up,
        gateways.gateway(gateways.endpoint(up.port, asks_usage=True)) as gateway,
    ):
        gateway.router.fields["signature"] = TEMPLATE
        got = gateway.ask(body, path, headers)
    return got, up.asks[0]


def said(stream: bytes) -> str:
    """What the choices of a stream say."""
    *events, done, end = stream.split(b"\n\n")
    assert (done, end) == (b"data: [DONE]", b"")
    choices = [choice for event in events for choice in json.loads(event[len(b"data: ") :])["choices"]]
    return "".join(one.get("text") or one.get("delta", {}).get("content") or "" for one in choices)


@pytest.mark.parametrize("framing", ["a length", "chunks"])
def test_an_answer_is_signed_and_its_length_is_right(framing: str) -> None:
    body = recorded("vllm-0.32.0/chat")
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    sent = (
        answer(body) if framing == "a length" else head + chunk(body[:99]) + chunk(body[99:]) + b"0\r\n\r\n"
    )

    got, _ = exchange(says(sent))

    signed = json.dumps(TEXT, ensure_ascii=False)[1:-1].encode()
    assert got.body == body.replace(b"France is Paris.", b"France is Paris." + signed)
    assert (
        json.loads(got.body)["choices"][0]["message"]["content"] == "The capital of France is Paris." + TEXT
    )


@pytest.mark.parametrize("step", [1, 61, 1_000_000])
@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("vllm-0.32.0/chat_stream", "/v1/chat/completions"),
        ("llama.cpp-b11434/chat_stream", "/v1/chat/completions"),
        ("vllm-0.32.0/completions_stream", "/v1/completions"),
    ],
)
def test_a_stream_is_signed_however_it_is_cut(name: str, path: str, step: int) -> None:
    stream = recorded(name)
    pieces = [stream[start : start + step] for start in range(0, len(stream), step)]

    got, _ = exchange(streams(*pieces), STREAMED, path)

    assert said(got.body) == said(stream) + TEXT
    assert b'"choices":[]' not in got.body


UNSIGNED: dict[str, tuple[Script, bytes, str]] = {
    "an error": (
        says(answer(b'{"error":{"message":"no"}}', "400 Bad Request")),
        b'{"model":"asked"}',
        "/v1/completions",
    ),
    "embeddings": (
        says(answer(recorded("ollama-0.17.4/v1_embeddings"))),
        b'{"model":"asked"}',
        "/v1/embeddings",
    ),
    "a call of a tool": (
        streams(recorded("ollama-0.17.4/v1_chat_tools_stream")),
        STREAMED,
        "/v1/chat/completions",
    ),
}


@pytest.mark.parametrize("case", UNSIGNED)
def test_nothing_is_put_under(case: str) -> None:
    got, _ = exchange(*UNSIGNED[case])

    assert TEXT.strip().encode() not in got.body
    assert b"tiny, engine" not in got.body


def test_an_answer_too_long_to_be_held_passes_unsigned() -> None:
    body = json.dumps({"choices": [{"message": {"content": "x" * 2_000_000}}]}).encode()

    got, _ = exchange(says(answer(body)))

    assert got.body == body


def test_earlier_answers_are_asked_about_without_their_signature_and_in_no_coding() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "Who? \n— tiny, engine"},
        {"role": "assistant", "content": "Me." + TEXT + "\n— other, engine2"},
        {"role": "user", "content": "Sure?"},
    ]
    body = json.dumps({"messages": messages, "model": "asked", "x": 1.50}).encode()

    _, asked = exchange(says(answer(b"{}")), body, headers="accept-encoding: gzip\r\n")

    messages[1]["content"] = "Me."
    assert asked.body == json.dumps({"messages": messages, "model": "tiny", "x": 1.50}).encode()
    assert b"accept-encoding" not in asked.headers


def test_a_policy_without_signature_leaves_those_of_others() -> None:
    body = json.dumps(
        {"model": "asked", "messages": [{"role": "assistant", "content": "Me." + TEXT}]}
    ).encode()
    with (
        engines.engine(says(answer(recorded("vllm-0.32.0/chat")))) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
    ):
        got = gateway.ask(body)

    assert up.asks[0].body == body.replace(b'"asked"', b'"tiny"')
    assert got.body == recorded("vllm-0.32.0/chat")
