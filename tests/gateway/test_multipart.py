import email.parser
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard_gateway import errors, multipart

TYPE = (b"content-type", b"multipart/form-data; boundary=xyz")
FILE = b'content-disposition: form-data; name="file"; filename="a.wav"\r\ncontent-type: audio/wav\r\n\r\n'
AUDIO = b"RIFF\x00\xff\r\n--xy\r\n\r\n\n--xyz\n"
MODEL = b'content-disposition: form-data; name="model"\r\n\r\nwhisper'


def form(*parts: bytes, boundary: bytes = b"xyz", end: bytes = b"--\r\n") -> bytes:
    marked = b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in parts)
    return b"%b--%b%b" % (marked, boundary, end)


def named(disposition: bytes, value: bytes = b"whisper", more: bytes = b"") -> bytes:
    return b"content-disposition: form-data; %b\r\n%b\r\n%b" % (disposition, more, value)


def read(*parts: bytes, kind: bytes = TYPE[1]) -> multipart.Form:
    return multipart.read([(b"content-type", kind)], form(*parts))


GOOD = {
    "a file before it": (FILE + AUDIO, MODEL),
    "a file after it": (MODEL, FILE + AUDIO),
    "a name without quotes": (named(b"name=model"),),
    "header names and the kind in capitals": (
        b'Content-Disposition: FORM-DATA; Name="model"\r\n\r\nwhisper',
    ),
    "a type of its own": (named(b'name="model"', more=b"Content-Type: text/plain; charset=UTF-8\r\n"),),
    "an empty field": (named(b'name="prompt"', b""), MODEL),
    "a file name with quotes in escapes": (
        named(b'name="file"; filename="a\\"; name=\\"model\\".wav"'),
        MODEL,
    ),
    "a file name in another encoding": (named(b"name=\"file\"; filename*=utf-8''%e2%82%ac.wav"), MODEL),
}


@pytest.mark.parametrize("case", GOOD)
def test_the_model_is_read_from_a_form_with(case: str) -> None:
    body = form(*GOOD[case])
    found = multipart.read([TYPE], body)
    assert (found.model, body[slice(*found.span)]) == ("whisper", b"whisper")


BAD_PARTS = {
    "two models": ((MODEL, MODEL), "several fields that read as 'model'"),
    "two models in other letters": ((MODEL, named(b"name=Model")), "several fields"),
    "no model": ((FILE + AUDIO,), "'model' is missing"),
    "a model in capitals": ((named(b"name=MODEL"),), "its name is in lower case"),
    "an empty model": ((named(b"name=model", b""),), "not text"),
    "a model that is no UTF-8": ((named(b"name=model", b"\xff"),), "not text"),
    "a model of two lines": ((named(b"name=model", b"a\r\nb"),), "not text"),
    "a model in JSON's quotes": ((named(b"name=model", b'"a"'),), "not text"),
    "a model as a file": ((named(b"name=model; filename=m"),), "is a file"),
    "a model in another charset": (
        (named(b"name=model", more=b"content-type: text/plain; charset=utf-7\r\n"),),
        "charset",
    ),
    "a model in another encoding": (
        (named(b"name=model", more=b"content-transfer-encoding: quoted-printable\r\n"),),
        "is encoded",
    ),
    "a part without a name": ((named(b"filename=a"), MODEL), "no plain name"),
    "a part with two names": ((named(b"name=a; name=model"), MODEL), "parameters"),
    "a name in another encoding": ((named(b"name=a; name*=utf-8''model"), MODEL), "no plain name"),
    "a name in pieces": ((named(b'name=a; name*0=mo; name*1="del"'), MODEL), "no plain name"),
    "a name with an escape": ((named(b'name="mo\\del"'), MODEL), "no plain name"),
    "another kind of part": ((b"content-disposition: attachment; name=a\r\n\r\nx", MODEL), "no plain name"),
    "two dispositions": ((b"content-disposition: form-data; name=a\r\n" + MODEL,), "header lines"),
    "a folded header line": ((b"content-disposition: form-data;\r\n name=model\r\n\r\nx",), "header lines"),
    "a head that does not end": ((b"content-disposition: form-data; name=model", MODEL), "does not end"),
    "no head": ((b"", MODEL), "head"),
}


@pytest.mark.parametrize("case", BAD_PARTS)
def test_a_form_that_could_be_read_in_two_ways_is_refused(case: str) -> None:
    parts, words = BAD_PARTS[case]
    with pytest.raises(errors.BadRequest, match=words):
        read(*parts)


BAD_BODIES = {
    "words before the first boundary": b"hello\r\n" + form(MODEL),
    "spaces after a boundary": form(MODEL).replace(b"--xyz\r\n", b"--xyz \r\n", 1),
    "a boundary that goes on": form(MODEL, FILE + b"\r\n--xyzzy"),
    "no last boundary": form(MODEL)[:-8],
    "a part after the last boundary": form(MODEL) + form(MODEL),
    "bare line feeds": form(MODEL).replace(b"\r\n", b"\n"),
    "nothing": b"",
    "too many parts": form(*[named(b"name=a")] * multipart.MOST_PARTS, MODEL),
}


@pytest.mark.parametrize("case", BAD_BODIES)
def test_a_form_that_is_divided_otherwise_than_by_the_rules_is_refused(case: str) -> None:
    with pytest.raises(errors.BadRequest, match="The form cannot be read"):
        multipart.read([TYPE], BAD_BODIES[case])


BAD_TYPES = {
    "another type": [(b"content-type", b"application/x-www-form-urlencoded")],
    "no type": [],
    "two types": [TYPE, TYPE],
    "no boundary": [(b"content-type", b"multipart/form-data")],
    "an empty boundary": [(b"content-type", b'multipart/form-data; boundary=""')],
    "two boundaries": [(b"content-type", b"multipart/form-data; boundary=xyz; boundary=abc")],
    "a boundary in pieces": [(b"content-type", b"multipart/form-data; boundary=xyz; boundary*=abc")],
    "a boundary that is too long": [(b"content-type", b"multipart/form-data; boundary=" + b"x" * 71)],
    "another charset": [(b"content-type", b"multipart/form-data; charset=utf-7; boundary=xyz")],
}


@pytest.mark.parametrize("case", BAD_TYPES)
def test_a_form_whose_type_could_be_read_in_two_ways_is_refused(case: str) -> None:
    with pytest.raises(errors.BadRequest, match="form"):
        multipart.read(BAD_TYPES[case], form(MODEL))


@pytest.mark.parametrize(
    "kind", [b'multipart/form-data; boundary="xyz"', b"Multipart/Form-Data;boundary=xyz ;"]
)
def test_the_boundary_is_read_however_it_is_written(kind: bytes) -> None:
    assert read(MODEL, kind=kind).model == "whisper"


@pytest.mark.parametrize(
    ("value", "stream"), [(b"true", True), (b"1", True), (b"false", False), (b"", False)]
)
def test_a_form_may_ask_for_a_stream(value: bytes, stream: bool) -> None:
    assert read(MODEL, named(b"name=stream", value)).stream is stream


NAMES = st.sampled_from(["model", "file", "prompt", "Model", "model "])
PARTS = st.lists(
    st.tuples(NAMES, st.binary(max_size=12) | st.sampled_from([b"m", b"\r\n--xy", b"--xyz"])), max_size=4
)


@given(PARTS, st.integers(0, 3), st.sampled_from([b"", b"\r\n", b"--", b" ", b"\n"]), st.integers(0, 200))
def test_another_reader_of_forms_finds_the_same_model_and_all_else_unchanged(
    parts: list[tuple[str, bytes]], place: int, noise: bytes, at: int
) -> None:
    parts.insert(place, ("model", b"whisper"))
    made = form(*(named(b'name="%b"' % name.encode(), value) for name, value in parts))
    body = made[:at] + noise + made[at:]
    try:
        found = multipart.read([TYPE], body)
    except errors.BadRequest:
        return
    fields = fields_of(body)
    assert [value for name, value in fields if name.lower() == "model"] == [found.model.encode()]
    start, end = found.span
    changed = [(name, b"other" if name == "model" else value) for name, value in fields]
    assert fields_of(body[:start] + b"other" + body[end:]) == changed


def fields_of(body: bytes) -> list[tuple[str, bytes]]:
    """Name and content of each part, as the standard library reads them."""
    head = b"content-type: multipart/form-data; boundary=xyz\r\n\r\n"
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    pairs = []
    for part in message.iter_parts():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        pairs.append((str(part["content-disposition"].params["name"]), content))
    return pairs
