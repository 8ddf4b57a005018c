"""The client's connections: kept, replaced, expired, secured, given up."""

import dataclasses
import ssl
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from fakes import engines, gateways
from fakes.engines import Ask, answer, says

GOOD = b'{"answer":"good"}'
CERTIFICATES = Path(__file__).parent / "certificates"
CA_PEM = (CERTIFICATES / "engine.crt").read_text()


def speaking_tls() -> ssl.SSLContext:
    """What an engine named engine.test shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "engine.crt", CERTIFICATES / "engine.key")
    return context


def test_the_connection_that_was_used_last_is_used_first() -> None:
    go_on = Event()

    def script(ask: Ask) -> None:
        assert b"slow" not in ask.body or go_on.wait(engines.SECONDS)
        ask.send(answer(b"%d" % ask.number))

    with (
        engines.engine(script) as up,
        gateways.gateway(gateways.endpoint(up.port)) as gateway,
        gateway.line() as one,
        gateway.line() as other,
    ):
        one.post(b'{"model":"asked","slow":1}')
        up.wait_for_asks(1)
        first_done = other.post().read().body
        go_on.set()
        last_done = one.read().body
        again = [one.post().read().body for _ in range(3)]

    assert (first_done, last_done, again) == (b"1", b"0", [b"0"] * 3)


def test_a_kept_connection_is_closed_when_it_was_idle_for_long() -> None:
    with (
        engines.engine(says(answer(GOOD))) as up,
        gateways.gateway(gateways.endpoint(up.port), keep_seconds=0.1) as gateway,
    ):
        gateway.ask()
        up.wait_for_hang_ups(1)
        gateway.ask()

    assert up.connections == 2


def test_a_stale_connection_is_replaced_only_if_nothing_was_answered() -> None:
    def script(ask: Ask) -> None:
        if len(up.asks) == 2:
            ask.send(b"HTTP/1.1 200 OK\r\n")
            ask.close()
        else:
            ask.send(answer(GOOD))

    with engines.engine(script) as up, gateways.gateway(gateways.endpoint(up.port)) as gateway:
        statuses = [gateway.ask().status for _ in range(3)]

    assert statuses == [200, 502, 200]
    assert len(up.asks) == 3


def test_a_stale_connection_is_replaced_once_and_no_more() -> None:
    def script(ask: Ask) -> None:
        if len(up.asks) == 1:
            ask.send(answer(GOOD))
        else:
            ask.close()

    with engines.engine(script) as up, gateways.gateway(gateways.endpoint(up.port)) as gateway:
        first, second = gateway.ask(), gateway.ask()

    assert (first.status, second.status) == (200, 502)
    assert len(up.asks) == 3
    assert gateway.endpoints.told[1:] == [("failed", "engine")]


def test_a_cancelled_request_never_gives_its_connection_to_another() -> None:
    def script(ask: Ask) -> None:
        if b"slow" in ask.body:
            ask.send(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
            assert ask.wait_for_hang_up()
        else:
            ask.send(answer(GOOD))

    with engines.engine(script) as up, gateways.gateway(gateways.endpoint(up.port)) as gateway:
        with gateway.line() as line:
            line.post(b'{"model":"asked","stream":true,"slow":1}').wait_for(b"half")
        gateway.recorder.wait_for(1)
        got = gateway.ask()

    assert got.body == GOOD
    assert up.connections == 2


def test_an_engine_that_answers_before_it_has_read_all_is_heard() -> None:
    def script(ask: Ask) -> None:
        ask.send(answer(b"too large", "413 Payload Too Large"))

    with engines.engine(script) as up, gateways.gateway(gateways.endpoint(up.port)) as gateway:
        up.reads_bodies = False
        got = gateway.ask(b'{"model":"asked","text":"%b"}' % (b"x" * 5_000_000))

    assert (got.status, got.body) == (413, b"too large")


def test_https_is_spoken_to_an_engine_whose_certificate_is_trusted() -> None:
    with (
        engines.engine(says(answer(GOOD)), speaking_tls()) as up,
        gateways.gateway(
            gateways.endpoint(up.port, scheme="https", ca_pem=CA_PEM, server_name="engine.test")
        ) as gateway,
    ):
        bodies = [gateway.ask().body for _ in range(2)]

    assert bodies == [GOOD, GOOD]
    assert up.asks[0].headers[b"host"] == b"127.0.0.1:%d" % up.port


UNTRUSTED: dict[str, tuple[dict[str, Any], str]] = {
    "another name": (
        {"ca_pem": CA_PEM, "server_name": "other.test"},
        "showed a certificate that is not trusted",
    ),
    "no name but the address": ({"ca_pem": CA_PEM}, "showed a certificate that is not trusted"),
    "the system's authorities": ({"server_name": "engine.test"}, "showed a certificate that is not trusted"),
    "an authority that is none": (
        {"ca_pem": "nonsense", "server_name": "engine.test"},
        "failed the TLS handshake",
    ),
}


@pytest.mark.parametrize("case", UNTRUSTED)
def test_a_certificate_is_not_accepted_by(case: str) -> None:
    more, words = UNTRUSTED[case]
    with (
        engines.engine(says(answer(GOOD)), speaking_tls()) as up,
        gateways.gateway(gateways.endpoint(up.port, scheme="https", **more)) as gateway,
    ):
        got = gateway.ask()

    assert got.status == 502
    assert f"@127.0.0.1:{up.port} {words}" in got.error()["message"]
    assert up.asks == []


def test_a_new_table_keeps_the_connections_of_an_endpoint_that_is_still_the_same() -> None:
    with engines.engine(says(answer(GOOD))) as up, gateways.gateway(gateways.endpoint(up.port)) as gateway:
        gateway.ask()
        gateway.router.decide_for(gateways.endpoint(up.port, authorization="Bearer new"))
        gateway.ask()

    assert up.connections == 1
    assert up.asks[1].headers[b"authorization"] == b"Bearer new"


def test_a_new_table_with_other_tls_settings_never_uses_the_old_connections() -> None:
    with engines.engine(says(answer(GOOD))) as up:
        plain = gateways.endpoint(up.port)
        with gateways.gateway(plain) as gateway:
            first = gateway.ask()
            gateway.router.decide_for(dataclasses.replace(plain, server_name="engine.test"))
            second = gateway.ask()

    assert (first.status, second.status, up.connections) == (200, 200, 2)
