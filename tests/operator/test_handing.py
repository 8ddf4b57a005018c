"""What a Job is handed of the way out: the proxy for External models, and the extra certificates."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fakes import connect_proxy, tls_engine
from fakes.gateways import endpoint
from fakes.profiled import backend, profile
from steelyard.api.backend import Location
from steelyard.egress import proxies
from steelyard.egress.proxies import Egress
from steelyard.kube.kinds import Object
from steelyard_operator import handing, jobs
from steelyard_operator.jobs import Mark
from steelyard_profiler import report

EGRESS = Egress(proxies.read("http://user:a$(b)c@proxy.test:3128"), ".corp.test", tls_engine.AUTHORITY)
OUTSIDE: dict[str, Any] = {"host": "engine.test", "scheme": "https", "location": Location.EXTERNAL}


def template(egress: Egress = EGRESS, on: dict[str, Any] | None = None, **place: Any) -> Object:
    """The pod of a Job that measures this endpoint."""
    there = endpoint(443, "engine", **OUTSIDE | place)
    made = jobs.manifest(profile(), backend(**(on or {})), there, Mark(), image="profiler:1", egress=egress)
    pod: Object = made["spec"]["template"]
    return pod


def environment(pod: Object) -> dict[str, str]:
    """The container's variables, as Kubernetes sets them."""
    (container,) = pod["spec"]["containers"]
    return {one["name"]: one["value"].replace("$$", "$") for one in container.get("env", ())}


def test_the_job_of_an_external_model_knows_the_proxy() -> None:
    pod = template()
    assert environment(pod) == {"HTTPS_PROXY": "http://user:a$(b)c@proxy.test:3128", "NO_PROXY": ".corp.test"}
    assert "--location=External" in pod["spec"]["containers"][0]["args"]


@pytest.mark.parametrize("place", [{"location": Location.LOCAL}, {"scheme": "http"}], ids=str)
def test_the_job_of_any_other_model_does_not(place: dict[str, Any]) -> None:
    pod = template(**place)
    assert environment(pod) == {}
    assert "proxy.test" not in json.dumps(pod)


def test_extra_certificates_come_as_an_annotation_that_the_container_reads_as_a_file() -> None:
    pod = template()
    (volume,) = pod["spec"]["volumes"]
    (item,) = volume["downwardAPI"]["items"]
    (mount,) = pod["spec"]["containers"][0]["volumeMounts"]

    assert pod["metadata"]["annotations"][handing.BUNDLE_ANNOTATION] == tls_engine.AUTHORITY
    assert item["fieldRef"] == {"fieldPath": f"metadata.annotations['{handing.BUNDLE_ANNOTATION}']"}
    assert (volume["name"], mount["readOnly"]) == (mount["name"], True)
    assert f"--ca-bundle={mount['mountPath']}/{item['path']}" in pod["spec"]["containers"][0]["args"]


TLS = {"url": "https://engine.test", "tls": {"caRef": {"name": "ca", "key": "root.crt"}}}


@pytest.mark.parametrize(
    ("on", "place"), [(TLS, {}), ({}, {"scheme": "http"})], ids=["an own authority", "no TLS"]
)
def test_they_are_not_handed_to_who_has(on: dict[str, Any], place: dict[str, Any]) -> None:
    assert "BEGIN CERTIFICATE" not in json.dumps(template(on=on, **place))


def test_the_profiler_measures_an_external_model_through_the_proxy_with_what_it_was_handed(
    tmp_path: Path,
) -> None:
    (bundle := tmp_path / "ca.crt").write_text(tls_engine.AUTHORITY)
    with (
        tls_engine.running() as up,
        connect_proxy.proxy(connect_proxy.opens_for_who_knows_the_password) as proxy,
    ):
        egress = Egress(proxies.read(proxy.secret_url), "", tls_engine.AUTHORITY)
        there = endpoint(up.port, "engine", **OUTSIDE)
        made = jobs.manifest(profile(model="m"), backend(), there, Mark(), image="profiler:1", egress=egress)
        pod = made["spec"]["template"]
        (container,) = pod["spec"]["containers"]
        mounted = container["volumeMounts"][0]["mountPath"]
        words = [one.replace("$$", "$").replace(mounted, str(tmp_path)) for one in container["args"]]
        words = [one for one in words if not one.startswith("--termination-log")]
        ended = subprocess.run(
            [sys.executable, *container["command"][1:], *words],
            env={"PYTHONPATH": ":".join(sys.path)} | environment(pod),
            capture_output=True,
            text=True,
            timeout=60,
        )
    result = report.decode(ended.stdout)

    assert (ended.returncode, ended.stderr, result.failure) == (0, "", None)
    assert {*proxy.targets} == {f"engine.test:{up.port}"}
    assert bundle.name in " ".join(words)
    assert "pass%3A" not in ended.stdout
