"""An OpenAI-compatible engine whose answers, times and counts are as a test wants them, odd ones included."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fakes import engines
from fakes.engines import Ask
from steelyard_profiler.target import Target

Body = dict[str, Any]
"""A request's body."""

STORY = ("Once", " upon", " a", " time", " there", " was", " a", " very") * 64
"""Pieces of a long answer, one token each."""


def tokens(count: int) -> tuple[str, ...]:
    """So many pieces of a story."""
    return STORY[:count]


def story(body: Body) -> Sequence[str]:
    """As long an answer as was asked for."""
    return tokens(body["max_tokens"])


def question(body: Body) -> str:
    """The last message's text."""
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else str(content[0]["text"])


def honest(prompt: int, output: int) -> Body:
    """The true counts as usage."""
    return {"prompt_tokens": prompt, "completion_tokens": output}


@dataclass
class OddEngine:
    """What it does and what it was asked."""

    say: Callable[[Body], Sequence[str] | Mapping[str, Any] | int] = story
    """The pieces of an answer; or one delta as it is; or a status."""
    usage: Callable[[int, int], Body | None] = honest
    """What it says that prompt and output took, from what they took."""
    first_seconds: float = 0
    """Its latency law: until the first piece."""
    piece_seconds: float = 0
    """Its latency law: each further piece."""
    refusal_seconds: float = 0
    """Until a status in place of an answer."""
    slots: int = 64
    """Requests that it works on at once; more wait."""
    finish: str | None = "stop"
    """Why it says that an answer ended."""
    is_done: bool = True
    """Whether it ends a stream as the API has it."""
    at_once: bool = False
    """Whether all events of an answer come in one packet."""
    logprobs: bool = False
    """Whether each piece comes with log probabilities."""
    others: Mapping[str, Callable[[Body], tuple[str, Any]]] = field(default_factory=dict)
    """Status and body of answers by another path."""
    bodies: list[Body] = field(default_factory=list)
    """Chat requests, in order."""
    most_at_once: int = 0
    """The most requests that were under way together."""
    url: str = ""
    """Its base address once it runs."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._slots = threading.Semaphore(self.slots)
        self._under_way = 0

    def target(self, **changes: Any) -> Target:
        """Itself as a target."""
        return Target(self.url, "m", **({"first_byte_seconds": 5, "idle_seconds": 5} | changes))

    @contextmanager
    def running(self) -> Iterator["OddEngine"]:
        """Answer on a free port."""
        with engines.engine(self._answer) as up:
            self.url = f"http://127.0.0.1:{up.port}/v1"
            yield self

    def _answer(self, ask: Ask) -> None:
        path = ask.line.split()[1].decode().removeprefix("/v1")
        body = json.loads(ask.body) if ask.body else {}
        if path in self.others:
            status, value = self.others[path](body)
            ask.send(engines.answer(json.dumps(value).encode(), status))
            return
        if path != "/chat/completions":
            ask.send(engines.answer(b"{}", "404 Not Found"))
            return
        with self._lock:
            self.bodies.append(body)
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
        with self._slots:
            last = self._stream(ask, body)
        with self._lock:
            self._under_way -= 1  # before its end is sent: whoever read that may ask again at once
        ask.send(last)

    def _stream(self, ask: Ask, body: Body) -> bytes:
        """Send all but the end of an answer, which is returned."""
        said = self.say(body)
        if isinstance(said, int):
            ask.stopped.wait(self.refusal_seconds)
            return engines.answer(b"{}", f"{said} Odd")
        deltas = [said] if isinstance(said, Mapping) else [{"content": piece} for piece in said]
        ask.send(engines.stream_head())
        ask.stopped.wait(self.first_seconds)
        told = {"logprobs": {"content": [{"token": "a", "logprob": -0.5}]}} if self.logprobs else {}
        events: list[Body] = [{"choices": [{"delta": delta, **told}]} for delta in deltas]
        last: list[Body] = [{"choices": [{"delta": {}, "finish_reason": self.finish}]}]
        counted = self.usage(len(json.dumps(body["messages"])) // 5, len(deltas))
        if counted is not None:
            last.append({"choices": [], "usage": counted})
        chunks = [engines.chunk(b"data: %b\n\n" % json.dumps(event).encode()) for event in events]
        ends = [engines.chunk(b"data: %b\n\n" % json.dumps(event).encode()) for event in last]
        ends += [engines.chunk(b"data: [DONE]\n\n")] if self.is_done else []
        if self.at_once:
            return b"".join([*chunks, *ends, engines.chunk(b"")])
        for number, chunk in enumerate(chunks):
            if number:
                ask.stopped.wait(self.piece_seconds)
            ask.send(chunk)
        return b"".join([*ends, engines.chunk(b"")])
