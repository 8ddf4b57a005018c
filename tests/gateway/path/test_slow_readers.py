"""Clients that read slowly, not at all, or leave: engines are slowed down or let go, and nothing piles up."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from threading import Event

import pytest

from fakes import engines, gateways
from fakes.engines import Ask, answer, chunk, stream_head
from fakes.unwired import Unwired
from steelyard_gateway.client_connection import Limits
from steelyard_gateway.ports import Reply

PLAIN, STREAMED = b'{"model":"asked"}', b'{"model":"asked","stream":true}'
EVENT = b"data: " + b"x" * 65_000 + b"\n\n"
HEADS = {
    "events": (STREAMED, stream_head()),
    "a stream of something else": (STREAMED, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
    "an answer that is held at first": (PLAIN, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
}
BUFFER_BYTES = 65_536
MOST_BYTES = 12_000_000
"""So much may be on its way to a client that does not read: most of it in the kernel's buffers."""


class Tap:
    """An engine that sends on and on, and counts what the gateway takes."""

    def __init__(self, head: bytes) -> None:
        self._head = head
        self.sent_bytes = 0
        self.is_blocked, self.was_left = Event(), Event()

    def script(self, ask: Ask) -> None:
        ask.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        ask.send(self._head)
        ask.connection.settimeout(0.3)
        data = memoryview(chunk(EVENT) * 8)
        rest = data
        try:
            while not ask.stopped.is_set():
                try:
                    count = ask.connection.send(rest)
                    self.sent_bytes += count
                    rest = rest[count:] or data
                except TimeoutError:
                    self.is_blocked.set()
        except OSError:
            self.was_left.set()


@contextmanager
def not_read(case: str, limits: Limits | None = None) -> Iterator[tuple[Tap, gateways.RunningGateway]]:
    """A client that has asked, and does not read."""
    body, head = HEADS[case]
    tap = Tap(head)
    with (
        engines.engine(tap.script) as up,
        gateways.gateway(gateways.endpoint(up.port), limits=limits) as gateway,
        gateway.line() as line,
    ):
        line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        line.post(body)
        yield tap, gateway


@pytest.mark.parametrize("case", HEADS)
def test_for_a_client_that_does_not_read_little_is_taken_from_the_engine(case: str) -> None:
    with not_read(case) as (tap, _):
        assert tap.is_blocked.wait(engines.SECONDS)
        taken = tap.sent_bytes
        assert not tap.was_left.wait(0.5)

        assert tap.sent_bytes == taken
        assert taken < MOST_BYTES


@pytest.mark.parametrize("case", HEADS)
def test_a_client_that_reads_nothing_for_long_is_dropped_and_its_engine_let_go(case: str) -> None:
    with not_read(case, Limits(body_seconds=0.3)) as (tap, gateway):
        assert tap.was_left.wait(engines.SECONDS)
        outcome = gateway.recorder.wait_for(1)[0]

    assert (outcome.status, outcome.code) == (200, "client_left")


def test_a_client_that_reads_steadily_however_slowly_is_not_dropped() -> None:
    body = b"x" * 12_000_000
    with (
        engines.engine(lambda ask: ask.send(engines.answer(body))) as up,
        gateways.gateway(gateways.endpoint(up.port), limits=Limits(body_seconds=0.3)) as gateway,
        gateway.line() as line,
    ):
        line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        line.post()
        for _ in range(15):
            Event().wait(0.1)
            line.receive_at_least(200_000)
        got = line.read()

    assert got.body == body


def test_an_answer_that_nobody_reads_does_not_hold_its_connection_for_ever() -> None:
    body = b"x" * 12_000_000
    limits = Limits(body_seconds=0.2, keep_alive_seconds=0.2, linger_seconds=0.2)
    with (
        engines.engine(lambda ask: ask.send(engines.answer(body))) as up,
        gateways.gateway(gateways.endpoint(up.port), limits=limits) as gateway,
        gateway.line() as line,
    ):
        line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        line.post()
        gateway.wait_until_full()
        gateway.wait_for_no_connection()


def asked(gateway: Unwired) -> None:
    gateway.ask(gateways.post(STREAMED))


def heard_of(gateway: Unwired) -> None:
    asked(gateway)
    gateway.upstream.line.hear([stream_head()])


def in_a_stream(gateway: Unwired) -> None:
    heard_of(gateway)
    gateway.upstream.line.hear([chunk(EVENT)])


def not_reading(gateway: Unwired) -> None:
    in_a_stream(gateway)
    gateway.connection.pause_writing()
    gateway.upstream.line.hear([chunk(EVENT)])
    assert gateway.upstream.line.wire.is_paused


def with_more_to_ask(gateway: Unwired) -> None:
    gateway.ask(gateways.post(STREAMED) + gateways.post(PLAIN))
    assert not gateway.wire.is_paused, "who is not read is not seen to leave"


PHASES = [asked, heard_of, in_a_stream, not_reading, with_more_to_ask]


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.__name__)
def test_a_client_that_leaves_takes_its_engine_with_it_at_once(phase: Callable[[Unwired], None]) -> None:
    with closing(Unwired()) as gateway:
        phase(gateway)
        assert not gateway.upstream.line.wire.closed
        gateway.hang_up()

        assert gateway.upstream.line.wire.closed
        assert {outcome.code for outcome in gateway.recorder.outcomes} == {"client_left"}
        assert +gateway.endpoints.flights == {}


@pytest.mark.parametrize("ahead", [gateways.post(PLAIN) * 10, gateways.post(b" " * 100_000)])
def test_of_a_client_that_asks_far_ahead_no_more_is_read_until_its_turn_comes(ahead: bytes) -> None:
    with closing(Unwired()) as gateway:
        gateway.ask(gateways.post(PLAIN) + ahead)
        is_read = not gateway.wire.is_paused
        gateway.upstream.line.hear([answer(b"{}")])

        assert (is_read, gateway.wire.is_paused) == (False, False)


def test_an_engine_is_read_on_as_soon_as_its_client_reads_on() -> None:
    with closing(Unwired()) as gateway:
        not_reading(gateway)
        gateway.connection.resume_writing()
        is_paused = gateway.upstream.line.wire.is_paused
        gateway.upstream.line.hear([chunk(EVENT)])

        assert not is_paused
        assert b"".join(gateway.wire.given).count(EVENT) == 3


def test_of_a_client_that_asks_the_same_again_and_reads_nothing_no_more_is_answered() -> None:
    router = gateways.FixedRouter([])
    router.replies["/v1/chat/completions"] = Reply(200, b"{}")
    with closing(Unwired(router)) as gateway:
        gateway.ask(gateways.post(PLAIN))
        gateway.connection.pause_writing()
        for _ in range(2):
            gateway.ask(gateways.post(PLAIN))
        seen, is_read = len(router.seen), not gateway.wire.is_paused
        gateway.connection.resume_writing()

        assert (seen, is_read) == (1, False)
        assert (len(router.seen), gateway.wire.is_paused) == (3, False)
