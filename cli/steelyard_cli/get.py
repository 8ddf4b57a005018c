"""`steelyard get`: the resources of a folder or a cluster as tables, as JSON, or as a picture.

Where nobody wrote a status, it is what the files alone tell: whether the resource plays a part, and which
models a policy may choose. Invariant: what is excluded is never shown as ready, whatever its status says.
"""

import argparse
import importlib
import json
import os
import sys
from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from steelyard import settings
from steelyard.api import conditions
from steelyard.api.backend import LLMBackend
from steelyard.api.meta import Condition, ConditionStatus
from steelyard.api.policy import RoutingPolicy
from steelyard.api.profile import ModelProfile
from steelyard.api.resources import Key, ResourceSet
from steelyard.files import plain, reading
from steelyard.files.problems import FilesError
from steelyard.kube.errors import KubeError
from steelyard.routing import compiling, precision
from steelyard.routing.standing import standing
from steelyard_cli import cluster, marks, tables, weighed

TABLES = {"backends": tables.backends, "profiles": tables.profiles, "policies": tables.policies}
"""What can be printed, and by what."""

FORMATS = ("table", "wide", "md", "json")
"""As what: md is the wide table in Markdown; json a List, as kubectl prints it."""

_R = TypeVar("_R", LLMBackend, ModelProfile, RoutingPolicy)


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Add what to print and where from."""
    parser.add_argument("kind", choices=TABLES, help="what to print")
    described = "table; wide: more columns; md: those as Markdown; json: a List of the resources"
    parser.add_argument("-o", "--output", choices=FORMATS, default="table", help=f"{described} (table)")
    described = "profiles only: draw quality, price and speed into this file, .png or .svg"
    parser.add_argument("--plot", metavar="FILE", type=Path, help=described)
    settings.add_source(parser, environment, kubernetes=True)
    settings.add_namespace(parser, environment)


def main(arguments: argparse.Namespace) -> int:
    """Print the table, or draw; 1 when the resources cannot be read or the file not be written."""
    if arguments.plot and arguments.kind != "profiles":
        sys.stderr.write("--plot draws profiles: steelyard get profiles --plot FILE.png\n")
        return 2
    try:
        if arguments.source is None:
            resources = cluster.read(os.environ, arguments.namespace).resources
        else:
            resources = marks.judged(reading.load(Path(arguments.source)).resources, datetime.now(UTC))
    except (FilesError, KubeError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    found: Mapping[Key, object] = getattr(resources, arguments.kind)
    if not any(namespace == arguments.namespace for namespace, _ in found):
        sys.stderr.write(f"No {arguments.kind} in namespace {arguments.namespace}.\n")
        return 0
    known = with_status(resources, arguments.namespace)
    if arguments.plot:
        return _draw(known, arguments.namespace, arguments.plot)
    if arguments.output == "json":
        items = [
            plain.to_plain(one)
            for (namespace, _), one in sorted(getattr(known, arguments.kind).items())
            if namespace == arguments.namespace
        ]
        print(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=2, ensure_ascii=False))
        return 0
    is_wide = arguments.output in ("wide", "md")
    table = TABLES[arguments.kind](known, datetime.now(UTC), arguments.namespace, is_wide=is_wide)
    print(table.markdown() if arguments.output == "md" else table.text())
    return 0


def _draw(resources: ResourceSet, namespace: str, path: Path) -> int:
    try:
        picture = importlib.import_module("steelyard_cli.picture")
    except ModuleNotFoundError as missing:
        sys.stderr.write(f"--plot needs {missing.name}: pip install 'steelyard[plot]'\n")
        return 1
    try:
        picture.draw(weighed.profiles(resources, namespace), path)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{path} cannot be written: {error}\n")
        return 1
    return 0


def with_status(resources: ResourceSet, namespace: str) -> ResourceSet:
    """The namespace's resources with what the files tell of the status that they lack."""
    table, problems = compiling.compile_table(resources, namespace)
    excluded = {(one.kind, one.name) for one in problems if one.excludes}
    serving = {pair.backend for pair in table.candidates}

    def of_backend(one: LLMBackend) -> LLMBackend:
        return _judged(one, one.name in serving or None, excluded)

    def of_profile(one: ModelProfile) -> ModelProfile:
        return _judged(one, bool(one.status.quality or one.spec.priors) or None, excluded)

    def of_policy(one: RoutingPolicy) -> RoutingPolicy:
        found = one.status.candidates or standing(one, table)
        precise, told = precision.fact(one, table), one.status.conditions
        if precise is not None and not told:
            told = conditions.with_facts(told, [precise], one.metadata.generation, datetime.now(UTC))
        status = one.status.model_copy(update={"candidates": found, "conditions": told})
        return _judged(
            one.model_copy(update={"status": status}), any(pair.eligible for pair in found), excluded
        )

    def here(found: Mapping[Key, _R], known: Callable[[_R], _R]) -> dict[Key, _R]:
        return {key: known(one) for key, one in found.items() if key[0] == namespace}

    return replace(
        resources,
        backends=here(resources.backends, of_backend),
        profiles=here(resources.profiles, of_profile),
        policies=here(resources.policies, of_policy),
    )


def _judged(one: _R, ready: bool | None, excluded: Container[tuple[str, str]]) -> _R:
    """The resource with the condition Ready, unless it has one, or nothing is known."""
    if (one.kind, one.name) in excluded:
        ready = False
    elif ready is None or conditions.find(one.status.conditions, "Ready"):
        return one
    status = ConditionStatus.TRUE if ready else ConditionStatus.FALSE
    fact = Condition(type="Ready", status=status, reason="ByFiles")
    told = conditions.with_condition(one.status.conditions, fact, datetime.now(UTC))
    return one.model_copy(update={"status": one.status.model_copy(update={"conditions": told})})
