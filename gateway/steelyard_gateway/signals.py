"""What an engine and its GPUs told of themselves, and how many requests of others follow from it.

A state machine without I/O and without a clock, one for each endpoint: time is an argument, in seconds.

Rule 1. Own requests are counted. Those of others are what the engine says that it works on and has waiting,
        less the own ones at that moment, of which the most are taken that were there while it was asked.
        Each time the mean of this and of what was reckoned before is taken: short requests come and go
        between two readings, and gateways that believed the last one would all go where it was low.
Rule 2. An engine that tells no queue but has GPUs of which somebody tells: others have one request there
        while a GPU works at `BUSY_PERCENT` or more, though no own request was there since the exporter's
        sample before this one. An exporter is read more often than it samples: what it tells again word for
        word is the same sample, of a time when an own request may have been at work.
Rule 3. What is older than its time is unknown: nothing is reckoned from it, and nobody is shown it.
"""

import math
from dataclasses import dataclass
from typing import Generic, TypeVar

from steelyard.telemetry import samples
from steelyard.telemetry.gpus import Gpu
from steelyard.telemetry.samples import EngineSample

BUSY_PERCENT = 90.0
"""From this utilisation on a GPU works for somebody: what an idle engine or a display takes is far below."""

SAME_SECONDS = 60.0
"""What an exporter tells again after so long is a sample of its own: dcgm-exporter has one each 30 s."""

NOT_ASKED = "was not asked"
"""Why nothing is known at first, or ever."""

_PARTS = 16
_HALF_PARTS = _PARTS // 2

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Known:
    """What was told of an endpoint, for people."""

    others: float
    """Requests of others that are reckoned to be there, in sixteenths."""
    sample: EngineSample | None
    """What its engine told; None: nothing, or too long ago."""
    sample_age_seconds: float | None
    """How long ago, be it too long; None: never."""
    sample_failure: str
    """Why it told nothing when it was asked last; empty: it told something."""
    gpus: tuple[Gpu, ...] | None
    """What was told of its GPUs; None likewise."""
    gpus_age_seconds: float | None
    """Likewise."""
    gpus_failure: str
    """Likewise."""


class Reading(Generic[_T]):
    """The last thing that was told, until it is too old."""

    __slots__ = ("_at", "_until", "failure", "value")

    value: _T | None
    """What was told; None: nothing, or too long ago."""
    failure: str
    """Why nothing was told when it was asked last, as the rest of a sentence; empty: something was."""

    def __init__(self) -> None:
        self.value = None
        self.failure = NOT_ASKED
        self._at: float | None = None
        self._until = math.inf

    def take(self, value: _T, now: float, valid_seconds: float) -> None:
        """It was told now."""
        self.value, self.failure = value, ""
        self._at, self._until = now, now + valid_seconds

    def expire(self, now: float) -> bool:
        """Forget what is too old; whether there was anything to forget."""
        if now < self._until:
            return False
        self.value, self._until = None, math.inf
        return True

    def age_seconds(self, now: float) -> float | None:
        """How long ago it was told, though it may be forgotten; None: never."""
        return None if self._at is None else now - self._at


class Signals:
    """The signals of one endpoint."""

    __slots__ = (
        "_by_engine", "_by_gpus", "_own_sampled", "_own_since", "_sampled_at", "engine", "gpus"
    )  # fmt: skip

    def __init__(self) -> None:
        self.engine: Reading[EngineSample] = Reading()
        """What its engine told."""
        self.gpus: Reading[tuple[Gpu, ...]] = Reading()
        """What was told of its GPUs."""
        self._by_engine: float | None = None
        self._by_gpus = 0
        self._sampled_at = -math.inf
        self._own_sampled = self._own_since = 0

    @property
    def others(self) -> float:
        """Requests of others that are reckoned to be there."""
        return self._by_gpus if self._by_engine is None else self._by_engine

    def sampled(self, sample: EngineSample, own: int, now: float, valid_seconds: float) -> None:
        """The engine told this; `own`: the most requests of ours that were there while it was asked."""
        self.engine.take(sample, now, valid_seconds)
        told = samples.activity(sample)
        now_there = None if told is None else max(told - own, 0)
        if now_there is None or self._by_engine is None:
            self._by_engine = now_there
        else:
            self._by_engine = round((self._by_engine + now_there) * _HALF_PARTS) / _PARTS

    def own_started(self) -> None:
        """A request of ours was sent there."""
        self._own_since = 1

    def gpus_told(self, gpus: tuple[Gpu, ...], own: int, now: float, valid_seconds: float) -> None:
        """An exporter told this of its GPUs; `own` likewise."""
        if gpus != self.gpus.value or now - self._sampled_at >= SAME_SECONDS:
            self._sampled_at = now
            self._own_sampled, self._own_since = max(self._own_since, own), 0
        self._own_since = max(self._own_since, own)
        self.gpus.take(gpus, now, valid_seconds)
        is_busy = any((gpu.utilization_percent or 0.0) >= BUSY_PERCENT for gpu in gpus)
        self._by_gpus = int(is_busy and not self._own_sampled)

    def known(self, now: float) -> Known:
        """All of it."""
        engine, gpus = self.engine, self.gpus
        return Known(
            self.others,
            engine.value,
            engine.age_seconds(now),
            engine.failure,
            gpus.value,
            gpus.age_seconds(now),
            gpus.failure,
        )

    def expire(self, now: float) -> bool:
        """Forget what is too old; whether there was any."""
        has_lost_engine, has_lost_gpus = self.engine.expire(now), self.gpus.expire(now)
        if has_lost_engine:
            self._by_engine = None
        if has_lost_gpus:
            self._by_gpus = 0
        return has_lost_engine or has_lost_gpus
