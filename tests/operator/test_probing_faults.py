"""Probes of what goes wrong below HTTP."""

import asyncio
import errno
from typing import NoReturn

import pytest

from fakes import engines as fakes
from fakes.gateways import endpoint
from steelyard.api.backend import Engine
from steelyard_operator.probing import Failure, Prober

SECONDS = 5.0


def test_a_connection_that_is_gone_as_it_is_made_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """uvloop tells it so of a socket that the other side has reset already."""

    def gone(stream: object, info: str) -> NoReturn:
        raise OSError(errno.EBADF, "Bad file descriptor")

    async def probed(port: int) -> Failure | None:
        async with Prober() as prober:
            return await prober.health(Engine.OPENAI, endpoint(port), SECONDS)

    monkeypatch.setattr("httpcore._backends.anyio.AnyIOStream.get_extra_info", gone)
    with fakes.engine(lambda ask: ask.send(fakes.answer(b"{}"))) as up:
        failure = asyncio.run(probed(up.port))

    assert failure is not None
    assert (failure.reason, "bad file descriptor" in failure.message) == ("Unreachable", True)
