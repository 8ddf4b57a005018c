"""Whether an object is worked at, is done, or waits for its owner: as kstatus, and so Flux, reads it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from fakes import kstatus, resources
from fakes.gateways import endpoint
from fakes.profiled import BAD, GOOD, NOW, OTHER_DIGEST, Story, backend, measured
from steelyard.api import conditions
from steelyard.api.backend import LLMBackend, LLMBackendStatus, Location, ObservedModel
from steelyard.api.conditions import ABNORMAL
from steelyard.api.meta import Resource
from steelyard.api.resources import AnyResource
from steelyard.routing import compiling
from steelyard.routing.table import Problem
from steelyard_operator import backends, policies, runs
from steelyard_operator.backends import EndpointView, Seen
from steelyard_operator.probing import Description, Failure


def abnormal(one: Resource) -> dict[str, str]:
    """The conditions that are there only while something is not as it should be, with their reasons."""
    held: Any = one.model_dump()["status"]["conditions"]
    return {each["type"]: each["reason"] for each in held if each["type"] in ABNORMAL}


def view(**fields: Any) -> EndpointView:
    usual: dict[str, Any] = {"answers": True, "description": Description((ObservedModel(name="a"),), "1.0")}
    return EndpointView(endpoint(8000, "engine"), **usual | fields)


def looked(of: LLMBackend, *views: EndpointView, problems: tuple[Problem, ...] = ()) -> LLMBackend:
    status = backends.plan(Seen(of, Location.LOCAL, NOW, views, problems)).status
    assert status is None or isinstance(status, LLMBackendStatus)
    return of if status is None else of.model_copy(update={"status": status})


def problem(kind: str, condition: str, reason: str, *, excludes: bool = True) -> Problem:
    return Problem(kind, "llm", "engine", condition, reason, "Mend it.", excludes=excludes)


def of_backend(condition: str, reason: str, *, excludes: bool = True) -> dict[str, Any]:
    return {"problems": (problem("LLMBackend", condition, reason, excludes=excludes),)}


DOWN = Failure("Unreachable", "It cannot be reached.")
BACKENDS: dict[str, tuple[list[EndpointView], dict[str, Any], str, dict[str, str]]] = {
    "answers": ([view()], {}, "Current", {}),
    "was not asked yet": (
        [view(answers=None, description=None)],
        {},
        "InProgress",
        {"Reconciling": "NotProbed"},
    ),
    "is down": ([view(answers=False, failure=DOWN)], {}, "InProgress", {}),
    "has no pod": ([], {}, "InProgress", {}),
    "lacks its Secret": ([], of_backend("ResolvedRefs", "SecretNotFound"), "InProgress", {}),
    "has a forbidden URL": (
        [],
        of_backend("Accepted", "UrlForbidden"),
        "Failed",
        {"Stalled": "UrlForbidden"},
    ),
    "is being deleted": ([], of_backend("Accepted", "Deleting"), "InProgress", {}),
    "is odd, and works": ([view()], of_backend("Accepted", "Odd", excludes=False), "Current", {}),
}


@pytest.mark.parametrize("case", BACKENDS)
def test_a_backend_that(case: str) -> None:
    views, more, status, said = BACKENDS[case]
    of = looked(backend().model_copy(update={"status": LLMBackendStatus()}), *views, **more)

    assert (kstatus.of_resource(of), abnormal(of)) == (status, said)
    assert looked(of, *views, **more) is of, "an unchanged status is written"


def test_what_was_abnormal_is_gone_when_it_is_over_and_dated_from_its_beginning() -> None:
    wrong = of_backend("Accepted", "UrlForbidden")
    first = looked(backend(), **wrong)
    stalled = conditions.find(first.status.conditions, "Stalled")
    assert stalled is not None and (stalled.message, stalled.last_transition_time) == ("Mend it.", NOW)

    later = replace(Seen(first, Location.LOCAL, NOW + timedelta(hours=1)), **wrong)
    assert backends.plan(later).status is None, "nothing changed"
    assert abnormal(looked(first, view())) == {}


def wrong(condition: str, reason: str) -> Story:
    story = Story(problems=(problem("ModelProfile", condition, reason),))
    story.settle()
    return story


def begun() -> Story:
    story = Story()
    story.settle()
    return story


def waiting() -> Story:
    story = Story(obstacle="Another run is under way.")
    story.settle()
    return story


def failed_once() -> Story:
    story = begun()
    story.end(BAD, exit_code=1, reason="Error")
    return story


def changed(**spec: Any) -> Story:
    story = measured()
    story.change(**spec)
    story.settle()
    return story


def upgraded() -> Story:
    story = measured()
    story.upgrade(digest=OTHER_DIGEST)
    story.settle()
    assert story.is_measuring
    return story


def external(*, attempts: int, asked: bool = True) -> Story:
    story = Story(location=Location.EXTERNAL)
    if asked:
        story.annotate("please")
    story.settle()
    for _ in range(attempts):
        story.end(BAD, exit_code=1, reason="Error")
        story.wait(hours=1)
    return story


def given_up_and_asked_again() -> Story:
    story = external(attempts=runs.MOST_ATTEMPTS)
    story.annotate("once more")
    story.settle()
    return story


PROFILES: dict[str, tuple[Story, str, dict[str, str]]] = {
    "is measured": (measured(), "Current", {}),
    "is measured for the first time": (begun(), "InProgress", {"Reconciling": "Measuring"}),
    "waits for its turn": (waiting(), "InProgress", {"Reconciling": "Waiting"}),
    "is tried again": (failed_once(), "InProgress", {"Reconciling": "NotMeasured"}),
    "is measured anew, by another spec": (changed(seed=2), "InProgress", {"Reconciling": "SpecChanged"}),
    "is measured anew, for another version": (upgraded(), "Current", {}),
    "has another spec, and rests": (changed(seed=2, suspend=True), "Current", {}),
    "names no backend": (wrong("ResolvedRefs", "BackendNotFound"), "InProgress", {}),
    "is one too many": (wrong("Accepted", "Duplicate"), "Failed", {"Stalled": "Duplicate"}),
    "nobody asked for": (external(attempts=0, asked=False), "InProgress", {}),
    "is tried at a cost": (external(attempts=1), "InProgress", {"Reconciling": "Measuring"}),
    "was tried at a cost, in vain": (
        external(attempts=runs.MOST_ATTEMPTS),
        "Failed",
        {"Stalled": "Timeout"},
    ),
    "is tried once more": (given_up_and_asked_again(), "InProgress", {"Reconciling": "Measuring"}),
}


@pytest.mark.parametrize("case", PROFILES)
def test_a_profile_that(case: str) -> None:
    story, status, said = PROFILES[case]

    assert (kstatus.of_resource(story.profile), abnormal(story.profile)) == (status, said)


def test_a_run_that_succeeds_ends_what_was_under_way() -> None:
    story = changed(seed=2)
    story.end(GOOD)
    assert abnormal(story.profile) != {}, "it was a run by the seed before"
    story = begun()
    story.end(GOOD)
    assert (kstatus.of_resource(story.profile), abnormal(story.profile)) == ("Current", {})


def test_a_profile_that_was_given_up_says_what_to_do() -> None:
    story = external(attempts=runs.MOST_ATTEMPTS)
    told = story.condition("Stalled").message
    assert "until the spec or the annotation steelyard.dev/profile-now changes" in told
    assert story.condition("Succeeded").message in told


def test_a_policy_is_current_as_soon_as_it_can_choose() -> None:
    policy = resources.policy("p", "auto")

    def read(*others: AnyResource) -> str:
        table, problems = compiling.compile_table(resources.resource_set(policy, *others), policy.namespace)
        mine = tuple(one for one in problems if one.kind == "RoutingPolicy")
        status = policies.plan(policies.Seen(policy, table, mine, NOW)).status
        return kstatus.of_resource(policy.model_copy(update={"status": status}))

    assert [read(), read(resources.backend("b", "m"))] == ["InProgress", "Current"]
