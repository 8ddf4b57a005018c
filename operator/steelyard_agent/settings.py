"""The agent's settings, read once at start."""

import argparse
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from steelyard import settings

KUBELET_SOCKET = "/var/lib/kubelet/pod-resources/kubelet.sock"
"""Where the kubelet tells which container has which device."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the agent is started with."""

    host: str
    """Address that it listens on."""
    port: int
    """Its port; 0: any free one."""
    interval_seconds: int
    """Time between two readings of the GPUs and of the kubelet."""
    kubelet_socket: str
    """The kubelet's pod-resources socket; empty: the kubelet is not asked."""
    hostname: str
    """The node's name, in the label Hostname."""


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Add the agent's flags."""
    add, number = settings.add, settings.whole_number
    add(parser, "--host", environment, "address to listen on", default="0.0.0.0")  # noqa: S104
    add(parser, "--port", environment, "port of /metrics and /healthz", kind=number(0, 65535), default="9400")
    described = "time between two readings of the GPUs"
    add(parser, "--interval-seconds", environment, described, kind=number(1, 300), default="2")
    described = "socket at which the kubelet tells who has which GPU; none: it is not asked"
    add(parser, "--kubelet-socket", environment, described, default=KUBELET_SOCKET, metavar="FILE")
    name = environment.get("NODE_NAME") or socket.gethostname()
    add(parser, "--hostname", environment, "name of the node; none: NODE_NAME, or the host's", default=name)


def read(arguments: argparse.Namespace) -> Settings:
    """The settings of parsed arguments."""
    return Settings(
        host=arguments.host,
        port=arguments.port,
        interval_seconds=arguments.interval_seconds,
        kubelet_socket=arguments.kubelet_socket,
        hostname=arguments.hostname,
    )


def parse(words: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """The settings of a command line; exits with a message when it is wrong."""
    parser = argparse.ArgumentParser(prog="steelyard agent", description=__doc__)
    add_arguments(parser, environment)
    return read(parser.parse_args(words))
