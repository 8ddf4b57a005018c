"""The quick choice is the one that weighing all candidates makes, whatever the fleet."""

from collections import Counter
from itertools import permutations
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.resources import backend, category, measured, policy, resource_set
from steelyard.api.policy import Goal
from steelyard.api.resources import AnyResource
from steelyard.routing import explaining
from steelyard.routing.compiling import compile_table
from steelyard.routing.deciding import decide
from steelyard.routing.decision import Distribution, NoLoad, Request, Turn
from steelyard.routing.table import Endpoint, Table
from steelyard.routing.undecidable import NoCandidate

MODELS = ("m", "n", "o")
CHAT = frozenset({"chat"})
SATURATION = [
    {"concurrency": 1, "outputTokensPerSecond": 50},
    {"concurrency": 8, "outputTokensPerSecond": 90},
]

PAIRS = st.fixed_dictionaries(
    {
        "model": st.sampled_from(MODELS),
        "percent": st.sampled_from((90, 87, 86, 60, 0, None)),
        "hard_percent": st.sampled_from((0, 50, 84)),
        "usd": st.sampled_from(("1", "2", "0", None)),
        "input_usd": st.sampled_from(("0", "0.1")),
        "cost": st.sampled_from((None, "Fixed", "PerUse")),
        "speed": st.sampled_from((20, 40, None)),
        "failed": st.sampled_from((None, None, 0, 1, 3, 20)),
        "is_saturated": st.booleans(),
    }
)

POLICIES = st.fixed_dictionaries(
    {
        "goal": st.sampled_from(list(Goal)),
        "tolerancePercent": st.sampled_from((5, 40, 0)),
        "require": st.sampled_from(({}, {}, {"minQualityPercent": 50})),
        "order": st.sampled_from(("Measured", "Measured", "AsListed", "Weighted")),
    }
)
"""Few values in both, so that ties are frequent."""


class Drawn(NoLoad):
    """A load by host."""

    def __init__(self, in_flight: list[int], resting: list[bool]) -> None:
        self._in_flight, self._resting = in_flight, resting

    def in_flight(self, endpoint: Endpoint) -> int:
        return self._in_flight[int(endpoint.host[1:])]

    def is_resting(self, endpoint: Endpoint) -> bool:
        return self._resting[int(endpoint.host[1:])]


def quality(one: dict[str, Any]) -> dict[str, Any]:
    """Hard requests of Mathematics are answered less often."""
    percents = {"Easy": one["percent"] or 0, "Hard": min(one["percent"] or 0, one["hard_percent"])}
    levels = [
        {"level": level, "passed": 10 * percent, "samples": 1000} for level, percent in percents.items()
    ]
    return {"categories": [{"name": "Math", "levels": levels, "outputTokensMean": 100}]}


def fleet(pairs: list[dict[str, Any]], spec: dict[str, Any]) -> Table:
    if spec["order"] != "Measured":
        share = {"weightPercent": 50} if spec["order"] == "Weighted" else {}
        entries = [{"models": ["o"], **share}, {"models": ["m", "n"], **share}]
        spec = {**spec, "candidates": entries}
    resources: list[AnyResource] = [policy("auto", "auto", **spec)]
    for index, one in enumerate(pairs):
        price = {"inputUsdPerMillionTokens": one["input_usd"], "outputUsdPerMillionTokens": one["usd"]}
        model: dict[str, Any] = {"name": one["model"]}
        stated: dict[str, Any] = {"models": [model], "url": f"http://h{index}:1"}
        status: dict[str, Any] = {"performance": {}, "quality": quality(one)}
        if one["failed"] is not None:
            status["fingerprint"] = {"suite": "Standard/1", "seed": 1}
            passed = [number % 40 >= one["failed"] for number in range(60)]
            status["quality"] = {"categories": [category("Math", passed)]}
        if one["usd"] is not None:
            model["price"] = status["price"] = price
        if one["cost"] is not None:
            stated["cost"] = {"usdPerHour": "1", "basis": one["cost"]}
        if one["speed"] is not None:
            status["performance"]["outputTokensPerSecond"] = one["speed"]
        if one["is_saturated"]:
            status["performance"]["saturation"] = SATURATION
        resources.append(backend(f"b{index}", **stated))
        if one["percent"] is not None:
            resources.append(measured(f"b{index}", one["model"], one["percent"], **status))
    return compile_table(resource_set(*resources), "default")[0]


@settings(max_examples=400, deadline=None)
@given(
    pairs=st.lists(PAIRS, min_size=4, max_size=6),
    spec=POLICIES,
    in_flight=st.lists(st.sampled_from((0, 3, 9, 40)), min_size=6, max_size=6),
    resting=st.lists(st.booleans(), min_size=6, max_size=6),
    draw=st.integers(0, 100),
)
def test_the_first_endpoint_is_one_of_the_first_candidate_of_all_weighed(
    pairs: list[dict[str, Any]], spec: dict[str, Any], in_flight: list[int], resting: list[bool], draw: int
) -> None:
    load = Drawn(in_flight, resting)
    request = Request("auto", (Turn("hello", 10, CHAT),), conversation="c", max_tokens=50)
    table = fleet(pairs, spec)
    try:
        decision = decide(request, table, load, draw, lambda _: ((0, 0.75), (3, 0.25)))
    except NoCandidate:
        return
    best, chosen = decision.weighed[0], decision.attempts[0].candidate
    explaining.explain(decision)
    if chosen is not best.candidate:
        twin = next(one for one in decision.weighed if one.candidate is chosen)
        assert chosen.model == best.candidate.model
        assert chosen.price.is_same(best.candidate.price)
        assert abs((twin.quality or 0) - (best.quality or 0)) <= 0.01
    ways = Counter(id(attempt) for attempt in decision.attempts)
    assert set(ways.values()) == {1}
    assert len(ways) == len(decision.weighed)
    assert len(decision.weighed) + len(decision.rejected) == sum(
        len(entry.candidates) for entry in table.policies["auto"][0].entries
    )


CELLS: dict[str, Distribution] = {"easy": ((0, 1.0),), "hard": ((2, 1.0),), "either": ((0, 0.5), (2, 0.5))}
"""What a turn asks for, by its text."""


def classify(turn: Turn) -> Distribution:
    return CELLS[turn.text]


def conversation(random: Random) -> Request:
    """One of many conversations that are alike."""
    turns = [Turn(random.choice(list(CELLS)), random.choice((10, 4000)), CHAT) for _ in range(3)]
    return Request(
        "auto",
        tuple(turns[: random.choice((2, 3))]),
        conversation=random.choice("abcdef"),
        max_tokens=random.choice((None, 1)),
        goal=random.choice((None, Goal.BEST)),
        tolerance_percent=random.choice((None, 60)),
    )


@settings(max_examples=150, deadline=None)
@given(pairs=st.lists(PAIRS, min_size=5, max_size=6), spec=POLICIES, random=st.randoms(use_true_random=True))
def test_what_was_chosen_for_others_before_changes_no_conversation(
    pairs: list[dict[str, Any]], spec: dict[str, Any], random: Random
) -> None:
    used, unused = (fleet(pairs, spec | {"switchPercent": 3}) for _ in range(2))
    for request in [conversation(random) for _ in range(30)]:
        before = outcome(request, used)
        assert before == outcome(request, unused)
        unused.policies["auto"][0].memo.clear()


def test_each_conversation_of_a_weighted_policy_stays_with_a_model_of_its_own_entry() -> None:
    plain = {
        "percent": 90,
        "input_usd": "0",
        "cost": None,
        "speed": None,
        "is_saturated": False,
        "failed": None,
    }
    dear = {**plain, "model": "m", "hard_percent": 84, "usd": "2"}
    cheap = {**plain, "model": "n", "hard_percent": 0, "usd": "1"}
    other = {**plain, "model": "o", "hard_percent": 84, "usd": "1"}
    turns = (Turn("hard", 10, CHAT), Turn("easy", 10, CHAT))
    chosen = set()
    for pair in permutations("abcd", 2):
        table = fleet([dear, cheap, other], {"order": "Weighted"})
        for key in pair:
            request = Request("auto", turns, conversation=key)
            first = decide(request, table, NoLoad(), 0, classify).attempts[0]
            chosen.add(first.candidate.model)
    assert chosen == {"m", "o"}


def outcome(request: Request, table: Table) -> object:
    """The whole decision as it is explained, or why there is none."""
    try:
        decision = decide(request, table, NoLoad(), 0, classify)
    except NoCandidate as none:
        return str(none)
    return explaining.explain(decision), decision.stayed
