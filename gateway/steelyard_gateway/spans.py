"""Where values stand in JSON bytes, for changes that leave every other byte as it came.

Invariant: what is walked here was decoded before: the bytes are valid JSON. Strings are passed over in C.
"""

import re
from collections.abc import Iterable, Iterator

Span = tuple[int, int]
"""Start and end of a value, quotes or brackets included."""

Edit = tuple[int, int, bytes]
"""Replace the bytes from start to end with these."""

_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_KEY = re.compile(rb"\s*,?\s*(" + _STRING + rb")\s*:\s*", re.DOTALL)
_ITEM = re.compile(rb"\s*,?\s*(?=[^\]\s])")
_SCALAR = re.compile(_STRING + rb"|[^\s,\]}]+", re.DOTALL)
_MARK = re.compile(_STRING + rb"|([{\[])|[}\]]", re.DOTALL)
_BRACKETS = b"[{"


def splice(data: bytes, edits: Iterable[Edit]) -> bytes:
    """The bytes with these edits made; none overlaps another, and an empty one at a border comes in order."""
    pieces: list[bytes] = []
    at = 0
    for start, end, replacement in sorted(edits, key=lambda edit: edit[:2]):
        pieces += data[at:start], replacement
        at = end
    return b"".join((*pieces, data[at:]))


def members(data: bytes, start: int) -> Iterator[tuple[bytes, int, Span]]:
    """Key with its quotes, where it begins, and the value's span, of the object that begins at `start`."""
    at = start + 1
    while (key := _KEY.match(data, at)) is not None:
        at = _end(data, key.end())
        yield key[1], key.start(1), (key.end(), at)


def items(data: bytes, start: int) -> Iterator[Span]:
    """The spans of the items of the array that begins at `start`."""
    at = start + 1
    while (item := _ITEM.match(data, at)) is not None:
        at = _end(data, item.end())
        yield item.end(), at


def child(data: bytes, start: int, key: bytes) -> Span | None:
    """The span of the last value under this key (quotes included) of the object that begins at `start`."""
    found = None
    if data[start : start + 1] == b"{":
        for name, _, span in members(data, start):
            if name == key:
                found = span
    return found


def top(data: bytes) -> int:
    """Where the outermost value begins."""
    return len(data) - len(data.lstrip())


def without(data: bytes, key: bytes) -> bytes:
    """The object without the members of this key, each with one comma."""
    edits: list[Edit] = []
    start = top(data)
    at, has_kept = start + 1, False
    for name, key_start, (_, end) in members(data, start):
        if name == key:
            edits.append((at, end, b""))
        else:
            if edits and not has_kept:
                edits = [(start + 1, key_start, b"")]
            has_kept = True
        at = end
    return splice(data, edits)


def _end(data: bytes, start: int) -> int:
    """The end of the value that begins at `start`."""
    if data[start] not in _BRACKETS:
        scalar = _SCALAR.match(data, start)
        assert scalar is not None
        return scalar.end()
    depth = 0
    for mark in _MARK.finditer(data, start):
        if mark[1] is not None:
            depth += 1
        elif mark[0] in (b"}", b"]"):
            depth -= 1
            if depth == 0:
                return mark.end()
    return len(data)
