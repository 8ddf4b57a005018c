"""docs/kubernetes.md names what there is: flags, metrics, reasons, paths of engines, commands."""

import argparse
import re
from pathlib import Path

import pytest
import yaml

from steelyard.api.backend import Engine, LLMBackend
from steelyard.api.policy import RoutingPolicy
from steelyard.telemetry import engines
from steelyard_cli import __main__ as command_line
from steelyard_operator import freshness, settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "kubernetes.md").read_text()


def test_every_flag_of_the_operator_is_named() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    settings.add_arguments(parser, {})
    flags = {flag for action in parser._actions for flag in action.option_strings}

    assert {flag for flag in flags if f"`{flag}`" not in PAGE} == set()


def test_every_reason_of_fresh_is_told() -> None:
    assert {reason for reason in freshness.STALE if reason not in PAGE} == set()


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


def test_the_commands_name_what_there_is() -> None:
    shell = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL))
    files = re.findall(r"(?:-f |--file )(\S+)", shell)

    assert {
        name for name in files if name not in ("backend.yaml", "-") and not (ROOT / name).exists()
    } == set()
    assert set(re.findall(r"^steelyard (\w+)", shell, re.MULTILINE)) <= set(command_line.COMMANDS)
