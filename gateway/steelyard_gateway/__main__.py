"""`python -m steelyard_gateway`, the same as `steelyard gateway`."""

import asyncio
import os
import resource
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import uvloop

from steelyard.kube.errors import NotConfigured
from steelyard_gateway import app, logs, settings
from steelyard_gateway.listening import Refused

if TYPE_CHECKING:
    from steelyard.kube.configuration import Configuration


def main(words: Sequence[str]) -> int:
    """Run the gateway with these command-line words; the exit status."""
    return serve(settings.parse(words, os.environ))


def serve(chosen: settings.Settings) -> int:
    """Run the gateway; 0 after an orderly stop, 1 when it cannot start."""
    logs.set_up()
    _allow_all_files()
    if chosen.workers > 1 and chosen.admin_fd is None:
        return _serve_with_workers(chosen)
    try:
        cluster = _cluster() if chosen.directory is None else None
    except NotConfigured as missing:
        sys.stderr.write(f"{str(missing)[:1].upper()}{str(missing)[1:]}.\n")
        return 1
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(app.run(chosen, cluster))
    except Refused as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    return 0


def _allow_all_files() -> None:
    """Raise the soft limit of open files to the hard one: each client and each polled endpoint takes one."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _cluster() -> "Configuration":
    from steelyard.kube import configuration

    return configuration.load(os.environ)


def _serve_with_workers(chosen: settings.Settings) -> int:
    from steelyard_gateway import workers

    try:
        return asyncio.run(workers.run(chosen))
    except Refused as refused:
        sys.stderr.write(f"{refused}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
