"""`steelyard export`: what a cluster holds, as files that decide the same."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fakes.kubernetes_api import FakeApiServer, fake_api_server
from steelyard.files import reading
from steelyard.kube.store import Store
from steelyard.routing import explaining
from steelyard.routing.compiling import compile_table
from steelyard.routing.deciding import decide
from steelyard.routing.decision import NoLoad, Request, Turn
from steelyard_cli import __main__ as cli
from steelyard_cli import cluster

SPACE = "models"
KEY_LABEL = {"steelyard.dev/kind": "backend-credential"}


def document(kind: str, name: str, body: dict[str, Any], labels: dict[str, str] | None = None) -> Any:
    groups = {"Secret": "v1", "ConfigMap": "v1", "Service": "v1", "EndpointSlice": "discovery.k8s.io/v1"}
    metadata = {
        "name": name,
        "namespace": SPACE,
        "labels": labels or {},
        "uid": f"uid-{name}",
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
        "managedFields": [{"manager": "kubectl"}],
    }
    version = groups.get(kind, "steelyard.dev/v1alpha1")
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **body}


def profile(backend: str, model: str, passed: int) -> Any:
    levels = [{"level": level, "passed": passed, "samples": 40} for level in ("Easy", "Medium", "Hard")]
    status = {
        "quality": {"categories": [{"name": "Math", "levels": levels}]},
        "run": {"startTime": "2026-11-21T10:00:00Z", "jobName": "mprof-1"},
    }
    spec = {"backendRef": {"name": backend}, "model": model}
    return document("ModelProfile", f"{backend}-p", {"spec": spec, "status": status})


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApiServer]:
    """A cluster with two backends, of which one needs a key and one has two pods."""
    with fake_api_server() as (url, server):
        service = {"spec": {"ports": [{"port": 80}], "clusterIP": "10.0.0.1", "selector": {"app": "a"}}}
        gone = {"addresses": ["10.1.0.2"], "conditions": {"ready": False}}
        pods: list[Any] = [{"addresses": ["10.1.0.1"]}, gone]
        behind = {"addressType": "IPv4", "endpoints": pods, "ports": [{"port": 8000, "protocol": "TCP"}]}
        small = {"engine": "VLLM", "serviceRef": {"name": "small", "port": 80}, "models": [{"name": "s"}]}
        keyed: dict[str, Any] = {"engine": "OpenAI", "url": "http://10.2.0.1:8000", "models": [{"name": "l"}]}
        keyed |= {"credentialsRef": {"name": "key", "key": "api-key"}}
        server.put("llmbackends", document("LLMBackend", "small", {"spec": small}))
        server.put("llmbackends", document("LLMBackend", "large", {"spec": keyed}))
        server.put("modelprofiles", profile("small", "s", 20))
        server.put("modelprofiles", profile("large", "l", 38))
        policy = {"spec": {"models": [{"name": "auto", "goal": "Best"}]}}
        server.put("routingpolicies", document("RoutingPolicy", "auto", policy))
        server.put("services", document("Service", "small", service))
        server.put("services", document("Service", "unrelated", service))
        slices = {"kubernetes.io/service-name": "small"}
        server.put("endpointslices", document("EndpointSlice", "small-1", behind, slices))
        server.put("secrets", document("Secret", "key", {"data": {"api-key": "c2VzYW1l"}}, KEY_LABEL))
        server.put("secrets", document("Secret", "other", {"data": {"a": "Yg=="}}, KEY_LABEL))
        context = {"name": "c", "context": {"cluster": "c", "user": "u", "namespace": SPACE}}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "contexts": [context],
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
        }
        (tmp_path / "kubeconfig").write_text(json.dumps(config))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        yield server


def explained(resources: Any, model: str) -> Any:
    turn = Turn("What is 17 * 23?", 10, frozenset({"chat"}))
    table, _ = compile_table(resources, SPACE)
    decision = decide(Request(model, (turn,), conversation="c"), table, NoLoad(), 0, lambda _: ((0, 1.0),))
    return explaining.explain(decision)


def exported(tmp_path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> Path:
    assert cli.main(["export", "--namespace", SPACE, *words]) == 0
    folder = tmp_path / "conf"
    folder.mkdir()
    (folder / "all.yaml").write_text(capsys.readouterr().out)
    return folder


@pytest.mark.usefixtures("api")
def test_the_files_decide_as_the_cluster_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = exported(tmp_path, capsys, "--with-secrets")
    live: Store = cluster.read({"KUBECONFIG": str(tmp_path / "kubeconfig")}, SPACE)
    loaded = reading.load(folder)

    assert loaded.warnings == ()
    for model in ("auto", "s", "l"):
        assert explained(loaded.resources, model) == explained(live.resources, model)
    assert explained(loaded.resources, "s")["attempts"][0]["endpoint"] == "small@10.1.0.1:8000"


@pytest.mark.usefixtures("api")
def test_a_key_is_emptied_and_explain_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = exported(tmp_path, capsys)

    assert "c2VzYW1l" not in (folder / "all.yaml").read_text()
    found = explained(reading.load(folder).resources, "auto")
    assert found["chosen"]["backend"] == "large"
    assert found["candidates"][0]["credentials"] == "empty"


def test_a_certificate_is_no_secret(
    api: FakeApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    key = "-----BEGIN CERTIFICATE-----\nAAAA\n-----BEGIN PRIVATE KEY-----\nseed\n"
    data = {name: base64.b64encode(text.encode()).decode() for name, text in (("ca", pem), ("key", key))}
    api.put("secrets", document("Secret", "ca", {"data": data}, KEY_LABEL))
    spec: dict[str, Any] = {"engine": "VLLM", "url": "https://10.3.0.1", "models": [{"name": "t"}]}
    spec |= {"tls": {"caRef": {"name": "ca", "key": "ca"}}}
    api.put("llmbackends", document("LLMBackend", "tls", {"spec": spec}))
    loaded = reading.load(exported(tmp_path, capsys))

    secret = loaded.resources.secrets[SPACE, "ca"]
    assert (secret.value("ca"), secret.value("key")) == (pem, "")
    assert explained(loaded.resources, "t")["chosen"]["backend"] == "tls"


@pytest.mark.usefixtures("api")
def test_only_what_backends_refer_to_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (exported(tmp_path, capsys) / "all.yaml").read_text()
    found = sorted((one["kind"], one["metadata"]["name"]) for one in yaml.safe_load_all(text))

    assert [name for kind, name in found if kind in ("Secret", "Service")] == ["key", "small"]
    assert "uid" not in text and "managedFields" not in text and "last-applied" not in text


def test_an_api_server_that_refuses_is_told_in_a_sentence(
    api: FakeApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    api.refuse(403, b'{"reason": "Forbidden", "message": "you may not list llmbackends"}')

    assert cli.main(["export", "--namespace", SPACE]) == 1
    assert "you may not list llmbackends" in capsys.readouterr().err


@pytest.mark.usefixtures("api")
def test_get_prints_a_clusters_resources(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["get", "profiles", "--source", "kubernetes", "--namespace", SPACE]) == 0
    assert "large" in capsys.readouterr().out
