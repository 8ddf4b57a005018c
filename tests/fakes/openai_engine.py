"""An engine that speaks OpenAI's API as far as its official client does, with fixed answers.

The model's name says how it behaves: `status-418` answers so, `cut` breaks its streams off, `busy` asks for a
pause the first time; every other name answers well.
"""

import base64
import json
import re
import struct
from collections.abc import Iterable
from typing import Any

from fakes.engines import Ask, Script, answer, chunk, stream_head

VECTOR = (0.5, -1.0)
SOUND = b"ID3\x00\xff" * 2000
PICTURE = base64.b64encode(b"\x89PNG").decode()
ARGUMENTS = '{"city":"Oslo"}'
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
PAUSE_SECONDS = 1

Object = dict[str, Any]


def openai_engine() -> Script:
    """A script with a memory of its own."""
    paused: list[str] = []

    def script(ask: Ask) -> None:
        asked = _asked(ask)
        model = str(asked["model"])
        if model == "busy" and not paused:
            paused.append(model)
            pause = b"retry-after: %d\r\n" % PAUSE_SECONDS
            ask.send(answer(_error("busy"), "429 Too Many Requests", pause))
        elif model.startswith("status-"):
            ask.send(answer(_error("as asked"), model.removeprefix("status-") + " As Asked"))
        else:
            _answer(ask, ask.line.split(b" ")[1].decode(), asked)

    return script


def _asked(ask: Ask) -> Object:
    """The fields of a body, of a form those that are no files."""
    if not ask.headers[b"content-type"].startswith(b"multipart/"):
        fields: Object = json.loads(ask.body)
        return fields
    pattern = rb'form-data; name="([^"]+)"(; filename)?[^\0]*?\r\n\r\n([^\r]*)'
    return {name.decode(): value.decode() for name, file, value in re.findall(pattern, ask.body) if not file}


def _answer(ask: Ask, path: str, asked: Object) -> None:
    if path == "/v1/audio/speech":
        ask.send(answer(SOUND, headers=b"content-type: audio/mpeg\r\n"))
    elif not asked.get("stream"):
        ask.send(answer(json.dumps(_whole(path, asked)).encode()))
    elif path == "/v1/responses":
        _send_events(ask, _response_events(asked))
    else:
        events = [f"data: {json.dumps(event)}\n\n" for event in _chat_events(asked)]
        _send_events(ask, events[:1] if asked["model"] == "cut" else [*events, "data: [DONE]\n\n"])


def _send_events(ask: Ask, events: Iterable[str]) -> None:
    ask.send(stream_head())
    for event in events:
        ask.send(chunk(event.encode()))
    ask.send(chunk(b""))


def _whole(path: str, asked: Object) -> Object:
    model = asked["model"]
    match path:
        case "/v1/chat/completions":
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **_said(asked)}}
            return _object("chat.completion", model, choices=[choice], usage=USAGE)
        case "/v1/completions":
            choice = {"index": 0, "finish_reason": "stop", "text": f"from {model}"}
            return _object("text_completion", model, choices=[choice], usage=USAGE)
        case "/v1/embeddings":
            packed: Any = VECTOR
            if asked.get("encoding_format") == "base64":
                packed = base64.b64encode(struct.pack("<2f", *VECTOR)).decode()
            data = [{"object": "embedding", "index": 0, "embedding": packed}]
            return _object("list", model, data=data, usage={"prompt_tokens": 3, "total_tokens": 3})
        case "/v1/responses":
            return _response(asked)
        case "/v1/audio/transcriptions" | "/v1/audio/translations":
            return {"text": f"heard by {model}"}
        case "/v1/images/generations" | "/v1/images/edits" | "/v1/images/variations":
            return {"created": 1, "data": [{"b64_json": PICTURE}]}
    raise AssertionError(path)


def _said(asked: Object) -> Object:
    if asked.get("tools"):
        call = {"name": asked["tools"][0]["function"]["name"], "arguments": ARGUMENTS}
        return {
            "content": None,
            "tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": call}],
        }
    return {"content": f"from {asked['model']}"}


def _chat_events(asked: Object) -> Iterable[Object]:
    for delta, reason in (({"role": "assistant", **_said(asked)}, None), ({}, "stop")):
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        yield _object("chat.completion.chunk", asked["model"], choices=[choice])
    if (asked.get("stream_options") or {}).get("include_usage"):
        yield _object("chat.completion.chunk", asked["model"], choices=[], usage=USAGE)


def _response(asked: Object) -> Object:
    part = {"type": "output_text", "text": f"from {asked['model']}", "annotations": []}
    message = {"id": "m", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    usage = {
        "input_tokens": 3,
        "output_tokens": 2,
        "total_tokens": 5,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }
    more = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "status": "completed"}
    return _object("response", asked["model"], created_at=1, output=[message], usage=usage, **more)


def _response_events(asked: Object) -> Iterable[str]:
    place = {"item_id": "m", "output_index": 0, "content_index": 0}
    item = {"id": "m", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    part = {"type": "output_text", "text": "", "annotations": []}
    events: list[Object] = [
        {"type": "response.created", "response": {**_response(asked), "output": [], "status": "in_progress"}},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", "part": part, **place},
        {"type": "response.output_text.delta", "delta": f"from {asked['model']}", "logprobs": [], **place},
        {"type": "response.completed", "response": _response(asked)},
    ]
    for number, event in enumerate(events):
        yield f"event: {event['type']}\ndata: {json.dumps({**event, 'sequence_number': number})}\n\n"


def _object(kind: str, model: str, **more: Any) -> Object:
    return {"id": "x", "object": kind, "created": 1, "model": model, **more}


def _error(message: str) -> bytes:
    return json.dumps({"error": {"message": message, "type": "t", "code": "c", "param": None}}).encode()
