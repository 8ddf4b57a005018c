"""`steelyard export` and `import` over a real API server: a namespace that was lost is there again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fakes.profiled_engine import ProfiledEngine
from kube import waiting
from kube.control_plane import ControlPlane
from kube.fake_kubelet import FakeKubelet
from kube.programs import Programs
from kube.spaces import Json, Space
from steelyard.kube import kinds
from steelyard_cli import __main__ as cli

Steelyard = Callable[..., tuple[int, str, str]]

KEYED = {"steelyard.dev/kind": "backend-credential"}


@pytest.fixture
def steelyard(
    control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Steelyard:
    """Runs the command as admin; its status and what it printed."""
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig()))

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = cli.main(words)
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


def exported(steelyard: Steelyard, namespace: str, file: Path, *words: str) -> Path:
    status, out, _ = steelyard("export", "--namespace", namespace, *words)
    assert status == 0
    file.write_text(out)
    return file


def write_status(
    control_plane: ControlPlane, space: Space, kind: kinds.Kind, name: str, status: Json
) -> None:
    path = kind.path(space.namespace, name, "status")
    answer = control_plane.admin.patch(
        path,
        content=json.dumps({"status": status}),
        headers={"content-type": "application/merge-patch+json"},
    )
    assert answer.is_success, answer.text


def measurement(percent: int, time: str) -> dict[str, Any]:
    overall = {"scorePercent": percent, "samples": 120}
    return {
        "observedGeneration": 1,
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Measured",
                "message": "",
                "observedGeneration": 1,
                "lastTransitionTime": time,
            }
        ],
        "fingerprint": {"suite": "Quick/2", "seed": 1, "time": time},
        "quality": {"overall": overall},
    }


def test_measurements_survive_and_no_model_is_measured_again(
    run: Programs,
    kubelet: FakeKubelet,
    space: Space,
    engine: ProfiledEngine,
    steelyard: Steelyard,
    tmp_path: Path,
) -> None:
    with run.operator():
        space.backend("b", engine.url)
        name = space.one(kinds.MODEL_PROFILE)["metadata"]["name"]
        before = space.measured(name)
    file = exported(steelyard, space.namespace, tmp_path / "all.yaml")
    jobs = {job["metadata"]["name"] for job in space.all(kinds.JOB)}
    space.delete(kinds.LLM_BACKEND, "b")
    waiting.until(lambda: not space.all(kinds.MODEL_PROFILE), "the profile to go with its backend")

    with run.operator(identity="two") as operator:
        operator.wait_until_active()
        status, out, _ = steelyard("import", str(file), "--namespace", space.namespace)
        assert status == 0, out
        space.wait_for(kinds.LLM_BACKEND, "b", "Ready", "Ready")
        space.wait_for(kinds.MODEL_PROFILE, name, "Fresh", "Current")
        operator.wait_for_probes(3)

    after = space.find(kinds.MODEL_PROFILE, name)
    assert after["status"]["quality"] == before["status"]["quality"]
    assert after["status"]["fingerprint"] == before["status"]["fingerprint"]
    assert {job["metadata"]["name"] for job in space.all(kinds.JOB)} <= jobs
    [owner] = after["metadata"]["ownerReferences"]
    assert owner["uid"] == space.find(kinds.LLM_BACKEND, "b")["metadata"]["uid"]


def test_what_the_cluster_measured_later_stays(
    control_plane: ControlPlane, space: Space, steelyard: Steelyard, tmp_path: Path
) -> None:
    space.apply(kinds.MODEL_PROFILE, "p", {"backendRef": {"name": "b"}, "model": "m"})
    old, new = measurement(40, "2026-11-01T10:00:00Z"), measurement(60, "2026-11-02T10:00:00Z")
    write_status(control_plane, space, kinds.MODEL_PROFILE, "p", old)
    file = exported(steelyard, space.namespace, tmp_path / "all.yaml")
    write_status(control_plane, space, kinds.MODEL_PROFILE, "p", new)

    status, out, _ = steelyard("import", str(file), "--namespace", space.namespace)

    assert (status, out) == (0, "ModelProfile p: written; the cluster's own status is newer and stays\n")
    assert space.find(kinds.MODEL_PROFILE, "p")["status"]["quality"]["overall"]["scorePercent"] == 60


def test_a_status_is_written_as_of_the_new_object(
    control_plane: ControlPlane, space: Space, steelyard: Steelyard, tmp_path: Path
) -> None:
    spec = {"backendRef": {"name": "b"}, "model": "m"}
    space.apply(kinds.MODEL_PROFILE, "p", spec)
    space.apply(kinds.MODEL_PROFILE, "p", {**spec, "seed": 2})
    status = measurement(40, "2026-11-01T10:00:00Z")
    status["observedGeneration"] = status["conditions"][0]["observedGeneration"] = 2
    write_status(control_plane, space, kinds.MODEL_PROFILE, "p", status)
    file = exported(steelyard, space.namespace, tmp_path / "all.yaml")
    space.delete(kinds.MODEL_PROFILE, "p")

    assert steelyard("import", str(file), "--namespace", space.namespace)[0] == 0

    found = space.find(kinds.MODEL_PROFILE, "p")
    assert found["metadata"]["generation"] == 1
    assert found["status"]["observedGeneration"] == 1
    assert found["status"]["conditions"][0]["observedGeneration"] == 1
    assert found["status"]["quality"] == status["quality"]


def test_secrets_are_made_where_they_are_missing_and_never_emptied(
    space: Space, steelyard: Steelyard, tmp_path: Path
) -> None:
    space.backend("b", "http://127.0.0.1:9", credentialsRef={"name": "key", "key": "k"})
    space.apply(kinds.SECRET, "key", metadata={"labels": KEYED}, data={"k": "c2VzYW1l"})
    whole = exported(steelyard, space.namespace, tmp_path / "whole.yaml", "--with-secrets")
    empty = exported(steelyard, space.namespace, tmp_path / "empty.yaml")
    words = ("--namespace", space.namespace)

    assert "Secret key: left out: its values are empty" in steelyard("import", str(empty), *words)[1]
    assert "Secret key: is there already" in steelyard("import", str(whole), *words)[1]
    assert space.find(kinds.SECRET, "key")["data"] == {"k": "c2VzYW1l"}
    space.delete(kinds.SECRET, "key")
    assert "Secret key: made" in steelyard("import", str(whole), *words)[1]
    assert space.find(kinds.SECRET, "key")["data"] == {"k": "c2VzYW1l"}


def test_what_the_api_server_refuses_is_told_and_the_rest_is_written(
    control_plane: ControlPlane, space: Space, steelyard: Steelyard, tmp_path: Path
) -> None:
    space.backend("b", "http://127.0.0.1:9")
    space.policy("auto")
    space.apply(kinds.MODEL_PROFILE, "p", {"backendRef": {"name": "b"}, "model": "m"})
    file = exported(steelyard, space.namespace, tmp_path / "all.yaml")
    file.write_text(file.read_text().replace("model: m\n", "model: other\n"))

    status, out, err = steelyard("import", str(file), "--namespace", space.namespace)

    assert status == 1
    assert "ModelProfile p: refused: 422 Invalid" in err
    assert "LLMBackend b: written" in out and "RoutingPolicy auto: written" in out


def test_files_of_several_namespaces_are_refused(steelyard: Steelyard, tmp_path: Path) -> None:
    document = "apiVersion: steelyard.dev/v1alpha1\nkind: RoutingPolicy\nspec: {models: [{name: auto}]}\n"
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(f"{document}metadata: {{name: auto, namespace: {name}}}\n")

    status, out, err = steelyard("import", str(tmp_path))

    assert (status, out) == (1, "")
    assert err == "the files hold several namespaces (a, b): import each by itself\n"


def test_a_file_that_is_not_there_is_told(steelyard: Steelyard, tmp_path: Path) -> None:
    status, out, err = steelyard("import", str(tmp_path / "absent.yaml"))

    assert (status, out) == (1, "")
    assert "absent.yaml" in err and "does not exist" in err


def test_without_the_right_to_write_statuses_specs_are_written_and_it_is_told(
    control_plane: ControlPlane,
    space: Space,
    steelyard: Steelyard,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    space.apply(kinds.MODEL_PROFILE, "p", {"backendRef": {"name": "b"}, "model": "m"})
    status = measurement(40, "2026-11-01T10:00:00Z")
    write_status(control_plane, space, kinds.MODEL_PROFILE, "p", status)
    file = exported(steelyard, space.namespace, tmp_path / "all.yaml")
    space.delete(kinds.MODEL_PROFILE, "p")
    rights = "--verb=get,create,patch", "--resource=modelprofiles.steelyard.dev"
    space.kubectl("create", "role", "editor", *rights)
    account = f"--serviceaccount={space.namespace}:default"
    space.kubectl("create", "rolebinding", "editor", "--role=editor", account)
    editor = control_plane.service_account_kubeconfig(space.namespace, "default")
    monkeypatch.setenv("KUBECONFIG", str(editor))

    code, _, err = steelyard("import", str(file), "--namespace", space.namespace)

    assert code == 1
    assert "ModelProfile p: refused: 403 Forbidden" in err and "modelprofiles/status" in err
    assert space.find(kinds.MODEL_PROFILE, "p")["spec"]["model"] == "m"
