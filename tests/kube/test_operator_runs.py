"""When a model is measured: as people ask for it, at most one run at a time, and no more than needed."""

import itertools
import time

from fakes.profiled_engine import ProfiledEngine
from kube import reports, waiting
from kube.fake_kubelet import FakeKubelet
from kube.programs import Operator
from kube.spaces import Json, Space
from steelyard.api import profile as profiles
from steelyard.kube import kinds

ONE = profiles.automatic_name("one", "m")
WRITES = "steelyard_operator_status_writes_total"
EDIT_SECONDS = 3.0
EDIT_PAUSE_SECONDS = 0.1


def test_the_annotation_profile_now_asks_for_one_more_run(
    space: Space, operator: Operator, kubelet: FakeKubelet, engine: ProfiledEngine
) -> None:
    kubelet.instead = reports.outcome(80)
    space.backend("one", engine.url)
    space.measured(ONE)
    kubelet.instead = reports.outcome(60)

    space.annotate(kinds.MODEL_PROFILE, ONE, profile_now="monday")

    waiting.until(lambda: _score(space) == 60, "the second result")
    space.annotate(kinds.MODEL_PROFILE, ONE, profile_now="monday", other="x")
    operator.wait_for_probes(2)
    assert space.find(kinds.MODEL_PROFILE, ONE)["status"]["run"]["asked"] == "monday"
    assert len(space.all(kinds.JOB)) == 2
    assert space.events().count(("ModelProfile", "Measured")) == 2


def test_suspend_ends_a_run_and_its_end_begins_another(
    space: Space, operator: Operator, kubelet: FakeKubelet, engine: ProfiledEngine
) -> None:
    kubelet.hold()
    space.backend("one", engine.url)
    [first] = space.made(kinds.JOB, 1)
    waiting.until(lambda: kubelet.started, "a pod that runs")

    space.patch(kinds.MODEL_PROFILE, ONE, {"spec": {"suspend": True}})

    space.wait_for(kinds.MODEL_PROFILE, ONE, "Succeeded", "Suspended")
    waiting.until(lambda: not space.all(kinds.JOB) and not space.all(kinds.POD), "the run's end")
    kubelet.release()
    space.patch(kinds.MODEL_PROFILE, ONE, {"spec": {"suspend": False}})
    space.measured(ONE)
    [second] = space.all(kinds.JOB)
    assert second["metadata"]["name"] != first["metadata"]["name"]


def test_profiles_are_made_as_the_backend_says(
    space: Space, operator: Operator, kubelet: FakeKubelet, engine: ProfiledEngine
) -> None:
    engine.models = ("a", "b", "c")
    kubelet.instead = reports.outcome()
    space.backend("manual", engine.url, profiling={"mode": "Manual"})
    space.backend("limited", engine.url, profiling={"maxProfiles": 1})
    listed = [{"name": "a"}]
    space.backend("external", engine.url, location="External", models=listed)
    space.apply(kinds.MODEL_PROFILE, "by-hand", {"backendRef": {"name": "manual"}, "model": "b"})
    space.apply(kinds.MODEL_PROFILE, "asked", {"backendRef": {"name": "external"}, "model": "a"})

    space.measured("by-hand")
    limited = profiles.automatic_name("limited", "a")
    space.measured(limited)
    space.wait_for(kinds.MODEL_PROFILE, "asked", "Ready", "NotAsked")
    told = space.wait_for(kinds.LLM_BACKEND, "limited", "Accepted", "ProfilesLimited")
    assert told["message"].endswith("no profile is made for b, c.")
    assert sorted(one["metadata"]["name"] for one in space.all(kinds.MODEL_PROFILE)) == sorted(
        ["asked", "by-hand", limited]
    )
    assert len(space.all(kinds.JOB)) == 2

    space.annotate(kinds.MODEL_PROFILE, "asked", profile_now="today")
    space.measured("asked")


def test_a_change_of_the_template_reaches_the_automatic_profile(
    space: Space, operator: Operator, kubelet: FakeKubelet, engine: ProfiledEngine
) -> None:
    kubelet.instead = reports.outcome(80)
    space.backend("one", engine.url)
    space.measured(ONE)
    kubelet.instead = reports.outcome(60, seed=7)

    template = {"seed": 7, "job": {"nodeSelector": {"disk": "ssd"}}}
    space.backend("one", engine.url, profiling={"template": template})

    waiting.until(lambda: _score(space) == 60, "the second result")
    first, second = space.all(kinds.JOB)
    assert _node_selectors(first, second) == {"", "ssd"}


def test_a_backend_edited_ten_times_a_second_settles_with_few_writes_and_one_job_at_a_time(
    space: Space, operator: Operator, kubelet: FakeKubelet, engine: ProfiledEngine
) -> None:
    space.backend("one", engine.url)
    space.measured(ONE)
    before = operator.metric(WRITES, kind="LLMBackend")
    most_running, deadline = 0, time.monotonic() + EDIT_SECONDS
    for number in itertools.count(2):
        made = space.backend("one", engine.url, profiling={"template": {"seed": number}})
        most_running = max(most_running, len(space.running()))
        if time.monotonic() > deadline:
            break
        time.sleep(EDIT_PAUSE_SECONDS)  # the pace of the edits

    def measured() -> bool:
        status = space.find(kinds.MODEL_PROFILE, ONE)["status"]
        return status["fingerprint"]["seed"] == number and "completionTime" in status["run"]

    waiting.until(measured, "the last result")
    edits = number - 1
    observed = space.find(kinds.LLM_BACKEND, "one")["status"]["observedGeneration"]
    assert observed == made["metadata"]["generation"] == edits + 1
    assert most_running == 1
    assert len(space.all(kinds.JOB)) < edits / 2
    assert operator.metric(WRITES, kind="LLMBackend") - before < edits
    assert operator.metric("steelyard_operator_api_failures_total") == 0


def _score(space: Space) -> int:
    score: int = space.find(kinds.MODEL_PROFILE, ONE)["status"]["quality"]["overall"]["scorePercent"]
    return score


def _node_selectors(*jobs: Json) -> set[str]:
    return {job["spec"]["template"]["spec"].get("nodeSelector", {}).get("disk", "") for job in jobs}
