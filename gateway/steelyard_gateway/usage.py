"""Tokens of every request: asked for where an engine can be asked, read from what it tells, else estimated.

Rule 1. A request is changed in `stream_options` only, and only where the client asked for no usage.
Rule 2. Then, and only then, an answer loses its members `usage` and the event that holds nothing else.
Rule 3. What an engine did not tell is marked estimated.
"""

import re
from typing import Annotated

import msgspec

from steelyard_gateway import shapes, spans, sse

PATHS = frozenset({"/chat/completions", "/completions"})
"""Where `stream_options` means something."""

LARGE_BYTES = 16_384
"""A larger answer (embeddings, images) is read at its end first, where usage stands."""

TAIL_BYTES = 4_096
"""How much of that end; details of usage take a few hundred."""

BYTES_PER_TOKEN = 4
"""UTF-8 bytes of text for one token, where nobody counted."""

FRAMING_EVENTS = 2
"""Events of a stream that carry no token: the finish reason and [DONE]."""

MOST_TOKENS = 2**31
"""A larger count is a mistake, and would spoil the sums."""

_ASK = b',"stream_options":{"include_usage":true}'
_OPTIONS = re.compile(rb'(?<!\\)"stream_options"\s*:\s*(\{[^{}]*\}|null)')
_NULL_AT_END = (b',"usage":null}\n\n', b"}\n\n")
_TOLD = re.compile(rb'"usage"\s*:\s*(\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})')


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens of one request."""

    prompt_tokens: int
    """Of the prompt, cached ones included."""
    completion_tokens: int
    """Of the answer, thoughts included."""
    cached_tokens: int = 0
    """Of the prompt, those that the engine had in its cache."""
    estimated: bool = False
    """Whether the engine did not tell."""


_Count = Annotated[int, msgspec.Meta(le=MOST_TOKENS)]


class _Details(msgspec.Struct, gc=False):
    cached_tokens: _Count | None = None


class _Counts(msgspec.Struct, gc=False):
    """Either spelling: chat, completions and embeddings have the first, responses the second."""

    prompt_tokens: _Count | None = None
    completion_tokens: _Count | None = None
    prompt_tokens_details: _Details | None = None
    input_tokens: _Count | None = None
    output_tokens: _Count | None = None
    input_tokens_details: _Details | None = None
    total_tokens: _Count | None = None
    """All that some rerankers tell."""


class _Response(msgspec.Struct, gc=False):
    usage: _Counts | None = None


class _Answer(msgspec.Struct, gc=False):
    usage: _Counts | None = None
    response: _Response | None = None
    """In the last event of a responses stream."""


class _Message(msgspec.Struct, gc=False):
    content: str | None = None


class _Choice(msgspec.Struct, gc=False):
    message: _Message | None = None
    text: str | None = None


class _Said(msgspec.Struct, gc=False):
    choices: list[_Choice] = []


class _Chunk(msgspec.Struct, gc=False):
    choices: list[msgspec.Raw] | None = None
    usage: _Counts | msgspec.UnsetType | None = msgspec.UNSET


class _Asked(msgspec.Struct, gc=False):
    stream_options: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_counts = msgspec.json.Decoder(_Counts)
_answer = msgspec.json.Decoder(_Answer)
_said = msgspec.json.Decoder(_Said)
_chunk = msgspec.json.Decoder(_Chunk)
_asked = msgspec.json.Decoder(_Asked)
_options = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)


def ask(body: bytes, model_end: int) -> spans.Edit | None:
    """The edit that asks for usage at the end of a stream; None: the client did, or cannot be understood.

    model_end: where the value of the top-level `model` ends.
    """
    given = _asked.decode(body).stream_options
    if isinstance(given, msgspec.UnsetType):
        return model_end, model_end, _ASK
    places = [found for found in _OPTIONS.finditer(body) if found[1] == bytes(given)]
    try:
        options = _options.decode(given) or {}
    except shapes.NOT_JSON:
        return None
    if len(places) != 1 or bytes(options.get("include_usage", b"null")) not in (b"false", b"null"):
        return None
    asked = msgspec.json.encode({**options, "include_usage": msgspec.Raw(b"true")})
    return *places[0].span(1), asked


def hide(data: bytes) -> bytes:
    """Whole events of a stream without the usage that the client did not ask for."""
    if sse.USAGE not in data:
        return data
    data = data.replace(*_NULL_AT_END)
    if sse.USAGE not in data:
        return data
    parts = sse.split(data)
    for index in range(0, len(parts), 2):
        if sse.USAGE in parts[index]:
            parts[index] = _without_usage(parts[index])
            if not parts[index]:
                parts[index + 1 : index + 2] = [b""]
    return b"".join(parts)


def of_stream(events: sse.Events) -> Usage | None:
    """What the engine told last in this stream; None: nothing."""
    for line in reversed(events.told.splitlines()):
        if sse.USAGE in line:
            told = of_answer(line.removeprefix(b"data:"))
            if told is not None:
                return told
    return None


def of_answer(body: bytes) -> Usage | None:
    """What the engine told in this JSON answer, or in the end of one; None: nothing."""
    if len(body) > LARGE_BYTES:
        told = _of_tail(body)
        if told is not None:
            return told
    try:
        answer = _answer.decode(body)
    except shapes.NOT_JSON:
        return _of_tail(body)
    counts = answer.usage or (answer.response.usage if answer.response is not None else None)
    return None if counts is None else _usage(counts)


def tail(before: bytes, piece: bytes) -> bytes:
    """The end of an answer that passes in pieces; enough for `of_answer`."""
    return (before + piece[-TAIL_BYTES:])[-TAIL_BYTES:]


def of_events(prompt_tokens: int, events: sse.Events) -> Usage:
    """An estimate for a stream: most engines send an event for each token."""
    return Usage(prompt_tokens, max(0, events.number - FRAMING_EVENTS), estimated=True)


def of_text(prompt_tokens: int, body: bytes) -> Usage:
    """An estimate for an answer that tells no usage: by the length of what its choices say."""
    try:
        choices = _said.decode(body).choices
    except shapes.NOT_JSON:
        choices = []
    said = (one.text or (one.message.content if one.message is not None else None) or "" for one in choices)
    size = sum(len(text.encode()) for text in said)
    return Usage(prompt_tokens, -(-size // BYTES_PER_TOKEN), estimated=True)


def _without_usage(event: bytes) -> bytes:
    """The event without its member `usage`; empty where it told nothing else."""
    found = sse.DATA.search(event)
    try:
        chunk = _chunk.decode(found[1]) if found is not None else None
    except shapes.NOT_JSON:
        return event
    if found is None or chunk is None or chunk.usage is msgspec.UNSET:
        return event
    if chunk.choices == [] and chunk.usage is not None:
        return b""
    start, end = found.span(1)
    return event[:start] + spans.without(found[1], b'"usage"') + event[end:]


def _of_tail(body: bytes) -> Usage | None:
    for told in reversed(_TOLD.findall(body, max(0, len(body) - TAIL_BYTES))):
        try:
            usage = _usage(_counts.decode(told))
        except shapes.NOT_JSON:
            continue
        if usage is not None:
            return usage
    return None


def _usage(counts: _Counts) -> Usage | None:
    """The counts by one name each; None where they say nothing, as those of some engines on the way do."""
    prompt = counts.prompt_tokens or counts.input_tokens or 0
    completion = counts.completion_tokens or counts.output_tokens or 0
    if not prompt and not completion:
        prompt = counts.total_tokens or 0
    if prompt <= 0 and completion <= 0:
        return None
    details = counts.prompt_tokens_details or counts.input_tokens_details
    cached = details.cached_tokens or 0 if details is not None else 0
    return Usage(max(0, prompt), max(0, completion), max(0, cached))
