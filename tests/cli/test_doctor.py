"""What `steelyard doctor` makes of what it sees, without a cluster."""

import copy
import pkgutil
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from steelyard.api import crd
from steelyard.kube.client import Server
from steelyard_cli.doctor import definitions, resources, rights, server
from steelyard_cli.doctor.findings import Level
from steelyard_cli.doctor.installation import GATEWAY, OPERATOR, Program

ROOT = Path(__file__).parents[2]
MANIFEST = ROOT / "manifests" / "install.yaml"
NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)


def in_cluster(definition: Any) -> Any:
    """The definition as an API server has it."""
    there = copy.deepcopy(definition)
    there["status"] = {"conditions": [{"type": "Established", "status": "True"}]}
    return there


def started(component: str, words: list[str]) -> Program:
    """A program of the namespace `home` with these flags."""
    pod = {"spec": {"containers": [{"args": words}]}}
    deployment = {"metadata": {"name": "one", "namespace": "home"}, "spec": {"template": pod}}
    return Program(component, deployment, [])


def spec_of(definition: Any) -> dict[str, Any]:
    found: dict[str, Any] = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][
        "spec"
    ]
    return found


@pytest.mark.parametrize("wanted", crd.definitions(), ids=lambda one: one["spec"]["names"]["kind"])
def test_a_definition_of_this_program_fits_whatever_its_descriptions_say(wanted: Any) -> None:
    there = in_cluster(wanted)
    spec_of(there)["description"] = "Something else."

    assert definitions.compared(there, wanted).level is Level.OK


@pytest.mark.parametrize(
    ("level", "says"),
    [
        (Level.PROBLEM, "older than this program: it lacks spec.engine"),
        (Level.WARNING, "newer"),
        (Level.WARNING, "other rules"),
    ],
    ids=["older", "newer", "rules"],
)
def test_a_definition_that_differs_is_told(level: Level, says: str) -> None:
    wanted = crd.definitions()[0]
    there = in_cluster(wanted)
    if "older" in says:
        del spec_of(there)["properties"]["engine"]
    elif "newer" in says:
        spec_of(there)["properties"]["more"] = {"type": "string"}
    else:
        spec_of(there)["properties"]["maxConcurrency"]["minimum"] = 7

    found = definitions.compared(there, wanted)

    assert found.level is level
    assert says in found.message


@pytest.mark.parametrize(
    ("version", "ahead_seconds", "levels"),
    [
        ("v1.36.0", 0, ["ok", "ok"]),
        ("v1.30.2+k3s1", -5, ["ok", "ok"]),
        ("v1.29.9", 0, ["problem", "ok"]),
        ("unknown", 0, ["warning", "ok"]),
        ("v1.36.0", 60, ["ok", "warning"]),
        ("v1.36.0", None, ["ok", "warning"]),
    ],
)
def test_version_and_clock_are_judged(version: str, ahead_seconds: int | None, levels: list[str]) -> None:
    clock = None if ahead_seconds is None else NOW + timedelta(seconds=ahead_seconds)

    assert [one.level for one in server.findings(Server(version, clock), NOW)] == levels


@pytest.mark.parametrize("component", rights.NEEDS)
def test_what_programs_need_is_what_the_chart_grants(component: str) -> None:
    documents = [one for one in yaml.safe_load_all(MANIFEST.read_text()) if one]
    [role] = [
        one
        for one in documents
        if one["kind"].endswith("Role") and one["metadata"]["name"] == f"steelyard-{component}"
    ]
    granted = {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }

    assert granted == {
        (need.group, resource, verb)
        for need in rights.NEEDS[component]
        for resource in need.resources
        for verb in need.verbs
    }


@pytest.mark.parametrize(
    ("kind", "reason", "quality", "level"),
    [
        ("Succeeded", "OutOfMemory", {}, Level.PROBLEM),
        ("Succeeded", "OutOfMemory", {"overall": {}}, Level.WARNING),
        ("Ready", "Suspended", {}, Level.WARNING),
        ("Fresh", "TooOld", {}, Level.WARNING),
        ("Reachable", "TimedOut", {}, Level.PROBLEM),
    ],
)
def test_what_keeps_something_from_working_is_a_problem(
    kind: str, reason: str, quality: Any, level: Level
) -> None:
    condition = {"type": kind, "status": "False", "reason": reason, "message": "So it is."}
    status = {"conditions": [condition], "quality": quality, "observedGeneration": 1}
    one = {"metadata": {"namespace": "n", "name": "x", "generation": 1}, "status": status}

    [found] = resources.of_resource("ModelProfile", one)

    assert (found.level, found.remedy) == (level, f"docs/troubleshooting.md#{reason.lower()}")


def test_a_reason_that_several_conditions_repeat_is_told_once() -> None:
    conditions = [
        {"type": kind, "status": "False", "reason": "CaInvalid", "message": "So it is."}
        for kind in ("ResolvedRefs", "Ready")
    ]
    one = {"metadata": {"namespace": "n", "name": "x"}, "status": {"conditions": conditions}}

    [found] = resources.of_resource("LLMBackend", one)

    assert found.message.startswith("ResolvedRefs=False, CaInvalid")


def test_kubectl_finds_the_command_as_its_plugin(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    monkeypatch.setattr("sys.argv", ["kubectl-steelyard", "doctor", "--help"])

    with pytest.raises(SystemExit, match="0"):
        pkgutil.resolve_name(project["scripts"]["kubectl-steelyard"])()

    assert capsys.readouterr().out.startswith("usage: kubectl steelyard doctor")


@pytest.mark.parametrize(
    ("component", "words", "served"),
    [
        (OPERATOR, [], ()),
        (OPERATOR, ["--namespace=a,b"], ("a", "b")),
        (GATEWAY, [], ("home",)),
        (GATEWAY, ["--namespace=a"], ("a",)),
        (GATEWAY, ["--watch-namespaces=b, a"], ("home", "b", "a")),
        (GATEWAY, ["--namespace=a", "--watch-namespaces", "a,b"], ("a", "b")),
        (GATEWAY, ["--watch-namespaces=*"], ()),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_namespaces_of_a_program_are_read_from_its_words(
    component: str, words: list[str], served: tuple[str, ...]
) -> None:
    program = started(component, words)

    assert program.serves == served
    asked = {one.namespace for one in rights.needed(program) if one.resource == "secrets"}
    assert asked == set(served or ("",))


@pytest.mark.parametrize(
    ("words", "also"),
    [
        (["--gpu-exporter=gpu/dcgm"], []),
        (["--namespace=a"], []),
        (["--namespace=a", "--gpu-exporter=a/dcgm"], []),
        (["--namespace=a", "--gpu-exporter=gpu/dcgm, own,gpu/other"], ["gpu", "home"]),
    ],
    ids=" ".join,
)
def test_an_operator_of_some_namespaces_needs_a_right_where_its_exporters_are(
    words: list[str], also: list[str]
) -> None:
    needed = list(rights.needed(started(OPERATOR, words)))
    listed = [one for one in needed if one.resource == "endpointslices" and one.namespace not in ("", "a")]

    assert [(one.verb, one.namespace) for one in listed] == [("list", namespace) for namespace in also]
