"""`steelyard agent`: how the GPUs of a node are."""

import argparse
from collections.abc import Mapping

from steelyard_agent import command, settings


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Add the agent's flags."""
    settings.add_arguments(parser, environment)


def main(arguments: argparse.Namespace) -> int:
    """Serve until stopped."""
    return command.serve(settings.read(arguments))
