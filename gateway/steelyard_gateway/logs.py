"""Log lines of the gateway; those of requests are `recording`'s."""

import io
import logging
from select import PIPE_BUF

from steelyard import logs


class WholeLines(io.FileIO):
    """What several processes write to: their lines do not mix, if none is above 4096 bytes.

    A write to a pipe is never split where it is no longer than PIPE_BUF (POSIX, write).
    """

    def __init__(self, file_descriptor: int) -> None:
        super().__init__(file_descriptor, "wb", closefd=False)

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Write lines in pieces that are not split."""
        begin = 0
        while begin < len(data):
            piece = data[begin : begin + PIPE_BUF]
            if len(piece) == PIPE_BUF:
                border = piece.rfind(b"\n") + 1
                piece = piece[:border] if border else data[begin:].partition(b"\n")[0] + b"\n"
            begin += super().write(piece)
        return begin


def set_up() -> None:
    """Send every logger's records to standard error as JSON lines."""
    logs.set_up(quiet=("uvicorn.error", "uvicorn.access", "watchfiles"))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
