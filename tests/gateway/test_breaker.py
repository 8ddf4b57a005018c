"""One endpoint's breaker, and slow endpoints beside their peers: states and times only."""

from collections.abc import Sequence

import pytest

from steelyard_gateway import breaker
from steelyard_gateway.breaker import (
    EJECTION_STRIKES,
    FIRST_REST_SECONDS,
    FORGIVEN_SECONDS,
    LEAST_SAMPLES,
    LONGEST_REST_SECONDS,
    REJUDGED_SECONDS,
    WINDOW_SAMPLES,
    Breaker,
    Cause,
    Circuit,
)

EJECTION_SECONDS = FIRST_REST_SECONDS * 2 ** (EJECTION_STRIKES - 1)
GOOD, SLOW = 1.0, 4.1
NOW = 1000.0


def answers(one: Breaker, *ratios: float, now: float = NOW) -> bool:
    """Give these answers; whether the last of them was to be compared with the peers."""
    return [one.answered(now, ratio) for ratio in ratios][-1]


def fine() -> Breaker:
    """A breaker of an endpoint that is known to be fast."""
    one = Breaker()
    answers(one, *[GOOD] * LEAST_SAMPLES)
    return one


def slow(ratio: float = SLOW) -> Breaker:
    """A breaker of an endpoint that is known to be slow, and not ejected."""
    one = Breaker()
    answers(one, *[ratio] * LEAST_SAMPLES)
    return one


def ejected(ratio: float = SLOW) -> Breaker:
    """A breaker that was ejected for slowness just now."""
    one = slow(ratio)
    one.eject(NOW, Cause.SLOWNESS)
    return one


def judged(*group: Breaker) -> list[bool]:
    """Which are ejected after each slow one was judged, in turn."""
    for one in group:
        if one.cause is None and not one.is_fine():
            breaker.eject_slow(one, [group], NOW)
    return [one.cause is Cause.SLOWNESS for one in group]


# Failures


def test_one_failure_opens_for_a_moment_and_any_answer_closes() -> None:
    one = Breaker()
    one.failed(NOW)
    assert (one.circuit(NOW), one.cause, one.until) == (
        Circuit.OPEN,
        Cause.FAILURES,
        NOW + FIRST_REST_SECONDS,
    )
    one.answered(NOW, 0.0)
    assert (one.circuit(NOW), one.cause, one.until, one.failures) == (Circuit.CLOSED, None, 0.0, 0)


def test_requests_that_fail_together_rest_no_longer_than_one() -> None:
    one = Breaker()
    for _ in range(LEAST_SAMPLES - 1):
        one.failed(NOW)
    assert (one.failures, one.until) == (LEAST_SAMPLES - 1, NOW + FIRST_REST_SECONDS)


def test_after_three_failures_in_a_row_one_request_at_a_time_is_let_through() -> None:
    one, now = Breaker(), NOW
    for _ in range(3):
        one.failed(now)
        now = one.until
    assert one.circuit(now) is Circuit.HALF_OPEN
    one.started(now)
    assert (one.circuit(now), one.until > now) == (Circuit.HALF_OPEN, True)


def test_after_a_single_failure_all_requests_come_back_at_once() -> None:
    one = Breaker()
    one.failed(NOW)
    one.started(one.until)
    assert one.until == NOW + FIRST_REST_SECONDS


def mostly_failed() -> Breaker:
    """A breaker of an endpoint of whose last results half were failures, and then one more."""
    one = Breaker()
    for _ in range(LEAST_SAMPLES // 2):
        one.answered(NOW, 0.0)
        one.failed(NOW)
    one.failed(NOW)
    return one


def test_more_than_half_of_twenty_results_bad_ejects() -> None:
    one = mostly_failed()
    assert (one.cause, one.until) == (Cause.ERRORS, NOW + EJECTION_SECONDS)


def test_an_answer_that_was_under_way_does_not_end_an_ejection() -> None:
    one = mostly_failed()
    one.answered(NOW, 0.0)
    assert (one.cause, one.until) == (Cause.ERRORS, NOW + EJECTION_SECONDS)


def test_half_of_the_results_bad_is_a_failure_like_any_other() -> None:
    one = Breaker()
    for _ in range(2 * WINDOW_SAMPLES):
        one.answered(NOW, 0.0)
        one.failed(NOW)
    assert (one.cause, one.until) == (Cause.FAILURES, NOW + FIRST_REST_SECONDS)


def test_an_endpoint_that_was_ejected_and_answers_well_again_and_again_is_taken_back_early() -> None:
    one = Breaker()
    one.eject(NOW, Cause.ERRORS)
    answers(one, *[0.0] * (breaker.ENOUGH_SAMPLES - 1))
    assert one.cause is Cause.ERRORS
    answers(one, 0.0)
    assert one.cause is None


# Half-open


def half_open(cause: Cause) -> Breaker:
    """A breaker whose probe is under way."""
    one = Breaker()
    one.eject(NOW, cause)
    one.started(one.until)
    return one


@pytest.mark.parametrize("cause", [Cause.ERRORS, Cause.SLOWNESS])
def test_only_one_probe_is_let_through_in_each_pause(cause: Cause) -> None:
    one = Breaker()
    one.eject(NOW, cause)
    until = one.until
    one.started(until - 1)
    assert one.until == until
    one.started(until)
    assert one.until == until + EJECTION_SECONDS
    one.started(until + 1)
    assert one.until == until + EJECTION_SECONDS


@pytest.mark.parametrize("cause", [Cause.ERRORS, Cause.SLOWNESS])
def test_a_probe_that_succeeds_closes(cause: Cause) -> None:
    one = half_open(cause)
    one.answered(NOW + EJECTION_SECONDS + 1, GOOD)
    assert (one.cause, one.until) == (None, 0.0)


@pytest.mark.parametrize("cause", [Cause.ERRORS, Cause.SLOWNESS])
def test_a_probe_that_fails_doubles_the_time_up_to_a_bound(cause: Cause) -> None:
    one, pauses = half_open(cause), []
    for _ in range(4):
        now = one.until
        one.started(now)
        one.failed(now)
        pauses.append(one.until - now)
    assert pauses == [16, LONGEST_REST_SECONDS, LONGEST_REST_SECONDS, LONGEST_REST_SECONDS]
    assert one.cause is cause


def test_a_probe_that_is_slow_keeps_a_slow_endpoint_out_twice_as_long() -> None:
    one = half_open(Cause.SLOWNESS)
    one.answered(NOW + 10, SLOW)
    assert (one.cause, one.until) == (Cause.SLOWNESS, NOW + 10 + 2 * EJECTION_SECONDS)


def test_a_slow_probe_closes_where_errors_were_the_cause() -> None:
    one = half_open(Cause.ERRORS)
    one.answered(NOW + 10, SLOW)
    assert one.cause is None


def test_an_ejection_soon_after_another_lasts_longer_and_a_late_one_does_not() -> None:
    one = half_open(Cause.SLOWNESS)
    one.answered(NOW + 10, SLOW)
    one.close(NOW + 20)
    one.eject(NOW + 20 + FORGIVEN_SECONDS, Cause.SLOWNESS)
    assert one.until == NOW + 20 + FORGIVEN_SECONDS + LONGEST_REST_SECONDS
    one.close(NOW + 200)
    one.eject(NOW + 201 + FORGIVEN_SECONDS, Cause.SLOWNESS)
    assert one.until == NOW + 201 + FORGIVEN_SECONDS + EJECTION_SECONDS


# 500


def test_a_500_to_more_than_half_of_twenty_distinct_requests_ejects() -> None:
    one = Breaker()
    answers(one, *[0.0] * (LEAST_SAMPLES // 2))
    for key in range(LEAST_SAMPLES // 2):
        one.faulted(NOW, key)
    assert one.cause is None
    one.faulted(NOW, LEAST_SAMPLES)
    assert one.cause is Cause.ERRORS


def test_one_request_that_gets_500_again_and_again_counts_once() -> None:
    one = Breaker()
    for _ in range(10 * LEAST_SAMPLES):
        one.faulted(NOW, 7)
    assert one.cause is None


def test_a_probe_that_gets_a_500_after_most_did_fails() -> None:
    one = half_open(Cause.ERRORS)
    one.faulted(NOW + 10, 1)
    assert one.until == NOW + 10 + 2 * EJECTION_SECONDS


# Slowness


def test_fewer_than_twenty_samples_are_not_judged() -> None:
    one = Breaker()
    assert not answers(one, *[SLOW] * (LEAST_SAMPLES - 1))
    assert answers(one, SLOW)


def test_half_of_the_samples_slow_is_not_slow() -> None:
    one = Breaker()
    assert not answers(one, *[GOOD, SLOW] * (WINDOW_SAMPLES // 2))
    assert answers(one, SLOW)


def test_a_ratio_of_four_is_not_slow() -> None:
    assert not answers(Breaker(), *[breaker.SLOW_RATIO] * WINDOW_SAMPLES)


def test_answers_of_which_nothing_was_expected_are_not_judged() -> None:
    one = Breaker()
    answers(one, *[0.0] * WINDOW_SAMPLES)
    assert (one.ratio, one.is_fine()) == (0.0, False)


def test_an_endpoint_that_turns_slow_is_seen_after_half_a_window() -> None:
    one = Breaker()
    answers(one, *[GOOD] * 1000)
    assert not answers(one, *[SLOW] * (WINDOW_SAMPLES // 2))
    assert answers(one, SLOW)


def test_a_slow_endpoint_is_compared_with_its_peers_once_in_a_while() -> None:
    one = slow()
    assert not answers(one, SLOW)
    assert answers(one, SLOW, now=NOW + REJUDGED_SECONDS)


def test_the_ratio_is_a_moving_mean_in_which_no_sample_counts_too_much() -> None:
    one = Breaker()
    answers(one, 1.0, 1e9)
    assert one.ratio == pytest.approx(1 + (breaker.MOST_RATIO - 1) * breaker.RATIO_SHARE)


GROUPS: dict[str, tuple[Sequence[Breaker], list[bool]]] = {
    "one slow of four is ejected": ([slow(), fine(), fine(), fine()], [True, False, False, False]),
    "two slow of four are": ([slow(), fine(), slow(), fine()], [True, False, True, False]),
    "four slow of four are not": ([slow(), slow(), slow(), slow()], [False] * 4),
    "of three slow of four the two worst are": (
        [slow(5), slow(9), slow(7), fine()],
        [False, True, True, False],
    ),
    "one of three may be": ([slow(5), slow(9), fine()], [False, True, False]),
    "one of two may be": ([slow(), fine()], [True, False]),
    "the only one is not": ([slow()], [False]),
    "one beside unknown ones is not": ([slow(), Breaker(), Breaker()], [False] * 3),
}


@pytest.mark.parametrize("case", GROUPS)
def test_at_most_half_of_a_models_endpoints_are_ejected(case: str) -> None:
    group, expected = GROUPS[case]
    assert judged(*group) == expected


def test_when_the_last_fine_one_turns_slow_those_that_were_ejected_come_back() -> None:
    group = [ejected(), ejected(), slow(), slow()]
    assert judged(*group) == [False] * 4


def test_endpoints_that_are_away_after_failures_count_as_half_too() -> None:
    dead = [fine(), fine()]
    for one in dead:
        one.failed(NOW)
    assert judged(slow(), fine(), *dead) == [False] * 4


def test_an_endpoint_stays_where_one_of_its_models_has_no_other() -> None:
    one, peers = slow(), [fine(), fine(), fine()]
    assert not breaker.eject_slow(one, [[one, *peers], [one]], NOW)
    assert one.cause is None


def test_an_endpoint_that_serves_nothing_any_more_is_not_ejected() -> None:
    one = slow()
    assert not breaker.eject_slow(one, [], NOW)
    assert one.cause is None
