"""The coarse timer: who is told, and when."""

import asyncio
from time import perf_counter

from steelyard_gateway.deadlines import NEVER, TICK_SECONDS, Deadlines


class Rival:
    """When it is told, it gives the other one all the time there is."""

    def __init__(self) -> None:
        self.deadline = perf_counter()
        self.told = 0
        self.other = self

    def on_late(self, now: float) -> None:
        self.told += 1
        self.deadline = self.other.deadline = NEVER


def test_an_item_whose_deadline_another_one_moved_is_not_told() -> None:
    one, two = Rival(), Rival()
    one.other, two.other = two, one

    async def watch() -> None:
        deadlines = Deadlines()
        deadlines.watch(one)
        deadlines.watch(two)
        await asyncio.sleep(TICK_SECONDS * 2)
        deadlines.forget(one)
        deadlines.forget(two)
        await asyncio.sleep(TICK_SECONDS * 2)

    asyncio.run(watch())

    assert one.told + two.told == 1
