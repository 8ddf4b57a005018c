"""Steelyard leaves a real cluster. These tests come last: the others share what they remove."""

import pytest

import helm_binary
from e2e import images, installation, inventory
from e2e.clusters import Cluster
from e2e.installation import HELLO, NAMESPACE, Installation
from kube import waiting

pytestmark = pytest.mark.slow

OUR_KINDS = "llmb,mprof,rpol"

GONE_SECONDS = 60.0
"""For pods to end, and a namespace to go with everything in it: Kubernetes looks at it again after half the
longest grace period of a pod in it, the gateway's."""


def test_uninstalling_leaves_peoples_resources_which_another_release_takes_over(
    measured: Cluster, installed: Installation
) -> None:
    before = {one["metadata"]["uid"] for one in installation.get(measured, OUR_KINDS)["items"]}
    quality = "jsonpath={.items[*].status.quality.overall}"
    measured_before = measured.kubectl("-n", NAMESPACE, "get", "mprof", "-o", quality)

    installation.helm(measured, "uninstall", installation.RELEASE, "--wait")
    kinds = ",".join(measured.kubectl("api-resources", "--verbs=list", "-o", "name").split())
    ours = ("get", kinds, "-A", "-l", installation.OF_RELEASE, "-o", "name")
    waiting.until(lambda: not measured.kubectl(*ours), "all of the release to be gone", GONE_SECONDS)
    left = inventory.left(installed.before, inventory.objects(measured, NAMESPACE))
    kept = {one["metadata"]["uid"] for one in installation.get(measured, OUR_KINDS)["items"]}
    chart = [
        str(helm_binary.CHART),
        "--set",
        f"image.tag={images.TAG},fullnameOverride={installation.RELEASE}",
    ]
    installation.helm(measured, "install", "again", *chart, "--take-ownership", "--wait")
    (answer,) = installation.ask(
        measured, {"path": "/v1/chat/completions", "body": HELLO | {"model": "auto"}}
    )

    assert left == []
    assert kept == before
    assert answer["status"] == 200
    assert measured.kubectl("-n", NAMESPACE, "get", "mprof", "-o", quality) == measured_before
    installation.helm(measured, "uninstall", "again", "--wait")


def test_without_the_operator_a_namespace_goes_with_everything_in_it(measured: Cluster) -> None:
    assert installation.get(measured, OUR_KINDS)["items"]

    measured.kubectl("delete", "namespace", NAMESPACE, "--wait=false")

    measured.wait(NAMESPACE, f"namespace/{NAMESPACE}", "delete", GONE_SECONDS)
