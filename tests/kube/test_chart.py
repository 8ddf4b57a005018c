"""A real API server takes everything that the chart and manifests/ can make."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import helm_binary
from chart.test_values import EVERYTHING
from fakes.charts import Render
from kube import strangers, waiting
from kube.control_plane import ControlPlane
from kube.programs import Programs
from kube.spaces import Json, Space
from steelyard.kube import kinds

OPERATOR = "steelyard-operator"
REPOSITORY = Path(__file__).parents[2]
Helm = Callable[..., None]
"""Of a verb of Helm and more words, what Helm does."""

DEFINITIONS = (strangers.SERVICE_MONITOR, strangers.PROMETHEUS_RULE, strangers.HTTP_ROUTE)


@pytest.fixture(scope="module")
def knowing_strangers(control_plane: ControlPlane) -> ControlPlane:
    """The control plane, which knows the kinds of the Prometheus Operator and the Gateway API, too."""
    control_plane.start_api_server()
    for definition in DEFINITIONS:
        made = control_plane.kubectl("apply", "--server-side", "-f", "-", stdin=definition.text())
        assert made.returncode == 0, made.stderr
    waited = control_plane.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=30s")
    assert waited.returncode == 0, waited.stderr
    return control_plane


@pytest.fixture
def helm(control_plane: ControlPlane, namespace: str) -> Helm:
    """Installs, upgrades and removes the release `steelyard` of the test's namespace, without definitions."""
    kubeconfig = str(control_plane.kubeconfig())

    def run(verb: str, *more: str) -> None:
        words = [verb, "steelyard"]
        if verb != "uninstall":
            always = f"crds.install=false,rbac.aggregate=false,namespaces={{{namespace}}}"
            words += [str(helm_binary.CHART), f"--set={always}", *more]
        command = [str(helm_binary.find(print)), *words, "--namespace", namespace, "--kubeconfig", kubeconfig]
        ran = subprocess.run(command, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr

    return run


@pytest.fixture
def shipped_namespace(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The control plane; what is in the namespace `steelyard` goes."""
    control_plane.start_api_server()
    yield control_plane
    control_plane.delete_namespace("steelyard")


def test_all_options_at_once_are_accepted(
    knowing_strangers: ControlPlane, namespace: str, render: Render, tmp_path: Path
) -> None:
    (values := tmp_path / "values.json").write_text(json.dumps(EVERYTHING))
    objects = render(f"--values={values}", release="all", namespace=namespace)
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})

    words = (
        "apply",
        "--server-side",
        "--force-conflicts",
        "--dry-run=server",
        "--validate=strict",
        "-f",
        "-",
    )
    ran = knowing_strangers.kubectl(*words, stdin=listed)

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("serverside-applied (server dry run)") == len(objects)
    assert "Warning" not in ran.stderr


@pytest.mark.parametrize("words", [("-f", "manifests/install.yaml"), ("-k", "manifests/")], ids=" ".join)
def test_the_manifests_are_applied_and_make_the_deployments(
    shipped_namespace: ControlPlane, words: tuple[str, str]
) -> None:
    option, path = words
    whole = (
        "apply",
        "--server-side",
        "--force-conflicts",
        "--validate=strict",
        option,
        f"{REPOSITORY / path}",
    )
    # The namespace of the test before may still be going, and takes nothing until it is gone.
    waiting.until(lambda: shipped_namespace.kubectl(*whole).returncode == 0, "all to be applied", 60)

    ran = shipped_namespace.kubectl("-n", "steelyard", "get", "deployments", "-o", "name")

    assert ran.stdout.split() == [
        "deployment.apps/steelyard-gateway",
        "deployment.apps/steelyard-operator",
    ]


def test_the_lease_is_taken_by_the_operator_and_goes_with_the_release(
    space: Space, helm: Helm, control_plane: ControlPlane, tmp_path: Path
) -> None:
    helm("install")
    uid = space.find(kinds.LEASE, OPERATOR)["metadata"]["uid"]

    with Programs(control_plane, space.namespace, tmp_path).operator(identity="first") as operator:
        operator.wait_until_active()
        helm("upgrade", "--set=commonLabels.team=ml")
        renewed = _lease(space)["spec"]["renewTime"]
        waiting.until(lambda: _lease(space)["spec"]["renewTime"] > renewed, "a renewal")
        upgraded = _lease(space)
        helm("uninstall")
        assert operator.wait() == 1

    assert (upgraded["metadata"]["uid"], upgraded["spec"]["holderIdentity"]) == (uid, "first")
    assert upgraded["metadata"]["labels"]["team"] == "ml"
    assert not space.find(kinds.LEASE, OPERATOR)


def test_a_lease_that_an_operator_made_is_in_nobodys_way(space: Space, helm: Helm) -> None:
    made = space.apply(kinds.LEASE, OPERATOR, {"holderIdentity": "an older one"})

    helm("install")
    helm("upgrade", "--set=commonLabels.team=ml")

    assert _lease(space)["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_gateways_stay_as_many_when_autoscaling_is_turned_on_and_at_upgrades_after_it(
    space: Space, helm: Helm
) -> None:
    helm("install", "--set=gateway.replicas=3")

    def replicas() -> int:
        number: int = space.find(kinds.DEPLOYMENT, "steelyard-gateway")["spec"]["replicas"]
        return number

    seen = []
    for values in ("gateway.maxBodyBytes=2048", "gateway.maxBodyBytes=4096"):
        helm("upgrade", f"--set=gateway.autoscaling.enabled=true,{values}")
        seen.append(replicas())
        space.kubectl("scale", "deployment", "steelyard-gateway", "--replicas=5")

    helm("upgrade", "--set=gateway.replicas=4", "--force-conflicts")

    assert [*seen, replicas()] == [3, 5, 4]


def test_an_operator_of_one_namespace_may_list_the_pods_of_exporters_in_another(
    space: Space, helm: Helm, control_plane: ControlPlane
) -> None:
    elsewhere = control_plane.create_namespace()
    helm("install", f"--set=operator.gpuExporters={{{elsewhere}/dcgm}}")
    account = f"system:serviceaccount:{space.namespace}:{OPERATOR}"

    def may(verb: str, resource: str) -> bool:
        words = ("auth", "can-i", verb, resource, "--namespace", elsewhere, "--as", account)
        return control_plane.kubectl(*words).stdout.strip() == "yes"

    waiting.until(lambda: may("list", "endpointslices.discovery.k8s.io"), "the right to list")

    assert not may("watch", "endpointslices.discovery.k8s.io")
    assert not may("list", "pods")
    control_plane.delete_namespace(elsewhere)


def _lease(space: Space) -> Json:
    """The operator's Lease, which is there."""
    found = space.find(kinds.LEASE, OPERATOR)
    assert found
    return found
