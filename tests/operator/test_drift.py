"""When a model has drifted, by what gateways saw of it: sustained, by enough streams, with hysteresis."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from steelyard_operator import drift
from steelyard_operator.drift import Compared, Drift, Phase, Verdict, Watch

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
MINUTE = 60.0
MANY = drift.LEAST_REQUESTS


@dataclass
class Seen:
    """A watch, and the minutes that go by."""

    percent: int = 50
    phase: Phase = Phase.FIRST_BYTE
    now: float = 0.0
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self.watch = Watch(AT, self.percent)

    def minutes(self, number: int, ratio: float = 1.0, requests: int = MANY) -> Verdict:
        """So many looks, each at so many streams that took so many times the expected; what is known then."""
        for _ in range(number):
            began, self.now = self.now, self.now + MINUTE
            seen = {self.phase: Compared(requests, requests * ratio, requests)} if requests else {}
            self.watch = self.watch.seeing(seen, began, self.now)
        return self.watch.drift.verdict


@pytest.mark.parametrize(
    ("phase", "ratio", "verdict"),
    [
        (Phase.FIRST_BYTE, 1.6, Verdict.DRIFTED),
        (Phase.FIRST_BYTE, 1.4, Verdict.UNDECIDED),
        (Phase.FIRST_BYTE, 1.2, Verdict.STEADY),
        (Phase.FIRST_BYTE, 0.1, Verdict.STEADY),  # caches
        (Phase.DECODING, 1 / 0.45, Verdict.DRIFTED),
        (Phase.DECODING, 1 / 0.6, Verdict.UNDECIDED),
        (Phase.DECODING, 1 / 0.8, Verdict.STEADY),
        (Phase.DECODING, 1 / 1.2, Verdict.STEADY),
        (Phase.DECODING, 1 / 1.4, Verdict.UNDECIDED),
        (Phase.DECODING, 1 / 1.6, Verdict.DRIFTED),
    ],
)
def test_what_lies_outside_the_percentage_for_long_has_drifted(
    phase: Phase, ratio: float, verdict: Verdict
) -> None:
    assert Seen(phase=phase).minutes(15, ratio) is verdict


def test_a_wider_percentage_allows_more() -> None:
    assert Seen(percent=200).minutes(15, 2.5) is Verdict.UNDECIDED
    assert Seen(percent=200).minutes(15, 3.5) is Verdict.DRIFTED


def test_it_has_drifted_after_ten_minutes_and_not_before() -> None:
    seen = Seen()
    assert seen.minutes(9, 3.0) is Verdict.UNDECIDED
    assert seen.minutes(1, 3.0) is Verdict.DRIFTED


def test_one_good_minute_begins_the_count_anew() -> None:
    seen = Seen()
    seen.minutes(9, 3.0)
    seen.minutes(1, 1.0)
    assert seen.minutes(9, 3.0) is Verdict.UNDECIDED
    assert seen.minutes(1, 3.0) is Verdict.DRIFTED


def test_one_outlier_is_no_drift_however_large() -> None:
    seen = Seen()
    for _ in range(20):
        seen.minutes(1, 19.0)
        assert seen.minutes(2, 1.0) is not Verdict.DRIFTED


def test_it_is_back_after_as_long_well_within_and_not_between() -> None:
    seen = Seen()
    seen.minutes(10, 3.0)
    assert seen.minutes(60, 1.4) is Verdict.DRIFTED, "between the two bands nothing changes"
    assert seen.minutes(9, 1.1) is Verdict.DRIFTED
    assert seen.minutes(1, 1.1) is Verdict.STEADY
    assert seen.minutes(60, 1.4) is Verdict.STEADY


def test_few_streams_are_judged_together_within_an_hour() -> None:
    seen = Seen()
    assert seen.minutes(3 * MANY - 1, 3.0, requests=1) is Verdict.UNDECIDED
    assert seen.minutes(1, 3.0, requests=1) is Verdict.DRIFTED


def test_streams_that_took_longer_than_an_hour_to_come_are_not_judged() -> None:
    seen = Seen()
    for _ in range(10 * MANY):
        seen.minutes(9, requests=0)
        assert seen.minutes(1, 3.0, requests=1) is Verdict.UNDECIDED


def test_without_traffic_what_is_known_stands() -> None:
    seen = Seen()
    assert seen.minutes(600, requests=0) is Verdict.UNDECIDED
    seen.minutes(10, 3.0)
    assert seen.minutes(600, requests=0) is Verdict.DRIFTED


def test_a_pause_of_hours_is_no_part_of_a_drift() -> None:
    seen = Seen()
    seen.minutes(5, 3.0)
    seen.minutes(1, 3.0, requests=1)
    seen.minutes(120, requests=0)
    assert seen.minutes(2, 3.0) is Verdict.UNDECIDED


def test_either_phase_is_a_drift_and_is_told_as_it_showed_first() -> None:
    watch, now = Watch(AT, 50), 0.0
    for _ in range(12):
        both = {Phase.FIRST_BYTE: Compared(MANY, 2.0, 1.0), Phase.DECODING: Compared(MANY, 4.0, 1.0)}
        watch, now = watch.seeing(both, now, now + MINUTE), now + MINUTE
    words = "The first byte comes 2.0 times as late as measured. Tokens come at 25 % of the measured speed."
    assert watch.drift == Drift(AT, Verdict.DRIFTED, words)
    for _ in range(5):
        watch, now = watch.seeing({Phase.DECODING: Compared(MANY, 9.0, 1.0)}, now, now + MINUTE), now + MINUTE
    assert watch.drift.words == words, "a status is no heartbeat"


def test_counters_that_fell_began_anew() -> None:
    earlier = Compared(10, 20.0, 5.0)
    assert Compared(12, 24.0, 6.0).since(earlier) == Compared(2, 4.0, 1.0)
    assert Compared(3, 4.0, 1.0).since(earlier) is None
