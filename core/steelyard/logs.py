"""Log lines of programs: one JSON object a line on standard error.

Invariant: a record's message is constant, what varies are its fields; none of them is a secret.
"""

import json
import logging
import time
from collections.abc import Iterable

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


class JsonFormatter(logging.Formatter):
    """A record as one JSON object: time, level, event, and the record's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        line = {"time": timestamp(record.created), "level": record.levelname, "event": record.getMessage()}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line | fields, default=str, ensure_ascii=False)


_second = (0, "")


def timestamp(seconds: float) -> str:
    """RFC 3339 with milliseconds; the text of the second is kept, since most lines share it."""
    global _second
    whole = int(seconds)
    if _second[0] != whole:
        _second = (whole, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)))
    return f"{_second[1]}.{int((seconds - whole) * 1000):03}Z"


def set_up(level: int = logging.INFO, quiet: Iterable[str] = ()) -> None:
    """Send every logger's records to standard error as JSON lines; of the quiet ones warnings only."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in (*quiet, "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
