"""Where texts and numbers fall among 2^64, the same in every process. Pure.

Invariant: nothing here depends on Python's own hash, which differs from process to process.
"""

import hashlib

RANGE = 2**64
"""Points are whole numbers from 0 to this, exclusive."""

_GOLDEN = 0x9E3779B97F4A7C15


def of_text(text: str) -> int:
    """The point of a text: 64 bits of BLAKE2b."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def mixed(number: int) -> int:
    """A number spread out, for remainders: neighbours fall far apart.

    Multiplicative hashing by 2^64 ÷ φ: Knuth, The Art of Computer Programming 3, 6.4.
    """
    return (number * _GOLDEN % RANGE) >> 24
