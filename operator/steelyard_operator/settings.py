"""The operator's settings, read once at start."""

import argparse
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from steelyard import settings
from steelyard.api.resources import Key
from steelyard.egress import flags
from steelyard.egress.proxies import DIRECT, Egress

_SERVICE = re.compile(r"(?:([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)/)?([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator is started with."""

    namespaces: tuple[str, ...]
    """The namespaces that it serves; empty: all."""
    concurrent_profiles: int
    """Profiling Jobs at a time."""
    profiler_image: str
    """What they run."""
    host: str
    """Address that health and metrics listen on."""
    port: int
    """Their port; 0: any free one."""
    lease_namespace: str
    """Where the Lease is; empty: the operator's own namespace."""
    lease_name: str
    """The Lease's name."""
    identity: str
    """Who holds it: the pod's name, as a container that starts again is to go on at once."""
    own_namespace: str = ""
    """Where the operator runs; empty: not known yet."""
    gpu_exporters: tuple[Key, ...] = ()
    """Services of GPU exporters by namespace, empty: the operator's own, and name."""
    egress: Egress = DIRECT
    """How engines outside are reached, by profiling Jobs as well."""


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Add the operator's flags."""
    add = settings.add
    add(
        parser,
        "--namespace",
        environment,
        "namespace to serve, as often as there are some, or with commas between them; none: all",
        kind=_names,
        default="",
        metavar="NAME",
        action=_Gather,
    )
    add(
        parser,
        "--max-concurrent-profiles",
        environment,
        "profiling Jobs at a time",
        kind=settings.whole_number(1, 1000),
        default="1",
    )
    add(parser, "--profiler-image", environment, "image of the profiling Jobs")
    add(
        parser,
        "--gpu-exporter",
        environment,
        "Service whose pods tell of their node's GPUs (dcgm-exporter, steelyard agent), as often as there "
        "are some, or with commas between them; without NAMESPACE: in the own one",
        kind=_services,
        default="",
        metavar="[NAMESPACE/]SERVICE",
        action=_Gather,
    )
    add(parser, "--host", environment, "address that health and metrics listen on", default="0.0.0.0")  # noqa: S104
    add(
        parser,
        "--port",
        environment,
        "port of health and metrics",
        kind=settings.whole_number(0, 65535),
        default="8081",
    )
    add(parser, "--lease-namespace", environment, "where the Lease is; none: the own namespace", default="")
    add(parser, "--lease-name", environment, "the Lease's name", default="steelyard-operator")
    add(
        parser,
        "--identity",
        environment,
        "who holds the Lease; none: host's name and process id",
        default="",
    )
    flags.add_arguments(parser, environment)


def read(arguments: argparse.Namespace) -> Settings:
    """The settings of parsed arguments."""
    return Settings(
        namespaces=arguments.namespace,
        concurrent_profiles=arguments.max_concurrent_profiles,
        profiler_image=arguments.profiler_image,
        host=arguments.host,
        port=arguments.port,
        lease_namespace=arguments.lease_namespace,
        lease_name=arguments.lease_name,
        identity=arguments.identity or f"{platform.node()}-{os.getpid()}",
        gpu_exporters=arguments.gpu_exporter,
        egress=flags.read(arguments),
    )


def parse(words: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """The settings of a command line; exits with a message when it is wrong."""
    parser = argparse.ArgumentParser(prog="steelyard operator", description=__doc__)
    add_arguments(parser, environment)
    return read(parser.parse_args(words))


class _Gather(argparse.Action):
    """Takes a flag as often as it is given; what the environment says counts without it only."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, flag: Any = None
    ) -> None:
        """Add these."""
        before = getattr(namespace, self.dest)  # the default is text until all flags were read
        setattr(namespace, self.dest, (*(before if isinstance(before, tuple) else ()), *values))


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _names(text: str) -> tuple[str, ...]:
    names = _parts(text)
    for name in names:
        if len(name) > 63 or not name.replace("-", "").isalnum() or name != name.lower():
            raise argparse.ArgumentTypeError(f"{name!r} is not the name of a namespace")
    return names


def _services(text: str) -> tuple[Key, ...]:
    services = []
    for part in _parts(text):
        found = _SERVICE.fullmatch(part)
        if found is None:
            raise argparse.ArgumentTypeError(f"{part!r} is not a Service: write SERVICE or NAMESPACE/SERVICE")
        services.append((found[1] or "", found[2]))
    return tuple(services)
