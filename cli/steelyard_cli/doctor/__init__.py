"""`steelyard doctor`: checks an installation in a cluster, and says of each finding what to do.

It only reads, and asks the API server what may be done. Invariant: what may not be looked at is said to be
unknown, never to be well.
"""

import argparse
import asyncio
import importlib.metadata
import os
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

from steelyard import settings
from steelyard.kube import configuration, errors
from steelyard.kube.client import Client
from steelyard_cli.doctor import definitions, exporters, installation, release, resources, rights, server
from steelyard_cli.doctor.findings import Finding, Level


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Add what to look at."""
    described = "the only namespace to look at; none: all, or where you may not the one of your context"
    settings.add(parser, "--namespace", environment, described, default="")


def main(arguments: argparse.Namespace) -> int:
    """Print a line for each finding, and what to do; 1 where there is a problem."""
    return asyncio.run(_main(arguments.namespace))


async def _main(namespace: str) -> int:
    counts = dict.fromkeys(Level, 0)
    async for finding in _findings(namespace):
        counts[finding.level] += 1
        print(finding.text())
    problems, warnings = counts[Level.PROBLEM], counts[Level.WARNING]
    print(f"{problems} problems, {warnings} warnings.")
    return int(problems > 0)


async def _findings(namespace: str) -> AsyncIterator[Finding]:
    """One after another, the more basic first: where the API server does not answer, nothing else is told."""
    try:
        configured = configuration.load(os.environ)
    except errors.NotConfigured as error:
        yield Finding(Level.PROBLEM, "API server", str(error))
        return
    async with Client(configured, user_agent="steelyard-doctor") as client:
        try:
            told = await client.server()
        except errors.KubeError as error:
            yield server.unreachable(error)
            return
        for finding in server.findings(told, datetime.now(UTC)):
            yield finding
        try:
            async for finding in _installed(client, namespace, configured.namespace):
                yield finding
        except errors.KubeError as error:
            yield server.unreachable(error)


async def _installed(client: Client, namespace: str, own: str) -> AsyncIterator[Finding]:
    """What is in the cluster."""
    for finding in await definitions.findings(client):
        yield finding
    found = await installation.look(client, namespace, own)
    for finding in found.limits:
        yield finding
    for finding in release.findings(found, importlib.metadata.version("steelyard")):
        yield finding
    for finding in await rights.findings(client, found):
        yield finding
    for finding in await exporters.findings(client, found):
        yield finding
    for finding in resources.findings(found):
        yield finding
