"""Whether a model still answers as fast as was measured, by what gateways saw. Pure: time is an argument.

Gateways count streams beside what the profile lets expect at their prompt's length and their endpoint's load
(`steelyard_compared_…`). Two phases are judged apart: the time to the first byte, for which only later
counts, since cached prompts are rightly sooner, and tokens per second, for which either way does.

Rule 1. What is seen is judged in slices of at least `LEAST_REQUESTS` streams and at most `LONGEST_SECONDS`; a
        model with fewer is not judged.
Rule 2. It has drifted when at least `LEAST_SLICES` slices in a row, over `SUSTAINED_SECONDS`, were outside.
Rule 3. It is back when as many, as long, were within half of what is allowed; what lies between changes
        nothing.
Invariant: nothing seen is UNDECIDED, and never a drift.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

LEAST_REQUESTS = 20
"""Streams of a slice: fewer say more of chance than of the engine."""

LONGEST_SECONDS = 3600.0
"""A slice that took longer is let go: what it holds is no one time's."""

LEAST_SLICES = 3
"""In a row, so that one outlier is none."""

SUSTAINED_SECONDS = 600.0
"""So long must they last: a burst of long prompts passes sooner."""


class Phase(StrEnum):
    """A part of a stream's time, as the label `phase` of the gateways' metrics has it."""

    FIRST_BYTE = "first_byte"
    """Until the first byte."""
    DECODING = "decoding"
    """From there to the end."""


class Verdict(StrEnum):
    """What is known of a model's drift."""

    UNDECIDED = "Undecided"
    """Too little was seen, or not for long enough: what was said before stands."""
    STEADY = "Steady"
    """It is as fast as measured."""
    DRIFTED = "Drifted"
    """It is not."""
    UNREACHABLE = "Unreachable"
    """No gateway tells: nothing is known, and nothing stands."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Sums over streams."""

    requests: float = 0.0
    """How many there were."""
    actual_seconds: float = 0.0
    """What they took."""
    expected_seconds: float = 0.0
    """What they were to take."""

    def plus(self, other: "Compared") -> "Compared":
        """Both."""
        return Compared(
            self.requests + other.requests,
            self.actual_seconds + other.actual_seconds,
            self.expected_seconds + other.expected_seconds,
        )

    def since(self, earlier: "Compared") -> "Compared | None":
        """What came since an earlier reading of the same counters; None where they began anew."""
        more = Compared(
            self.requests - earlier.requests,
            self.actual_seconds - earlier.actual_seconds,
            self.expected_seconds - earlier.expected_seconds,
        )
        return more if min(more.requests, more.actual_seconds, more.expected_seconds) >= 0 else None


@dataclass(frozen=True, slots=True)
class Drift:
    """What a profile's plan is told."""

    measured_at: datetime | None = None
    """The measurement that it is about."""
    verdict: Verdict = Verdict.UNDECIDED
    """What is known."""
    words: str = ""
    """Of a drift: how it showed first, in a sentence."""


@dataclass(frozen=True, slots=True)
class _Track:
    """One phase of one model."""

    slice: Compared = Compared()
    """The slice in the making."""
    slice_since: float | None = None
    side: Verdict = Verdict.UNDECIDED
    """Where the last slices were: DRIFTED outside, STEADY well within, UNDECIDED between."""
    side_since: float = 0.0
    side_slices: int = 0
    verdict: Verdict = Verdict.UNDECIDED
    words: str = ""


@dataclass(frozen=True, slots=True)
class Watch:
    """What was seen of one profile's model since it was measured."""

    measured_at: datetime
    """The measurement."""
    percent: int
    """spec.refresh.driftPercent."""
    tracks: Mapping[Phase, _Track] = field(default_factory=dict)
    """By phase."""

    def seeing(self, seen: Mapping[Phase, Compared], began: float, now: float) -> "Watch":
        """The watch after a look that began and ended at these seconds."""
        tracks = {
            phase: _after(self.tracks.get(phase, _Track()), seen.get(phase), phase, self.percent, began, now)
            for phase in Phase
        }
        return replace(self, tracks=tracks)

    @property
    def drift(self) -> Drift:
        """What is known: a drift of either phase is one, and only what was judged is steady."""
        every = list(self.tracks.values())
        drifted = [track for track in every if track.verdict is Verdict.DRIFTED]
        if drifted:
            return Drift(self.measured_at, Verdict.DRIFTED, " ".join(track.words for track in drifted))
        steady = any(track.verdict is Verdict.STEADY for track in every)
        return Drift(self.measured_at, Verdict.STEADY if steady else Verdict.UNDECIDED)


def _after(
    track: _Track, seen: Compared | None, phase: Phase, percent: int, began: float, now: float
) -> _Track:
    if track.slice_since is not None and now - track.slice_since > LONGEST_SECONDS:
        track = replace(track, slice=Compared(), slice_since=None, side=Verdict.UNDECIDED, side_slices=0)
    if seen is None or seen.requests <= 0:
        return track
    whole = track.slice.plus(seen)
    since = began if track.slice_since is None else track.slice_since
    if whole.requests < LEAST_REQUESTS or whole.expected_seconds <= 0 or whole.actual_seconds <= 0:
        return replace(track, slice=whole, slice_since=since)
    ratio = whole.actual_seconds / whole.expected_seconds
    side = _side(ratio, phase, percent)
    same = side is track.side and side is not Verdict.UNDECIDED
    track = replace(
        track,
        slice=Compared(),
        slice_since=None,
        side=side,
        side_since=track.side_since if same else since,
        side_slices=track.side_slices + 1 if same else 1,
    )
    is_sustained = track.side_slices >= LEAST_SLICES and now - track.side_since >= SUSTAINED_SECONDS
    if not is_sustained or side is track.verdict or side is Verdict.UNDECIDED:
        return track
    return replace(track, verdict=side, words=_words(ratio, phase) if side is Verdict.DRIFTED else "")


def _side(ratio: float, phase: Phase, percent: int) -> Verdict:
    """Where a slice is, of which the time was so many times the expected."""
    if _is_outside(ratio, phase, percent):
        return Verdict.DRIFTED
    return Verdict.UNDECIDED if _is_outside(ratio, phase, percent / 2) else Verdict.STEADY


def _is_outside(ratio: float, phase: Phase, percent: float) -> bool:
    """Whether the time to the first byte is so much longer, or tokens per second so many more or fewer."""
    if phase is Phase.FIRST_BYTE:
        return ratio > 1 + percent / 100
    return abs(1 / ratio - 1) > percent / 100


def _words(ratio: float, phase: Phase) -> str:
    if phase is Phase.FIRST_BYTE:
        return f"The first byte comes {ratio:.1f} times as late as measured."
    return f"Tokens come at {100 / ratio:.0f} % of the measured speed."
