"""The settings of the way out, alike in every program that has one."""

import argparse
from collections.abc import Mapping

from steelyard import settings
from steelyard.egress import proxies, trust
from steelyard.egress.proxies import Egress, Proxy


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Add the proxy, by the variables that everybody knows, and the extra certificates."""
    parser.add_argument(
        "--https-proxy",
        type=_proxy,
        default=_variable(environment, "HTTPS_PROXY"),
        metavar="URL",
        help="proxy before https backends outside, as http://[user:password@]host[:port] [HTTPS_PROXY]",
    )
    parser.add_argument(
        "--no-proxy",
        default=_variable(environment, "NO_PROXY"),
        metavar="HOSTS",
        help="hosts, .suffixes, addresses and networks reached without it, with commas; *: all [NO_PROXY]",
    )
    settings.add(
        parser,
        "--ca-bundle",
        environment,
        "file with PEM certificates, trusted beside the system's where a backend names no tls.caRef",
        kind=_bundle,
        default="",
        metavar="FILE",
    )


def read(arguments: argparse.Namespace) -> Egress:
    """The way out of parsed arguments."""
    return Egress(arguments.https_proxy, arguments.no_proxy, arguments.ca_bundle)


def _variable(environment: Mapping[str, str], name: str) -> str:
    """In small letters it wins, empty too: so everywhere."""
    return environment.get(name.lower(), environment.get(name, ""))


def _proxy(url: str) -> Proxy | None:
    try:
        return proxies.read(url)
    except proxies.WrongProxy as error:
        raise argparse.ArgumentTypeError(f"HTTPS_PROXY names no proxy: {error}") from None


def _bundle(path: str) -> str:
    try:
        return trust.bundle(path)
    except trust.WrongBundle as error:
        raise argparse.ArgumentTypeError(str(error)) from None
