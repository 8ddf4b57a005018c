"""One streamed answer: its pieces, the time of each, and what the engine counts.

Rule 1. What is read is bounded by what was asked for; an engine that never stops is left.
Rule 2. The engine's own count of tokens is believed only where the text bears it out (`counting`).
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import httpx

from steelyard_profiler import counting, failures
from steelyard_profiler.call_pieces import CallPieces
from steelyard_profiler.counting import MOST_BYTES_PER_TOKEN
from steelyard_profiler.target import Asked, Failure, Reply, Severity, Target

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
        self._times: list[float] = []
        self._usage: dict[str, Any] = {}
        self._finish = ""
        self._is_thinking = False
        self._has_logprobs = False

    async def read(self, response: httpx.Response) -> Reply | Failure:
        """The reply, or what is wrong with the stream."""
        async for at, event in events(response, self._target):
            if isinstance(event, Failure):
                return event
            if event == "[DONE]":
                return self._reply()
            failure = self._take(at, event)
            if failure is not None:
                return failure
            if self._bytes > self._asked.max_tokens * MOST_BYTES_PER_TOKEN:
                return self._reply(overran=True)
        if self._finish:
            return self._reply()
        message = f"{self._target.url} ended a stream in the middle of an answer."
        return Failure("StreamBroken", message, Severity.TRANSIENT)

    def _take(self, at: float, event: str) -> Failure | None:
        try:
            value = json.loads(event)
        except ValueError:
            return Failure("BadStream", f"{self._target.url} sent a stream event that is not JSON.")
        if not isinstance(value, dict) or "error" in value:
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
                self._bytes += len(said.encode("utf-8", "surrogatepass"))
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
            gaps_seconds=tuple(after - before for before, after in pairwise(self._times)),
            overran=overran,
            is_cut=self._finish == "length",
            is_thinking=self._is_thinking,
            has_logprobs=self._has_logprobs,
        )


def _holds_logprobs(told: object) -> bool:
    return isinstance(told, dict) and isinstance(told.get("content"), list) and bool(told["content"])


async def events(response: httpx.Response, target: Target) -> AsyncIterator[tuple[float, str | Failure]]:
    """The data of each event of the stream with the time its last byte came."""
    chunks = aiter(response.aiter_bytes())
    buffer, silent_bytes, first = b"", 0, True
    while True:
        allowed = target.first_byte_seconds if first else target.idle_seconds
        try:
            async with asyncio.timeout(allowed):
                chunk = await anext(chunks, b"")
        except TimeoutError:
            phase = (
                ("first byte", "timeouts.firstByteSeconds")
                if first
                else ("next piece", "timeouts.idleSeconds")
            )
            yield time.perf_counter(), failures.hangs(*phase, allowed)
            return
        if not chunk:
            return
        at, first = time.perf_counter(), False
        *lines, buffer = (buffer + chunk).split(b"\n")
        silent_bytes += len(chunk)
        if len(buffer) > MOST_EVENT_BYTES or silent_bytes > 64 * MOST_EVENT_BYTES:
            yield at, Failure("BadStream", f"{target.url} sent a stream without end and without events.")
            return
        for line in lines:
            if line.startswith(b"data:"):
                yield at, line[5:].strip().decode("utf-8", "replace")
