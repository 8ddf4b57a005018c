"""From a request's bytes to what a decision reads of it. Pure.

The body is decoded once, into the few fields needed; everything else stays bytes. Invariant: the `model` that
is decided on is the one whose place is returned, and a body in which an engine could read another is refused.
A field that only helps to decide and is not understood is passed over: it is for the engine to judge.
"""

import re
import zlib
from typing import Any, TypeVar

import msgspec
from msgspec import structs

from steelyard.routing.decision import Request, Turn
from steelyard_gateway import keys, multipart, paths, steering
from steelyard_gateway.errors import BadRequest
from steelyard_gateway.paths import Place
from steelyard_gateway.ports import Headers
from steelyard_gateway.steering import Steering

CHARS_PER_TOKEN = 4
"""UTF-8 bytes of text for one token; rough, and the same for every model, so that lengths compare."""

MOST_TURNS = 16
"""So many user turns are replayed at most."""

MOST_TOKENS = 2**31
"""A larger bound on the answer's length is none."""

TOLD_APART_BYTES = 4096
"""Requests that are no conversation are told apart by so much of their beginning."""

NEEDS = {place.path: place.need for place in paths.BY_PATH.values() if place.need}
"""The capability that each path asks for."""

_TOOLS, _VISION = "tools", "vision"
_FORMATS = {"json_schema": frozenset(("jsonSchema",)), "json_object": frozenset(("jsonMode",))}
"""The need of each response_format."""
_IMAGE_TYPES = ("image_url", "input_image", "image")
_NEED_SETS = {need: frozenset((need,)) for need in NEEDS.values()}
_FILLED = re.compile(rb"\[\s*+[^\]]")
_YES = (b"true", b"1", b'"true"')
_NOTHING = msgspec.Raw()

_T = TypeVar("_T")
_Needs = frozenset[str]
_Said = tuple[tuple[Turn, ...], str]
_Asked = tuple[str, tuple[int, int], bool]


class _Part(msgspec.Struct, gc=False):
    type: str = ""
    text: str | None = None


class _Message(msgspec.Struct, gc=False):
    role: str
    content: str | list[_Part] | None = None


class _Format(msgspec.Struct, gc=False):
    type: str = ""


class _Body(msgspec.Struct, gc=False):
    """A request for chat, completions or embeddings."""

    model: str
    messages: list[_Message] | None = None
    stream: bool | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    response_format: _Format | None = None
    user: str | None = None
    tools: msgspec.Raw = _NOTHING
    functions: msgspec.Raw = _NOTHING
    prompt: msgspec.Raw = _NOTHING
    input: msgspec.Raw = _NOTHING


class _OddMessage(msgspec.Struct, gc=False):
    role: str
    content: str | list[msgspec.Raw] | None = None


class _Text(msgspec.Struct, gc=False):
    format: _Format | None = None


class _OtherBody(msgspec.Struct, gc=False):
    """A request for anything else; all but the first two are of responses."""

    model: str
    stream: msgspec.Raw = _NOTHING
    input: msgspec.Raw = _NOTHING
    instructions: msgspec.Raw = _NOTHING
    tools: msgspec.Raw = _NOTHING
    text: msgspec.Raw = _NOTHING
    max_output_tokens: msgspec.Raw = _NOTHING
    user: msgspec.Raw = _NOTHING


_HELPFUL = {
    field.name: msgspec.json.Decoder(field.type)
    for field in structs.fields(_Body)
    if field.name not in ("model", "messages")
}
_OddBody = msgspec.defstruct(
    "_OddBody",
    [
        ("model", str),
        ("messages", list[_OddMessage] | None, None),
        *((name, msgspec.Raw, _NOTHING) for name in _HELPFUL),
    ],
    gc=False,
)

_body = msgspec.json.Decoder(_Body)
_odd_body: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_OddBody)
_other_body = msgspec.json.Decoder(_OtherBody)
_part = msgspec.json.Decoder(_Part)
_odd_message = msgspec.json.Decoder(_OddMessage)
_text = msgspec.json.Decoder(_Text)
_string = msgspec.json.Decoder(str)
_number = msgspec.json.Decoder(int)
_strings = msgspec.json.Decoder(list[str])
_list = msgspec.json.Decoder(list[msgspec.Raw])


class Parsed(msgspec.Struct, frozen=True, gc=False):
    """A request, read."""

    request: Request
    """What the decision reads."""
    stream: bool
    """Whether the answer is used while it comes."""
    model_span: tuple[int, int]
    """Where the value of `model` stands: in JSON with its quotes, in a form the bare text."""
    explain: bool
    """Whether only the decision is asked for."""


def parse(path: str, headers: Headers, body: bytes) -> Parsed:
    """What a decision reads of this request. Raises BadRequest naming the field and what to do."""
    steers = steering.read(headers)
    place = paths.BY_PATH[path]
    try:
        if place.is_form and multipart.is_form(headers):
            return _form(place, steers, headers, body)
        return _READERS.get(path, _other)(place, steers, body)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest(_not_json(headers)) from None


# Bodies, by path


def _chat(_: Place, steers: Steering, body: bytes) -> Parsed:
    read = _usual(body)
    if not read.messages:
        raise BadRequest("'messages' is missing or empty: send at least one.", param="messages")
    needs = _needs("chat", read.tools or read.functions, read.response_format)
    return _usually(read, steers, body, _chat_turns(read.messages, needs))


def _completions(_: Place, steers: Steering, body: bytes) -> Parsed:
    read = _usual(body)
    needs = _needs("completions", read.tools or read.functions, read.response_format)
    return _usually(read, steers, body, _one_turn(read.prompt, needs))


def _embeddings(_: Place, steers: Steering, body: bytes) -> Parsed:
    read = _usual(body)
    return _usually(read, steers, body, _one_turn(read.input, _NEED_SETS["embeddings"]))


def _responses(_: Place, steers: Steering, body: bytes) -> Parsed:
    """Like a chat, as far as it is understood."""
    read = _other_body.decode(body)
    text = _read(_string, read.input)
    messages = [_Message("system", _read(_string, read.instructions))]
    if text is not None:
        messages.append(_Message("user", text))
    for raw in _read(_list, read.input) or ():
        message = _read(_odd_message, raw)
        if message is not None:
            messages.append(_plain(message))
    shape = _read(_text, read.text)
    needs = _needs("chat", read.tools, shape.format if shape is not None else None)
    turns, conversation = _chat_turns(messages, needs)
    stream, most = bytes(read.stream) in _YES, _read(_number, read.max_output_tokens)
    user = _read(_string, read.user)
    return _parsed(steers, (read.model, keys.model_span(body), stream), (turns, conversation), most, user)


def _other(place: Place, steers: Steering, body: bytes) -> Parsed:
    """Anything else is not looked into."""
    read = _other_body.decode(body)
    stream = place.is_played or bytes(read.stream) in _YES
    return _parsed(steers, (read.model, keys.model_span(body), stream), _no_turn(place, body))


def _form(place: Place, steers: Steering, headers: Headers, body: bytes) -> Parsed:
    form = multipart.read(headers, body)
    return _parsed(steers, (form.model, form.span, form.stream), _no_turn(place, body))


_READERS = {
    "/v1/chat/completions": _chat,
    "/v1/completions": _completions,
    "/v1/embeddings": _embeddings,
    "/v1/responses": _responses,
}


def _usually(read: _Body, steers: Steering, body: bytes, said: _Said) -> Parsed:
    most = read.max_completion_tokens if read.max_tokens is None else read.max_tokens
    return _parsed(steers, (read.model, keys.model_span(body), read.stream is True), said, most, read.user)


def _parsed(
    steers: Steering, asked: _Asked, said: _Said, most: int | None = None, user: str | None = None
) -> Parsed:
    model, span, stream = asked
    turns, conversation = said
    request = Request(
        model,
        turns,
        steers.session or conversation,
        most if most is not None and 0 < most <= MOST_TOKENS else None,
        steers.lookup,
        steers.goal,
        steers.tolerance_percent,
        steers.session,
        user or "",
        conversation,
    )
    return Parsed(request, stream, span, steers.explain)


# Fields


def _usual(body: bytes) -> _Body:
    try:
        return _body.decode(body)
    except msgspec.ValidationError:
        return _unusual(body)


def _unusual(body: bytes) -> _Body:
    """The same where a field is not of the usual type: it counts as absent unless nothing can be decided."""
    read = _odd_body.decode(body)
    messages = None if read.messages is None else [_plain(message) for message in read.messages]
    known = {name: _read(decoder, getattr(read, name)) for name, decoder in _HELPFUL.items()}
    if known["stream"] is None:
        known["stream"] = bytes(read.stream) in _YES
    return _Body(read.model, messages, **{name: value for name, value in known.items() if value is not None})


def _plain(message: _OddMessage) -> _Message:
    content = message.content
    if isinstance(content, list):
        return _Message(message.role, [part for raw in content if (part := _read(_part, raw)) is not None])
    return _Message(message.role, content)


def _read(decoder: msgspec.json.Decoder[_T], raw: msgspec.Raw) -> _T | None:
    """The value, or None where it is absent or another one."""
    try:
        return decoder.decode(raw)
    except msgspec.DecodeError:
        return None


def _needs(base: str, tools: msgspec.Raw, shape: _Format | None) -> _Needs:
    needs = _NEED_SETS[base]
    if tools and _FILLED.match(tools):
        needs |= {_TOOLS}
    if shape is not None:
        needs |= _FORMATS.get(shape.type, frozenset())
    return needs


# Turns


def _chat_turns(messages: list[_Message], needs: _Needs) -> _Said:
    """The last user turns, each with the length and needs of all up to it, and the conversation's key."""
    system, size = "", 0
    turns: list[Turn] = []
    pending: str | None = None
    for message in messages:
        text, has_image = message.content, False
        if text.__class__ is not str:
            text, has_image = _content(text)
        if message.role == "user":
            if pending is not None:
                turns.append(Turn(pending, _tokens(size), needs))
            pending = text
        elif pending is None:
            system += text
        size += len(text) if text.isascii() else len(text.encode())
        if has_image:
            needs |= {_VISION}
    last = Turn(system if pending is None else pending, _tokens(size), needs)
    if not turns:
        return (last,), f"{system}\n{last.text}"
    return (*turns[1 - MOST_TURNS :], last), f"{system}\n{turns[0].text}"


def _content(content: str | list[_Part] | None) -> tuple[str, bool]:
    """The text of a message's content, and whether it holds an image."""
    if content is None or isinstance(content, str):
        return content or "", False
    texts = [part.text for part in content if part.text]
    return "\n".join(texts), any(part.type in _IMAGE_TYPES for part in content)


def _one_turn(raw: msgspec.Raw, needs: _Needs) -> _Said:
    """A prompt or input as a turn; of several the longest must find room."""
    text = _read(_string, raw)
    texts = [text] if text is not None else _read(_strings, raw)
    if texts is not None:
        most = max(map(_size, texts), default=0)
        text = text if text is not None else "\n".join(texts)
        return (Turn(text, _tokens(most), needs),), text
    ids = max(piece.count(b",") for piece in bytes(raw).split(b"]")) + 1 if raw else 0
    return (Turn("", ids, needs),), _told_apart(bytes(raw))


def _no_turn(place: Place, body: bytes) -> _Said:
    return (Turn("", 0, _NEED_SETS[place.need]),), _told_apart(body)


def _told_apart(data: bytes) -> str:
    return str(zlib.crc32(data[:TOLD_APART_BYTES]))


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _tokens(size: int) -> int:
    return -(-size // CHARS_PER_TOKEN)


# Errors


def _not_json(headers: Headers) -> str:
    for name, value in headers:
        if name == b"content-encoding" and value.lower() != b"identity":
            return "The body is compressed: send it as plain JSON."
    return "The body is not valid JSON: send a JSON object."


def _invalid(message: str) -> BadRequest:
    """msgspec's sentence with the field named as the client knows it."""
    what, _, where = message.partition(" - at `$")
    field = where.rstrip("`").lstrip(".")
    if "missing required field `" in what:
        missing = what.split("`")[1]
        field = f"{field}.{missing}".lstrip(".")
        return BadRequest(f"{field!r} is missing: add it.", param=field)
    if not field:
        return BadRequest("The body must be a JSON object.")
    return BadRequest(f"{field!r} is not of the right type: {what}.", param=field)
