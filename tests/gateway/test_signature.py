"""Signatures: under answers and streams of words, and out of what comes back."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard_gateway import signature, spans
from steelyard_gateway.signature import Signer

FOLDER = Path(__file__).parents[1] / "recordings"
TEMPLATE = '\n— "{model}" on {backend}'
TEXT = '\n— "llama/8b" on gpu'
DONE = b"data: [DONE]\n\n"


def recorded(name: str) -> bytes:
    """The body of a real answer."""
    return (FOLDER / f"{name}.body").read_bytes()


def said(stream: bytes) -> list[Any]:
    """The JSON of each event of a stream but the closing one."""
    events = [one for one in stream.replace(b"\r\n", b"\n").split(b"\n\n") if one]
    assert events.pop() == DONE.strip()
    return [json.loads(one.removeprefix(b"data: ")) for one in events]


def words(stream: bytes, index: int = 0) -> str:
    """What a choice of a stream says."""
    choices = [choice for event in said(stream) for choice in event["choices"] if choice["index"] == index]
    return "".join(choice.get("text") or choice.get("delta", {}).get("content") or "" for choice in choices)


def test_a_signature_names_who_answered_and_nothing_that_a_name_holds_is_filled_in_again() -> None:
    assert signature.filled("\n{model}, {backend}, {model}", "{backend}", "b") == "\n{backend}, b, {backend}"


ANSWERS = ["vllm-0.32.0/chat", "vllm-0.32.0/chat_json", "llama.cpp-b11434/chat", "ollama-0.17.4/v1_chat"]
COMPLETIONS = ["vllm-0.32.0/completions", "llama.cpp-b11434/completions", "ollama-0.17.4/v1_completions"]


@pytest.mark.parametrize("name", ANSWERS + COMPLETIONS)
def test_a_real_answer_is_signed_and_every_other_byte_stays(name: str) -> None:
    body = recorded(name)
    signed = signature.sign(body, TEXT)

    expected = json.loads(body)
    choice = expected["choices"][0]
    place, key = (choice, "text") if "text" in choice else (choice["message"], "content")
    place[key] += TEXT
    assert json.loads(signed) == expected
    start = next(at for at, (a, b) in enumerate(zip(body, signed, strict=False)) if a != b)
    assert signed[:start] + signed[start + len(signed) - len(body) :] == body


def test_each_choice_that_speaks_is_signed() -> None:
    body = (
        b'{"choices": [ {"logprobs":{"content":[{"token":"]}"}]}, "message" : {"content" : "a\\"]}" } } ,'
        b'{"message":{"content":null}},{"message":{"content":"b","tool_calls":[{"id":"1"}]}},'
        b'{"message":{"content":""}},{"text":"c"}], "usage":1.50}'
    )
    expected = body.replace(b'a\\"]}"', b'a\\"]}!"').replace(b'"c"', b'"c!"')

    assert signature.sign(body, "!") == expected


UNSIGNED = {
    "an error": b'{"error":{"message":"no"}}',
    "no JSON": b"RIFF\xff",
    "an embedding": b'{"data":[{"embedding":[0.5]}]}',
    "nothing said": b'{"choices":[]}',
    "content of another shape": b'{"choices":[{"message":{"content":[{"type":"text"}]}}]}',
    "a call of a tool": b'{"choices":[{"message":{"content":"a","tool_calls":[{"id":"1"}]}}]}',
    "the end of a tool": b'{"choices":[{"message":{"content":"a"},"finish_reason":"tool_calls"}]}',
    "a call of a function": b'{"choices":[{"message":{"content":"a","function_call":{"name":"f"}}}]}',
}


@pytest.mark.parametrize("case", UNSIGNED)
def test_an_answer_stays_as_it_is_where_it_is(case: str) -> None:
    assert signature.sign(UNSIGNED[case], TEXT) == UNSIGNED[case]


STREAMS = [
    "vllm-0.32.0/chat_stream",
    "vllm-0.32.0/chat_stream_nousage",
    "vllm-0.32.0/completions_stream",
    "llama.cpp-b11434/chat_stream",
    "ollama-0.17.4/v1_chat_stream",
    "ollama-0.17.4/v1_completions_stream",
]


@pytest.mark.parametrize("name", STREAMS)
def test_a_real_stream_is_signed_before_it_ends_and_its_own_events_stay(name: str) -> None:
    stream = recorded(name)
    signed = Signer(TEXT).events(stream)

    assert words(signed) == words(stream) + TEXT
    mark = json.dumps(TEXT, ensure_ascii=False)[1:-1].encode()
    ours, theirs = signed.split(b"\n\n"), stream.split(b"\n\n")
    place = next(at for at, event in enumerate(ours) if mark in event)
    assert b'"finish_reason":"' in ours[place] + ours[place + 1]
    assert ours[:place] + ours[place + 1 :] in (theirs, theirs[:place] + theirs[place + 1 :])


def test_the_event_of_a_signature_has_the_shape_of_its_stream() -> None:
    signed = Signer(TEXT).events(recorded("llama.cpp-b11434/chat_stream"))

    ours = next(
        event
        for event in said(signed)
        if event["choices"] and TEXT in str(event["choices"][0]["delta"].get("content"))
    )
    theirs = said(signed)[0]
    for field in ("id", "object", "created", "model", "system_fingerprint"):
        assert ours[field] == theirs[field]
    assert ours["choices"] == [
        {"index": 0, "delta": {"content": TEXT}, "logprobs": None, "finish_reason": None}
    ]
    assert set(ours) == {"id", "object", "created", "model", "system_fingerprint", "choices"}


def test_a_last_token_that_comes_with_the_finish_reason_stays_before_the_signature() -> None:
    stream = recorded("vllm-0.32.0/chat_stream_nousage")
    signed = Signer(TEXT).events(stream)

    assert len(said(signed)) == len(said(stream))
    assert said(signed)[-1]["choices"][0]["delta"]["content"] == " help" + TEXT


def chunk(index: int, finish: str | None = None, **delta: Any) -> bytes:
    """An event of a chat stream."""
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return b"data: %b\n\n" % json.dumps({"id": "1", "choices": [choice]}).encode()


def test_each_choice_of_a_stream_is_signed_when_it_ends() -> None:
    stream = [
        chunk(0, content="a"),
        chunk(1, content="b"),
        chunk(1, "stop"),
        chunk(0, "length", content="c"),
        DONE,
    ]
    signed = b"".join(map(Signer("!").events, stream))

    assert (words(signed, 0), words(signed, 1)) == ("ac!", "b!")


SILENT = {
    "a tool is called": [
        chunk(0, content="Let me see"),
        chunk(0, tool_calls=[{"index": 0}]),
        chunk(0, "stop"),
    ],
    "its reason is a tool": [chunk(0, content="Let me see"), chunk(0, "tool_calls")],
    "nothing is said": [chunk(0, role="assistant", content=""), chunk(0, "stop")],
    "only thoughts are told": [chunk(0, reasoning="hm"), chunk(0, "stop")],
    "it is of no choices": [b'data: {"choices":[]}\n\n', b": waiting\n\n", b"data: x\n\n"],
    "an error comes": [chunk(0, content="a"), b'data: {"error":{"message":"no"}}\n\n'],
}


@pytest.mark.parametrize("case", SILENT)
def test_a_stream_is_not_signed_where(case: str) -> None:
    signer = Signer(TEXT)

    assert [signer.events(one) for one in SILENT[case]] == SILENT[case]


def test_a_real_stream_that_calls_a_tool_is_not_signed() -> None:
    stream = recorded("ollama-0.17.4/v1_chat_tools_stream")

    assert Signer(TEXT).events(stream) == stream


def test_a_stream_that_closes_without_a_reason_is_signed_before_it_closes() -> None:
    stream = chunk(0, content="a") + chunk(0, content="b") + DONE

    assert words(Signer(TEXT).events(stream)) == "ab" + TEXT


def test_a_piece_without_an_end_is_passed_as_the_same_object() -> None:
    signer = Signer(TEXT)
    signer.events(chunk(0, content="a"))
    piece = chunk(0, content="b")

    assert signer.events(piece) is piece


def stripped(body: bytes, template: str = TEMPLATE) -> Any:
    """The request's messages as the engine gets them."""
    return json.loads(spans.splice(body, signature.strip(body, template)))["messages"]


def chat(*messages: tuple[str, Any], ascii_only: bool = True) -> bytes:
    """A request of these roles and contents."""
    turns = [{"content": content, "role": role} for role, content in messages]
    return json.dumps({"messages": turns, "model": "m"}, ensure_ascii=ascii_only).encode()


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize(
    "text", ["Yes.", "Yes.\n", 'It said: "{model}" on ', "été", "a\n— b", "", 'x\n— "y" on\nz']
)
def test_a_signature_is_taken_out_of_earlier_answers_however_they_are_spelled(
    text: str, ascii_only: bool
) -> None:
    other = signature.filled(TEMPLATE, "other model:1b", "b")
    for signed in (text + TEXT, text + other, text + TEXT + other, text + TEXT + " \n"):
        body = chat(("user", TEXT), ("assistant", signed), ("user", "ok"), ascii_only=ascii_only)
        assert [one["content"] for one in stripped(body)] == [TEXT, text, "ok"]


def test_the_last_part_of_an_answer_in_parts_is_stripped() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "refusal"}, {"text": "b" + TEXT, "type": "text"}]

    assert stripped(chat(("assistant", parts)))[0]["content"] == [*parts[:2], {"type": "text", "text": "b"}]


def test_only_the_content_of_a_signed_answer_changes() -> None:
    turns = b'{"role":"user","content":"\\u0041"} , {"content" : "b\\nBy m" , "role":"assistant"}'
    body = b'{ "x":1.50,"messages" : [ %b]}' % turns

    edited = spans.splice(body, signature.strip(body, "\nBy {model}"))
    assert edited == body.replace(b'"b\\nBy m"', b'"b"')


KEPT = {
    "it is the user's": chat(("user", "a" + TEXT)),
    "it is in the middle": chat(("assistant", TEXT + "\nand so on")),
    "there is none": chat(("assistant", "a"), ("assistant", None)),
    "a name is missing": chat(("assistant", 'a\n— "" on gpu')),
    "a name is too long": chat(("assistant", 'a\n— "%s" on gpu' % ("m" * 254))),
    "its words are cut": chat(("assistant", 'a\n— "m" on ')),
    "messages are no messages": b'{"messages":"assistant","model":"m"}',
    "content is of another type": b'{"messages":[{"role":"assistant","content":1}]}',
    "there are no messages": b'{"model":"\\"assistant\\"","user":"assistant"}',
}


@pytest.mark.parametrize("case", KEPT)
def test_a_request_stays_as_it_is_where(case: str) -> None:
    assert signature.strip(KEPT[case], TEMPLATE) == []


def test_an_answer_of_nothing_but_beginnings_is_read_in_no_time() -> None:
    body = chat(("assistant", '\n— "' * 200_000))

    assert signature.strip(body, TEMPLATE) == []


NAMES = st.text(
    st.characters(exclude_characters="\n", exclude_categories=["C"]), min_size=1, max_size=40
).map(str.strip)


@given(
    said=st.text(st.characters(exclude_categories=["Cs"])),
    model=NAMES.filter(bool),
    backend=NAMES.filter(bool),
)
def test_what_was_signed_comes_back_as_it_was_said(said: str, model: str, backend: str) -> None:
    text = signature.filled(TEMPLATE, model, backend)
    answer = b'{"choices":[{"message":{"content":%b}}]}' % json.dumps(said or "x").encode()
    content = json.loads(signature.sign(answer, text))["choices"][0]["message"]["content"]

    assert content == (said or "x") + text
    assert stripped(chat(("assistant", content)))[0]["content"] == (said or "x")
