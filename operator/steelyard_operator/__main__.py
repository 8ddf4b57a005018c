"""`python -m steelyard_operator`, which takes the same flags as `steelyard operator`."""

import asyncio
import os
import sys
from collections.abc import Sequence

import uvloop

from steelyard import logs
from steelyard.kube.errors import NotConfigured
from steelyard_operator import running, settings
from steelyard_operator.lease import LeadershipLost
from steelyard_operator.serving import CannotListen


def main(words: Sequence[str]) -> int:
    """Run the operator with these command-line words; the exit status."""
    return serve(settings.parse(words, os.environ))


def serve(chosen: settings.Settings) -> int:
    """Run the operator; 0 after an orderly stop, 1 when it cannot start or lost the lease."""
    logs.set_up(quiet=("kopf", "aiohttp", "asyncio"))
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(running.run(chosen, os.environ))
    except (NotConfigured, CannotListen, LeadershipLost, ExceptionGroup) as error:
        reason = _innermost(error)
        if not isinstance(reason, NotConfigured | CannotListen | LeadershipLost):
            raise
        sys.stderr.write(f"The operator stops: {reason}.\n")
        return 1
    return 0


def _innermost(error: BaseException) -> BaseException:
    """The first exception within groups of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
