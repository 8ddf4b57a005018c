"""A policy's signature: a line under its answers that tells who gave them, taken out of what comes back.

Invariant: only words are signed, never a tool call; of a request only what could have been signed here goes.
"""

import re
from functools import lru_cache

import msgspec

from steelyard_gateway import shapes, spans, sse

MOST_NAME_CHARACTERS = 253
"""Length of the longest name of a model or a backend."""

CACHED = 4096
"""Signatures that are kept: more than models and policies that are in use at a time."""

_PLACEHOLDER = re.compile(r"\{model\}|\{backend\}")
_TOOL_ENDS = ("tool_calls", "function_call")
_ASSISTANT = b'"assistant"'


class _Words(msgspec.Struct, gc=False):
    content: str | list[msgspec.Raw] | None = None
    tool_calls: list[msgspec.Raw] | None = None
    function_call: msgspec.Raw | None = None


class _Choice(msgspec.Struct, gc=False):
    index: int = 0
    message: _Words | None = None
    delta: _Words | None = None
    text: str | None = None
    finish_reason: str | None = None

    def words(self) -> str | None:
        """What it says, in whichever shape."""
        said = self.message or self.delta
        content = self.text if said is None else said.content
        return content if isinstance(content, str) else None

    def calls(self) -> bool:
        """Whether it calls a tool."""
        said = self.message or self.delta
        is_call = said is not None and (bool(said.tool_calls) or said.function_call is not None)
        return is_call or self.finish_reason in _TOOL_ENDS


class _Answer(msgspec.Struct, gc=False):
    choices: list[_Choice] = []


class _Part(msgspec.Struct, gc=False):
    text: str | None = None


class _Turn(msgspec.Struct, gc=False):
    role: str = ""
    content: str | list[_Part] | None = None


class _Chat(msgspec.Struct, gc=False):
    messages: list[_Turn] = []


_answer = msgspec.json.Decoder(_Answer)
_chat = msgspec.json.Decoder(_Chat)
_event = msgspec.json.Decoder(dict[str, msgspec.Raw])


@lru_cache(maxsize=CACHED)
def filled(template: str, model: str, backend: str) -> str:
    """The signature of this model's answers: the template with its names filled in."""
    names = {"{model}": model, "{backend}": backend}
    return _PLACEHOLDER.sub(lambda found: names[found[0]], template)


def sign(body: bytes, text: str) -> bytes:
    """A complete JSON answer with `text` at the end of what each choice says; unchanged where none speaks."""
    answer = _read(body)
    if answer is None:
        return body
    signed = [bool(one.words()) and not one.calls() for one in answer.choices]
    return _extended(body, signed, text) if any(signed) else body


class Signer:
    """Signs one stream: each choice that spoke says `text` before it ends."""

    __slots__ = ("_calling", "_like", "_spoken", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._spoken = False
        self._like: tuple[bytes, _Choice] | None = None
        """The first event that spoke; None again once a choice ended."""
        self._calling: set[int] = set()

    def events(self, data: bytes) -> bytes:
        """Whole events, and those of ours among them."""
        if (
            self._spoken
            and b'"finish_reason":"' not in data
            and b'"finish_reason": "' not in data
            and b'"tool_calls":' not in data
            and b"[DONE]" not in data
        ):
            return data
        parts = sse.split(data)
        for index in range(0, len(parts), 2):
            if parts[index]:
                parts[index] = self._event(parts[index])
        return b"".join(parts)

    def _event(self, event: bytes) -> bytes:
        """The event, with the signatures that belong before it or into it."""
        found = sse.DATA.search(event)
        if found is None:
            return event
        if found[1].startswith(b"[DONE]"):
            return self._unended() + event
        answer = _read(found[1])
        if answer is None:
            return event
        ours, signed = b"", []
        for one in answer.choices:
            self._note(found[1], one)
            ends = one.finish_reason is not None and self._spoken and one.index not in self._calling
            signed.append(ends and bool(one.words()))
            if ends and not one.words():
                ours += _own_event(found[1], one, self._text)
        if any(signed):
            start, end = found.span(1)
            event = event[:start] + _extended(found[1], signed, self._text) + event[end:]
        return ours + event

    def _note(self, said: bytes, one: _Choice) -> None:
        if one.calls():
            self._calling.add(one.index)
        elif one.words() and not self._spoken:
            self._spoken = True
            self._like = said, one
        if one.finish_reason is not None or one.calls():
            self._like = None

    def _unended(self) -> bytes:
        """The signature of a stream that closes without a finish reason."""
        like, self._like = self._like, None
        return b"" if like is None else _own_event(*like, self._text)


def strip(body: bytes, template: str) -> list[spans.Edit]:
    """The edits that take this policy's signatures, of whichever model, out of earlier assistant turns."""
    if _ASSISTANT not in body:
        return []
    try:
        turns = _chat.decode(body).messages
    except shapes.NOT_JSON:
        return []
    kept = [_kept_turn(turn, template) if turn.role == "assistant" else None for turn in turns]
    messages = spans.child(body, spans.top(body), b'"messages"') if any(kept) else None
    edits: list[spans.Edit] = []
    for (start, _), texts in zip(spans.items(body, messages[0]) if messages else (), kept, strict=False):
        content = spans.child(body, start, b'"content"') if texts else None
        if content is not None and texts:
            edits += _rewritten(body, content, texts)
    return edits


def _kept_turn(turn: _Turn, template: str) -> list[str | None] | None:
    """What is left of each text of a turn, None for one that was not signed; None: none was."""
    texts = [turn.content] if isinstance(turn.content, str) else [one.text for one in turn.content or ()]
    kept = [_unsigned(text, template) if text else None for text in texts]
    return None if all(one is None for one in kept) else kept


def _rewritten(body: bytes, content: spans.Span, texts: list[str | None]) -> list[spans.Edit]:
    """The edits that leave these texts of a turn's content, a text or a list of parts."""
    if body[content[0] : content[0] + 1] == b"[":
        places = [spans.child(body, start, b'"text"') for start, _ in spans.items(body, content[0])]
    else:
        places = [content]
    return [
        (*place, msgspec.json.encode(text))
        for place, text in zip(places, texts, strict=True)
        if place is not None and text is not None
    ]


def _unsigned(text: str, template: str) -> str | None:
    """The text without the signatures at its end; None where there is none."""
    kept = text
    while (start := _signature_start(kept, template)) is not None:
        kept = kept[:start]
    return None if kept is text else kept


def _signature_start(text: str, template: str) -> int | None:
    """Where a signature begins that ends the text; clients may have trimmed it.

    Read from its end, each word of the template's own at its last place: linear in any text.
    """
    *words, last = _PLACEHOLDER.split(template.rstrip())
    text = text.rstrip()
    if not text.endswith(last):
        return None
    end = len(text) - len(last)
    for word in reversed(words):
        start = text.rfind(word, max(0, end - MOST_NAME_CHARACTERS - len(word)), end)
        name = text[start + len(word) : end]
        if start < 0 or not name or "\n" in name:
            return None
        end = start
    return end


def _read(data: bytes) -> _Answer | None:
    try:
        return _answer.decode(data)
    except shapes.NOT_JSON:
        return None


def _extended(data: bytes, signed: list[bool], text: str) -> bytes:
    """The answer or event with `text` at the end of the words of these choices."""
    inner = msgspec.json.encode(text)[1:-1]
    choices = spans.child(data, spans.top(data), b'"choices"')
    edits: list[spans.Edit] = []
    for (start, _), is_signed in zip(spans.items(data, choices[0]) if choices else (), signed, strict=False):
        words = _words_span(data, start) if is_signed else None
        if words is not None:
            edits.append((words[1] - 1, words[1] - 1, inner))
    return spans.splice(data, edits)


def _words_span(data: bytes, choice_start: int) -> spans.Span | None:
    for key in (b'"message"', b'"delta"'):
        said = spans.child(data, choice_start, key)
        if said is not None and data[said[0] : said[0] + 1] == b"{":
            return spans.child(data, said[0], b'"content"')
    return spans.child(data, choice_start, b'"text"')


def _own_event(like: bytes, choice: _Choice, text: str) -> bytes:
    """An event of the same stream in which this choice says `text`."""
    event: dict[str, object] = dict(_event.decode(like))
    for field in event.keys() - {"id", "object", "created", "model", "system_fingerprint"}:
        del event[field]
    said = {"text": text} if choice.delta is None else {"delta": {"content": text}}
    event["choices"] = [{"index": choice.index, **said, "logprobs": None, "finish_reason": None}]
    return b"data: %b\n\n" % msgspec.json.encode(event)
