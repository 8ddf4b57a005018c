"""Who is asked when, by a clock that moves when told."""

import random
from collections import Counter
from itertools import pairwise

import pytest

from steelyard_gateway.pace import BEGIN_SECONDS, JITTER, LONGEST_SECONDS, Pace, Turn

TICK_SECONDS = 0.125


class Asked:
    """A pace whose turns end at once, well or not, and how often each was taken."""

    def __init__(self, **intervals: float) -> None:
        self.pace = Pace(random.Random(1).random)
        self.now = 0.0
        self.times: dict[str, list[float]] = {name: [] for name in intervals}
        self.failing: set[str] = set()
        self.pace.follow(intervals, self.now)

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            for turn in self.pace.take_due(self.now):
                self.times[turn.name].append(self.now)
                self.pace.finished(turn, self.now, well=turn.name not in self.failing)
            self.now += TICK_SECONDS

    def gaps(self, name: str) -> list[float]:
        times = self.times[name]
        return [later - earlier for earlier, later in pairwise(times)]

    def take(self) -> Turn:
        """The turn of the only one, when it comes."""
        while not (found := self.pace.take_due(self.now)):
            self.now += TICK_SECONDS
        (turn,) = found
        return turn


def test_each_is_asked_in_its_own_interval_up_to_the_jitter_longer() -> None:
    asked = Asked(often=2.0, seldom=30.0)
    asked.wait(600)
    for name, interval in (("often", 2.0), ("seldom", 30.0)):
        gaps = asked.gaps(name)
        assert min(gaps) >= interval - TICK_SECONDS
        assert max(gaps) <= interval * (1 + JITTER) + TICK_SECONDS
        assert len(set(gaps)) > 1


def test_a_thousand_begin_within_a_second_and_not_together() -> None:
    asked = Asked(**{f"endpoint-{number}": 10.0 for number in range(1000)})
    asked.wait(BEGIN_SECONDS + TICK_SECONDS)
    begun = Counter(times[0] for times in asked.times.values())
    assert begun.total() == 1000
    assert max(begun.values()) < 250


def test_who_fails_is_asked_half_as_often_each_time_down_to_a_bound() -> None:
    asked = Asked(down=2.0)
    asked.failing = {"down"}
    asked.wait(1000)
    gaps = asked.gaps("down")
    expected = [2.0, 4.0, 8.0, LONGEST_SECONDS, LONGEST_SECONDS]
    for gap, least in zip(gaps, expected, strict=False):
        assert least - TICK_SECONDS <= gap <= least * (1 + JITTER) + TICK_SECONDS
    asked.failing.clear()
    asked.wait(3 * LONGEST_SECONDS)
    assert asked.gaps("down")[-1] <= 2.0 * (1 + JITTER) + TICK_SECONDS


def test_who_is_known_to_be_well_is_asked_as_if_it_had_not_failed() -> None:
    asked = Asked(down=2.0)
    asked.failing = {"down"}
    asked.wait(100)
    failed_at = asked.times["down"][-1]
    asked.pace.again("down", asked.now)
    asked.wait(5 * LONGEST_SECONDS)
    next_at = next(at for at in asked.times["down"] if at > failed_at)
    assert next_at <= max(failed_at + 2.0, 100.0) + TICK_SECONDS
    assert asked.gaps("down")[-1] >= LONGEST_SECONDS - TICK_SECONDS


def test_who_never_failed_is_asked_no_earlier() -> None:
    asked = Asked(up=2.0)
    turn = asked.take()
    asked.pace.finished(turn, asked.now, well=True)
    asked.pace.again("up", asked.now)
    assert asked.pace.next_at() >= asked.now + 2.0


def test_who_is_asked_seldom_is_asked_no_more_often_when_it_fails() -> None:
    asked = Asked(down=300.0)
    asked.failing = {"down"}
    asked.wait(2000)
    assert min(asked.gaps("down")) >= 300.0 - TICK_SECONDS


def test_nobody_is_asked_while_a_question_is_under_way() -> None:
    asked = Asked(slow=2.0)
    turn = asked.take()
    asked.now += 3600
    assert asked.pace.take_due(asked.now) == []
    asked.pace.finished(turn, asked.now, well=True)
    assert asked.take() is turn


def test_who_went_and_came_back_is_not_asked_before_the_old_question_is_over() -> None:
    asked = Asked(gone=2.0)
    turn = asked.take()
    asked.pace.follow({}, asked.now)
    asked.pace.follow({"gone": 2.0}, asked.now)
    asked.now += 60
    assert asked.pace.take_due(asked.now) == []
    asked.pace.finished(turn, asked.now, well=True)
    assert asked.take().name == "gone"


@pytest.mark.parametrize("is_under_way", [False, True])
def test_who_went_is_asked_no_more(is_under_way: bool) -> None:
    asked = Asked(gone=2.0)
    turn = asked.take()
    if not is_under_way:
        asked.pace.finished(turn, asked.now, well=True)
    asked.pace.follow({}, asked.now)
    if is_under_way:
        asked.pace.finished(turn, asked.now, well=True)
    assert asked.pace.take_due(asked.now + 3600) == []


def test_a_shorter_interval_holds_at_once() -> None:
    asked = Asked(one=300.0)
    asked.wait(2.0)
    asked.pace.follow({"one": 2.0}, asked.now)
    asked.wait(2.0 + TICK_SECONDS)
    assert len(asked.times["one"]) == 2


def test_nobody_s_turn_is_no_moment_at_all() -> None:
    assert Asked().pace.next_at() == float("inf")
