import pytest

from fakes.resources import backend, resource_set
from steelyard.routing.compiling import compile_table
from steelyard.routing.table import Endpoint, Table
from steelyard_gateway.breaker import FIRST_REST_SECONDS, LEAST_SAMPLES, LONGEST_REST_SECONDS, Cause, Circuit
from steelyard_gateway.live import DEFAULT_REST_SECONDS, STALE_SECONDS, LiveEndpoints


class Clock:
    """Time that moves when told."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def table(*names: str, other: str = "") -> Table:
    """Backends of these names that serve one model, and one that serves another."""
    backends = [backend(name, "m") for name in names] + ([backend(other, "n")] if other else [])
    return compile_table(resource_set(*backends), "default")[0]


def endpoint(name: str = "a") -> Endpoint:
    return table(name).candidates[0].endpoints[0]


def test_in_flight_is_what_started_and_did_not_end() -> None:
    live, one = LiveEndpoints(Clock()), endpoint()
    live.started(one)
    live.started(one)
    live.ended(one)
    assert live.in_flight(one) == 1


def test_each_failure_in_a_row_rests_twice_as_long_up_to_a_bound() -> None:
    clock, one = Clock(), endpoint()
    live = LiveEndpoints(clock)
    rests = []
    for _ in range(8):
        live.failed(one, "refused")
        rests.append(live.rest_seconds(one))
        clock.seconds += rests[-1]
        assert not live.is_resting(one)
    assert rests[:3] == [FIRST_REST_SECONDS, 2 * FIRST_REST_SECONDS, 4 * FIRST_REST_SECONDS]
    assert rests[-1] == LONGEST_REST_SECONDS


def test_an_answer_forgives_all_failures() -> None:
    live, one = LiveEndpoints(Clock()), endpoint()
    live.failed(one, "refused")
    live.answered(one)
    assert not live.is_resting(one)
    assert (live.failures(one), live.how_failed(one)) == (0, "")


def test_how_an_endpoint_fails_is_logged_once_until_it_changes(caplog: pytest.LogCaptureFixture) -> None:
    live, one = LiveEndpoints(Clock()), endpoint()
    for how in ("refused the connection", "refused the connection", "answered 502"):
        live.failed(one, how)
    assert [vars(record)["detail"] for record in caplog.records] == ["refused the connection", "answered 502"]
    assert live.how_failed(one) == "answered 502"


def test_a_pause_that_was_asked_for_is_kept_and_neither_a_shorter_one_nor_an_answer_ends_it() -> None:
    clock, one = Clock(), endpoint()
    live = LiveEndpoints(clock)
    live.rest(one, 60)
    live.rest(one, 7)
    live.answered(one)
    assert (live.rest_seconds(one), live.pause_seconds(one), live.is_resting(one)) == (60, 60, True)
    clock.seconds += 60
    assert (live.rest_seconds(one), live.pause_seconds(one), live.is_resting(one)) == (0, 0, False)


def test_an_endpoint_that_names_no_time_rests_a_moment_and_may_be_tried() -> None:
    live, one = LiveEndpoints(Clock()), endpoint()
    live.rest(one, None)
    assert (live.rest_seconds(one), live.pause_seconds(one)) == (DEFAULT_REST_SECONDS, 0)


def test_an_endpoint_is_silent_until_it_answers_anything() -> None:
    clock, one = Clock(), endpoint()
    live = LiveEndpoints(clock)
    for sign in (live.answered, lambda one: live.answered_500(one, 1), lambda one: live.rest(one, 1)):
        clock.seconds += 30
        assert live.is_silent(one, 30)
        sign(one)
        assert not live.is_silent(one, 30)
    live.failed(one, "refused")
    clock.seconds += 30
    assert live.is_silent(one, 30)


def test_requests_under_way_are_those_of_all_endpoints_of_the_same_models() -> None:
    live, fleet = LiveEndpoints(Clock()), table("a", "b", other="c")
    live.forget_all_but(fleet)
    a, b, c = (endpoint(name) for name in "abc")
    for one in (a, b, b, c):
        live.started(one)
    assert (live.under_way(a), live.under_way(b), live.under_way(c)) == (3, 3, 1)


def four(ratio: float, others: float, clock: Clock | None = None) -> LiveEndpoints:
    """Four endpoints of one model, with the ratios of the first and of the others."""
    live = LiveEndpoints(clock or Clock())
    live.forget_all_but(table(*"abcd"))
    for _ in range(LEAST_SAMPLES):
        for name in "bcda":
            live.answered(endpoint(name), ratio if name == "a" else others)
    return live


def test_one_slow_of_four_is_ejected_and_people_are_told(caplog: pytest.LogCaptureFixture) -> None:
    live = four(8.0, 1.0)
    assert [live.is_resting(endpoint(name)) for name in "abcd"] == [True, False, False, False]
    health = live.health(endpoint("a"))
    assert (health.circuit, health.cause, health.ttft_ratio) == (Circuit.OPEN, Cause.SLOWNESS, 8.0)
    assert live.how_failed(endpoint("a")) == "sends its first byte 8.0 times as late as expected"
    assert [record.getMessage() for record in caplog.records] == ["endpoint is slow"]


def test_four_slow_of_four_are_not_ejected() -> None:
    live = four(8.0, 8.0)
    assert not any(live.is_resting(endpoint(name)) for name in "abcd")
    assert live.health(endpoint("a")).ttft_ratio == 8.0


def test_a_slow_endpoint_that_is_fast_again_comes_back_by_a_probe() -> None:
    clock, one = Clock(), endpoint("a")
    live = four(8.0, 1.0, clock)
    clock.seconds += live.rest_seconds(one)
    assert (live.health(one).circuit, live.is_resting(one)) == (Circuit.HALF_OPEN, False)
    live.started(one)
    assert live.is_resting(one)
    live.answered(one, 1.0)
    assert (live.health(one).circuit, live.is_resting(one), live.how_failed(one)) == (
        Circuit.CLOSED,
        False,
        "",
    )


def test_samples_from_before_a_long_silence_do_not_count() -> None:
    clock = Clock()
    live = LiveEndpoints(clock)
    live.forget_all_but(table("a", "b"))
    for _ in range(LEAST_SAMPLES):
        live.answered(endpoint("b"), 1.0)
    for _ in range(LEAST_SAMPLES - 1):
        live.answered(endpoint("a"), 8.0)
    clock.seconds += STALE_SECONDS + 1
    live.answered(endpoint("a"), 8.0)
    assert not live.is_resting(endpoint("a"))


def test_an_endpoint_that_answers_most_requests_with_500_rests_and_people_are_told() -> None:
    live, one = LiveEndpoints(Clock()), endpoint()
    for key in range(LEAST_SAMPLES):
        assert not live.is_resting(one)
        live.answered_500(one, key)
    assert live.is_resting(one)
    assert live.how_failed(one) == "answered most requests with 500"


def test_health_survives_a_new_table_with_endpoints_of_the_same_name() -> None:
    live = four(8.0, 1.0)
    live.forget_all_but(table(*"abcd"))
    assert live.is_resting(endpoint("a"))


def test_load_survives_a_new_table_and_idle_strangers_are_forgotten() -> None:
    live = LiveEndpoints(Clock())
    kept, busy, idle = endpoint("kept"), endpoint("busy"), endpoint("idle")
    for one in (kept, busy):
        live.started(one)
    live.failed(idle, "refused")
    live.forget_all_but(table("kept"))
    assert (live.in_flight(endpoint("kept")), live.in_flight(busy)) == (1, 1)
    assert live.failures(idle) == 0
