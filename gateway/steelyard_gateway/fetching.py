"""GET of small answers from engines and exporters, and POST, by the gateway's own client.

Invariant: an answer that is too long, too late or no 200 costs no more than its bounds; redirects are never
followed.
"""

import asyncio

from steelyard.routing.table import Endpoint
from steelyard_gateway import heads
from steelyard_gateway.ports import Headers
from steelyard_gateway.upstream.client import Client
from steelyard_gateway.upstream.failure import Failure


class NoAnswer(Exception):
    """There is no answer that could be used; the message ends a sentence about who was asked."""

    def __init__(self, words: str, status: int = 0) -> None:
        super().__init__(words)
        self.status = status
        """The status of the answer; 0: there was none, or it was 200 and not usable."""


async def get(client: Client, endpoint: Endpoint, path: str, *, seconds: float, most_bytes: int) -> bytes:
    """The answer's body, asked for with the endpoint's credential. Raises NoAnswer."""
    return await _ask(client, endpoint, heads.get(endpoint, path), seconds, most_bytes)


async def post(
    client: Client, endpoint: Endpoint, path: str, body: bytes, *, seconds: float, most_bytes: int
) -> bytes:
    """The answer to this JSON, likewise. Raises NoAnswer."""
    return await _ask(client, endpoint, heads.post(endpoint, path, body), seconds, most_bytes)


async def _ask(client: Client, endpoint: Endpoint, request: bytes, seconds: float, most_bytes: int) -> bytes:
    fetch = _Fetch(most_bytes)
    late = asyncio.get_running_loop().call_later(seconds, fetch.on_late, seconds)
    call = client.send(endpoint, request, fetch, stream=False)
    try:
        return await fetch.answer
    finally:
        late.cancel()
        call.cancel()


class _Fetch:
    """Receives one whole answer."""

    def __init__(self, most_bytes: int) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._most_bytes = most_bytes
        self._status = 0
        self._parts: list[bytes] = []
        self._size = 0

    def on_head(self, status: int, headers: Headers) -> None:
        """Only 200 is an answer."""
        self._status = status

    def on_data(self, data: bytes) -> None:
        """Keep it, within bounds."""
        self._size += len(data)
        if self._size > self._most_bytes:
            self._fail("answered with too much")
        else:
            self._parts.append(data)

    def on_chunk(self, chunk: bytes, start: int) -> None:
        """Keep its content."""
        self.on_data(chunk[start:-2])

    def on_end(self) -> None:
        """Hand it over."""
        if self._status != 200:
            self._fail(f"answered {self._status}")
        elif not self.answer.done():
            self.answer.set_result(b"".join(self._parts))

    def on_whole(self, headers: Headers, body: bytes) -> None:
        """An answer in one piece."""
        self.on_head(200, headers)
        self.on_data(body)
        self.on_end()

    def on_failure(self, failure: Failure) -> None:
        """There is none."""
        self._fail(failure.words)

    def on_late(self, seconds: float) -> None:
        """There is none yet, after so long."""
        self._fail(f"did not answer in {round(seconds, 1):g} s")

    def _fail(self, words: str) -> None:
        if not self.answer.done():
            self.answer.set_exception(NoAnswer(words, 0 if self._status == 200 else self._status))
