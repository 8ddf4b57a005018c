"""From a request's bytes to what a decision reads of it. Pure.

The body is decoded once, into the few fields needed; everything else stays bytes. Invariant: the `model` that
is decided on is the one whose place is returned, and a body in which an engine could read another is refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from steelyard.api.policy import Goal
from steelyard.routing.decision import Request, Turn
from steelyard_gateway.errors import BadRequest
from steelyard_gateway.ports import Headers

CHARS_PER_TOKEN = 4
"""UTF-8 bytes of text for one token; rough, and the same for every model, so that lengths compare."""

MOST_TURNS = 16
"""So many user turns are replayed at most."""

NEEDS = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "completions",
    "/v1/embeddings": "embeddings",
}
"""The capability that each path asks for."""

_TOOLS, _VISION, _JSON_SCHEMA = "tools", "vision", "jsonSchema"
_IMAGE_TYPES = ("image_url", "input_image", "image")
_OURS = b"x-steelyard-"
_GOALS = {goal.lower(): goal for goal in Goal}
_MODEL_KEY = re.compile(rb'"model"\s*:\s*', re.IGNORECASE)
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_ESCAPED_KEY = re.compile(rb'\\u[0-9a-fA-F]{4}[^"\\]{0,40}"\s*:')
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)


class _Part(msgspec.Struct, gc=False):
    type: str = ""
    text: str | None = None


class _Message(msgspec.Struct, gc=False):
    role: str
    content: str | list[_Part] | None = None


class _Format(msgspec.Struct, gc=False):
    type: str = ""


class _Body(msgspec.Struct, gc=False):
    model: str
    stream: bool | None = None
    messages: list[_Message] | None = None
    prompt: str | list[str | int | list[int]] | None = None
    input: str | list[str | int | list[int]] | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    tools: list[msgspec.Raw] | None = None
    functions: list[msgspec.Raw] | None = None
    response_format: _Format | None = None


_decoder = msgspec.json.Decoder(_Body)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A request, read."""

    request: Request
    """What the decision reads."""
    stream: bool
    """Whether a stream is asked for."""
    model_span: tuple[int, int]
    """Where the JSON value of `model` stands, quotes included."""
    explain: bool
    """Whether only the decision is asked for."""


class HeaderView:
    """Header lines as a look-up, without making a dict of them for each request."""

    __slots__ = ("_headers",)

    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    def get(self, name: str, /) -> str | None:
        """The last value of this header, its name in lower case."""
        wanted = name.encode("latin-1", "replace")
        found = None
        for key, value in self._headers:
            if key == wanted:
                found = value
        return None if found is None else found.decode("latin-1")


def parse(path: str, headers: Headers, body: bytes) -> Parsed:
    """What a decision reads of this request. Raises BadRequest naming the field and what to do."""
    try:
        read = _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("The body is not valid JSON: send a JSON object.") from None
    span = model_span(body)
    goal, tolerance, session, explain = _steering(headers)
    turns, conversation = _turns(read, NEEDS[path])
    most = read.max_completion_tokens if read.max_tokens is None else read.max_tokens
    request = Request(
        model=read.model,
        turns=turns,
        conversation=session or conversation,
        max_tokens=most if most is not None and most > 0 else None,
        headers=HeaderView(headers),
        goal=goal,
        tolerance_percent=tolerance,
    )
    return Parsed(request, bool(read.stream), span, explain)


def model_span(body: bytes) -> tuple[int, int]:
    """Where the string value of the top-level `model` stands. Raises BadRequest where there are several.

    The body must be valid JSON with such a key. One plain look suffices where the key's letters occur once.
    """
    found = _MODEL_KEY.search(body)
    if found is not None and _is_only_key(body, found):
        value = _STRING.match(body, found.end())
        if value is not None:
            return value.span()
    spans = list(_top_level_values(body, "model"))
    if len(spans) != 1:
        message = "The body has several keys that read as 'model': keep one."
        raise BadRequest(message, param="model")
    return spans[0]


def _is_only_key(body: bytes, found: re.Match[bytes]) -> bool:
    """Whether this match is surely the key: no second one, no escaped quote before it, no key in escapes."""
    return (
        _MODEL_KEY.search(body, found.end()) is None
        and body[found.start() - 1 : found.start()] != b"\\"
        and (b"\\u" not in body or _ESCAPED_KEY.search(body) is None)
    )


def _top_level_values(body: bytes, wanted: str) -> Iterator[tuple[int, int]]:
    """Spans of the values of top-level keys that equal `wanted` under unescaping and case folding.

    The value of each is a string, or the key is counted all the same, with an empty span.
    """
    depth, pending = 0, False
    for token in _TOKEN.finditer(body):
        text = token.group()
        if text in (b"{", b"[", b"}", b"]"):
            depth += 1 if text in (b"{", b"[") else -1
        elif depth != 1:
            continue
        elif body[token.end() :].lstrip()[:1] == b":":
            if pending:
                yield (0, 0)
            pending = _is_key(text, wanted)
        elif pending:
            pending = False
            yield token.span()
    if pending:
        yield (0, 0)


def _is_key(text: bytes, wanted: str) -> bool:
    key: str = msgspec.json.decode(text, type=str)
    return key.casefold() == wanted


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


def _steering(headers: Headers) -> tuple[Goal | None, int | None, str, bool]:
    """Goal, tolerance, session and whether to explain, from the x-steelyard-… headers."""
    goal, tolerance, session, explain = None, None, "", False
    for name, value in headers:
        if not name.startswith(_OURS):
            continue
        text = value.decode("latin-1").strip()
        match name[len(_OURS) :]:
            case b"goal":
                goal = _GOALS.get(text.lower())
                if goal is None:
                    message = f"Header x-steelyard-goal is {text[:40]!r}: use one of {', '.join(Goal)}."
                    raise BadRequest(message, param="x-steelyard-goal")
            case b"tolerance":
                if not text.isascii() or not text.isdigit() or len(text) > 3 or int(text) > 100:
                    message = (
                        f"Header x-steelyard-tolerance is {text[:40]!r}: use a whole number from 0 to 100."
                    )
                    raise BadRequest(message, param="x-steelyard-tolerance")
                tolerance = int(text)
            case b"session":
                session = text
            case b"explain":
                explain = text.lower() in ("1", "true")
            case _:
                continue
    return goal, tolerance, session, explain


def _turns(body: _Body, base_need: str) -> tuple[tuple[Turn, ...], str]:
    """The last user turns, each with the length and needs of all up to it, and the conversation's key."""
    needs = {base_need}
    if body.tools or body.functions:
        needs.add(_TOOLS)
    if body.response_format is not None and body.response_format.type == "json_schema":
        needs.add(_JSON_SCHEMA)
    if base_need != "chat":
        text = _plain_text(body.prompt if base_need == "completions" else body.input)
        return (Turn(text, _tokens(_size(text)), frozenset(needs)),), text
    return _chat_turns(body.messages, needs)


def _chat_turns(messages: list[_Message] | None, needs: set[str]) -> tuple[tuple[Turn, ...], str]:
    if not messages:
        raise BadRequest("'messages' is missing or empty: send at least one.", param="messages")
    system, turns, size = "", [], 0
    pending: str | None = None
    sealed = frozenset(needs)
    for message in messages:
        text, has_image = _content(message.content)
        if message.role == "user":
            if pending is not None:
                turns.append(Turn(pending, _tokens(size), sealed))
            pending = text
        elif not turns and pending is None:
            system += text
        size += _size(text)
        if has_image and _VISION not in needs:
            needs.add(_VISION)
            sealed = frozenset(needs)
    turns.append(Turn(pending if pending is not None else system, _tokens(size), sealed))
    return tuple(turns[-MOST_TURNS:]), f"{system}\n{turns[0].text}"


def _content(content: str | list[_Part] | None) -> tuple[str, bool]:
    """The text of a message's content, and whether it holds an image."""
    if content is None or isinstance(content, str):
        return content or "", False
    texts = [part.text for part in content if part.text]
    return "\n".join(texts), any(part.type in _IMAGE_TYPES for part in content)


def _plain_text(value: str | list[str | int | list[int]] | None) -> str:
    """A prompt or input as text; token ids count as words that say nothing."""
    if isinstance(value, str):
        return value
    words = (item if isinstance(item, str) else "0" * CHARS_PER_TOKEN for item in value or ())
    return "\n".join(words)


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _tokens(size: int) -> int:
    return -(-size // CHARS_PER_TOKEN)
