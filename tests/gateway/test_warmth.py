"""What the gateway learns of loads and answers, and the waits that it predicts from that."""

import pytest

from fakes.yards import Yard
from steelyard.routing import placing
from steelyard.routing.table import Table


def load(
    yard: Yard, model: str, seconds: float, *, is_stream: bool = True, work_seconds: float = 0.0
) -> None:
    """A request that has a model loaded, whose first byte comes after so long, and whose end follows."""
    person = yard.enter(model)
    yard.timer.now += seconds
    yard.admission.began(person.attempt(), seconds, is_stream=is_stream)
    yard.timer.now += work_seconds
    person.ends()


def cold_seconds(yard: Yard, model: str, server: int = 0) -> float:
    return yard.warmth.cold_seconds(yard.attempts[model][server])


def wait_seconds(yard: Yard, model: str, server: int = 0) -> float:
    return yard.warmth.wait_seconds(yard.attempts[model][server])


def test_a_load_takes_what_the_profile_says_until_one_was_seen() -> None:
    yard = Yard(cold_seconds=7.0)
    yard.tell("")
    assert cold_seconds(yard, "a") == 7.0
    load(yard, "a", 3.0)
    yard.tell("")
    yard.tell("")
    assert cold_seconds(yard, "a") == 3.0


def test_a_load_that_nothing_tells_of_takes_the_default() -> None:
    yard = Yard(cold_seconds=None)
    yard.tell("")
    assert cold_seconds(yard, "a") == placing.DEFAULT_COLD_SECONDS


def test_what_a_loaded_model_takes_is_no_part_of_the_load() -> None:
    yard = Yard()
    yard.tell("a")
    load(yard, "a", 0.5)
    for _ in range(2):
        yard.tell("")
    load(yard, "a", 3.5)
    for _ in range(2):
        yard.tell("")
    assert cold_seconds(yard, "a") == 3.0


def test_an_answer_that_is_not_streamed_tells_the_load_where_it_is_known_how_long_it_takes_warm() -> None:
    yard = Yard(cold_seconds=7.0)
    yard.tell("")
    load(yard, "a", 6.0, is_stream=False)
    load(yard, "a", 2.0, is_stream=False)
    for _ in range(2):
        yard.tell("")
    assert cold_seconds(yard, "a") == 7.0
    load(yard, "a", 6.0, is_stream=False)
    for _ in range(2):
        yard.tell("")
    assert cold_seconds(yard, "a") == 4.0


def test_a_load_that_waited_for_something_else_counts_little() -> None:
    yard = Yard()
    for seconds in (1.0, 100.0):
        yard.tell("")
        yard.tell("")
        load(yard, "a", seconds)
    for _ in range(2):
        yard.tell("")
    assert cold_seconds(yard, "a") == 2.5  # 1 and 4, not 100


def test_each_request_before_it_keeps_one_waiting_as_long_as_answers_are_apart() -> None:
    yard = Yard()
    yard.tell("a")
    people = [yard.enter("a") for _ in range(3)]
    for person in people:
        yard.timer.now += 2.0
        person.ends()
    yard.enter("a")
    yard.enter("a")
    assert wait_seconds(yard, "a") == pytest.approx(4.0)


def test_answers_that_end_at_once_wait_for_each_other_as_long_as_one_of_them_takes_by_their_number() -> None:
    yard = Yard()
    yard.tell("a")
    for _ in range(20):
        people = [yard.enter("a") for _ in range(4)]
        yard.timer.now += 2.0
        for person in people:
            person.ends()
    yard.enter("a")
    assert wait_seconds(yard, "a") == pytest.approx(0.5, rel=0.5)


def test_requests_of_others_count_like_own_ones() -> None:
    yard = Yard()
    yard.tell("a")
    load(yard, "a", 0.0, work_seconds=2.0)
    yard.warmth.reckon(yard.names[0], 3)
    assert wait_seconds(yard, "a") == pytest.approx(6.0)


def test_a_cold_model_waits_for_those_there_for_its_load_and_for_what_it_costs_others() -> None:
    yard = Yard(cold_seconds=4.0)
    yard.tell("a")
    load(yard, "a", 0.0, work_seconds=2.0)
    yard.enter("a")
    demand = 2 / 60  # of the last minute
    assert wait_seconds(yard, "b") == pytest.approx(2.0 + 4.0 + 4.0 * demand * 8.0, rel=0.05)


def test_what_is_loaded_elsewhere_too_is_missed_less() -> None:
    waits = []
    for told in (("a", ""), ("a", "a")):
        yard = Yard(servers=2)
        yard.tell(*told)
        yard.ask_for("a", 60)
        waits.append(wait_seconds(yard, "b") - 4.0)
    assert waits[1] == pytest.approx(waits[0] / 2)


def test_a_load_under_way_is_waited_for_as_long_as_is_left_of_it() -> None:
    yard = Yard(cold_seconds=4.0)
    yard.tell("")
    yard.enter("a")
    in_flight = placing.DEFAULT_SERVICE_SECONDS
    yard.timer.now += 1.0
    assert wait_seconds(yard, "a") == in_flight + 3.0
    yard.timer.now += 9.0
    assert wait_seconds(yard, "a") == in_flight + 6.0  # overdue by 6 s: as long again


def test_a_server_that_is_emptied_is_waited_for_by_others_until_it_had_its_way() -> None:
    yard = Yard(cold_seconds=4.0)
    yard.tell("a")
    yard.enter("a")
    before = wait_seconds(yard, "a")
    yard.wait("b")
    yard.pass_by(1)
    in_flight = one_waiting = placing.DEFAULT_SERVICE_SECONDS
    assert before == in_flight
    assert wait_seconds(yard, "a") == in_flight + one_waiting + 4.0 + 4.0
    assert wait_seconds(yard, "b") == pytest.approx(in_flight + one_waiting + 4.0, rel=0.1)


def test_what_was_learnt_outlives_a_table() -> None:
    yard = Yard(cold_seconds=7.0)
    yard.tell("")
    load(yard, "a", 3.0)
    yard.admission.follow(yard.table)
    yard.tell("")
    yard.tell("")
    assert cold_seconds(yard, "a") == 3.0
    yard.admission.follow(Table())
    yard.admission.follow(yard.table)
    yard.tell("")
    assert cold_seconds(yard, "a") == 7.0


@pytest.mark.parametrize("name", ["a", "A:latest", "library/a"])
def test_a_model_is_pinned_by_name_also_once_its_server_told_digests(name: str) -> None:
    yard = Yard(servers=2, pinned=[(name,)])
    yard.tell("a", "a")  # after the table
    assert wait_seconds(yard, "b") > placing.PINNED_SECONDS > wait_seconds(yard, "b", server=1)


def test_a_model_is_pinned_also_while_a_request_from_before_its_server_told_is_under_way() -> None:
    yard = Yard(pinned=[("a",)])
    yard.enter("a")
    yard.tell("a")
    assert wait_seconds(yard, "b") > placing.PINNED_SECONDS


def test_the_load_of_a_keeper_is_waited_for_as_long_as_its_profile_says_and_measured() -> None:
    yard = Yard(cold_seconds=4.0)
    yard.tell("")
    with yard.admission.swapping.loading(yard.places[0], "A:latest") as is_loaded:
        yard.timer.now += 1.0
        assert wait_seconds(yard, "a") == placing.DEFAULT_SERVICE_SECONDS + 3.0
        yard.timer.now += 1.0
        is_loaded()
    assert not cold_seconds(yard, "a")
    for _ in range(2):
        yard.tell("")
    assert cold_seconds(yard, "a") == 2.0


def test_a_server_that_fell_silent_is_taken_to_have_every_model_loaded_until_it_tells_again() -> None:
    yard = Yard()
    yard.tell("a")
    assert cold_seconds(yard, "b")
    yard.warmth.fell_silent(yard.names[0])
    assert not cold_seconds(yard, "b")
    yard.tell("a")
    assert cold_seconds(yard, "b")
