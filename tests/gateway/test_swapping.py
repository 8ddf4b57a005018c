"""Which model a server that loads on demand is sent, and who waits until it is another one's turn."""

import pytest

from fakes.slots import ALONE
from fakes.yards import PATIENCE, Person, Yard
from steelyard.routing.table import Table
from steelyard.telemetry.samples import EngineSample
from steelyard_gateway.lines import Reason, Refusal
from steelyard_gateway.shares import Fleet

# One server


def test_requests_for_a_loaded_model_are_let_in() -> None:
    yard = Yard()
    yard.tell("a")
    assert [yard.enter("a").at for _ in range(100)] == [0] * 100


def test_a_server_that_never_told_what_it_has_loaded_is_sent_everything() -> None:
    yard = Yard()
    for model in "abc":
        yard.enter(model)


def test_what_another_server_answers_for_is_let_in_whatever_works_here_and_holds_nobody_up() -> None:
    yard = Yard()
    yard.tell("a", remote="b")
    working = yard.enter("a")
    elsewhere = yard.enter("b")
    cold = yard.wait("c")
    yard.pass_by(6)
    yard.enter("b")
    working.ends()
    assert cold.at == 0
    elsewhere.ends()


def test_what_another_server_answers_for_goes_where_there_is_room() -> None:
    yard = Yard(2, limit=1)
    yard.tell("a", "a", remote="b")
    yard.enter("a", 0)
    working = yard.enter("a", 1)
    waiting = yard.wait("b")
    working.ends()
    assert waiting.at == 1


def test_what_another_server_answers_for_makes_no_load_hold_back() -> None:
    yard = Yard()
    yard.tell("a", remote="b")
    yard.enter("b")
    for _ in range(50):
        alone = yard.enter("a")
        alone.begins()
        alone.ends()
    assert yard.enter("c").at == 0


def test_what_nobody_asks_for_gives_way_at_once() -> None:
    yard = Yard()
    yard.tell("a")
    yard.enter("b")


def test_a_cold_model_waits_while_what_it_evicts_is_at_work_and_goes_when_it_is_not() -> None:
    yard = Yard()
    yard.tell("a")
    working = yard.enter("a")
    waiting = yard.wait("b")
    yard.pass_by(5)
    assert waiting.at is None
    working.ends()
    assert waiting.at == 0


def test_a_cold_model_that_is_in_less_demand_than_what_it_evicts_waits_for_others_of_its_own_first() -> None:
    yard = Yard()
    yard.tell("a")
    yard.ask_for("a", 100)
    waiting = yard.wait("b")
    yard.pass_by(4.5)
    yard.ask_for("a", 1)
    assert waiting.at is None
    yard.pass_by(1)
    assert waiting.at == 0


def test_a_server_that_is_emptied_lets_nobody_in_for_what_has_to_go() -> None:
    yard = Yard()
    yard.tell("a")
    yard.ask_for("a", 100)
    working = yard.enter("a")
    cold = yard.wait("b")
    yard.pass_by(6)
    late = yard.wait("a")
    working.ends()
    assert (cold.at, late.at) == (0, None)


def test_all_who_wait_for_a_model_go_with_the_first_and_one_load_ends_before_the_next_begins() -> None:
    yard = Yard()
    yard.tell("a")
    working = yard.enter("a")
    first, second = yard.wait("b"), yard.wait("b")
    yard.pass_by(1)
    other = yard.wait("c")
    working.ends()
    assert (first.at, second.at, other.at) == (0, 0, None)
    first.begins()
    first.ends()
    yard.pass_by(5)
    assert other.at is None
    second.begins()
    second.ends()
    assert other.at == 0


def test_one_load_ends_before_the_next_begins_though_both_models_fit() -> None:
    yard = Yard()
    for loaded in ("ab", "", ""):
        yard.tell(loaded)
    loading = yard.enter("a")
    waiting = yard.wait("b")
    yard.pass_by(6)
    assert waiting.at is None
    loading.begins()
    assert waiting.at == 0


def test_models_take_turns_and_none_starves() -> None:
    yard = Yard()
    yard.tell("a")
    working = [yard.enter("a")]
    turns = []
    for _ in range(3):
        waiting = {
            model: [yard.wait(model) for _ in range(3)] for model in "abc" if model != working[0].model
        }
        yard.pass_by(6)
        for person in working:
            person.ends()
        yard.pass_by(1)
        working = [one for people in waiting.values() for one in people if one.at is not None]
        assert len({one.model for one in working}) == 1
        turns.append(working[0].model)
        working[0].begins()
        for people in waiting.values():
            for one in people:
                if one.at is None:
                    assert one.ticket is not None
                    one.ticket.cancel()
    assert len(set(turns)) >= 2


def test_a_load_that_failed_lets_the_next_one_try() -> None:
    yard = Yard()
    yard.tell("a")
    working = yard.enter("a")
    first, second = yard.wait("b"), yard.wait("c")
    yard.pass_by(1)
    working.ends()
    assert first.at == 0
    first.ends()
    yard.pass_by(6)
    assert second.at == 0


def test_a_server_is_not_emptied_for_somebody_who_left() -> None:
    yard = Yard()
    yard.tell("a")
    working = yard.enter("a")
    gone = yard.wait("b")
    yard.pass_by(1)
    late = yard.wait("a")
    assert gone.ticket is not None
    gone.ticket.cancel()
    yard.pass_by(1)
    assert (gone.at, late.at) == (None, 0)
    working.ends()


def test_who_waited_long_enough_is_refused_with_a_time_to_come_again() -> None:
    yard = Yard()
    yard.tell("a")
    yard.enter("a")
    person = yard.wait("b")
    yard.pass_by(PATIENCE + 0.1)
    assert person.refusal is not None
    assert person.refusal.reason is Reason.LATE
    assert person.refusal.words == (
        "has other models in memory, and they are in use, and that did not change in time"
    )
    assert person.refusal.retry_after_seconds == 9  # 4 s for what works, 4 s for the load, and the eviction
    yard.enter("a")


def test_a_model_that_somebody_else_had_loaded_is_waited_for_no_longer() -> None:
    yard = Yard()
    yard.tell("a")
    yard.enter("a")
    person = yard.wait("b")
    yard.tell("ab")
    yard.pass_by(0.3)
    assert person.at == 0


def test_a_model_that_the_server_lacks_is_sent_there_for_the_server_to_say_so() -> None:
    yard = Yard()
    yard.tell("a")
    yard.enter("a")
    yard.warmth.told(yard.places[0], EngineSample(loaded=(), models={"a:latest": None}))
    person = yard.enter("b")
    person.ends()


# Several servers


def test_of_two_servers_the_one_whose_model_is_missed_less_is_emptied() -> None:
    yard = Yard(servers=2)
    yard.tell("a", "b")
    yard.ask_for("a", 100)
    yard.ask_for("b", 50, server=1)
    waiting = yard.wait("c")
    yard.pass_by(6)
    assert waiting.at == 1
    yard.enter("a")


def test_who_waits_goes_to_a_server_that_has_its_model_by_then() -> None:
    yard = Yard(servers=2)
    yard.tell("a", "b")
    working = [yard.enter("a"), yard.enter("b", server=1)]
    waiting = yard.wait("c")
    yard.tell("a", "c")
    yard.tell("a", "c")
    working[1].ends()
    yard.tell("a", "c")
    yard.pass_by(0.3)
    assert waiting.at == 1


def test_a_long_queue_for_one_model_is_worth_evicting_what_few_ask_for() -> None:
    yard = Yard(servers=2)
    yard.tell("a", "b")
    yard.ask_for("b", 20, server=1)
    for _ in range(10):
        yard.enter("a")
    cold, warm = yard.attempts["a"][1], yard.attempts["a"][0]
    assert yard.warmth.wait_seconds(cold) < yard.warmth.wait_seconds(warm)


# Pinned models


def test_what_does_not_fit_beside_a_pinned_model_waits_for_a_server_that_can_take_it() -> None:
    yard = Yard(servers=2, pinned=[("a",)])
    yard.tell("a", "b")
    working = yard.enter("b", server=1)
    waiting = yard.wait("c")
    yard.pass_by(PATIENCE - 1)
    assert waiting.at is None
    working.ends()
    assert waiting.at == 1


def test_what_no_other_server_can_take_evicts_a_pinned_model_once_that_is_idle() -> None:
    yard = Yard(pinned=[("a",)])
    yard.tell("a")
    working = yard.enter("a")
    waiting = yard.wait("b")
    yard.pass_by(1)
    working.ends()
    yard.pass_by(0.3)
    assert waiting.at == 0


# Slots, gateways, tables


def test_slots_hold_for_all_models_together_and_who_waits_longest_has_the_next() -> None:
    yard = Yard(limit=2)
    yard.tell("a")
    first, _ = yard.enter("a"), yard.enter("a")
    waiting = [yard.wait("a"), yard.wait("a")]
    first.ends()
    assert [person.at for person in waiting] == [0, None]


def test_a_full_server_says_so() -> None:
    yard = Yard(limit=1)
    yard.tell("a")
    yard.enter("a")
    person = yard.wait("a")
    yard.pass_by(PATIENCE + 0.1)
    assert person.refusal is not None
    assert person.refusal.words.startswith("is at its limit of 1 requests at once (maxConcurrency), and")


def test_a_gateway_without_a_slot_queues_nothing() -> None:
    yard = Yard(limit=1, fleet=Fleet(frozenset({"a", "b"}), "b"))
    yard.tell("a")
    refusal = yard.admission.wait(yard.attempts["a"], Person(yard, "a"), yard.timer.now + 1)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.NO_SHARE
    yard.admission.resize(ALONE)
    person = yard.enter("a")
    yard.admission.resize(Fleet(frozenset({"a", "b"}), "b"))
    person.ends()


def test_who_waits_when_the_last_slot_goes_to_another_gateway_is_refused() -> None:
    yard = Yard(limit=1)
    yard.tell("a")
    yard.enter("a")
    person = yard.wait("a")
    yard.admission.resize(Fleet(frozenset({"a", "b"}), "b"))
    assert person.refusal is not None
    assert person.refusal.reason is Reason.NO_SHARE


def test_a_new_table_sends_who_waits_to_decide_anew_and_holding_back_goes_on() -> None:
    yard = Yard()
    yard.tell("a")
    yard.ask_for("a", 100)
    before = yard.timer.now
    person = yard.wait("b")
    yard.pass_by(3)
    yard.admission.follow(yard.table)
    assert person.anew == 1
    assert not yard.admission.waiting()
    yard.admission.wait(yard.attempts["b"], person, before + PATIENCE, before)
    yard.pass_by(2.5)
    assert person.at == 0


def test_a_server_that_left_the_table_is_forgotten_once_it_is_idle() -> None:
    yard = Yard()
    yard.tell("a")
    person = yard.enter("a")
    yard.admission.follow(Table())
    yard.admission.follow(yard.table)
    assert not yard.warmth.cold_seconds(yard.attempts["a"][0])
    assert yard.warmth.cold_seconds(yard.attempts["b"][0])
    person.ends()
    yard.admission.follow(Table())
    yard.admission.follow(yard.table)
    assert not yard.warmth.cold_seconds(yard.attempts["b"][0])


@pytest.mark.parametrize("servers", [1, 2])
def test_what_waits_and_what_was_refused_is_counted(servers: int) -> None:
    yard = Yard(servers)
    yard.tell(*["a"] * servers)
    for server in range(servers):
        yard.enter("a", server)
    yard.wait("b")
    assert yard.admission.waiting() == {"engine": 1}
    yard.pass_by(PATIENCE + 0.1)
    assert yard.admission.waits == {"engine": 1}
    assert yard.admission.refusals == {("engine", Reason.LATE): 1}
