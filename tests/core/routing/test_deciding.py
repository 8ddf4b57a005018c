"""Rules of decisions beyond the golden cases."""

from collections.abc import Iterable
from typing import Any

import pytest

from fakes.resources import backend, measured, policy, resource_set
from steelyard.api.policy import Goal
from steelyard.api.resources import AnyResource
from steelyard.routing.compiling import compile_table
from steelyard.routing.deciding import decide
from steelyard.routing.decision import AttemptWalk, Decision, Distribution, NoLoad, Request, Turn
from steelyard.routing.explaining import explain
from steelyard.routing.table import Endpoint
from steelyard.routing.undecidable import ModelUnusable, NoCandidate, UnknownModel


class Busy(NoLoad):
    """Endpoints with stated requests in flight, by backend, and some that rest."""

    def __init__(self, in_flight: dict[str, int] | None = None, resting: Iterable[str] = ()) -> None:
        self._in_flight = in_flight or {}
        self._resting = set(resting)

    def in_flight(self, endpoint: Endpoint) -> int:
        return self._in_flight.get(endpoint.backend, 0)

    def is_resting(self, endpoint: Endpoint) -> bool:
        return endpoint.backend in self._resting


def maths(turn: Turn) -> Distribution:
    return ((0, 1.0),)


def ask(
    resources: list[AnyResource],
    model: str = "auto",
    load: NoLoad | None = None,
    draw: int = 0,
    **request: Any,
) -> Decision:
    table, _ = compile_table(resource_set(*resources), "default")
    needs = frozenset(request.pop("needs", ("chat",)))
    turns = (Turn("a question", request.pop("prompt_tokens", 100), needs),)
    asked = Request(model=model, turns=turns, conversation="c", **request)
    return decide(asked, table, load or NoLoad(), draw, maths)


def tried(decision: Decision) -> list[str]:
    return [f"{attempt.candidate.model}@{attempt.candidate.backend}" for attempt in decision.attempts]


REPLICAS: list[AnyResource] = [backend(name, "m", url=f"http://{name}:1") for name in ("a", "b", "c")]


def test_a_model_name_goes_to_all_its_backends_and_to_no_other_model() -> None:
    decision = ask([*REPLICAS, backend("d", "other")], "m")
    assert sorted(tried(decision)) == ["m@a", "m@b", "m@c"]


def test_the_replica_with_the_fewest_requests_comes_first() -> None:
    decision = ask(REPLICAS, "m", Busy({"a": 3, "b": 1, "c": 2}))
    assert tried(decision) == ["m@b", "m@c", "m@a"]


def test_equally_loaded_replicas_take_turns() -> None:
    firsts = {tried(ask(REPLICAS, "m", draw=draw))[0] for draw in range(3)}
    assert firsts == {"m@a", "m@b", "m@c"}


def test_a_resting_replica_is_tried_last_but_still_tried() -> None:
    decision = ask(REPLICAS, "m", Busy({"b": 5, "c": 6}, resting=["a"]))
    assert tried(decision) == ["m@b", "m@c", "m@a"]


def test_model_at_backend_goes_to_that_one() -> None:
    assert tried(ask(REPLICAS, "m@b")) == ["m@b"]


def test_an_alias_goes_to_all_that_carry_it() -> None:
    aliased: list[AnyResource] = [
        backend("a", models=[{"name": "x", "aliases": ["chat"]}]),
        backend("b", models=[{"name": "y", "aliases": ["chat"]}]),
    ]
    assert sorted(tried(ask(aliased, "chat"))) == ["x@a", "y@b"]


def test_a_policy_takes_over_a_models_own_name() -> None:
    made = policy("p", "m", candidates=[{"models": ["m@c"]}])
    assert tried(ask([*REPLICAS, made], "m")) == ["m@c"]


def test_round_robin_takes_each_in_turn_whatever_its_load() -> None:
    made = policy("p", "auto", balance={"type": "RoundRobin"})
    firsts = [tried(ask([*REPLICAS, made], load=Busy({"a": 9}), draw=draw))[0] for draw in range(3)]
    assert sorted(firsts) == ["m@a", "m@b", "m@c"]


def test_replicas_of_equal_price_and_quality_are_one_pool_in_a_policy() -> None:
    profiles: list[AnyResource] = [measured("a", "m", 80), measured("b", "m", 80), measured("c", "m", 40)]
    made = policy("p", "auto", tolerancePercent=50)
    decision = ask([*REPLICAS, *profiles, made], load=Busy({"a": 2, "c": 0}))
    assert tried(decision) == ["m@b", "m@a", "m@c"]


def test_a_measured_model_comes_before_a_cheaper_one_that_was_not() -> None:
    priced = {"inputUsdPerMillionTokens": "1", "outputUsdPerMillionTokens": "1"}
    fleet: list[AnyResource] = [
        backend("a", models=[{"name": "x", "price": priced}]),
        backend("b", "y"),
        measured("a", "x", 30),
    ]
    assert tried(ask([*fleet, policy("p", "auto")])) == ["x@a", "y@b"]


def test_an_unknown_price_sorts_after_every_known_one() -> None:
    fleet: list[AnyResource] = [
        backend("a", "x", url="https://api.example.com"),
        backend("b", models=[{"name": "y", "price": _price("900")}]),
        policy("p", "auto", candidates=[{"models": ["*"]}]),
    ]
    assert tried(ask(fleet)) == ["y@b", "x@a"]


def test_the_models_own_goal_of_a_name_wins_over_the_policys() -> None:
    made = policy("p", "auto", goal="Cheapest").model_copy()
    spec = made.spec.model_copy(
        update={"models": (made.spec.models[0].model_copy(update={"goal": Goal.BEST}),)}
    )
    assert ask([*REPLICAS, made.model_copy(update={"spec": spec})]).goal is Goal.BEST


def test_a_tolerance_of_the_request_wins_over_the_policys() -> None:
    fleet: list[AnyResource] = [backend("a", models=[{"name": "x", "price": _price("9")}]), backend("b", "y")]
    fleet += [measured("a", "x", 90), measured("b", "y", 40), policy("p", "auto")]
    assert tried(ask(fleet))[0] == "x@a"
    assert tried(ask(fleet, tolerance_percent=60))[0] == "y@b"


def test_a_capability_that_nobody_is_known_to_have_rules_nobody_out() -> None:
    decision = ask([*REPLICAS, policy("p", "auto")], needs=("chat", "tools"))
    assert len(decision.attempts) == 3


def test_a_capability_that_one_is_known_to_have_rules_out_those_not_known_to() -> None:
    able = backend("d", models=[{"name": "m", "capabilities": {"tools": True}}])
    decision = ask([*REPLICAS, able, policy("p", "auto")], needs=("chat", "tools"))
    assert tried(decision) == ["m@d"]
    assert {one.reasons for one in decision.rejected} == {("tools not known",)}


def test_a_prompt_rules_a_model_out_only_above_twice_its_context() -> None:
    short = backend("s", models=[{"name": "short", "contextTokens": 1000}])
    assert tried(ask([short], "short", prompt_tokens=2000)) == ["short@s"]
    with pytest.raises(NoCandidate, match="length 2001 > 2 × 1000 tokens"):
        ask([short], "short", prompt_tokens=2001)


def test_min_quality_rules_out_the_weak_and_the_unmeasured() -> None:
    fleet: list[AnyResource] = [backend("a", "x"), backend("b", "y"), backend("c", "z")]
    profiles: list[AnyResource] = [measured("a", "x", 90), measured("b", "y", 40)]
    decision = ask([*fleet, *profiles, policy("p", "auto", require={"minQualityPercent": 60})])
    assert tried(decision) == ["x@a"]
    assert [one.reasons for one in decision.rejected] == [("quality 40% < 60%",), ("quality not measured",)]


def test_required_capabilities_hold_whatever_the_request_needs() -> None:
    fleet: list[AnyResource] = [
        backend("a", models=[{"name": "x", "capabilities": {"vision": True}}]),
        backend("b", "y"),
    ]
    assert tried(ask([*fleet, policy("p", "auto", require={"capabilities": ["vision"]})])) == ["x@a"]


def test_when_lets_an_entry_in_for_its_categories_only() -> None:
    entries = [{"models": ["x"], "when": {"categories": ["Coding"]}}, {"models": ["y"]}]
    fleet: list[AnyResource] = [backend("a", "x"), backend("b", "y"), policy("p", "auto", candidates=entries)]
    assert tried(ask(fleet)) == ["y@b"]


def test_a_policy_for_long_prompts_leaves_the_short_ones_to_the_next() -> None:
    long = policy("long", "auto", priority=1, match={"minPromptTokens": 500}, candidates=[{"models": ["x"]}])
    fleet: list[AnyResource] = [
        backend("a", "x"),
        backend("b", "y"),
        long,
        policy("p", "auto", candidates=[{"models": ["y"]}]),
    ]
    assert tried(ask(fleet, prompt_tokens=499)) == ["y@b"]
    assert tried(ask(fleet, prompt_tokens=500)) == ["x@a"]


def test_a_policy_whose_match_fails_leaves_the_name_to_the_model() -> None:
    made = policy("p", "m", match={"headers": {"X-Team": "ml"}}, candidates=[{"models": ["m@c"]}])
    assert len(tried(ask([*REPLICAS, made], "m"))) == 3
    assert tried(ask([*REPLICAS, made], "m", headers={"x-team": "ml"})) == ["m@c"]


def test_a_model_of_an_excluded_backend_is_known_but_not_usable() -> None:
    broken = backend("b", "m", credentialsRef={"name": "gone", "key": "k"})
    for name in ("m", "m@b"):
        with pytest.raises(ModelUnusable, match=f"'{name}' is served by backend 'b' only"):
            ask([broken], name)


def test_a_policy_that_selects_nothing_says_so() -> None:
    with pytest.raises(ModelUnusable, match="'auto' is served by policy 'p' only, which cannot be used now"):
        ask([policy("p", "auto")])


def test_a_policy_that_selects_nothing_leaves_the_name_to_the_model() -> None:
    assert len(tried(ask([*REPLICAS, policy("p", "m", candidates=[{"models": ["nothing"]}])], "m"))) == 3


def test_a_policy_that_selects_nothing_leaves_the_name_to_the_next() -> None:
    empty = policy("a", "auto", priority=9, candidates=[{"models": ["nothing"]}])
    assert len(tried(ask([*REPLICAS, empty, policy("b", "auto")]))) == 3


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(UnknownModel, match="'nobody@nowhere' does not exist"):
        ask(REPLICAS, "nobody@nowhere")


def test_an_explanation_names_the_reason_in_a_sentence() -> None:
    assert "not measured" in explain(ask([*REPLICAS, policy("p", "auto")]))["reason"]


def two_models(attempts: int) -> AttemptWalk:
    fleet: list[AnyResource] = [backend(name, "x", url=f"http://{name}:1") for name in ("a", "b", "c")]
    profiles: list[AnyResource] = [measured(name, "x", 90) for name in ("a", "b", "c")]
    spare: list[AnyResource] = [backend("s", "spare"), measured("s", "spare", 50)]
    made = policy("p", "auto", goal="Best", failover={"maxAttempts": attempts})
    return AttemptWalk(ask([*fleet, *profiles, *spare, made]))


def walked(walk: AttemptWalk, *, counted: bool) -> list[str]:
    models = []
    while (attempt := walk.next()) is not None:
        models.append(attempt.candidate.model)
        if counted:
            walk.count()
    return models


def test_the_last_attempt_is_kept_for_a_second_model() -> None:
    assert walked(two_models(3), counted=True) == ["x", "x", "spare"]


def test_with_one_attempt_there_is_no_second_model() -> None:
    assert walked(two_models(1), counted=True) == ["x"]


def test_endpoints_that_could_not_be_reached_do_not_count() -> None:
    assert walked(two_models(2), counted=False) == ["x", "x", "x", "spare"]


def _price(usd: str) -> dict[str, str]:
    return {"inputUsdPerMillionTokens": usd, "outputUsdPerMillionTokens": usd}
