"""Slots and queues under random requests, gateways and tables."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fakes.slots import ALONE, HandTimer, limited, table
from steelyard.routing.table import Attempt
from steelyard_gateway.admission import Admission
from steelyard_gateway.lines import Reason, Refusal, Ticket
from steelyard_gateway.shares import Fleet

SETS = st.frozensets(st.integers(0, 2), min_size=1)
"""Endpoints that a request may use."""


class Client:
    """A request of the machine: it has a slot, or waits, or is over."""

    def __init__(self, machine: "Machine", places: frozenset[int], *, fails: bool) -> None:
        self.attempts = [machine.attempts[place] for place in sorted(places)]
        self.ticket: Ticket | None = None
        self._machine = machine
        self._fails = fails

    def arrive(self) -> None:
        """Take a slot, or wait, or give up."""
        machine = self._machine
        for one in self.attempts:
            if machine.admission.enter(one):
                assert machine.queue_at(one) == [], "somebody who came before still waits"
                self._be_at(one)
                return
        deadline = machine.timer.now + 10
        self.ticket = None
        given = machine.admission.wait(self.attempts, self, deadline)
        if isinstance(given, Ticket):
            self.ticket = given
            machine.queue.append(self)
        elif given.reason is Reason.NO_SHARE:
            assert not any(map(machine.share, self.attempts))
        else:
            assert given.reason is Reason.QUEUE_FULL
            assert len([one for one in machine.queue if one.attempts == self.attempts]) == 8

    def leave(self, one: Attempt) -> None:
        """Be over."""
        self._machine.present.remove((self, one))
        self._machine.admission.leave(one)

    def admitted(self, name: str) -> None:
        machine = self._machine
        one = next(one for one in self.attempts if one.endpoint.name == name)
        assert machine.queue_at(one)[0] is self, "out of turn"
        machine.queue.remove(self)
        self._be_at(one)

    def refused(self, refusal: Refusal) -> None:
        self._machine.queue.remove(self)
        if refusal.reason is Reason.NO_SHARE:
            assert not any(map(self._machine.share, self.attempts))
        else:
            assert self.ticket is not None
            assert self.ticket.deadline <= self._machine.timer.now

    def decide_anew(self) -> None:
        assert self._machine.anew.pop(0) is self, "out of order"
        self.arrive()

    def _be_at(self, one: Attempt) -> None:
        machine = self._machine
        assert machine.used(one) < machine.share(one), "more than the share"
        machine.present.append((self, one))
        if self._fails:
            self.leave(one)


class Machine(RuleBasedStateMachine):
    """Requests come and go in any order: nobody is lost, forgotten, told twice or overtaken."""

    def __init__(self) -> None:
        super().__init__()
        self.timer = HandTimer()
        self.fleet = ALONE
        self.admission = Admission(self.timer, self.timer, self.fleet)
        self.attempts = [limited(8000 + place, place + 1) for place in range(3)]
        self.present: list[tuple[Client, Attempt]] = []
        self.queue: list[Client] = []
        self.anew: list[Client] = []

    def used(self, one: Attempt) -> int:
        """Requests there, by our own count."""
        return sum(there is one for _, there in self.present)

    def share(self, one: Attempt) -> int:
        """Slots that are this gateway's."""
        assert one.endpoint.max_concurrency is not None
        return self.fleet.share(one.endpoint.max_concurrency)

    def queue_at(self, one: Attempt) -> list[Client]:
        """Those who wait there, in order."""
        return [client for client in self.queue if one in client.attempts]

    @rule(places=SETS, fails=st.sampled_from([False, False, False, True]))
    def somebody_comes(self, places: frozenset[int], fails: bool) -> None:
        Client(self, places, fails=fails).arrive()

    @precondition(lambda self: self.present)
    @rule(data=st.data())
    def somebody_leaves(self, data: st.DataObject) -> None:
        client, one = data.draw(st.sampled_from(self.present))
        client.leave(one)

    @precondition(lambda self: self.queue)
    @rule(data=st.data())
    def somebody_gives_up(self, data: st.DataObject) -> None:
        client = data.draw(st.sampled_from(self.queue))
        self.queue.remove(client)
        assert client.ticket is not None
        client.ticket.cancel()

    @rule(seconds=st.sampled_from([1, 4, 11]))
    def time_passes(self, seconds: int) -> None:
        self.timer.pass_by(seconds)

    @rule(gateways=st.integers(1, 3), own=st.integers(0, 2))
    def gateways_come_and_go(self, gateways: int, own: int) -> None:
        self.fleet = Fleet(frozenset(map(str, range(gateways))), str(own % gateways))
        self.admission.resize(self.fleet)

    @rule(places=SETS)
    def a_table_comes(self, places: frozenset[int]) -> None:
        self.anew, self.queue = self.queue, []
        self.admission.follow(table(*(self.attempts[place] for place in places)))
        assert self.anew == [], "forgotten"

    @invariant()
    def nobody_waits_where_there_is_room(self) -> None:
        for one in self.attempts:
            is_full = self.used(one) >= self.share(one)
            assert is_full or not self.queue_at(one)
            assert self.admission.is_full(one.endpoint) is is_full
        assert sum(self.admission.waiting().values()) == len(self.queue)

    def teardown(self) -> None:
        """All leave: then nobody waits, and every slot is there again."""
        while self.present:
            client, one = self.present[0]
            client.leave(one)
        assert self.queue == []
        for one in self.attempts:
            free = [self.admission.enter(one) for _ in range(4)]
            assert sum(free) == self.share(one)


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
