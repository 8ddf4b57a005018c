"""`steelyard doctor` over a real API server: what it finds, and what it says to do."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from kube import programs, waiting
from kube.control_plane import ControlPlane
from kube.spaces import Json, Space
from steelyard.kube import kinds
from steelyard_cli import __main__ as cli

MANIFEST = Path(__file__).parents[2] / "manifests" / "install.yaml"

Doctor = Callable[..., tuple[int, list[str]]]
"""Runs the command in the test's namespace: its status and its lines."""


@pytest.fixture
def doctor(
    control_plane: ControlPlane,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Doctor:
    def run(kubeconfig: Path | None = None, *words: str) -> tuple[int, list[str]]:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig or control_plane.kubeconfig()))
        capsys.readouterr()
        status = cli.main(["doctor", *(words or ("--namespace", namespace))])
        return status, capsys.readouterr().out.splitlines()

    return run


def lines(told: list[str], subject: str) -> list[str]:
    """What is said of this."""
    return [line for line in told if line[8:].startswith(f"{subject}")]


def patch_status(control_plane: ControlPlane, path: str, status: Json) -> None:
    answer = control_plane.admin.patch(
        f"{path}/status",
        content=json.dumps({"status": status}),
        headers={"content-type": "application/merge-patch+json"},
    )
    assert answer.is_success, answer.text


def install(control_plane: ControlPlane, space: Space, *, everywhere: bool = False) -> None:
    """Make both Deployments of install.yaml with their rights, in the test's namespace. Pods stay Pending."""
    programs.grant(control_plane, space.namespace, everywhere=everywhere)
    for one in yaml.safe_load_all(MANIFEST.read_text()):
        if one["kind"] != "Deployment":
            continue
        one["metadata"]["namespace"] = space.namespace
        [container] = one["spec"]["template"]["spec"]["containers"]
        if not everywhere:
            container["env"].append({"name": "STEELYARD_NAMESPACE", "value": space.namespace})
        control_plane.admin.post(kinds.DEPLOYMENT.path(space.namespace), json=one).raise_for_status()
    space.made(kinds.POD, 4)


@pytest.fixture
def installed(control_plane: ControlPlane, space: Space) -> Space:
    """The test's namespace, which both programs serve and no other one."""
    install(control_plane, space)
    return space


def make_ready(control_plane: ControlPlane, space: Space) -> None:
    """Have every pod run, and wait until the Deployments say so."""
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-01T10:00:00Z"}
    for pod in space.all(kinds.POD):
        path = kinds.POD.path(space.namespace, pod["metadata"]["name"])
        patch_status(control_plane, path, {"phase": "Running", "conditions": [ready]})
    waiting.until(
        lambda: all(one["status"].get("readyReplicas") == 2 for one in space.all(kinds.DEPLOYMENT)),
        "ready Deployments",
    )


def test_a_whole_installation_is_well(control_plane: ControlPlane, installed: Space, doctor: Doctor) -> None:
    make_ready(control_plane, installed)

    status, told = doctor()

    assert (status, told[-1]) == (0, "0 problems, 0 warnings."), told
    assert {line[:8].strip() for line in told[:-1]} == {"ok"}
    here = installed.namespace
    for subject in (
        "API server: answers, v",
        "clock: within",
        "definitions: llmbackends.steelyard.dev fits",
        "definitions: modelprofiles.steelyard.dev fits",
        "definitions: routingpolicies.steelyard.dev fits",
        f"operator {here}/steelyard-operator: 2/2 pods ready",
        f"gateway {here}/steelyard-gateway: 2/2 pods ready",
        f"rights of {here}/steelyard-operator: the operator may do all",
        f"rights of {here}/steelyard-gateway: the gateway may do all",
        "your rights: you may read and change",
        "versions: all programs are",
    ):
        assert len(lines(told, subject)) == 1, (subject, told)


def test_without_a_namespace_the_whole_cluster_is_looked_at(installed: Space, doctor: Doctor) -> None:
    installed.backend("b", "http://127.0.0.1:9")

    _, told = doctor(None, "--namespace=")

    here = installed.namespace
    assert lines(told, f"operator {here}/steelyard-operator: 0/2 pods ready")
    assert lines(told, f"LLMBackend {here}/b: no operator has written a status")
    assert lines(told, "your rights: you may read and change backends, profiles and policies in all")


def test_pods_that_do_not_run_say_why(control_plane: ControlPlane, installed: Space, doctor: Doctor) -> None:
    pods = installed.all(kinds.POD)
    waits = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    state = {"name": "x", "image": "x", "imageID": "", "ready": False, "restartCount": 0, "state": waits}
    for pod in pods:
        path = kinds.POD.path(installed.namespace, pod["metadata"]["name"])
        patch_status(control_plane, path, {"containerStatuses": [state]})

    status, told = doctor()

    assert status == 1
    [line] = lines(told, f"operator {installed.namespace}/steelyard-operator")
    assert line.startswith("problem ")
    assert "0/2 pods ready: ImagePullBackOff no such image → kubectl --namespace" in line


def test_a_right_that_a_program_lacks_is_named(
    control_plane: ControlPlane, installed: Space, doctor: Doctor
) -> None:
    role = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{installed.namespace}/roles/steelyard-gateway"
    found = control_plane.admin.get(role).raise_for_status().json()
    found["rules"] = [rule for rule in found["rules"] if rule["apiGroups"] != [""]]
    control_plane.admin.put(role, json=found).raise_for_status()

    def look() -> list[str]:
        return lines(doctor()[1], f"rights of {installed.namespace}/steelyard-gateway: it may not")

    [line] = waiting.until(look, "a right that is lacking")  # the API server learns of roles after a moment
    assert f"list secrets in namespace {installed.namespace}; watch secrets" in line
    assert line.startswith("problem ")


def test_an_operator_of_all_namespaces_needs_its_rights_in_all(
    control_plane: ControlPlane, space: Space, doctor: Doctor
) -> None:
    install(control_plane, space, everywhere=True)
    subject = f"rights of {space.namespace}/steelyard-operator"
    whole = waiting.until(lambda: lines(doctor()[1], f"{subject}: the operator may do all"), "all rights")
    assert whole[0].startswith("ok ")
    binding = f"clusterrolebindings/steelyard-operator-{space.namespace}"
    control_plane.admin.delete(f"/apis/rbac.authorization.k8s.io/v1/{binding}").raise_for_status()

    [line] = waiting.until(lambda: lines(doctor()[1], f"{subject}: it may not"), "rights that are lacking")

    assert "get llmbackends in all namespaces" in line


def test_versions_that_differ_are_told(control_plane: ControlPlane, installed: Space, doctor: Doctor) -> None:
    labels = {"metadata": {"labels": {"app.kubernetes.io/version": "0.0.9"}}}
    installed.patch(kinds.DEPLOYMENT, "steelyard-gateway", labels)

    versions = lines(doctor()[1], "versions")

    assert len(versions) == 2 and all(line.startswith("warning ") for line in versions)
    assert f"gateway {installed.namespace}/steelyard-gateway 0.0.9" in versions[0]
    assert "runs image tag" in versions[1]


def test_a_condition_is_told_with_the_heading_that_helps(
    control_plane: ControlPlane, space: Space, doctor: Doctor
) -> None:
    space.backend("b", "http://127.0.0.1:9")
    space.policy("auto")
    path = kinds.LLM_BACKEND.path(space.namespace, "b")
    patch_status(control_plane, path, {"observedGeneration": 1, "conditions": [unresolved("ResolvedRefs")]})

    status, told = doctor()

    assert status == 1
    here = space.namespace
    assert lines(told, "LLMBackend") == [
        f"problem LLMBackend {here}/b: ResolvedRefs=False, SecretNotFound: There is no Secret k."
        " → docs/troubleshooting.md#secretnotfound"
    ]
    [policy] = lines(told, "RoutingPolicy")
    assert policy.startswith(f"warning RoutingPolicy {here}/auto: no operator has written a status")
    assert lines(told, "operator: there is none") and lines(told, "gateway: there is none")


def unresolved(condition: str) -> Json:
    return {
        "type": condition,
        "status": "False",
        "reason": "SecretNotFound",
        "message": "There is no Secret k.",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-11-01T10:00:00Z",
    }


def test_exporters_that_are_named_and_silent_are_told(
    control_plane: ControlPlane, installed: Space, doctor: Doctor
) -> None:
    installed.backend("b", "http://127.0.0.1:9", metrics={"gpu": {"url": "http://127.0.0.1:8/metrics"}})
    deployment = installed.find(kinds.DEPLOYMENT, "steelyard-operator")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    container["env"].append({"name": "STEELYARD_GPU_EXPORTER", "value": "dcgm"})
    path = kinds.DEPLOYMENT.path(installed.namespace, "steelyard-operator")
    waiting.until(lambda: put_spec(control_plane, path, deployment["spec"]), "a changed Deployment")

    _, told = doctor()

    [exporter] = lines(told, f"GPU exporter {installed.namespace}/dcgm")
    assert exporter.startswith("problem ") and "there is no such Service" in exporter
    [backend] = lines(told, f"LLMBackend {installed.namespace}/b: its GPU exporter")
    assert backend.startswith("warning ") and "http://127.0.0.1:8/metrics tells no GPU" in backend


def put_spec(control_plane: ControlPlane, path: str, spec: Json) -> bool:
    there = control_plane.admin.get(path).raise_for_status().json()
    return control_plane.admin.put(path, json={**there, "spec": spec}).is_success


def test_somebody_without_rights_is_told_what_is_unknown(
    control_plane: ControlPlane, namespace: str, doctor: Doctor
) -> None:
    stranger = control_plane.service_account_kubeconfig(namespace, "default")

    status, told = doctor(stranger, "--namespace=")

    assert status == 0
    assert lines(told, "definitions: you may not read them")
    assert lines(told, f"access: you may not look at all namespaces: {namespace} is looked at")
    assert lines(told, "access: deployments.apps is forbidden")
    assert not [line for line in lines(told, "LLMBackend") if line.startswith("ok")]


def test_an_api_server_that_is_away_is_one_problem(tmp_path: Path, doctor: Doctor) -> None:
    cluster = {"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    config = {"clusters": [cluster], "contexts": [context], "users": [{"name": "u", "user": {}}]}
    (away := tmp_path / "away").write_text(
        json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "c", **config})
    )

    status, told = doctor(away)

    assert (status, len(told)) == (1, 2)
    assert told[0].startswith("problem API server: the Kubernetes API server cannot be reached")
