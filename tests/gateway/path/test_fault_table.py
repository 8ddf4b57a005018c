"""The fault table, row by row and phase by phase: what the client gets, and what the next engine got."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import NamedTuple

import pytest

from fakes import engines, gateways
from fakes.engines import Ask, Script, answer, chunk, says, stream_head

GOOD = b'{"answer":"good"}'
PLAIN, STREAMED = b'{"model":"asked"}', b'{"model":"asked","stream":true}'
ASKED = {PLAIN: b'{"model":"tiny"}', STREAMED: b'{"model":"tiny","stream":true}'}
KINDS = pytest.mark.parametrize("body", [PLAIN, STREAMED], ids=["plain", "streamed"])
EVENT = b'data: {"choices":[]}\n\n'
DONE = b"data: [DONE]\n\n"

RESET = "closed the connection before it answered"
CUT = "closed the connection in the middle of its answer"
NOT_HTTP = "sent something that is not valid HTTP/1.1"
TOO_LONG = "sent a response head of more than 64 kB"
TOO_LATE = {PLAIN: "did not finish its answer within 0.3 s", STREAMED: "sent no first byte within 0.3 s"}


def then(data: bytes, end: Script) -> Script:
    """Send this, and end so."""

    def script(ask: Ask) -> None:
        ask.send(data)
        end(ask)

    return script


def closes(ask: Ask) -> None:
    ask.close()


def resets(ask: Ask) -> None:
    ask.reset()


def hangs(ask: Ask) -> None:
    ask.wait_for_hang_up()


def floods(data: bytes) -> Script:
    """Send this over and over until the gateway has enough."""

    def script(ask: Ask) -> None:
        while not ask.stopped.is_set():
            try:
                ask.connection.sendall(data * 50)
            except OSError:
                break

    return script


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nlink: secret\r\n\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"


class Fault(NamedTuple):
    """A row: what an engine does before anything of its answer can be passed on."""

    script: Script
    words: str = ""
    """What is said of it; empty: that it was too late."""


FAULTS = {
    "closes before the head": Fault(closes, RESET),
    "is reset before the head": Fault(resets, RESET),
    "closes inside the status line": Fault(then(b"HTTP/1.1 2", closes), RESET),
    "is reset inside the status line": Fault(then(b"HTTP/1.1 2", resets), RESET),
    "is reset inside the headers": Fault(then(HEAD, resets), RESET),
    "is reset after an interim answer": Fault(then(INTERIM, resets), RESET),
    "is reset after the head": Fault(then(stream_head(), resets), CUT),
    "is reset inside the first chunk's size": Fault(then(stream_head() + b"1", resets), CUT),
    "closes after the head": Fault(then(HEAD + b"content-length: 9\r\n\r\n", closes), CUT),
    "sends a header without end": Fault(floods(HEAD + b"x-secret: " + b"x" * 1000), TOO_LONG),
    "sends headers without end": Fault(then(HEAD, floods(b"x-secret: secret\r\n")), TOO_LONG),
    "sends one header of 80 kB": Fault(says(HEAD + b"x-secret: " + b"x" * 80_000 + b"\r\n\r\n"), TOO_LONG),
    "sends interim answers without end": Fault(floods(INTERIM), TOO_LONG),
    "sends empty lines without end": Fault(floods(b"\r\n"), TOO_LONG),
    "switches protocols": Fault(says(b"HTTP/1.1 101 Go\r\nupgrade: x\r\n\r\n"), NOT_HTTP),
    "sends a status that is none": Fault(says(b"HTTP/1.1 099 No\r\n\r\n"), NOT_HTTP),
    "speaks HTTP/2": Fault(says(b"\0\0\x12\x04\0\0\0\0\0secret"), NOT_HTTP),
    "speaks TLS": Fault(says(b"\x15\x03\x03\0\x02\x02\x46"), NOT_HTTP),
    "sends a folded header": Fault(says(HEAD + b" secret\r\ncontent-length: 2\r\n\r\n{}"), NOT_HTTP),
    "sends a negative length": Fault(says(HEAD + b"content-length: -2\r\n\r\n{}"), NOT_HTTP),
    "sends a length of words": Fault(says(HEAD + b"content-length: two\r\n\r\n{}"), NOT_HTTP),
    "sends two lengths": Fault(
        says(HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}"), NOT_HTTP
    ),
    "sends a length and chunks": Fault(
        says(HEAD + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"), NOT_HTTP
    ),
    "sends a first chunk of no size": Fault(says(CHUNKED + b"\r\nsecret\r\n"), NOT_HTTP),
    "sends a first chunk of negative size": Fault(says(CHUNKED + b"-6\r\nsecret\r\n"), NOT_HTTP),
    "sends a first chunk of a size beyond 64 bits": Fault(
        says(CHUNKED + b"fffffffffffffffff\r\nsecret\r\n"), NOT_HTTP
    ),
    "extends its first chunk's size without end": Fault(
        then(CHUNKED + b"6;", floods(b"x" * 100)), NOT_HTTP
    ),
    "redirects": Fault(
        says(answer(b"secret", "307 Temporary Redirect", b"location: http://127.0.0.1/\r\n")),
        "answered 307, a redirect, and none is followed: correct the backend's url",
    ),
    "says that nothing was modified": Fault(
        says(b"HTTP/1.1 304 Not Modified\r\netag: secret\r\n\r\n"),
        "answered 304, a redirect, and none is followed: correct the backend's url",
    ),
    "sends a page of a proxy": Fault(
        says(answer(b"<html>secret</html>", "502 Bad Gateway", b"content-type: text/html\r\n")),
        "answered 502",
    ),
    "hangs before the head": Fault(hangs),
    "hangs inside the status line": Fault(then(b"HTTP/1.1 2", hangs)),
    "hangs inside the headers": Fault(then(HEAD, hangs)),
    "hangs after an interim answer": Fault(then(INTERIM, hangs)),
    "hangs after the head": Fault(then(stream_head(), hangs)),
    "hangs inside the first chunk's size": Fault(then(stream_head() + b"1", hangs)),
}  # fmt: skip


@contextmanager
def alone(script: Script) -> Iterator[gateways.RunningGateway]:
    """A gateway before one engine."""
    with (
        engines.engine(script) as up,
        gateways.gateway(gateways.endpoint(up.port, "bad", gateways.SHORT)) as gateway,
    ):
        yield gateway


class Pair(NamedTuple):
    """A gateway before an engine that fails and one that does not."""

    gateway: gateways.RunningGateway
    bad: engines.Engine
    good: engines.Engine


@contextmanager
def pair(script: Script) -> Iterator[Pair]:
    """The first engine follows the script."""
    with (
        engines.engine(script) as bad,
        engines.engine(says(answer(GOOD))) as good,
        gateways.gateway(
            gateways.endpoint(bad.port, "bad", gateways.SHORT), gateways.endpoint(good.port, "good")
        ) as gateway,
    ):
        yield Pair(gateway, bad, good)


@KINDS
@pytest.mark.parametrize("case", FAULTS)
def test_without_another_engine_the_client_is_told_how_this_one_failed(case: str, body: bytes) -> None:
    fault = FAULTS[case]
    late = not fault.words
    with alone(fault.script) as gateway, gateway.line() as line:
        got = line.post(body).read()
        outcome = gateway.recorder.wait_for(1)[0]
        again = line.send(b"GET /v1/chat/completions HTTP/1.1\r\nhost: g\r\n\r\n").read()

    expected = (504, "upstream_timeout") if late else (502, "bad_upstream")
    error = got.error()
    assert (got.status, error["code"], error["type"]) == (*expected, "server_error")
    assert error["message"].startswith("No backend could answer: bad@127.0.0.1:")
    assert error["message"].endswith(f" {fault.words or TOO_LATE[body]}.")
    assert got.headers["content-type"] == "application/json"
    assert b"secret" not in got.body
    assert (outcome.status, outcome.code) == expected
    assert again.status == 405


@KINDS
@pytest.mark.parametrize("case", FAULTS)
def test_the_next_engine_gets_the_same_request_and_its_answer_is_the_clients(case: str, body: bytes) -> None:
    fault = FAULTS[case]
    with pair(fault.script) as (gateway, bad, good):
        got = gateway.ask(body, headers="x-request-id: mine\r\nx-custom: kept\r\n")
        outcomes = gateway.recorder.wait_for(1)

    assert [ask.body for ask in bad.asks] == [ASKED[body]]
    if not fault.words and body == PLAIN:
        assert (got.status, got.error()["code"], good.asks) == (504, "upstream_timeout", [])
        return
    assert (got.status, got.body, got.headers["x-steelyard-attempts"]) == (200, GOOD, "2")
    assert [ask.body for ask in good.asks] == [ASKED[body]]
    host = b"127.0.0.1:%d" % good.port
    assert good.asks[0].headers == bad.asks[0].headers | {b"host": host}
    assert [(one.status, one.code, one.attempts) for one in outcomes] == [(200, "", 2)]


LENGTH, CHUNK = b"content-length: 100\r\n\r\n{secret", b"transfer-encoding: chunked\r\n\r\n7\r\n{secret"
HALVES = {
    "closes in mid-body": (LENGTH, closes, CUT),
    "is reset in mid-body": (LENGTH, resets, CUT),
    "closes in mid-chunk": (CHUNK[:-1], closes, CUT),
    "is reset in mid-chunk": (CHUNK[:-1], resets, CUT),
    "closes between chunks": (CHUNK + b"\r\n", closes, CUT),
    "closes after the last chunk, which it does not end": (CHUNK + b"\r\n0\r\n", closes, CUT),
    "is reset without a length": (b"\r\n{secret", resets, CUT),
    "sends a chunk longer than it says": (CHUNK, says(b"}}\r\n"), NOT_HTTP),
    "ends a chunk with a line feed": (CHUNK, says(b"\n2\r\n}}\r\n"), NOT_HTTP),
    "sends a second chunk of no size": (CHUNK, says(b"\r\nzz\r\n"), NOT_HTTP),
    "extends a chunk's size without end": (CHUNK, then(b"\r\n1;", floods(b"x" * 100)), NOT_HTTP),
    "sends trailers without end": (CHUNK, then(b"\r\n0\r\n", floods(b"x-secret: secret\r\n")), NOT_HTTP),
    "hangs in mid-body": (LENGTH, hangs, ""),
    "hangs in mid-chunk": (CHUNK[:-1], hangs, ""),
}


@pytest.mark.parametrize("case", HALVES)
def test_of_an_answer_that_breaks_off_nothing_is_passed_on_where_it_was_not_to_be_streamed(case: str) -> None:
    half, end, words = HALVES[case]
    with alone(then(HEAD + half, end)) as gateway:
        told = gateway.ask(PLAIN)
    with pair(then(HEAD + half, end)) as (gateway, _, good):
        got = gateway.ask(PLAIN)

    assert told.error()["message"].endswith(f" {words or TOO_LATE[PLAIN]}.")
    assert told.status == (502 if words else 504)
    if words:
        assert (got.status, got.body, [ask.body for ask in good.asks]) == (200, GOOD, [ASKED[PLAIN]])
    else:
        assert (got.status, good.asks) == (504, [])
    assert b"secret" not in told.body + got.body


@pytest.mark.parametrize("case", HALVES)
def test_what_is_streamed_but_no_events_breaks_off_for_the_client_too(case: str) -> None:
    half, end, _ = HALVES[case]
    heard = Event()

    def script(ask: Ask) -> None:
        ask.send(HEAD + half)
        assert heard.wait(engines.SECONDS)
        end(ask)

    with pair(script) as (gateway, _, good), gateway.line() as line:
        line.post(STREAMED).wait_for(b"{secre")
        heard.set()
        rest = line.read_to_end()
        outcome = gateway.recorder.wait_for(1)[0]

    assert not rest.endswith(b"0\r\n\r\n")
    assert (outcome.status, outcome.code, good.asks) == (200, "stream_cut", [])


CUTS = {
    "closes": (closes, CUT),
    "is reset": (resets, CUT),
    "hangs": (hangs, "sent nothing for 0.3 s in the middle of its answer"),
    "hangs in a chunk's size": (then(b"1", hangs), "sent nothing for 0.3 s in the middle of its answer"),
    "is reset in mid-chunk": (then(b"ff\r\ndata: {", resets), CUT),
    "sends a chunk of no size": (says(b"zz\r\n"), NOT_HTTP),
    "sends a chunk of negative size": (says(b"-1\r\n"), NOT_HTTP),
    "sends another answer": (says(answer(b"secret")), NOT_HTTP),
    "ends in good order, but too early": (says(b"0\r\n\r\n"), "ended its stream without [DONE]"),
}


@pytest.mark.parametrize("case", CUTS)
def test_a_stream_of_events_ends_with_an_error_event_and_nobody_else_is_asked(case: str) -> None:
    end, words = CUTS[case]
    heard = Event()

    def script(ask: Ask) -> None:
        ask.send(stream_head() + chunk(EVENT))
        assert heard.wait(engines.SECONDS)
        end(ask)

    with pair(script) as (gateway, bad, good), gateway.line() as line:
        line.post(STREAMED).wait_for(EVENT)
        heard.set()
        got = line.read()
        outcome = gateway.recorder.wait_for(1)[0]

    said, error = got.body[: len(EVENT)], gateways.Answer(200, {}, got.body[len(EVENT) + 6 :]).error()
    assert (got.status, said) == (200, EVENT)
    assert got.body.endswith(b"}\n\n")
    assert error["code"] == outcome.code == "stream_cut"
    assert error["message"] == f"The answer was cut off: bad@127.0.0.1:{bad.port} {words}."
    assert good.asks == []


RUNNER_KILLED = Path(__file__).parents[2] / "recordings/ollama-0.17.4/v1_chat_stream_runner_killed"


def test_an_ollama_whose_runner_was_killed_ends_its_stream_cleanly_and_that_is_an_error() -> None:
    head = RUNNER_KILLED.with_suffix(".headers").read_bytes()
    body = RUNNER_KILLED.with_suffix(".body").read_bytes()
    with pair(says(head + chunk(body) + b"0\r\n\r\n")) as (gateway, _, good):
        got = gateway.ask(STREAMED)
        outcome = gateway.recorder.wait_for(1)[0]

    assert got.body.startswith(body + b'data: {"error":{"message":"The answer was cut off: bad@127.0.0.1:')
    assert (outcome.code, gateway.endpoints.told[-1], good.asks) == ("stream_cut", ("failed", "bad"), [])


def test_a_length_too_short_gives_the_client_so_much_and_the_next_request_a_new_connection() -> None:
    sent = HEAD + b"content-length: 2\r\n\r\n{}secret\r\n"
    with (
        engines.engine(says(sent)) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        got = [line.post(body).read() for body in (PLAIN, STREAMED, PLAIN)]

    assert [(one.status, one.body, one.headers["content-length"]) for one in got] == [(200, b"{}", "2")] * 3
    assert up.connections == 3


def test_a_second_answer_to_one_request_reaches_nobody() -> None:
    sent = answer(b'{"n":1}') + answer(b'{"secret":1}')
    with (
        engines.engine(says(sent)) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        got = [line.post(body).read().body for body in (PLAIN, STREAMED, PLAIN)]

    assert got == [b'{"n":1}'] * 3
    assert up.connections == 3


@KINDS
@pytest.mark.parametrize("headers", [b"", b"content-length: 5\r\n", b"transfer-encoding: chunked\r\n"])
def test_no_content_is_passed_on_as_such_whatever_its_headers_say(headers: bytes, body: bytes) -> None:
    sent = b"HTTP/1.1 204 No Content\r\nx-custom: kept\r\n" + headers + b"\r\n"
    with (
        engines.engine(says(sent)) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        got = [line.post(body).read() for _ in range(2)]

    assert [(one.status, one.body, one.headers["x-custom"]) for one in got] == [(204, b"", "kept")] * 2
    assert all({"content-length", "transfer-encoding"}.isdisjoint(one.headers) for one in got)


@pytest.mark.parametrize("status", ["300 Many", "301 Moved", "302 Found", "303 Other", "307 T", "308 P"])
def test_a_redirect_is_never_followed(status: str) -> None:
    with engines.engine(says(answer(GOOD))) as target:
        location = b"location: http://127.0.0.1:%d/v1/chat/completions\r\n" % target.port
        with alone(says(answer(b"secret", status, location))) as gateway:
            got = gateway.ask()

    assert (got.status, got.error()["code"], target.connections) == (502, "bad_upstream", 0)
    assert "location" not in got.headers
