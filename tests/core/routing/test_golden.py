"""The contract of decisions, case by case: NAME.in.yaml and what must come of it in NAME.out.yaml.

`expect` in the input is written by hand from the contract. The output is the whole explanation; after an
intended change rewrite it with STEELYARD_REWRITE_GOLDEN=1 and read the difference.
"""

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from steelyard.api.backend import LLMBackend
from steelyard.api.policy import Goal, RoutingPolicy
from steelyard.api.profile import ModelProfile
from steelyard.api.resources import ResourceSet
from steelyard.routing.compiling import compile_table
from steelyard.routing.deciding import decide
from steelyard.routing.decision import Distribution, Request, Turn
from steelyard.routing.explaining import explain
from steelyard.routing.table import CATEGORIES, LEVELS, Attempt, Endpoint
from steelyard.routing.undecidable import NoCandidate, Undecidable

GOLDEN = Path(__file__).parents[2] / "golden" / "routing"
CASES = sorted(path.name.removesuffix(".in.yaml") for path in GOLDEN.glob("*.in.yaml"))
PROMPT_TOKENS = 1000


class StatedLoad:
    """A fleet whose load, rests and loads of models are stated by backend."""

    def __init__(
        self, in_flight: dict[str, int], resting: list[str], cold: dict[str, float] | None = None
    ) -> None:
        self._in_flight = in_flight
        self._resting = resting
        self._cold = cold or {}

    def in_flight(self, endpoint: Endpoint) -> int:
        return self._in_flight.get(endpoint.backend, 0)

    def is_resting(self, endpoint: Endpoint) -> bool:
        return endpoint.backend in self._resting

    def is_full(self, endpoint: Endpoint) -> bool:
        return False

    def cold_seconds(self, attempt: Attempt) -> float:
        return self._cold.get(attempt.candidate.backend, 0.0)

    def wait_seconds(self, attempt: Attempt) -> float:
        return self.cold_seconds(attempt)


def stated_cells(turn: Turn) -> Distribution:
    """The distribution that a case states, carried by the turn's text."""
    cells = [
        (CATEGORIES.index(name.split("/")[0]) * len(LEVELS) + LEVELS.index(name.split("/")[1]), share)
        for name, share in json.loads(turn.text).items()
    ]
    return tuple(sorted(cells, key=lambda cell: -cell[1]))


def merged(base: Any, change: Any) -> Any:
    if isinstance(base, dict) and isinstance(change, dict):
        return {key: merged(base.get(key), change.get(key, base.get(key))) for key in base | change}
    return change


def resources_of(case: dict[str, Any]) -> ResourceSet:
    documents = list(yaml.safe_load_all((GOLDEN / "fleet.yaml").read_text()))
    for change in case.get("changes", []):
        for document in documents:
            if document["kind"] == change["kind"] and document["metadata"]["name"] == change["name"]:
                part = {key: change[key] for key in ("spec", "status") if key in change}
                document.update(merged(copy.deepcopy(document), part))
    if case.get("unmeasured"):
        documents = [document for document in documents if document["kind"] != "ModelProfile"]
    documents += [
        {"kind": "RoutingPolicy", "metadata": {"name": policy["name"]}, "spec": policy["spec"]}
        for policy in case["policies"]
    ]
    texts = {
        kind: [json.dumps(one) for one in documents if one["kind"] == kind]
        for kind in ("LLMBackend", "ModelProfile", "RoutingPolicy")
    }
    backends = [LLMBackend.model_validate_json(text) for text in texts["LLMBackend"]]
    profiles = [ModelProfile.model_validate_json(text) for text in texts["ModelProfile"]]
    policies = [RoutingPolicy.model_validate_json(text) for text in texts["RoutingPolicy"]]
    return ResourceSet(
        backends={(one.namespace, one.name): one for one in backends},
        profiles={(one.namespace, one.name): one for one in profiles},
        policies={(one.namespace, one.name): one for one in policies},
    )


def request_of(stated: dict[str, Any]) -> Request:
    goal = stated.get("goal")
    return Request(
        model=stated["model"],
        turns=tuple(
            Turn(json.dumps(turn["cells"]), PROMPT_TOKENS, frozenset(turn.get("needs", ["chat"])))
            for turn in stated["turns"]
        ),
        conversation=stated.get("conversation", "a conversation"),
        headers=stated.get("headers", {}),
        goal=Goal(goal) if goal else None,
    )


def outcome_of(case: dict[str, Any]) -> dict[str, Any]:
    table, problems = compile_table(resources_of(case), "default")
    assert not [problem for problem in problems if problem.excludes]
    load = StatedLoad(case.get("load", {}), case.get("resting", []), case.get("coldSeconds"))
    try:
        decision = decide(request_of(case["request"]), table, load, 0, stated_cells)
    except NoCandidate as none:
        rejected = {one.candidate.model: list(one.reasons) for one in none.rejected}
        return {"error": "NoCandidate", "message": str(none), "rejected": rejected}
    shown: dict[str, Any] = json.loads(json.dumps(explain(decision)))
    return {**shown, "stayed": decision.stayed}


def check(expected: dict[str, Any], got: dict[str, Any]) -> None:
    by_model = {one["model"]: one for one in got.get("candidates", [])}
    assert got.get("error") == expected.get("error")
    if "model" in expected:
        assert got["chosen"]["model"] == expected["model"]
    if "policy" in expected:
        assert got["policy"] == expected["policy"]
    if "stayed" in expected:
        assert got["stayed"] == expected["stayed"]
    for model, reasons in expected.get("rejected", {}).items():
        assert (got.get("rejected", {}).get(model) or by_model[model]["reasons"]) == reasons
    for model, score in expected.get("scores", {}).items():
        assert by_model[model]["score"] == pytest.approx(score, abs=0.01)
    for model, verdict in expected.get("verdicts", {}).items():
        assert by_model[model]["behindBest"]["verdict"] == verdict
    for model, quality in expected.get("quality", {}).items():
        assert by_model[model]["quality"] == pytest.approx(quality, abs=0.001)


@pytest.mark.parametrize("name", CASES)
def test_the_decision_is_the_one_that_the_contract_states(name: str) -> None:
    case = yaml.safe_load((GOLDEN / f"{name}.in.yaml").read_text())
    got = outcome_of(case)
    check(case["expect"], got)
    written = GOLDEN / f"{name}.out.yaml"
    if os.environ.get("STEELYARD_REWRITE_GOLDEN"):
        written.write_text(yaml.safe_dump(got, sort_keys=False, width=110, allow_unicode=True))
    assert got == yaml.safe_load(written.read_text())


def test_every_case_of_the_contract_is_there() -> None:
    assert {name[:2] for name in CASES} == {f"{number:02}" for number in range(1, 31)}


def test_a_weighted_policy_gives_each_entry_its_share_of_conversations() -> None:
    case = yaml.safe_load((GOLDEN / "19.in.yaml").read_text())
    table, _ = compile_table(resources_of(case), "default")
    chosen = []
    for index in range(2000):
        request = request_of(case["request"] | {"conversation": f"conversation {index}"})
        decision = decide(request, table, StatedLoad({}, []), index, stated_cells)
        chosen.append(decision.attempts[0].candidate.model)
    assert 0.87 < chosen.count("small") / len(chosen) < 0.93


def test_a_name_that_nothing_has_is_undecidable() -> None:
    case = yaml.safe_load((GOLDEN / "01.in.yaml").read_text())
    table, _ = compile_table(resources_of(case), "default")
    with pytest.raises(Undecidable, match="'nonsense' does not exist"):
        decide(
            request_of(case["request"] | {"model": "nonsense"}), table, StatedLoad({}, []), 0, stated_cells
        )
