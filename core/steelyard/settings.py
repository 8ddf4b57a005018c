"""Settings of programs: each is a flag, and an environment variable of the same name.

Invariant: a value from the environment is checked exactly as one from the command line, which wins over it.
"""

import argparse
from collections.abc import Callable, Mapping
from typing import Any

PREFIX = "STEELYARD_"
"""Before the flag's name in capitals: --admin-port is STEELYARD_ADMIN_PORT."""

KUBERNETES = "kubernetes"
"""The source that is an API server."""


def variable(flag: str) -> str:
    """The environment variable of a flag, which may be given with or without its dashes."""
    return PREFIX + flag.removeprefix("--").replace("-", "_").upper()


def add(
    parser: argparse.ArgumentParser,
    flag: str,
    environment: Mapping[str, str],
    description: str,
    *,
    kind: Callable[[str], Any] = str,
    default: str | None = None,
    metavar: str | None = None,
    action: str | type[argparse.Action] = "store",
) -> None:
    """Add a setting to the parser; without a default it must be given. `kind` refuses bad text."""
    name = variable(flag)
    value = environment.get(name, default)
    shown = f"{description} [{name}" + (f"; default {default}]" if default else "]")
    parser.add_argument(
        flag,
        type=kind,
        default=value,
        required=value is None,
        metavar=metavar,
        action=action,
        help=shown.replace("%", "%%"),
    )


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """A kind of setting: a whole number within bounds."""

    def number(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text[:18]) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return number


def add_source(
    parser: argparse.ArgumentParser, environment: Mapping[str, str], *, kubernetes: bool = False
) -> None:
    """Add where the resources are; `kubernetes`: they may be there too."""
    if kubernetes:
        described = "where the resources are: file:DIR, or kubernetes (KUBECONFIG, else the pod's own)"
        add(parser, "--source", environment, described, kind=source, metavar="file:DIR|kubernetes")
    else:
        described = "where the resources are: file:DIR"
        add(parser, "--source", environment, described, kind=directory_source, metavar="file:DIR")


def add_namespace(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Add whose resources are meant."""
    add(parser, "--namespace", environment, "namespace of the resources", default="default")


def source(text: str) -> str | None:
    """A kind of setting: file:DIR, of which it gives DIR, or kubernetes, which is None."""
    if text == KUBERNETES:
        return None
    return _directory(text, f"write file:DIR or {KUBERNETES}")


def directory_source(text: str) -> str:
    """A kind of setting: file:DIR, of which it gives DIR."""
    if text == KUBERNETES:
        raise argparse.ArgumentTypeError(f"{text!r} does not do here, files only: write file:DIR")
    return _directory(text, "write file:DIR")


def _directory(text: str, remedy: str) -> str:
    scheme, colon, directory = text.partition(":")
    if scheme != "file" or not colon or not directory:
        raise argparse.ArgumentTypeError(f"{text!r} is not a source: {remedy}")
    return directory
