"""Whoever waits for a resource is told by its status: kubectl wait, and kstatus, by which Flux goes."""

import pytest

from fakes import kstatus
from fakes.profiled_engine import ProfiledEngine
from kube import waiting
from kube.fake_kubelet import FakeKubelet
from kube.programs import Operator, Programs
from kube.spaces import Json, Space
from steelyard.kube import kinds


@pytest.mark.parametrize("kind", kinds.OURS, ids=lambda kind: kind.kind)
def test_what_no_operator_has_seen_is_in_progress(space: Space, kind: kinds.Kind) -> None:
    specs: dict[str, Json] = {
        "LLMBackend": {"engine": "OpenAI", "url": "http://127.0.0.1:9"},
        "ModelProfile": {"backendRef": {"name": "b"}, "model": "m"},
        "RoutingPolicy": {"models": [{"name": "auto"}]},
    }
    made = space.apply(kind, "x", specs[kind.kind])

    assert made["status"] == {"observedGeneration": 0}
    assert kstatus.of(space.find(kind, "x")) == "InProgress"


def test_a_backend_is_current_when_it_is_ready_and_not_while_a_change_is_unseen(
    run: Programs, space: Space, engine: ProfiledEngine
) -> None:
    with run.operator() as operator:
        operator.wait_until_active()
        space.backend("b", engine.url)
        space.kubectl("wait", "llmb/b", "--for=condition=Ready", "--timeout=30s")
        assert kstatus.of(space.find(kinds.LLM_BACKEND, "b")) == "Current"
    space.backend("b", engine.url, maxConcurrency=3)
    assert kstatus.of(space.find(kinds.LLM_BACKEND, "b")) == "InProgress"
    with run.operator(identity="two"):
        waiting.until(lambda: kstatus.of(space.find(kinds.LLM_BACKEND, "b")) == "Current", "a change seen")
        space.kubectl("wait", "llmb/b", "--for=condition=Ready", "--timeout=30s")


def test_a_backend_that_leads_nowhere_is_in_progress(operator: Operator, space: Space) -> None:
    space.backend("b", serviceRef={"name": "absent", "port": 80})

    space.kubectl("wait", "llmb/b", "--for=condition=Ready=False", "--timeout=30s")
    assert kstatus.of(space.find(kinds.LLM_BACKEND, "b")) == "InProgress"


def test_policies_and_profiles_are_waited_for_likewise(
    operator: Operator, space: Space, engine: ProfiledEngine
) -> None:
    space.backend("b", engine.url, models=[{"name": "m"}])
    space.policy("auto")

    space.kubectl("wait", "rpol/auto", "--for=condition=Ready", "--timeout=30s")
    assert kstatus.of(space.find(kinds.ROUTING_POLICY, "auto")) == "Current"
    name = space.one(kinds.MODEL_PROFILE)["metadata"]["name"]
    space.kubectl("wait", f"mprof/{name}", "--for=condition=Ready=False", "--timeout=30s")
    assert kstatus.of(space.find(kinds.MODEL_PROFILE, name)) == "InProgress"


def test_a_backend_with_a_forbidden_url_has_failed_until_it_has_another(
    operator: Operator, space: Space, engine: ProfiledEngine
) -> None:
    space.backend("b", "http://169.254.169.254/v1")

    space.wait_for(kinds.LLM_BACKEND, "b", "Stalled", "UrlForbidden")
    assert kstatus.of(space.find(kinds.LLM_BACKEND, "b")) == "Failed"
    space.kubectl("wait", "llmb/b", "--for=condition=Stalled", "--timeout=30s")
    space.backend("b", engine.url)
    waiting.until(lambda: kstatus.of(space.find(kinds.LLM_BACKEND, "b")) == "Current", "readiness")
    assert space.condition(kinds.LLM_BACKEND, "b", "Stalled") == {}, "it is there only while it is true"


def test_a_profile_is_worked_at_until_it_is_measured_as_its_spec_says(
    operator: Operator, space: Space, engine: ProfiledEngine, kubelet: FakeKubelet
) -> None:
    def is_at_work() -> bool:
        found = space.find(kinds.MODEL_PROFILE, "p")
        reconciling = space.condition(kinds.MODEL_PROFILE, "p", "Reconciling")
        return bool(reconciling) and kstatus.of(found) == "InProgress"

    def is_current() -> bool:
        return kstatus.of(space.find(kinds.MODEL_PROFILE, "p")) == "Current"

    space.backend("b", engine.url, models=[{"name": "m"}], profiling={"mode": "Manual"})
    spec: Json = {"backendRef": {"name": "b"}, "model": "m"}
    space.apply(kinds.MODEL_PROFILE, "p", spec)
    waiting.until(is_at_work, "the first run")
    waiting.until(is_current, "the measurement", 120)
    space.apply(kinds.MODEL_PROFILE, "p", {**spec, "seed": 2})
    waiting.until(is_at_work, "the run by the new seed")
    waiting.until(is_current, "its end", 120)
