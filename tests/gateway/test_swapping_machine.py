"""Servers that hold one model, under random requests and keepers: no load meets what it evicts at work."""

from contextlib import ExitStack

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from fakes.yards import PATIENCE, Person, Yard
from steelyard_gateway.lines import Ticket

MODELS = "abc"
SERVERS = 2


class Asker(Person):
    """A request of the machine; it checks what it meets where it is let in."""

    def __init__(self, machine: "Machine", model: str, *, fails: bool) -> None:
        super().__init__(machine.yard, model)
        self.has_begun = False
        self._machine = machine
        self._fails = fails

    def admitted(self, name: str) -> None:
        super().admitted(name)
        self.go()

    def go(self) -> None:
        """Be at the server."""
        machine, server = self._machine, self.at
        assert server is not None
        there = machine.present[server]
        if machine.loaded[server] != self.model:
            assert all(one.model == self.model for one in there), "what it evicts is at work"
            assert not machine.loading[server], "another load is under way"
            machine.loaded[server] = self.model
            machine.loading[server] = True
        there.append(self)
        if self._fails:
            self.leave()

    def begin(self) -> None:
        """Get the first byte."""
        assert self.at is not None
        self.has_begun = True
        self._machine.loading[self.at] = False
        self.begins()

    def leave(self) -> None:
        """Be over, with an answer or without."""
        machine, server = self._machine, self.at
        assert server is not None
        there = machine.present[server]
        there.remove(self)
        keeper = machine.keepers[server]
        if machine.loading[server] and not there and not (keeper and keeper.is_loading):
            machine.loaded[server], machine.loading[server] = "", False
        self.ends()


class Keeper:
    """Somebody who is to load a model on a server as soon as that was emptied."""

    def __init__(self, machine: "Machine", server: int, model: str) -> None:
        self.has_turn = self.is_loading = False
        self.model = model
        self._machine, self._server = machine, server
        self._swapping, self._place = machine.yard.admission.swapping, machine.yard.places[server]
        self._held = ExitStack()
        self._held.enter_context(self._swapping.claimed(self._place, model, self.turn, empties=True))

    def turn(self) -> None:
        assert not self.has_turn
        self.has_turn = True

    def load(self) -> None:
        machine, server = self._machine, self._server
        assert all(one.model == self.model for one in machine.present[server]), "what it evicts is at work"
        assert not machine.loading[server] or machine.loaded[server] == self.model
        machine.loaded[server], machine.loading[server], self.is_loading = self.model, True, True
        self._is_loaded = self._held.enter_context(self._swapping.loading(self._place, self.model))

    def end(self, *, well: bool) -> None:
        """Be over; a load that failed goes on only for those who asked for the same model."""
        machine, server = self._machine, self._server
        machine.keepers[server] = None
        if self.is_loading and well:
            machine.loading[server] = False
            self._is_loaded()
        elif self.is_loading and machine.loading[server] and not machine.present[server]:
            machine.loaded[server], machine.loading[server] = "", False
        self._held.close()


class Machine(RuleBasedStateMachine):
    """Requests come and go in any order, servers tell what they have when they like."""

    def __init__(self) -> None:
        super().__init__()
        self.yard = Yard(SERVERS, models=MODELS)
        self.loaded = ["a", ""]
        self.loading = [False, False]
        self.present: list[list[Asker]] = [[], []]
        self.waiting: list[Asker] = []
        self.keepers: list[Keeper | None] = [None, None]
        self.yard.tell(*self.loaded)

    def came(self, person: Asker) -> None:
        for server, attempt in enumerate(self.yard.attempts[person.model]):
            if self.yard.admission.enter(attempt):
                person.at = server
                person.go()
                return
        now = self.yard.timer.now
        given = self.yard.admission.wait(self.yard.attempts[person.model], person, now + PATIENCE, now)
        if isinstance(given, Ticket):
            person.ticket = given
            self.waiting.append(person)

    @rule(model=st.sampled_from(MODELS), fails=st.sampled_from([False, False, False, True]))
    def somebody_comes(self, model: str, fails: bool) -> None:
        self.came(Asker(self, model, fails=fails))

    @precondition(lambda self: any(self.present))
    @rule(data=st.data())
    def somebody_begins_or_leaves(self, data: st.DataObject) -> None:
        person = data.draw(st.sampled_from([one for there in self.present for one in there]))
        if person.has_begun or data.draw(st.booleans()):
            person.leave()
        else:
            person.begin()

    @precondition(lambda self: self.still_waiting())
    @rule(data=st.data())
    def somebody_gives_up(self, data: st.DataObject) -> None:
        person = data.draw(st.sampled_from(self.still_waiting()))
        assert person.ticket is not None
        person.ticket.cancel()
        self.waiting.remove(person)

    @rule(server=st.integers(0, SERVERS - 1), model=st.sampled_from(MODELS), data=st.data())
    def a_keeper_goes_on(self, server: int, model: str, data: st.DataObject) -> None:
        keeper = self.keepers[server]
        if keeper is None:
            if self.loaded[server] != model:
                self.keepers[server] = Keeper(self, server, model)
        elif keeper.has_turn and not keeper.is_loading and self.loaded[server] != keeper.model:
            keeper.load()
        else:
            keeper.end(well=data.draw(st.booleans()))

    @rule(seconds=st.sampled_from([0.2, 2.0, 6.0, 21.0]))
    def time_passes(self, seconds: float) -> None:
        self.yard.pass_by(seconds)

    @rule()
    def servers_tell(self) -> None:
        self.yard.tell(*self.loaded)

    @rule()
    def a_table_comes(self) -> None:
        anew = self.still_waiting()
        self.waiting.clear()
        self.yard.admission.follow(self.yard.table)
        for person in anew:
            assert person.anew == 1
            person.anew = 0
            self.came(person)

    def still_waiting(self) -> list[Asker]:
        """Those who were told nothing yet."""
        return [one for one in self.waiting if one.at is None and one.refusal is None]

    def teardown(self) -> None:
        """All are answered: then nobody waits for long, whatever the models."""
        for keeper in self.keepers:
            if keeper is not None:
                keeper.end(well=True)
        for _ in range(100):
            for there in self.present:
                for person in list(there):
                    person.leave()
            self.yard.pass_by(1)
            if not self.still_waiting() and not any(self.present):
                break
        assert not self.yard.admission.waiting()
        assert all(one.at is not None or one.refusal is not None for one in self.waiting)


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
