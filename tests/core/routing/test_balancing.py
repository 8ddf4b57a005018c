"""How a model's endpoints share its requests: what each balance does, and that few are looked at."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

from fakes.resources import backend, endpoint_slice, measured, policy, resource_set, service
from steelyard.api.resources import AnyResource
from steelyard.routing.compiling import compile_table
from steelyard.routing.deciding import decide
from steelyard.routing.decision import AttemptWalk, Decision, NoLoad, Request, Turn
from steelyard.routing.table import Endpoint, Table

CHAT = frozenset({"chat"})


class Stated(NoLoad):
    """A load that is stated by the host's name, and counts how often it is asked."""

    def __init__(
        self, in_flight: dict[str, int] | None = None, resting: Iterable[str] = (), full: Iterable[str] = ()
    ) -> None:
        self.requests = Counter(in_flight or {})
        self.resting, self.full = set(resting), set(full)
        self.asked = 0

    def in_flight(self, endpoint: Endpoint) -> int:
        self.asked += 1
        return self.requests[endpoint.host]

    def is_resting(self, endpoint: Endpoint) -> bool:
        self.asked += 1
        return endpoint.host in self.resting

    def is_full(self, endpoint: Endpoint) -> bool:
        self.asked += 1
        return endpoint.host in self.full


def hosts(number: int) -> list[str]:
    return [f"10.1.{index // 250}.{index % 250 + 1}" for index in range(number)]


def pods(names: Iterable[str], **balance: Any) -> Table:
    """A model "m" on these pods of one backend, and a policy "auto" over it with this balance."""
    fleet: list[AnyResource] = [
        backend("b", "m", serviceRef={"name": "engine", "port": 8000}),
        service("engine"),
        endpoint_slice("engine", *({"addresses": [name]} for name in names)),
        policy("auto", "auto", balance=balance or {"type": "LeastLoad"}),
    ]
    return compile_table(resource_set(*fleet), "default")[0]


def ask(table: Table, load: NoLoad, draw: int = 0, model: str = "auto", **request: Any) -> Decision:
    turn = Turn(request.pop("text", "hello"), 10, CHAT)
    asked = Request(model, (turn,), conversation=request.pop("conversation", "c"), **request)
    return decide(asked, table, load, draw, lambda _: ((0, 1.0),))


def first(decision: Decision) -> str:
    return decision.attempts[0].endpoint.host


def tried(decision: Decision) -> list[str]:
    return [attempt.endpoint.host for attempt in decision.attempts]


# LeastLoad

SLOW = [{"concurrency": 1, "outputTokensPerSecond": 20}, {"concurrency": 8, "outputTokensPerSecond": 40}]
FAST = [{"concurrency": 1, "outputTokensPerSecond": 80}, {"concurrency": 8, "outputTokensPerSecond": 600}]


def unequal(*saturations: Any) -> Table:
    """One model on a backend for each of these curves, all of one price and quality."""
    fleet: list[AnyResource] = []
    for index, saturation in enumerate(saturations):
        fleet.append(backend(f"b{index}", "m", url=f"http://h{index}:1"))
        performance = {"saturation": saturation} if saturation else {}
        fleet.append(measured(f"b{index}", "m", 50, performance=performance))
    return compile_table(resource_set(*fleet, policy("auto", "auto")), "default")[0]


@pytest.mark.parametrize("model", ["auto", "m"])
def test_unequal_backends_share_by_predicted_time_not_by_count(model: str) -> None:
    # 6 beside the fast one: 128 ÷ (525.7 ÷ 7) = 1.7 s; 1 beside the slow one: 128 ÷ (22.9 ÷ 2) = 11 s
    load = Stated({"h0": 1, "h1": 6})
    assert tried(ask(unequal(SLOW, FAST), load, model=model)) == ["h1", "h0"]
    assert tried(ask(unequal(FAST, FAST), load, model=model)) == ["h0", "h1"]


@pytest.mark.parametrize("model", ["auto", "m"])
def test_where_one_curve_is_unknown_all_share_by_requests_in_flight(model: str) -> None:
    table = unequal(SLOW, FAST, None)
    assert tried(ask(table, Stated({"h0": 4, "h1": 8, "h2": 3}), model=model)) == ["h2", "h0", "h1"]


@pytest.mark.parametrize("model", ["auto", "m"])
def test_near_ties_go_to_several_and_clear_differences_to_the_least(model: str) -> None:
    table = pods(["a.svc", "b.svc", "c.svc"])
    near, clear = Stated({"a.svc": 16, "b.svc": 17, "c.svc": 30}), Stated({"a.svc": 16, "b.svc": 19})
    clear.requests["c.svc"] = 30
    firsts = Counter(first(ask(table, near, draw, model)) for draw in range(300))
    assert firsts["c.svc"] == 0
    assert firsts["a.svc"] > firsts["b.svc"] > 30
    assert {first(ask(table, clear, draw, model)) for draw in range(300)} == {"a.svc"}


@pytest.mark.parametrize("model", ["auto", "m"])
def test_of_many_endpoints_few_are_looked_at_and_all_get_requests(model: str) -> None:
    names = hosts(1000)
    table, firsts = pods(names), Counter[str]()
    for draw in range(20_000):
        load = Stated()
        firsts[first(ask(table, load, draw, model))] += 1
        assert load.asked <= 16
    assert set(firsts) == set(names)
    assert max(firsts.values()) < 3 * 20


def test_of_many_endpoints_the_busy_ones_are_passed_by() -> None:
    names = hosts(100)
    table, load = pods(names), Stated(dict.fromkeys(names[50:], 9))
    firsts = [first(ask(table, load, draw, "m")) for draw in range(1000)]
    assert sum(load.requests[name] > 0 for name in firsts) < 30


@pytest.mark.parametrize("model", ["auto", "m"])
def test_with_half_of_many_dead_each_request_finds_a_live_one_and_can_reach_all(model: str) -> None:
    names = hosts(1000)
    load = Stated(resting=names[::2])
    table = pods(names)
    for draw in range(500):
        load.asked = 0
        assert first(ask(table, load, draw, model)) not in load.resting
        assert load.asked < 1000
    order = tried(ask(table, load, 7, model))
    assert sorted(order) == sorted(names)
    assert set(order[:500]) == set(names[1::2])


def test_the_price_of_a_busy_fleet_is_reckoned_from_few_endpoints() -> None:
    names = hosts(1000)
    fixed = backend(
        "b", "m", serviceRef={"name": "engine", "port": 8000}, cost={"usdPerHour": "1", "basis": "Fixed"}
    )
    pods_of_it = endpoint_slice("engine", *({"addresses": [name]} for name in names))
    paid = {"inputUsdPerMillionTokens": "1", "outputUsdPerMillionTokens": "1"}
    fleet: list[AnyResource] = [fixed, service("engine"), pods_of_it, measured("b", "m", 50, price=paid)]
    fleet += [backend("c", "n"), measured("c", "n", 50), policy("auto", "auto")]
    table = compile_table(resource_set(*fleet), "default")[0]
    load = Stated(dict.fromkeys(names, 20))
    assert ask(table, load).attempts[0].candidate.model == "n"
    assert load.asked < 60


# Full and resting


@pytest.mark.parametrize("model", ["auto", "m"])
@pytest.mark.parametrize("balance", ["LeastLoad", "PowerOfTwo", "RoundRobin", "Affinity"])
def test_full_endpoints_come_after_those_with_room_and_before_those_at_rest(balance: str, model: str) -> None:
    table = pods(["a.svc", "b.svc", "c.svc", "d.svc"], type=balance)
    load = Stated({"c.svc": 5, "d.svc": 5}, resting=["a.svc"], full=["b.svc"])
    for draw in range(8):
        order = tried(ask(table, load, draw, model))
        assert (set(order[:2]), order[2:]) == ({"c.svc", "d.svc"}, ["b.svc", "a.svc"])


@pytest.mark.parametrize("balance", ["LeastLoad", "PowerOfTwo", "RoundRobin", "Affinity"])
def test_a_fleet_that_is_full_or_at_rest_is_still_tried(balance: str) -> None:
    for number in (1, 3, 40):
        names = hosts(number)
        table = pods(names, type=balance)
        assert sorted(tried(ask(table, Stated(full=names)))) == sorted(names)
        assert sorted(tried(ask(table, Stated(resting=names)))) == sorted(names)


def test_a_full_model_is_waited_for_before_the_next_and_one_at_rest_gives_way() -> None:
    fleet: list[AnyResource] = [backend("a", "x", url="http://a:1"), backend("b", "y", url="http://b:1")]
    fleet += [measured("a", "x", 90), measured("b", "y", 60), policy("auto", "auto", goal="Best")]
    table = compile_table(resource_set(*fleet), "default")[0]
    assert tried(ask(table, Stated())) == ["a", "b"]
    assert tried(ask(table, Stated(full=["a"]))) == ["a", "b"]
    assert tried(ask(table, Stated(resting=["a"]))) == ["b", "a"]


def test_a_walk_asks_for_the_order_of_the_others_only_when_the_first_failed() -> None:
    load = Stated()
    walk = AttemptWalk(ask(pods(hosts(1000)), load))
    begun = walk.next()
    looked_at = load.asked
    assert looked_at <= 16
    reached = [attempt.endpoint.host for attempt in iter(walk.next, None)]
    assert begun is not None
    assert sorted([begun.endpoint.host, *reached]) == sorted(hosts(1000))


# PowerOfTwo and RoundRobin


def test_power_of_two_takes_the_less_loaded_of_two() -> None:
    table = pods(["a.svc", "b.svc", "c.svc"], type="PowerOfTwo")
    load = Stated({"a.svc": 1, "b.svc": 2, "c.svc": 3})
    firsts = Counter(first(ask(table, load, draw)) for draw in range(3000))
    assert firsts["c.svc"] == 0
    assert 1800 < firsts["a.svc"] < 2200
    assert 800 < firsts["b.svc"] < 1200


def test_round_robin_takes_each_in_turn_and_skips_those_without_room() -> None:
    table = pods(["a.svc", "b.svc", "c.svc"], type="RoundRobin")
    assert [first(ask(table, Stated({"a.svc": 9}), draw)) for draw in range(4)] == [
        "a.svc",
        "b.svc",
        "c.svc",
        "a.svc",
    ]
    skipping = Stated(resting=["a.svc"])
    assert [first(ask(table, skipping, draw)) for draw in range(3)] == ["b.svc", "b.svc", "c.svc"]


# Affinity


def homes(table: Table, keys: int, load: NoLoad | None = None) -> dict[int, str]:
    """Where each of so many prefixes goes."""
    return {
        key: first(ask(table, load or NoLoad(), draw=key, opening=f"system prompt {key}"))
        for key in range(keys)
    }


@pytest.mark.parametrize("number", [4, 16, 100])
def test_a_prefix_has_one_home_and_prefixes_have_many(number: int) -> None:
    table = pods(hosts(number), type="Affinity")
    found = homes(table, 40 * number)
    assert {first(ask(table, NoLoad(), draw, opening="system prompt 0")) for draw in range(20)} == {found[0]}
    counts = Counter(found.values())
    assert len(counts) == number
    assert max(counts.values()) < 3 * 40


@pytest.mark.parametrize("number", [4, 16, 100])
def test_when_an_endpoint_leaves_few_other_prefixes_move(number: int) -> None:
    names = hosts(number)
    before = homes(pods(names, type="Affinity"), 1000)
    after = homes(pods(names[1:], type="Affinity"), 1000)
    stayed = [key for key in before if before[key] != names[0]]
    moved = sum(before[key] != after[key] for key in stayed)
    assert names[0] not in after.values()
    assert moved <= (0 if number <= 16 else 60)


def test_prompts_that_begin_alike_share_a_home_and_the_rest_of_them_plays_no_part() -> None:
    table = pods(hosts(8), type="Affinity", key="Prefix")
    long = "You are a helpful assistant. " * 50
    assert {first(ask(table, NoLoad(), opening=f"{long}{end}")) for end in range(30)} == {
        first(ask(table, NoLoad(), opening=long))
    }
    assert len({first(ask(table, NoLoad(), opening=f"{end}{long}")) for end in range(30)}) > 4


def test_a_session_is_the_header_then_the_user_then_the_conversation() -> None:
    table = pods(hosts(8), type="Affinity", key="Session")

    def home(**request: Any) -> str:
        return first(ask(table, NoLoad(), **request))

    by_header = {home(session="s", user=str(index), conversation=str(index)) for index in range(30)}
    by_user = {home(user="s", conversation=str(index)) for index in range(30)}
    by_conversation = {home(conversation="s", opening=str(index)) for index in range(30)}
    assert by_header == by_user == by_conversation
    assert len(by_header) == 1
    assert len({home(session=str(index)) for index in range(30)}) > 4


def test_a_busy_home_hands_its_prefix_on_before_it_has_more_than_its_bound() -> None:
    names = hosts(5)
    table, load = pods(names, type="Affinity"), Stated()
    for number in range(1, 101):
        chosen = first(ask(table, load, opening="the only prefix"))
        load.requests[chosen] += 1
        assert load.requests[chosen] <= -(-1.25 * number // 5)
    assert load.requests.total() == 100
    assert max(load.requests.values()) > min(load.requests[name] for name in names)
