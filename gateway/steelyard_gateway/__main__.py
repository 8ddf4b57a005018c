"""`python -m steelyard_gateway`, the same as `steelyard gateway`."""

import asyncio
import os
import sys
from collections.abc import Sequence

import uvloop

from steelyard.kube import configuration
from steelyard.kube.errors import NotConfigured
from steelyard_gateway import app, logs, settings


def main(words: Sequence[str]) -> int:
    """Run the gateway with these command-line words; the exit status."""
    return serve(settings.parse(words, os.environ))


def serve(chosen: settings.Settings) -> int:
    """Run the gateway; 0 after an orderly stop, 1 when it cannot start."""
    logs.set_up()
    try:
        cluster = configuration.load(os.environ) if chosen.directory is None else None
    except NotConfigured as missing:
        sys.stderr.write(f"{str(missing)[:1].upper()}{str(missing)[1:]}.\n")
        return 1
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(app.run(chosen, cluster))
    except app.Refused as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
