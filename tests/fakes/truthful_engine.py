"""An OpenAI-compatible engine whose truth is known: its chance of a right answer, and its latency law.

It knows a suite's probes by their questions. Draws are SHA-256 of its salt and the question: it says the same
to everybody, and another salt is another model of the same strength. Tokens leave by a clock that does not
run slow when the machine does, and when they really left is written down.
"""

import asyncio
import contextlib
import hashlib
import json
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from steelyard.api.measuring import Suite
from steelyard.api.profile import Category, Level
from steelyard_profiler import workload
from steelyard_profiler.probe import Probe
from steelyard_profiler.target import Call, Target

Answer = tuple[str, tuple[Call, ...]]
"""What is said, and what is called."""

IDLE = "I do not know."
"""Said where no other answer is wrong for sure."""

STORY = "once upon a time there was a long way to go and "
"""What it says to a question that is no probe, again and again."""


@dataclass(frozen=True, slots=True)
class Law:
    """How fast it is."""

    base_seconds: float = 0.0
    """Until the first token, without the prompt's share."""
    prompt_tokens_per_second: float = 1e9
    """How fast a prompt is read."""
    tokens_per_second: float = 1e9
    """How fast an answer is told."""

    def first_seconds(self, prompt_tokens: int) -> float:
        """From the request to the first token."""
        return self.base_seconds + prompt_tokens / self.prompt_tokens_per_second


@dataclass(frozen=True, slots=True)
class Told:
    """One answer as it really went."""

    question: str
    """What was asked."""
    prompt_tokens: int
    """Length of its prompt."""
    tokens: int
    """Length of the answer."""
    first_seconds: float
    """From the request read to the first token written."""
    rest_seconds: float
    """From the first token written to the last."""


@dataclass
class TruthfulEngine:
    """What is true of it and what it was asked."""

    chances: Mapping[tuple[Category, Level], float] = field(default_factory=dict)
    """Chance of a right answer by cell; absent: 1."""
    suite: Suite = Suite.QUICK
    """The suite that it knows."""
    seed: int = 1
    """Seed of the probes that it knows."""
    salt: str = ""
    """Another salt draws other answers."""
    law: Law = Law()
    """How fast it is."""
    port: int = 0
    """The port; it has one once it runs."""
    told: list[Told] = field(default_factory=list)
    """Every answer, in the order in which they ended."""
    asked: dict[Category, dict[int, bool]] = field(default_factory=lambda: defaultdict(dict))
    """Whether the answer was right, by category and index, for each probe that was asked."""
    probes_at_once: int = 0
    """The most answers to probes under way at a time."""

    def __post_init__(self) -> None:
        known = workload.probes(self.suite, self.seed)
        self._probes = {probe.question: probe for probe in known}
        self._examples: dict[tuple[Category, Level], list[Answer]] = defaultdict(list)
        for probe in known:
            self._examples[probe.category, probe.level].append(probe.right())
        self._under_way: list[str] = []

    @property
    def target(self) -> Target:
        """Itself as a target."""
        return Target(f"http://127.0.0.1:{self.port}/v1", "m", first_byte_seconds=10, idle_seconds=10)

    def answer(self, question: str) -> Answer:
        """What it says and calls, always the same to one question."""
        probe = self._probes.get(question)
        if probe is None:
            return STORY * 40, ()
        draw = int.from_bytes(hashlib.sha256(f"{self.salt}/{question}".encode()).digest()[:8], "big") / 2**64
        is_right = draw < self.chances.get((probe.category, probe.level), 1.0)
        self.asked[probe.category][probe.index] = is_right
        return probe.right() if is_right else self._wrong(probe)

    def _wrong(self, probe: Probe) -> Answer:
        """The right answer to another question of its kind, where that is wrong here."""
        others = self._examples[probe.category, probe.level]
        return next((other for other in others if not probe.accepts(*other)), (IDLE, ()))

    @contextlib.contextmanager
    def running(self) -> Iterator["TruthfulEngine"]:
        """Answer on a free port."""
        ready, loop = threading.Event(), asyncio.new_event_loop()
        stop = asyncio.Event()

        async def serve() -> None:
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            await stop.wait()
            server.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

        def run() -> None:
            with contextlib.closing(loop):
                loop.run_until_complete(serve())
                loop.run_until_complete(asyncio.sleep(0))

        thread = threading.Thread(target=run, name="truthful engine")
        thread.start()
        assert ready.wait(10)
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
                body = await reader.readexactly(int(lines.get("content-length", 0)))
                if "/chat/completions http" in head:
                    await self._stream(writer, json.loads(body))
                elif "/models http" in head:
                    _whole(writer, "200 OK", {"data": [{"id": "m"}]})
                else:
                    _whole(writer, "404 Not Found", {})
                await writer.drain()
        writer.close()

    async def _stream(self, writer: asyncio.StreamWriter, asked: dict[str, Any]) -> None:
        texts = [_text(message["content"]) for message in asked["messages"]]
        question = texts[-1]
        self._under_way.append(question)
        if question in self._probes:
            at_once = sum(one in self._probes for one in self._under_way)
            self.probes_at_once = max(self.probes_at_once, at_once)
        try:
            prompt_tokens = -(-len("".join(texts).encode()) // 4)
            told = await self._tell(writer, prompt_tokens, question, asked["max_tokens"])
        finally:
            self._under_way.remove(question)
        self.told.append(told)

    async def _tell(self, writer: asyncio.StreamWriter, prompt: int, question: str, most: int) -> Told:
        """Answer a prompt of so many tokens by the clock."""
        loop = asyncio.get_running_loop()
        began, (text, calls), times = loop.time(), self.answer(question), list[float]()
        deltas: list[dict[str, Any]] = [{"content": text[at : at + 4]} for at in range(0, len(text), 4)][
            :most
        ]
        deltas += [_called(index, call) for index, call in enumerate(calls)]
        due = began + self.law.first_seconds(prompt)
        writer.write(_HEAD)
        for number, delta in enumerate(deltas):
            await asyncio.sleep(due + number / self.law.tokens_per_second - loop.time())
            _event(writer, {"choices": [{"delta": delta, "finish_reason": None}]})
            await writer.drain()
            times.append(loop.time())
        _event(writer, {"choices": [{"delta": {}, "finish_reason": "stop"}]})
        tokens = len(deltas) + sum(len(call.name + call.arguments) // 4 for call in calls)
        usage = {"prompt_tokens": prompt, "completion_tokens": tokens}
        _event(writer, {"choices": [], "usage": usage})
        _chunk(writer, b"data: [DONE]\n\n")
        _chunk(writer, b"")
        return Told(question, prompt, tokens, times[0] - began, times[-1] - times[0])


_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def _called(index: int, call: Call) -> dict[str, Any]:
    """A whole call in one piece."""
    function = {"name": call.name, "arguments": call.arguments}
    piece = {"index": index, "id": f"call-{index}", "type": "function", "function": function}
    return {"tool_calls": [piece]}


def _event(writer: asyncio.StreamWriter, value: dict[str, Any]) -> None:
    _chunk(writer, f"data: {json.dumps(value)}\n\n".encode())


def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))


def _text(content: Any) -> str:
    """The words of a message, whose content may have several parts."""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _whole(writer: asyncio.StreamWriter, status: str, value: dict[str, Any]) -> None:
    body = json.dumps(value).encode()
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
