"""How fast an engine is by its own count of tokens, over the last while.

A state machine without I/O and without a clock: time is an argument, in seconds.

One interval is too short for it: llama.cpp counts an answer's tokens when the answer has ended, and writes
six digits of the count, so that beyond a million it moves in steps.
"""

from collections import deque

SPEED_SECONDS = 30.0
"""A speed is of the last so many seconds, or of one interval where that is longer."""


class Speed:
    """The speed of one engine."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: deque[tuple[float, float]] = deque()

    def take(self, tokens: float | None, now: float, valid_seconds: float) -> float | None:
        """Tokens a second up to now, when the engine told that it has made so many since it started.

        None where it did not tell now, told nothing before, not within `valid_seconds`, or was restarted.
        """
        counts = self._counts
        if counts and (tokens is None or tokens < counts[-1][1] or now - counts[-1][0] > valid_seconds):
            counts.clear()
        if tokens is None:
            return None
        counts.append((now, tokens))
        while len(counts) > 2 and now - counts[1][0] >= SPEED_SECONDS:
            counts.popleft()
        since, before = counts[0]
        return (tokens - before) / (now - since) if now > since else None
