"""External engines are reached through the proxy, and nothing else is; what goes wrong with it is told."""

import dataclasses
import json
import socket
from pathlib import Path
from typing import Any

import certifi
import pytest

from fakes import connect_proxy, engines, folders, gateways, tls_engine
from fakes.connect_proxy import ConnectProxy
from fakes.engines import Ask, Script, answer, chunk, says, stream_head
from fakes.program import gateway as program
from steelyard.api.backend import Location
from steelyard.egress import proxies
from steelyard.egress.proxies import Egress, Proxy
from steelyard.routing.table import Endpoint

GOOD = b'{"answer":"good"}'


def outside(port: int, **more: Any) -> Endpoint:
    """An External endpoint whose name nobody but the proxy knows."""
    usual: dict[str, Any] = {"host": "engine.test", "scheme": "https", "ca_pem": tls_engine.AUTHORITY}
    return gateways.endpoint(port, **(usual | {"location": Location.EXTERNAL} | more))


def through(proxy: ConnectProxy, **more: Any) -> Egress:
    return Egress(proxy.proxy(), **more)


def test_answers_and_streams_come_through_one_way_that_is_kept() -> None:
    stream = stream_head() + chunk(b"data: one\n\n") + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"

    def script(ask: Ask) -> None:
        ask.send(stream if b"stream" in ask.body else answer(GOOD))

    with (
        engines.engine(script, tls_engine.shown()) as up,
        connect_proxy.proxy() as proxy,
        gateways.gateway(outside(up.port), egress=through(proxy)) as gateway,
    ):
        first = gateway.ask()
        streamed = gateway.ask(b'{"model":"asked","stream":true}')
        last = gateway.ask()

    assert (first.body, last.body) == (GOOD, GOOD)
    assert streamed.body == b"data: one\n\ndata: [DONE]\n\n"
    assert proxy.targets == [f"engine.test:{up.port}"]
    assert len(up.asks) == 3
    assert up.asks[0].headers[b"host"] == b"engine.test:%d" % up.port


def test_a_certificate_may_carry_another_name_than_the_address_that_the_proxy_is_asked_for() -> None:
    with (
        engines.engine(says(answer(GOOD)), tls_engine.shown()) as up,
        connect_proxy.proxy() as proxy,
        gateways.gateway(
            outside(up.port, host="other.test", server_name="engine.test"), egress=through(proxy)
        ) as gateway,
    ):
        assert gateway.ask().body == GOOD
    assert proxy.targets == [f"other.test:{up.port}"]


DIRECTLY: dict[str, tuple[dict[str, Any], str]] = {
    "what is Local": ({"location": Location.LOCAL}, ""),
    "an address that NO_PROXY names": ({}, "other.test, 127.0.0.1"),
    "an address of a network that it names": ({}, "127.0.0.0/8"),
    "everything": ({}, "*"),
}


@pytest.mark.parametrize("case", DIRECTLY)
def test_no_proxy_is_asked_for(case: str) -> None:
    more, no_proxy = DIRECTLY[case]
    with (
        engines.engine(says(answer(GOOD)), tls_engine.shown()) as up,
        connect_proxy.proxy() as proxy,
        gateways.gateway(
            outside(up.port, host="127.0.0.1", server_name="engine.test", **more),
            egress=through(proxy, no_proxy=no_proxy),
        ) as gateway,
    ):
        assert gateway.ask().body == GOOD
    assert proxy.targets == []


def test_no_proxy_is_asked_for_what_is_outside_without_tls() -> None:
    with (
        engines.engine(says(answer(GOOD))) as up,
        connect_proxy.proxy() as proxy,
        gateways.gateway(
            outside(up.port, host="127.0.0.1", scheme="http", ca_pem=None), egress=through(proxy)
        ) as gateway,
    ):
        assert gateway.ask().body == GOOD
    assert proxy.targets == []


def test_an_endpoint_that_turns_out_to_be_outside_gets_a_connection_through_the_proxy() -> None:
    with (
        engines.engine(says(answer(GOOD)), tls_engine.shown()) as up,
        connect_proxy.proxy() as proxy,
    ):
        place = outside(up.port, host="127.0.0.1", server_name="engine.test", location=Location.LOCAL)
        with gateways.gateway(place, egress=through(proxy)) as gateway:
            gateway.ask()
            gateway.router.decide_for(dataclasses.replace(place, location=Location.EXTERNAL))
            assert gateway.ask().body == GOOD
    assert proxy.targets == [f"127.0.0.1:{up.port}"]


def closing(ask: Ask) -> None:
    ask.close()


def hanging(ask: Ask) -> None:
    assert ask.wait_for_hang_up()


FAILING: dict[str, tuple[Script, str]] = {
    "that wants a password": (
        says(answer(b"secret page", "407 Proxy Authentication Required")),
        "answered 407 to CONNECT: give it a user and a password",
    ),
    "that does not get there": (says(answer(b"", "502 Bad Gateway")), "answered 502 to CONNECT"),
    "that closes": (closing, "closed the connection before it answered CONNECT"),
    "that resets": (lambda ask: ask.reset(), "broke off the connection"),
    "that is none": (says(b"SSH-2.0-OpenSSH_9.2\r\n"), "does not speak HTTP/1.1"),
    "that says too much": (
        says(b"HTTP/1.1 200 OK\r\n\r\nmore"),
        "sent more than its answer to CONNECT",
    ),
    "with an endless head": (
        says(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 20_000),
        "answered CONNECT with too long a head",
    ),
}


@pytest.mark.parametrize("case", FAILING)
def test_a_failing_proxy_is_told_and_another_engine_answers(case: str) -> None:
    script, words = FAILING[case]
    with (
        engines.engine(says(answer(GOOD)), tls_engine.shown()) as up,
        engines.engine(says(answer(GOOD))) as near,
        connect_proxy.proxy(script) as proxy,
        gateways.gateway(outside(up.port), egress=through(proxy)) as alone,
        gateways.gateway(
            outside(up.port), gateways.endpoint(near.port, "near"), egress=through(proxy)
        ) as gateway,
    ):
        got, elsewhere = alone.ask(), gateway.ask()

    assert got.status == 502
    assert f"could not be reached: the proxy {proxy.host} {words}" in got.error()["message"]
    assert (elsewhere.status, elsewhere.body) == (200, GOOD)
    assert gateway.endpoints.told[0] == ("failed", "engine")
    assert up.connections == 0


def test_a_proxy_that_hangs_is_left_when_the_time_to_connect_is_over() -> None:
    with (
        connect_proxy.proxy(hanging) as proxy,
        gateways.gateway(outside(443, timeouts=gateways.SHORT), egress=through(proxy)) as gateway,
    ):
        got = gateway.ask()
        proxy.up.wait_for_hang_ups(1)

    assert got.status == 504
    assert f"could not be connected to through the proxy {proxy.host} within 0.3 s" in got.error()["message"]


def test_a_proxy_that_is_not_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with gateways.gateway(outside(443), egress=Egress(Proxy("127.0.0.1", port))) as gateway:
        message = gateway.ask().error()["message"]
    assert f"could not be reached: the proxy 127.0.0.1:{port} refused the connection" in message


def test_a_proxy_whose_name_nobody_knows_is_told() -> None:
    with gateways.gateway(outside(443), egress=Egress(Proxy("proxy.invalid", 3128))) as gateway:
        message = gateway.ask().error()["message"]
    assert "the proxy proxy.invalid:3128 has a host name that could not be resolved" in message


def test_a_certificate_that_is_not_trusted_is_told_through_the_proxy_too() -> None:
    with (
        engines.engine(says(answer(GOOD)), tls_engine.shown()) as up,
        connect_proxy.proxy() as proxy,
        gateways.gateway(outside(up.port, ca_pem=None), egress=through(proxy)) as gateway,
    ):
        message = gateway.ask().error()["message"]
    assert "showed a certificate that is not trusted" in message


def test_a_bundle_is_trusted_beside_the_systems_and_not_beside_a_backends_own_authority() -> None:
    egress = Egress(ca_pem=tls_engine.AUTHORITY)
    with (
        engines.engine(says(answer(GOOD)), tls_engine.shown()) as up,
        gateways.gateway(
            outside(up.port, host="127.0.0.1", server_name="engine.test", ca_pem=None), egress=egress
        ) as gateway,
    ):
        assert gateway.ask().body == GOOD
        other = outside(up.port, host="127.0.0.1", server_name="engine.test", ca_pem=other_authority())
        gateway.router.decide_for(other)
        assert "showed a certificate that is not trusted" in gateway.ask().error()["message"]


def other_authority() -> str:
    """One that did not sign the engine's certificate."""
    return certifi.contents().partition("END CERTIFICATE-----")[0] + "END CERTIFICATE-----\n"


def test_the_program_sends_user_and_password_to_the_proxy_and_tells_them_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        engines.engine(says(answer(b'{"choices":[]}')), tls_engine.shown()) as up,
        connect_proxy.proxy(connect_proxy.opens_for_who_knows_the_password) as proxy,
    ):
        url = {"url": f"https://engine.test:{up.port}", "location": "External"}
        folders.write(tmp_path, folders.backend("e", up.port, {"name": "m"}, **url))
        told = []
        monkeypatch.setenv("no_proxy", "")
        for given, status in ((proxy.secret_url, 200), (f"http://user:wrong@{proxy.host}", 502)):
            monkeypatch.setenv("https_proxy", given)
            with program(tmp_path, "--ca-bundle", str(tls_engine.AUTHORITY_FILE)) as running:
                got = running.chat(model="m")
                running.wait_for("request")
                pages = [
                    running.admin.get(page).text for page in ("/metrics", "/admin/resources", "/admin/table")
                ]
            told.append(json.dumps([running.lines, pages, got.text, dict(got.headers)]))
            assert got.status_code == status

    assert f"the proxy {proxy.host} answered 407" in told[1]
    assert proxy.up.asks[0].headers[b"Proxy-Authorization"] == connect_proxy.AUTHORIZATION.encode()
    for text in told:
        for secret in ("pass%3A", "pass:word", "wrong", connect_proxy.AUTHORIZATION, "Proxy-Authorization"):
            assert secret not in text
    assert "pass" not in repr(proxies.read(proxy.secret_url))
