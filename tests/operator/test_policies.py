"""What a policy's status says of the table that it resolves to."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from fakes import resources
from steelyard.api import conditions
from steelyard.api.policy import RoutingPolicy, RoutingPolicyStatus
from steelyard.api.resources import AnyResource
from steelyard.routing import compiling
from steelyard_operator import policies
from steelyard_operator.plans import DONE, Plan
from steelyard_operator.policies import Seen

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)


def looked(policy: RoutingPolicy, *others: AnyResource) -> RoutingPolicyStatus:
    """The policy's status among these; planning again over it must write nothing."""
    status = plan(policy, *others).status
    assert isinstance(status, RoutingPolicyStatus)
    read = RoutingPolicyStatus.model_validate_json(status.model_dump_json(by_alias=True, exclude_none=True))
    again = plan(policy.model_copy(update={"status": read}), *others, now=NOW + timedelta(hours=1))
    assert again.status is None, "an unchanged status is written"
    assert again.outcome == DONE
    return read


def plan(policy: RoutingPolicy, *others: AnyResource, now: datetime = NOW) -> Plan:
    table, problems = compiling.compile_table(resources.resource_set(policy, *others), "default")
    mine = tuple(one for one in problems if (one.kind, one.name) == ("RoutingPolicy", policy.name))
    return policies.plan(Seen(policy, table, mine, now))


def policy(name: str = "auto", generation: int = 3, **spec: Any) -> RoutingPolicy:
    document = {
        "metadata": {"name": name, "generation": generation},
        "spec": {"models": [{"name": "auto"}, {"name": "auto-best"}], **spec},
    }
    return RoutingPolicy.model_validate_json(json.dumps(document))


def said(status: RoutingPolicyStatus, condition: str) -> tuple[str, str]:
    found = conditions.find(status.conditions, condition)
    assert found is not None, condition
    return found.status.value, found.reason


def message(status: RoutingPolicyStatus, condition: str) -> str:
    found = conditions.find(status.conditions, condition)
    assert found is not None, condition
    return found.message


def test_a_policy_that_selects_models_is_ready() -> None:
    status = looked(policy(), resources.backend("one", "a", "b"), resources.backend("two", "a"))

    assert {found.type: found.status.value for found in status.conditions} == {
        "Accepted": "True",
        "ResolvedRefs": "True",
        "Ready": "True",
    }
    assert {found.observed_generation for found in status.conditions} == {3}
    assert status.observed_generation == 3
    assert status.summary and (status.summary.models, status.summary.candidates) == ("auto,auto-best", "3/3")
    assert [(one.model, one.backend) for one in status.candidates] == [
        ("a", "one"),
        ("a", "two"),
        ("b", "one"),
    ]


def test_a_candidate_that_cannot_be_chosen_says_why() -> None:
    dear = {"price": {"inputUsdPerMillionTokens": "9", "outputUsdPerMillionTokens": "30"}}
    listed = resources.backend("dear", models=[{"name": "b"} | dear])
    status = looked(policy(require={"maxUsdPerMillionTokens": "5"}), resources.backend("one", "a"), listed)

    by_model = {one.model: one for one in status.candidates}
    assert by_model["a"].eligible and by_model["a"].reason == ""
    assert not by_model["b"].eligible and by_model["b"].reason == "price 30 > 5"
    assert status.summary and status.summary.candidates == "1/2"
    assert said(status, "Ready") == ("True", "Ready")


def test_a_policy_none_of_whose_candidates_can_be_chosen_is_not_ready() -> None:
    status = looked(policy(require={"minQualityPercent": 50}), resources.backend("one", "a"))
    assert said(status, "Ready") == ("False", "NoneEligible")
    assert message(status, "Ready") == "No candidate can be chosen: a on one: quality not measured."
    assert said(status, "Accepted") == ("True", "Accepted")
    assert said(status, "ResolvedRefs") == ("True", "Resolved")


def test_a_policy_that_selects_nothing_says_so() -> None:
    status = looked(policy())
    assert said(status, "ResolvedRefs") == said(status, "Ready") == ("False", "NoCandidates")
    assert status.summary and status.summary.candidates == "0/0"


def test_an_entry_that_selects_nothing_is_told_and_the_others_go_on() -> None:
    entries = [{"models": ["a"]}, {"models": ["nobody"]}]
    status = looked(policy(candidates=entries), resources.backend("one", "a"))
    assert said(status, "Ready") == ("True", "EntryEmpty")
    assert "spec.candidates[1] selects no model" in message(status, "Ready")


def test_a_policy_behind_another_says_so_in_accepted_and_stays_ready() -> None:
    first = resources.policy("first", "auto", priority=1)
    status = looked(policy(), first, resources.backend("one", "a"))
    assert said(status, "Accepted") == ("True", "Shadowed")
    assert "RoutingPolicy first answers auto before this one" in message(status, "Accepted")
    assert said(status, "Ready") == ("True", "Ready")


def two_models(count: int, failed: int) -> list[AnyResource]:
    """Two models that were asked so many probes, of which the second failed some."""
    answers = [index >= failed for index in range(count)]
    return [
        resources.backend("one", "a"),
        resources.backend("two", "b"),
        resources.answered("one", "a", Math=[True] * count),
        resources.answered("two", "b", Math=answers),
    ]


def test_a_policy_says_which_suite_would_tell_its_candidates_apart() -> None:
    status = looked(policy(), *two_models(20, failed=3))
    assert said(status, "Precise") == ("False", "SuiteTooSmall")
    told = message(status, "Precise")
    assert "Math: b on two is" in told
    assert "spec.suite: Standard would tell 1 of 1" in told
    assert said(status, "Ready") == ("True", "Ready")


def test_a_difference_about_the_tolerance_itself_is_too_close_for_every_suite() -> None:
    status = looked(policy(), *two_models(160, failed=9))
    assert said(status, "Precise") == ("False", "TooClose")
    assert "set another tolerancePercent" in message(status, "Precise")


def test_a_policy_whose_candidates_are_told_apart_is_precise() -> None:
    assert said(looked(policy(), *two_models(160, failed=0)), "Precise") == ("True", "Distinguishable")


def test_precise_goes_when_nothing_depends_on_it_any_more() -> None:
    fleet = two_models(20, failed=3)
    before = looked(policy(), *fleet)
    after = looked(policy(goal="Best").model_copy(update={"status": before}), *fleet)
    assert conditions.find(before.conditions, "Precise") is not None
    assert conditions.find(after.conditions, "Precise") is None


def test_at_most_fifty_candidates_are_listed_and_all_are_counted() -> None:
    many = resources.backend("one", *(f"model-{number:03}" for number in range(80)))
    status = looked(policy(), many)
    assert len(status.candidates) == 50
    assert status.candidates[0].model == "model-000"
    assert status.summary and status.summary.candidates == "80/80"


def test_a_transition_is_dated_and_the_other_conditions_keep_their_dates() -> None:
    alone = policy()
    before = looked(alone)
    later = NOW + timedelta(minutes=5)
    after = plan(alone.model_copy(update={"status": before}), resources.backend("one", "a"), now=later).status
    assert isinstance(after, RoutingPolicyStatus)
    dates = {found.type: found.last_transition_time for found in after.conditions}
    assert dates == {"Accepted": NOW, "ResolvedRefs": later, "Ready": later}
