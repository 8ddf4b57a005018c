"""Whole numbers and choices that follow from a key alone, on every machine and Python version. Pure.

Invariant: the n-th draw is SHA-256 of the key and n, so that no library's random generator plays a part.
"""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

_T = TypeVar("_T")


class Draws:
    """An endless stream of draws."""

    def __init__(self, *key: str | int) -> None:
        self.head = str(key[0]) if key else ""
        """The first part of the key: of a probe's draws, the suite with its version."""
        self._key = "/".join(str(part) for part in key)
        self._count = 0

    def below(self, bound: int) -> int:
        """0 … bound − 1. Of 64 bits the bias is below 2⁻⁵⁰ for bounds that probes use."""
        self._count += 1
        digest = hashlib.sha256(f"{self._key}#{self._count}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % bound

    def between(self, low: int, high: int) -> int:
        """low … high, both included."""
        return low + self.below(high - low + 1)

    def pick(self, items: Sequence[_T]) -> _T:
        """One of the items."""
        return items[self.below(len(items))]

    def sample(self, items: Sequence[_T], count: int) -> list[_T]:
        """Different items, in drawn order."""
        left = list(items)
        return [left.pop(self.below(len(left))) for _ in range(count)]

    def shuffled(self, items: Sequence[_T]) -> list[_T]:
        """All items, in drawn order."""
        return self.sample(items, len(items))
