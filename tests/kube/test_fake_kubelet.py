"""The fake kubelet reports what a real one would."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kube import fake_kubelet, waiting
from kube.containers import MESSAGE_BYTES, Outcome
from kube.control_plane import ControlPlane
from kube.fake_kubelet import FakeKubelet
from kube.spaces import Space
from steelyard.kube import kinds
from steelyard.kube.kinds import Kind

WRITE = "import os, sys; open(sys.argv[1], 'w').write(os.environ['SAID'])"
WAIT = "import signal; signal.pause()"


@pytest.fixture
def kubelet(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> Iterator[FakeKubelet]:
    with fake_kubelet.running(control_plane, namespace, tmp_path) as up:
        yield up


class Jobs:
    """The Jobs of a namespace and their pods."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        self._api = control_plane.admin
        self._jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        self._pods = f"/api/v1/namespaces/{namespace}/pods"

    def make(self, *command: str, said: str = "", **more: Any) -> None:
        """Have a Job made that runs this once, with the volumes in `more`."""
        container = {
            "name": "main",
            "image": "none",
            "command": list(command),
            "env": [{"name": "SAID", "value": said}],
            "volumeMounts": [
                {"name": one["name"], "mountPath": "/etc/key"} for one in more.get("volumes", [])
            ],
        }
        pod = {"restartPolicy": "Never", "containers": [container], **more}
        spec = {"backoffLimit": 0, "template": {"spec": pod}}
        job = {"metadata": {"name": "job"}, "spec": spec}
        self._api.post(self._jobs, json=job).raise_for_status()

    def delete(self) -> None:
        """Have the Job and its pod deleted."""
        deleted = self._api.delete(f"{self._jobs}/job", params={"propagationPolicy": "Background"})
        deleted.raise_for_status()

    def ended(self) -> str:
        """The condition with which the Job came to its end."""

        def look() -> str:
            conditions = self._api.get(f"{self._jobs}/job").json()["status"].get("conditions", [])
            return next((one["type"] for one in conditions if one["type"] in ("Complete", "Failed")), "")

        return waiting.until(look, "the Job's end")

    def pods(self) -> list[dict[str, Any]]:
        """Its pods."""
        pods: list[dict[str, Any]] = self._api.get(self._pods).json()["items"]
        return pods

    def terminated(self) -> dict[str, Any]:
        """What its only pod reported last."""
        [pod] = self.pods()
        [container] = pod["status"]["containerStatuses"]
        terminated: dict[str, Any] = container["state"]["terminated"]
        return terminated


@pytest.fixture
def jobs(control_plane: ControlPlane, namespace: str) -> Jobs:
    return Jobs(control_plane, namespace)


def test_a_job_completes_and_its_pod_carries_the_termination_message(
    kubelet: FakeKubelet, jobs: Jobs
) -> None:
    jobs.make("python", "-c", WRITE, "/dev/termination-log", said='{"p50": 12.5}')

    assert jobs.ended() == "Complete"
    assert jobs.terminated()["message"] == '{"p50": 12.5}'
    assert (jobs.terminated()["exitCode"], jobs.terminated()["reason"]) == (0, "Completed")
    assert [pod["metadata"]["name"] for pod in jobs.pods()] == kubelet.started


def test_an_overlong_message_is_its_end(kubelet: FakeKubelet, jobs: Jobs) -> None:
    jobs.make("python", "-c", WRITE, "/dev/termination-log", said="a" * 9000 + "end")

    assert jobs.ended() == "Complete"
    assert jobs.terminated()["message"] == "a" * (MESSAGE_BYTES - 3) + "end"


def test_a_command_that_fails_fails_the_job(kubelet: FakeKubelet, jobs: Jobs) -> None:
    jobs.make("python", "-c", "import sys; sys.exit(3)")

    assert jobs.ended() == "Failed"
    assert (jobs.terminated()["exitCode"], jobs.terminated()["reason"]) == (3, "Error")


ITEMS = [{"key": "api-key", "path": "token"}]


@pytest.mark.parametrize(
    ("kind", "value", "volume"),
    [
        (
            kinds.SECRET,
            base64.b64encode(b"sesame").decode(),
            {"secret": {"secretName": "key", "items": ITEMS}},
        ),
        (kinds.CONFIG_MAP, "sesame", {"configMap": {"name": "key", "items": ITEMS}}),
    ],
    ids=["Secret", "ConfigMap"],
)
def test_what_a_volume_takes_from_an_object_is_a_file_where_it_is_mounted(
    kubelet: FakeKubelet, jobs: Jobs, space: Space, kind: Kind, value: str, volume: dict[str, Any]
) -> None:
    space.apply(kind, "key", data={"api-key": value})
    copy = "import sys; open('/dev/termination-log', 'w').write(open('/etc/key/token').read())"

    jobs.make("python", "-c", copy, volumes=[{"name": "k", **volume}])

    assert jobs.ended() == "Complete"
    assert jobs.terminated()["message"] == "sesame"


def test_a_deleted_pod_ends_its_process(kubelet: FakeKubelet, jobs: Jobs) -> None:
    jobs.make("python", "-c", f"import os; open('pid', 'w').write(str(os.getpid())); {WAIT}")
    [name] = waiting.until(lambda: kubelet.started, "the pod's start")
    path = kubelet.folder / name / "pid"
    pid = waiting.until(lambda: path.read_text() if path.exists() else "", "the process id")

    jobs.delete()

    waiting.until(lambda: not jobs.pods(), "the pod's end")
    assert not Path("/proc", pid).exists()


def test_a_held_pod_runs_its_command_when_it_is_released(kubelet: FakeKubelet, jobs: Jobs) -> None:
    kubelet.hold()
    jobs.make("python", "-c", WRITE, "/dev/termination-log", said="late")
    [name] = waiting.until(lambda: kubelet.started, "the pod's start")
    log_before = (kubelet.folder / name / "log").exists()

    kubelet.release()

    assert jobs.ended() == "Complete"
    assert (log_before, jobs.terminated()["message"]) == (False, "late")


def test_a_pod_comes_to_the_outcome_that_the_test_names(kubelet: FakeKubelet, jobs: Jobs) -> None:
    kubelet.instead = Outcome(exit_code=137, message="not JSON", reason="OOMKilled")
    jobs.make("python", "-c", WAIT)

    assert jobs.ended() == "Failed"
    assert (jobs.terminated()["message"], jobs.terminated()["reason"]) == ("not JSON", "OOMKilled")


def test_a_pod_goes_on_when_the_api_server_was_away(
    kubelet: FakeKubelet, jobs: Jobs, control_plane: ControlPlane
) -> None:
    kubelet.hold()
    jobs.make("python", "-c", WRITE, "/dev/termination-log", said="still here")
    waiting.until(lambda: kubelet.started, "the pod's start")

    control_plane.stop_api_server()
    kubelet.release()
    control_plane.start_api_server()

    assert jobs.ended() == "Complete"
    assert jobs.terminated()["message"] == "still here"
