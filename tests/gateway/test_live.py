import pytest

from fakes.resources import backend, resource_set
from steelyard.routing.compiling import compile_table
from steelyard.routing.table import Endpoint, Table
from steelyard_gateway.live import FIRST_REST_SECONDS, LONGEST_REST_SECONDS, LiveEndpoints


class Clock:
    """Time that moves when told."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def table(*names: str) -> Table:
    return compile_table(resource_set(*(backend(name, "m") for name in names)), "default")[0]


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


def test_a_pause_that_was_asked_for_is_kept_and_a_shorter_one_does_not_end_it() -> None:
    live, one = LiveEndpoints(Clock()), endpoint()
    live.rest(one, 60)
    live.rest(one, 7)
    assert live.rest_seconds(one) == 60


def test_load_survives_a_new_table_and_idle_strangers_are_forgotten() -> None:
    live = LiveEndpoints(Clock())
    kept, busy, idle = endpoint("kept"), endpoint("busy"), endpoint("idle")
    for one in (kept, busy):
        live.started(one)
    live.failed(idle, "refused")
    live.forget_all_but(table("kept"))
    assert (live.in_flight(endpoint("kept")), live.in_flight(busy)) == (1, 1)
    assert live.failures(idle) == 0
