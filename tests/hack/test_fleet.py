"""Balancers of a simulated Ollama fleet on the same traffic: loads of models, and the waits of clients."""

from collections.abc import Sequence

import pytest

from fleet import traffic
from fleet.balancers import ByScore
from fleet.clock import Clock
from fleet.servers import Asked, Receiver, Server, total_loads
from fleet.traffic import BALANCERS, Outcome, Scene

SEEDS = (1, 2, 3)

ZIPF = (
    Scene("3 models on 2 servers of 1, open", per_second=1.2),
    Scene("long loads", per_second=1.0, cold_seconds=8.0, mean_seconds=0.5),
    Scene("16 clients", per_second=0.0, clients=16),
)
"""Zipf traffic for three models on two servers that hold one each."""


def played(scene: Scene, balancer: str) -> list[Outcome]:
    return [traffic.play(scene, BALANCERS[balancer], seed) for seed in SEEDS]


def loads(outcomes: Sequence[Outcome]) -> int:
    return sum(one.loads for one in outcomes)


def p95_seconds(outcomes: Sequence[Outcome]) -> float:
    return max(one.p95_seconds for one in outcomes)


@pytest.mark.parametrize("scene", ZIPF, ids=lambda scene: scene.name)
def test_a_third_of_round_robin_s_loads_and_half_of_its_p95(scene: Scene) -> None:
    ours, by_turns = played(scene, "steelyard"), played(scene, "round robin")
    assert loads(ours) <= loads(by_turns) / 3
    for our, turns in zip(ours, by_turns, strict=True):
        assert our.p95_seconds <= turns.p95_seconds / 2
        assert our.refused <= scene.requests / 100


@pytest.mark.parametrize("scene", ZIPF, ids=lambda scene: scene.name)
def test_fewer_loads_and_shorter_waits_than_by_active_requests_and_utilization(scene: Scene) -> None:
    ours, by_score = played(scene, "steelyard"), played(scene, "least score")
    for our, score in zip(ours, by_score, strict=True):
        assert our.loads < score.loads
        assert our.p95_seconds < score.p95_seconds


def test_gateways_that_know_nothing_of_each_other_are_ahead_of_it_too() -> None:
    ours, by_score = played(ZIPF[0], "3 steelyards"), played(ZIPF[0], "least score")
    assert loads(ours) < loads(by_score)
    assert p95_seconds(ours) < p95_seconds(by_score)


def test_as_many_models_as_fit_are_loaded_once_or_twice() -> None:
    fits = Scene("4 models on 2 servers of 2", models=4, most_models=2)
    assert max(one.loads for one in played(fits, "steelyard")) <= 12


def test_a_client_that_alternates_waits_no_longer_than_with_round_robin() -> None:
    alone = Scene("1 client", per_second=0.0, clients=1, requests=200)
    ours, by_turns = played(alone, "steelyard"), played(alone, "round robin")
    assert loads(ours) < loads(by_turns)
    assert p95_seconds(ours) <= p95_seconds(by_turns)


def test_when_a_server_dies_its_requests_are_answered_by_the_others() -> None:
    outage = Scene("outage", models=2, servers=3, outage=(120.0, 60.0))
    assert sum(one.refused for one in played(outage, "steelyard")) == 0
    assert sum(one.refused for one in played(outage, "least score")) > 0


# The simulation itself


class Client:
    """Sends requests to a server, and keeps when they were over."""

    def __init__(self, clock: Clock, server: Server) -> None:
        self.ended_at: dict[str, float] = {}
        self._clock, self._server = clock, server

    def send(self, at: float, name: str, model: str, seconds: float) -> None:
        """Send a request then."""
        self._clock.after(at, lambda: self._server.ask(_Sent(self, name, Asked(model, seconds))))

    def over(self, name: str) -> None:
        self.ended_at[name] = self._clock.now


class _Sent:
    def __init__(self, client: Client, name: str, asked: Asked) -> None:
        self.asked = asked
        self._client, self._name = client, name

    def began(self) -> None: ...

    def ended(self) -> None:
        self._client.over(self._name)

    def failed(self) -> None:
        self._client.over(self._name)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_simulated_server_starves_who_needs_another_model_while_it_is_busy(clock: Clock) -> None:
    client = Client(clock, Server(clock, {"a": 1.0, "b": 1.0}))
    client.send(0.0, "first", "a", 4.0)
    client.send(1.0, "other", "b", 1.0)
    client.send(2.0, "second", "a", 4.0)
    clock.run_until(lambda: "other" in client.ended_at)
    assert client.ended_at == {"first": 5.0, "second": 9.0, "other": 11.0}


def test_a_simulated_server_loads_in_order_and_one_at_a_time(clock: Clock) -> None:
    server = Server(clock, {"a": 1.0, "b": 2.0, "c": 3.0}, most_models=2)
    client = Client(clock, server)
    for model in "abc":
        client.send(0.0, model, model, 1.0)
    clock.run_until(lambda: len(client.ended_at) == 3)
    assert client.ended_at == {"a": 2.0, "b": 4.0, "c": 7.0}
    assert total_loads([server]) == 3


class Noted(Server):
    """A server that works or does not, as it is told, and keeps how many requests it was given."""

    def __init__(self, clock: Clock, *, works: bool = False) -> None:
        super().__init__(clock, {})
        self._works = works
        self.asked = 0

    def ask(self, receiver: Receiver) -> None:
        self.asked += 1

    def is_working(self) -> bool:
        return self._works


def asked(balancer: ByScore, servers: Sequence[Noted], number: int) -> list[int]:
    """How many of so many requests, sent at one moment, each server is given."""
    for _ in range(number):
        balancer.take(Asked("a", 1.0), lambda _: None)
    return [server.asked for server in servers]


def test_the_other_balancer_goes_by_ten_times_the_active_requests_and_utilization(clock: Clock) -> None:
    servers = [Noted(clock, works=True), Noted(clock)]
    balancer = ByScore(clock, servers)
    assert asked(balancer, servers, 10) == [0, 10]
    assert asked(balancer, servers, 10) == [5, 15]


def test_the_other_balancer_goes_by_turns_when_its_metrics_are_old(clock: Clock) -> None:
    servers = [Noted(clock, works=True), Noted(clock)]
    assert asked(ByScore(clock, servers, has_metrics=False), servers, 10) == [5, 5]


def test_the_other_balancer_leaves_a_server_alone_after_three_failed_checks_and_answers_503_for_none(
    clock: Clock,
) -> None:
    servers = [Noted(clock), Noted(clock)]
    balancer = ByScore(clock, servers)
    servers[0].stop()
    clock.run_until(lambda: clock.now >= 4.0)
    assert asked(balancer, servers, 2) == [1, 1]
    clock.run_until(lambda: clock.now >= 6.0)
    assert asked(balancer, servers, 2) == [1, 3]
    servers[1].stop()
    clock.run_until(lambda: clock.now >= 12.0)
    refused = Asked("a", 1.0)
    balancer.take(refused, lambda _: None)
    assert refused.is_refused
