"""Which questions are too long to be asked. No I/O.

Rule 1. A question that the model's context, where that is known, cannot hold with its answer is not asked.
Rule 2. Long questions together take no more than their share of the run's tokens.
"""

from collections.abc import Sequence

from steelyard.api.measuring import ProfileLimits
from steelyard_profiler.target import BYTES_PER_TOKEN, Asked

LONG_SHARE = 0.4
"""The most of a run's tokens that long questions may take."""

LONG_TOKENS = 500
"""A shorter question is not long."""


class Room:
    """What long questions have taken, and what they may still take."""

    def __init__(self, limits: ProfileLimits) -> None:
        self.context_tokens: int | None = None
        """The model's context; None: nobody tells it."""
        self._limits = limits
        self._long_tokens = 0
        self._beyond_context = 0
        self._beyond_share = 0

    def takes(self, asked: Asked) -> bool:
        """Whether this may be asked; if so, it is counted as asked."""
        if self.context_tokens is not None and asked.most_tokens > self.context_tokens:
            self._beyond_context += 1
            return False
        if not _is_long(asked):
            return True
        if self._long_tokens + asked.most_tokens > LONG_SHARE * self._limits.max_tokens:
            self._beyond_share += 1
            return False
        self._long_tokens += asked.most_tokens
        return True

    def takes_all(self, batch: Sequence[Asked]) -> bool:
        """Whether these long questions fit together; none is counted as asked, but as not asked if not."""
        long = [asked for asked in batch if _is_long(asked)]
        tokens = sum(asked.most_tokens for asked in long)
        if self._long_tokens + tokens <= LONG_SHARE * self._limits.max_tokens:
            return True
        self._beyond_share += len(long)
        return False

    def context_note(self) -> str:
        """What was not asked for its length; empty: nothing."""
        if not self._beyond_context:
            return ""
        return (
            f"{self._beyond_context} questions were not asked: they are longer than the context of "
            f"{self.context_tokens} tokens."
        )

    def notes(self) -> list[str]:
        """What was not asked, and why."""
        told = [self.context_note()] if self._beyond_context else []
        if self._beyond_share:
            told.append(
                f"{self._beyond_share} long questions were not asked: together they take at most "
                f"{LONG_SHARE:.0%} of limits.maxTokens."
            )
        return told


def _is_long(asked: Asked) -> bool:
    return asked.prompt_bytes >= LONG_TOKENS * BYTES_PER_TOKEN
