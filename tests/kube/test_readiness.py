"""Whoever waits for a resource is told by its status: kubectl wait, and kstatus, by which Flux goes."""

import pytest

from fakes.profiled_engine import ProfiledEngine
from kube import waiting
from kube.programs import Operator, Programs
from kube.spaces import Json, Space
from steelyard.kube import kinds


def kstatus(one: Json) -> str:
    """What kstatus makes of an object of a kind that it does not know.

    https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/status/generic.go and status.go
    """
    status = one.get("status") or {}
    if one["metadata"].get("deletionTimestamp"):
        return "Terminating"
    if status.get("observedGeneration", one["metadata"]["generation"]) != one["metadata"]["generation"]:
        return "InProgress"
    held = {condition["type"]: condition["status"] for condition in status.get("conditions") or ()}
    if held.get("Reconciling") == "True":
        return "InProgress"
    if held.get("Stalled") == "True":
        return "Failed"
    return "Current" if held.get("Ready", "True") == "True" else "InProgress"


@pytest.mark.parametrize("kind", kinds.OURS, ids=lambda kind: kind.kind)
def test_what_no_operator_has_seen_is_in_progress(space: Space, kind: kinds.Kind) -> None:
    specs: dict[str, Json] = {
        "LLMBackend": {"engine": "OpenAI", "url": "http://127.0.0.1:9"},
        "ModelProfile": {"backendRef": {"name": "b"}, "model": "m"},
        "RoutingPolicy": {"models": [{"name": "auto"}]},
    }
    made = space.apply(kind, "x", specs[kind.kind])

    assert made["status"] == {"observedGeneration": 0}
    assert kstatus(space.find(kind, "x")) == "InProgress"


def test_a_backend_is_current_when_it_is_ready_and_not_while_a_change_is_unseen(
    run: Programs, space: Space, engine: ProfiledEngine
) -> None:
    with run.operator() as operator:
        operator.wait_until_active()
        space.backend("b", engine.url)
        space.kubectl("wait", "llmb/b", "--for=condition=Ready", "--timeout=30s")
        assert kstatus(space.find(kinds.LLM_BACKEND, "b")) == "Current"
    space.backend("b", engine.url, maxConcurrency=3)
    assert kstatus(space.find(kinds.LLM_BACKEND, "b")) == "InProgress"
    with run.operator(identity="two"):
        waiting.until(lambda: kstatus(space.find(kinds.LLM_BACKEND, "b")) == "Current", "a change seen")
        space.kubectl("wait", "llmb/b", "--for=condition=Ready", "--timeout=30s")


def test_a_backend_that_leads_nowhere_is_in_progress(operator: Operator, space: Space) -> None:
    space.backend("b", serviceRef={"name": "absent", "port": 80})

    space.kubectl("wait", "llmb/b", "--for=condition=Ready=False", "--timeout=30s")
    assert kstatus(space.find(kinds.LLM_BACKEND, "b")) == "InProgress"


def test_policies_and_profiles_are_waited_for_likewise(
    operator: Operator, space: Space, engine: ProfiledEngine
) -> None:
    space.backend("b", engine.url, models=[{"name": "m"}])
    space.policy("auto")

    space.kubectl("wait", "rpol/auto", "--for=condition=Ready", "--timeout=30s")
    assert kstatus(space.find(kinds.ROUTING_POLICY, "auto")) == "Current"
    name = space.one(kinds.MODEL_PROFILE)["metadata"]["name"]
    space.kubectl("wait", f"mprof/{name}", "--for=condition=Ready=False", "--timeout=30s")
    assert kstatus(space.find(kinds.MODEL_PROFILE, name)) == "InProgress"
