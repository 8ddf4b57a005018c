"""Running a loop that a signal ends in good order.

A handler that raises breaks the loop that it happens to meet: one that is half made complains, and where a
step whose turn it was is lost, what waits for it hangs. Here a signal cancels, and goes on to the handler of
before once the loop is closed.
"""

import asyncio
import signal
import types
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(main: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """As asyncio.run of what `main` makes; for the main thread. An ignored signal stays ignored."""
    ending = _Ending()
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    heeded = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for number in heeded:
        signal.signal(number, ending.begin)
    try:
        with asyncio.Runner() as runner:
            return runner.run(ending.heeding(main))
    finally:
        for number, handler in heeded.items():
            signal.signal(number, handler)
        for heard in ending.heard:
            signal.raise_signal(heard)


class _Ending:
    """What the signals do while the loop lives."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        self._task: asyncio.Task[Any] | None = None

    def begin(self, number: int, frame: types.FrameType | None) -> None:
        self.heard.append(number)
        if self._task and not self._task.done():
            self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    async def heeding(self, main: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        self._task = asyncio.current_task()
        if self.heard:
            raise asyncio.CancelledError
        return await main()
