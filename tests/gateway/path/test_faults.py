"""The fault table: what an engine does wrong, and what becomes of the request."""

import email.utils
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from fakes import engines, gateways
from fakes.engines import Ask, Script, answer, chunk, says, stream_head
from steelyard.routing.table import Endpoint

GOOD = b'{"answer":"good"}'
STREAMED = b'{"model":"asked","stream":true}'
BOMB = b"HTTP/1.1 200 OK\r\n" + b"x-filler: %b\r\n" % (b"x" * 1000) * 80 + b"content-length: 2\r\n\r\nhi"


def reset(ask: Ask) -> None:
    ask.reset()


def reset_inside_the_head(ask: Ask) -> None:
    ask.send(b"HTTP/1.1 200 OK\r\ncontent-")
    ask.close()


def reset_after_the_head(ask: Ask) -> None:
    ask.send(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")
    ask.close()


def hang(ask: Ask) -> None:
    ask.wait_for_hang_up()


def hang_after_the_head(ask: Ask) -> None:
    ask.send(stream_head())
    ask.wait_for_hang_up()


FAILOVER = {
    # what the first engine does: (script, what it said wrong, what the gateway is told of it)
    "it resets the connection before its answer": (
        reset,
        "closed the connection before it answered",
        "failed",
    ),
    "it resets the connection inside the head": (
        reset_inside_the_head,
        "closed the connection before it answered",
        "failed",
    ),
    "it ends between head and body": (
        reset_after_the_head,
        "closed the connection in the middle of its answer",
        "failed",
    ),
    "it answers 502 in HTML": (
        says(answer(b"<html>secret", "502 Bad Gateway", b"content-type: text/html\r\n")),
        "answered 502",
        "failed",
    ),
    "it answers 500 with a web page": (
        says(answer(b"<html>secret", "500 Internal Server Error", b"content-type: text/html\r\n")),
        "answered 500",
        "failed",
    ),
    "it answers 200 with a web page": (
        says(answer(b"<html>secret", headers=b"content-type: text/html; charset=utf-8\r\n")),
        "answered 200 with a web page, which no engine does: correct the backend's url",
        "failed",
    ),
    "it answers 503": (says(answer(b"secret", "503 Service Unavailable")), "answered 503", "failed"),
    "it answers 504": (says(answer(b"secret", "504 Gateway Timeout")), "answered 504", "failed"),
    "it answers 503 and asks for a pause": (
        says(answer(b"secret", "503 Service Unavailable", b"retry-after: 7\r\n")),
        "answered 503",
        "rest",
    ),
    "it answers 429": (says(answer(b"secret", "429 Too Many Requests")), "answered 429", "rest"),
    "it redirects": (
        says(answer(b"secret", "302 Found", b"location: http://secret/\r\n")),
        "answered 302, a redirect, and none is followed: correct the backend's url",
        "failed",
    ),
    "it answers something that is not HTTP": (
        says(b"<html>secret</html>\r\n\r\n"),
        "sent something that is not valid HTTP/1.1",
        "failed",
    ),
    "it answers in another version of HTTP": (
        says(b"HTTP/2.0 200 OK\r\ncontent-length: 6\r\n\r\nsecret"),
        "sent something that is not valid HTTP/1.1",
        "failed",
    ),
    "it answers with two lengths": (
        says(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nsecret"),
        "sent something that is not valid HTTP/1.1",
        "failed",
    ),
    "it answers with a length and chunks": (
        says(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        "sent something that is not valid HTTP/1.1",
        "failed",
    ),
    "it answers in another coding than chunks": (
        says(b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        "sent something that is not valid HTTP/1.1",
        "failed",
    ),
    "it switches to a protocol that nobody asked for": (
        says(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
        "sent something that is not valid HTTP/1.1",
        "failed",
    ),
    "its head does not end": (says(BOMB), "sent a response head of more than 64 kB", "failed"),
    "it frames its first chunk wrongly": (
        says(stream_head() + b"zz\r\nsecret\r\n"),
        "sent something that is not valid HTTP/1.1",
        "failed",
    ),
    "it says nothing to a stream": (hang, "sent no first byte within 0.3 s", "failed"),
    "it sends a stream's head and then nothing": (
        hang_after_the_head,
        "sent no first byte within 0.3 s",
        "failed",
    ),
    "its stream ends before anything was said": (
        says(stream_head() + b"0\r\n\r\n"),
        "ended its stream without [DONE]",
        "failed",
    ),
}


@contextmanager
def two_engines(first: Script, max_attempts: int = 3) -> Iterator[gateways.RunningGateway]:
    """A gateway that tries an engine with this script first, and then one that answers well."""
    with ExitStack() as stack:
        bad = stack.enter_context(engines.engine(first))
        good = stack.enter_context(engines.engine(says(answer(GOOD))))
        yield stack.enter_context(
            gateways.gateway(
                gateways.endpoint(bad.port, "bad", gateways.SHORT),
                gateways.endpoint(good.port, "good"),
                max_attempts=max_attempts,
            )
        )


@pytest.mark.parametrize("case", FAILOVER)
def test_the_next_endpoint_answers_when_the_first_fails_before_its_first_byte(case: str) -> None:
    script, _, told = FAILOVER[case]
    with two_engines(script) as gateway:
        got = gateway.ask(STREAMED)
        outcome = gateway.recorder.wait_for(1)[0]

    assert (got.status, got.body) == (200, GOOD)
    assert got.headers["x-steelyard-backend"] == "good"
    assert got.headers["x-steelyard-attempts"] == "2"
    assert gateway.endpoints.told == [(told, "bad"), ("answered", "good")]
    assert (outcome.attempts, outcome.status, outcome.code) == (2, 200, "")


@pytest.mark.parametrize("case", [case for case, (_, _, told) in FAILOVER.items() if told == "failed"])
def test_a_failure_that_was_answered_counts_as_an_attempt(case: str) -> None:
    script, words, _ = FAILOVER[case]
    with two_engines(script, max_attempts=1) as gateway:
        got = gateway.ask(STREAMED)

    assert got.status in (502, 503, 504)
    assert f" {words}." in got.error()["message"]
    assert got.error()["message"].startswith("No backend could answer: bad@127.0.0.1:")
    assert b"secret" not in got.body


@contextmanager
def unreachable(how: str) -> Iterator[Endpoint]:
    """An endpoint to which no connection can be opened."""
    if how == "refused":
        with engines.refusing_port() as port:
            yield gateways.endpoint(port, "bad")
    elif how == "deaf":
        with engines.deaf_port() as port:
            yield gateways.endpoint(port, "bad", gateways.SHORT)
    elif how == "unknown":
        yield gateways.endpoint(80, "bad", host="nowhere.invalid")
    elif how == "unspeakable":
        yield gateways.endpoint(80, "bad", host="a" * 64 + ".invalid")
    else:
        with engines.plain_port() as port:
            yield gateways.endpoint(port, "bad", scheme="https")


UNREACHABLE = {
    "refused": ("refused the connection", 502),
    "deaf": ("could not be connected to within 0.3 s", 504),
    "unknown": ("has a host name that could not be resolved", 502),
    "unspeakable": ("has a host name that could not be resolved", 502),
    "plain": ("failed the TLS handshake", 502),
}


@pytest.mark.parametrize("how", UNREACHABLE)
def test_an_endpoint_that_cannot_be_reached_costs_no_attempt(how: str) -> None:
    with ExitStack() as stack:
        bad = stack.enter_context(unreachable(how))
        good = stack.enter_context(engines.engine(says(answer(GOOD))))
        gateway = stack.enter_context(
            gateways.gateway(bad, gateways.endpoint(good.port, "good"), max_attempts=1)
        )
        got = gateway.ask()

    assert (got.status, got.body, got.headers["x-steelyard-attempts"]) == (200, GOOD, "2")
    assert gateway.endpoints.told == [("failed", "bad"), ("answered", "good")]


@pytest.mark.parametrize("how", UNREACHABLE)
def test_the_error_says_how_an_endpoint_could_not_be_reached(how: str) -> None:
    words, status = UNREACHABLE[how]
    with unreachable(how) as bad, gateways.gateway(bad) as gateway:
        got = gateway.ask()

    assert got.status == status
    assert got.error()["message"] == f"No backend could answer: {bad.name} {words}."


ENDINGS = {
    "the last was late": ([says(answer(b"", "502 Bad Gateway")), hang], 504, "upstream_timeout"),
    "the last answered 504": ([says(answer(b"", "504 Gateway Timeout"))], 504, "upstream_timeout"),
    "the last answered 503": ([reset, says(answer(b"", "503 Service Unavailable"))], 503, "no_upstream"),
    "the last was reset": ([says(answer(b"", "503 Service Unavailable")), reset], 502, "bad_upstream"),
    "one rests, the last was reset": ([says(answer(b"", "429 Slow")), reset], 502, "bad_upstream"),
    "one was reset, the last rests": ([reset, says(answer(b"", "429 Slow"))], 503, "no_upstream"),
    "all rest": ([says(answer(b"", "429 Slow"))] * 2, 429, "rate_limit_exceeded"),
}


@pytest.mark.parametrize("case", ENDINGS)
def test_when_nothing_is_left_the_last_failure_gives_the_status(case: str) -> None:
    scripts, status, code = ENDINGS[case]
    with ExitStack() as stack:
        ups = [stack.enter_context(engines.engine(script)) for script in scripts]
        places = [gateways.endpoint(up.port, timeouts=gateways.SHORT) for up in ups]
        gateway = stack.enter_context(gateways.gateway(*places))
        got = gateway.ask(STREAMED)
        outcome = gateway.recorder.wait_for(1)[0]

    assert (got.status, got.error()["code"]) == (status, code)
    assert got.headers["x-steelyard-attempts"] == str(len(scripts))
    assert (outcome.status, outcome.code, outcome.attempts) == (status, code, len(scripts))


def test_when_all_rest_the_client_is_told_the_shortest_pause() -> None:
    date = email.utils.formatdate(time.time() + 3000, usegmt=True).encode()
    asked = [b"retry-after: 30\r\n", b"retry-after: 20\r\n", b"retry-after: %b\r\n" % date]
    with ExitStack() as stack:
        ups = [stack.enter_context(engines.engine(says(answer(b"", "429 Slow", one)))) for one in asked]
        gateway = stack.enter_context(gateways.gateway(*(gateways.endpoint(up.port) for up in ups)))
        got = gateway.ask()

    assert (got.status, got.headers["retry-after"]) == (429, "20")
    assert gateway.endpoints.rests[:2] == [30, 20]
    assert 2900 < gateway.endpoints.rests[2] <= 3000


@pytest.mark.parametrize("value", ["soon", "-5", "", "1e9", "99999999999999999999", "Mon, 99 Foo 2026"])
def test_a_pause_that_makes_no_sense_is_a_short_or_bounded_one(value: str) -> None:
    with (
        engines.engine(says(answer(b"", "429 Slow", b"retry-after: %b\r\n" % value.encode()))) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
    ):
        got = gateway.ask()

    assert got.status == 429
    assert 1 <= int(got.headers["retry-after"]) <= 3600


def test_a_500_is_tried_once_elsewhere_and_no_further() -> None:
    with ExitStack() as stack:
        ups = [
            stack.enter_context(engines.engine(says(answer(b'{"n":%d}' % number, "500 Oops"))))
            for number in range(3)
        ]
        gateway = stack.enter_context(gateways.gateway(*(gateways.endpoint(up.port) for up in ups)))
        got = gateway.ask()

    assert (got.status, got.headers["x-steelyard-attempts"]) == (502, "2")
    assert [len(up.asks) for up in ups] == [1, 1, 0]


def test_a_500_with_nowhere_else_to_go_is_told_in_words() -> None:
    with (
        engines.engine(says(answer(b'{"error":"secret"}', "500 Oops"))) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
    ):
        got = gateway.ask()
        outcome = gateway.recorder.wait_for(1)[0]

    told = f"No backend could answer: engine@127.0.0.1:{up.port} answered 500."
    assert (got.status, got.error()["message"], outcome.detail) == (502, told, told)


def test_an_answer_that_is_not_streamed_may_take_its_total_time_and_is_not_repeated() -> None:
    with two_engines(hang) as gateway:
        got = gateway.ask()

    assert (got.status, got.error()["code"]) == (504, "upstream_timeout")
    assert "did not finish its answer within 0.3 s" in got.error()["message"]
    assert gateway.endpoints.told == [("failed", "bad")]


def test_a_kept_connection_that_the_engine_closed_is_replaced_without_a_trace() -> None:
    def script(ask: Ask) -> None:
        ask.send(answer(GOOD))
        ask.close()

    with (
        engines.engine(script) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        got = [line.post().read() for _ in range(20)]

    assert [(one.status, one.headers["x-steelyard-attempts"]) for one in got] == [(200, "1")] * 20
    assert all(told == ("answered", "engine") for told in gateway.endpoints.told)


def test_an_engine_that_comes_back_is_used_again() -> None:
    with engines.engine(says(answer(GOOD))) as up, gateways.gateway(gateways.endpoint(up.port)) as gateway:
        before = gateway.ask()
        up.stop()
        down = gateway.ask()
        with engines.engine(says(answer(GOOD)), port=up.port):
            after = gateway.ask()

    assert [one.status for one in (before, down, after)] == [200, 502, 200]


def test_half_of_the_engines_killed_under_load_lose_no_request() -> None:
    with ExitStack() as stack:
        ups = [stack.enter_context(engines.engine(says(answer(GOOD)))) for _ in range(2)]
        gateway = stack.enter_context(gateways.gateway(*(gateways.endpoint(up.port) for up in ups)))
        lines = [stack.enter_context(gateway.line()) for _ in range(16)]
        statuses = []
        for turn in range(30):
            for line in lines:
                line.post()
            if turn == 10:
                ups[0].stop()
            statuses += [line.read().status for line in lines]

    assert statuses == [200] * len(lines) * 30


def test_an_error_names_at_most_eight_failed_attempts() -> None:
    with ExitStack() as stack:
        ports = [stack.enter_context(engines.refusing_port()) for _ in range(10)]
        gateway = stack.enter_context(gateways.gateway(*(gateways.endpoint(port) for port in ports)))
        message = gateway.ask().error()["message"]

    assert message.count("refused the connection") == 8
    assert message.endswith("; and 2 more.")


def test_chunks_of_a_discarded_answer_never_reach_the_next_request() -> None:
    def script(ask: Ask) -> None:
        if ask.body == b'{"model":"tiny","n":1}':
            ask.send(stream_head().replace(b"200 OK", b"503 Busy") + chunk(b"secret"))
        else:
            ask.send(answer(GOOD))

    with engines.engine(script) as up, gateways.gateway(gateways.endpoint(up.port)) as gateway:
        first = gateway.ask(b'{"model":"asked","n":1}')
        second = gateway.ask(b'{"model":"asked","n":2}')

    assert (first.status, second.status, second.body) == (503, 200, GOOD)
    assert up.connections == 2
