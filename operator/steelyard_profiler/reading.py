"""One streamed answer: its pieces, the time of each, and what the engine counts.

Rule 1. What is read is bounded by what was asked for; an engine that never stops is left.
Rule 2. The engine's own count of tokens is believed only where the text bears it out (`counting`).
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import httpx

from steelyard_profiler import counting, failures
from steelyard_profiler.call_pieces import CallPieces
from steelyard_profiler.target import Asked, Failure, Reply, Severity, Target

_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")
"""HTML standard, 9.2.6: a line ends with CR LF, LF or CR. A CR at the end may be half of it."""

MOST_EVENT_BYTES = 1 << 20
"""The longest line of a stream, and the most of a stream without any text."""


class Reading:
    """One answer being read."""

    def __init__(self, target: Target, started: float, asked: Asked) -> None:
        self._target = target
        self._started = started
        self._asked = asked
        self._pieces: list[str] = []
        self._calls = CallPieces()
        self._bytes = 0
        self._sizes: list[int] = []
        self._times: list[float] = []
        self._usage: dict[str, Any] = {}
        self._finish = ""
        self._is_thinking = False
        self._has_logprobs = False

    async def read(self, response: httpx.Response) -> Reply | Failure:
        """The reply, or what is wrong with the stream."""
        async for at, event in self._events(response):
            if isinstance(event, Failure):
                return event
            if event == "[DONE]":
                return self._reply()
            failure = self._take(at, event)
            if failure is not None:
                return failure
            if counting.overruns(self._asked, self._bytes, len(self._times)):
                return self._reply(overran=True)
        if self._finish:
            return self._reply()
        message = f"{self._target.url} ended a stream in the middle of an answer."
        return Failure("StreamBroken", message, Severity.TRANSIENT)

    def _take(self, at: float, event: str) -> Failure | None:
        try:
            value = json.loads(event)
        except (ValueError, RecursionError):
            return Failure("BadStream", f"{self._target.url} sent a stream event that is not JSON.")
        if not isinstance(value, dict) or value.get("error"):
            message = f"{self._target.url} reported an error within a stream."
            return Failure("EngineError", message, Severity.TRANSIENT)
        self._usage = value["usage"] if isinstance(value.get("usage"), dict) else self._usage
        choices = value.get("choices")
        for choice in choices if isinstance(choices, list) else []:
            if isinstance(choice, dict):
                self._finish = str(choice.get("finish_reason") or self._finish)
                self._has_logprobs |= _holds_logprobs(choice.get("logprobs"))
                self._take_delta(at, choice.get("delta"))
        return None

    def _take_delta(self, at: float, delta: object) -> None:
        if not isinstance(delta, dict):
            return
        text = delta.get("content")
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(text, str) and text:
            self._pieces.append(text)
        self._is_thinking |= isinstance(thought, str) and bool(thought)
        for said in (text, thought, self._calls.take(delta.get("tool_calls"))):
            if isinstance(said, str) and said:
                self._sizes.append(len(said.encode("utf-8", "surrogatepass")))
                self._bytes += self._sizes[-1]
                self._times.append(at)

    def _reply(self, *, overran: bool = False) -> Reply:
        counted = counting.tokens(self._asked, self._bytes, len(self._times), self._usage)
        first, last = (self._times[0], self._times[-1]) if self._times else (self._started, self._started)
        return Reply(
            text="".join(self._pieces),
            first_seconds=first - self._started,
            rest_seconds=last - first,
            prompt_tokens=counted.prompt_tokens,
            output_tokens=counted.output_tokens,
            usage_reported=counted.is_plausible,
            calls=self._calls.whole(),
            usage_is_false=counted.is_false,
            estimated_prompt_tokens=counted.estimated_prompt_tokens,
            estimated_output_tokens=counted.estimated_output_tokens,
            pieces=len(self._times),
            sizes_bytes=tuple(self._sizes),
            gaps_seconds=tuple(after - before for before, after in pairwise(self._times)),
            overran=overran,
            is_cut=self._finish == "length",
            is_thinking=self._is_thinking,
            has_logprobs=self._has_logprobs,
        )

    async def _events(self, response: httpx.Response) -> AsyncIterator[tuple[float, str | Failure]]:
        """The data of each event of the stream with the time its last byte came."""
        chunks = aiter(response.aiter_bytes())
        buffer, silent_bytes, at = b"", 0, None
        while True:
            try:
                async with asyncio.timeout(self._seconds_left()):
                    chunk = await anext(chunks, b"")
            except TimeoutError:
                yield time.perf_counter(), self._silence(at)
                return
            if not chunk:
                return
            at = time.perf_counter()
            *lines, buffer = _LINE_END.split(buffer + chunk)
            silent_bytes += len(chunk)
            if len(buffer) > MOST_EVENT_BYTES or silent_bytes > 64 * MOST_EVENT_BYTES:
                message = f"{self._target.url} sent a stream without end and without events."
                yield at, Failure("BadStream", message)
                return
            for line in lines:
                if line.startswith(b"data:") and (data := line[5:].strip()):
                    yield at, data.decode("utf-8", "replace")

    def _seconds_left(self) -> float:
        """How long the next piece of text may take: whatever else the engine sends is no answer."""
        target, since, allowed = self._target, self._started, self._target.first_byte_seconds
        if self._times:
            since, allowed = self._times[-1], target.idle_seconds
        return max(since + allowed - time.perf_counter(), 0.0)

    def _silence(self, heard_at: float | None) -> Failure:
        """No text came in time; `heard_at`: when anything came last, if anything did."""
        said_at = self._times[-1] if self._times else None
        target, only = self._target, "" if heard_at == said_at else " of text, only empty events,"
        if self._times:
            return failures.hangs(f"next piece{only}", "timeouts.idleSeconds", target.idle_seconds)
        return failures.hangs(f"first piece{only}", "timeouts.firstByteSeconds", target.first_byte_seconds)


def _holds_logprobs(told: object) -> bool:
    return isinstance(told, dict) and isinstance(told.get("content"), list) and bool(told["content"])
