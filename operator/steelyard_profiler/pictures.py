"""A picture of one color as PNG: W3C Portable Network Graphics, third edition, 2025. Pure."""

import struct
import zlib

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def plain(rgb: tuple[int, int, int], size: int) -> bytes:
    """A square of so many pixels a side in this color, 8 bits a channel."""
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    row = b"\x00" + bytes(rgb) * size
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"IDAT", zlib.compress(row * size)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
