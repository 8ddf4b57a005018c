"""Log lines of the gateway; those of requests are `recording`'s."""

import logging

from steelyard import logs


def set_up() -> None:
    """Send every logger's records to standard error as JSON lines."""
    logs.set_up(quiet=("uvicorn.error", "uvicorn.access", "watchfiles"))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
