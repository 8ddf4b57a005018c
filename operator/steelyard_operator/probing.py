"""Asking engines how they are, what they serve and how busy they are.

Rule 1. A probe never raises for what an engine or its owner does: a Failure says it, with the status code and
        content type of an answer, never its body, and never the key.
Rule 2. Each request has a connection of its own. Most engines close idle ones within five seconds, before the
        next probe comes, and httpx looks at every idle one with each request.
Rule 3. An answer is read up to a bound, as it came; no redirect is followed and no cookie kept.
"""

import asyncio
import json
import os
import socket
import ssl
from collections import OrderedDict
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Self

import httpx

from steelyard.api.backend import Engine, ObservedModel
from steelyard.egress import trust
from steelyard.egress.proxies import DIRECT, Egress
from steelyard.egress.tunnels import Tunnels
from steelyard.routing.table import Endpoint
from steelyard.telemetry import engines, models, samples

MOST_CLIENTS = 256
"""As many certificate authorities are kept at hand; the one unused for longest goes first."""

MOST_SHOWN = 4096
"""Models whose Modelfile is remembered, by digest."""

_LIMITS = httpx.Limits(max_connections=1024, max_keepalive_connections=0)
_NO_VERSION = frozenset({400, 401, 403, 404, 405, 501})
_CHECK_ENGINE = "check spec.engine, and the port and path of spec.url or spec.serviceRef."


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an engine cannot be used, as a condition says it."""

    reason: str
    """One CamelCase word."""
    message: str
    """A sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Description:
    """What an engine says of itself."""

    models: tuple[ObservedModel, ...]
    """What it serves, by name."""
    engine_version: str | None
    """Its version; None where it tells none."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    kind: str
    body: bytes


class Prober:
    """Asks engines; use as `async with`. `timeout_seconds` is for each request, connection included."""

    def __init__(self, egress: Egress = DIRECT, *, most_clients: int = MOST_CLIENTS) -> None:
        self._egress = egress
        self._most_clients = most_clients
        self._clients: OrderedDict[tuple[str, str | None, bool], httpx.AsyncClient] = OrderedDict()
        self._shown: OrderedDict[str, int | None] = OrderedDict()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients.values():
            await client.aclose()

    async def health(self, engine: Engine, endpoint: Endpoint, timeout_seconds: float) -> Failure | None:
        """None where the engine is well."""
        path = engines.paths(engine, endpoint.base_path).health
        answer = await self._ask(endpoint, path, timeout_seconds, most_bytes=0)
        if isinstance(answer, Failure):
            return answer
        return None if answer.status == 200 else _unexpected(answer, engine, endpoint, path)

    async def describe(
        self, engine: Engine, endpoint: Endpoint, timeout_seconds: float
    ) -> Description | Failure:
        """What the engine serves and its version, whole: what it could not tell this time is a Failure."""
        path = engines.paths(engine, endpoint.base_path).models
        answer = await self._ask(endpoint, path, timeout_seconds)
        if isinstance(answer, Failure):
            return answer
        if answer.status != 200:
            return _unexpected(answer, engine, endpoint, path)
        try:
            read = models.tagged if engine is Engine.OLLAMA else models.observed
            found = read(answer.body)
        except models.NotAModelList as error:
            message = f"{_said(answer, endpoint, path)}, but its answer {error}: {_CHECK_ENGINE}"
            return Failure("NotAnEngine", message)
        version = await self._version(engine, endpoint, timeout_seconds)
        if isinstance(version, Failure):
            return version
        return await self._with_context(Description(found, version), engine, endpoint, timeout_seconds)

    async def activity(
        self, engine: Engine, endpoint: Endpoint, timeout_seconds: float, metrics_path: str | None = None
    ) -> int | None:
        """Requests that run or wait in the engine; None where it does not tell.

        `metrics_path`: spec.metrics.engine.path.
        """
        for path in engines.paths(engine, endpoint.base_path, metrics_path).load:
            answer = await self._ask(endpoint, path, timeout_seconds)
            if isinstance(answer, Failure):
                return None
            if answer.status == 200:
                return samples.activity(samples.read(engine, samples.Topic.LOAD, answer.body))
        return None

    async def exchange(
        self, endpoint: Endpoint, path: str, post: bytes | None, timeout_seconds: float
    ) -> tuple[int, bytes] | Failure:
        """Status and body of the answer to GET, or to POST of this JSON."""
        answer = await self._ask(endpoint, path, timeout_seconds, post=post)
        return answer if isinstance(answer, Failure) else (answer.status, answer.body)

    async def exposition(self, exporter: Endpoint, timeout_seconds: float) -> bytes | str:
        """What a GPU exporter tells, or in words why it does not. Its base path is the whole path."""
        answer = await self._ask(exporter, exporter.base_path, timeout_seconds)
        if isinstance(answer, Failure):
            return answer.reason
        return answer.body if answer.status == 200 else f"answered {answer.status} ({answer.kind})"

    async def _version(
        self, engine: Engine, endpoint: Endpoint, timeout_seconds: float
    ) -> str | Failure | None:
        for path in engines.paths(engine, endpoint.base_path).settings:
            answer = await self._ask(endpoint, path, timeout_seconds)
            if isinstance(answer, Failure):
                return answer
            if answer.status == 200:
                return samples.read(engine, samples.Topic.SETTINGS, answer.body).version
            # llama.cpp lists its models to everybody: this is where a wrong key shows.
            keyless = engine is Engine.LLAMA_CPP and answer.status == 401
            if keyless or answer.status not in _NO_VERSION:
                return _unexpected(answer, engine, endpoint, path)
        return None

    async def _with_context(
        self, told: Description, engine: Engine, endpoint: Endpoint, timeout_seconds: float
    ) -> Description | Failure:
        """With the context that Ollama's Modelfiles set, each of which is asked for once by digest."""
        path = engines.paths(engine, endpoint.base_path).show
        if path is None:
            return told
        for model in told.models:
            if model.digest is None or model.digest in self._shown:
                continue
            asked = json.dumps({"model": model.name}).encode()
            answer = await self._ask(endpoint, path, timeout_seconds, post=asked)
            if isinstance(answer, Failure):
                return answer
            if answer.status == 200:
                self._shown[model.digest] = models.set_context_tokens(answer.body)
        found = tuple(
            model.model_copy(update={"context_tokens": self._shown.get(model.digest or "")})
            for model in told.models
        )
        while len(self._shown) > MOST_SHOWN:
            self._shown.popitem(last=False)
        return Description(found, told.engine_version)

    async def _ask(
        self,
        endpoint: Endpoint,
        path: str,
        timeout_seconds: float,
        *,
        most_bytes: int = models.MOST_ANSWER_BYTES,
        post: bytes | None = None,
    ) -> _Answer | Failure:
        """The answer to GET, or to POST of this JSON."""
        url = f"{endpoint.scheme}://{_address(endpoint)}{path}"
        try:
            client = await self._client(endpoint)
            headers = {"authorization": endpoint.authorization} if endpoint.authorization else {}
            request = client.build_request(
                "GET" if post is None else "POST",
                url,
                content=post,
                headers=headers if post is None else headers | {"content-type": "application/json"},
                timeout=httpx.Timeout(None, connect=endpoint.timeouts.connect_seconds),
                extensions={"sni_hostname": endpoint.server_name} if endpoint.server_name else None,
            )
            async with asyncio.timeout(timeout_seconds):
                answer = await _send(client, request, most_bytes)
        except TimeoutError:
            message = f"{url} did not answer in {timeout_seconds:g} s: is the engine stuck or overloaded?"
            return Failure("TimedOut", message)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return _broken(error, endpoint)
        if 0 < most_bytes < len(answer.body):
            message = f"{_said(answer, endpoint, path)} and more than {most_bytes} bytes: {_CHECK_ENGINE}"
            return Failure("NotAnEngine", message)
        return answer

    async def _client(self, endpoint: Endpoint) -> httpx.AsyncClient:
        proxy = self._egress.proxy_for(endpoint.scheme, endpoint.host, endpoint.port, endpoint.location)
        key = (endpoint.scheme, endpoint.ca_pem, proxy is not None)
        client = self._clients.get(key)
        if client is None:
            trusts: ssl.SSLContext | bool = False
            if endpoint.scheme == "https":
                # Reads the system's authorities from files.
                trusts = await asyncio.to_thread(trust.context, endpoint.ca_pem, self._egress.ca_pem)
            through = None
            if proxy is not None and isinstance(trusts, ssl.SSLContext):
                through = Tunnels(proxy, trusts, keeps_connections=False)
            client = self._clients[key] = httpx.AsyncClient(
                transport=through,
                verify=trusts,
                limits=_LIMITS,
                trust_env=False,
                headers={"accept-encoding": "identity"},
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            )
        self._clients.move_to_end(key)
        if len(self._clients) > self._most_clients:
            self._clients.popitem(last=False)  # may be in use; keeps no connection that were to be closed
        return client


async def _send(client: httpx.AsyncClient, request: httpx.Request, most_bytes: int) -> _Answer:
    """The answer, its body cut somewhere after `most_bytes`."""
    response = await client.send(request, stream=True)
    body = bytearray()
    try:
        if most_bytes:
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > most_bytes:
                    break
    finally:
        await response.aclose()
    kind = response.headers.get("content-type", "").split(";")[0].strip()[:60]
    return _Answer(response.status_code, kind or "no content type", bytes(body))


def _address(endpoint: Endpoint) -> str:
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    return f"{host}:{endpoint.port}"


def _said(answer: _Answer, endpoint: Endpoint, path: str) -> str:
    return f"{endpoint.scheme}://{_address(endpoint)}{path} answered {answer.status} ({answer.kind})"


def _unexpected(answer: _Answer, engine: Engine, endpoint: Endpoint, path: str) -> Failure:
    status, said = answer.status, _said(answer, endpoint, path)
    if status in (401, 403):
        advice = "check the key that spec.credentialsRef names."
        if endpoint.authorization is None:
            advice = "it wants a key; name the Secret that holds it in spec.credentialsRef."
        return Failure("Unauthorized", f"{said}: {advice}")
    if status == 503:
        return Failure("NotReady", f"{said}: it is loading or overloaded; see its log if that lasts.")
    if status in (408, 425, 429) or status >= 500:
        return Failure("EngineError", f"{said}: see the engine's log.")
    if 300 <= status < 400:
        return Failure("Redirected", f"{said}: redirects are not followed; give the final address.")
    return Failure("NotAnEngine", f"{said}, which {engine} would not: {_CHECK_ENGINE}")


def _broken(error: Exception, endpoint: Endpoint) -> Failure:
    """What went wrong below HTTP."""
    address, cause = f"{endpoint.scheme}://{_address(endpoint)}", _root(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        message = f"{address} has a certificate that is not accepted ({cause.verify_message}): "
        return Failure("TlsFailed", f"{message}check spec.tls.caRef and spec.tls.serverName.")
    if isinstance(cause, ssl.SSLError):
        message = f"{address} could not be spoken to in TLS ({cause.reason or 'broken off'}): "
        return Failure(
            "TlsFailed", f"{message}does it serve http only, or does spec.tls.caRef hold no certificate?"
        )
    if isinstance(error, httpx.ProxyError):
        return Failure(
            "Unreachable", f"{address} cannot be reached: {error}. Correct HTTPS_PROXY or NO_PROXY."
        )
    if isinstance(error, httpx.ConnectTimeout):
        message = f"{address} did not accept a connection in {endpoint.timeouts.connect_seconds} s: "
        return Failure(
            "Unreachable", f"{message}is the engine running, and do network policies let it be reached?"
        )
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError):
        message = (
            f"{address} broke the connection off or does not speak HTTP: is the engine crashing? If not, "
        )
        return Failure("NoAnswer", message + _CHECK_ENGINE)
    why = "the name is not known" if isinstance(cause, socket.gaierror) else _first_words(cause)
    return Failure("Unreachable", f"{address} cannot be reached ({why}): is the engine running there?")


def _root(error: BaseException) -> BaseException:
    while isinstance(error, ExceptionGroup) or error.__cause__ or error.__context__:
        inner = (
            error.exceptions[0] if isinstance(error, ExceptionGroup) else error.__cause__ or error.__context__
        )
        assert inner is not None
        error = inner
    return error


def _first_words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return str(error).split("\n", 1)[0][:120] or type(error).__name__
