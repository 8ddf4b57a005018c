"""Log lines of the gateway; those of requests are gathered into few writes.

Invariant: no line holds a header's value, a body's text or a secret.
"""

import logging
import time
from typing import BinaryIO

import msgspec

from steelyard import logs
from steelyard_gateway.ports import Outcome

FLUSH_BYTES = 16_384
"""Request lines are gathered up to so many bytes, and written at least at every `flush`."""


class _Line(msgspec.Struct, gc=False, omit_defaults=True):
    time: str
    level: str
    event: str
    request_id: str
    path: str
    status: int
    duration_ms: float
    overhead_us: int
    attempts: int = 0
    model: str = ""
    answered_by: str = ""
    backend: str = ""
    policy: str = ""
    category: str = ""
    stream: bool = False
    ttfb_ms: float = 0.0
    code: str = ""
    detail: str = ""


class RequestLog:
    """Writes one line for each finished request, gathered into few writes."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._encoder = msgspec.json.Encoder()
        self._lines: list[bytes] = []
        self._size = 0

    def finished(self, outcome: Outcome) -> None:
        """Note one request."""
        line = self._encoder.encode(_line(outcome))
        self._lines.append(line)
        self._size += len(line)
        if self._size > FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered."""
        if self._lines:
            lines, self._lines, self._size = self._lines, [], 0
            self._out.write(b"\n".join(lines) + b"\n")
            self._out.flush()


def _line(outcome: Outcome) -> _Line:
    line = _Line(
        time=logs.timestamp(time.time()),
        level="INFO",
        event="request",
        request_id=outcome.request_id,
        path=outcome.path,
        status=outcome.status,
        duration_ms=round(outcome.duration_seconds * 1e3, 2),
        overhead_us=round(outcome.overhead_seconds * 1e6),
        attempts=outcome.attempts,
        code=outcome.code,
        detail=outcome.detail,
    )
    if outcome.routed is not None:
        decision = outcome.routed.decision
        line.model, line.stream = decision.model, outcome.routed.stream
        line.policy = decision.policy.name if decision.policy else ""
        line.category = decision.category or ""
    if outcome.attempt is not None:
        line.answered_by = outcome.attempt.candidate.model
        line.backend = outcome.attempt.candidate.backend
    if outcome.ttfb_seconds is not None:
        line.ttfb_ms = round(outcome.ttfb_seconds * 1e3, 2)
    return line


def set_up() -> None:
    """Send every logger's records to standard error as JSON lines."""
    logs.set_up(quiet=("uvicorn.error", "uvicorn.access", "watchfiles"))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
