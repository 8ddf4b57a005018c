"""What the upstreams answer: bodies in the form that a vLLM server sends, made once."""

import json
import re

from bench import resources

_PARTS = {"id": "chatcmpl-0123456789abcdef", "created": 1_790_000_000, "model": resources.MODEL}

COMPLETION = json.dumps(
    {
        **_PARTS,
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "The answer is twelve."},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 17, "completion_tokens": 6, "total_tokens": 23},
    },
    separators=(",", ":"),
)
"""The answer to a chat request that is not streamed; about 300 bytes."""

MODELS = json.dumps(
    {"object": "list", "data": [{"id": resources.MODEL, "object": "model", "created": 1, "owned_by": "vllm"}]}
)
"""The list of models."""

METRICS = "".join(
    f'{line}{{engine="0",model_name="{resources.MODEL}"}} {value}\n'
    for line, value in (
        ("vllm:num_requests_running", 1.0),
        ("vllm:num_requests_waiting", 0.0),
        ("vllm:kv_cache_usage_perc", 0.05),
        *((f"vllm:request_time_per_output_token_seconds_{number:03}", 0.0) for number in range(700)),
    )
)
"""What a scrape of the engine gives: as long as what a real one told, with as many lines."""

STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
)
"""The head of a streamed answer."""

_CHUNK_PARTS = {**_PARTS, "object": "chat.completion.chunk"}

_CHUNK = json.dumps(
    {
        **_CHUNK_PARTS,
        "choices": [{"index": 0, "delta": {"content": "@"}, "logprobs": None, "finish_reason": None}],
    },
    separators=(",", ":"),
)

_BEFORE, _AFTER = (part.encode() for part in f"data: {_CHUNK}\n\n".split("@"))

_TIME_DIGITS = 18

_BEFORE = f"{len(_BEFORE) + len(_AFTER) + _TIME_DIGITS + 2:x}\r\n".encode() + _BEFORE
_AFTER += b"\r\n"

SENT_AT = re.compile(rb"@(\d{18})@")
"""The time of writing in what was read, in nanoseconds."""


def chunk(sent_at_ns: int) -> bytes:
    """One event of a stream as an HTTP chunk; its content is the time of writing between two @."""
    return b"%s@%018d@%s" % (_BEFORE, sent_at_ns, _AFTER)


def stream_end(*, with_usage: bool) -> bytes:
    """The end of a streamed answer, with the event of usage where that was asked for."""
    usage = {"prompt_tokens": 17, "completion_tokens": 100, "total_tokens": 117}
    last = json.dumps({**_CHUNK_PARTS, "choices": [], "usage": usage}, separators=(",", ":"))
    events = f"data: {last}\n\n" * with_usage + "data: [DONE]\n\n"
    return f"{len(events):x}\r\n{events}\r\n0\r\n\r\n".encode()
