"""The queue on a clock that jumps to whatever happens next, so that nothing here waits."""

import asyncio
import itertools
import logging
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from steelyard_operator.queue import Done, Outcome, Queue, Wait

Run = tuple[float, str]
"""When a run began, and for which key."""


class JumpingLoop(asyncio.SelectorEventLoop):
    """Has a time of its own, which jumps ahead whenever there is nothing else to do."""

    def __init__(self) -> None:
        self.now = 0.0
        selector = selectors.DefaultSelector()
        look = selector.select

        def select(timeout: float | None = None) -> Any:
            assert timeout is not None, "nothing will ever happen again"
            found = look(0)
            self.now += 0 if found else timeout
            return found

        selector.select = select  # type: ignore[method-assign]
        super().__init__(selector)

    def time(self) -> float:
        return self.now


class Worker:
    """Does the work and keeps a list of it."""

    def __init__(self, queue: Queue[str], *outcomes: Outcome | Exception, seconds: float = 0.0) -> None:
        self.queue = queue
        self.runs: list[Run] = []
        self.busy: list[str] = []
        self.most_busy = 0
        self._outcomes = iter(outcomes)
        self._seconds = seconds

    async def work(self, key: str) -> Outcome:
        """The next outcome, after so long."""
        self.runs.append((round(asyncio.get_running_loop().time(), 3), key))
        assert key not in self.busy, f"{key} is worked on twice at once"
        self.busy.append(key)
        self.most_busy = max(self.most_busy, len(self.busy))
        try:
            await asyncio.sleep(self._seconds)
        finally:
            self.busy.remove(key)
        outcome = next(self._outcomes, Done())
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def for_seconds(self, seconds: float, workers: int = 1) -> list[Run]:
        """What was run within this time."""
        try:
            async with asyncio.timeout(seconds):
                await self.queue.run(self.work, workers)
        except TimeoutError:
            return self.runs
        raise AssertionError("the queue ended by itself")


Test = Callable[[Queue[str]], Coroutine[Any, Any, None]]


def on_a_queue_with(**settings: Any) -> Callable[[Test], Callable[[], None]]:
    """Run the test with a queue of these settings, on a clock that jumps."""

    def decorate(test: Test) -> Callable[[], None]:
        def run() -> None:
            with asyncio.Runner(loop_factory=JumpingLoop) as runner:
                runner.run(test(Queue[str](clock=runner.get_loop().time, **settings)))

        run.__name__ = run.__qualname__ = test.__name__
        return run

    return decorate


on_a_jumping_clock = on_a_queue_with(min_interval_seconds=0)


@on_a_jumping_clock
async def test_a_key_that_is_added_often_is_worked_on_once(queue: Queue[str]) -> None:
    for _ in range(10):
        queue.add("a")
    assert await Worker(queue).for_seconds(10) == [(0, "a")]


@on_a_jumping_clock
async def test_keys_run_in_the_order_in_which_they_fall_due(queue: Queue[str]) -> None:
    queue.add("late", 5)
    queue.add("soon", 1)
    queue.add("now")
    assert await Worker(queue).for_seconds(10) == [(0, "now"), (1, "soon"), (5, "late")]


@on_a_jumping_clock
async def test_of_two_due_times_the_earlier_counts(queue: Queue[str]) -> None:
    queue.add("a", 5)
    queue.add("a", 2)
    queue.add("a", 8)
    assert await Worker(queue).for_seconds(10) == [(2, "a")]


@on_a_jumping_clock
async def test_a_key_added_while_the_queue_waits_for_a_later_one_does_not_wait_with_it(
    queue: Queue[str],
) -> None:
    queue.add("late", 100)
    asyncio.get_running_loop().call_later(3, queue.add, "now")
    assert await Worker(queue).for_seconds(10) == [(3, "now")]


@on_a_jumping_clock
async def test_a_key_added_during_its_run_runs_once_more_and_never_twice_at_once(queue: Queue[str]) -> None:
    queue.add("a")
    for seconds in (1, 2, 3):
        asyncio.get_running_loop().call_later(seconds, queue.add, "a")
    assert await Worker(queue, seconds=4).for_seconds(20, workers=3) == [(0, "a"), (4, "a")]


@on_a_jumping_clock
async def test_keys_are_worked_on_side_by_side_but_no_more_than_there_are_workers(queue: Queue[str]) -> None:
    for key in "abcde":
        queue.add(key)
    worker = Worker(queue, seconds=1)
    runs = await worker.for_seconds(10, workers=2)
    assert runs == [(0, "a"), (0, "b"), (1, "c"), (1, "d"), (2, "e")]
    assert worker.most_busy == 2


@on_a_jumping_clock
async def test_work_that_waits_is_looked_at_again_after_so_long(queue: Queue[str]) -> None:
    queue.add("a")
    runs = await Worker(queue, Wait(3, "pod"), Wait(4, "pod")).for_seconds(20)
    assert runs == [(0, "a"), (3, "a"), (7, "a")]


@on_a_jumping_clock
async def test_a_key_that_waits_runs_at_once_when_it_is_added(queue: Queue[str]) -> None:
    queue.add("a")
    asyncio.get_running_loop().call_later(1, queue.add, "a")
    assert await Worker(queue, Wait(600, "resync")).for_seconds(20) == [(0, "a"), (1, "a")]


@on_a_jumping_clock
async def test_a_failing_key_is_tried_ever_more_slowly_and_the_others_are_not(queue: Queue[str]) -> None:
    queue.add("a")
    runs = await Worker(queue, *[ValueError()] * 11).for_seconds(1200)
    starts = [start for start, _ in runs]
    pauses = [after - before for before, after in itertools.pairwise(starts)]
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]

    queue.add("b")
    assert (await Worker(queue).for_seconds(1))[0][1] == "b"


@on_a_jumping_clock
async def test_a_success_forgives_earlier_failures(queue: Queue[str]) -> None:
    queue.add("a")
    bug = ValueError()
    runs = await Worker(queue, bug, bug, Wait(10, "next"), bug, Done()).for_seconds(60)
    assert [start for start, _ in runs] == [0, 1, 3, 13, 14]


def test_an_exception_is_logged_with_its_traceback_and_the_key(caplog: pytest.LogCaptureFixture) -> None:
    @on_a_jumping_clock
    async def fail(queue: Queue[str]) -> None:
        queue.add("llm/engine")
        await Worker(queue, ValueError("no such field")).for_seconds(0.5)

    fail()
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.message == "work failed"
    assert vars(record)["key"] == "llm/engine"
    assert record.exc_info and isinstance(record.exc_info[1], ValueError)


@on_a_queue_with()
async def test_a_key_that_is_edited_ten_times_a_second_runs_five_times_and_sees_the_last_edit(
    queue: Queue[str],
) -> None:
    for edit in range(10):
        asyncio.get_running_loop().call_later(edit / 10, queue.add, "a")
    runs = await Worker(queue).for_seconds(10)
    assert [start for start, _ in runs] == [0, 0.2, 0.4, 0.6, 0.8, 1.0]


@on_a_queue_with(min_interval_seconds=5)
async def test_the_least_interval_is_each_keys_own(queue: Queue[str]) -> None:
    queue.add("a")
    asyncio.get_running_loop().call_later(1, queue.add, "a")
    asyncio.get_running_loop().call_later(1, queue.add, "b")
    assert await Worker(queue).for_seconds(20) == [(0, "a"), (1, "b"), (5, "a")]


class LeadershipLostError(Exception):
    """Ends the program."""


@on_a_queue_with(fatal=(LeadershipLostError,))
async def test_a_fatal_exception_ends_the_queue_and_the_work_under_way(queue: Queue[str]) -> None:
    worker = Worker(queue, LeadershipLostError(), seconds=1)
    queue.add("lost")
    queue.add("under way", 0.5)
    with pytest.raises(ExceptionGroup) as raised:
        await queue.run(worker.work, 2)
    assert raised.group_contains(LeadershipLostError)
    assert worker.runs == [(0, "lost"), (0.5, "under way")]
    assert worker.busy == []


@on_a_jumping_clock
async def test_cancelling_ends_the_work_under_way_and_leaves_no_task(queue: Queue[str]) -> None:
    queue.add("a")
    queue.add("b", 50)
    worker = Worker(queue, seconds=100)
    assert await worker.for_seconds(1) == [(0, "a")]
    assert worker.busy == []
    assert asyncio.all_tasks() == {asyncio.current_task()}


@on_a_jumping_clock
async def test_depth_counts_keys_that_are_due(queue: Queue[str]) -> None:
    assert queue.depth == 0
    queue.add("a")
    queue.add("b", 2)
    queue.add("c", 100)
    await asyncio.sleep(3)
    assert queue.depth == 2
    await Worker(queue).for_seconds(1)
    assert queue.depth == 0
