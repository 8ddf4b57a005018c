"""One whole chunk of a chunked body (RFC 9112, 7.1) in one read, known by its bytes.

Engines write a token at a time, each as a chunk of its own. Invariant: what is taken for a whole chunk is one
to every reader; anything else, extensions and leading zeros included, goes to the parser.
"""

MOST_BYTES = 4096
"""Longer chunks are left to the parser: they are rare, and cost little by the byte."""

END = b"\r\n"
"""What ends a chunk."""

_SIZES = {form % size: size for size in range(1, MOST_BYTES) for form in (b"%x", b"%X")}
_MOST_DIGITS = 3


def content_start(data: bytes) -> int:
    """Where the content of the chunk begins that is all of these bytes; 0: they are not one whole chunk."""
    end = data.find(END, 0, _MOST_DIGITS + len(END))
    size = _SIZES.get(data[:end])
    if size is None or size + end + 4 != len(data) or not data.endswith(END):
        return 0
    return end + 2
