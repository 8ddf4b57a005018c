"""Random answers in random pieces, right and wrong, read by the client and by h11: they must agree."""

import re
from collections.abc import Sequence
from contextlib import suppress

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fakes import fuzz
from fakes.fuzz import in_pieces, profile
from fakes.wires import Ear, Line, Read
from steelyard_gateway.upstream.connection import MOST_HEAD_BYTES
from steelyard_gateway.upstream.failure import BAD_FRAMING, HEAD_TOO_LARGE


def by_us(pieces: Sequence[bytes]) -> Read:
    """What the client reads on a connection of its own."""
    return Line().read(pieces)


def by_h11(pieces: Sequence[bytes]) -> Read:
    """What h11 reads in the same bytes.

    It refuses two things that we take, for they change nothing of what is passed on: empty lines before an
    answer, as RFC 9112 (2.2) has servers take, and odd bytes in the reason, which nobody sees. Where it
    refuses, it is asked again without them.
    """
    for attempt in (pieces, [_without_oddities(b"".join(pieces))]):
        with suppress(h11.RemoteProtocolError):
            return _by_h11(attempt)
    return Read()


def _without_oddities(data: bytes) -> bytes:
    """The bytes without empty lines before a head, and with a plain reason in it."""
    heads = b""
    while True:
        head, blank, data = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
        heads += re.sub(rb"\A(HTTP/\d\.\d \d\d\d)(?: [^\r\n]*)?(?=\r|\Z)", rb"\1 OK", head) + blank
        if re.match(rb"HTTP/1\.\d 1", head) is None:
            return heads + data


def _by_h11(pieces: Sequence[bytes]) -> Read:
    peer = h11.Connection(h11.CLIENT, max_incomplete_event_size=1_000_000)
    peer.send(h11.Request(method="POST", target="/", headers=[("host", "x")]))
    peer.send(h11.EndOfMessage())
    status, body = 0, b""
    for piece in (*pieces, b""):
        if piece or peer.their_state is not h11.DONE:
            peer.receive_data(piece)
        while True:
            event = peer.next_event()
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return Read(status, body, peer.their_state is h11.DONE)
            elif not isinstance(event, h11.InformationalResponse):
                break
    return Read()


def agree(ours: Read, theirs: Read) -> bool:
    """Whether we read what h11 reads, or are stricter: in what we refuse, and in what we keep."""
    if not ours.status:
        return True
    return (ours.status, ours.body) == (theirs.status, theirs.body) and theirs.keeps >= ours.keeps


TOKENS = st.text("abcdefgXYZ-_!1", min_size=1, max_size=8).map(lambda name: f"x-{name}".encode())
VALUES = st.text('abc XYZ:;,="/é\t', max_size=20).map(lambda value: value.strip().encode("latin-1"))
LINES = st.lists(st.tuples(TOKENS, VALUES), max_size=4).map(
    lambda lines: b"".join(b"%b: %b\r\n" % line for line in lines)
)
BODIES = st.binary(max_size=300) | st.sampled_from([b"0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"\r\n"])
INTERIM = st.sampled_from(
    [
        b"",
        b"",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early\r\nlink: x\r\ncontent-length: 3\r\n\r\n",
    ]
)


@st.composite
def chunked(draw: st.DrawFn, body: bytes) -> bytes:
    """The body in chunks, with extensions and trailers."""
    borders = sorted(draw(st.lists(st.integers(0, len(body)), max_size=4)))
    parts = [body[start:end] for start, end in zip((0, *borders), (*borders, len(body)), strict=True)]
    extension = draw(st.sampled_from([b"", b";a=b", b";a"]))
    form = draw(st.sampled_from([b"%x", b"%X", b"000%x"]))
    written = b"".join(form % len(part) + extension + b"\r\n" + part + b"\r\n" for part in parts if part)
    trailer = draw(st.sampled_from([b"", b"x-trailer: t\r\n"]))
    return written + b"0\r\n" + trailer + b"\r\n"


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """A valid answer."""
    status = draw(st.sampled_from([200, 200, 201, 204, 304, 400, 404, 500, 503]))
    head = draw(INTERIM) + b"HTTP/1.1 %d %b\r\n" % (status, draw(st.sampled_from([b"OK", b"", b"So so"])))
    head += draw(LINES)
    body = draw(BODIES)
    framing = draw(st.sampled_from(["length", "chunked", "close"]))
    if status in (204, 304):
        return head + (b"content-length: 7\r\n" if draw(st.booleans()) and status == 304 else b"") + b"\r\n"
    if framing == "length":
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    if framing == "chunked":
        return head + b"Transfer-Encoding: Chunked\r\n\r\n" + draw(chunked(body))
    return head + b"connection: close\r\n\r\n" + body


POISON = (
    b"\r\n", b"\n", b"\0", b" ", b"\r", b":", b"0", b"-1", b"ffffffffffffffff", b"content-length: 5\r\n",
     b"transfer-encoding: chunked\r\n", b"transfer-encoding: gzip\r\n", b"content-length: 6\r\n", b"\r\n\r\n",
     b" folded\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200 OK\r\n", b"connection: close\r\n", b"0\r\n\r\n",
     b"HTTP/1.1 099 No\r\n\r\n", b"HTTP/1.1 101 Go\r\n\r\n", b"5\r\nhello\r\n",
     b"transfer-encoding:\x0bchunked\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwrong",
)  # fmt: skip


SPOILT = fuzz.spoilt(answers(), POISON)


@profile(300)
@given(in_pieces(answers()))
def test_every_valid_answer_is_read_as_h11_reads_it(pieces: list[bytes]) -> None:
    read = by_us(pieces)

    assert read.status
    assert read == by_h11(pieces)


@profile(800)
@given(in_pieces(SPOILT))
@example([b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"])
@example([b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"])
@example([b"HTTP/1.1 099 OK\r\ncontent-length: 3\r\n\r\nbadHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"])
def test_a_spoilt_answer_fails_or_is_read_as_h11_reads_it(pieces: list[bytes]) -> None:
    assert agree(by_us(pieces), by_h11(pieces)), b"".join(pieces)


@profile(200)
@given(st.lists(in_pieces(st.one_of(answers(), answers(), SPOILT)), min_size=2, max_size=5))
def test_each_answer_on_a_kept_connection_is_that_to_its_own_request(turns: list[list[bytes]]) -> None:
    line = Line()
    for pieces in turns:
        assert agree(line.read(pieces), by_h11(pieces))
        if not line.is_free:
            break


@st.composite
def alike(draw: st.DrawFn) -> list[list[bytes]]:
    """Answers of one engine whose heads differ only in the length, which is not always right."""
    head = draw(INTERIM) + b"HTTP/1.1 200 OK\r\n" + draw(LINES)
    after = b"content-type: application/json\r\n" + draw(LINES)
    turns = []
    for body in draw(st.lists(BODIES, min_size=2, max_size=5)):
        length = len(body) + draw(st.sampled_from([0, 0, 0, 0, 1, -1]))
        sent = b"%bContent-Length: %d\r\n%b\r\n%b" % (head, max(0, length), after, body)
        turns.append([sent] if draw(st.integers(0, 3)) else draw(in_pieces(st.just(sent))))
    return turns


TWO_HEADS = (
    b"HTTP/1.1 103 A\r\ncontent-length: 70\r\n\r\n"
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 0\r\n\r\n"
)
"""The first length is that of all that follows, but belongs to an answer that has no body."""


@profile(200)
@given(alike())
@example([[TWO_HEADS]] * 2)
def test_answers_whose_heads_repeat_are_read_as_if_they_did_not(turns: list[list[bytes]]) -> None:
    line = Line()
    for pieces in turns:
        assert agree(line.read(pieces), by_h11(pieces)), b"".join(pieces)
        if not line.is_free:
            break


@st.composite
def chunk_by_chunk(draw: st.DrawFn) -> list[bytes]:
    """A stream as engines send it, a chunk in a piece, but for what is spoilt or cut otherwise."""
    parts = draw(st.lists(st.binary(min_size=1, max_size=40), min_size=2, max_size=6))
    form = draw(st.sampled_from([b"%x\r\n%b\r\n", b"%X\r\n%b\r\n", b"0%x\r\n%b\r\n", b"%x;a=b\r\n%b\r\n"]))
    pieces = [form % (len(part), part) for part in parts] + [b"0\r\n\r\n"]
    spoils = draw(st.integers(0, len(pieces)))
    if spoils < len(pieces):
        pieces[spoils] = draw(fuzz.spoilt(st.just(pieces[spoils]), POISON))
    at = draw(st.integers(0, len(pieces) - 2))
    cut = draw(st.integers(0, len(pieces[at])))
    moved = pieces[at][cut:] + pieces[at + 1]
    pieces[at : at + 2] = draw(st.sampled_from([pieces[at : at + 2], [pieces[at][:cut], moved]]))
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    return [piece for piece in (head, *pieces) if piece]


@profile(500)
@given(chunk_by_chunk())
@example(
    [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n1", b"2\r\n" + b"y" * 18, b"\r\n"]
)
def test_a_stream_that_comes_a_chunk_at_a_time_is_read_as_h11_reads_it(pieces: list[bytes]) -> None:
    assert agree(by_us(pieces), by_h11(pieces)), pieces


def test_whole_chunks_of_a_stream_are_handed_over_with_their_framing() -> None:
    ear, chunk = Ear(), b"a\r\n" + b"x" * 10 + b"\r\n"
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"

    read = Line().read([head, chunk, chunk, chunk[:5], chunk[5:], chunk, b"0\r\n\r\n"], ear)

    assert (read.body, ear.chunks) == (b"x" * 40, 2), "the first, and the one in two pieces, are parsed"


@profile(150)
@given(answers(), answers() | SPOILT, st.data())
def test_an_answer_that_nobody_asked_for_never_mixes_with_one_that_was(
    asked: bytes, surplus: bytes, data: st.DataObject
) -> None:
    pieces = data.draw(in_pieces(st.just(asked + surplus)))
    line = Line()
    read = line.read(pieces)

    assert agree(read, by_h11(pieces))
    assert not line.is_free or not surplus.strip(b"\r\n")


@profile(120)
@given(
    st.lists(st.tuples(in_pieces(answers()), st.sampled_from(["", "head", "data"])), min_size=2, max_size=5)
)
def test_of_a_call_that_was_cancelled_nothing_reaches_the_next(turns: list[tuple[list[bytes], str]]) -> None:
    line = Line()
    for pieces, cancels_at in turns:
        assert agree(line.read(pieces, Ear(cancels_at)), by_h11(pieces))
        if not line.is_free:
            break


def test_bytes_that_nobody_asked_for_close_a_kept_connection() -> None:
    line = Line()
    assert line.read([b"HTTP/1.1 204 No\r\n\r\n"]) == (204, b"", True)
    line.hear([b"HTTP/1.1 408 Late\r\n\r\n"])
    assert line.wire.closed


def test_a_connection_that_the_engine_will_close_is_not_kept() -> None:
    line = Line()
    read = line.read([b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"])

    assert read == (200, b"ok", False)
    assert line.wire.closed


def test_an_interim_answer_says_nothing_about_the_end_of_the_final_one() -> None:
    sent = b"HTTP/1.1 103 Early\r\ncontent-length: 3\r\n\r\nHTTP/1.1 200 OK\r\n\r\nuntil the close"

    assert by_us([sent]) == (200, b"until the close", False)


FLOODS = {
    "interim answers": (b"HTTP/1.1 103 Early\r\nx-a: b\r\n\r\n", HEAD_TOO_LARGE),
    "header lines": (b"HTTP/1.1 200 OK\r\n" + b"x-a: b\r\n" * 100, HEAD_TOO_LARGE),
    "empty lines": (b"\r\n" * 100, HEAD_TOO_LARGE),
    "one chunk's extension": (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;" + b"x" * 200,
        BAD_FRAMING,
    ),
    "trailers": (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n" + b"x: y\r\n" * 100,
        BAD_FRAMING,
    ),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_what_is_no_body_does_not_go_on_for_ever(flood: str) -> None:
    start, failure = FLOODS[flood]
    more = start if flood == "interim answers" else start[-6:] * 10 if flood != "empty lines" else start
    line = Line()
    ear = line.ask()
    line.hear([start, *[more] * (2 * MOST_HEAD_BYTES // len(more))])

    assert ear.ends == [failure]
    assert line.wire.closed
