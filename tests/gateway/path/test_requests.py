"""How requests are read: in order, within limits, and never in two ways."""

import socket
from threading import Event

import pytest

from fakes import engines, gateways
from fakes.engines import Ask, answer, says
from steelyard_gateway.ports import Reply

GOOD = b'{"answer":"good"}'
BODY = b'{"model":"asked"}'
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\n"


def echo(ask: Ask) -> None:
    ask.send(answer(ask.body))


def test_one_connection_carries_many_requests() -> None:
    with (
        engines.engine(echo) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        bodies = [line.post(b'{"model":"asked","n":%d}' % number).read().body for number in range(5)]

    assert bodies == [b'{"model":"tiny","n":%d}' % number for number in range(5)]
    assert up.connections == 1


def test_pipelined_requests_are_answered_in_order_though_the_first_takes_longest() -> None:
    second_came = Event()

    def script(ask: Ask) -> None:
        if b'"n":0' in ask.body:
            assert not second_came.wait(0.1)
        else:
            second_came.set()
        echo(ask)

    with (
        engines.engine(script) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        line.send(b"".join(gateways.post(b'{"model":"asked","n":%d}' % number) for number in range(4)))
        bodies = [line.read().body for _ in range(4)]

    assert bodies == [b'{"model":"tiny","n":%d}' % number for number in range(4)]


def test_proxied_requests_and_pages_are_answered_in_order_on_one_connection() -> None:
    page = b"POST /page HTTP/1.1\r\nhost: g\r\ncontent-length: 3\r\n\r\nabc"
    with (
        engines.engine(echo) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        line.send(page + gateways.post(BODY) + page + page + gateways.post(BODY) + gateways.post(BODY) + page)
        bodies = [line.read().body for _ in range(7)]

    mine, theirs = b'{"model":"tiny"}', b"asgi /page 3"
    assert bodies == [theirs, mine, theirs, theirs, mine, mine, theirs]


def test_a_thousand_pipelined_requests_that_need_no_engine_are_all_answered() -> None:
    one = b"GET /v1/models HTTP/1.1\r\nhost: g\r\n\r\n"
    with gateways.gateway() as gateway, gateway.line() as line:
        gateway.router.replies["/v1/models"] = Reply(200, b"{}")
        line.send(one * 2_000)
        statuses = [line.read().status for _ in range(2_000)]

    assert statuses == [200] * 2_000


def test_a_request_may_come_byte_by_byte() -> None:
    with (
        engines.engine(echo) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        for byte in gateways.post(BODY):
            line.send(bytes([byte]))
        got = line.read()

    assert got.body == b'{"model":"tiny"}'


def test_a_chunked_body_is_put_together_and_its_trailers_are_dropped() -> None:
    sent = b"transfer-encoding: chunked\r\n\r\n5;ext=1\r\n" + BODY[:5] + b"\r\nc\r\n" + BODY[5:] + b"\r\n"
    with (
        engines.engine(echo) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        got = line.send(HEAD + sent + b"0\r\nx-trailer: t\r\n\r\n").read()
        again = line.post(BODY).read()

    assert got.body == again.body == b'{"model":"tiny"}'
    assert b"x-trailer" not in up.asks[1].headers


def test_a_client_that_waits_for_100_continue_gets_it() -> None:
    with (
        engines.engine(echo) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        line.send(HEAD + b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(BODY))
        line.wait_for(b"HTTP/1.1 100 Continue\r\n\r\n")
        got = line.send(BODY).read()

    assert (got.status, got.body) == (200, b'{"model":"tiny"}')
    assert b"expect" not in up.asks[0].headers


def test_a_client_that_asks_to_close_is_closed() -> None:
    with (
        engines.engine(echo) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        got = line.post(BODY, headers="connection: close\r\n").read_to_end()

    assert b"\r\nconnection: close\r\n" in got


def test_a_wish_for_http_2_is_declined_by_answering_in_http_1() -> None:
    wish = "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n"
    with (
        engines.engine(echo) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        line.send(gateways.post(BODY, headers=wish) + gateways.post(b'{"model":"asked","n":2}', headers=wish))
        bodies = [line.read().body for _ in range(2)]

    assert bodies == [b'{"model":"tiny"}', b'{"model":"tiny","n":2}']
    assert {b"connection", b"upgrade", b"http2-settings"}.isdisjoint(up.asks[0].headers)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/chat/completions", "OPTIONS, POST"),
        ("HEAD", "/v1/embeddings", "OPTIONS, POST"),
        ("POST", "/v1/models", "GET, HEAD, OPTIONS"),
        ("DELETE", "/v1/models/x", "GET, HEAD, OPTIONS"),
    ],
)
def test_a_wrong_method_is_answered_with_those_that_are_right(method: str, path: str, allowed: str) -> None:
    with gateways.gateway() as gateway, gateway.line() as line:
        request = f"{method} {path} HTTP/1.1\r\nhost: g\r\ncontent-length: 2\r\n\r\n{{}}".encode()
        got = [line.send(request).read(method=method) for _ in range(2)]

    assert [(one.status, one.headers["allow"]) for one in got] == [(405, allowed)] * 2
    assert method == "HEAD" or got[0].error()["code"] == "method_not_allowed"


def test_the_question_for_methods_is_answered_without_a_body() -> None:
    with gateways.gateway() as gateway, gateway.line() as line:
        got = [line.send(b"OPTIONS /v1/score HTTP/1.1\r\nhost: g\r\n\r\n").read() for _ in range(2)]

    assert [(one.status, one.headers["allow"]) for one in got] == [(204, "OPTIONS, POST")] * 2
    assert {"content-length", "content-type", "access-control-allow-methods"}.isdisjoint(got[0].headers)


AMBIGUOUS = {
    "a length and chunks": b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": b"content-length: 2\r\ncontent-length: 5\r\n\r\n{}",
    "the same length twice": b"content-length: 2\r\ncontent-length: 2\r\n\r\n{}",
    "a list of lengths": b"content-length: 2, 2\r\n\r\n{}",
    "a signed length": b"content-length: +2\r\n\r\n{}",
    "a folded header": b"x-a: b\r\n c\r\ncontent-length: 2\r\n\r\n{}",
    "a folded coding": b"transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "an unknown coding": b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks inside another coding": b"transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "a space before the colon": b"content-length : 2\r\n\r\n{}",
    "a bare line feed": b"x-a: b\ncontent-length: 2\r\n\r\n{}",
    "a null byte": b"x-a: b\0c\r\ncontent-length: 2\r\n\r\n{}",
    "a chunk size that is none": b"transfer-encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n",
    "a chunk longer than it says": b"transfer-encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_a_request_that_could_be_read_in_two_ways_is_refused_and_nothing_after_it_is_read(case: str) -> None:
    with (
        engines.engine(echo) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        line.send(HEAD + AMBIGUOUS[case] + gateways.post(BODY))
        got = line.read()
        rest = line.read_to_end()
        outcome = gateway.recorder.wait_for(1)

    assert (got.status, got.error()["code"], got.headers["connection"]) == (400, "malformed_http", "close")
    assert (rest, up.asks, len(outcome)) == (b"", [], 1)


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
)
def test_what_is_not_http_is_answered_in_the_usual_shape(sent: bytes) -> None:
    with gateways.gateway() as gateway, gateway.line() as line:
        got = line.send(sent).read()
        outcome = gateway.recorder.wait_for(1)[0]

    assert (got.status, got.error()["type"]) == (400, "invalid_request_error")
    assert (outcome.path, outcome.status) == ("other", 400)


def test_a_malformed_request_behind_a_good_one_waits_for_its_turn() -> None:
    with (
        engines.engine(echo) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        line.send(gateways.post(BODY) + b"nonsense\r\n\r\n")
        statuses = [line.read().status for _ in range(2)]

    assert statuses == [200, 400]


def test_a_client_that_leaves_in_the_middle_of_its_body_is_recorded_once() -> None:
    with gateways.gateway() as gateway:
        with gateway.line() as line:
            line.send(HEAD + b"content-length: 10\r\n\r\n{")
            gateway.wait_for_connections(1)
        outcomes = gateway.recorder.wait_for(1)

    assert [(outcome.status, outcome.code) for outcome in outcomes] == [(499, "client_left")]


def test_pipelined_requests_of_a_client_that_leaves_are_each_recorded_once() -> None:
    with (
        engines.engine(lambda ask: (ask.wait_for_hang_up(), None)[1]) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
    ):
        with gateway.line() as line:
            line.send(gateways.post(BODY) * 3)
            up.wait_for_asks(1)
            line.socket.shutdown(socket.SHUT_RDWR)
        gateway.stop()

    assert [outcome.code for outcome in gateway.recorder.outcomes] == ["client_left"] * 3


def test_a_graceful_stop_lets_the_request_under_way_end_and_closes() -> None:
    go_on = Event()

    def script(ask: Ask) -> None:
        assert go_on.wait(engines.SECONDS)
        echo(ask)

    with (
        engines.engine(script) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
        gateway.line() as idle,
    ):
        line.post(BODY)
        up.wait_for_asks(1)
        gateway.wait_for_connections(2)
        gateway.shut_down()
        assert idle.read_to_end() == b""
        go_on.set()
        got = line.read()
        rest = line.read_to_end()

    assert (got.status, got.headers["connection"], rest) == (200, "close", b"")


def test_a_graceful_stop_lets_a_request_end_whose_body_is_still_coming() -> None:
    with (
        engines.engine(says(answer(GOOD))) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        line.send(HEAD + b"content-length: %d\r\nexpect: 100-continue\r\n\r\n" % len(BODY))
        line.wait_for(b"100 Continue")
        gateway.shut_down()
        got = line.send(BODY).read()

    assert (got.status, got.headers["connection"]) == (200, "close")
