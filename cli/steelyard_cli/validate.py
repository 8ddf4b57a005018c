"""`steelyard validate`: what a gateway would say of a folder of resources."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from steelyard import settings
from steelyard.files import reading
from steelyard.files.problems import FilesError
from steelyard.routing import compiling


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Add the folder and the namespace."""
    parser.add_argument("directory", metavar="DIR", type=Path, help="the folder")
    settings.add_namespace(parser, environment)


def main(arguments: argparse.Namespace) -> int:
    """Print what is wrong; 1 when a resource is refused or excluded."""
    try:
        loaded = reading.load(arguments.directory)
    except FilesError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for warning in loaded.warnings:
        sys.stdout.write(f"warning: {warning}\n")
    table, problems = compiling.compile_table(loaded.resources, arguments.namespace)
    for problem in problems:
        weight = "excluded" if problem.excludes else "note"
        sys.stdout.write(f"{weight}: {problem.kind} {problem.name}: {problem.reason}: {problem.message}\n")
    held = loaded.resources
    counts = [
        f"{sum(namespace == arguments.namespace for namespace, _ in found)} {kind}"
        for kind, found in (
            ("backends", held.backends),
            ("profiles", held.profiles),
            ("policies", held.policies),
        )
    ]
    names = {*table.models, *table.aliases, *table.policies}
    sys.stdout.write(f"{', '.join(counts)}: {len(names)} names can be asked for.\n")
    return int(any(problem.excludes for problem in problems))
