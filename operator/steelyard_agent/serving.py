"""The agent's HTTP port: /metrics and /healthz.

Invariant: a connection has one request and REQUEST_SECONDS; it is closed after its answer.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict
from http import HTTPStatus

from steelyard_agent import exposition
from steelyard_agent.agent import Agent

REQUEST_SECONDS = 5.0
"""How long a client may take to send its request and to read the answer."""

MOST_HEAD_BYTES = 16 * 1024
"""A longer request head is refused."""

Answer = tuple[HTTPStatus, str, bytes]
"""Status, content type and body."""


class CannotListen(Exception):
    """The port is taken or the address is not ours."""


class Serving:
    """The port; use as `async with`."""

    def __init__(self, agent: Agent, host: str, port: int) -> None:
        self._agent = agent
        self._host = host
        self._port = port
        self._handlers: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._pages: dict[str, Callable[[], Answer]] = {"/metrics": self._metrics, "/healthz": self._health}

    async def __aenter__(self) -> "Serving":
        try:
            self._server = await asyncio.start_server(
                self._serve, self._host, self._port, limit=MOST_HEAD_BYTES
            )
        except OSError as error:
            raise CannotListen(
                f"Cannot listen on {self._host}:{self._port} ({error.strerror}): "
                "choose others with --host and --port."
            ) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._handlers.values():
            writer.transport.abort()
        if self._handlers:
            await asyncio.wait(self._handlers)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = asyncio.current_task()
        assert handler is not None
        self._handlers[handler] = writer
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                except asyncio.LimitOverrunError:
                    head = b""
                writer.write(_written(head, self._answer(head)))
                await writer.drain()
        except (asyncio.IncompleteReadError, TimeoutError, ConnectionError):
            return  # the client left, or is too slow
        finally:
            del self._handlers[handler]
            writer.close()

    def _answer(self, head: bytes) -> Answer:
        """The answer to a request with this head."""
        line = head.partition(b"\r\n")[0].split(b" ")
        if len(line) != 3 or not line[2].startswith(b"HTTP/1."):
            return _sentence(HTTPStatus.BAD_REQUEST)
        page = self._pages.get(line[1].partition(b"?")[0].decode("latin-1"))
        if page is None:
            return _sentence(HTTPStatus.NOT_FOUND)
        return page() if line[0] in (b"GET", b"HEAD") else _sentence(HTTPStatus.METHOD_NOT_ALLOWED)

    def _metrics(self) -> Answer:
        return HTTPStatus.OK, exposition.CONTENT_TYPE, self._agent.text()

    def _health(self) -> Answer:
        health = self._agent.health()
        status = HTTPStatus.SERVICE_UNAVAILABLE if health.needs_restart else HTTPStatus.OK
        return status, "application/json", json.dumps(asdict(health)).encode()


def _sentence(status: HTTPStatus) -> Answer:
    return status, "text/plain; charset=utf-8", f"{status.phrase}.\n".encode()


def _written(head: bytes, answer: Answer) -> bytes:
    status, content_type, body = answer
    lines = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        *(["Allow: GET, HEAD"] if status is HTTPStatus.METHOD_NOT_ALLOWED else []),
        "Connection: close",
    )
    written = "\r\n".join((*lines, "", "")).encode()
    return written if head.startswith(b"HEAD ") else written + body
