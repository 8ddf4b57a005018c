"""`steelyard operator`: the Kubernetes operator."""

import argparse
from collections.abc import Mapping

from steelyard_operator import __main__, settings


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Add the operator's flags."""
    settings.add_arguments(parser, environment)


def main(arguments: argparse.Namespace) -> int:
    """Serve until stopped."""
    return __main__.serve(settings.read(arguments))
