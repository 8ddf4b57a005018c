"""The admin port: health and metrics at once, and everything else from `admin`, loaded when it is asked for.

FastAPI costs a fifth of a second at start and 6 MB, which probes and Prometheus do without. Invariant:
traffic goes on while it is loaded.
"""

import asyncio
from collections.abc import Callable

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from steelyard_gateway.metrics import Metrics
from steelyard_gateway.state import State

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_JSON = "application/json"

Answer = tuple[int, str, bytes]
"""Status, content type, body."""


class Pages:
    """The application of the admin port."""

    def __init__(self, state: State, metrics: Metrics, load: Callable[[], ASGIApp]) -> None:
        """`load` gives the application of all further pages; it is called once, in a thread."""
        self._state = state
        self._metrics = metrics
        self._load = load
        self._others: ASGIApp | None = None
        self._loading = asyncio.Lock()
        self._pages: dict[str, Callable[[], Answer]] = {
            "/healthz": self._health,
            "/readyz": self._readiness,
            "/metrics": self._exposition,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        page = self._pages.get(scope["path"]) if scope["method"] == "GET" else None
        if page is None:
            async with self._loading:
                if self._others is None:
                    self._others = await asyncio.to_thread(self._load)
            await self._others(scope, receive, send)
            return
        status, kind, body = page()
        headers = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _health(self) -> Answer:
        return 200, _JSON, b'{"status":"ok"}'

    def _readiness(self) -> Answer:
        """Whether requests should be sent here; 503 with the reason otherwise."""
        reason = self._state.not_ready()
        if reason:
            return 503, _JSON, msgspec.json.encode({"status": "not ready", "reason": reason})
        return 200, _JSON, b'{"status":"ready"}'

    def _exposition(self) -> Answer:
        return 200, METRICS_TYPE, self._metrics.text()
