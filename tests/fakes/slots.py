"""HandTimer and endpoints with a limit, for tests of slots and queues."""

from fakes.gateways import candidate, endpoint
from steelyard.routing.table import Attempt, Table
from steelyard_gateway.deadlines import Watched
from steelyard_gateway.shares import Fleet

ALONE = Fleet()
"""A gateway that shares with nobody."""


class HandTimer:
    """Time that moves when told, and tells who is late."""

    def __init__(self) -> None:
        self.now = 100.0
        self._items: dict[Watched, None] = {}

    def __call__(self) -> float:
        return self.now

    def watch(self, item: Watched) -> None:
        assert item not in self._items
        self._items[item] = None

    def forget(self, item: Watched) -> None:
        self._items.pop(item, None)

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        for item in [item for item in self._items if item.deadline <= self.now]:
            item.on_late(self.now)


def limited(port: int, limit: int | None) -> Attempt:
    """A model at an endpoint that may have so many requests at once."""
    return candidate(endpoint(port, max_concurrency=limit)).attempts[0]


def table(*attempts: Attempt) -> Table:
    """A table of these."""
    return Table(candidates=tuple(one.candidate for one in attempts))
