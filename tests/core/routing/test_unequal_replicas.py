"""A simulation: replicas of unequal speed under Poisson load, balanced by what a gateway can know.

Everything is drawn from a seed. A replica has slots and a queue; each request keeps a slot for a time drawn
from an exponential distribution over the replica's speed. The gateway knows its requests in flight and the
saturation curves; the ideal knows when every request will end, and takes the replica that ends it first.
"""

import heapq
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest

from fakes.resources import backend, measured, policy, resource_set
from steelyard.api.resources import AnyResource
from steelyard.routing.compiling import compile_table
from steelyard.routing.deciding import decide
from steelyard.routing.decision import NoLoad, Request, Turn
from steelyard.routing.table import Endpoint

SPEEDS = [20, 20, 40, 60, 80, 160]
"""Tokens a second of one stream, by replica."""

SLOTS = 4
"""Streams at once; more wait."""

TOKENS = 128
"""Mean length of an answer."""

REQUESTS = 12_000

CHAT = frozenset({"chat"})


class Replica:
    """One engine: when its slots become free, and when its requests end."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self.free_at = [0.0] * SLOTS
        self.ends: list[float] = []

    def in_flight(self, now: float) -> int:
        while self.ends and self.ends[0] <= now:
            heapq.heappop(self.ends)
        return len(self.ends)

    def end_of(self, now: float, tokens: float) -> float:
        """When a request that comes now would end."""
        return max(now, self.free_at[0]) + tokens / self.speed

    def take(self, now: float, tokens: float) -> float:
        end = self.end_of(now, tokens)
        heapq.heapreplace(self.free_at, end)
        heapq.heappush(self.ends, end)
        return end


Choose = Callable[[Sequence[Replica], float, float, int], Replica]
"""From replicas, the time, the request's length and its number."""


def p95_seconds(choose: Choose, utilisation: float) -> float:
    """The 95th percentile of the time that requests take, after a warm-up."""
    random, replicas = Random(5), [Replica(speed) for speed in SPEEDS]
    rate = utilisation * sum(SPEEDS) * SLOTS / TOKENS
    now, took = 0.0, []
    for number in range(REQUESTS):
        now += random.expovariate(rate)
        tokens = random.expovariate(1 / TOKENS)
        took.append(choose(replicas, now, tokens, number).take(now, tokens) - now)
    measured_ones = sorted(took[REQUESTS // 10 :])
    return measured_ones[int(0.95 * len(measured_ones))]


def ideal(replicas: Sequence[Replica], now: float, tokens: float, number: int) -> Replica:
    return min(replicas, key=lambda one: one.end_of(now, tokens))


class AtThisMoment(NoLoad):
    """The load of the replicas now."""

    def __init__(self, replicas: Sequence[Replica], now: float) -> None:
        self._replicas, self._now = replicas, now

    def in_flight(self, endpoint: Endpoint) -> int:
        return self._replicas[int(endpoint.host[1:])].in_flight(self._now)


def decided(balance: str) -> Choose:
    """As Steelyard decides, with what profiles of these replicas say."""
    fleet: list[AnyResource] = [policy("auto", "auto", balance={"type": balance})]
    for index, speed in enumerate(SPEEDS):
        curve: list[dict[str, Any]] = [
            {"concurrency": streams, "outputTokensPerSecond": speed * min(streams, SLOTS)}
            for streams in (1, SLOTS, 2 * SLOTS)
        ]
        performance = {"ttftMs": {"p50": 0}, "outputTokensPerSecond": speed, "saturation": curve}
        fleet.append(backend(f"b{index}", "m", url=f"http://h{index}:1"))
        fleet.append(measured(f"b{index}", "m", 50, performance=performance))
    table, _ = compile_table(resource_set(*fleet), "default")
    request = Request("auto", (Turn("hello", 10, CHAT),), conversation="c")

    def choose(replicas: Sequence[Replica], now: float, tokens: float, number: int) -> Replica:
        load = AtThisMoment(replicas, now)
        host = decide(request, table, load, number, lambda _: ((0, 1.0),)).attempts[0].endpoint.host
        return replicas[int(host[1:])]

    return choose


@pytest.mark.parametrize("utilisation", [0.4, 0.7, 0.85])
def test_unequal_replicas_answer_nearly_as_soon_as_an_ideal_balance_has_them_do(utilisation: float) -> None:
    best, ours = p95_seconds(ideal, utilisation), p95_seconds(decided("LeastLoad"), utilisation)
    assert ours <= 1.3 * best
    assert ours < 0.7 * p95_seconds(decided("RoundRobin"), utilisation)
