"""A signal ends a loop in good order, whenever it comes."""

import asyncio
import signal
from collections.abc import Iterator
from typing import NoReturn

import pytest

from steelyard import loops

SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


class Heard(Exception):
    """What the handlers of these tests raise."""


def _raise(number: int, _: object) -> NoReturn:
    raise Heard(signal.Signals(number))


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Both signals raise Heard."""
    before = {number: signal.signal(number, _raise) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    assert {number: signal.signal(number, handler) for number, handler in before.items()} == dict.fromkeys(
        before, _raise
    )


@SIGNALS
def test_while_the_loop_is_made_nothing_begins_and_the_loop_is_closed_whole(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, make = list[asyncio.AbstractEventLoop](), asyncio.new_event_loop
    begun = []

    def made_under_a_signal() -> asyncio.AbstractEventLoop:
        signal.raise_signal(number)
        made.append(make())
        return made[0]

    async def main() -> None:
        begun.append(True)

    monkeypatch.setattr(asyncio.events, "new_event_loop", made_under_a_signal)

    with pytest.raises(Heard, match=str(number)):
        loops.run(main)

    assert [loop.is_closed() for loop in made] == [True]
    assert not begun


@SIGNALS
def test_what_runs_is_cancelled_and_ends_before_the_handler_hears(number: signal.Signals) -> None:
    ended = []

    async def main() -> None:
        asyncio.get_running_loop().call_soon(signal.raise_signal, number)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(number)

    with pytest.raises(Heard, match=str(number)):
        loops.run(main)

    assert ended == [number]


def test_an_ignored_signal_stays_ignored() -> None:
    async def main() -> str:
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(0)
        return "done"

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert loops.run(main) == "done"
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_without_a_signal_the_result_or_the_error_is_that_of_what_ran() -> None:
    async def right() -> int:
        return 7

    async def wrong() -> int:
        raise KeyError("which")

    assert loops.run(right) == 7
    with pytest.raises(KeyError, match="which"):
        loops.run(wrong)
