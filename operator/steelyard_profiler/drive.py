"""Asking an OpenAI-compatible engine.

Invariant: each phase has its time: connect, first byte, between pieces. No redirect is followed.
"""

import asyncio
import ssl
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import httpx

from steelyard.api.backend import ObservedModel
from steelyard.egress import trust
from steelyard.egress.tunnels import Tunnels
from steelyard.telemetry import models
from steelyard_profiler import failures
from steelyard_profiler.reading import Reading
from steelyard_profiler.target import Asked, Failure, Reply, Severity, Target

CATALOGUE_SECONDS = 10
"""The longest that a list of models may take."""

_STREAM_OPTIONS = {"stream_options": {"include_usage": True}}


class Drive:
    """A connection to one target, to be used as `async with`."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._takes_usage: bool | None = None  # whether it answers who asks for usage; None: not known yet
        self.under_way = 0
        """Questions that are being asked."""
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

    async def ask(self, asked: Asked) -> Reply | Failure:
        """The answer to one request."""
        self.under_way += 1
        try:
            asks_for_usage = self._takes_usage is not False
            reply = await self._ask(asked, asks_for_usage=asks_for_usage)
            if isinstance(reply, Reply) and asks_for_usage:
                self._takes_usage = True
            elif isinstance(reply, Failure) and reply.reason == "BadRequest" and self._takes_usage is None:
                reply = await self._ask(asked, asks_for_usage=False)
                if isinstance(reply, Reply):
                    self._takes_usage = False
            return reply
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return self._failure_of(error)
        finally:
            self.under_way -= 1

    async def models(self) -> tuple[ObservedModel, ...] | Failure:
        """The models that the engine says it serves."""
        target = self._target
        address = f"{target.url}/models"
        try:
            async with asyncio.timeout(target.connect_seconds + CATALOGUE_SECONDS):
                response, body = await self._fetched(address)
        except TimeoutError:
            return failures.hangs("list of models", "GET /models", CATALOGUE_SECONDS)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return self._failure_of(error)
        if response.status_code != 200:
            return failures.unexpected(response, address, target, "a list of models")
        try:
            found = models.observed(body)
        except models.NotAModelList:
            return failures.unexpected(response, address, target, "a list of models")
        return found or Failure(
            "NoModels", f"{address} lists no model: load one, or name models in the spec."
        )

    async def call(
        self, path: str, body: Mapping[str, object] | None = None, *, seconds: float
    ) -> bytes | None:
        """The answer of the engine's own API, beside /v1, to GET, or to POST of a body; None for any other
        answer than 200 in time."""
        told = await self.exchange(self._target.url.removesuffix("/v1") + path, body, seconds=seconds)
        return told[1] if told is not None and told[0] == 200 else None

    async def embed(self, text: str, *, seconds: float) -> tuple[int, bytes] | None:
        """Status and body of the answer to a request for an embedding; None where there is none in time."""
        body = {"model": self._target.model, "input": text}
        return await self.exchange(f"{self._target.url}/embeddings", body, seconds=seconds)

    async def exchange(
        self, address: str, body: Mapping[str, object] | None, *, seconds: float
    ) -> tuple[int, bytes] | None:
        """Status and body of the answer to GET, or to POST of a body; None where there is none in time."""
        try:
            async with asyncio.timeout(seconds):
                response, answer = await self._fetched(address, body)
        except (httpx.HTTPError, httpx.InvalidURL, OSError):
            return None
        return response.status_code, answer

    async def _fetched(
        self, address: str, body: Mapping[str, object] | None = None
    ) -> tuple[httpx.Response, bytes]:
        """The answer to GET, or to POST of a body, and its body as far as it may be long."""
        method = "GET" if body is None else "POST"
        request = self._client.build_request(
            method, address, json=body, headers=self._headers(), extensions=self._extensions()
        )
        response = await self._client.send(request, stream=True)
        try:
            return response, await _bounded(response)
        finally:
            await response.aclose()

    def _headers(self) -> dict[str, str]:
        return {"Authorization": self._target.authorization} if self._target.authorization else {}

    def _extensions(self) -> dict[str, str]:
        return {"sni_hostname": self._target.server_name} if self._target.server_name else {}

    async def _ask(self, asked: Asked, *, asks_for_usage: bool) -> Reply | Failure:
        target = self._target
        body = {
            "model": target.model,
            "messages": asked.messages(),
            "max_tokens": asked.max_tokens,
            "temperature": 0,
            "stream": True,
            **(_STREAM_OPTIONS if asks_for_usage else {}),
            **asked.extra,
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
            return failures.hangs("first byte", "timeouts.firstByteSeconds", target.first_byte_seconds)
        try:
            if response.status_code != 200 or failures.kind(response) != "text/event-stream":
                return failures.unexpected(response, f"{target.url}/chat/completions", target, "a stream")
            return await Reading(target, started, asked).read(response)
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
        message = f"{address} broke the connection before its answer was whole: see the engine's log."
        return Failure("StreamBroken", message, Severity.TRANSIENT)


async def _bounded(response: httpx.Response) -> bytes:
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > models.MOST_ANSWER_BYTES:
            break
    return body


def _tls_context(target: Target) -> ssl.SSLContext | bool:
    if not target.url.startswith("https:"):
        return False
    return trust.context(target.ca_pem, target.extra_pem)


def _first_words(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:120] or type(error).__name__
