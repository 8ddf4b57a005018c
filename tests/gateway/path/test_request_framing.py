"""Random requests in random pieces, right and wrong, read by the gateway and by h11: they must agree."""

import re
from collections.abc import Sequence
from contextlib import closing, suppress

import h11
from hypothesis import given
from hypothesis import strategies as st

from fakes import fuzz, gateways
from fakes.fuzz import in_pieces, profile
from fakes.unwired import Unwired
from steelyard_gateway import paths
from steelyard_gateway.ports import Reply

PATH = "/v1/chat/completions"


def by_us(pieces: Sequence[bytes]) -> list[bytes]:
    """The bodies of the requests that the gateway executes; it answers each at once."""
    router = gateways.FixedRouter([])
    router.replies[PATH] = Reply(200, b"{}")
    with closing(Unwired(router)) as gateway:
        for piece in pieces:
            if not gateway.wire.closed:
                gateway.connection.data_received(piece)
    return [body for _, _, _, body in router.seen]


def by_h11(data: bytes) -> list[bytes]:
    """The bodies of the requests that h11 reads, up to one to a path that is not offered.

    It refuses two things that we take, as RFC 9112 (2.2 and 3) lets a server do, for they move neither path
    nor body: empty lines before a request, and more spaces than one within its line. It gets it without.
    """
    bodies: list[bytes] = []
    with suppress(h11.RemoteProtocolError):
        while data := data.lstrip(b"\r\n"):
            data = re.sub(rb"\APOST +([^ \r\n]+) +(?=HTTP/1\.[01]\r)", rb"POST \1 ", data)
            peer = h11.Connection(h11.SERVER, max_incomplete_event_size=1_000_000)
            peer.receive_data(data)
            body = _read(peer)
            if body is None:
                break
            bodies.append(body)
            if peer.their_state is not h11.DONE:
                break
            data = peer.trailing_data[0]
    return bodies


def _read(peer: h11.Connection) -> bytes | None:
    """The body of the first request; None where it is incomplete, or not to a path that is offered."""
    body = b""
    while (event := peer.next_event()) is not h11.NEED_DATA:
        if isinstance(event, h11.Request) and (event.method != b"POST" or paths.find(event.target) is None):
            return None
        if isinstance(event, h11.Data):
            body += event.data
        if isinstance(event, h11.EndOfMessage):
            return body
    return None


LINES = st.sampled_from(
    [b"", b"", b"x-a: b\r\n", b"Accept: */*\r\n", b"x-request-id: mine\r\n", b"user-agent: a b\r\nx-c:\r\n"]
)
BODIES = st.binary(max_size=40) | st.sampled_from([b"0\r\n\r\n", b"{}", b"POST /v1/completions HTTP/1.1\r\n"])


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A valid request."""
    body = draw(BODIES)
    head = b"POST %b HTTP/1.1\r\nhost: g\r\n%b" % (PATH.encode(), draw(LINES))
    match draw(st.integers(0, 3)):
        case 0:
            border = draw(st.integers(0, len(body)))
            parts = [part for part in (body[:border], body[border:]) if part]
            sent = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
            return head + b"Transfer-Encoding: chunked\r\n\r\n" + sent + b"0\r\n\r\n"
        case 1:
            return head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        case _:
            return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


POISON = (
    b"\r\n", b"\n", b"\0", b" ", b"\r", b":", b"0", b"-1", b"content-length: 5\r\n", b"\r\n\r\n",
     b"host: h\r\n", b"transfer-encoding: chunked\r\n", b"transfer-encoding: gzip\r\n", b" folded\r\n",
     b"content-length: 0\r\n", b"connection: close\r\n", b"0\r\n\r\n", b"5\r\nhello\r\n",
     b"POST /v1/chat/completions HTTP/1.1\r\n",
)  # fmt: skip


SPOILT = fuzz.spoilt(requests(), POISON)


@st.composite
def conversations(draw: st.DrawFn, source: st.SearchStrategy[bytes]) -> list[bytes]:
    """Some requests, in pieces that know nothing of them, or each by itself: then heads may repeat."""
    sent = draw(st.lists(source, min_size=1, max_size=4))
    if draw(st.booleans()):
        return sent
    return draw(in_pieces(st.just(b"".join(sent))))


@st.composite
def alike(draw: st.DrawFn) -> list[bytes]:
    """Requests whose heads differ only in the length, which is not always right."""
    head = b"POST %b HTTP/1.1\r\nhost: g\r\n%b" % (PATH.encode(), draw(LINES))
    after = draw(LINES)
    wrong = st.sampled_from([0, 0, 0, 0, 1, -1])
    return [
        b"%bContent-Length: %d\r\n%b\r\n%b" % (head, max(0, len(body) + draw(wrong)), after, body)
        for body in draw(st.lists(BODIES, min_size=2, max_size=5))
    ]


@profile(300)
@given(conversations(requests()))
def test_every_valid_request_is_read_as_h11_reads_it(pieces: list[bytes]) -> None:
    assert by_us(pieces) == by_h11(b"".join(pieces))


@profile(600)
@given(conversations(requests() | SPOILT) | alike())
def test_no_request_is_read_that_h11_does_not_read(pieces: list[bytes]) -> None:
    ours, theirs = by_us(pieces), by_h11(b"".join(pieces))

    assert ours == theirs[: len(ours)], b"".join(pieces)
