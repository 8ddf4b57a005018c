"""Sampler: takes a sample again and again, in a thread of its own, as what it asks may hang for ever.

Rule 1: `latest` never waits. Rule 2: a sample is of use for three intervals; then it is absent, not repeated.
Rule 3: whatever goes wrong, the next try is one interval away.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

FRESH_INTERVALS = 3
"""A sample that is older than so many intervals says nothing about now."""

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Unavailable(Exception):
    """There is nothing to take at present; the message is a sentence for people."""

    needs_restart = False
    """Whether only a fresh process can get out of it."""


@dataclass(frozen=True, slots=True)
class _Taken(Generic[T]):
    """The newest sample."""

    value: T
    at: float
    """When it was taken, by the sampler's clock."""


class Sampler(Generic[T]):
    """What `take` gave last. `close` is called in the same thread at the end."""

    def __init__(
        self,
        name: str,
        take: Callable[[], T],
        close: Callable[[], None],
        interval_seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._take = take
        self._close = close
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._taken: _Taken[T] | None = None
        self._trouble: Unavailable | None = None
        self._began: float | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, seconds: float) -> bool:
        """End within so many seconds; whether it did."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(seconds)
        return not self._thread.is_alive()

    @property
    def latest(self) -> T | None:
        """The newest sample; None where there is none that is fresh."""
        taken = self._taken
        return taken.value if taken is not None and self._age(taken.at) <= self._fresh_seconds else None

    @property
    def trouble(self) -> Unavailable | None:
        """Why the last try gave nothing; None while all is well."""
        return self._trouble

    @property
    def hanging_seconds(self) -> float:
        """For how long the call under way has not returned; 0 while that is nothing unusual."""
        began = self._began
        seconds = 0.0 if began is None else self._age(began)
        return seconds if seconds > self._fresh_seconds else 0.0

    def take(self) -> None:
        """Take one sample now."""
        self._began = self._clock()
        try:
            value = self._take()
            self._taken, self._trouble = _Taken(value, self._clock()), None
        except Unavailable as trouble:
            self._trouble = trouble
        except Exception as error:
            logger.exception("a sample could not be taken", extra={"sampler": self._thread.name})
            self._trouble = Unavailable(f"The agent has a fault: {type(error).__name__}.")
        finally:
            self._began = None

    @property
    def _fresh_seconds(self) -> float:
        return FRESH_INTERVALS * self._interval_seconds

    def _age(self, moment: float) -> float:
        return self._clock() - moment

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.take()
            self._stopping.wait(self._interval_seconds)
        self._close()
