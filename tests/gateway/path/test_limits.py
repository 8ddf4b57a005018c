"""What a client may take: bytes, time and patience."""

import asyncio
import dataclasses
from threading import Event
from typing import cast

import pytest
import uvicorn
from uvicorn.server import ServerState

from fakes import engines, gateways
from fakes.engines import Ask, answer
from steelyard_gateway.client_connection import Limits
from steelyard_gateway.deadlines import Deadlines
from steelyard_gateway.parts import Gateway
from steelyard_gateway.ports import Reply
from steelyard_gateway.protocol import protocol_class

BODY = b'{"model":"asked"}'
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\n"
SMALL = Limits(body_bytes=1_000)


def echo(ask: Ask) -> None:
    ask.send(answer(ask.body))


def test_a_body_that_announces_too_much_is_refused_before_it_is_sent() -> None:
    with gateways.gateway(limits=SMALL) as gateway, gateway.line() as line:
        got = line.send(HEAD + b"content-length: 1001\r\nexpect: 100-continue\r\n\r\n").read()

    assert (got.status, got.error()["code"]) == (413, "body_too_large")
    assert got.error()["message"] == "The request's body is longer than 1000 bytes."


def test_a_body_that_grows_too_large_is_refused_while_it_comes() -> None:
    with gateways.gateway(limits=SMALL) as gateway, gateway.line() as line:
        line.send(HEAD + b"transfer-encoding: chunked\r\n\r\n")
        for _ in range(11):
            line.send(engines.chunk(b"x" * 100))
        got = line.read()

    assert got.status == 413


def test_a_client_that_sends_100_mb_without_looking_still_reads_its_413() -> None:
    piece = b"x" * 1_000_000
    with gateways.gateway() as gateway, gateway.line() as line:
        line.send(HEAD + b"content-length: 100000000\r\n\r\n")
        for _ in range(100):
            line.send(piece)
        got = line.read()

    assert got.status == 413


def test_a_body_of_exactly_the_limit_passes() -> None:
    body = BODY + b" " * (1_000 - len(BODY))
    with engines.engine(echo) as up, gateways.gateway(gateways.endpoint(up.port), limits=SMALL) as gateway:
        got = gateway.ask(body)

    assert got.status == 200


@pytest.mark.parametrize(
    "flood",
    [
        pytest.param(HEAD + b"x-filler: %b\r\n" % (b"x" * 900) * 200, id="many headers"),
        pytest.param(HEAD + b"x-filler: " + b"x" * 200_000, id="one long header"),
    ],
)
def test_a_head_without_end_is_refused(flood: bytes) -> None:
    with gateways.gateway() as gateway, gateway.line() as line:
        for start in range(0, len(flood), 1_000):
            line.send(flood[start : start + 1_000])
        got = line.read()

    assert (got.status, got.error()["code"]) == (431, "head_too_large")


def test_a_chunked_body_of_little_else_than_framing_is_refused() -> None:
    with gateways.gateway() as gateway, gateway.line() as line:
        line.send(HEAD + b"transfer-encoding: chunked\r\n\r\n1;")
        for _ in range(200):
            line.send(b"x" * 1_000)
        got = line.read()

    assert (got.status, got.error()["code"]) == (400, "malformed_http")


QUICK = Limits(head_seconds=0.2, body_seconds=0.2, keep_alive_seconds=0.2)


@pytest.mark.parametrize("sent", [b"", b"POST /v1", HEAD + b"x-a: "])
def test_a_head_that_takes_too_long_ends_the_connection(sent: bytes) -> None:
    with gateways.gateway(limits=QUICK) as gateway, gateway.line() as line:
        assert line.send(sent).read_to_end() == b""
    assert gateway.recorder.outcomes == []


def test_a_connection_that_is_yet_to_be_used_is_kept_as_an_idle_one() -> None:
    limits = dataclasses.replace(QUICK, keep_alive_seconds=30)
    with gateways.gateway(limits=limits) as gateway, gateway.line() as unused, gateway.line() as slow:
        gateway.router.replies["/v1/models"] = Reply(200, b"{}")
        assert slow.send(b"GET /v1").read_to_end() == b"", "the time for a head is over"
        unused.send(b"GET /v1/models HTTP/1.1\r\nhost: g\r\n\r\n")
        assert unused.read().status == 200


def test_a_head_that_drips_is_not_given_more_time() -> None:
    with gateways.gateway(limits=QUICK) as gateway, gateway.line() as line:
        line.socket.settimeout(0.02)
        ended = False
        for byte in HEAD * 10:
            try:
                line.send(bytes([byte]))
                ended = line.socket.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
            if ended:
                break

    assert ended


def test_a_body_that_stops_coming_is_answered_and_closed() -> None:
    with gateways.gateway(limits=QUICK) as gateway, gateway.line() as line:
        line.send(HEAD + b"content-length: 10\r\n\r\n{")
        got = line.read()
        rest = line.read_to_end()

    assert (got.status, got.error()["code"], rest) == (408, "request_timeout", b"")


def test_an_idle_connection_is_closed_after_its_time_but_not_while_an_engine_thinks() -> None:
    thought = Event()

    def script(ask: Ask) -> None:
        thought.wait(0.7)
        echo(ask)

    with (
        engines.engine(script) as up,
        gateways.gateway(gateways.endpoint(up.port), limits=QUICK) as gateway,
        gateway.line() as line,
    ):
        got = line.post(BODY).read()
        rest = line.read_to_end()

    assert (got.status, rest) == (200, b"")


def test_a_client_that_asks_on_and_on_and_reads_nothing_is_not_read_any_more() -> None:
    one = b"GET /v1/models HTTP/1.1\r\nhost: g\r\n\r\n"
    with gateways.gateway() as gateway, gateway.line() as line:
        gateway.router.replies["/v1/models"] = Reply(200, b"x" * 100_000)
        line.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            line.send(one * 1_000_000)
        answered = len(gateway.recorder.outcomes)
        line.socket.settimeout(gateways.SECONDS)
        read = [len(line.read().body) for _ in range(answered + 100)]

    assert answered < 200, "20 MB are queued for a client that reads nothing"
    assert read == [100_000] * (answered + 100)


class SlowWire(asyncio.Transport):
    """A transport with bytes that the client has not taken yet."""

    def __init__(self) -> None:
        super().__init__()
        self.unsent_bytes = 0
        self.aborted = False

    def get_write_buffer_size(self) -> int:
        return self.unsent_bytes

    def is_closing(self) -> bool:
        return True

    def close(self) -> None: ...

    def abort(self) -> None:
        self.aborted = True


def test_a_closed_connection_waits_while_its_client_reads_on_and_no_longer() -> None:
    async def work() -> list[bool]:
        config = uvicorn.Config(gateways.page, ws="none", lifespan="off", log_config=None)
        config.load()
        made = protocol_class(cast(Gateway, None), Deadlines(), Limits())
        connection = made(config=config, server_state=ServerState(), app_state={})
        wire = SlowWire()
        connection.connection_made(wire)
        connection.close()
        seen = []
        for unsent_bytes in (300_000, 200_000, 200_000):
            wire.unsent_bytes = unsent_bytes
            connection.on_late(connection.deadline)
            seen.append(wire.aborted)
        return seen

    assert asyncio.run(work()) == [False, False, True]


def test_the_limits_have_the_documented_defaults() -> None:
    assert dataclasses.asdict(Limits()) == {
        "body_bytes": 33_554_432,
        "head_seconds": 20,
        "body_seconds": 60,
        "keep_alive_seconds": 75,
        "linger_seconds": 5,
    }
