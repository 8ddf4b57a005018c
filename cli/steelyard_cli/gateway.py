"""`steelyard gateway`."""

import argparse
from collections.abc import Mapping

from steelyard_gateway import __main__ as program
from steelyard_gateway import settings


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Add the gateway's own flags."""
    settings.add_arguments(parser, environment)


def main(arguments: argparse.Namespace) -> int:
    """Serve until told to stop."""
    return program.serve(settings.read(arguments))
