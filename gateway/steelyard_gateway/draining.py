"""The end of the traffic, from SIGTERM to the last byte.

    0               grace_seconds                 drain_seconds     LAST_WORDS_SECONDS later
    ├── all is served ──┼── answers under way end ────┼── the rest is told ──┤ closed

From the first moment every answer says `connection: close`; new connections are taken until the grace time
ends, since whoever sends here learns of it late. A connection whose last answer could not say so is kept for
as long after it: clients send their next request just then. Invariant: it ends, whatever anybody does.
"""

import asyncio
import contextlib
import logging
import signal
from dataclasses import replace

import uvicorn

from steelyard_gateway.protocol import GatewayProtocol
from steelyard_gateway.settings import Settings

LAST_WORDS_SECONDS = 1.0
"""How long clients whose answers were cut short may take to read why."""

LEAST_HEAD_SECONDS = 1.0
"""A client that has begun to send may go on for so long, however short the grace time is."""

logger = logging.getLogger(__name__)


def end_on_signals(loop: asyncio.AbstractEventLoop, stop: asyncio.Event, over: asyncio.Event) -> None:
    """Set `stop` on SIGTERM and SIGINT, and `over` on a SIGINT after either: Ctrl-C was pressed again.

    A second SIGTERM changes nothing: a kubelet that asks its runtime once more to stop a container sends one.
    """

    def interrupted() -> None:
        (over if stop.is_set() else stop).set()

    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, interrupted)


async def drain(
    server: uvicorn.Server, serving: asyncio.Task[None], settings: Settings, over: asyncio.Event
) -> None:
    """End the traffic that `serving` serves; `over` ends it at once. It is cut short only when time is up."""
    grace_seconds = min(settings.grace_seconds, settings.drain_seconds)
    logger.info("draining", extra={"grace_seconds": grace_seconds, "seconds": settings.drain_seconds})
    http = server.config.http
    assert isinstance(http, type) and issubclass(http, GatewayProtocol)
    begin(http, grace_seconds)
    for connection in _connections(server):
        connection.shutdown()
    await _pause(grace_seconds, over)
    server.should_exit = True
    serving.add_done_callback(lambda _: over.set())
    await _pause(settings.drain_seconds - grace_seconds, over)
    if not serving.done():
        await _cut_short(server, serving)
    await serving


def begin(http: type[GatewayProtocol], grace_seconds: float) -> None:
    """Let each answer be the last of its connection, and no connection be idle for longer than this."""
    http.draining = True
    head_seconds = min(http.limits.head_seconds, max(grace_seconds, LEAST_HEAD_SECONDS))
    http.limits = replace(http.limits, keep_alive_seconds=grace_seconds, head_seconds=head_seconds)


async def _pause(seconds: float, over: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await over.wait()


async def _cut_short(server: uvicorn.Server, serving: asyncio.Task[None]) -> None:
    left = _connections(server)
    logger.warning("cutting short what is still under way", extra={"connections": len(left)})
    for connection in left:
        connection.cut_short()
    await asyncio.wait({serving}, timeout=LAST_WORDS_SECONDS)
    for connection in _connections(server):
        connection.transport.abort()


def _connections(server: uvicorn.Server) -> list[GatewayProtocol]:
    return [one for one in server.server_state.connections if isinstance(one, GatewayProtocol)]
