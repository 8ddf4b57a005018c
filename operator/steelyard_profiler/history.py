"""The lines of `status.history`: what became of the last runs. Pure.

Rule 1. Newest first, at most three.
Rule 2. Failures in a row take one line, the last one's, so that they push out nothing that was measured.
"""

from datetime import UTC, datetime

from steelyard_profiler.profiling import Result

MOST_LINES = 3
"""So many runs are remembered."""

MEASURED = "Measured"
"""The outcome of a run that succeeded; of others it is the reason of their failure."""


def with_run(lines: tuple[str, ...], result: Result, ended: datetime) -> tuple[str, ...]:
    """The lines with this run's before them."""
    new = _line(result, ended)
    is_again = bool(lines) and not _is_measured(lines[0]) and not _is_measured(new)
    return (new, *(lines[1:] if is_again else lines))[:MOST_LINES]


def _line(result: Result, ended: datetime) -> str:
    """One run, as `2026-11-21T10:00:00Z Quick/2 63% 71 tok/s Measured`; what is not known is left out."""
    words = [ended.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), result.fingerprint.suite]
    if result.failure is not None:
        return " ".join([*words, result.failure.reason])
    if result.quality is not None and result.quality.overall is not None:
        words.append(f"{result.quality.overall.score_percent}%")
    if result.performance is not None and result.performance.output_tokens_per_second is not None:
        words.append(f"{result.performance.output_tokens_per_second} tok/s")
    return " ".join([*words, MEASURED])


def _is_measured(text: str) -> bool:
    return text.endswith(f" {MEASURED}")
