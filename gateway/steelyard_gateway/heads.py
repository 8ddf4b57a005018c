"""Heads of requests to engines and of answers to clients, as bytes.

Only what is end to end passes, both ways. Invariant: no header value made here holds a byte that is not
visible ASCII or a space, and nothing that authenticates the client is ever sent to an engine.
"""

import re
from functools import lru_cache
from http import HTTPStatus
from itertools import count
from os import urandom
from urllib.parse import quote

from steelyard.routing.table import Endpoint
from steelyard_gateway import errors
from steelyard_gateway.ports import HeaderLines, Headers

HOP_BY_HOP = frozenset(
    (
        b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer"
        b" transfer-encoding upgrade"
    ).split()
)
"""Headers about one connection only (RFC 9110, 7.6.1)."""

PRIVATE = frozenset(
    (
        b"authorization x-api-key api-key openai-organization openai-project cookie origin referer host"
        b" expect content-length http2-settings forwarded x-real-ip x-request-id accept-encoding"
    ).split()
)
"""Headers that the gateway sets itself, or that say more of the client than an engine need know. Codings are
not asked for: answers are read, for usage, and for what they say of prompts that are too long."""

NOT_UPSTREAM = HOP_BY_HOP | PRIVATE
NOT_UPSTREAM_PREFIXES = (b"x-steelyard-", b"x-forwarded-")
NOT_DOWNSTREAM = HOP_BY_HOP | {b"x-request-id"}
NOT_DOWNSTREAM_PREFIX = b"x-steelyard-"
NOTED_DOWNSTREAM = NOT_DOWNSTREAM | {b"content-length", b"content-type", b"content-encoding"}
PLAIN_CONNECTIONS = frozenset({b"keep-alive", b"close"})
PHRASES = {status.value: status.phrase for status in HTTPStatus}


CACHED = 4096
"""Entries of each cache here: more than models, endpoints and policies that are in use at a time."""

CLOSE = b"connection: close\r\n\r\n"
"""The end of the head of a connection's last answer."""

TOLD = b"%bx-steelyard-attempts: %d\r\nx-steelyard-overhead-us: %d\r\nx-request-id: %b\r\n"
"""Labels, attempts, microseconds that the gateway took, and the request's id."""

_CODING = b"transfer-encoding"
_TARGET = "/:@!$&'()*+,;=~%?"
_VERSION = b" HTTP/1.1\r\n"
_REQUEST_ID = re.compile(rb"[!#-\[\]-~]{1,128}")
_ids = count()
_ID_PREFIX = urandom(6).hex().encode()


@lru_cache(maxsize=500)
def status_line(status: int) -> bytes:
    """The first line of an answer; a status that no RFC names has no phrase."""
    return f"HTTP/1.1 {status} {PHRASES.get(status, '')}\r\n".encode()


def given_request_id(headers: Headers) -> bytes:
    """The client's own x-request-id where it can be used: visible ASCII without quotes; else empty."""
    for header in headers:
        if header[0] == b"x-request-id" and _REQUEST_ID.fullmatch(header[1]):
            return header[1]
    return b""


def request_id(given: bytes) -> bytes:
    """The given id, else one that no other request has."""
    return given or b"req-%b%08x" % (_ID_PREFIX, next(_ids))


def opening(endpoint: Endpoint, path: str) -> bytes:
    """The lines of a request that depend on its endpoint: request line, Host, Authorization."""
    return _lines(b"POST", endpoint, endpoint.base_path + path)


def with_query(lines: bytes, query: bytes) -> bytes:
    """These lines with a query in the request line."""
    return lines.replace(_VERSION, query + _VERSION, 1)


@lru_cache(maxsize=CACHED)
def get(endpoint: Endpoint, path: str) -> bytes:
    """A whole GET request for this path, maybe with a query, of its server, whatever the base path."""
    return _lines(b"GET", endpoint, path) + b"accept: application/json, */*\r\n\r\n"


def post(endpoint: Endpoint, path: str, body: bytes) -> bytes:
    """A whole POST request of this JSON for this path of its server, whatever the base path."""
    lines = b"accept: application/json\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return _lines(b"POST", endpoint, path) + lines % len(body) + body


def _lines(method: bytes, endpoint: Endpoint, path: str) -> bytes:
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    if endpoint.port != {"http": 80, "https": 443}[endpoint.scheme]:
        host += f":{endpoint.port}"
    target = quote(path, safe=_TARGET).encode()
    lines = b"%b %b%bhost: %b\r\n" % (method, target, _VERSION, header_safe(host))
    if endpoint.authorization is not None:
        lines += b"authorization: %b\r\n" % quote(endpoint.authorization, safe=_VISIBLE + "%").encode()
    return lines


def from_client(headers: Headers) -> bytes:
    """The client's header lines that pass to an engine."""
    lines = []
    has_type = False
    for header in headers:
        name, value = header
        if name in NOT_UPSTREAM:
            if name == b"connection" and value.lower() not in PLAIN_CONNECTIONS:
                return from_client(_without_named(headers, _connection(headers)))
            continue
        if name == b"content-type":
            has_type = True
        elif name.startswith(NOT_UPSTREAM_PREFIXES):
            continue
        lines.append(b"%b: %b\r\n" % header)
    if not has_type:
        lines.append(b"content-type: application/json\r\n")
    return b"".join(lines)


class Passed:
    """What of an engine's head is passed on, and what it says of the body."""

    __slots__ = ("has_length", "is_events", "is_page", "lines")

    def __init__(self, headers: Headers) -> None:
        lines = []
        is_coded = False
        self.has_length = self.is_events = self.is_page = False
        for header in headers:
            name, value = header
            if name in NOTED_DOWNSTREAM:
                if name == b"content-length":
                    self.has_length = True
                    continue
                if name == b"content-type":
                    media_type = value.lower()
                    self.is_events = media_type.startswith(b"text/event-stream")
                    self.is_page = media_type.startswith(b"text/html")
                elif name == b"content-encoding":
                    is_coded = value.lower() != b"identity"
                else:
                    continue
            elif name.startswith(NOT_DOWNSTREAM_PREFIX):
                continue
            lines.append(b"%b: %b\r\n" % header)
        self.is_events &= not is_coded
        """Whether the body is a stream of events that can be read as it passes."""
        self.lines = b"".join(lines)
        """The header lines, without the length."""


def from_engine(headers: HeaderLines) -> Passed:
    """What of these headers passes to the client."""
    passed = headers.memo
    if not isinstance(passed, Passed):
        connection = _connection(headers)
        plain = not connection or connection.lower() in PLAIN_CONNECTIONS
        headers.memo = passed = Passed(headers if plain else _without_named(headers, connection))
    return passed


def announced(headers: Headers) -> bytes:
    """The line with the length that a head announces."""
    return next(
        (b"content-length: %b\r\n" % value for name, value in headers if name == b"content-length"), b""
    )


def _connection(headers: Headers) -> bytes:
    return b",".join(value for name, value in headers if name == b"connection")


def _without_named(headers: Headers, connection: bytes) -> Headers:
    """The headers without Connection and those that it declares to be about one connection only."""
    named = {token.strip() for token in connection.lower().split(b",")} - {b"content-length"}
    return [header for header in headers if header[0] not in named and header[0] != b"connection"]


def check_framing(headers: Headers, version: str) -> None:
    """Refuse what HTTP's parser lets through, and another server might read in another way.

    Raises MalformedHttp.
    """
    by_name = dict(headers)
    if version == "1.1" and b"host" in by_name and len(by_name) == len(headers) and _CODING not in by_name:
        return
    if version not in ("1.0", "1.1"):
        raise errors.MalformedHttp("Only HTTP/1.1 is understood.")
    names = [name for name, _ in headers]
    if names.count(b"host") != 1 and (version == "1.1" or b"host" in by_name):
        raise errors.MalformedHttp("The request does not name its host once.")
    codings = [value.strip().lower() for name, value in headers if name == _CODING]
    if codings and (version == "1.0" or codings != [b"chunked"]):
        raise errors.MalformedHttp("The only transfer coding that is understood is chunked.")


def expects_continue(headers: Headers) -> bool:
    """Whether the client waits for 100 Continue before it sends the body."""
    return any(name == b"expect" and value.lower() == b"100-continue" for name, value in headers)


def size(url: bytes, headers: Headers) -> int:
    """Bytes of a request's head, more or less."""
    return len(url) + sum(len(name) + len(value) + 4 for name, value in headers)


def announced_bytes(headers: Headers) -> int:
    """Length of the body that a head announces; 0 for a chunked one."""
    return next((int(value) for name, value in headers if name == b"content-length"), 0)


@lru_cache(maxsize=CACHED)
def labels(model: str, backend: str, policy: str, category: str | None) -> bytes:
    """The lines that tell the client who answered and why; an empty value is left out."""
    told = {"model": model, "backend": backend, "policy": policy, "category": category}
    return b"".join(
        b"x-steelyard-%b: %b\r\n" % (name.encode(), header_safe(value))
        for name, value in told.items()
        if value
    )


def header_safe(text: str) -> bytes:
    """The text as a header value: whatever is not visible ASCII or a space is percent-encoded."""
    return quote(text, safe=_VISIBLE).encode()


_VISIBLE = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")
