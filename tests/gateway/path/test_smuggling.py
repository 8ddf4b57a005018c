"""Requests that two servers would cut apart differently: refused, and nothing behind them is executed."""

import re
import socket

import pytest

from fakes import engines, gateways
from fakes.engines import Ask, answer
from steelyard_gateway.client_connection import Limits
from steelyard_gateway.ports import Reply
from steelyard_gateway.protocol import MOST_HEAD_BYTES

BODY = b'{"model":"asked"}'
SMUGGLED = b'{"model":"asked","smuggled":true}'
LINE = b"POST /v1/chat/completions HTTP/1.1\r\n"
HEAD = LINE + b"host: g\r\n"
LENGTH = b"content-length: %d\r\n" % len(BODY)
CHUNKED = b"transfer-encoding: chunked\r\n"
IN_CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)


def coded(*values: bytes) -> bytes:
    """A request in chunks with these transfer codings, one a line."""
    return HEAD + b"".join(b"transfer-encoding: %b\r\n" % value for value in values) + b"\r\n" + IN_CHUNKS


def long(value: bytes) -> bytes:
    """A request with this length."""
    return HEAD + b"content-length: %b\r\n\r\n%b" % (value, BODY)


def lined(lines: bytes) -> bytes:
    """A request with a good length and these lines besides."""
    return HEAD + lines + LENGTH + b"\r\n" + BODY


def chunks(data: bytes) -> bytes:
    """A request whose body is framed so."""
    return HEAD + CHUNKED + b"\r\n" + data


REFUSED = {
    "a length and chunks": HEAD + LENGTH + CHUNKED + b"\r\n" + IN_CHUNKS,
    "chunks and a length": HEAD + CHUNKED + LENGTH + b"\r\n" + IN_CHUNKS,
    "chunks twice": coded(b"chunked", b"chunked"),
    "chunks twice in a list": coded(b"chunked, chunked"),
    "chunks, then nothing": coded(b"chunked", b"identity"),
    "nothing, then chunks": coded(b"identity", b"chunked"),
    "chunks in another coding": coded(b"gzip, chunked"),
    "another coding in chunks": coded(b"chunked, gzip"),
    "a coding that is none": coded(b"identity"),
    "a coding that nobody knows": coded(b"chunkedx"),
    "a coding with a parameter": coded(b"chunked;q=1"),
    "a coding in quotes": coded(b'"chunked"'),
    "a coding after a comma": coded(b",chunked"),
    "a coding before a comma": coded(b"chunked,"),
    "a coding after a vertical tab": coded(b"\x0bchunked"),
    "a coding after a null byte": coded(b"\0chunked"),
    "an empty coding": coded(b""),
    "an empty coding and a length": HEAD + b"transfer-encoding:\r\n" + LENGTH + b"\r\n" + BODY,
    "a coding after a fold": HEAD + b"transfer-encoding:\r\n chunked\r\n\r\n" + IN_CHUNKS,
    "a space before the coding's name": HEAD + b" transfer-encoding: chunked\r\n\r\n" + IN_CHUNKS,
    "a space after the coding's name": HEAD + b"transfer-encoding : chunked\r\n\r\n" + IN_CHUNKS,
    "chunks in HTTP/1.0": coded(b"chunked").replace(b"HTTP/1.1", b"HTTP/1.0"),
    "two lengths": lined(b"content-length: 0\r\n"),
    "the same length twice": lined(LENGTH),
    "a list of lengths": long(b"17, 17"),
    "a length with a plus": long(b"+17"),
    "a length with a minus": long(b"-17"),
    "a length in two words": long(b"1 7"),
    "a hexadecimal length": long(b"0x11"),
    "a length with an underscore": long(b"1_7"),
    "a fraction": long(b"17.0"),
    "an empty length": long(b""),
    "a length after a control byte": long(b"\x0117"),
    "a length beyond 64 bits": long(b"18446744073709551633"),
    "a folded header": lined(b"x-a: b\r\n c\r\n"),
    "a fold before any header": LINE + b" x-a: b\r\nhost: g\r\n" + LENGTH + b"\r\n" + BODY,
    "a bare line feed after the request line": LINE[:-2] + b"\nhost: g\r\n" + LENGTH + b"\r\n" + BODY,
    "a bare line feed after a header": lined(b"x-a: b\n"),
    "a bare line feed at the end of the head": HEAD + LENGTH + b"\n" + BODY,
    "a bare carriage return in a header": lined(b"x-a: b\rx-c: d\r\n"),
    "a bare carriage return after a header": lined(b"x-a: b\r"),
    "a null byte in a value": lined(b"x-a: b\0c\r\n"),
    "a null byte in a name": lined(b"x\0a: b\r\n"),
    "a space in a name": lined(b"x a: b\r\n"),
    "a header without a name": lined(b": b\r\n"),
    "a header without a colon": lined(b"x-a\r\n"),
    "a space before the colon": HEAD + b"content-length : 17\r\n\r\n" + BODY,
    "a space in the target": lined(b"").replace(b"completions ", b"completions x "),
    "no host": LINE + LENGTH + b"\r\n" + BODY,
    "two hosts": lined(b"host: h\r\n"),
    "the same host twice": lined(b"host: g\r\n"),
    "HTTP/0.9": lined(b"").replace(b"HTTP/1.1", b"HTTP/0.9"),
    "HTTP/1.2": lined(b"").replace(b"HTTP/1.1", b"HTTP/1.2"),
    "HTTP/2.0": lined(b"").replace(b"HTTP/1.1", b"HTTP/2.0"),
    "a tunnel": b"CONNECT g:80 HTTP/1.1\r\nhost: g\r\n\r\n",
    "a tunnel to an offered path": b"CONNECT /v1/chat/completions HTTP/1.1\r\nhost: g\r\n\r\n",
    "a chunk of negative size": chunks(b"-1\r\n{}\r\n0\r\n\r\n"),
    "a chunk's size after a space": chunks(b" " + IN_CHUNKS),
    "a chunk's size before a space": chunks(IN_CHUNKS.replace(b"11\r\n", b"11 \r\n")),
    "a chunk's size as in C": chunks(b"0x" + IN_CHUNKS),
    "a chunk's size beyond 64 bits": chunks(b"100000000000000" + IN_CHUNKS),
    "a bare line feed after a chunk's size": chunks(IN_CHUNKS.replace(b"11\r\n", b"11\n")),
    "a bare line feed after a chunk's extension": chunks(IN_CHUNKS.replace(b"11\r\n", b"11;a=b\n")),
    "a bare carriage return in a chunk's extension": chunks(IN_CHUNKS.replace(b"11\r\n", b"11;a\rb\r\n")),
    "a bare line feed after a chunk": chunks(IN_CHUNKS.replace(b"}\r\n", b"}\n")),
    "a bare line feed at the end of the chunks": chunks(IN_CHUNKS[:-2] + b"\n"),
    "a chunk without an end": chunks(IN_CHUNKS.replace(b"}\r\n", b"}")),
    "a chunk longer than it says": chunks(IN_CHUNKS.replace(b"11", b"10")),
    "a length in a trailer": chunks(IN_CHUNKS[:-2] + b"content-length: 5\r\n\r\n"),
    "a coding in a trailer": chunks(IN_CHUNKS[:-2] + CHUNKED + b"\r\n"),
}


def echo(ask: Ask) -> None:
    ask.send(answer(ask.body))


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_and_the_request_behind_it_never_executed(case: str) -> None:
    with (
        engines.engine(echo) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        line.send(REFUSED[case] + gateways.post(SMUGGLED))
        got = line.read()
        rest = line.read_to_end()
        outcomes = gateway.recorder.wait_for(1)

    assert (got.status, got.error()["code"], got.headers["connection"]) == (400, "malformed_http", "close")
    assert (rest, up.asks, gateway.router.seen, len(outcomes)) == (b"", [], [], 1)


def test_it_is_refused_in_the_middle_of_good_requests_once_those_before_it_are_answered() -> None:
    with (
        engines.engine(echo) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        line.send(gateways.post(BODY) * 2 + REFUSED["nothing, then chunks"] + gateways.post(SMUGGLED))
        statuses = [line.read().status for _ in range(3)]
        rest = line.read_to_end()

    assert (statuses, rest) == ([200, 200, 400], b"")
    assert [ask.body for ask in up.asks] == [b'{"model":"tiny"}'] * 2


def test_it_is_refused_however_it_is_cut_into_packets() -> None:
    with gateways.gateway() as gateway:
        for case, sent in REFUSED.items():
            with gateway.line() as line:
                line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for start in range(0, len(sent), 7):
                    line.send(sent[start : start + 7])
                assert (case, line.read().status) == (case, 400)

    assert gateway.router.seen == []


TAKEN = {
    "another case": coded(b"CHUNKED"),
    "a tab before the coding": coded(b"\tchunked"),
    "a space after the coding": coded(b"chunked "),
    "a space after the length": long(b"17 "),
    "zeros before the length": long(b"0017"),
    "an empty line before it": b"\r\n" + lined(b""),
    "a chunk's extension": chunks(IN_CHUNKS.replace(b"11\r\n", b'11;a=b;c="d"\r\n')),
    "trailers": chunks(IN_CHUNKS[:-2] + b"host: h\r\nauthorization: Bearer trailer\r\n\r\n"),
    "a wish for another protocol": lined(b"connection: upgrade\r\nupgrade: websocket\r\n"),
}


@pytest.mark.parametrize("case", TAKEN)
def test_what_has_one_meaning_is_taken_and_so_is_the_request_behind_it(case: str) -> None:
    with (
        engines.engine(echo) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        line.send(TAKEN[case] + gateways.post(b'{"model":"asked","n":2}'))
        bodies = [line.read().body for _ in range(2)]

    assert bodies == [b'{"model":"tiny"}', b'{"model":"tiny","n":2}']
    assert {b"transfer-encoding", b"upgrade", b"trailer"}.isdisjoint(up.asks[0].headers)
    assert b"authorization" not in up.asks[0].headers
    assert b"trailer" not in up.asks[1].head


def test_an_old_client_need_not_name_a_host() -> None:
    with (
        engines.engine(echo) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        old = (LINE + LENGTH + b"\r\n" + BODY).replace(b"HTTP/1.1", b"HTTP/1.0")
        got = line.send(old + gateways.post(SMUGGLED)).read_to_end()

    assert re.match(rb"HTTP/1.1 200 ", got)
    assert len(up.asks) == 1


def test_what_is_sent_behind_a_request_that_closes_is_never_executed() -> None:
    with (
        engines.engine(echo) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        got = line.send(gateways.post(BODY, headers="connection: close\r\n") + gateways.post(SMUGGLED))
        answers = got.read_to_end()

    assert answers.count(b"HTTP/1.1 ") == 1
    assert [ask.body for ask in up.asks] == [b'{"model":"tiny"}']


def test_a_page_of_another_protocol_is_given_in_http_and_the_request_behind_it_too() -> None:
    wish = b"GET /page HTTP/1.1\r\nhost: g\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    with (
        engines.engine(echo) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        line.send(wish + gateways.post(BODY))
        bodies = [line.read().body for _ in range(2)]

    assert bodies == [b"asgi /page 0", b'{"model":"tiny"}']


@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_a_long_head_is_refused_however_few_packets_it_comes_in(pieces: int) -> None:
    sent = HEAD + b"x-filler: %b\r\n" % (b"x" * 900) * 100 + LENGTH + b"\r\n" + BODY
    size = len(sent) // pieces + 1
    with gateways.gateway() as gateway, gateway.line() as line:
        for start in range(0, len(sent), size):
            line.send(sent[start : start + size])
        got = line.read()
        rest = line.send(gateways.post(SMUGGLED)).read_to_end()

    assert (got.status, got.error()["code"], rest) == (431, "head_too_large", b"")
    assert gateway.router.seen == []


def test_a_long_body_and_the_head_behind_it_are_no_long_head() -> None:
    text = b'{"model":"asked","text":"%b"}' % (b"x" * 3 * MOST_HEAD_BYTES)
    with gateways.gateway() as gateway, gateway.line() as line:
        gateway.router.replies["/v1/chat/completions"] = Reply(200, b"{}")
        line.send(gateways.post(text) * 3)
        statuses = [line.read().status for _ in range(3)]

    assert statuses == [200] * 3


def test_a_body_in_chunks_that_grows_too_large_within_one_packet_is_refused() -> None:
    sent = HEAD + CHUNKED + b"\r\n" + engines.chunk(b"x" * 100) * 30
    with gateways.gateway(limits=Limits(body_bytes=1_000)) as gateway, gateway.line() as line:
        got = line.send(sent).read()
        rest = line.read_to_end()

    assert (got.status, got.error()["code"], rest) == (413, "body_too_large", b"")
