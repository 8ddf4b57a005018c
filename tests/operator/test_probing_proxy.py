"""External engines are probed through the proxy, with its failures told; Local ones directly."""

import asyncio
import socket
from typing import Any

import pytest

from fakes import connect_proxy, engines, gateways, tls_engine
from fakes.connect_proxy import ConnectProxy
from fakes.engines import Ask, Script, answer, says
from steelyard.api.backend import Engine, Location, Timeouts
from steelyard.egress.proxies import Egress, Proxy
from steelyard.routing.table import Endpoint
from steelyard_operator.probing import Failure, Prober

SECONDS = 5.0
MODELS = b'{"object":"list","data":[{"id":"m","object":"model"}]}'


def outside(port: int, **more: Any) -> Endpoint:
    """An External endpoint whose name nobody but the proxy knows."""
    usual: dict[str, Any] = {"host": "engine.test", "scheme": "https", "ca_pem": tls_engine.AUTHORITY}
    return gateways.endpoint(port, **(usual | {"location": Location.EXTERNAL} | more))


def health(egress: Egress, *places: Endpoint) -> list[Failure | None]:
    """How they are, by one prober."""

    async def run() -> list[Failure | None]:
        async with Prober(egress) as prober:
            return [await prober.health(Engine.OPENAI, place, SECONDS) for place in places]

    return asyncio.run(run())


def through(proxy: ConnectProxy) -> Egress:
    return Egress(proxy.proxy())


def test_an_engine_is_well_behind_the_proxy_and_each_probe_has_a_way_of_its_own() -> None:
    with engines.engine(says(answer(MODELS)), tls_engine.shown()) as up, connect_proxy.proxy() as proxy:
        place = outside(up.port)
        renamed = outside(up.port, host="other.test", server_name="engine.test")
        assert health(through(proxy), place, place, renamed) == [None, None, None]
        assert proxy.targets == [f"engine.test:{up.port}"] * 2 + [f"other.test:{up.port}"]


def test_what_an_engine_serves_is_read_through_it() -> None:
    async def describe(egress: Egress, place: Endpoint) -> object:
        async with Prober(egress) as prober:
            return await prober.describe(Engine.OPENAI, place, SECONDS)

    with engines.engine(says(answer(MODELS)), tls_engine.shown()) as up, connect_proxy.proxy() as proxy:
        found = asyncio.run(describe(through(proxy), outside(up.port)))
    assert not isinstance(found, Failure)
    assert [ask.line.split()[1] for ask in up.asks] == [b"/v1/models"]


def test_a_local_engine_and_an_external_one_of_one_authority_are_asked_each_its_own_way() -> None:
    with engines.engine(says(answer(MODELS)), tls_engine.shown()) as up, connect_proxy.proxy() as proxy:
        near = outside(up.port, host="127.0.0.1", server_name="engine.test", location=Location.LOCAL)
        assert health(through(proxy), near, outside(up.port), near) == [None, None, None]
        assert proxy.targets == [f"engine.test:{up.port}"]


def hanging(ask: Ask) -> None:
    assert ask.wait_for_hang_up()


def closing(ask: Ask) -> None:
    ask.close()


FAILING: dict[str, tuple[Script, str]] = {
    "wants a password": (
        says(answer(b"secret page", "407 Proxy Authentication Required")),
        "answered 407 to CONNECT: give it a user and a password",
    ),
    "does not get there": (says(answer(b"", "502 Bad Gateway")), "answered 502 to CONNECT"),
    "closes": (closing, "closed the connection before it answered CONNECT"),
    "hangs": (hanging, "opened no way within 1 s"),
}


@pytest.mark.parametrize("case", FAILING)
def test_it_is_told_where_the_proxy(case: str) -> None:
    script, words = FAILING[case]
    with connect_proxy.proxy(script) as proxy:
        (failure,) = health(through(proxy), outside(443, timeouts=Timeouts(connect_seconds=1)))
        proxy.up.wait_for_hang_ups(1)
    assert failure == Failure(
        "Unreachable",
        f"https://engine.test:443 cannot be reached: the proxy {proxy.host} {words}. "
        "Correct HTTPS_PROXY or NO_PROXY.",
    )


def test_a_proxy_that_is_not_there_is_told_by_how_it_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    (refused,) = health(Egress(Proxy("127.0.0.1", port)), outside(443))
    (unknown,) = health(Egress(Proxy("proxy.invalid", 1)), outside(443))

    assert refused and f"the proxy 127.0.0.1:{port} refused the connection." in refused.message
    assert (
        unknown and "the proxy proxy.invalid:1 has a host name that could not be resolved" in unknown.message
    )


def test_a_certificate_is_checked_through_the_proxy_too() -> None:
    with engines.engine(says(answer(MODELS)), tls_engine.shown()) as up, connect_proxy.proxy() as proxy:
        (failure,) = health(through(proxy), outside(up.port, ca_pem=None))
    assert failure and failure.reason == "TlsFailed"


def test_extra_certificates_are_trusted_where_a_backend_names_none() -> None:
    with engines.engine(says(answer(MODELS)), tls_engine.shown()) as up:
        place = outside(up.port, host="127.0.0.1", server_name="engine.test", ca_pem=None)
        assert health(Egress(ca_pem=tls_engine.AUTHORITY), place) == [None]
