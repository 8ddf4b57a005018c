"""Reading an endpoint's GPUs while its model is measured.

Invariant: it is read between requests only, so that no time that is measured has a reading in it; an exporter
that fails or hangs costs a few seconds of the run, and nothing else.
"""

import asyncio
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

import httpx

from steelyard.routing import endpoints
from steelyard.telemetry import gpus
from steelyard_profiler import resources
from steelyard_profiler.resources import Sample
from steelyard_profiler.target import GpuSite

ANSWER_SECONDS = 2.0
"""How long an exporter may take."""

MOST_ANSWER_BYTES = 4 * 1024 * 1024
"""A longer answer is no exposition of one node."""

MOST_FAILURES = 3
"""After so many in a row it is not asked any more."""

SPARING_SECONDS = 1.0
"""Between two readings where nothing is timed."""


_PLAIN = {"accept-encoding": "identity"}


class Sampler:
    """Samples of one endpoint's GPUs, to be used as `async with`. Without a site there never is one."""

    def __init__(self, site: GpuSite | None) -> None:
        self.samples: list[Sample] = []
        """What was read, in order."""
        self._site = site
        self._failures = 0
        is_https = site is not None and site.url.startswith("https:")
        self._client = httpx.AsyncClient(
            verify=is_https, headers=_PLAIN, trust_env=False, timeout=ANSWER_SECONDS
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def take(self, *, sparing: bool = False) -> None:
        """Read once; `sparing`: unless that was done a moment ago."""
        if self._site is None or self._failures >= MOST_FAILURES:
            return
        if sparing and self.samples and time.monotonic() - self.samples[-1].at < SPARING_SECONDS:
            return
        answer, found = await self._answer(self._site.url), None
        if answer is not None:
            with suppress(gpus.NothingTold):
                found = resources.sample(gpus.read(answer), self._site.uuids, time.monotonic())
        self._failures = self._failures + 1 if found is None else 0
        if found is not None:
            self.samples.append(found)

    async def _answer(self, url: str) -> bytes | None:
        body = bytearray()
        try:
            exporter = endpoints.exporter(url)
            host = f"[{exporter.host}]" if ":" in exporter.host else exporter.host
            address = f"{exporter.scheme}://{host}:{exporter.port}{exporter.base_path}"
            async with asyncio.timeout(ANSWER_SECONDS), self._client.stream("GET", address) as response:
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > MOST_ANSWER_BYTES:
                        return None
        except (httpx.HTTPError, httpx.InvalidURL, endpoints.Unresolved, OSError):
            return None
        return bytes(body) if response.status_code == 200 else None
