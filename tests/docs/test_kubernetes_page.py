"""docs/kubernetes.md names what there is: flags, metrics, reasons, paths of engines, commands."""

import argparse
import re
import subprocess
from pathlib import Path

import pytest
import yaml

import install_manifest
from steelyard.api.backend import Engine, LLMBackend
from steelyard.api.policy import RoutingPolicy
from steelyard.telemetry import engines
from steelyard_cli import __main__ as command_line
from steelyard_operator import profiles, settings
from steelyard_operator.metrics import Metrics

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "kubernetes.md").read_text()


def test_the_metrics_are_those_that_the_operator_exposes() -> None:
    exposed = set(re.findall(r"^# HELP (steelyard_\w+) ", Metrics().text().decode(), re.MULTILINE))
    kept = {name for name in exposed if not name.endswith("_created")}

    assert set(re.findall(r"^\| `(steelyard_operator_\w+)`", PAGE, re.MULTILINE)) == kept


def test_every_flag_of_the_operator_is_named() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    settings.add_arguments(parser, {})
    flags = {flag for action in parser._actions for flag in action.option_strings}

    assert {flag for flag in flags if f"`{flag}`" not in PAGE} == set()


def test_every_reason_of_fresh_is_told() -> None:
    assert {reason for reason in profiles.STALE if reason not in PAGE} == set()


@pytest.mark.parametrize("engine", Engine)
def test_the_paths_of_probes_are_those_that_are_asked(engine: Engine) -> None:
    [row] = re.findall(rf"^\| {engine} \| (.*) \|$", PAGE, re.MULTILINE)
    paths = engines.paths(engine, "/v1")
    asked = {paths.models, paths.health, *paths.settings, *paths.load}

    assert {path for path in asked if f"`{path}`" not in row} == set()


def test_the_resources_on_the_page_are_good() -> None:
    [block] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    backend, policy = yaml.safe_load_all(block)

    LLMBackend.model_validate(backend, strict=False)
    RoutingPolicy.model_validate(policy, strict=False)


def test_the_commands_for_another_namespace_put_a_whole_gateway_there() -> None:
    [commands] = re.findall(r"```sh\n(kubectl create namespace .*?)```", PAGE, re.DOTALL)
    kubectl = 'kubectl() { if [ "$1" = apply ]; then echo ---; cat; fi; }'
    shell = ["sh", "-ec", f"{kubectl}\n{commands}"]
    applied = subprocess.run(shell, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    there = [one for one in yaml.safe_load_all(applied) if one]
    subjects = [subject for one in there for subject in one.get("subjects", [])]
    wanted = {"ServiceAccount", "Role", "RoleBinding", "Deployment", "Service", "PodDisruptionBudget"}

    assert {one["kind"] for one in there} == wanted
    assert {one["namespace"] for one in (*subjects, *(one["metadata"] for one in there))} == {"models"}


def test_the_commands_name_what_there_is() -> None:
    shell = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL))
    files = re.findall(r"(?:-f |--file )(\S+)", shell)
    service = next(
        one
        for one in yaml.safe_load_all(install_manifest.rendered())
        if one["kind"] == "Service" and one["metadata"]["name"] == "steelyard-gateway"
    )

    assert {
        name for name in files if name not in ("backend.yaml", "-") and not (ROOT / name).exists()
    } == set()
    assert "service/steelyard-gateway 8080" in shell and service["spec"]["ports"][0]["port"] == 8080
    assert set(re.findall(r"^steelyard (\w+)", shell, re.MULTILINE)) <= set(command_line.COMMANDS)
