"""examples/: the parts of one fit together, our programs take them, and decisions are as its page says."""

import argparse
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from fakes.program import gateway
from steelyard.api.resources import SERVICE_NAME_LABEL
from steelyard.files import reading
from steelyard.files.reading import Loaded
from steelyard.routing.classifying import classify
from steelyard.routing.compiling import compile_table
from steelyard.routing.deciding import decide
from steelyard.routing.decision import NoLoad, Request, Turn
from steelyard_agent import settings as agent_settings
from steelyard_cli import __main__ as command_line
from steelyard_cli import profile
from steelyard_gateway import settings as gateway_settings

EXAMPLES = Path(__file__).parents[2] / "examples"
IN_A_CLUSTER = ("vllm", "ollama", "mixed")
READ_FROM_FILES = ("LLMBackend", "ModelProfile", "RoutingPolicy", "Secret", "ConfigMap", "Service")
COMPOSE: dict[str, Any] = yaml.safe_load((EXAMPLES / "compose" / "compose.yaml").read_text())
CONF = EXAMPLES / "compose" / "conf"

Object = Mapping[str, Any]


def objects(name: str) -> list[dict[str, Any]]:
    """Every object of an example."""
    files = sorted((EXAMPLES / name).glob("*.yaml"))
    return [one for path in files for one in yaml.safe_load_all(path.read_text())]


def slice_of(service: Object) -> Object:
    """What Kubernetes would make for a Service of one ready pod."""
    ports = [{"name": port["name"], "port": 8000} for port in service["spec"]["ports"]]
    name = service["metadata"]["name"]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "labels": {SERVICE_NAME_LABEL: name}},
        "addressType": "IPv4",
        "ports": ports,
        "endpoints": [{"addresses": ["10.0.0.7"], "conditions": {"ready": True}}],
    }


def in_force(name: str, folder: Path) -> Loaded:
    """An example as a gateway finds it once its pods are ready."""
    kept = [one for one in objects(name) if one["kind"] in READ_FROM_FILES]
    slices = [slice_of(one) for one in kept if one["kind"] == "Service"]
    (folder / "all.yaml").write_text("---\n".join(json.dumps(one) + "\n" for one in (*kept, *slices)))
    return reading.load(folder)


def asked(loaded: Loaded, model: str) -> list[str]:
    """The backends that a chat is tried at, in their order."""
    table, _ = compile_table(loaded.resources, "default")
    turn = Turn("Tell me about Lisbon.", 100, frozenset({"chat"}))
    decision = decide(Request(model, (turn,), conversation="one"), table, NoLoad(), 0, classify)
    return [attempt.candidate.backend for attempt in decision.attempts]


def pod_of(workload: Object) -> Object:
    """The template of a Deployment's or StatefulSet's pods."""
    template: Object = workload["spec"]["template"]
    return template


def container(name: str, workload: str) -> Object:
    """The first container of a workload's pods."""
    (found,) = [one for one in objects(name) if one["kind"] == workload]
    first: Object = pod_of(found)["spec"]["containers"][0]
    return first


def variables(made: Object) -> dict[str, str]:
    """The environment of a container."""
    return {one["name"]: one["value"] for one in made["env"] if "value" in one}


def spec_of(name: str, kind: str, found: str) -> Any:
    """The specification of an object of ours."""
    (one,) = [each for each in objects(name) if (each["kind"], each["metadata"]["name"]) == (kind, found)]
    return one["spec"]


@pytest.mark.parametrize("name", IN_A_CLUSTER)
def test_an_example_is_in_force_whole_once_its_pods_are_ready(name: str, tmp_path: Path) -> None:
    loaded = in_force(name, tmp_path)

    assert loaded.warnings == ()
    assert compile_table(loaded.resources, "default")[1] == ()
    assert asked(loaded, "auto")


@pytest.mark.parametrize("name", IN_A_CLUSTER)
def test_services_find_pods_and_backends_find_services(name: str) -> None:
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for one in objects(name):
        by_kind.setdefault(one["kind"], []).append(one)
    workloads = [*by_kind.get("Deployment", []), *by_kind.get("StatefulSet", [])]
    services = {one["metadata"]["name"]: one["spec"] for one in by_kind["Service"]}

    for service in services.values():
        (workload,) = [one for one in workloads if pod_of(one)["metadata"]["labels"] == service["selector"]]
        named = {port["name"] for made in pod_of(workload)["spec"]["containers"] for port in made["ports"]}
        assert {port["targetPort"] for port in service["ports"]} <= named
    for backend in by_kind["LLMBackend"]:
        if place := backend["spec"].get("serviceRef"):
            assert place["port"] in {port["name"] for port in services[place["name"]]["ports"]}


def test_vllm_serves_the_model_that_its_backend_names() -> None:
    made = container("vllm", "Deployment")
    (named,) = spec_of("vllm", "LLMBackend", "vllm-qwen")["models"]

    assert (*made["command"], made["args"][0]) == ("vllm", "serve", named["name"])
    assert made["ports"][0]["containerPort"] == int(made["args"][1].removeprefix("--port="))
    assert made["resources"]["limits"]["nvidia.com/gpu"] == 1


def test_ollama_takes_as_many_requests_as_its_backend_says() -> None:
    backend = spec_of("ollama", "LLMBackend", "ollama")
    listed = {one["name"] for one in backend["models"]}

    assert variables(container("ollama", "StatefulSet"))["OLLAMA_NUM_PARALLEL"] == str(
        backend["maxConcurrency"]
    )
    assert {*backend["memory"]["pinned"], *backend["memory"]["preload"]} <= listed


def test_the_agent_beside_ollama_is_started_with_settings_that_there_are() -> None:
    (workload,) = [one for one in objects("ollama") if one["kind"] == "StatefulSet"]
    agent = pod_of(workload)["spec"]["containers"][1]
    assert agent["command"][:3] == ["python", "-m", "steelyard_agent"]

    chosen = agent_settings.parse(agent["command"][3:], {"NODE_NAME": "node-1"})

    assert (chosen.kubelet_socket, chosen.port) == ("", agent["ports"][0]["containerPort"])


def test_llama_cpp_has_the_name_and_the_slots_that_its_backend_says() -> None:
    chosen, backend = variables(container("mixed", "Deployment")), spec_of("mixed", "LLMBackend", "local")
    (model,) = backend["models"]

    assert model["name"] == chosen["LLAMA_ARG_ALIAS"]
    assert backend["maxConcurrency"] == int(chosen["LLAMA_ARG_N_PARALLEL"])
    assert model["contextTokens"] * backend["maxConcurrency"] == int(chosen["LLAMA_ARG_CTX_SIZE"])


def test_the_mixed_fleet_prefers_its_own_and_ends_with_the_provider(tmp_path: Path) -> None:
    loaded = in_force("mixed", tmp_path)

    assert asked(loaded, "auto") == ["local", "provider"]
    assert asked(loaded, "private") == ["local"]
    assert set(asked(loaded, "thrifty")) == {"local", "provider"}


def test_composes_gateway_is_started_with_settings_that_there_are() -> None:
    service = COMPOSE["services"]["gateway"]
    chosen = gateway_settings.parse(service["command"], {})
    (mount,) = service["volumes"]

    assert mount == f"./{CONF.name}:{chosen.directory}:ro"
    assert [port.split(":")[-1] for port in service["ports"]] == [str(chosen.port), str(chosen.admin_port)]
    assert int(service["stop_grace_period"].removesuffix("s")) > chosen.drain_seconds
    assert (EXAMPLES / "compose" / service["build"]["context"] / service["build"]["dockerfile"]).is_file()


def test_composes_backends_are_its_services() -> None:
    backends = [backend for _, backend in sorted(reading.load(CONF).resources.backends.items())]
    engines = {urlsplit(backend.spec.url or "").hostname for backend in backends}
    words = COMPOSE["services"]["llamacpp"]["command"]
    flags = dict(zip(words[::2], words[1::2], strict=True))
    (llama_cpp,) = [backend.spec for backend in backends if backend.spec.engine == "LlamaCpp"]

    assert engines == {*COMPOSE["services"]} - {"gateway", "measure"}
    assert llama_cpp.url == f"http://llamacpp:{flags['--port']}"
    assert [model.name for model in llama_cpp.models] == [flags["--alias"]]
    assert llama_cpp.max_concurrency == int(flags["--parallel"])


def test_composes_measuring_is_a_command_that_there_is() -> None:
    service = COMPOSE["services"]["measure"]
    word, *flags = service["command"]
    parser = argparse.ArgumentParser()
    profile.add_arguments(parser, {})

    chosen = parser.parse_args(flags)

    assert word in command_line.COMMANDS
    assert f"./{CONF.name}:{chosen.source}" in service["volumes"]


def test_a_gateway_over_composes_files_is_ready_and_knows_every_name() -> None:
    with gateway(CONF) as up:
        ready = up.admin.get("/readyz")
        listed = up.client.get("/v1/models").json()["data"]
        problems = [row["problems"] for row in up.admin.get("/admin/resources").json()["resources"]]

    assert ready.status_code == 200
    assert {"auto", "auto-best", "auto-fast", "small", "llama3.2:3b"} <= {one["id"] for one in listed}
    assert not any(problems)


def test_compose_itself_takes_the_file() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("needs Docker Compose")
    words = (docker, "compose", "--file", EXAMPLES / "compose" / "compose.yaml", "config", "--quiet")

    ran = subprocess.run(words, capture_output=True, text=True)

    assert ran.returncode == 0, ran.stderr
