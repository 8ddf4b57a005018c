"""The gateway's settings, read once at start."""

import argparse
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from steelyard import settings
from steelyard.api.meta import DEFAULT_NAMESPACE
from steelyard.egress import flags
from steelyard.egress.proxies import DIRECT, Egress
from steelyard_gateway import cors
from steelyard_gateway.cors import Cors

_PORT = settings.whole_number(0, 65535)
_SECONDS = settings.whole_number(0, 86_400)
_NAMESPACE = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_EVERY_NAMESPACE = "*"


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
    """The namespace whose resources requests see that name none; empty: the gateway's own in Kubernetes."""
    drain_seconds: int
    """How long after SIGTERM the last request under way may end."""
    max_body_bytes: int
    """The largest request body."""
    cors: Cors | None = None
    """Which web pages may read answers; None: nothing is said of it."""
    grace_seconds: int = 0
    """How long after SIGTERM idle connections and new ones are still served."""
    workers: int = 1
    """How many processes serve the port."""
    worker_index: int = 0
    """Which of them this is."""
    admin_fd: int | None = None
    """The listening socket of a worker's own admin port; None: it is not one of several."""
    gateway_service: str = ""
    """The Service of the gateways, whose pods share what `maxConcurrency` allows; empty: this one has all."""
    gateway_name: str = ""
    """The name of this gateway's own pod there."""
    egress: Egress = DIRECT
    """How engines outside are reached."""
    watched_namespaces: tuple[str, ...] | None = ()
    """Namespaces that requests may name, beside `namespace`; None: all."""
    keep_alive_seconds: int = 75
    """How long an idle client connection is kept."""


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Add the gateway's flags."""
    add = settings.add
    settings.add_source(parser, environment, kubernetes=True)
    add(parser, "--host", environment, "address to listen on", default="127.0.0.1")
    add(parser, "--port", environment, "port of the traffic", kind=_PORT, default="8080")
    add(parser, "--admin-port", environment, "port of health and metrics", kind=_PORT, default="8081")
    described = "namespace of the resources; none: the gateway's own in Kubernetes, default with files"
    add(parser, "--namespace", environment, described, default="")
    described = (
        "namespaces that requests may name as /ns/NAMESPACE/v1/…, beside --namespace: names with commas "
        "between them, or * for all"
    )
    add(parser, "--watch-namespaces", environment, described, kind=_namespaces, default="", metavar="NAMES")
    described = "Service of all gateways, which share what maxConcurrency allows; none: there is no other one"
    add(parser, "--gateway-service", environment, described, default="")
    add(parser, "--gateway-name", environment, "name of this pod there; none: the host's", default="")
    described = "processes that serve the port, each about one core's worth"
    add(parser, "--workers", environment, described, kind=settings.whole_number(1, 256), default="1")
    parser.add_argument("--worker-index", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--admin-fd", type=int, help=argparse.SUPPRESS)
    add(
        parser,
        "--grace-seconds",
        environment,
        "how long after SIGTERM idle and new connections are still served; at most --drain-seconds",
        kind=_SECONDS,
        default="5",
    )
    add(
        parser,
        "--drain-seconds",
        environment,
        "how long after SIGTERM requests under way may take",
        kind=_SECONDS,
        default="30",
    )
    add(
        parser,
        "--keep-alive-seconds",
        environment,
        "how long an idle client connection is kept; longer than the proxy in front keeps its own",
        kind=settings.whole_number(1, 86_400),
        default="75",
    )
    add(
        parser,
        "--max-body-bytes",
        environment,
        "largest request body; a larger one is answered with 413",
        kind=settings.whole_number(1024, 2**31),
        default=str(32 * 1024 * 1024),
    )
    add(
        parser,
        "--cors-origins",
        environment,
        "web pages that may read answers: origins with commas between them, or * for all",
        kind=_cors,
        default="",
    )
    flags.add_arguments(parser, environment)


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
        cors=arguments.cors_origins,
        grace_seconds=arguments.grace_seconds,
        workers=arguments.workers,
        worker_index=arguments.worker_index,
        admin_fd=arguments.admin_fd,
        gateway_service=arguments.gateway_service,
        gateway_name=arguments.gateway_name or platform.node(),
        egress=flags.read(arguments),
        watched_namespaces=arguments.watch_namespaces,
        keep_alive_seconds=arguments.keep_alive_seconds,
    )


def _namespaces(text: str) -> tuple[str, ...] | None:
    if text.strip() == _EVERY_NAMESPACE:
        return None
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if _NAMESPACE.fullmatch(name) is None:
            raise argparse.ArgumentTypeError(f"{name!r} is not the name of a namespace: write a,b or *")
    return names


def _cors(text: str) -> Cors | None:
    try:
        return cors.read(text.split(","))
    except cors.WrongOrigin as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def parse(words: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """The settings of a command line; exits with a message when it is wrong."""
    parser = argparse.ArgumentParser(prog="steelyard gateway", description=__doc__)
    add_arguments(parser, environment)
    return read(parser.parse_args(words))
