"""What is easily forgotten: those in line behind a bad request, those who wait, and what is kept too long."""

import json
from contextlib import ExitStack
from threading import Event

import pytest

from fakes import engines, gateways
from fakes.engines import Ask, Script, answer, chunk, refusing_port, says, stream_head
from steelyard.routing.table import Table
from steelyard_gateway.answering import MOST_HELD_BYTES
from steelyard_gateway.client_connection import Limits

GOOD = b'{"answer":"good"}'
STREAMED = b'{"model":"asked","stream":true}'
WAITING = b": waiting\n\n"
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\n"
NESTED = b'{"choices":[],"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


def when(told: Event, data: bytes) -> Script:
    """Answers so once it is told."""

    def script(ask: Ask) -> None:
        assert told.wait(engines.SECONDS)
        ask.send(data)

    return script


def test_a_body_that_stops_coming_behind_another_request_is_told_408() -> None:
    with (
        engines.engine(says(answer(GOOD))) as up,
        gateways.gateway(gateways.endpoint(up.port), limits=Limits(body_seconds=0.3)) as gateway,
        gateway.line() as line,
    ):
        line.send(gateways.post() + HEAD + b"content-length: 10\r\n\r\nabc")
        assert (line.read().body, line.read().status) == (GOOD, 408)


@pytest.mark.parametrize(
    "bad",
    [
        b"GET http://a:99999999/x HTTP/1.1\r\nhost: g\r\n\r\n",
        b"POST /page HTTP/1.1\r\nhost: g\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_a_request_under_way_is_answered_although_the_next_one_is_malformed(bad: bytes) -> None:
    told = Event()
    with (
        engines.engine(when(told, answer(GOOD))) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        line.send(gateways.post() + bad)
        up.wait_for_asks(1)
        told.set()
        assert (line.read().body, line.read().status) == (GOOD, 400)
        assert line.read_to_end() == b""


def test_who_waits_is_not_sent_to_an_endpoint_that_asked_for_a_pause() -> None:
    told = Event()
    pausing = when(told, answer(b"{}", "429 Wait", b"retry-after: 30\r\n"))
    with (
        engines.engine(pausing) as up,
        gateways.gateway(gateways.endpoint(up.port, max_concurrency=1)) as gateway,
        ExitStack() as stack,
    ):
        clients = [stack.enter_context(gateway.line()).post() for _ in range(3)]
        up.wait_for_asks(1)
        gateway.wait_for_queue(2)
        gateway.endpoints.pauses["engine"] = 30.0
        told.set()
        got = [client.read() for client in clients]
        assert [(one.status, one.headers["retry-after"]) for one in got] == [(429, "30")] * 3
        assert len(up.asks) == 1


def test_who_waits_for_a_pausing_endpoint_goes_on_to_another_model() -> None:
    told = Event()
    pausing = when(told, answer(b"{}", "429 Wait", b"retry-after: 30\r\n"))
    with engines.engine(pausing) as first, engines.engine(says(answer(GOOD))) as second:
        places = (
            gateways.candidate(gateways.endpoint(first.port, "first", max_concurrency=1)),
            gateways.candidate(gateways.endpoint(second.port, "second"), "other"),
        )
        with gateways.gateway(*(place.endpoints[0] for place in places)) as gateway, ExitStack() as stack:
            gateway.router.decision = gateways.FixedRouter(places).decision
            clients = [stack.enter_context(gateway.line()).post() for _ in range(2)]
            first.wait_for_asks(1)
            gateway.wait_for_queue(1)
            gateway.endpoints.pauses["first"] = 30.0
            told.set()
            assert [client.read().body for client in clients] == [GOOD] * 2
    assert len(first.asks) == 1


def test_comments_end_where_a_new_policy_wants_none() -> None:
    told = Event()
    with (
        engines.engine(when(told, stream_head() + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")) as up,
        gateways.gateway(gateways.endpoint(up.port, max_concurrency=1)) as gateway,
        gateway.line() as first,
        gateway.line() as second,
    ):
        first.post(STREAMED)
        up.wait_for_asks(1)
        gateway.router.fields["comment_seconds"] = 0.01
        second.post(STREAMED).wait_for(WAITING)
        gateway.router.fields["comment_seconds"] = 0
        gateway.do(lambda: gateway.admission.follow(Table()))
        gateway.wait_for_queue(1)
        Event().wait(0.7)
        told.set()
        assert second.read().body.count(WAITING) <= 2


def test_an_answer_that_is_nested_too_deeply_to_be_read_still_passes() -> None:
    with (
        engines.engine(says(answer(NESTED))) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
    ):
        gateway.router.fields["signature"] = "by {model}"
        assert gateway.ask().body == NESTED


def test_an_error_of_any_depth_after_comments_is_an_event() -> None:
    told = Event()
    with (
        engines.engine(when(told, answer(NESTED, "400 Bad"))) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        gateway.router.fields["comment_seconds"] = 0.01
        line.post(STREAMED).wait_for(WAITING)
        told.set()
        event = line.read().body.removeprefix(WAITING).removeprefix(b"data: ")
        assert json.loads(event)["error"]["message"] == "The backend answered 400 without saying why."


def test_what_is_no_stream_after_comments_is_not_kept_whatever_its_length() -> None:
    told = Event()
    with (
        engines.engine(when(told, answer(b"x" * (4 * MOST_HELD_BYTES)))) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        gateway.router.fields["comment_seconds"] = 0.01
        line.post(STREAMED).wait_for(WAITING)
        told.set()
        assert b'"stream_cut"' in line.read().body


def test_a_request_that_nobody_answered_leaves_no_body_behind() -> None:
    with refusing_port() as port, gateways.gateway(gateways.endpoint(port)) as gateway:
        assert gateway.ask().status == 502
        (outcome,) = gateway.recorder.wait_for(1)

    assert outcome.routed is not None
    assert outcome.routed.body == b""


def test_queries_pass() -> None:
    with (
        engines.engine(says(answer(GOOD))) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
    ):
        gateway.ask()
        for number in range(3):
            gateway.ask(path=f"/v1/chat/completions?n={number}")

    assert [ask.line.split()[1] for ask in up.asks[1:]] == [
        b"/v1/chat/completions?n=%d" % n for n in range(3)
    ]


@pytest.mark.parametrize(
    "asks", [b"HTTP/1.0\r\nconnection: upgrade", b"HTTP/1.1\r\nconnection: close, upgrade"]
)
def test_a_declined_upgrade_leaves_version_and_close_as_they_were(asks: bytes) -> None:
    stream = stream_head() + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
    with (
        engines.engine(says(stream)) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        line.send(
            b"POST /v1/chat/completions %b\r\nhost: g\r\nupgrade: h2c\r\ncontent-length: %d\r\n\r\n%b"
            % (asks, len(STREAMED), STREAMED)
        )
        got = line.read_to_end()

    assert b"connection: close\r\n" in got
    assert (b"chunked" in got) == (b"HTTP/1.1" in asks)
