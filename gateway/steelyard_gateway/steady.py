"""Work that goes on for as long as the gateway does: what goes wrong with it is logged, not died of."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

PAUSE_SECONDS = 1.0
"""Before what failed is begun anew."""

logger = logging.getLogger(__name__)


async def steadily(work: Callable[[], Awaitable[None]], name: str) -> None:
    """Do it to its end; begin anew, after a pause, where it fails."""
    while True:
        try:
            return await work()
        except Exception:
            logger.exception("helper failed, begun anew", extra={"helper": name})
        await asyncio.sleep(PAUSE_SECONDS)
