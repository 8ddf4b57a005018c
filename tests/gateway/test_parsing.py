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
    "a second model key in escapes": (
        b'{"model": "a", "m\\u006fdel": "b", "messages": [{"role": "user", "content": "x"}]}',
        "model",
        "several keys that read as 'model'",
    ),
    "a second model key with a value that is no text": (
        b'{"model": "a", "MODEL": null, "messages": [{"role": "user", "content": "x"}]}',
        "model",
        "several keys that read as 'model'",
    ),
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
    assert parsed.explain


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
        ("/v1/completions", "prompt", ["a" * 20, "b" * 19], 10),
        ("/v1/completions", "prompt", [1, 2, 3], 4),
        ("/v1/embeddings", "input", "é" * 4, 2),
    ],
)
def test_prompts_and_inputs_are_one_turn(path: str, field: str, value: Any, tokens: int) -> None:
    (turn,) = parse(json.dumps({"model": "m", field: value}).encode(), path).request.turns
    assert (turn.prompt_tokens, turn.needs) == (tokens, frozenset({parsing.NEEDS[path]}))


SPANS = [
    b'{"model":"auto","x":1}',
    b'{ "x" : {"model": "inner"} , "model" : "auto" }',
    b'{"metadata": [{"model": "inner"}], "model": "auto", "tools": [{"model": "inner"}]}',
    b'{"x": "\\"model\\": \\"inner\\"", "model": "auto"}',
    b'{"\\"model": "inner", "model": "auto"}',
    b'{"model": "a\\u0075to", "text": "caf\\u00e9"}',
    b'{"m\\u006fdel": "auto", "x": "model"}',
    '{"é": "ü", "model": "auto"}'.encode(),
]


@pytest.mark.parametrize("body", SPANS)
def test_the_model_that_is_found_is_the_top_level_one(body: bytes) -> None:
    start, end = parsing.model_span(body)
    assert json.loads(body[start:end]) == "auto"
    assert json.loads(body[:start] + b'"other"' + body[end:])["model"] == "other"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["model", '"model":']),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4) | st.sampled_from(["model", '"model', "x"]), inner, max_size=3)
    ),
    max_leaves=10,
)
FIELDS = st.dictionaries(st.text(max_size=6) | st.sampled_from(['"model', "x", "messages"]), JSON, max_size=4)


@given(FIELDS, st.text(min_size=1, max_size=10), st.integers(0, 4), st.booleans())
def test_replacing_the_span_replaces_the_model_and_nothing_else(
    fields: dict[str, Any], model: str, place: int, plain: bool
) -> None:
    items = [(key, value) for key, value in fields.items() if key.casefold() != "model"]
    items.insert(place, ("model", model))
    body = json.dumps(dict(items), ensure_ascii=not plain).encode("utf-8", "surrogatepass")
    start, end = parsing.model_span(body)
    assert json.loads(body[start:end]) == model
    changed = json.loads(body[:start] + b'"other"' + body[end:])
    assert changed == dict(items) | {"model": "other"}
