"""The gateway's settings, read once at start."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from steelyard import settings
from steelyard.api.meta import DEFAULT_NAMESPACE

_PORT = settings.whole_number(0, 65535)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the gateway is started with."""

    directory: Path | None
    """Where the resource files are; None: the resources are in Kubernetes."""
    host: str
    """Address to listen on."""
    port: int
    """Port of the traffic; 0: any free one."""
    admin_port: int
    """Port of health, metrics and explanations; 0: any free one."""
    namespace: str
    """The namespace whose resources requests see; empty: the gateway's own in Kubernetes."""
    drain_seconds: int
    """How long requests under way may go on after SIGTERM."""
    max_body_bytes: int
    """The largest request body."""


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Add the gateway's flags."""
    add = settings.add
    settings.add_source(parser, environment, kubernetes=True)
    add(parser, "--host", environment, "address to listen on", default="127.0.0.1")
    add(parser, "--port", environment, "port of the traffic", kind=_PORT, default="8080")
    add(parser, "--admin-port", environment, "port of health and metrics", kind=_PORT, default="8081")
    described = "namespace of the resources; none: the gateway's own in Kubernetes, default with files"
    add(parser, "--namespace", environment, described, default="")
    add(
        parser,
        "--drain-seconds",
        environment,
        "how long requests under way may go on after SIGTERM",
        kind=settings.whole_number(0, 86_400),
        default="30",
    )
    add(
        parser,
        "--max-body-bytes",
        environment,
        "largest request body; a larger one is answered with 413",
        kind=settings.whole_number(1024, 2**31),
        default=str(32 * 1024 * 1024),
    )


def read(arguments: argparse.Namespace) -> Settings:
    """The settings of parsed arguments."""
    in_files = arguments.source is not None
    return Settings(
        directory=Path(arguments.source) if in_files else None,
        host=arguments.host,
        port=arguments.port,
        admin_port=arguments.admin_port,
        namespace=arguments.namespace or (DEFAULT_NAMESPACE if in_files else ""),
        drain_seconds=arguments.drain_seconds,
        max_body_bytes=arguments.max_body_bytes,
    )


def parse(words: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """The settings of a command line; exits with a message when it is wrong."""
    parser = argparse.ArgumentParser(prog="steelyard gateway", description=__doc__)
    add_arguments(parser, environment)
    return read(parser.parse_args(words))
