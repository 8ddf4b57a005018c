"""Which web pages may read answers: the headers of CORS (Fetch standard, 3.2). Off unless origins are given.

Invariant: where it is on every answer says so, errors and streams too, and what an engine said of it does not
pass. Cookies are never allowed: pages send their key themselves.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from steelyard_gateway.ports import Headers

ANY = "*"
"""Stands for every origin."""

MAX_AGE_SECONDS = 600
"""How long a browser may keep the answer to its question; Chromium takes at most two hours."""

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@,*]+")
_NAMES = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z, \t-]{1,2048}")
_OF_ENGINES = re.compile(rb"^access-control-[^\n]*+\n", re.MULTILINE)
_EXPOSED = b"access-control-expose-headers: *\r\n"
_VARY = b"vary: origin\r\n"


class WrongOrigin(ValueError):
    """What was given is no origin."""


@dataclass(frozen=True, slots=True)
class Cors:
    """The origins whose pages may read answers."""

    origins: frozenset[bytes]
    """As browsers send them, in lower case: https://example.com."""
    is_open: bool
    """Whether every page may."""

    def lines(self, headers: Headers) -> bytes:
        """The header lines of any answer to a request with these headers."""
        if self.is_open:
            return b"access-control-allow-origin: *\r\n" + _EXPOSED
        origin = _value(headers, b"origin")
        if origin.lower() not in self.origins:
            return _VARY
        return b"access-control-allow-origin: %b\r\n%b%b" % (origin, _EXPOSED, _VARY)

    def permission(self, headers: Headers, methods: bytes) -> Headers:
        """The header lines that answer a browser's question whether it may send a request."""
        lines = [
            (b"access-control-allow-methods", methods),
            (b"access-control-max-age", b"%d" % MAX_AGE_SECONDS),
        ]
        names = _value(headers, b"access-control-request-headers")
        if _NAMES.fullmatch(names):
            lines.append((b"access-control-allow-headers", names))
        return lines


def read(words: Iterable[str]) -> Cors | None:
    """The setting; None: off. Raises WrongOrigin."""
    origins = {word.strip().lower().removesuffix("/") for word in words} - {""}
    for origin in origins - {ANY}:
        if not _ORIGIN.fullmatch(origin) or not origin.isascii():
            raise WrongOrigin(f"{origin!r} is no origin: write https://example.com, or * for every page")
    if not origins:
        return None
    return Cors(frozenset(origin.encode() for origin in origins - {ANY}), ANY in origins)


def without(lines: bytes) -> bytes:
    """An engine's header lines but those of CORS."""
    return _OF_ENGINES.sub(b"", lines)


def _value(headers: Headers, wanted: bytes) -> bytes:
    return next((value for name, value in headers if name == wanted), b"")
