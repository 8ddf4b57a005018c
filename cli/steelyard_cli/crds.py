"""`steelyard crds`: the CustomResourceDefinitions, for kubectl or as files."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from steelyard import settings
from steelyard.api import crd


class _Dumper(yaml.SafeDumper):
    """Writes a list that is used twice twice: kubectl knows anchors, people do not."""

    def ignore_aliases(self, data: object) -> bool:
        """Always."""
        return True


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Add where they go."""
    described = "write a file for each kind into this folder instead of printing them"
    settings.add(parser, "--directory", environment, described, default="", metavar="DIR")


def main(arguments: argparse.Namespace) -> int:
    """Print or write them."""
    written = files()
    if not arguments.directory:
        sys.stdout.write("---\n".join(written.values()))
        return 0
    for name, text in written.items():
        Path(arguments.directory, name).write_text(text, encoding="utf-8")
    return 0


def files() -> dict[str, str]:
    """Each definition as YAML, by the name of its file."""
    return {
        f"{one['metadata']['name']}.yaml": yaml.dump(one, Dumper=_Dumper, sort_keys=False, width=110)
        for one in crd.definitions()
    }
