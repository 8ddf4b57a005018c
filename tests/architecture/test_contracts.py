"""The import contracts of .importlinter: kept by the code as it is, and each one seen to break."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE_ROOTS = ("core", "operator", "gateway", "cli")

PROGRAMS = "programs are strangers else"
APART = "The gateway and the agent are strangers to the profiler"
CORE = "are strangers and stand on api"
PURE = "api and routing do no I/O"
MEMORY = "memory knows api and telemetry only"
API = "api needs pydantic and the standard library only"
KOPF = "Only the operator knows kopf"
AGENT = "Only the agent knows NVML"

OFFENCES: Mapping[str, tuple[str, str, str]] = {
    "the core imports a program": ("core/steelyard/files", "steelyard_gateway", PROGRAMS),
    "the core imports the command line": ("core/steelyard/api", "steelyard_cli", PROGRAMS),
    "the gateway imports the profiler": ("gateway/steelyard_gateway", "steelyard_profiler", APART),
    "the agent imports the profiler": ("operator/steelyard_agent", "steelyard_profiler", APART),
    "the agent imports the operator": ("operator/steelyard_agent", "steelyard_operator", PROGRAMS),
    "the operator imports the agent": ("operator/steelyard_operator", "steelyard_agent", PROGRAMS),
    "the profiler imports the agent": ("operator/steelyard_profiler", "steelyard_agent", PROGRAMS),
    "the gateway imports the operator": ("gateway/steelyard_gateway", "steelyard_operator", PROGRAMS),
    "the profiler imports the operator": ("operator/steelyard_profiler", "steelyard_operator", PROGRAMS),
    "the profiler imports the gateway": ("operator/steelyard_profiler", "steelyard_gateway", PROGRAMS),
    "the gateway imports the command line": ("gateway/steelyard_gateway", "steelyard_cli", PROGRAMS),
    "routing imports files": ("core/steelyard/routing", "steelyard.files", CORE),
    "files import routing": ("core/steelyard/files", "steelyard.routing", CORE),
    "kube imports files": ("core/steelyard/kube", "steelyard.files", CORE),
    "routing imports kube": ("core/steelyard/routing", "steelyard.kube", CORE),
    "api imports routing": ("core/steelyard/api", "steelyard.routing", CORE),
    "api imports files": ("core/steelyard/api", "steelyard.files", CORE),
    "routing waits on a loop": ("core/steelyard/routing", "asyncio", PURE),
    "routing looks at the clock": ("core/steelyard/routing", "time", PURE),
    "routing draws a number": ("core/steelyard/routing", "random", PURE),
    "routing reads YAML": ("core/steelyard/routing", "yaml", PURE),
    "routing calls a server": ("core/steelyard/routing", "httpx", PURE),
    "api logs": ("core/steelyard/api", "logging", PURE),
    "api reads the environment": ("core/steelyard/api", "os", PURE),
    "api writes YAML": ("core/steelyard/api", "ruamel.yaml", PURE),
    "api decodes with msgspec": ("core/steelyard/api", "msgspec", API),
    "memory imports routing": ("core/steelyard/memory", "steelyard.routing", MEMORY),
    "memory imports kube": ("core/steelyard/memory", "steelyard.kube", MEMORY),
    "telemetry imports memory": ("core/steelyard/telemetry", "steelyard.memory", CORE),
    "memory looks at the clock": ("core/steelyard/memory", "time", PURE),
    "the gateway watches with kopf": ("gateway/steelyard_gateway", "kopf", KOPF),
    "the profiler asks NVML": ("operator/steelyard_profiler", "pynvml", AGENT),
}


def test_the_code_keeps_every_contract(tmp_path: Path) -> None:
    result = lint(copy_of_the_code(tmp_path))

    assert result.returncode == 0, result.stdout
    assert "0 broken" in result.stdout


@pytest.mark.parametrize(("package", "imported", "contract"), OFFENCES.values(), ids=list(OFFENCES))
def test_a_contract_breaks_when(tmp_path: Path, package: str, imported: str, contract: str) -> None:
    copy = copy_of_the_code(tmp_path)
    (copy / package / "offence.py").write_text(f"import {imported}\n")

    result = lint(copy)

    assert result.returncode == 1, result.stdout
    broken = " ".join(result.stdout.split("Broken contracts")[1].split())
    assert contract in broken
    assert ".offence -> " + imported.removesuffix(".yaml") in broken


def test_a_new_package_in_the_core_must_be_given_its_place(tmp_path: Path) -> None:
    copy = copy_of_the_code(tmp_path)
    (copy / "core/steelyard/newcomer.py").write_text("")

    result = lint(copy)

    assert result.returncode == 1, result.stdout
    assert "newcomer" in result.stdout


def copy_of_the_code(tmp_path: Path) -> Path:
    for root in SOURCE_ROOTS:
        shutil.copytree(ROOT / root, tmp_path / root, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    return tmp_path


def lint(copy: Path) -> subprocess.CompletedProcess[str]:
    linter = str(Path(sys.executable).with_name("lint-imports"))
    command = [linter, "--no-logo", "--no-cache", "--verbose"]
    search_path = os.pathsep.join(str(copy / root) for root in SOURCE_ROOTS)
    environment = os.environ | {"PYTHONPATH": search_path, "COLUMNS": "400"}
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
