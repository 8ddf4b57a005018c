import json
import re
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard_gateway import errors, keys

SPANS = [
    b'{"model":"auto","x":1}',
    b'{"model" : "auto" }',
    b'{ "x" : {"model": "inner"} , "model" : "auto" }',
    b'{"metadata": [{"model": "inner"}], "model": "auto", "tools": [{"model": "inner"}]}',
    b'{"x": "\\"model\\": \\"inner\\"", "model": "auto"}',
    b'{"\\"model": "inner", "model": "auto"}',
    b'{"x": "model", "y": ["model", "model"], "model": "auto"}',
    b'{"model": "a\\u0075to", "text": "caf\\u00e9"}',
    b'{"m\\u006fdel": "auto", "x": "model"}',
    b'{"x": {"model": 1, "stream": 1}, "m\\u006Fdel": "auto", "stream": true, "options": {"options": 1}}',
    '{"é": "ü", "model": "auto"}'.encode(),
    b'{"x": 1, "x": {"model": "inner"}, "x": 2, "model": "auto", "y": {"model": "inner"}}',
]

AMBIGUOUS = {
    "the same key twice": (b'{"model": "a", "model": "a"}', "model"),
    "another case": (b'{"model": "a", "MODEL": "b"}', "model"),
    "escapes": (b'{"model": "a", "m\\u006fdel": "b"}', "model"),
    "escapes of another case": (b'{"model": "a", "\\u004D\\u004f\\u0044EL": "b"}', "model"),
    "a value that is no text": (b'{"model": "a", "MODEL": null}', "model"),
    "an s that is long": ('{"model": "a", "stream": true, "ſtream": false}'.encode(), "stream"),
    "two letters in one": ('{"model": "a", "stream": true, "\ufb06ream": false}'.encode(), "stream"),
    "two letters in one escape": (b'{"model": "a", "stream": true, "\\uFB05ream": false}', "stream"),
    "the sign for kelvin": ('{"model": "a", "keep_alive": 1, "\u212aeep_alive": 2}'.encode(), "keep_alive"),
    "options at either end": (
        b'{"options": {}, "model": "a", "x": {"options": 1}, "Options": {}}',
        "options",
    ),
    "spaces before the colon": (b'{"model": "a", "Model"\n\t : "b"}', "model"),
}


@pytest.mark.parametrize("body", SPANS)
def test_the_model_that_is_found_is_the_top_level_one(body: bytes) -> None:
    start, end = keys.model_span(body)
    assert json.loads(body[start:end]) == "auto"
    assert json.loads(body[:start] + b'"other"' + body[end:])["model"] == "other"


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_two_keys_that_an_engine_may_take_for_one_are_refused(case: str) -> None:
    body, name = AMBIGUOUS[case]
    with pytest.raises(errors.BadRequest, match=f"several keys that read as '{name}'") as refused:
        keys.model_span(body)
    assert refused.value.param == name


def test_no_other_character_folds_to_a_letter_of_the_names() -> None:
    letters = {letter for name in keys.NAMES for letter in name}
    pairs = {name[index : index + 2] for name in keys.NAMES for index in range(len(name))} | {
        name[index : index + 3] for name in keys.NAMES for index in range(len(name))
    }
    known = {character for characters in keys.FOLDED.values() for character in characters}
    others = {
        character
        for character in map(chr, range(0x80, sys.maxunicode + 1))
        if character.casefold() in letters | pairs
    }
    assert others == {character for character in known if not character.isascii()}


def test_more_keys_than_any_api_has_are_refused_where_they_must_be_looked_at() -> None:
    many = ", ".join(f'"k{number}": 0' for number in range(keys.MOST_KEYS))
    plain = f'{{"model": "a", {many}}}'.encode()
    assert plain[slice(*keys.model_span(plain))] == b'"a"'
    with pytest.raises(errors.BadRequest, match="more than 1000 keys"):
        keys.model_span(f'{{"model": "a", "x": {{"model": 1}}, {many}}}'.encode())


def spelled(name: str, escapes: list[bool], capitals: list[bool]) -> str:
    """A key that reads as `name`, as it stands between the quotes."""
    letters = []
    for letter, escaped, capital in zip(name, escapes, capitals, strict=False):
        letter = letter.upper() if capital and letter.isascii() else letter
        letters.append(f"\\u{ord(letter):04x}" if escaped else letter)
    return "".join(letters)


SPELLED = st.builds(
    spelled,
    st.sampled_from(
        [*keys.NAMES, "mode", "models", "ſtream", "\u212aeep_alive", "option\u017f", "\ufb06ream"]
    ),
    st.lists(st.booleans(), min_size=10, max_size=10) | st.just([False] * 10),
    st.lists(st.booleans(), min_size=10, max_size=10) | st.just([False] * 10),
)
KEYS = SPELLED | st.text(max_size=4).map(lambda text: json.dumps(text)[1:-1])
SPACES = st.sampled_from(["", " ", "\n", " \t\r\n"])
SCALARS = (
    st.sampled_from(["null", "true", "-1.5e9", '"model"', '"\\"model\\":"', '"}]"', '"\\\\"'])
    | st.text(max_size=6).map(lambda text: json.dumps(text, ensure_ascii=False))
    | st.text(max_size=6).map(json.dumps)
)


@st.composite
def objects(draw: Any, values: Any) -> str:
    """The text of an object, with keys as often as they come."""
    members = [
        f'{draw(SPACES)}"{draw(KEYS)}"{draw(SPACES)}:{draw(SPACES)}{draw(values)}{draw(SPACES)}'
        for _ in range(draw(st.integers(0, 4)))
    ]
    return "{" + (",".join(members) or draw(SPACES)) + "}"


VALUES = st.recursive(
    SCALARS,
    lambda inner: objects(inner) | st.lists(inner, max_size=3).map(lambda items: f"[{' , '.join(items)}]"),
    max_leaves=6,
)


@st.composite
def bodies(draw: Any) -> bytes:
    """A body with at least one key `model` that has a string."""
    text: str = draw(objects(VALUES))
    rest = text[1:-1].strip()
    model = f'"model":{draw(SPACES)}{json.dumps(draw(st.text(max_size=6)))}'
    inside = [model, rest] if draw(st.booleans()) else [rest, model]
    return ("{" + ",".join(filter(None, inside)) + "}").encode("utf-8", "surrogatepass")


@given(bodies())
def test_what_is_found_is_what_a_reader_blind_to_case_finds(body: bytes) -> None:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return
    pairs: list[tuple[str, Any]] = []

    def note(found: list[tuple[str, Any]]) -> dict[str, Any]:
        pairs[:] = found
        return dict(found)

    json.loads(text, object_pairs_hook=note)
    folded = [key.casefold() for key, _ in pairs]
    if any(folded.count(name) > 1 for name in keys.NAMES):
        with pytest.raises(errors.BadRequest):
            keys.model_span(body)
        return
    if any(re.search("[\ud800-\udfff]", key) for key, _ in pairs):
        return
    start, end = keys.model_span(body)
    assert json.loads(body[start:end]) == dict(pairs)["model"]
    changed = json.loads(body[:start] + b'"other"' + body[end:])
    assert changed == dict(pairs) | {"model": "other"}


def found_in(body: bytes) -> tuple[int, int] | str:
    try:
        return keys.model_span(body)
    except errors.BadRequest as refusal:
        return refusal.message


@given(bodies(), st.integers(0, 2 * keys.MOST_HOPS))
def test_a_long_body_is_read_as_a_short_one(body: bytes, quoted: int) -> None:
    words = ", ".join(['"' + "w" * 7 + '"'] * quoted).encode()
    long = b'%b,"words":[%b],"prose":"%b"}' % (body[:-1], words, b"p" * keys.LONG_BYTES)
    first = b'{"prose":"%b","words":[%b],%b' % (b"p" * keys.LONG_BYTES, words, body[1:])
    expected = found_in(body)

    assert found_in(long) == expected
    shift = len(first) - len(body)
    moved = (expected[0] + shift, expected[1] + shift) if isinstance(expected, tuple) else expected
    assert found_in(first) == moved
