"""docs/gpu.md names what there is: figures, flags, problems, and objects that fit each other."""

import argparse
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from steelyard.api.backend import LLMBackend
from steelyard_agent import exposition, figures, nvml, settings

PAGE = (Path(__file__).parents[2] / "docs" / "gpu.md").read_text()
OBJECTS: list[dict[str, Any]] = [
    one for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) for one in yaml.safe_load_all(block)
]


def of_kind(kind: str) -> dict[str, Any]:
    """The object of this kind on the page."""
    [found] = [one for one in OBJECTS if one["kind"] == kind]
    return found


def agent_of(pod: dict[str, Any]) -> dict[str, Any]:
    """The agent's container in this pod."""
    found: dict[str, Any]
    [found] = [one for one in pod["spec"]["containers"] if one["name"] == "agent"]
    return found


def test_the_metrics_are_those_that_the_agent_tells() -> None:
    rows = re.findall(r"^\| (`(?:DCGM|steelyard)_.*?) \|", PAGE, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    text = exposition.text(None, {}, hostname="node-1", version="1").decode()
    told = {figure.name for figure in figures.FIGURES} | set(re.findall(r"^# HELP (\w+)", text, re.MULTILINE))

    assert named == told


def test_every_flag_is_named() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    settings.add_arguments(parser, {})
    flags = {flag for action in parser._actions for flag in action.option_strings}

    assert {flag for flag in flags if f"`{flag}`" not in PAGE} == set()


def test_the_problems_are_those_that_the_agent_tells() -> None:
    [table] = re.findall(r"\| `problem` .*?\n\n", PAGE, re.DOTALL)
    problems = [row.split(" | ")[0] for row in table.strip().removeprefix("| ").split("\n| ")][1:]
    source = "".join(path.read_text() for path in Path(nvml.__file__).parent.glob("*.py")).lower()

    assert len(problems) > 3
    assert [problem for problem in problems if problem.lower() not in source] == []


@pytest.mark.parametrize(
    "pod", [of_kind("DaemonSet")["spec"]["template"], of_kind("Pod")], ids=["node", "pod"]
)
def test_an_agent_is_started_with_settings_that_there_are_and_probed_where_it_answers(
    pod: dict[str, Any],
) -> None:
    agent = agent_of(pod)
    assert agent["command"][:3] == ["python", "-m", "steelyard_agent"]
    chosen = settings.parse(agent["command"][3:], {"NODE_NAME": "node-1"})

    [port] = agent["ports"]
    assert port["containerPort"] == chosen.port
    assert agent["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": port["name"]}
    mounts = [mount["mountPath"] for mount in agent.get("volumeMounts", [])]
    assert mounts == ([str(Path(chosen.kubelet_socket).parent)] if chosen.kubelet_socket else [])


def test_the_service_has_the_pods_of_the_daemonset() -> None:
    service, daemons = of_kind("Service"), of_kind("DaemonSet")

    assert service["spec"]["selector"] == daemons["spec"]["template"]["metadata"]["labels"]
    assert (
        service["spec"]["ports"][0]["targetPort"] == agent_of(daemons["spec"]["template"])["ports"][0]["name"]
    )
    key = f"{service['metadata']['namespace']}/{service['metadata']['name']}"
    assert f"`--gpu-exporter={key}`" in PAGE


def test_the_backend_is_good() -> None:
    backend = LLMBackend.model_validate(of_kind("LLMBackend"), strict=False)

    assert backend.spec.metrics.gpu.url == "http://gpu1:9400/metrics"
