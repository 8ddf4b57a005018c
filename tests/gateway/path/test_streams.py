"""Streams: passed as they come, ended well when they break, never gathered up."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

import pytest

from fakes import engines, gateways
from fakes.engines import Ask, Script, answer, chunk, says, stream_head
from steelyard_gateway import answering

STREAMED = b'{"model":"asked","stream":true}'
DONE = b"data: [DONE]\n\n"


def event(number: int) -> bytes:
    return b'data: {"choices":[{"delta":{"content":"%d"}}]}\n\n' % number


def cut_by_close(ask: Ask) -> None:
    ask.close()


def cut_by_silence(ask: Ask) -> None:
    ask.wait_for_hang_up()


def cut_by_bad_chunk(ask: Ask) -> None:
    ask.send(b"zz\r\n")


def ended_without_done(ask: Ask) -> None:
    ask.send(b"0\r\n\r\n")


CUTS = {
    "the engine closes": (cut_by_close, "closed the connection in the middle of its answer"),
    "the engine falls silent": (cut_by_silence, "sent nothing for 0.3 s in the middle of its answer"),
    "the engine frames a chunk wrongly": (cut_by_bad_chunk, "sent something that is not valid HTTP/1.1"),
    "the engine ends without its last event": (ended_without_done, "ended its stream without [DONE]"),
}


def cut_stream(sent: bytes, cut: Script, heard: Event) -> Script:
    """Send this, and break off when the client has heard of it."""

    def script(ask: Ask) -> None:
        ask.send(stream_head() + chunk(sent))
        assert heard.wait(engines.SECONDS)
        cut(ask)

    return script


@contextmanager
def cut_off(sent: bytes, cut: Script) -> Iterator[tuple[gateways.Line, gateways.RunningGateway]]:
    """A client that has read the first event of a stream that then breaks off."""
    heard = Event()
    with (
        engines.engine(cut_stream(sent, cut, heard)) as up,
        gateways.gateway(gateways.endpoint(up.port, timeouts=gateways.SHORT)) as gateway,
        gateway.line() as line,
    ):
        line.post(STREAMED).wait_for(event(1))
        heard.set()
        yield line, gateway


@pytest.mark.parametrize("case", CUTS)
def test_a_stream_that_breaks_off_ends_with_an_error_event_and_its_connection_goes_on(case: str) -> None:
    cut, words = CUTS[case]
    with cut_off(event(1), cut) as (line, gateway):
        got = line.read()
        outcome = gateway.recorder.wait_for(1)[0]
        told = list(gateway.endpoints.told)
        again = line.send(b"GET /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n\r\n").read()

    assert got.body.startswith(event(1) + b"data: {")
    error = json.loads(got.body[len(event(1)) + len(b"data: ") :])["error"]
    assert error["code"] == "stream_cut"
    assert re.fullmatch(
        rf"The answer was cut off: engine@127.0.0.1:\d+ {re.escape(words)}\.", error["message"]
    )
    assert (outcome.status, outcome.code) == (200, "stream_cut")
    assert told == [("answered", "engine"), ("failed", "engine")]
    assert again.status == 405


@pytest.mark.parametrize("half", [b"d", b"data: {", b'data: {"a":1}', b"event: x\ndata: 1", b": com"])
def test_half_an_event_is_held_back_so_that_the_error_stands_alone(half: bytes) -> None:
    with cut_off(event(1) + half, cut_by_close) as (line, _):
        got = line.read()

    assert got.body.startswith(event(1) + b'data: {"error"')


def test_an_event_that_lacks_only_its_empty_line_is_completed_before_the_error() -> None:
    with cut_off(event(1) + event(2)[:-1], ended_without_done) as (line, _):
        got = line.read()

    assert got.body.startswith(event(1) + event(2) + b'data: {"error"')


@pytest.mark.parametrize(
    "ending", [DONE, b"data:[DONE]\r\n\r\n", b"data: [DONE]", b"data: [DONE]\n", DONE + b": bye\n\n"]
)
def test_a_stream_that_is_done_passes_unchanged_however_it_is_spelled(ending: bytes) -> None:
    with (
        engines.engine(says(stream_head() + chunk(event(1)) + chunk(ending) + b"0\r\n\r\n")) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
    ):
        got = gateway.ask(STREAMED)
        outcome = gateway.recorder.wait_for(1)[0]

    assert got.body == event(1) + ending
    assert outcome.code == ""


def test_words_of_the_answer_are_not_taken_for_the_end_of_the_stream() -> None:
    said = b'data: {"content":"data: [DONE]"}\n\n'
    with (
        engines.engine(says(stream_head() + chunk(said) + b"0\r\n\r\n")) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
    ):
        got = gateway.ask(STREAMED)

    assert got.body.startswith(said + b'data: {"error"')


def test_a_stream_on_a_path_without_a_last_event_may_end_without_it() -> None:
    with (
        engines.engine(says(stream_head() + chunk(event(1)) + b"0\r\n\r\n")) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
    ):
        got = gateway.ask(STREAMED, path="/v1/embeddings")

    assert got.body == event(1)


DELTA = b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"hi"}\n\n'
COMPLETED = b'event: response.completed\ndata: {"type":"response.completed"}\n\n'


def test_a_response_that_does_not_say_what_became_of_it_was_cut_off() -> None:
    with (
        engines.engine(says(stream_head() + chunk(DELTA) + b"0\r\n\r\n")) as bad,
        engines.engine(says(stream_head() + chunk(DELTA) + chunk(COMPLETED) + b"0\r\n\r\n")) as good,
        engines.engine(says(stream_head() + b"0\r\n\r\n")) as empty,
    ):
        with gateways.gateway(gateways.endpoint(bad.port)) as gateway:
            cut = gateway.ask(STREAMED, "/v1/responses")
            assert gateway.recorder.wait_for(1)[0].code == "stream_cut"
        with gateways.gateway(*(gateways.endpoint(up.port) for up in (empty, good))) as gateway:
            got = gateway.ask(STREAMED, "/v1/responses")

    assert cut.body.startswith(DELTA + b"event: error\ndata: {")
    told = json.loads(cut.body.partition(b"event: error\ndata: ")[2])
    assert (told["type"], told["sequence_number"], told["error"]["code"]) == ("error", 1, "stream_cut")
    assert told["message"].endswith(" ended its stream without response.completed.")
    assert got.body == DELTA + COMPLETED


def test_a_stream_in_a_content_coding_is_not_looked_into() -> None:
    sent = stream_head(b"content-encoding: gzip\r\n") + chunk(b"\x1f\x8b squeezed") + b"0\r\n\r\n"
    with engines.engine(says(sent)) as up, gateways.gateway(gateways.endpoint(up.port)) as gateway:
        got = gateway.ask(STREAMED)

    assert got.body == b"\x1f\x8b squeezed"


@pytest.mark.parametrize(
    "half",
    [
        b'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"half": "secret',
        b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\n{"half":\r\n',
    ],
)
def test_an_answer_that_breaks_off_is_asked_of_another_engine(half: bytes) -> None:
    def script(ask: Ask) -> None:
        ask.send(half)
        ask.close()

    with engines.engine(script) as bad, engines.engine(says(answer(b"{}"))) as good:
        tried = gateways.endpoint(bad.port, "bad"), gateways.endpoint(good.port, "good")
        with gateways.gateway(*tried) as gateway:
            got = gateway.ask()

    assert (got.status, got.body, got.headers["x-steelyard-attempts"]) == (200, b"{}", "2")


LONG = b"x" * (answering.MOST_HELD_BYTES + 1)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (2 * len(LONG)),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n" % len(LONG),
    ],
)
def test_an_answer_too_long_to_be_held_breaks_off_when_the_engine_does(head: bytes) -> None:
    heard = Event()

    def script(ask: Ask) -> None:
        ask.send(head + LONG)
        assert heard.wait(engines.SECONDS)
        ask.close()

    with (
        engines.engine(script) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        line.post().wait_for(b"xxxx")
        heard.set()
        got = line.read_to_end()
        outcome = gateway.recorder.wait_for(1)[0]

    assert got.endswith((b"xx", b"xx\r\n"))
    assert outcome.code == "stream_cut"


def test_an_old_client_gets_the_error_event_before_the_close() -> None:
    heard = Event()
    with (
        engines.engine(cut_stream(event(1), cut_by_close, heard)) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        line.send(gateways.post(STREAMED).replace(b"HTTP/1.1", b"HTTP/1.0")).wait_for(event(1))
        heard.set()
        got = line.read_to_end()

    assert got.partition(b"\r\n\r\n")[2].startswith(event(1) + b'data: {"error"')


def test_each_event_reaches_the_client_before_the_next_is_sent() -> None:
    def the_rest(ask: Ask) -> None:
        ask.send(chunk(DONE) + b"0\r\n\r\n")

    with cut_off(event(1), the_rest) as (line, _):
        got = line.read()

    assert got.body == event(1) + DONE


@pytest.mark.parametrize("begun", [False, True])
def test_a_client_that_leaves_closes_the_engines_connection(begun: bool) -> None:
    left = Event()

    def script(ask: Ask) -> None:
        if begun:
            ask.send(stream_head() + chunk(event(1)))
        if ask.wait_for_hang_up():
            left.set()

    with engines.engine(script) as up, gateways.gateway(gateways.endpoint(up.port)) as gateway:
        with gateway.line() as line:
            line.post(STREAMED)
            if begun:
                assert line.socket.recv(65_536)
            else:
                up.wait_for_asks(1)
        assert left.wait(engines.SECONDS)
        outcome = gateway.recorder.wait_for(1)[0]

    assert (outcome.status, outcome.code) == (200 if begun else 499, "client_left")


def test_a_client_that_leaves_while_a_connection_is_opened_ends_the_attempt() -> None:
    with engines.deaf_port() as port, gateways.gateway(gateways.endpoint(port)) as gateway:
        with gateway.line() as line:
            line.post()
            gateway.wait_for_start()
        outcome = gateway.recorder.wait_for(1)[0]

    assert (outcome.status, outcome.code, outcome.attempts) == (499, "client_left", 1)


def test_a_slow_reader_slows_the_engine_down_and_gets_everything() -> None:
    piece, pieces = b"x" * 65_536, 1_000
    blocked = Event()

    def script(ask: Ask) -> None:
        ask.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        ask.connection.settimeout(0.5)
        sent = 0
        while sent < pieces:
            try:
                ask.connection.sendall(chunk(piece))
                sent += 1
            except TimeoutError:
                blocked.set()
                return

    with (
        engines.engine(script) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        line.post()
        assert blocked.wait(engines.SECONDS), "the gateway took 64 MB that nobody reads"


def test_a_slow_reader_gets_every_byte_once_it_reads() -> None:
    body = bytes(range(256)) * 4 * 8_192
    with (
        engines.engine(says(answer(body))) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as line,
    ):
        line.post()
        gateway.wait_until_full()
        got = line.read()
        again = line.post().read()

    assert got.body == again.body == body


def test_a_stream_whose_client_reads_slowly_is_not_idle() -> None:
    body = b"".join(event(number) for number in range(150_000)) + DONE

    with (
        engines.engine(says(stream_head() + chunk(body) + b"0\r\n\r\n")) as up,
        gateways.gateway(gateways.endpoint(up.port, timeouts=gateways.SHORT)) as gateway,
        gateway.line() as line,
    ):
        line.post(STREAMED)
        gateway.wait_until_full()
        Event().wait(0.8)
        got = line.read()

    assert got.body == body


def test_events_that_are_longer_than_what_is_held_back_pass() -> None:
    sent = b"data: " + b"x" * 1_000_000 + b"\n\n" + DONE
    with (
        engines.engine(says(stream_head() + chunk(sent) + b"0\r\n\r\n")) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
    ):
        got = gateway.ask(STREAMED)

    assert got.body == sent
    assert re.fullmatch(rb"data: x+\n\ndata: \[DONE\]\n\n", got.body)


def test_an_error_that_calls_itself_a_stream_is_handed_to_the_client_as_it_is() -> None:
    said = b'data: {"error":{"message":"no such tool"}}\n\n'
    head = (
        b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    whole = head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(said), said)
    with (
        engines.engine(lambda ask: ask.send(whole)) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
    ):
        got = gateway.ask(b'{"model":"asked","stream":true}')

    assert (got.status, got.body) == (400, said)
