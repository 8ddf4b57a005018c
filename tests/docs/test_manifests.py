"""manifests/install.yaml is what its parts are. That it works is tested in tests/kube and tests/e2e."""

import yaml

import install_manifest
from steelyard_gateway import draining, settings


def test_the_file_is_that_of_its_parts() -> None:
    assert install_manifest.INSTALL.read_text() == install_manifest.rendered(), "run `make manifests`"


def test_every_container_fits_pod_security_restricted() -> None:
    documents = list(yaml.safe_load_all(install_manifest.rendered()))
    pods = [one["spec"]["template"]["spec"] for one in documents if one["kind"] == "Deployment"]

    assert len(pods) == 2
    for pod in pods:
        assert pod["securityContext"] == {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }


def test_the_gateways_pod_has_time_to_drain() -> None:
    (deployment,) = [
        one
        for one in yaml.safe_load_all(install_manifest.rendered())
        if one["kind"] == "Deployment" and one["metadata"]["name"] == "steelyard-gateway"
    ]
    pod = deployment["spec"]["template"]["spec"]
    chosen = settings.parse(pod["containers"][0]["args"], {})

    assert 5 < chosen.grace_seconds < chosen.drain_seconds
    assert chosen.drain_seconds + draining.LAST_WORDS_SECONDS + 5 <= pod["terminationGracePeriodSeconds"]
