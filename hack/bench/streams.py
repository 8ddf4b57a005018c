"""Load of streamed answers: an upstream and a client of our own, each a process, and how they are started.

A chunk carries the time at which it was written, by the clock that all processes of the machine share; the
client takes its delay when it reads it. Both share a core; what that adds is in the direct figures, too.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench import resources
from bench.measures import Quantity, Round
from bench.processes import BenchError, Launch

QUESTION = json.dumps(
    {
        "model": resources.MODEL,
        "stream": True,
        "messages": [{"role": "user", "content": "Tell me what a steelyard is, in some detail."}],
    },
    separators=(",", ":"),
)
"""The request of every stream."""

CHUNKS = 100
"""Chunks of one paced stream; then the connection asks anew: first chunks are measured all the time."""

FLAT_OUT_CHUNKS = 1_000
"""Chunks of one stream that is not paced."""

LATE_MS = 20.0
"""A chunk that is later than this is counted: at 50 chunks a second the next one is due."""

_FOLDER = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class StreamLoad:
    """So many streams at once."""

    streams: int
    """Streams that are kept under way."""
    interval_ms: int
    """Time between two chunks of a stream; 0: as fast as they are taken."""

    @property
    def title(self) -> str:
        """What it is, in one line."""
        streams = f"{self.streams:,} streams".replace(",", " ")
        if not self.interval_ms:
            return f"{streams} flat out, chunks"
        return f"{streams} of {1000 // self.interval_ms} chunks a second, delay of chunks"

    def run(self, port: int, seconds: int, number: int) -> Round:
        """Put the load on a port of 127.0.0.1."""
        words = (str(port), str(self.streams), str(seconds), str(self.interval_ms))
        ended = subprocess.run(
            [sys.executable, "-m", "bench.stream_client", *words],
            env={**os.environ, "PYTHONPATH": str(_FOLDER)},
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode:
            raise BenchError(f"the streams' client ended with {ended.returncode}: {ended.stderr}")
        return {Quantity(name): value for name, value in json.loads(ended.stdout).items()}


def chunks(interval_ms: int) -> int:
    """How many chunks a stream has."""
    return CHUNKS if interval_ms else FLAT_OUT_CHUNKS


def upstream(folder: Path, port: int, *, interval_ms: int) -> Launch:
    """An upstream that streams to everyone."""
    words = (str(port), str(interval_ms))
    return Launch([sys.executable, "-m", "bench.stream_upstream", *words], {"PYTHONPATH": str(_FOLDER)})
