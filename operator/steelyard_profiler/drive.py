"""Asking an OpenAI-compatible engine, one request at a time, with a clock on every piece of the answer.

Rule 1. Each phase has its time: connect, first byte, between pieces. No redirect is followed.
Rule 2. What is read is bounded by what was asked for; an engine that never stops is left.
Rule 3. The engine's own count of tokens is believed only where the text bears it out.
"""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from steelyard.api.backend import ObservedModel
from steelyard.egress import trust
from steelyard.egress.tunnels import Tunnels
from steelyard.telemetry import models
from steelyard_profiler.target import Failure, Reply, Severity, Target

BYTES_PER_TOKEN = 4
"""The estimate where an engine does not count: English text has 3.5 to 4.5 in common vocabularies."""

MOST_BYTES_PER_TOKEN = 16
"""No vocabulary packs more than this into a token on average; a lower count of tokens is not believed."""

MOST_EVENT_BYTES = 1 << 20
"""The longest line of a stream, and the most of a stream without any text."""

CATALOGUE_SECONDS = 10
"""The longest that a list of models may take."""

_STREAM_OPTIONS = {"stream_options": {"include_usage": True}}


class Drive:
    """A connection to one target, to be used as `async with`."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._asks_for_usage = True
        trusts = _tls_context(target)
        through = None
        if target.proxy is not None and isinstance(trusts, ssl.SSLContext):
            through = Tunnels(target.proxy, trusts)
        self._client = httpx.AsyncClient(
            transport=through,
            verify=trusts,
            timeout=httpx.Timeout(None, connect=target.connect_seconds),
            follow_redirects=False,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def ask(self, question: str, max_tokens: int) -> Reply | Failure:
        """The answer to one question."""
        try:
            reply = await self._ask(question, max_tokens)
            if isinstance(reply, Failure) and reply.reason == "BadRequest" and self._asks_for_usage:
                self._asks_for_usage = False
                retried = await self._ask(question, max_tokens)
                self._asks_for_usage = isinstance(retried, Failure)
                return retried
            return reply
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
            return self._failure_of(error)

    async def models(self) -> tuple[ObservedModel, ...] | Failure:
        """The models that the engine says it serves."""
        target = self._target
        address = f"{target.url}/models"
        try:
            async with asyncio.timeout(target.connect_seconds + CATALOGUE_SECONDS):
                request = self._client.build_request(
                    "GET", address, headers=self._headers(), extensions=self._extensions()
                )
                response = await self._client.send(request, stream=True)
                try:
                    body = await _bounded(response)
                finally:
                    await response.aclose()
        except TimeoutError:
            return _hangs("list of models", "GET /models", CATALOGUE_SECONDS)
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
            return self._failure_of(error)
        if response.status_code != 200:
            return _unexpected(response, address, target, "a list of models")
        try:
            found = models.observed(body)
        except models.NotAModelList:
            return _unexpected(response, address, target, "a list of models")
        return found or Failure(
            "NoModels", f"{address} lists no model: load one, or name models in the spec."
        )

    async def call(
        self, path: str, body: Mapping[str, object] | None = None, *, seconds: float
    ) -> bytes | None:
        """The answer of the engine's own API, beside /v1, to GET, or to POST of a body; None for any other
        answer than 200 in time."""
        address = self._target.url.removesuffix("/v1") + path
        method = "GET" if body is None else "POST"
        try:
            async with asyncio.timeout(seconds):
                request = self._client.build_request(
                    method, address, json=body, headers=self._headers(), extensions=self._extensions()
                )
                response = await self._client.send(request, stream=True)
                try:
                    answer = await _bounded(response)
                finally:
                    await response.aclose()
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, ssl.SSLError):
            return None
        return answer if response.status_code == 200 else None

    def _headers(self) -> dict[str, str]:
        return {"Authorization": self._target.authorization} if self._target.authorization else {}

    def _extensions(self) -> dict[str, str]:
        return {"sni_hostname": self._target.server_name} if self._target.server_name else {}

    async def _ask(self, question: str, max_tokens: int) -> Reply | Failure:
        target = self._target
        body = {
            "model": target.model,
            "messages": [{"role": "user", "content": question}],
            "max_tokens": max_tokens,
            "temperature": 0,
            "stream": True,
            **(_STREAM_OPTIONS if self._asks_for_usage else {}),
        }
        request = self._client.build_request(
            "POST",
            f"{target.url}/chat/completions",
            json=body,
            headers=self._headers(),
            extensions=self._extensions(),
        )
        started = time.perf_counter()
        try:
            async with asyncio.timeout(target.first_byte_seconds):
                response = await self._client.send(request, stream=True)
        except TimeoutError:
            return _hangs("first byte", "timeouts.firstByteSeconds", target.first_byte_seconds)
        try:
            if response.status_code != 200 or _kind(response) != "text/event-stream":
                return _unexpected(response, f"{target.url}/chat/completions", target, "a stream")
            return await _Reading(target, started, question, max_tokens).read(response)
        finally:
            await response.aclose()

    def _failure_of(self, error: Exception) -> Failure:
        address = self._target.url
        if isinstance(error, httpx.ProxyError):
            message = f"{address} cannot be connected to: {error}. Correct HTTPS_PROXY or NO_PROXY."
            return Failure("ConnectFailed", message, Severity.TRANSIENT)
        if isinstance(error, httpx.ConnectTimeout):
            message = f"{address} did not accept a connection in {self._target.connect_seconds:g} s."
            return Failure("ConnectTimeout", f"{message} Is the engine running?", Severity.TRANSIENT)
        if isinstance(error, httpx.ConnectError | httpx.InvalidURL | ssl.SSLError):
            why = "its certificate is not trusted" if "CERTIFICATE" in str(error) else _first_words(error)
            message = f"{address} cannot be connected to ({why}). Is the engine running there?"
            return Failure("ConnectFailed", message, Severity.TRANSIENT)
        message = f"{address} broke the connection in the middle of an answer."
        return Failure("StreamBroken", message, Severity.TRANSIENT)


class _Reading:
    """One answer being read."""

    def __init__(self, target: Target, started: float, question: str, max_tokens: int) -> None:
        self._target = target
        self._started = started
        self._question = question
        self._max_tokens = max_tokens
        self._pieces: list[str] = []
        self._bytes = 0
        self._first: float | None = None
        self._last = started
        self._usage: dict[str, Any] = {}
        self._finished = False

    async def read(self, response: httpx.Response) -> Reply | Failure:
        """The reply, or what is wrong with the stream."""
        async for at, event in _events(response, self._target):
            if isinstance(event, Failure):
                return event
            if event == "[DONE]":
                return self._reply()
            failure = self._take(at, event)
            if failure or self._bytes > self._max_tokens * MOST_BYTES_PER_TOKEN:
                return failure or self._reply()
        if self._finished:
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
                self._finished |= bool(choice.get("finish_reason"))
                self._take_delta(at, choice.get("delta"))
        return None

    def _take_delta(self, at: float, delta: object) -> None:
        if not isinstance(delta, dict):
            return
        text = delta.get("content")
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(text, str) and text:
            self._pieces.append(text)
        for said in (text, thought):
            if isinstance(said, str) and said:
                self._bytes += len(said.encode("utf-8", "surrogatepass"))
                self._first = self._first or at
                self._last = at

    def _reply(self) -> Reply:
        prompt, output = self._usage.get("prompt_tokens"), self._usage.get("completion_tokens")
        asked_bytes = len(self._question.encode())
        believed = (
            isinstance(prompt, int)
            and isinstance(output, int)
            and asked_bytes / MOST_BYTES_PER_TOKEN <= prompt <= 4 * asked_bytes + 1024
            and self._bytes / MOST_BYTES_PER_TOKEN <= output <= self._max_tokens + 8
        )
        first = self._first or self._last
        return Reply(
            text="".join(self._pieces),
            first_seconds=first - self._started,
            rest_seconds=self._last - first,
            prompt_tokens=int(prompt) if believed and prompt else -(-asked_bytes // BYTES_PER_TOKEN),
            output_tokens=int(output) if believed and output else -(-self._bytes // BYTES_PER_TOKEN),
            usage_reported=believed,
        )


async def _events(response: httpx.Response, target: Target) -> AsyncIterator[tuple[float, str | Failure]]:
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
            yield time.perf_counter(), _hangs(*phase, allowed)
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


async def _bounded(response: httpx.Response) -> bytes:
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > models.MOST_ANSWER_BYTES:
            break
    return body


def _kind(response: httpx.Response) -> str:
    return str(response.headers.get("content-type", "no content type")).split(";")[0].strip()[:60]


def _unexpected(response: httpx.Response, address: str, target: Target, wanted: str) -> Failure:
    """What an answer's status and content type say; its body is for nobody."""
    status = response.status_code
    said = f"{address} answered {status} ({_kind(response)})"
    if status == 200:
        return Failure("NotAnEngine", f"{said} instead of {wanted}. Does url name an OpenAI-compatible API?")
    if status in (401, 403):
        return Failure("Unauthorized", f"{said}: check the key that credentialsRef names.")
    if status == 404:
        return Failure(
            "NotFound", f"{said}: it does not serve model {target.model!r}, or url's path is wrong."
        )
    if status in (408, 425, 429) or status >= 500:
        return Failure("EngineError", f"{said}: see the engine's log.", Severity.TRANSIENT)
    if 300 <= status < 400:
        return Failure("Redirected", f"{said}: redirects are not followed; put the final address into url.")
    return Failure("BadRequest", f"{said}: it refuses plain requests for {target.model!r}.", Severity.REFUSED)


def _hangs(phase: str, field: str, seconds: float) -> Failure:
    return Failure(
        "Timeout", f"The engine sent no {phase} in {seconds:g} s ({field}): is it stuck or overloaded?"
    )


def _tls_context(target: Target) -> ssl.SSLContext | bool:
    if not target.url.startswith("https:"):
        return False
    return trust.context(target.ca_pem, target.extra_pem)


def _first_words(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:120] or type(error).__name__
