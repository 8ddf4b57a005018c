"""Forms with files (multipart/form-data, RFC 7578), read as far as their fields `model` and `stream`.

Engines' own readers of forms differ in what they forgive. Invariant: what they could divide or decode in two
ways is refused, so that the `model` found here is the one that every engine reads.
"""

import re
from collections.abc import Iterator

import msgspec

from steelyard_gateway.errors import BadRequest
from steelyard_gateway.ports import Headers

MOST_PARTS = 1000
"""Parts of one form; as many as Go's and Starlette's readers take."""

MOST_PART_HEAD_BYTES = 8192
"""The header lines of one part."""

_TYPE = b"multipart/form-data"
_JSON = b"application/json"
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rb'[ \t]*+;[ \t]*+(%b)=("(?:[^"\\]|\\.)*+"|[^\s";]++)[ \t]*+' % _TOKEN, re.DOTALL)
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_LINE = re.compile(rb"(%b):[ \t]*+([^\x00-\x08\x0a-\x1f\x7f]*+)" % _TOKEN)
_UTF_8 = (b"utf-8", b"utf8", b"us-ascii")
_PLAIN_ENCODINGS = (b"7bit", b"8bit", b"binary")
_YES = (b"true", b"1")


class Form(msgspec.Struct, frozen=True, gc=False):
    """What is read of a form."""

    model: str
    """Value of the field `model`."""
    span: tuple[int, int]
    """Where that value stands in the body."""
    stream: bool
    """Whether the field `stream` asks for a stream."""


def is_form(headers: Headers) -> bool:
    """Whether this is not plainly JSON: what has no type is a form that lacks its boundary."""
    return not any(name == b"content-type" and value.lower().startswith(_JSON) for name, value in headers)


def read(headers: Headers, body: bytes) -> Form:
    """The fields that count. Raises BadRequest where the form is not what all engines would read alike."""
    model: tuple[str, tuple[int, int]] | None = None
    stream = False
    for head, start, end in _parts(body, _boundary(headers)):
        lines = _lines(head)
        name = _name(lines.get(b"content-disposition", b""))
        match name.lower():
            case b"model" if model is not None:
                raise BadRequest("The form has several fields that read as 'model': keep one.", param="model")
            case b"model":
                model = _text(name, lines, body[start:end]), (start, end)
            case b"stream":
                stream = body[start:end].strip().lower() in _YES
            case _:
                continue
    if model is None:
        raise BadRequest("'model' is missing: add it to the form.", param="model")
    return Form(*model, stream)


def _boundary(headers: Headers) -> bytes:
    values = [value for name, value in headers if name == b"content-type"]
    if len(values) != 1 or values[0][: len(_TYPE)].lower() != _TYPE:
        raise BadRequest("This path takes a form: send it with content-type multipart/form-data.")
    parameters = _parameters(values[0], len(_TYPE))
    boundary = parameters.get(b"boundary", b"")
    if not _BOUNDARY.fullmatch(boundary) or b"boundary*" in parameters:
        raise _bad("the content-type has no valid boundary")
    _expect_utf_8(parameters)
    return boundary


def _parts(body: bytes, boundary: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The head of each part, and where its content stands."""
    delimiter = b"\r\n--" + boundary
    if not body.startswith(delimiter[2:]):
        raise _bad("it does not begin with its boundary")
    at = len(delimiter) - 2
    for _ in range(MOST_PARTS):
        if body.startswith(b"--", at):
            if body[at + 2 :].strip(b"\r\n"):
                raise _bad("something follows its last boundary")
            return
        if not body.startswith(b"\r\n", at):
            raise _bad("something follows a boundary in its line")
        head_end = body.find(b"\r\n\r\n", at, at + MOST_PART_HEAD_BYTES)
        end = body.find(delimiter, at)
        if end < 0:
            raise _bad("its last boundary is missing")
        if not 0 <= head_end <= end - 4:
            raise _bad("the head of a part does not end")
        yield body[at + 2 : head_end], head_end + 4, end
        at = end + len(delimiter)
    raise _bad(f"it has more than {MOST_PARTS} parts")


def _lines(head: bytes) -> dict[bytes, bytes]:
    """The header lines of a part by name in lower case."""
    lines: dict[bytes, bytes] = {}
    for line in head.split(b"\r\n"):
        found = _LINE.fullmatch(line)
        if found is None or found[1].lower() in lines:
            raise _bad("a part's header lines are not valid")
        lines[found[1].lower()] = found[2].strip()
    return lines


def _name(disposition: bytes) -> bytes:
    kind = disposition.partition(b";")[0]
    parameters = _parameters(disposition, len(kind)) if kind.strip().lower() == b"form-data" else {}
    name = parameters.get(b"name")
    if name is None or b"\\" in name or any(key.startswith(b"name*") for key in parameters):
        raise _bad("a part has no plain name")
    return name


def _text(name: bytes, lines: dict[bytes, bytes], value: bytes) -> str:
    """The value of the field `model`."""
    if name != b"model":
        raise BadRequest("'model' is missing: its name is in lower case.", param="model")
    if b"filename" in lines[b"content-disposition"].lower():
        raise BadRequest("'model' is a file: send it as a field.", param="model")
    if lines.get(b"content-transfer-encoding", b"8bit").lower() not in _PLAIN_ENCODINGS:
        raise BadRequest("'model' is encoded: send it as it is.", param="model")
    _, mark, parameters = lines.get(b"content-type", b"").partition(b";")
    _expect_utf_8(_parameters(mark + parameters, 0))
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = ""
    if not text.isprintable() or text.startswith('"') or not text:
        raise BadRequest("'model' is not text: send the name of a model.", param="model")
    return text


def _expect_utf_8(parameters: dict[bytes, bytes]) -> None:
    if parameters.get(b"charset", b"utf-8").lower() not in _UTF_8 or b"charset*" in parameters:
        raise _bad("its charset is not UTF-8")


def _parameters(value: bytes, at: int) -> dict[bytes, bytes]:
    """The parameters of a header's value from here on, by name in lower case."""
    parameters: dict[bytes, bytes] = {}
    while at < len(value.rstrip(b"; \t")):
        found = _PARAMETER.match(value, at)
        if found is None or found[1].lower() in parameters:
            raise _bad("the parameters of a header are not valid")
        text = found[2]
        parameters[found[1].lower()] = text[1:-1] if text.startswith(b'"') else text
        at = found.end()
    return parameters


def _bad(why: str) -> BadRequest:
    return BadRequest(f"The form cannot be read: {why}.")
