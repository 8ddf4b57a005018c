"""When an endpoint is left alone: after failures, after many errors, and while it is slower than measured.

State machines without I/O and without a clock: time is an argument, in seconds.

Rule 1. Closed: requests come. Open until a time: others come first. Half-open after that time, or as soon as
        it is known to be back: one request in each such time is let through as a probe; its success closes,
        its failure doubles the time.
Rule 2. A failure opens for a moment, and any answer closes. More than half of the last results bad, of at
        least `LEAST_SAMPLES`, opens for longer; then only a probe closes, or several good answers.
Rule 3. Slow is a first byte later than `SLOW_RATIO` times the expected. Where nothing is expected, because
        there is no profile, nothing is judged: balancing by load sends a slow endpoint less anyway.
Rule 4. Slow endpoints are judged beside their peers (`eject_slow`): in no model more than half are away.
Invariant: a good answer of a closed breaker costs some shifts of integers, whatever the number of endpoints.
"""

from collections.abc import Sequence
from enum import StrEnum

WINDOW_SAMPLES = 40
"""So many of the last samples count: a change shows after half of them."""

LEAST_SAMPLES = 20
"""Nothing is judged by fewer."""

ENOUGH_SAMPLES = LEAST_SAMPLES // 2
"""So many show that an endpoint is fine: to spare one takes less than to eject one."""

SLOW_RATIO = 4.0
"""A first byte is slow above so many times the expected time."""

MOST_RATIO = 100.0
"""A single sample counts no more in the mean."""

RATIO_SHARE = 0.1
"""What a sample adds to the moving mean: about the last ten count."""

FIRST_REST_SECONDS = 1.0
"""Pause after one failure; it doubles with each further one."""

LONGEST_REST_SECONDS = 30.0
"""The longest pause: so late is it noticed at worst that an endpoint is well again."""

EJECTION_STRIKES = 4
"""An ejection begins with the pause of the fourth failure in a row: 8 s."""

PROBED_STRIKES = 3
"""From so many failures in a row on, one request at a time tries whether it is over."""

FORGIVEN_SECONDS = 120.0
"""An ejection that comes later after the last one begins anew with the shortest pause."""

REJUDGED_SECONDS = 1.0
"""A slow endpoint is compared with its peers at most so often: they may be a thousand."""

MOST_FAULTS = 64
"""So many requests that got a 500 are remembered."""


class Circuit(StrEnum):
    """Whether requests are let through."""

    CLOSED = "Closed"
    """All."""
    OPEN = "Open"
    """Only those that nobody else takes."""
    HALF_OPEN = "HalfOpen"
    """One now and then, as a probe."""


class Cause(StrEnum):
    """Why a breaker is not closed."""

    FAILURES = "Failures"
    """It failed just now."""
    ERRORS = "Errors"
    """More than half of its last results were failures."""
    SLOWNESS = "Slowness"
    """More than half of its last first bytes came later than four times the expected."""


class Window:
    """The last samples, good or bad."""

    __slots__ = ("_bits", "count", "is_clean")

    is_clean: bool
    """Whether it is full of good samples, so that one more changes nothing."""

    def __init__(self) -> None:
        self._bits = 0
        self.count = 0
        self.is_clean = False

    def add(self, bad: bool) -> None:
        """Add a sample; the oldest falls out."""
        self._bits = (self._bits << 1 | bad) & _MASK
        if self.count < WINDOW_SAMPLES:
            self.count += 1
        self.is_clean = not self._bits and self.count == WINDOW_SAMPLES

    def clear(self) -> None:
        """Begin anew."""
        self._bits = 0
        self.count = 0
        self.is_clean = False

    def is_bad(self) -> bool:
        """Whether there are enough samples and more than half are bad."""
        return self.count >= LEAST_SAMPLES and self._bits.bit_count() * 2 > self.count

    def is_fine(self) -> bool:
        """Whether there are some samples and at least half are good."""
        return self.count >= ENOUGH_SAMPLES and self._bits.bit_count() * 2 <= self.count


class Breaker:
    """The health of one endpoint."""

    __slots__ = (
        "_closed_at", "_closed_strikes", "_faults", "_judged_at", "_probing", "_results", "_slowness",
        "_strikes", "cause", "failures", "ratio", "until",
    )  # fmt: skip

    cause: Cause | None
    """Why it is not closed; None: it is."""
    failures: int
    """In a row."""
    ratio: float
    """Moving mean of actual ÷ expected time to the first byte; 0: not known."""
    until: float
    """Others come first until then; 0: closed."""

    def __init__(self) -> None:
        self.cause = None
        self.failures = 0
        self.ratio = self.until = 0.0
        self._results, self._slowness = Window(), Window()
        self._faults: set[int] = set()
        self._strikes = self._closed_strikes = 0
        self._probing = False
        self._closed_at = self._judged_at = float("-inf")

    def circuit(self, now: float) -> Circuit:
        """Whether requests are let through."""
        if self.cause is None:
            return Circuit.CLOSED
        return Circuit.HALF_OPEN if self._probing or now >= self.until else Circuit.OPEN

    def started(self, now: float) -> None:
        """A request was sent while this is not closed: after its time a probe, the only one for as long."""
        if now >= self.until and self._strikes >= PROBED_STRIKES:
            self._probing = True
            self.until = now + self._pause()

    def is_back(self, now: float) -> None:
        """It was away, and somebody else got an answer: half-open, if it is not closed."""
        if self.cause is not None:
            self.until = min(self.until, now)

    def answered(self, now: float, ratio: float) -> bool:
        """It gave an answer that is no failure of its own; whether it should be compared with its peers.

        `ratio` is actual ÷ expected time to the first byte; 0: not judged.
        """
        slow = ratio > SLOW_RATIO
        if ratio:
            if slow or not self._slowness.is_clean:
                self._slowness.add(slow)
            mean, sample = self.ratio, ratio if ratio < MOST_RATIO else MOST_RATIO
            self.ratio = mean + (sample - mean) * RATIO_SHARE if mean else sample
        if not self._results.is_clean:
            self._results.add(False)
        if self.cause is not None:
            self._answered_while_open(now, slow)
        elif slow and self._slowness.is_bad() and now - self._judged_at >= REJUDGED_SECONDS:
            self._judged_at = now
            return True
        return False

    def failed(self, now: float) -> None:
        """It failed."""
        self.failures += 1
        self._results.add(True)
        self._went_wrong(now)

    def faulted(self, now: float, request_key: int) -> None:
        """It answered 500 to the request of this key: a failure only if most requests get one."""
        if request_key in self._faults:
            return
        if len(self._faults) >= MOST_FAULTS:
            self._faults.clear()
        self._faults.add(request_key)
        self._results.add(True)
        if self._results.is_bad() or self.cause is Cause.ERRORS:
            self._went_wrong(now)

    def eject(self, now: float, cause: Cause) -> None:
        """Open for longer than after a failure."""
        lately = self._closed_strikes if now - self._closed_at <= FORGIVEN_SECONDS else 0
        self._strikes = max(self._strikes, EJECTION_STRIKES - 1, lately)
        self._open(now, cause)

    def close(self, now: float) -> None:
        """Let all requests through, and judge anew."""
        if self.cause is not Cause.FAILURES:
            self._closed_at, self._closed_strikes = now, self._strikes
            self.forget()
        self.cause = None
        self.failures = self._strikes = 0
        self.until = 0.0
        self._probing = False

    def forget(self) -> None:
        """Drop all samples: they say nothing of now."""
        self._results.clear()
        self._slowness.clear()
        self._faults.clear()

    def is_fine(self) -> bool:
        """Whether requests come here and their first bytes come in time."""
        return self.cause is None and self._slowness.is_fine()

    def _answered_while_open(self, now: float, slow: bool) -> None:
        window = self._slowness if self.cause is Cause.SLOWNESS else self._results
        is_probe = self._probing or now >= self.until
        if is_probe and slow and self.cause is Cause.SLOWNESS:
            self._open(now, self.cause)
        elif is_probe or self.cause is Cause.FAILURES or window.is_fine():
            self.close(now)

    def _went_wrong(self, now: float) -> None:
        is_ejected = self.cause is not None and self.cause is not Cause.FAILURES
        if not is_ejected and self._results.is_bad():
            self.eject(now, Cause.ERRORS)
        elif self._probing or now >= self.until:
            self._open(now, self.cause or Cause.FAILURES)

    def _open(self, now: float, cause: Cause) -> None:
        self.cause = cause
        self._strikes += 1
        self._probing = False
        self.until = now + self._pause()
        if cause is not Cause.FAILURES:
            self.forget()

    def _pause(self) -> float:
        return min(FIRST_REST_SECONDS * (1 << min(self._strikes - 1, 10)), LONGEST_REST_SECONDS)


def eject_slow(slow: Breaker, groups: Sequence[Sequence[Breaker]], now: float) -> bool:
    """Eject this slow one, if its peers allow it; whether it was.

    `groups` has the endpoints of each model that it serves, itself included. It stays where no other one of a
    model is known to be fine: if all are slow, none is ejected, and those that were come back. Where half are
    away already, it takes the place of one that is less slow, or stays.
    """
    for group in groups:
        if not any(one.is_fine() for one in group):
            for one in group:
                if one.cause is Cause.SLOWNESS:
                    one.close(now)
            return False
    spared: list[Breaker] = []
    for group in groups:
        away = [one for one in group if one.cause is not None and one not in spared]
        if (len(away) + 1) * 2 > len(group):
            milder = [one for one in away if one.cause is Cause.SLOWNESS and one.ratio < slow.ratio]
            if not milder or len(away) * 2 > len(group):
                return False
            spared.append(min(milder, key=lambda one: one.ratio))
    for one in spared:
        one.close(now)
    if groups:
        slow.eject(now, Cause.SLOWNESS)
    return bool(groups)


_MASK = (1 << WINDOW_SAMPLES) - 1
