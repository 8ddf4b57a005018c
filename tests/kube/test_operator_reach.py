"""How far the operator reaches: which namespaces it serves, what it deletes, what it takes by reference."""

import base64
import json
from pathlib import Path

import pytest

from fakes import connect_proxy, engines, tls_engine
from fakes.engines import Ask
from fakes.profiled_engine import ProfiledEngine
from kube import fake_kubelet, programs, reports, waiting
from kube.control_plane import ControlPlane
from kube.fake_kubelet import FakeKubelet
from kube.programs import Operator, Programs
from kube.spaces import Json, Space
from steelyard.api import meta
from steelyard.api import profile as profiles
from steelyard.kube import kinds
from steelyard.kube.kinds import Kind

ONE = profiles.automatic_name("one", "m")
QUOTA = Kind("", "v1", "resourcequotas", "ResourceQuota")
FAILURES = "steelyard_operator_api_failures_total"
LABELLED = {"labels": {meta.SECRET_LABEL: meta.SECRET_LABEL_VALUE}}
PROFILING = {
    "load": {"concurrency": [1], "promptTokens": 64, "outputTokens": 16},
    "limits": {"maxTokens": 6000},
}
"""A round of questions, over connections whose handshakes take their time."""


def test_an_operator_for_two_namespaces_needs_roles_in_these_and_leaves_all_others_alone(
    control_plane: ControlPlane,
    space: Space,
    run: Programs,
    kubelet: FakeKubelet,
    engine: ProfiledEngine,
    tmp_path: Path,
) -> None:
    second, third = (Space(control_plane, control_plane.create_namespace()) for _ in range(2))
    programs.grant(control_plane, second.namespace, accounts_in=space.namespace)
    third.backend("one", engine.url)
    with (
        run.operator(f"--namespace={second.namespace}") as operator,
        fake_kubelet.running(control_plane, second.namespace, tmp_path) as other_kubelet,
    ):
        for served, runner in ((space, kubelet), (second, other_kubelet)):
            runner.instead = reports.outcome()
            served.backend("one", engine.url)
        for served in (space, second):
            served.measured(ONE)
        operator.wait_for_probes(2)

        assert third.find(kinds.LLM_BACKEND, "one")["status"] == {"observedGeneration": 0}
        assert third.all(kinds.MODEL_PROFILE) == []
        assert operator.metric(FAILURES) == 0
        assert operator.stop() == 0

    for made in (second, third):
        control_plane.delete_namespace(made.namespace)


def test_of_models_that_are_gone_automatic_profiles_are_deleted_and_those_made_by_hand_stay(
    space: Space, operator: Operator, kubelet: FakeKubelet
) -> None:
    listed = ["m", "by-hand"]

    def list_models(ask: Ask) -> None:
        body = json.dumps({"data": [{"id": name} for name in listed]}).encode()
        ask.send(engines.answer(body, "200 OK" if listed else "503 Service Unavailable"))

    kubelet.instead = reports.outcome()
    space.apply(kinds.MODEL_PROFILE, "by-hand", {"backendRef": {"name": "one"}, "model": "by-hand"})
    probe = {"intervalSeconds": 1, "unhealthyAfter": 1}
    with engines.engine(list_models) as engine:
        url = f"http://127.0.0.1:{engine.port}"
        space.backend("one", url, profiling={"retainHours": 0}, probe=probe)
        for name in (ONE, "by-hand"):
            space.measured(name)

        listed.clear()
        space.wait_for(kinds.LLM_BACKEND, "one", "Reachable", "NotReady")
        listed.append("another")  # an engine that is back is asked for its models at once

        told = space.wait_for(kinds.MODEL_PROFILE, "by-hand", "Ready", "ModelGone")
        waiting.until(lambda: space.find(kinds.MODEL_PROFILE, ONE) is None, "the automatic profile's end")
        space.measured(profiles.automatic_name("one", "another"))
        operator.wait_for_probes(2)

    assert told["message"] == "LLMBackend one does not serve by-hand any more."
    assert space.find(kinds.MODEL_PROFILE, "by-hand")["status"]["quality"]["overall"]["scorePercent"] == 80
    assert operator.metric(FAILURES) == 0


@pytest.mark.parametrize("kind", [kinds.CONFIG_MAP, kinds.SECRET], ids=["ConfigMap", "Secret"])
def test_an_engine_with_an_authority_of_its_own_and_a_key_is_measured(
    space: Space, run: Programs, kubelet: FakeKubelet, kind: Kind
) -> None:
    _secret(space, "key", token="sesame")
    if kind is kinds.CONFIG_MAP:
        space.apply(kind, "authority", data={"ca.pem": tls_engine.AUTHORITY})
    else:
        _secret(space, "authority", **{"ca.pem": tls_engine.AUTHORITY})

    with tls_engine.running() as engine, run.operator():
        space.backend(
            "one",
            f"https://127.0.0.1:{engine.port}",
            credentialsRef={"name": "key", "key": "token"},
            tls={"caRef": {"name": "authority", "key": "ca.pem"}, "serverName": tls_engine.NAME},
            profiling={"template": PROFILING},
        )
        space.wait_for(kinds.LLM_BACKEND, "one", "Ready", "Ready")
        status = space.measured(ONE)["status"]

    assert status["quality"]["overall"]["scorePercent"] == 100
    assert {ask.line.split()[0] for ask in engine.asks} == {b"GET", b"POST"}
    assert {_header(ask, b"authorization") for ask in engine.asks} == {b"Bearer sesame"}


def test_an_external_model_is_measured_through_the_proxy_with_the_operators_own_certificates(
    space: Space, run: Programs, kubelet: FakeKubelet, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        connect_proxy.proxy(connect_proxy.opens_for_who_knows_the_password) as proxy,
        tls_engine.running() as engine,
    ):
        monkeypatch.setenv("HTTPS_PROXY", proxy.secret_url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")  # the API server, which is reached as kubectl does
        with run.operator(f"--ca-bundle={tls_engine.AUTHORITY_FILE}") as operator:
            space.backend(
                "one",
                f"https://{tls_engine.NAME}:{engine.port}",
                models=[{"name": "m"}],
                location="External",
                profiling={"mode": "Automatic", "template": PROFILING},
            )
            space.wait_for(kinds.LLM_BACKEND, "one", "Ready", "Ready")
            probed = len(proxy.targets)
            waiting.until(lambda: space.find(kinds.MODEL_PROFILE, ONE), "the profile")
            space.annotate(kinds.MODEL_PROFILE, ONE, profile_now="1")
            status = space.measured(ONE)["status"]
            log = operator.log.read_text()

    assert status["quality"]["overall"]["scorePercent"] == 100
    assert {*proxy.targets} == {f"{tls_engine.NAME}:{engine.port}"}
    assert len(proxy.targets) > probed > 0
    assert "pass%3A" not in log


def test_a_profile_that_the_api_server_refuses_is_told_and_its_backend_keeps_its_status(
    space: Space, operator: Operator, engine: ProfiledEngine
) -> None:
    none = {"count/modelprofiles.steelyard.dev": "0"}
    space.apply(QUOTA, "none", {"hard": none})
    space.patch(QUOTA, "none/status", {"status": {"hard": none, "used": none}})
    space.backend("one", engine.url)

    space.wait_for(kinds.LLM_BACKEND, "one", "Ready", "Ready")
    refused: Json = waiting.until(lambda: _event(space, "ProfileRefused"), "the refusal's event")
    operator.wait_for_probes(3)
    failures = operator.metric(FAILURES)
    space.backend("one", engine.url, profiling={"template": {"seed": 2}})
    waiting.until(lambda: operator.metric(FAILURES) > failures, "another refusal")

    assert refused["type"] == "Warning"
    assert refused["regarding"]["name"] == "one"
    assert "exceeded quota: none" in refused["note"]
    assert space.find(kinds.LLM_BACKEND, "one")["status"]["summary"]["models"] == 1
    assert space.all(kinds.MODEL_PROFILE) == []
    assert space.events().count(("LLMBackend", "ProfileRefused")) == 1


def _secret(space: Space, name: str, **values: str) -> None:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    space.apply(kinds.SECRET, name, metadata=LABELLED, data=data)


def _event(space: Space, reason: str) -> Json:
    return next((event for event in space.all(kinds.EVENT) if event["reason"] == reason), None)


def _header(ask: Ask, name: bytes) -> bytes:
    return {known.lower(): value for known, value in ask.headers.items()}[name]
