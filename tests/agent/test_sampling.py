"""Samplers, on a clock that a test sets."""

from collections.abc import Callable

import pytest

from steelyard_agent.sampling import FRESH_INTERVALS, Sampler, Unavailable

INTERVAL = 2.0


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def sampler(take: Callable[[], int], clock: Clock) -> Sampler[int]:
    return Sampler("test", take, lambda: None, INTERVAL, clock=clock)


def test_a_sample_is_of_use_for_three_intervals() -> None:
    clock = Clock()
    made = sampler(lambda: 7, clock)
    assert made.latest is None

    made.take()
    clock.now += FRESH_INTERVALS * INTERVAL
    assert made.latest == 7
    clock.now += 0.001
    assert made.latest is None


def test_what_was_taken_stays_fresh_while_the_next_tries_fail() -> None:
    clock, answers = Clock(), iter([7])

    def take() -> int:
        for answer in answers:
            return answer
        raise Unavailable("It is gone.")

    made = sampler(take, clock)
    made.take()
    clock.now += INTERVAL
    made.take()

    assert (made.latest, str(made.trouble)) == (7, "It is gone.")
    clock.now += FRESH_INTERVALS * INTERVAL
    assert made.latest is None


def test_a_call_that_has_not_returned_for_three_intervals_hangs() -> None:
    clock = Clock()
    seen: list[float] = []

    def take() -> int:
        for seconds in (FRESH_INTERVALS * INTERVAL, 1.0):
            clock.now += seconds
            seen.append(made.hanging_seconds)
        return 7

    made = sampler(take, clock)
    made.take()

    assert seen == [0.0, FRESH_INTERVALS * INTERVAL + 1.0]
    assert (made.latest, made.hanging_seconds) == (7, 0.0)


def test_a_fault_of_ours_is_logged_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    made = sampler(lambda: 1 // 0, Clock())
    made.take()

    assert str(made.trouble) == "The agent has a fault: ZeroDivisionError."
    assert caplog.records[0].exc_info is not None
