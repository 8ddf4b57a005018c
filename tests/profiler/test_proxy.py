"""Only an External model is measured through the proxy, and a proxy that fails is told."""

import asyncio

import pytest

from fakes import connect_proxy, engines, tls_engine
from fakes.connect_proxy import ConnectProxy
from fakes.engines import Ask, answer, says
from steelyard_profiler import command
from steelyard_profiler.drive import Drive
from steelyard_profiler.target import Asked, Failure, Severity, Target


def target(proxy: ConnectProxy, port: int, *words: str) -> Target:
    """What the profiler is to measure by these words, with the proxy in its environment."""
    url = f"--url=https://engine.test:{port}/v1"
    usual = [url, "--model=m", f"--ca-file={tls_engine.AUTHORITY_FILE}", "--connect-seconds=1"]
    return command._target(command._parser({"HTTPS_PROXY": proxy.url}).parse_args([*usual, *words]))


def ask(of: Target) -> object:
    """What comes of a question."""

    async def run() -> object:
        async with Drive(of) as drive:
            return await drive.ask(Asked("Hello?", 5))

    return asyncio.run(run())


def test_several_questions_go_through_one_way() -> None:
    async def list_twice(of: Target) -> list[object]:
        async with Drive(of) as drive:
            return [await drive.models(), await drive.models()]

    with tls_engine.running() as up, connect_proxy.proxy() as proxy:
        found = asyncio.run(list_twice(target(proxy, up.port, "--location=External")))
        assert proxy.targets == [f"engine.test:{up.port}"]
    assert not any(isinstance(one, Failure) for one in found)


def test_a_local_model_has_no_proxy() -> None:
    with connect_proxy.proxy() as proxy:
        assert target(proxy, 443).proxy is None
        assert target(proxy, 443, "--location=External", "--no-proxy=.test").proxy is None
        assert str(target(proxy, 443, "--location=External").proxy) == proxy.host


def hanging(ask: Ask) -> None:
    assert ask.wait_for_hang_up()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (says(answer(b"secret page", "502 Bad Gateway")), "answered 502 to CONNECT"),
        (hanging, "opened no way within 1 s"),
    ],
    ids=["answers 502", "hangs"],
)
def test_a_proxy_that_fails_is_told_and_may_be_better_later(script: engines.Script, words: str) -> None:
    with connect_proxy.proxy(script) as proxy:
        failure = ask(target(proxy, 443, "--location=External"))

    message = (
        f"https://engine.test:443/v1 cannot be connected to: the proxy {proxy.host} {words}. "
        "Correct HTTPS_PROXY or NO_PROXY."
    )
    assert failure == Failure("ConnectFailed", message, Severity.TRANSIENT)
