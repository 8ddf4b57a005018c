"""A real API server takes everything that the chart and manifests/ can make."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from chart.test_values import EVERYTHING
from fakes.charts import Render
from kube import strangers, waiting
from kube.control_plane import ControlPlane

REPOSITORY = Path(__file__).parents[2]
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
