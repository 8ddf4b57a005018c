"""SlotEngine: a llama.cpp as far as load goes: so many slots, a queue before them, exact service times.

A request takes `max_tokens` times the engine's seconds for a token, however many others are there. It tells
of itself as llama.cpp b11434 does, in /metrics, /slots and /props.
"""

import asyncio
import json
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Event, Thread
from typing import Any, cast

import httptools
import uvloop

SECONDS = 10.0
"""Nothing here takes longer to begin or to end."""

METRICS = """\
# TYPE llamacpp:tokens_predicted_total counter
llamacpp:tokens_predicted_total {tokens}
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing {running}
# TYPE llamacpp:requests_deferred gauge
llamacpp:requests_deferred {waiting}
"""


class SlotEngine:
    """One engine. Its numbers may be read from any thread."""

    def __init__(self, slots: int, token_seconds: float, metrics: bytes | None = None) -> None:
        """`metrics`: what it tells at /metrics instead of its load."""
        self.port = 0
        self.running = 0
        self.asked: list[str] = []
        """Paths of what was asked besides answers."""
        self.most_waiting = 0
        self._slots = slots
        self._token_seconds = token_seconds
        self._metrics = metrics
        self._tokens = 0
        self._queue: deque[tuple[_Line, int]] = deque()

    @property
    def waiting(self) -> int:
        """Requests that wait for a slot."""
        return len(self._queue)

    def pages(self) -> dict[str, Callable[[], bytes]]:
        """What it tells of itself."""
        return {"/metrics": self._told, "/slots": self._told_slots, "/props": self._told_props}

    def ask(self, line: "_Line", tokens: int) -> None:
        """Answer this when there is a slot."""
        self._queue.append((line, tokens))
        self._begin()
        self.most_waiting = max(self.most_waiting, self.waiting)

    def leave(self, line: "_Line") -> None:
        """Its client is gone: if it waited, it waits no more."""
        self._queue = deque(one for one in self._queue if one[0] is not line)

    def _begin(self) -> None:
        while self._queue and self.running < self._slots:
            line, tokens = self._queue.popleft()
            self.running += 1
            asyncio.get_running_loop().call_later(tokens * self._token_seconds, self._end, line, tokens)

    def _end(self, line: "_Line", tokens: int) -> None:
        self.running -= 1
        self._tokens += tokens
        choice = {"index": 0, "finish_reason": "length", "message": {"role": "assistant", "content": "…"}}
        usage = {"prompt_tokens": 1, "completion_tokens": tokens, "total_tokens": tokens + 1}
        line.send(json.dumps({"object": "chat.completion", "choices": [choice], "usage": usage}).encode())
        self._begin()

    def _told(self) -> bytes:
        if self._metrics is not None:
            return self._metrics
        told = {"tokens": self._tokens, "running": self.running, "waiting": self.waiting}
        return METRICS.format(**told).encode()

    def _told_slots(self) -> bytes:
        return json.dumps(
            [{"is_processing": number < self.running} for number in range(self._slots)]
        ).encode()

    def _told_props(self) -> bytes:
        return json.dumps({"total_slots": self._slots, "build_info": "b11434"}).encode()


class _Line(asyncio.Protocol):
    """A client's connection."""

    def __init__(self, engine: SlotEngine) -> None:
        self._engine = engine
        self._parser = httptools.HttpRequestParser(self)
        self._path = ""
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._engine.leave(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._body = b""

    def on_url(self, url: bytes) -> None:
        self._path = url.decode()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._parser.get_method() == b"POST":
            self._engine.ask(self, int(json.loads(self._body)["max_tokens"]))
            return
        self._engine.asked.append(self._path)
        page = self._engine.pages().get(self._path)
        self.send(b"{}" if page is None else page(), b"404 Not Found" if page is None else b"200 OK")

    def send(self, body: bytes, status: bytes = b"200 OK") -> None:
        """Answer the request under way."""
        kind = b"application/json" if body[:1] in b"[{" else b"text/plain"
        head = b"HTTP/1.1 %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n" % (status, kind, len(body))
        self._transport.write(head + body)


@contextmanager
def running(engines: Sequence[SlotEngine], host: str = "127.0.0.1") -> Iterator[None]:
    """Have these engines up, all in a thread of their own."""
    ready, loop, stop = Event(), uvloop.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        servers = []
        for engine in engines:
            listener = socket.create_server((host, 0), backlog=4096)
            engine.port = listener.getsockname()[1]
            servers.append(await loop.create_server(partial(_Line, engine), sock=listener))
        ready.set()
        await stop.wait()
        for server in servers:
            server.close()

    thread = Thread(target=loop.run_until_complete, args=(serve(),), name="slot engines")
    thread.start()
    try:
        assert ready.wait(SECONDS)
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(SECONDS)
        loop.close()


def question(tokens: int) -> dict[str, Any]:
    """A request for a completion of so many tokens, also of a real llama.cpp."""
    return {"model": "m", "max_tokens": tokens, "ignore_eos": True, "prompt": "Once upon a time"}
