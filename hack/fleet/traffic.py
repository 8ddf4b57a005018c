"""Traffic for a simulated fleet, and what came of it. Everything is drawn from a seed."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from fleet.balancers import Balancer, ByScore, ByTurns, Several, Steelyard
from fleet.clock import Clock
from fleet.servers import Asked, Server, total_loads

SPREAD = 0.5
"""Standard deviation of the logarithm of a request's length: answers differ by factors."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A fleet and its traffic."""

    name: str
    """What it is, for people."""
    servers: int = 2
    most_models: int = 1
    """Models that a server holds."""
    slots: int = 1
    """OLLAMA_NUM_PARALLEL."""
    models: int = 3
    zipf: float = 1.0
    """The n-th model is asked for in proportion to 1 ÷ n to this power."""
    cold_seconds: float = 4.0
    """How long a load takes; the models differ from it by up to a half."""
    mean_seconds: float = 1.0
    """How long a request takes that has a slot."""
    per_second: float = 1.0
    """Requests; 0: `clients` send one after another."""
    clients: int = 0
    """Clients that wait for the answer before they ask again."""
    requests: int = 600
    outage: tuple[float, float] | None = None
    """When the last server dies, and for how long, in seconds."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a scene."""

    loads: int
    """Models that were loaded, by all servers together."""
    p50_seconds: float
    """Half of the requests were over after so long."""
    p95_seconds: float
    """All but 5 in 100 were; infinite where more got an error."""
    refused: int
    """Requests that got an error."""


Make = Callable[[Clock, Sequence[Server], Sequence[str], int], Balancer]


def steelyard(clock: Clock, servers: Sequence[Server], models: Sequence[str], seed: int) -> Balancer:
    """One gateway."""
    return Steelyard(clock, servers, models)


def three(clock: Clock, servers: Sequence[Server], models: Sequence[str], seed: int) -> Balancer:
    """Three gateways, each blind to the others' requests."""
    return Several([Steelyard(clock, servers, models, poll_after=0.6 * one) for one in range(3)], seed)


BALANCERS: dict[str, Make] = {
    "round robin": lambda clock, servers, models, seed: ByTurns(servers),
    "least score": lambda clock, servers, models, seed: ByScore(clock, servers),
    "steelyard": steelyard,
    "3 steelyards": three,
}


def play(scene: Scene, make: Make, seed: int) -> Outcome:
    """The scene with this balancer: the same requests for all of them."""
    chance, clock = random.Random(seed), Clock()
    models = [f"model-{number}:1b" for number in range(1, scene.models + 1)]
    cold = {name: scene.cold_seconds * chance.uniform(0.5, 1.5) for name in models}
    servers = [
        Server(clock, cold, most_models=scene.most_models, slots=scene.slots) for _ in range(scene.servers)
    ]
    balancer = make(clock, servers, models, seed)
    asked = [_asked(scene, models, chance) for _ in range(scene.requests)]
    left = len(asked)

    def over(one: Asked) -> None:
        nonlocal left
        left -= 1
        one.ended_at = clock.now
        if scene.clients and waiting:
            send(waiting.pop())

    def send(one: Asked) -> None:
        one.at = clock.now
        balancer.take(one, over)

    waiting = list(reversed(asked)) if scene.clients else []
    at = 0.0
    for index, one in enumerate(asked):
        at += chance.expovariate(scene.per_second) if scene.per_second else 0.0
        if not scene.clients:
            clock.after(at, partial(send, one))
        elif index < scene.clients:
            clock.after(0.01 * index, lambda: send(waiting.pop()))
    if scene.outage is not None:
        begins, lasts = scene.outage
        clock.after(begins, servers[-1].stop)
        clock.after(begins + lasts, servers[-1].start)
    clock.run_until(lambda: not left)
    return _outcome(asked, total_loads(servers))


def _asked(scene: Scene, models: Sequence[str], chance: random.Random) -> Asked:
    weights = [1 / rank**scene.zipf for rank in range(1, len(models) + 1)]
    [model] = chance.choices(models, weights)
    seconds = chance.lognormvariate(math.log(scene.mean_seconds) - SPREAD**2 / 2, SPREAD)
    return Asked(model, seconds, is_stream=chance.random() < 0.5)


def _outcome(asked: Sequence[Asked], loads: int) -> Outcome:
    waits = sorted(math.inf if one.is_refused else one.ended_at - one.at for one in asked)
    refused = sum(one.is_refused for one in asked)
    return Outcome(loads, waits[len(waits) // 2], waits[len(waits) * 95 // 100], refused)
