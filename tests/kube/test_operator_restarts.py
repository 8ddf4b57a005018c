"""Operator and API server are stopped in the middle of things, and all comes to its end."""

from fakes.profiled_engine import ProfiledEngine
from kube import reports, waiting
from kube.control_plane import ControlPlane
from kube.fake_kubelet import FakeKubelet
from kube.programs import Operator, Programs
from kube.spaces import Space
from steelyard.api import profile as profiles
from steelyard.kube import kinds

ONE = profiles.automatic_name("one", "m")


def test_a_run_goes_on_under_the_next_operator_when_the_first_is_killed(
    space: Space, run: Programs, kubelet: FakeKubelet, engine: ProfiledEngine
) -> None:
    kubelet.hold()
    with run.operator() as first:
        space.backend("one", engine.url)
        waiting.until(lambda: kubelet.started, "a pod that runs")
        space.wait_for(kinds.MODEL_PROFILE, ONE, "Ready", "Measuring")
        first.kill()
    [job] = space.all(kinds.JOB)
    with run.operator() as second:
        second.wait_until_active()
        kubelet.release()
        profile = space.measured(ONE)

    assert profile["status"]["run"]["jobName"] == job["metadata"]["name"]
    assert [one["metadata"]["uid"] for one in space.all(kinds.JOB)] == [job["metadata"]["uid"]]


def test_a_result_that_came_while_no_operator_ran_is_written_by_the_next_one(
    space: Space, run: Programs, kubelet: FakeKubelet, engine: ProfiledEngine
) -> None:
    kubelet.hold()
    with run.operator() as first:
        space.backend("one", engine.url)
        waiting.until(lambda: kubelet.started, "a pod that runs")
        first.kill()
    kubelet.release()
    waiting.until(lambda: not space.running(), "the Job's end")
    with run.operator():
        profile = space.measured(ONE)

    assert profile["status"]["quality"]["overall"]["scorePercent"] == 100
    assert len(space.all(kinds.JOB)) == 1


def test_an_operator_goes_on_after_the_api_server_was_restarted(
    control_plane: ControlPlane,
    space: Space,
    operator: Operator,
    kubelet: FakeKubelet,
    engine: ProfiledEngine,
) -> None:
    kubelet.hold()
    space.backend("one", engine.url)
    waiting.until(lambda: kubelet.started, "a pod that runs")
    manual = {"profiling": {"mode": "Manual"}, "probe": {"intervalSeconds": 1, "unhealthyAfter": 1}}
    with ProfiledEngine().running() as other:
        space.backend("two", other.url, **manual)
        space.wait_for(kinds.LLM_BACKEND, "two", "Ready", "Ready")
        control_plane.stop_api_server()
    kubelet.release()
    operator.wait_for_probes(3)  # of which one finds the other engine gone

    control_plane.start_api_server()
    space.backend("three", engine.url, **manual)

    space.wait_for(kinds.LLM_BACKEND, "two", "Reachable", "Unreachable")
    space.wait_for(kinds.LLM_BACKEND, "three", "Ready", "Ready")
    space.measured(ONE)
    assert len(space.all(kinds.JOB)) == 1
    assert operator.process.poll() is None


def test_an_operator_goes_on_when_its_watches_have_expired(
    control_plane: ControlPlane,
    space: Space,
    operator: Operator,
    kubelet: FakeKubelet,
    engine: ProfiledEngine,
) -> None:
    kubelet.instead = reports.outcome()
    space.backend("one", engine.url)
    space.measured(ONE)

    control_plane.expire_watches()
    space.backend("two", engine.url)

    space.measured(profiles.automatic_name("two", "m"))
    assert operator.process.poll() is None
