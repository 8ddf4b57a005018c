"""Which of several operators is the active one: a Lease of the Kubernetes API.

Rule 1. A lease that nobody renewed for LEASE_SECONDS, as measured by the one who looks, is free: clocks of
        machines are not compared.
Rule 2. Who could not renew in DEADLINE_SECONDS is no leader any more and writes nothing: `check` is asked
        before each write, so a process that was stopped and goes on writes nothing either.
Rule 3. A lease that was there and is gone is free after LEASE_SECONDS, too: who held it may not know yet, and
        what is being removed is not made anew by those who are about to end. Where none was seen one is made.
Rule 4. The monotonic clock counts from before a renewal was sent, never from its answer.

A lease does not fence: a write may be under way as leadership ends. Therefore all writes are idempotent.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from steelyard.kube import errors, kinds
from steelyard.kube.client import Client
from steelyard.kube.kinds import Object

LEASE_SECONDS = 15
"""Another operator takes over after so long without a renewal."""

DEADLINE_SECONDS = 10.0
"""A leader that could not renew for so long is none any more."""

RETRY_SECONDS = 2.0
"""Between two looks, and between two renewals."""

_GONE = ("", "gone")
"""Stands for the record of a lease that is not there."""

logger = logging.getLogger(__name__)


class LeadershipLost(Exception):
    """This operator is not the active one any more; the process must end."""


@dataclass(frozen=True, slots=True)
class _Sighting:
    """The lease as it was seen to change last."""

    record: tuple[str, str]
    """Holder and time of renewal; _GONE: there was none."""
    seen_at: float
    """When, by the monotonic clock."""


class Lease:
    """One candidate for a Lease. The client must not have `check` as its guard: leases come before it."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        name: str,
        identity: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._clock = clock
        self._sleep = sleep
        self._sighting: _Sighting | None = None
        self._held_until = float("-inf")

    @property
    def is_held(self) -> bool:
        """Whether this operator is the active one now."""
        return self._clock() < self._held_until

    def check(self) -> None:
        """Raise LeadershipLost where this operator is not the active one."""
        if not self.is_held:
            raise LeadershipLost(f"the lease {self._namespace}/{self._name} was not renewed in time")

    async def acquire(self) -> None:
        """Wait until this operator is the active one."""
        logger.info("waiting for the lease", extra={"lease": self._name, "identity": self._identity})
        while True:
            if await self._tried():
                break
            await self._sleep(RETRY_SECONDS)
        logger.info("active", extra={"lease": self._name, "identity": self._identity})

    async def keep(self) -> None:
        """Renew for ever; raises LeadershipLost where that fails for too long or another one took over."""
        while True:
            await self._sleep(RETRY_SECONDS)
            self.check()
            if not await self._tried():
                self.check()

    async def release(self) -> None:
        """Leave the lease to the next one at once."""
        if not self.is_held:
            return
        self._held_until = float("-inf")
        try:
            async with asyncio.timeout(DEADLINE_SECONDS / 2):
                # Read anew: a renewal may have been under way when it was cancelled.
                found = await self._client.get(kinds.LEASE, self._namespace, self._name)
                if (found.get("spec") or {}).get("holderIdentity") == self._identity:
                    await self._client.replace(kinds.LEASE, self._with_spec(found, holder=""))
        except (errors.KubeError, TimeoutError) as error:
            logger.warning("lease not released", extra={"detail": str(error) or type(error).__name__})

    async def _tried(self) -> bool:
        """Whether it was taken or renewed just now."""
        began = self._clock()
        try:
            async with asyncio.timeout(DEADLINE_SECONDS / 2):
                taken = await self._take()
        except (errors.KubeError, TimeoutError) as error:
            logger.warning("lease not reached", extra={"detail": str(error) or type(error).__name__})
            return False
        if taken:
            self._held_until = began + DEADLINE_SECONDS
        return taken

    async def _take(self) -> bool:
        try:
            found = await self._client.get(kinds.LEASE, self._namespace, self._name)
        except errors.NotFound:
            if self._sighting is not None and not self._has_stood(_GONE, LEASE_SECONDS):
                return False
            new = {"metadata": {"name": self._name, "namespace": self._namespace}}
            await self._client.create(kinds.LEASE, self._with_spec(new, self._identity))
            return True
        if not self._is_free(found.get("spec") or {}):
            if self.is_held:
                self._held_until = float("-inf")  # another one took it: this one is too late
            return False
        await self._client.replace(kinds.LEASE, self._with_spec(found, self._identity))
        return True

    def _is_free(self, spec: dict[str, Any]) -> bool:
        holder = spec.get("holderIdentity") or ""
        seconds = spec.get("leaseDurationSeconds") or LEASE_SECONDS
        has_stood = self._has_stood((holder, str(spec.get("renewTime"))), seconds)
        return has_stood or holder in ("", self._identity)

    def _has_stood(self, record: tuple[str, str], seconds: float) -> bool:
        """Whether the lease was seen to be like this for so long."""
        now = self._clock()
        if self._sighting is None or self._sighting.record != record:
            self._sighting = _Sighting(record, now)
        return now - self._sighting.seen_at >= seconds

    def _with_spec(self, value: Object, holder: str) -> Object:
        before = value.get("spec") or {}
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        changed = holder != (before.get("holderIdentity") or "")
        spec = {
            "holderIdentity": holder,
            "leaseDurationSeconds": LEASE_SECONDS,
            "acquireTime": now if changed or not before.get("acquireTime") else before["acquireTime"],
            "renewTime": now,
            "leaseTransitions": (before.get("leaseTransitions") or 0) + (changed and bool(holder)),
        }
        return {**value, "spec": spec}
