"""The command line of the agent: serve until SIGTERM."""

import logging
import os
import sys
from collections.abc import Mapping, Sequence

from steelyard import logs, loops
from steelyard_agent import running, settings
from steelyard_agent.agent import Agent
from steelyard_agent.serving import CannotListen

logger = logging.getLogger(__name__)


def main(words: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """Run the agent with these command-line words; the exit status."""
    return serve(settings.parse(sys.argv[1:] if words is None else words, environment))


def serve(chosen: settings.Settings) -> int:
    """Run the agent; 0 after an orderly stop, 1 when it cannot listen."""
    logs.set_up(quiet=("asyncio",))
    agent = Agent(chosen)
    try:
        loops.run(lambda: running.run(agent, chosen))
    except CannotListen as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    if not agent.stop():
        # A call into the driver still hangs, perhaps with a lock that the library's own ending waits for.
        logger.warning("a call into the driver never returned")
        logging.shutdown()
        os._exit(0)
    return 0
