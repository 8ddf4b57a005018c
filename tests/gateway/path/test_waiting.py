"""Comments to clients that wait for a stream: they keep the line open, and promise nothing."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

import pytest

from fakes import engines, gateways
from fakes.engines import Ask, Script, answer, chunk, says, stream_head

STREAMED = b'{"model":"asked","stream":true}'
WAITING = b": waiting\n\n"
STREAM = b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\ndata: [DONE]\n\n'
STREAMS = says(stream_head(b"x-engine: 1\r\n") + chunk(STREAM) + b"0\r\n\r\n")
MESSAGE = '{\n "error": {"message": "too long"}}'


def closes(ask: Ask) -> None:
    ask.close()


@contextmanager
def late(*scripts: Script) -> Iterator[tuple[gateways.RunningGateway, Event]]:
    """A gateway before engines of which the first wakes when the event is set; comments come at once."""
    heard = Event()

    def wakes(ask: Ask) -> None:
        assert heard.wait(engines.SECONDS)
        scripts[0](ask)

    with engines.engine(wakes) as first, engines.engine(scripts[-1]) as second:
        tried = gateways.endpoint(first.port, "first"), gateways.endpoint(second.port, "second")
        with gateways.gateway(*tried[: len(scripts)]) as gateway:
            gateway.router.fields["comment_seconds"] = 0.01
            yield gateway, heard


def waited(*scripts: Script) -> tuple[gateways.Answer, str]:
    """What a client got after its comments, and the code that was recorded."""
    with late(*scripts) as (gateway, heard), gateway.line() as line:
        line.post(STREAMED).wait_for(chunk(WAITING) * 2)
        heard.set()
        got = line.read()
        outcome = gateway.recorder.wait_for(1)[0]
    assert got.status == 200
    assert got.body.startswith(WAITING * 2)
    return got._replace(body=got.body.replace(WAITING, b"")), outcome.code


def test_a_client_that_waits_gets_comments_and_then_the_stream() -> None:
    got, code = waited(STREAMS)

    assert (got.body, code) == (STREAM, "")
    assert got.headers["content-type"].startswith("text/event-stream")
    assert "x-request-id" in got.headers
    assert "x-steelyard-model" not in got.headers
    assert "x-engine" not in got.headers


@pytest.mark.parametrize("failure", [closes, says(answer(b"", "503 Busy")), says(answer(b"", "429 Wait"))])
def test_another_endpoint_is_tried_although_comments_were_sent(failure: Script) -> None:
    got, code = waited(failure, STREAMS)

    assert (got.body, code) == (STREAM, "")


def test_a_failure_after_comments_is_an_event_that_names_it() -> None:
    got, code = waited(closes)

    error = json.loads(got.body.removeprefix(b"data: "))["error"]
    assert (error["code"], code) == ("bad_upstream", "bad_upstream")
    assert "first@127.0.0.1" in error["message"]


def test_an_engines_error_after_comments_is_an_event_of_one_line() -> None:
    got, _ = waited(says(answer(MESSAGE.encode(), "400 Bad Request")))

    assert got.body == b'data: {"error":{"message":"too long"}}\n\n'


@pytest.mark.parametrize("body", [b'{"choices":[]}', b"<p>", b""])
def test_what_is_no_stream_after_comments_is_an_error_event(body: bytes) -> None:
    got, _ = waited(says(answer(body)))

    assert json.loads(got.body.removeprefix(b"data: "))["error"]["code"] == "stream_cut"


def test_a_connection_goes_on_after_a_stream_with_comments() -> None:
    with late(STREAMS) as (gateway, heard), gateway.line() as line:
        line.post(STREAMED).wait_for(WAITING)
        heard.set()
        first, second = line.read(), line.post(b'{"model":"asked"}', "/v1/responses").read()

    assert first.body.endswith(STREAM)
    assert second.status == 200


def test_an_old_client_gets_comments_without_chunks() -> None:
    with late(STREAMS) as (gateway, heard), gateway.line() as line:
        line.send(gateways.post(STREAMED).replace(b"HTTP/1.1", b"HTTP/1.0")).wait_for(WAITING)
        heard.set()
        body = line.read_to_end()

    assert body.rpartition(b"\r\n\r\n")[2].replace(WAITING, b"") == STREAM


def test_an_answer_that_is_not_streamed_gets_no_comments() -> None:
    with late(says(answer(b"{}"))) as (gateway, heard), gateway.line() as line:
        line.post()
        gateway.wait_for_start()
        Event().wait(0.5)
        heard.set()
        got = line.read()

    assert got.body == b"{}"
    assert got.headers["content-length"] == "2"


def test_a_stream_that_has_begun_gets_no_more_comments() -> None:
    heard = Event()
    first, last = STREAM.split(b"data: [DONE]")[0], b"data: [DONE]\n\n"

    def script(ask: Ask) -> None:
        ask.send(stream_head() + chunk(first))
        assert heard.wait(engines.SECONDS)
        Event().wait(0.5)
        ask.send(chunk(last) + b"0\r\n\r\n")

    with engines.engine(script) as up, gateways.gateway(gateways.endpoint(up.port)) as gateway:
        gateway.router.fields["comment_seconds"] = 0.01
        with gateway.line() as line:
            line.post(STREAMED).wait_for(first)
            heard.set()
            got = line.read()

    assert got.body.replace(WAITING, b"") == STREAM
    assert WAITING not in got.body[got.body.index(first) :]


def test_a_client_that_leaves_while_it_waits_frees_the_engine() -> None:
    left = Event()

    def script(ask: Ask) -> None:
        if ask.wait_for_hang_up():
            left.set()

    with engines.engine(script) as up, gateways.gateway(gateways.endpoint(up.port)) as gateway:
        gateway.router.fields["comment_seconds"] = 0.01
        with gateway.line() as line:
            line.post(STREAMED).wait_for(WAITING)
        assert left.wait(engines.SECONDS)
        outcome = gateway.recorder.wait_for(1)[0]

    assert (outcome.status, outcome.code, outcome.usage) == (499, "client_left", None)
