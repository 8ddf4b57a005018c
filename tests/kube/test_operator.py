"""The whole loop against a real API server, each program with exactly the rights that it is shipped with."""

import json
from functools import partial
from pathlib import Path

import httpx
import yaml

from fakes.profiled_engine import ProfiledEngine
from kube import fake_kubelet, programs, reports, waiting
from kube.control_plane import ControlPlane
from kube.fake_kubelet import FakeKubelet
from kube.programs import Operator, Programs
from kube.spaces import OURS, Json, Space
from steelyard.api import profile as profiles
from steelyard.kube import kinds
from steelyard.kube.kinds import Kind

ONE = profiles.automatic_name("one", "m")
"""The profile that the operator makes for model m of backend one."""


def test_what_kubectl_applies_is_measured_and_answers_auto_through_the_gateway(
    space: Space, run: Programs, kubelet: FakeKubelet
) -> None:
    with programs.engine("m") as port, run.operator(), run.gateway() as gateway:
        backend = {"engine": "OpenAI", "url": f"http://127.0.0.1:{port}", "probe": {"intervalSeconds": 1}}
        documents = [
            _document("LLMBackend", "one", backend),
            _document("RoutingPolicy", "auto", {"models": [{"name": "auto"}]}),
        ]
        space.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(documents))
        profile = space.one(kinds.MODEL_PROFILE)
        status = space.measured(ONE)["status"]
        space.wait_for(kinds.ROUTING_POLICY, "auto", "Ready", "Ready")
        answer = waiting.until(lambda: _answer(gateway.chat()), "an answer")

    assert profile["metadata"]["name"] == ONE
    assert status["quality"]["overall"]["scorePercent"] == 100
    assert status["fingerprint"]["endpoint"] == f"127.0.0.1:{port}"
    assert (answer["x-steelyard-model"], answer["x-steelyard-backend"]) == ("m", "one")
    assert answer["x-steelyard-policy"] == "auto"


def test_a_backend_behind_a_service_is_measured_at_a_pods_own_address(
    space: Space, run: Programs, kubelet: FakeKubelet, own_address: str
) -> None:
    ports = [{"name": "http", "port": 80}]
    labels = {"kubernetes.io/service-name": "engine"}
    reference = {"name": "engine", "port": "http"}

    with programs.engine("m", host=own_address) as port, run.operator(), run.gateway() as gateway:
        space.backend("one", serviceRef=reference)
        space.wait_for(kinds.LLM_BACKEND, "one", "ResolvedRefs", "ServiceNotFound")
        space.apply(kinds.SERVICE, "engine", {"ports": ports})
        space.wait_for(kinds.LLM_BACKEND, "one", "Reachable", "NoEndpoints")
        space.apply(
            kinds.ENDPOINT_SLICE,
            "engine-1",
            metadata={"labels": labels},
            addressType="IPv4",
            endpoints=[{"addresses": [own_address], "conditions": {"ready": True}}],
            ports=[{"name": "http", "port": port, "protocol": "TCP"}],
        )
        status = space.measured(ONE)["status"]
        answer = waiting.until(lambda: _answer(gateway.chat(model="m")), "an answer")

    assert status["fingerprint"]["endpoint"] == f"{own_address}:{port}"
    assert answer["x-steelyard-backend"] == "one"


def test_nothing_ever_carries_a_finalizer_or_an_annotation_of_kopf(
    space: Space, operator: Operator, kubelet: FakeKubelet, engine: ProfiledEngine
) -> None:
    kubelet.instead = reports.outcome()
    space.backend("one", engine.url)
    space.policy("auto")
    space.measured(ONE)
    space.wait_for(kinds.ROUTING_POLICY, "auto", "Ready", "Ready")

    every = [one["metadata"] for kind in (*OURS, kinds.JOB) for one in space.all(kind)]

    assert len(every) == 4
    assert [metadata.get("finalizers") for metadata in every] == [None] * 4
    assert "kopf" not in json.dumps(every)


def test_an_operator_for_all_namespaces_needs_no_more_than_the_shipped_cluster_role(
    control_plane: ControlPlane, space: Space, engine: ProfiledEngine, tmp_path: Path
) -> None:
    programs.grant(control_plane, space.namespace, everywhere=True)
    other = Space(control_plane, control_plane.create_namespace())
    with (
        Programs(control_plane, space.namespace, tmp_path).operator(everywhere=True) as operator,
        fake_kubelet.running(control_plane, other.namespace, tmp_path) as kubelet,
    ):
        kubelet.instead = reports.outcome()
        other.backend("one", engine.url)
        other.measured(ONE)
        assert operator.stop() == 0

    control_plane.delete_namespace(other.namespace)


def test_nothing_is_written_at_rest(
    space: Space, operator: Operator, kubelet: FakeKubelet, engine: ProfiledEngine
) -> None:
    kubelet.instead = reports.outcome()
    space.backend("one", engine.url)
    space.policy("auto")
    space.measured(ONE)
    space.wait_for(kinds.ROUTING_POLICY, "auto", "Ready", "Ready")
    operator.wait_for_probes(2)
    before, written = space.versions(), operator.metric("steelyard_operator_status_writes_total")

    operator.wait_for_probes(3)

    assert space.versions() == before
    assert operator.metric("steelyard_operator_status_writes_total") == written
    assert operator.metric("steelyard_operator_api_failures_total") == 0


def test_a_deleted_backend_takes_its_profiles_and_their_run_with_it(
    space: Space, operator: Operator, kubelet: FakeKubelet, engine: ProfiledEngine
) -> None:
    kubelet.hold()
    space.backend("one", engine.url)
    space.policy("auto")
    waiting.until(lambda: kubelet.started, "a pod that runs")

    space.delete(kinds.LLM_BACKEND, "one")

    for kind in (kinds.MODEL_PROFILE, kinds.JOB, kinds.POD):
        waiting.until(partial(_is_none, space, kind), f"the end of every {kind.kind}")
    space.wait_for(kinds.ROUTING_POLICY, "auto", "ResolvedRefs", "NoCandidates")
    assert operator.metric("steelyard_operator_profiling_jobs") == 0


def test_a_namespace_goes_with_all_that_is_in_it_while_no_operator_runs(
    control_plane: ControlPlane, engine: ProfiledEngine, tmp_path: Path
) -> None:
    control_plane.start_api_server()
    space = Space(control_plane, control_plane.create_namespace())
    programs.grant(control_plane, space.namespace)
    with (
        fake_kubelet.running(control_plane, space.namespace, tmp_path) as kubelet,
        Programs(control_plane, space.namespace, tmp_path).operator() as operator,
    ):
        kubelet.instead = reports.outcome()
        space.backend("one", engine.url)
        space.policy("auto")
        space.measured(ONE)
        operator.kill()

        control_plane.delete_namespace(space.namespace)

        path = f"/api/v1/namespaces/{space.namespace}"
        waiting.until(lambda: control_plane.admin.get(path).status_code == 404, "the namespace's end")


def _is_none(space: Space, kind: Kind) -> bool:
    return not space.all(kind)


def _document(kind: str, name: str, spec: Json) -> Json:
    return {"apiVersion": "steelyard.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def _answer(response: httpx.Response) -> httpx.Headers | None:
    return response.headers if response.status_code == 200 else None
