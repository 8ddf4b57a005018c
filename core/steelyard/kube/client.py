"""One asynchronous client of the Kubernetes API: requests in, JSON objects out, nothing kept but connections.

Rule 1. Every failure is a KubeError. Nothing is retried here, except once with new credentials after a 401.
Rule 2. Each phase has its own timeout, and all but a watch has one over all.
Rule 3. The guard is called without a pause between it and the first byte of a writing request.
"""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self

import httpx

from steelyard.kube import errors
from steelyard.kube.configuration import Configuration
from steelyard.kube.kinds import Kind, Object

CONNECT_SECONDS = 5.0
"""To a connection, TLS included."""

WRITE_SECONDS = 10.0
"""Each piece of a request handed to the network."""

READ_SECONDS = 30.0
"""To an answer's first byte, and between two pieces of it. Webhooks may hold a write for as long."""

TOTAL_SECONDS = 60.0
"""One request in all; the API server itself gives up after this long."""

PAGE_OBJECTS = 500
"""Objects in one page of a list, as kubectl has it."""

MOST_LINE_BYTES = 32 * 1024 * 1024
"""One event of a watch; etcd takes objects of 1.5 MB."""

_KEEP_ALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)
"""A peer that vanished is noticed within a minute, also on a silent watch."""

_TIMEOUT = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS, write=WRITE_SECONDS)

_FAILURES = (httpx.HTTPError, OSError)


@dataclass(frozen=True, slots=True)
class Listing:
    """All objects that a list found."""

    items: tuple[Object, ...]
    """The objects."""
    resource_version: str
    """The moment at which they were so: a watch goes on from there."""


@dataclass(frozen=True, slots=True)
class Server:
    """What an API server tells of itself."""

    version: str
    """Its version, as v1.36.0."""
    clock: datetime | None
    """Its time as it answered, to the second; None where it did not say."""


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str = "application/json"
    read_seconds: float = READ_SECONDS
    total_seconds: float | None = TOTAL_SECONDS


class Client:
    """A client of one API server; use it with `async with`."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        guard: Callable[[], None] | None = None,
        user_agent: str = "steelyard",
    ) -> None:
        """`guard` is called just before each writing request is sent; what it raises stops the request."""
        self.configuration = configuration
        self._guard = guard
        self._http = httpx.AsyncClient(
            base_url=configuration.server,
            headers={"User-Agent": user_agent, "Accept": "application/json"},
            trust_env=False,
            transport=httpx.AsyncHTTPTransport(
                verify=configuration.tls,
                proxy=configuration.proxy,
                trust_env=False,
                limits=httpx.Limits(max_keepalive_connections=8, keepalive_expiry=30),
                socket_options=_KEEP_ALIVE,
            ),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def server(self) -> Server:
        """The API server's version and clock."""
        async with self._open(_Request("GET", "/version")) as response:
            told = _decoded(await response.aread())
            return Server(str(told.get("gitVersion", "")), _moment(response.headers.get("date")))

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Object:
        """The object; raises NotFound."""
        return await self._answer(_Request("GET", kind.path(namespace, name)))

    async def list(
        self, kind: Kind, namespace: str | None, label_selector: str = "", field_selector: str = ""
    ) -> Listing:
        """All objects in a namespace, or in all of them (None), fetched in pages."""
        query = {"limit": str(PAGE_OBJECTS)} | _selecting(label_selector, field_selector)
        items: tuple[Object, ...] = ()
        while True:
            page = await self._answer(_Request("GET", kind.path(namespace), query))
            items += tuple(_typed(kind, item) for item in page.get("items") or ())
            about = page.get("metadata") or {}
            if not about.get("continue"):
                return Listing(items, about.get("resourceVersion", ""))
            query["continue"] = about["continue"]

    async def create(self, kind: Kind, manifest: Object) -> Object:
        """The new object; raises AlreadyExists."""
        path = kind.path(manifest["metadata"].get("namespace"))
        return await self._answer(_Request("POST", path, body=_typed(kind, manifest)))

    async def apply(self, kind: Kind, manifest: Object, field_manager: str) -> Object:
        """The object with the manifest's fields ours, whoever had them; made where it is not there."""
        query = {"fieldManager": field_manager, "force": "true"}
        content_type = "application/apply-patch+yaml"
        return await self._answer(
            _Request("PATCH", _path(kind, manifest), query, _typed(kind, manifest), content_type)
        )

    async def replace(self, kind: Kind, manifest: Object) -> Object:
        """The object as the manifest has it; raises Conflict where its resourceVersion is not the last."""
        return await self._answer(_Request("PUT", _path(kind, manifest), body=_typed(kind, manifest)))

    async def patch(self, kind: Kind, namespace: str | None, name: str, body: Object) -> Object:
        """The object with these fields merged in; None removes a field."""
        path, content_type = kind.path(namespace, name), "application/merge-patch+json"
        return await self._answer(_Request("PATCH", path, body=body, content_type=content_type))

    async def patch_status(
        self, kind: Kind, namespace: str | None, name: str, status: Object, resource_version: str
    ) -> Object:
        """The object with exactly this status; raises Conflict where it is not at this version any more."""
        steps = [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": resource_version},
            {"op": "add", "path": "/status", "value": status},
        ]
        path, content_type = kind.path(namespace, name, "status"), "application/json-patch+json"
        return await self._answer(_Request("PATCH", path, body=steps, content_type=content_type))

    async def delete(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        uid: str | None = None,
    ) -> bool:
        """Whether there was something to delete; with a uid, only that very object. What it owns follows."""
        options: Object = {"propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        try:
            await self._answer(_Request("DELETE", kind.path(namespace, name), body=options))
        except errors.NotFound:
            return False
        except errors.Conflict:
            if uid:
                return False
            raise
        return True

    @asynccontextmanager
    async def watch(
        self,
        kind: Kind,
        namespace: str | None,
        *,
        resource_version: str,
        timeout_seconds: float,
        margin_seconds: float,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[AsyncIterator[Object]]:
        """What happens after that version, one event after another, until the API server ends it.

        It is asked to end it after `timeout_seconds`; silence for `margin_seconds` longer is a cut.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(max(1, round(timeout_seconds))),
        }
        request = _Request(
            "GET",
            kind.path(namespace),
            query | _selecting(label_selector, field_selector),
            read_seconds=timeout_seconds + margin_seconds,
            total_seconds=None,
        )
        async with self._open(request) as response, aclosing(_events(response)) as events:
            yield events

    async def _answer(self, request: _Request) -> Object:
        async with self._open(request) as response:
            return _decoded(await response.aread())

    @asynccontextmanager
    async def _open(self, request: _Request) -> AsyncIterator[httpx.Response]:
        """A success whose body is still to come; everything else is raised."""
        try:
            async with asyncio.timeout(request.total_seconds):
                async with asyncio.timeout(CONNECT_SECONDS + READ_SECONDS):
                    response = await self._signed_in(request)
                try:
                    if not response.is_success:
                        raise errors.refused(response.status_code, await response.aread())
                    yield response
                finally:
                    await response.aclose()
        except _FAILURES as error:
            raise errors.unreachable(error) from error

    async def _signed_in(self, request: _Request) -> httpx.Response:
        """The answer to credentials that are as new as can be."""
        credentials = self.configuration.credentials
        sent = await credentials.current()
        response = await self._send(request, sent)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            renewed = await credentials.renewed(sent)
            if renewed != sent:
                await response.aclose()
                response = await self._send(request, renewed)
        return response

    async def _send(self, request: _Request, authorization: str) -> httpx.Response:
        headers = {"Authorization": authorization} if authorization else {}
        content = None
        if request.body is not None:
            headers["Content-Type"] = request.content_type
            content = json.dumps(request.body).encode()
        extensions: dict[str, Any] = {
            "timeout": {**_TIMEOUT.as_dict(), "read": request.read_seconds, "pool": None}
        }
        if self.configuration.server_name:
            extensions["sni_hostname"] = self.configuration.server_name
        if self._guard is not None and request.method != "GET":
            # Asked twice: before a connection is looked for, and after that took its time.
            self._guard()
            extensions["trace"] = self._trace
        asked = self._http.build_request(
            request.method,
            request.path,
            params=request.query,
            headers=headers,
            content=content,
            extensions=extensions,
        )
        return await self._http.send(asked, stream=True)

    async def _trace(self, event: str, _: Mapping[str, Any]) -> None:
        if self._guard is not None and event == "http11.send_request_headers.started":
            self._guard()


async def _events(response: httpx.Response) -> AsyncGenerator[Object, None]:
    """The JSON of each line. A last line that does not end was cut and is left out."""
    pieces: list[bytes] = []
    size = 0
    async for chunk in response.aiter_bytes():
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            whole = b"".join((*pieces, line))
            pieces, size = [], 0
            if whole.strip():
                yield _decoded(whole)
        pieces.append(rest)
        size += len(rest)
        if size > MOST_LINE_BYTES:
            raise errors.Unreachable(f"an event of a watch is longer than {MOST_LINE_BYTES >> 20} MiB")


def _decoded(body: bytes) -> Object:
    try:
        value = json.loads(body)
    except ValueError as error:
        raise errors.Unreachable("the answer is not an API server's: it is not JSON") from error
    if not isinstance(value, dict):
        raise errors.Unreachable("the answer is not an API server's: it is not an object")
    return value


def _moment(date: str | None) -> datetime | None:
    """The time of a Date header (RFC 9110, section 5.6.7); None where there is none that can be read."""
    try:
        return parsedate_to_datetime(date) if date else None
    except ValueError:
        return None


def _typed(kind: Kind, value: Object) -> Object:
    """The object with its kind: items of lists leave it out."""
    return {"apiVersion": kind.api_version, "kind": kind.kind} | value


def _path(kind: Kind, manifest: Object) -> str:
    return kind.path(manifest["metadata"].get("namespace"), manifest["metadata"]["name"])


def _selecting(label_selector: str, field_selector: str) -> dict[str, str]:
    both = {"labelSelector": label_selector, "fieldSelector": field_selector}
    return {name: selector for name, selector in both.items() if selector}
