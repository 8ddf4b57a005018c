"""The text of `bitmap`: base64 of one bit for each probe in order, the most significant first. Pure."""

import base64
import binascii
from collections.abc import Iterable


def packed(passed: Iterable[bool]) -> str:
    """The bitmap of these probes."""
    bits = "".join("1" if one else "0" for one in passed)
    length = bytes_of(len(bits))
    return base64.b64encode(int(bits.ljust(8 * length, "0") or "0", 2).to_bytes(length, "big")).decode()


def unpacked(bitmap: str, count: int) -> bytes:
    """Its bytes; raises ValueError, which says what is wrong, where it is no bitmap of so many probes."""
    try:
        held = base64.b64decode(bitmap, validate=True)
    except binascii.Error as error:
        raise ValueError("is no base64") from error
    if len(held) != bytes_of(count):
        raise ValueError(f"has {len(held)} bytes, where {count} samples take {bytes_of(count)}")
    return held


def bytes_of(count: int) -> int:
    """How many bytes so many probes take."""
    return -(-count // 8)
