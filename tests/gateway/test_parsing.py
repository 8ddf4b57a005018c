import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.api.policy import Goal
from steelyard_gateway import errors, parsing

CHAT = "/v1/chat/completions"
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def chat(*messages: dict[str, Any], **fields: Any) -> bytes:
    return json.dumps({"model": "auto", "messages": messages, **fields}).encode()


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def parse(body: bytes, path: str = CHAT, **headers: str) -> parsing.Parsed:
    lines = [(f"x-steelyard-{name}".encode(), value.encode()) for name, value in headers.items()]
    return parsing.parse(path, lines, body)


BAD = {
    "not JSON": (b"{", None, "The body is not valid JSON"),
    "no object": (b"[1]", None, "must be a JSON object"),
    "not UTF-8": (b'{"model": "\xff"}', None, "not valid JSON"),
    "nested too deep": (b'{"model":"a","x":' + b"[" * 100_000, None, "not valid JSON"),
    "no model": (b'{"messages": []}', "model", "'model' is missing: add it."),
    "a model that is no text": (b'{"model": 5}', "model", "'model' is not of the right type"),
    "no messages": (b'{"model": "a"}', "messages", "'messages' is missing or empty"),
    "a message without role": (chat({"content": "x"}), "messages[0].role", "'messages[0].role' is missing"),
    "a content of the wrong type": (chat(user(5)), "messages[0].content", "'messages[0].content' is not of"),
    "two keys that an engine may take for model": (
        b'{"model": "a", "Model": "b", "messages": [{"role": "user", "content": "x"}]}',
        "model",
        "several keys that read as 'model'",
    ),
    "messages that are no list": (b'{"model": "a", "messages": {}}', "messages", "'messages' is not of"),
    "a message that is no object": (b'{"model": "a", "messages": [5]}', "messages[0]", "is not of the right"),
    "a byte order mark": (b"\xef\xbb\xbf" + chat(user("x")), None, "not valid JSON"),
    "two objects": (chat(user("x")) * 2, None, "not valid JSON"),
    "nothing": (b"", None, "not valid JSON"),
    "NaN": (b'{"model": "a", "top_p": NaN}', None, "not valid JSON"),
    "half of a surrogate pair": (b'{"model": "\\ud800"}', None, "not valid JSON"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_body_is_refused_with_field_and_remedy(case: str) -> None:
    body, field, words = BAD[case]
    with pytest.raises(errors.BadRequest) as refused:
        parse(body)
    assert refused.value.param == field
    assert words in refused.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [("goal", "Dearest"), *(("tolerance", bad) for bad in ("101", "-1", "0000999", "0" * 5000))],
)
def test_a_bad_header_is_refused_with_its_name(name: str, value: str) -> None:
    with pytest.raises(errors.BadRequest, match=f"x-steelyard-{name}"):
        parse(chat(user("x")), **{name: value})


def test_headers_steer_goal_tolerance_session_and_explanation() -> None:
    parsed = parse(chat(user("x")), goal="fastest", tolerance="60", session="s-1", explain="1")
    request = parsed.request
    assert (request.goal, request.tolerance_percent, request.conversation) == (Goal.FASTEST, 60, "s-1")
    assert (request.session, request.user, request.opening) == ("s-1", "", "\nx")
    assert parsed.explain


@pytest.mark.parametrize(("path", "field"), [(CHAT, "messages"), ("/v1/responses", "input")])
def test_the_user_is_read_where_it_is_a_text(path: str, field: str) -> None:
    def read(user: Any) -> str:
        body = json.dumps({"model": "m", field: [{"role": "user", "content": "x"}], "user": user}).encode()
        return parse(body, path).request.user

    assert [read("me"), read(7), read(None)] == ["me", "", ""]


def test_each_user_turn_carries_the_length_and_needs_of_all_up_to_it() -> None:
    body = chat(
        {"role": "system", "content": "s" * 40},
        user("a" * 40),
        {"role": "assistant", "content": "b" * 40},
        user([{"type": "text", "text": "c" * 40}, IMAGE]),
        {"role": "assistant", "tool_calls": [{}], "content": None},
        {"role": "tool", "content": "d" * 40},
    )
    first, second = parse(body).request.turns
    assert (first.text, first.prompt_tokens, first.needs) == ("a" * 40, 30, frozenset({"chat"}))
    assert (second.text, second.prompt_tokens, second.needs) == ("c" * 40, 50, frozenset({"chat", "vision"}))


def test_only_the_last_sixteen_turns_are_kept() -> None:
    turns = parse(chat(*(user(f"turn {number}") for number in range(40)))).request.turns
    assert [turn.text for turn in turns] == [f"turn {number}" for number in range(24, 40)]


def test_a_conversation_is_its_system_prompt_and_first_user_turn() -> None:
    begun = parse(chat({"role": "system", "content": "s"}, user("a"))).request.conversation
    answer = {"role": "assistant", "content": "x"}
    continued = parse(chat({"role": "system", "content": "s"}, user("a"), answer, user("b"))).request
    assert continued.conversation == begun
    assert parse(chat({"role": "system", "content": "t"}, user("a"))).request.conversation != begun


@pytest.mark.parametrize(
    ("fields", "need"),
    [
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"functions": [{"name": "f"}]}, "tools"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "jsonSchema"),
        ({"response_format": {"type": "json_object"}}, "jsonMode"),
    ],
)
def test_a_field_that_needs_a_capability_says_so(fields: dict[str, Any], need: str) -> None:
    assert parse(chat(user("x"), **fields)).request.turns[-1].needs == {"chat", need}


def test_an_empty_list_of_tools_needs_none() -> None:
    assert parse(chat(user("x"), tools=[])).request.turns[-1].needs == {"chat"}


@pytest.mark.parametrize(("field", "most"), [("max_tokens", 7), ("max_completion_tokens", 9)])
def test_the_bound_on_the_answer_is_read_by_either_name(field: str, most: int) -> None:
    assert parse(chat(user("x"), **{field: most})).request.max_tokens == most


@pytest.mark.parametrize(
    ("path", "field", "value", "tokens"),
    [
        ("/v1/completions", "prompt", "a" * 41, 11),
        ("/v1/completions", "prompt", ["a" * 20, "b" * 19], 5),
        ("/v1/completions", "prompt", [1, 2, 3], 3),
        ("/v1/embeddings", "input", [[1, 2], [3, 4, 5]], 4),
        ("/v1/embeddings", "input", "é" * 4, 2),
    ],
)
def test_prompts_and_inputs_are_one_turn_as_long_as_the_longest(
    path: str, field: str, value: Any, tokens: int
) -> None:
    (turn,) = parse(json.dumps({"model": "m", field: value}).encode(), path).request.turns
    assert (turn.prompt_tokens, turn.needs) == (tokens, frozenset({parsing.NEEDS[path]}))


ODD: dict[str, dict[str, Any]] = {
    "a number for text": {"max_tokens": "7"},
    "a float": {"max_completion_tokens": 7.5},
    "a number beyond any": {"max_tokens": 10**400},
    "tools that are no list": {"tools": {"model": "x"}},
    "a format that is a word": {"response_format": "json_schema"},
    "a prompt that is an object": {"prompt": {"stream": True}},
    "no stream": {"stream": "false"},
}


@pytest.mark.parametrize("case", ODD)
def test_a_field_that_is_not_understood_is_for_the_engine_to_judge(case: str) -> None:
    parsed = parse(chat(user("hello"), **ODD[case]))
    assert (parsed.request.turns[-1].text, parsed.request.turns[-1].needs) == ("hello", frozenset({"chat"}))
    assert (parsed.request.max_tokens, parsed.stream) == (None, False)


def test_one_field_that_is_not_understood_takes_no_other_with_it() -> None:
    odd = {"type": "text", "text": {"value": "a"}}
    body = chat(
        user([odd, {"type": "text", "text": "b"}, IMAGE]), max_tokens=9, stream=1, tools=[{}], seed="x"
    )
    parsed = parse(body)
    (turn,) = parsed.request.turns
    assert (turn.text, turn.needs) == ("b", frozenset({"chat", "tools", "vision"}))
    assert (parsed.request.max_tokens, parsed.stream) == (9, True)


def test_a_compressed_body_is_named_as_such() -> None:
    with pytest.raises(errors.BadRequest, match="compressed"):
        parsing.parse(CHAT, [(b"content-encoding", b"gzip")], b"\x1f\x8b\x08")


def test_a_request_for_responses_is_read_like_a_chat() -> None:
    items = [
        {"role": "user", "content": "a" * 40},
        {"type": "function_call_output", "call_id": "c", "output": "x"},
        {"role": "user", "content": [{"type": "input_text", "text": "c"}, {"type": "input_image"}]},
    ]
    fields = {
        "instructions": "s" * 40,
        "max_output_tokens": 8,
        "stream": True,
        "tools": [{"type": "function"}],
    }
    shape = {"format": {"type": "json_schema", "name": "n", "schema": {}}}
    body = json.dumps({"model": "m", "input": items, "text": shape, **fields}).encode()
    parsed = parse(body, "/v1/responses")
    first, second = parsed.request.turns
    needs = frozenset({"chat", "tools", "jsonSchema"})
    assert (first.text, first.prompt_tokens, first.needs) == ("a" * 40, 20, needs)
    assert (second.text, second.needs) == ("c", needs | {"vision"})
    assert (parsed.request.max_tokens, parsed.stream) == (8, True)
    (turn,) = parse(b'{"model": "m", "input": "hello"}', "/v1/responses").request.turns
    assert (turn.text, turn.needs) == ("hello", frozenset({"chat"}))


OTHERS = [path for path in parsing.NEEDS if path not in (CHAT, "/v1/completions", "/v1/embeddings")]


@pytest.mark.parametrize("path", OTHERS)
def test_of_other_bodies_only_the_model_must_be_understood(path: str) -> None:
    lines = [(b"content-type", b"application/json")]
    body = b'{"input": {"a": [5]}, "query": 7, "prompt": null, "tools": 1, "stream": "x", "model": "m"}'
    parsed = parsing.parse(path, lines, body)
    assert (parsed.request.model, body[slice(*parsed.model_span)]) == ("m", b'"m"')
    assert parsed.request.turns[-1].needs == {parsing.NEEDS[path]}
    assert parsed.stream is (path == "/v1/audio/speech")
    with pytest.raises(errors.BadRequest, match="'model' is missing"):
        parsing.parse(path, lines, b'{"input": "x"}')


@pytest.mark.parametrize("path", OTHERS)
def test_a_stream_is_asked_for_on_every_path(path: str) -> None:
    lines = [(b"content-type", b"application/json")]
    assert parsing.parse(path, lines, b'{"stream": true, "model": "m"}').stream


WILD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
WILD_FIELDS = st.dictionaries(
    st.sampled_from(
        [
            "messages",
            "stream",
            "max_tokens",
            "tools",
            "input",
            "prompt",
            "text",
            "response_format",
            "instructions",
        ]
    ),
    WILD | st.lists(st.fixed_dictionaries({"role": WILD, "content": WILD}), max_size=2),
)


def test_who_asks_and_how_the_prompt_opens_are_kept_apart() -> None:
    body = chat({"role": "system", "content": "be brief"}, user("hi"), user=7)
    named = parse(chat(user("hi"), user="ann"), session="s").request
    nameless = parse(body).request
    assert (named.session, named.user, named.opening) == ("s", "ann", "\nhi")
    assert (nameless.session, nameless.user, nameless.opening) == ("", "", "be brief\nhi")


@given(st.sampled_from(sorted(parsing.NEEDS)), WILD_FIELDS)
def test_whatever_the_fields_hold_the_model_is_read_or_the_client_is_told(
    path: str, fields: dict[str, Any]
) -> None:
    body = json.dumps({**fields, "model": "m"}).encode()
    try:
        parsed = parsing.parse(path, [(b"content-type", b"application/json")], body)
    except errors.BadRequest as refused:
        assert refused.param is None or refused.param.startswith("messages")
        return
    assert parsed.request.model == "m"
    assert parsed.request.turns


@given(st.sampled_from(sorted(parsing.NEEDS)), st.binary(max_size=40), st.booleans())
def test_no_bytes_fail_otherwise_than_as_a_bad_request(path: str, tail: bytes, is_json: bool) -> None:
    kind = b"application/json" if is_json else b"multipart/form-data; boundary=b"
    for body in (tail, b'{"model": "m", ' + tail, b"--b\r\n" + tail):
        try:
            parsing.parse(path, [(b"content-type", kind)], body)
        except errors.BadRequest:
            continue
