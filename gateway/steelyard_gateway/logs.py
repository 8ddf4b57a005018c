"""Log lines: one JSON object a line on standard error; those of requests are gathered into few writes.

Invariant: no line holds a header's value, a body's text or a secret.
"""

import json
import logging
import time
from typing import BinaryIO

import msgspec

from steelyard_gateway.ports import Outcome

FLUSH_BYTES = 16_384
"""Request lines are gathered up to so many bytes, and written at least at every `flush`."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


class JsonFormatter(logging.Formatter):
    """A record as one JSON object: time, level, event, and the record's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        line = {"time": timestamp(record.created), "level": record.levelname, "event": record.getMessage()}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line | fields, default=str, ensure_ascii=False)


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
        time=timestamp(time.time()),
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


_second = (0, "")


def timestamp(seconds: float) -> str:
    """RFC 3339 with milliseconds; the text of the second is kept, since most lines share it."""
    global _second
    whole = int(seconds)
    if _second[0] != whole:
        _second = (whole, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)))
    return f"{_second[1]}.{int((seconds - whole) * 1000):03}Z"


def set_up(level: int = logging.INFO) -> None:
    """Send every logger's records to standard error as JSON lines."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    for quiet in ("uvicorn.error", "uvicorn.access", "watchfiles", "httpx", "httpcore"):
        logging.getLogger(quiet).setLevel(logging.WARNING)
