"""Where requests go whose engines load models on demand, and what a load is reckoned to cost."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from fakes.resources import backend, endpoint_slice, measured, policy, resource_set, service
from steelyard.api.resources import AnyResource
from steelyard.routing import placing
from steelyard.routing.compiling import compile_table
from steelyard.routing.deciding import decide
from steelyard.routing.decision import Decision, NoLoad, Request, Turn
from steelyard.routing.placing import MISSING, Resident
from steelyard.routing.table import Attempt, Endpoint, Table

TYPES = ["LeastLoad", "PowerOfTwo", "RoundRobin", "Affinity"]
PREFER_WARM = ["LeastLoad", "PowerOfTwo", "Affinity"]


class Servers(NoLoad):
    """What is loaded where, stated by host: how long a model waits, and whether for its load."""

    def __init__(
        self,
        waits: Mapping[str, float],
        cold: Iterable[str] = (),
        resting: Iterable[str] = (),
        full: Iterable[str] = (),
    ) -> None:
        self._waits, self._cold, self._resting, self._full = dict(waits), set(cold), set(resting), set(full)
        self.asked = 0

    def is_resting(self, endpoint: Endpoint) -> bool:
        return endpoint.host in self._resting

    def is_full(self, endpoint: Endpoint) -> bool:
        return endpoint.host in self._full

    def cold_seconds(self, attempt: Attempt) -> float:
        self.asked += 1
        wait = self.wait_seconds(attempt)
        return wait if wait == MISSING or attempt.endpoint.host in self._cold else 0.0

    def wait_seconds(self, attempt: Attempt) -> float:
        self.asked += 1
        return self._waits.get(attempt.endpoint.host, 0.0)


def pods(*names: str, engine: str = "Ollama", models: tuple[str, ...] = ("m",), **balance: Any) -> Table:
    """Models on these pods of one backend, and a policy "auto" over the first with this balance."""
    fleet: list[AnyResource] = [
        backend("b", *models, engine=engine, serviceRef={"name": "engine", "port": 8000}),
        service("engine"),
        endpoint_slice("engine", *({"addresses": [name]} for name in names)),
        policy("auto", "auto", balance=balance or {"type": "LeastLoad"}),
    ]
    return compile_table(resource_set(*fleet), "default")[0]


def ask(table: Table, load: NoLoad, draw: int = 0, model: str = "auto", **request: Any) -> Decision:
    asked = Request(model, (Turn("hello", 10, frozenset({"chat"})),), conversation="c", **request)
    return decide(asked, table, load, draw, lambda _: ((0, 1.0),))


def first(decision: Decision) -> str:
    return decision.attempts[0].endpoint.host


def tried(decision: Decision) -> list[str]:
    return [attempt.endpoint.host for attempt in decision.attempts]


@pytest.mark.parametrize("balance", PREFER_WARM)
@pytest.mark.parametrize("model", ["auto", "m"])
def test_a_request_goes_where_its_model_is_loaded_unless_the_wait_there_is_longer(
    balance: str, model: str
) -> None:
    table = pods("a.svc", "b.svc", "c.svc", type=balance)
    for wait, chosen in ((0.0, "b.svc"), (9.9, "b.svc"), (15.0, "a.svc")):
        load = Servers({"a.svc": 11.0, "b.svc": wait, "c.svc": 20.0}, cold=["a.svc", "c.svc"])
        assert {first(ask(table, load, draw, model)) for draw in range(20)} == {chosen}
    assert tried(ask(table, load, 0, model)) == ["a.svc", "b.svc", "c.svc"]


@pytest.mark.parametrize("balance", TYPES)
def test_an_endpoint_that_lacks_the_model_is_no_candidate(balance: str) -> None:
    table = pods("a.svc", "b.svc", "c.svc", type=balance)
    load = Servers({"a.svc": MISSING, "b.svc": 30.0}, cold=["b.svc"])
    decisions = [ask(table, load, draw) for draw in range(20)]
    assert "a.svc" not in {host for decision in decisions for host in tried(decision)}
    assert {len(decision.attempts) for decision in decisions} == {2}


@pytest.mark.parametrize("balance", TYPES)
def test_where_nobody_is_known_to_have_the_model_all_are_tried(balance: str) -> None:
    load = Servers(dict.fromkeys(["a.svc", "b.svc"], MISSING))
    assert sorted(tried(ask(pods("a.svc", "b.svc", type=balance), load))) == ["a.svc", "b.svc"]


def test_round_robin_gives_each_that_has_the_model_its_turn_loaded_or_not() -> None:
    table = pods("a.svc", "b.svc", "c.svc", type="RoundRobin")
    load = Servers({"a.svc": 8.0, "b.svc": MISSING}, cold=["a.svc"])
    assert [first(ask(table, load, draw)) for draw in range(4)] == ["a.svc", "c.svc", "a.svc", "c.svc"]


def test_affinity_keeps_a_prefix_at_its_home_among_those_that_have_the_model_loaded() -> None:
    table = pods("a.svc", "b.svc", "c.svc", "d.svc", type="Affinity")
    load = Servers({"d.svc": 8.0}, cold=["d.svc"])
    homes = {
        prefix: {first(ask(table, load, draw, opening=f"prompt {prefix}")) for draw in range(8)}
        for prefix in range(40)
    }
    assert {len(found) for found in homes.values()} == {1}
    assert set().union(*homes.values()) == {"a.svc", "b.svc", "c.svc"}


def test_equal_loaded_endpoints_share_requests() -> None:
    table = pods("a.svc", "b.svc", "c.svc")
    firsts = Counter(first(ask(table, Servers({"c.svc": 8.0}, cold=["c.svc"]), draw)) for draw in range(100))
    assert firsts == {"a.svc": 50, "b.svc": 50}


def test_a_cold_model_has_one_place_for_all_gateways_and_models_have_many() -> None:
    names = ("a.svc", "b.svc", "c.svc")
    models = tuple(f"model-{number}" for number in range(60))
    table, load = pods(*names, models=models), Servers(dict.fromkeys(names, 8.0), cold=names)
    places = [{first(ask(table, load, draw, model)) for draw in range(5)} for model in models]
    assert {len(found) for found in places} == {1}
    assert min(Counter(host for found in places for host in found).values()) > 8


def test_an_endpoint_that_rests_comes_last_though_it_has_the_model_loaded() -> None:
    load = Servers({"b.svc": 8.0}, cold=["b.svc"], resting=["a.svc"])
    assert tried(ask(pods("a.svc", "b.svc"), load)) == ["b.svc", "a.svc"]


def test_a_full_endpoint_with_the_model_loaded_may_be_worth_waiting_for() -> None:
    load = Servers({"a.svc": 3.0, "b.svc": 8.0}, cold=["b.svc"], full=["a.svc"])
    assert tried(ask(pods("a.svc", "b.svc"), load)) == ["a.svc", "b.svc"]


def test_engines_of_both_kinds_share_a_model_by_predicted_wait() -> None:
    fleet: list[AnyResource] = [
        backend("ollama", "m", engine="Ollama", url="http://ollama:1"),
        backend("vllm", "m", engine="VLLM", url="http://vllm:1"),
    ]
    fleet.append(measured("vllm", "m", 50, performance={"outputTokensPerSecond": 50}))
    table = compile_table(resource_set(*fleet), "default")[0]

    class Busy(Servers):
        def in_flight(self, endpoint: Endpoint) -> int:
            return 8

    # 8 requests of 200 tokens at 50 a second, 8 at a time: 4 s
    assert tried(ask(table, Busy({"ollama": 5.0}), model="m")) == ["vllm", "ollama"]
    assert tried(ask(table, Busy({"ollama": 3.0}), model="m")) == ["ollama", "vllm"]


@pytest.mark.parametrize("balance", TYPES)
def test_engines_that_do_not_load_on_demand_are_not_asked_what_is_loaded(balance: str) -> None:
    load = Servers({})
    ask(pods("a.svc", "b.svc", engine="LlamaCpp", type=balance), load)
    assert load.asked == 0


def resident(cold_seconds: float, requests_per_second: float, *, is_pinned: bool = False) -> Resident:
    return Resident(cold_seconds, requests_per_second, is_pinned)


def test_an_eviction_costs_the_evicted_model_s_load_for_each_request_that_comes_meanwhile() -> None:
    assert placing.eviction_seconds(4.0, []) == 0.0
    assert placing.eviction_seconds(4.0, [resident(6.0, 0.5)]) == 6.0 * 0.5 * (4.0 + 6.0)
    both = [resident(6.0, 0.5), resident(1.0, 1.0)]
    assert placing.eviction_seconds(4.0, both) == 30.0 + 1.0 * (4.0 + 1.0)


def test_a_pinned_model_is_the_last_to_be_evicted() -> None:
    busiest = placing.eviction_seconds(4.0, [resident(10.0, 100.0)])
    assert placing.eviction_seconds(4.0, [resident(0.1, 0.0, is_pinned=True)]) > busiest


@pytest.mark.parametrize(
    ("cold_seconds", "evicted", "meeting", "hold_seconds"),
    [
        pytest.param(4.0, [], 1.0, 0.0, id="nothing goes: at once"),
        pytest.param(4.0, [resident(4.0, 0.01)], 1.0, 0.0, id="what goes is hardly asked for: at once"),
        pytest.param(1.0, [resident(1.0, 0.25)], 1.0, 0.75, id="it costs less than a load: 1.5 × that"),
        pytest.param(2.0, [resident(4.0, 1.0)], 0.5, 3.0, id="it costs more: 1.5 loads"),
        pytest.param(
            2.0, [resident(4.0, 1.0)], 0.25, 1.5, id="every fourth request meets another: half of it"
        ),
        pytest.param(2.0, [resident(4.0, 1.0)], 0.0, 0.0, id="one client that alternates: at once"),
        pytest.param(60.0, [resident(60.0, 1.0)], 1.0, 5.0, id="never longer than a client can wait"),
    ],
)
def test_a_cold_request_holds_back_for_others(
    cold_seconds: float, evicted: list[Resident], meeting: float, hold_seconds: float
) -> None:
    assert placing.hold_seconds(cold_seconds, evicted, meeting) == hold_seconds
