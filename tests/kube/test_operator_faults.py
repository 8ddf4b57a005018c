"""What people and profilers get wrong is told in conditions, and nothing else suffers from it."""

import base64
from functools import partial

from fakes.profiled_engine import ProfiledEngine
from kube import reports, waiting
from kube.containers import Outcome
from kube.fake_kubelet import FakeKubelet
from kube.programs import Operator
from kube.spaces import Json, Space
from steelyard.api import meta
from steelyard.api import profile as profiles
from steelyard.kube import kinds
from steelyard.kube.kinds import Kind

ONE = profiles.automatic_name("one", "m")
QUOTA = Kind("", "v1", "resourcequotas", "ResourceQuota")
WRITES = "steelyard_operator_status_writes_total"
RECONCILES = "steelyard_operator_reconcile_seconds_count"

BAD_REPORTS = {
    reports.line(message="a" * 3000): "is longer than 3000 bytes",
    "Segmentation fault": "the report is cut",
    reports.line(quality={"Math": [[30, 20], [1, 20], [1, 20], 9, None]}): "passed must be at most samples",
    reports.line(suite="Quick/99"): "measured Quick/99 with seed 1, not Quick/2",
}
"""What a profiler may leave, and what the condition says of it."""


def test_a_bad_report_is_a_failed_run_and_the_old_result_stays(
    space: Space, operator: Operator, kubelet: FakeKubelet, engine: ProfiledEngine
) -> None:
    kubelet.instead = reports.outcome(80)
    space.backend("one", engine.url)
    before = space.measured(ONE)["status"]

    for number, (message, said) in enumerate(BAD_REPORTS.items(), 1):
        kubelet.instead = Outcome(message=message)
        space.annotate(kinds.MODEL_PROFILE, ONE, profile_now=str(number))
        waiting.until(partial(_said, space, said), f"the words {said!r}")

        after = space.find(kinds.MODEL_PROFILE, ONE)["status"]
        assert _succeeded(space)["reason"] == "ReportInvalid"
        assert (after["quality"], after["fingerprint"]) == (before["quality"], before["fingerprint"])
        assert space.condition(kinds.MODEL_PROFILE, ONE, "Ready")["status"] == "True"


def test_a_run_that_fails_is_tried_again_after_a_pause(
    space: Space, operator: Operator, kubelet: FakeKubelet, engine: ProfiledEngine
) -> None:
    kubelet.instead = Outcome(exit_code=137, reason="OOMKilled")
    space.backend("one", engine.url)

    failed = space.wait_for(kinds.MODEL_PROFILE, ONE, "Succeeded", "OutOfMemory")
    waiting.until(lambda: "follows after a pause" in _run(space)["message"], "word of the pause")
    _assert_rest(space, operator)

    assert "raise spec.job.resources.limits.memory" in failed["message"]
    assert _run(space)["attempts"] == 1
    assert len(space.all(kinds.JOB)) == 1
    assert ("ModelProfile", "OutOfMemory") in space.events()


def test_references_that_lead_nowhere_are_told_and_all_else_goes_on(
    space: Space, operator: Operator, kubelet: FakeKubelet, engine: ProfiledEngine
) -> None:
    kubelet.instead = reports.outcome()
    _secret(space, "labelled", {meta.SECRET_LABEL: meta.SECRET_LABEL_VALUE})
    _secret(space, "unlabelled", {})
    backends: Json = {
        "no-service": {"serviceRef": {"name": "none", "port": 80}, "url": None},
        "no-secret": {"credentialsRef": {"name": "none", "key": "token"}},
        "no-key": {"credentialsRef": {"name": "labelled", "key": "none"}},
        "no-label": {"credentialsRef": {"name": "unlabelled", "key": "token"}},
        "no-engine": {"url": "http://127.0.0.1:1"},
    }
    for name, spec in backends.items():
        space.backend(name, **{"url": engine.url, "profiling": {"mode": "Manual"}, **spec})
    space.backend("one", engine.url)
    space.policy("auto")
    space.policy("auto-too", models=[{"name": "auto"}])
    space.policy("empty", candidates=[{"models": ["none"]}])
    for name, backend in {"first": "no-key", "second": "no-key", "third": "none"}.items():
        space.apply(kinds.MODEL_PROFILE, name, {"backendRef": {"name": backend}, "model": "m"})
        space.wait_for(kinds.MODEL_PROFILE, name, "Accepted", "Duplicate" if name == "second" else "Accepted")

    space.measured(ONE)
    for kind, name, condition, reason, sentence in (
        (kinds.LLM_BACKEND, "no-service", "ResolvedRefs", "ServiceNotFound", "Service"),
        (kinds.LLM_BACKEND, "no-secret", "ResolvedRefs", "SecretNotFound", "create it"),
        (kinds.LLM_BACKEND, "no-key", "ResolvedRefs", "SecretKeyNotFound", "key none"),
        (kinds.LLM_BACKEND, "no-label", "ResolvedRefs", "SecretNotFound", "unlabelled"),
        (kinds.LLM_BACKEND, "no-engine", "Reachable", "Unreachable", "is the engine running there?"),
        (kinds.MODEL_PROFILE, "third", "ResolvedRefs", "BackendNotFound", "LLMBackend"),
        (kinds.MODEL_PROFILE, "second", "Accepted", "Duplicate", "delete one of them"),
        (kinds.ROUTING_POLICY, "auto-too", "Accepted", "Shadowed", "answers auto before this one"),
        (kinds.ROUTING_POLICY, "empty", "ResolvedRefs", "NoCandidates", "selects no model"),
        (kinds.ROUTING_POLICY, "auto", "Ready", "Ready", ""),
    ):
        assert sentence in space.wait_for(kind, name, condition, reason)["message"], name
    _assert_rest(space, operator)
    _secret(space, "unlabelled", {meta.SECRET_LABEL: meta.SECRET_LABEL_VALUE})
    space.wait_for(kinds.LLM_BACKEND, "no-label", "Ready", "Ready")


def test_a_job_that_the_api_server_refuses_is_told_and_tried_slowly(
    space: Space, operator: Operator, kubelet: FakeKubelet, engine: ProfiledEngine
) -> None:
    none = {"count/jobs.batch": "0"}
    space.apply(QUOTA, "none", {"hard": none})
    space.patch(QUOTA, "none/status", {"status": {"hard": none, "used": none}})
    space.backend("one", engine.url)

    refused = space.wait_for(kinds.MODEL_PROFILE, ONE, "Succeeded", "JobRefused")
    _assert_rest(space, operator)

    assert "exceeded quota: none" in refused["message"]
    assert space.all(kinds.JOB) == []
    assert space.events().count(("ModelProfile", "JobRefused")) == 1
    assert "JobRefused" in space.kubectl("get", "events")


def _secret(space: Space, name: str, labels: dict[str, str]) -> None:
    data = {"token": base64.b64encode(b"sesame").decode()}
    space.apply(kinds.SECRET, name, metadata={"labels": labels}, data=data)


def _succeeded(space: Space) -> Json:
    return space.condition(kinds.MODEL_PROFILE, ONE, "Succeeded")


def _said(space: Space, words: str) -> bool:
    return words in _succeeded(space)["message"]


def _run(space: Space) -> Json:
    return space.find(kinds.MODEL_PROFILE, ONE)["status"]["run"]


def _assert_rest(space: Space, operator: Operator) -> None:
    """Over three probes nothing is written, and profiles and policies are not even looked at."""

    def counted() -> tuple[float, ...]:
        others = [operator.metric(RECONCILES, kind=kind) for kind in ("ModelProfile", "RoutingPolicy")]
        return (operator.metric(WRITES), *others)

    def settled() -> bool:
        before = counted()
        operator.wait_for_probes(1)
        return counted() == before

    waiting.until(settled, "rest")
    before, versions = counted(), space.versions()
    operator.wait_for_probes(3)
    assert counted() == before
    assert space.versions() == versions
