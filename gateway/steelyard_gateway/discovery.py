"""Asks engines for their models where nobody listed them.

In a cluster the operator writes what it finds into the backend's status; standalone, this stands in for it,
in memory only.
"""

import asyncio
import logging
from contextlib import suppress

from steelyard.api.backend import LLMBackend, ObservedModel
from steelyard.api.resources import Key
from steelyard.routing import endpoints
from steelyard.routing.table import Endpoint
from steelyard.telemetry import models
from steelyard_gateway import fetching
from steelyard_gateway.publishing import Publisher
from steelyard_gateway.upstream.client import Client

INTERVAL_SECONDS = 30.0
"""How often engines are asked: a model that was pulled shows up within this."""

RETRY_SECONDS = 5.0
"""How soon an engine that did not answer is asked again."""

LEAST_SECONDS = 1.0
"""Pause between two rounds, however often the resources change."""

ANSWER_SECONDS = 3.0
"""How long one may take to answer."""

logger = logging.getLogger(__name__)


class Discovery:
    """Keeps the publisher informed of the models of unlisted backends."""

    def __init__(self, publisher: Publisher, client: Client) -> None:
        self._publisher = publisher
        self._client = client
        self._silent: set[Key] = set()
        self._rounds = 0
        self.changed = asyncio.Event()
        """Set when the resources were replaced: ask at once."""

    async def run(self) -> None:
        """Ask again and again, for ever."""
        while True:
            await asyncio.sleep(LEAST_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(RETRY_SECONDS if self._silent else INTERVAL_SECONDS):
                    await self.changed.wait()
            await self.round()

    async def round(self) -> None:
        """Ask every such engine once, all at the same time."""
        self.changed.clear()
        backends = self._publisher.undiscovered()
        self._silent &= {(backend.namespace, backend.name) for backend in backends}
        self._rounds += 1
        answers = await asyncio.gather(*(self._ask(backend) for backend in backends))
        self._publisher.observe({key: found for key, found in answers if found is not None})

    async def _ask(self, backend: LLMBackend) -> tuple[Key, tuple[ObservedModel, ...] | None]:
        key = (backend.namespace, backend.name)
        try:
            resolved = endpoints.resolve(backend, self._publisher.resources)
        except endpoints.Unresolved:
            return key, None  # compile_table tells it
        if not resolved:
            return key, None  # likewise
        endpoint = resolved[self._rounds % len(resolved)]
        try:
            found = models.observed(await self._get_models(endpoint))
        except (fetching.NoAnswer, models.NotAModelList) as error:
            if key not in self._silent:
                logger.warning("models not told", extra=_fields(backend) | {"detail": str(error)})
            self._silent.add(key)
            return key, None
        self._silent.discard(key)
        return key, found

    async def _get_models(self, endpoint: Endpoint) -> bytes:
        path, most_bytes = f"{endpoint.base_path}/models", models.MOST_ANSWER_BYTES
        return await fetching.get(self._client, endpoint, path, seconds=ANSWER_SECONDS, most_bytes=most_bytes)


def _fields(backend: LLMBackend) -> dict[str, str]:
    return {"namespace": backend.namespace, "backend": backend.name}
