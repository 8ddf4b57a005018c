"""What the API server holds of a kind, followed for ever: all of it first, then each change.

Rule 1. A cut goes on from the last version that was heard; what is no longer known there is listed anew.
Rule 2. Failures are waited out, the longer the more in a row, with jitter. None of them ends a follow.
Rule 3. An outage is one line in the log, and its end another. A cut that mends at the first try is none.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass

from steelyard.kube import errors
from steelyard.kube.client import Client
from steelyard.kube.kinds import Kind, Object

SHORT_SECONDS = 1.0
"""A watch that ends sooner and told nothing counts as a failure."""

_PASSING = (errors.Unauthorized, errors.Forbidden, errors.TooMany, errors.ServerFault)
"""Refusals that say nothing of the version."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Replaced:
    """These objects are all there are."""

    objects: tuple[Object, ...]
    """The objects."""


@dataclass(frozen=True, slots=True)
class Put:
    """An object is new or changed."""

    object: Object
    """As it is now."""


@dataclass(frozen=True, slots=True)
class Removed:
    """An object is gone."""

    object: Object
    """As it was last."""


Change = Replaced | Put | Removed
"""What happened."""


@dataclass(slots=True)
class Freshness:
    """How current it is what a follow has told."""

    connected: bool = False
    """Whether changes are being told now."""
    heard_at: float | None = None
    """When the API server was last heard, by time.monotonic(); None: never."""
    failure: str = ""
    """Why nothing can be told now; empty while it can."""

    def age_seconds(self, now: float) -> float | None:
        """How long nothing was heard. The API server says each minute that nothing happened."""
        return None if self.heard_at is None else max(now - self.heard_at, 0.0)


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient a follow is."""

    watch_seconds: float = 240.0
    """How long one watch goes on; up to a quarter more is added, so that watches do not end together."""
    margin_seconds: float = 15.0
    """How much later than that an end may come before silence is a cut."""
    first_pause_seconds: float = 0.5
    """The longest pause after one failure; it doubles with each further one, and half of it is jitter."""
    longest_pause_seconds: float = 15.0
    """The longest pause after any number of failures."""

    def pause_seconds(self, failures: int) -> float:
        """How long to wait after so many failures in a row."""
        if failures == 0:
            return 0.0
        doubled: float = self.first_pause_seconds * 2 ** min(failures - 1, 16)
        return min(doubled, self.longest_pause_seconds) * random.uniform(0.5, 1.0)


async def follow(
    client: Client,
    kind: Kind,
    namespace: str | None,
    label_selector: str = "",
    field_selector: str = "",
    *,
    freshness: Freshness | None = None,
    pace: Pace | None = None,
) -> AsyncGenerator[Change, None]:
    """What is there and all that happens to it, in a namespace or in all of them (None). It never ends."""
    following = _Following(
        client, kind, namespace, (label_selector, field_selector), freshness or Freshness(), pace or Pace()
    )
    while True:
        async with aclosing(following.turn()) as changes:
            async for change in changes:
                yield change
                del change  # it may hold all objects there are, and the next may be long in coming
        await asyncio.sleep(following.pace.pause_seconds(following.failures))


@dataclass(slots=True)
class _Following:
    """A follow between two turns."""

    client: Client
    kind: Kind
    namespace: str | None
    selectors: tuple[str, str]
    """By labels and by fields."""
    freshness: Freshness
    pace: Pace
    version: str = ""
    """Up to where all was told; empty: nothing was, or it is no longer known."""
    failures: int = 0
    """Turns in a row that were of no use."""
    told: type[errors.KubeError] | None = None
    """What the log says of the outage that lasts."""
    opened_at: float | None = None
    """When this turn's watch began."""
    heard: bool = False
    """Whether this turn's watch told anything."""

    async def turn(self) -> AsyncGenerator[Change, None]:
        """Changes until the next end or cut: a list where needed, and one watch."""
        self.opened_at, self.heard = None, False
        try:
            if not self.version:
                yield await self._list()
            async with self._watch() as events:
                self._opened()
                async for event in events:
                    change = self._take(event)
                    if change is not None:
                        yield change
            if not self._was_of_use():
                raise errors.Unreachable("the watch was ended at once")
            self.failures = 0
        except errors.KubeError as error:
            self._failed(error)
        finally:
            self.freshness.connected = False

    async def _list(self) -> Replaced:
        listing = await self.client.list(self.kind, self.namespace, *self.selectors)
        self.version = listing.resource_version
        self.freshness.heard_at = time.monotonic()
        return Replaced(listing.items)

    def _watch(self) -> AbstractAsyncContextManager[AsyncIterator[Object]]:
        label_selector, field_selector = self.selectors
        return self.client.watch(
            self.kind,
            self.namespace,
            resource_version=self.version,
            timeout_seconds=self.pace.watch_seconds * random.uniform(1.0, 1.25),
            margin_seconds=self.pace.margin_seconds,
            label_selector=label_selector,
            field_selector=field_selector,
        )

    def _opened(self) -> None:
        self.opened_at = self.freshness.heard_at = time.monotonic()
        self.freshness.connected, self.freshness.failure = True, ""
        if self.told is not None:
            logger.info("kind is followed again", extra=self._fields())
            self.told = None

    def _take(self, event: Object) -> Change | None:
        """What an event tells; None where nothing happened to an object."""
        self.freshness.heard_at = time.monotonic()
        found: Object = event.get("object") or {}
        if event.get("type") == "ERROR":
            self.version = ""
            raise errors.refused_by(found)
        self.heard = True
        self.version = (found.get("metadata") or {}).get("resourceVersion") or self.version
        match event.get("type"):
            case "ADDED" | "MODIFIED":
                return Put(found)
            case "DELETED":
                return Removed(found)
        return None

    def _was_of_use(self) -> bool:
        if self.opened_at is None:
            return False
        return self.heard or time.monotonic() - self.opened_at >= SHORT_SECONDS

    def _failed(self, error: errors.KubeError) -> None:
        self.freshness.failure = str(error)
        self.failures = 1 if self._was_of_use() else self.failures + 1
        if isinstance(error, errors.Refused) and not isinstance(error, _PASSING):
            self.version = ""
        mends = isinstance(error, errors.Gone) or self.opened_at is not None
        if self.told is not type(error) and not (mends and self.failures == 1):
            logger.warning("kind cannot be followed", extra=self._fields() | {"detail": str(error)})
            self.told = type(error)

    def _fields(self) -> dict[str, str]:
        return {"kind": self.kind.kind, "namespace": self.namespace or "all"}
