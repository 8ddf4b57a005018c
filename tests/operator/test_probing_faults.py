"""Probes of what goes wrong below HTTP."""

import asyncio
import errno
from typing import NoReturn

import pytest

from fakes.gateways import endpoint
from steelyard.api.backend import Engine
from steelyard_operator.probing import Failure, Prober

SECONDS = 5.0


def test_a_connection_that_is_gone_as_it_is_made_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """uvloop tells it so of a socket that the other side has reset already."""

    async def gone(transport: object, request: object) -> NoReturn:
        raise OSError(errno.EBADF, "Bad file descriptor")

    async def probed(port: int) -> Failure | None:
        async with Prober() as prober:
            return await prober.health(Engine.OPENAI, endpoint(port), SECONDS)

    monkeypatch.setattr("httpx.AsyncHTTPTransport.handle_async_request", gone)
    failure = asyncio.run(probed(1))

    assert failure is not None
    assert (failure.reason, "bad file descriptor" in failure.message) == ("Unreachable", True)
