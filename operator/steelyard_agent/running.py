"""The agent from start to stop: take readings, serve them, tell when they cease or come back.

Invariant: a log line is written when something changed, never because it went on.
"""

import asyncio
import logging
import signal

from steelyard_agent.agent import Agent, Health
from steelyard_agent.serving import Serving
from steelyard_agent.settings import Settings

logger = logging.getLogger(__name__)


async def run(agent: Agent, settings: Settings) -> None:
    """Serve until SIGTERM. Raises CannotListen."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Serving(agent, settings.host, settings.port) as serving:
        agent.start()
        logger.info("listening", extra={"port": serving.port})
        told = Told()
        while not stop.is_set():
            told.tell(agent.health())
            await _first(stop, settings.interval_seconds)


class Told:
    """What the log says of the GPUs and pods by now."""

    def __init__(self) -> None:
        self._gpus: tuple[object, ...] = ()
        self._pods_problem = ""

    def tell(self, health: Health) -> None:
        """Write what is new."""
        gpus = (health.problem, health.gpus, health.driver)
        if gpus != self._gpus and (health.problem or health.gpus):
            if not health.problem:
                logger.info("GPUs are told of", extra={"gpus": health.gpus, "driver": health.driver})
            elif self._gpus[:1] != (health.problem,):
                logger.warning("GPUs cannot be told of", extra={"detail": health.problem})
            self._gpus = gpus
        if health.pods_problem != self._pods_problem:
            self._pods_problem = health.pods_problem
            if self._pods_problem:
                logger.warning("it is not known who has the GPUs", extra={"detail": self._pods_problem})
            else:
                logger.info("it is known again who has the GPUs")


async def _first(stop: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until told to stop."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
