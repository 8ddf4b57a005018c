"""What one round of load says of one contestant. Values only: how they are got and shown is elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Quantity(StrEnum):
    """A figure with its unit."""

    COUNT = "in all"
    """Answers or chunks in all, those included that the rate leaves out."""
    RATE = "per second"
    """Good answers a second; chunks a second where streams are measured."""
    P50_MS = "p50 ms"
    """Median of the time to an answer, or of a chunk's delay from its writing to its reading."""
    P99_MS = "p99 ms"
    """99th percentile of the same."""
    TTFT_P50_MS = "TTFT p50 ms"
    """Median of the time from a stream's request to its first chunk."""
    TTFT_P99_MS = "TTFT p99 ms"
    """99th percentile of the same."""
    LATE_PERCENT = "late %"
    """Share of chunks whose delay is above 20 ms."""
    CPU_US = "CPU µs each"
    """Time of processors that the contestant took for an answer or a chunk, the kernel's for it included."""
    ERRORS = "errors"
    """Answers that were none: connection errors, timeouts, status codes above 399, streams cut short."""
    RSS_MIB = "RSS MiB"
    """Peak of resident memory since its start, its children's added."""
    START_SECONDS = "start s"
    """From its start to its first good answer."""


Round = Mapping[Quantity, float]
"""What one round measured."""


@dataclass(frozen=True, slots=True)
class Series:
    """What a run says of one contestant of one case."""

    rounds: list[Round] = field(default_factory=list)
    """In the order in which they ran; round n of every contestant of a case ran next to each other."""
    once: dict[Quantity, float] = field(default_factory=dict)
    """What is measured once in a run, or a few times where the median is kept."""

    def of(self, quantity: Quantity) -> list[float]:
        """This quantity of every round, or the one value that there is; empty where it was not measured."""
        if quantity in self.once:
            return [self.once[quantity]]
        return [one[quantity] for one in self.rounds if quantity in one]


CaseResults = Mapping[str, Series]
"""By the contestants' names."""

Results = Mapping[str, CaseResults]
"""By the cases' names."""
