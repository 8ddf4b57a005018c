"""`steelyard get`: the resources of a folder or a cluster as tables.

Where nobody wrote a status, it is what the files alone tell: whether the resource plays a part, and which
models a policy may choose. Invariant: what is excluded is never shown as ready, whatever its status says.
"""

import argparse
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
from steelyard.files import reading
from steelyard.files.problems import FilesError
from steelyard.kube.errors import KubeError
from steelyard.routing import compiling
from steelyard.routing.standing import standing
from steelyard_cli import cluster, tables

TABLES = {
    "backends": tables.backends_table,
    "profiles": tables.profiles_table,
    "policies": tables.policies_table,
}
"""What can be printed, and by what."""

_R = TypeVar("_R", LLMBackend, ModelProfile, RoutingPolicy)


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Add what to print and where from."""
    parser.add_argument("kind", choices=TABLES, help="what to print")
    settings.add_source(parser, environment, kubernetes=True)
    settings.add_namespace(parser, environment)


def main(arguments: argparse.Namespace) -> int:
    """Print the table; 1 when the resources cannot be read."""
    try:
        if arguments.source is None:
            resources = cluster.read(os.environ, arguments.namespace).resources
        else:
            resources = reading.load(Path(arguments.source)).resources
    except (FilesError, KubeError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    found: Mapping[Key, object] = getattr(resources, arguments.kind)
    if not any(namespace == arguments.namespace for namespace, _ in found):
        sys.stderr.write(f"No {arguments.kind} in namespace {arguments.namespace}.\n")
        return 0
    known = with_status(resources, arguments.namespace)
    print(TABLES[arguments.kind](known, datetime.now(UTC), arguments.namespace))
    return 0


def with_status(resources: ResourceSet, namespace: str) -> ResourceSet:
    """The namespace's resources with what the files tell of the status that they lack."""
    table, problems = compiling.compile_table(resources, namespace)
    excluded = {(one.kind, one.name) for one in problems if one.excludes}
    serving = {pair.backend for pair in table.candidates}

    def of_backend(one: LLMBackend) -> LLMBackend:
        return _judged(one, one.name in serving or None, excluded)

    def of_profile(one: ModelProfile) -> ModelProfile:
        return _judged(one, one.status.quality is not None or None, excluded)

    def of_policy(one: RoutingPolicy) -> RoutingPolicy:
        found = one.status.candidates or standing(one, table)
        status = one.status.model_copy(update={"candidates": found})
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
