"""Slots and queues, case by case."""

from collections.abc import Callable

import pytest

from fakes.slots import ALONE, HandTimer, limited, table
from steelyard_gateway.admission import Admission
from steelyard_gateway.deadlines import NEVER
from steelyard_gateway.lines import Reason, Refusal, Ticket
from steelyard_gateway.shares import Fleet


class Person:
    """Somebody who waits, and keeps what it is told."""

    def __init__(self, then: Callable[[str], None] | None = None) -> None:
        self.told: list[str | Refusal] = []
        self._then = then

    def admitted(self, name: str) -> None:
        self.told.append(name)
        if self._then is not None:
            self._then(name)

    def refused(self, refusal: Refusal) -> None:
        self.told.append(refusal)

    def decide_anew(self) -> None:
        self.told.append("decide anew")


class Place:
    """An Admission with its endpoints, as attempts."""

    def __init__(self, *limits: int | None, fleet: Fleet = ALONE) -> None:
        self.timer = HandTimer()
        self.admission = Admission(self.timer, self.timer, fleet)
        self.attempts = [limited(8000 + place, limit) for place, limit in enumerate(limits)]
        self.names = [one.endpoint.name for one in self.attempts]

    def fill(self, place: int = 0) -> None:
        """Take every slot."""
        while self.admission.enter(self.attempts[place]):
            pass

    def wait(self, *places: int, deadline: float = NEVER) -> tuple[Person, Ticket]:
        """Somebody who waits there."""
        person = Person()
        ticket = self.admission.wait([self.attempts[place] for place in places], person, deadline)
        assert isinstance(ticket, Ticket)
        return person, ticket

    def refusal(self, *places: int) -> Refusal:
        """What somebody is told who may not wait there."""
        refusal = self.admission.wait([self.attempts[place] for place in places], Person(), NEVER)
        assert isinstance(refusal, Refusal)
        return refusal

    def leave(self, place: int = 0) -> None:
        self.admission.leave(self.attempts[place])


def test_so_many_are_let_in_as_the_limit_says() -> None:
    place = Place(2)
    one = place.attempts[0]
    assert [place.admission.enter(one) for _ in range(3)] == [True, True, False]
    assert place.admission.is_full(one.endpoint)
    place.leave()
    assert not place.admission.is_full(one.endpoint)
    assert place.admission.enter(one)


def test_an_endpoint_without_a_limit_is_never_full() -> None:
    place = Place(None)
    assert all(place.admission.enter(place.attempts[0]) for _ in range(1000))
    assert not place.admission.is_full(place.attempts[0].endpoint)
    place.leave()


def test_a_freed_slot_goes_to_who_waits_longest() -> None:
    place = Place(1)
    place.fill()
    first, _ = place.wait(0)
    second, _ = place.wait(0)
    place.leave()
    assert (first.told, second.told) == (place.names, [])
    assert not place.admission.enter(place.attempts[0])


def test_who_waits_at_several_endpoints_gets_the_first_that_frees_and_no_second() -> None:
    place = Place(1, 1)
    place.fill(0)
    place.fill(1)
    person, _ = place.wait(0, 1)
    place.leave(1)
    place.leave(0)
    assert person.told == [place.names[1]]
    assert place.admission.enter(place.attempts[0])


def test_who_waits_at_one_of_several_endpoints_has_its_turn_among_those_who_wait_at_all() -> None:
    place = Place(1, 1)
    place.fill(0)
    place.fill(1)
    before, _ = place.wait(0, 1)
    picky, _ = place.wait(0)
    after, _ = place.wait(0, 1)
    place.leave(0)
    place.leave(0)
    place.leave(1)
    assert (before.told, picky.told, after.told) == ([place.names[0]], [place.names[0]], [place.names[1]])


def test_a_client_that_left_is_passed_over() -> None:
    place = Place(1)
    place.fill()
    gone, ticket = place.wait(0)
    stays, _ = place.wait(0)
    ticket.cancel()
    ticket.cancel()
    place.leave()
    assert (gone.told, stays.told) == ([], place.names)


def test_who_waited_long_enough_is_refused_and_gets_no_slot_later() -> None:
    place = Place(1)
    place.fill()
    person, _ = place.wait(0, deadline=place.timer.now + 5)
    patient, _ = place.wait(0)
    place.timer.pass_by(4.9)
    assert person.told == []
    place.timer.pass_by(0.1)
    place.leave()
    (refusal,) = person.told
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.LATE
    assert (
        refusal.words
        == "is at its limit of 1 requests at once (maxConcurrency), and no request ended in time"
    )
    assert patient.told == place.names


def test_a_deadline_that_has_passed_is_refused_at_once() -> None:
    place = Place(1)
    place.fill()
    refusal = place.admission.wait(place.attempts, Person(), place.timer.now)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.LATE


@pytest.mark.parametrize(("limit", "queue"), [(1, 8), (20, 20), (2000, 1024)])
def test_the_queue_is_as_long_as_there_are_slots_within_bounds(limit: int, queue: int) -> None:
    place = Place(limit)
    place.fill()
    for _ in range(queue):
        place.wait(0)
    refusal = place.refusal(0)
    assert (refusal.reason, refusal.words) == (
        Reason.QUEUE_FULL,
        f"is at its limit of {limit} requests at once (maxConcurrency), and {queue} requests wait already",
    )


def test_a_refusal_by_several_endpoints_says_how_many() -> None:
    place = Place(1, 1, 1)
    for number in range(3):
        place.fill(number)
    for _ in range(8):
        place.wait(0, 1, 2)
    assert place.refusal(0, 1, 2).words.startswith("and 2 more are at their limit of 1 requests at once")


def test_a_gateway_without_a_slot_queues_nothing() -> None:
    place = Place(1, fleet=Fleet(frozenset({"a", "b"}), "b"))
    assert not place.admission.enter(place.attempts[0])
    refusal = place.refusal(0)
    assert (refusal.reason, refusal.retry_after_seconds) == (Reason.NO_SHARE, 1)
    assert refusal.words.endswith("and all of them are for other gateways")


def test_endpoints_without_a_slot_are_no_reason_not_to_wait_at_others() -> None:
    place = Place(1, 3, fleet=Fleet(frozenset({"a", "b"}), "b"))
    place.fill(0)
    place.fill(1)
    person, _ = place.wait(0, 1)
    place.leave(1)
    assert person.told == [place.names[1]]


def test_retry_after_is_how_long_the_queue_takes_at_the_observed_rate() -> None:
    place = Place(2)
    place.fill()
    for _ in range(16):
        place.timer.pass_by(0.5)
        place.leave()
        place.fill()
    for _ in range(8):
        place.wait(0)
    assert place.refusal(0).retry_after_seconds == 5  # 9 slots at 2 a second


def test_idle_time_plays_no_part_in_retry_after() -> None:
    place = Place(1)
    for _ in range(4):
        place.fill()
        place.timer.pass_by(1)
        place.leave()
        place.timer.pass_by(1000)
    place.fill()
    for _ in range(8):
        place.wait(0)
    assert place.refusal(0).retry_after_seconds == 9


@pytest.mark.parametrize(("seconds", "told"), [(0, 1), (2, 18), (1000, 60)])
def test_retry_after_before_anything_ended_goes_by_how_long_nothing_did(seconds: float, told: int) -> None:
    place = Place(1)
    place.fill()
    place.timer.pass_by(seconds)
    for _ in range(8):
        place.wait(0)
    assert place.refusal(0).retry_after_seconds == told


def test_when_gateways_leave_who_waits_is_let_in_at_once() -> None:
    place = Place(4, fleet=Fleet(frozenset({"a", "b"}), "a"))
    place.fill()
    waiting = [place.wait(0)[0] for _ in range(3)]
    place.admission.resize(ALONE)
    assert [person.told for person in waiting] == [place.names, place.names, []]


def test_when_gateways_come_requests_under_way_stay_and_no_new_ones_are_let_in() -> None:
    place = Place(4)
    place.fill()
    person, _ = place.wait(0)
    place.admission.resize(Fleet(frozenset({"a", "b"}), "a"))
    place.leave()
    place.leave()
    assert person.told == []
    place.leave()
    assert person.told == place.names


def test_when_the_last_slot_goes_to_another_gateway_who_waits_is_refused() -> None:
    place = Place(1)
    place.fill()
    person, _ = place.wait(0)
    place.admission.resize(Fleet(frozenset({"a", "b"}), "b"))
    assert isinstance(person.told[0], Refusal)
    assert person.told[0].reason is Reason.NO_SHARE


def test_a_new_table_sends_who_waits_to_decide_anew_in_order() -> None:
    place, order = Place(1, 1), []

    class Orderly(Person):
        def decide_anew(self) -> None:
            order.append(self)

    place.fill(0)
    place.fill(1)
    people = [Orderly() for _ in range(3)]
    for person, places in zip(people, ([0], [1], [0, 1]), strict=True):
        place.admission.wait([place.attempts[number] for number in places], person, NEVER)
    place.admission.follow(table(*place.attempts))
    assert order == people
    assert not place.admission.waiting()


def test_a_new_limit_holds_from_the_next_table_on() -> None:
    place = Place(2)
    place.fill()
    larger = limited(8000, 3)
    place.admission.follow(table(larger))
    assert [place.admission.enter(larger) for _ in range(2)] == [True, False]


def test_an_endpoint_that_left_and_came_back_still_has_its_requests() -> None:
    place = Place(2)
    place.fill()
    place.admission.follow(table())
    place.admission.follow(table(*place.attempts))
    assert not place.admission.enter(place.attempts[0])
    place.leave()
    assert place.admission.enter(place.attempts[0])


def test_many_who_fail_as_soon_as_they_are_let_in_all_have_their_turn() -> None:
    place = Place(1024)
    place.fill()
    people = [Person(then=lambda _: place.leave()) for _ in range(1024)]
    for person in people:
        place.admission.wait(place.attempts, person, NEVER)
    place.leave()
    assert all(person.told == place.names for person in people)
    assert place.admission.enter(place.attempts[0])


def test_what_waits_and_what_was_refused_is_counted_by_backend() -> None:
    place = Place(1)
    place.fill()
    for _ in range(8):
        place.wait(0)
    place.refusal(0)
    assert place.admission.waiting() == {"engine": 8}
    assert place.admission.waits == {"engine": 8}
    assert place.admission.refusals == {("engine", Reason.QUEUE_FULL): 1}
