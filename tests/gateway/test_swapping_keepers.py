"""Who keeps a server's memory and the requests that are sent there: whose turn it is."""

from contextlib import ExitStack

from fakes.yards import Yard


class Keeper:
    """Somebody who is to load a model on the first server, and when it was its turn."""

    def __init__(self, yard: Yard, model: str, *, empties: bool) -> None:
        self.turns = 0
        self._held = ExitStack()
        swapping, place = yard.admission.swapping, yard.places[0]
        self._load = swapping.loading(place, model)
        self._held.enter_context(swapping.claimed(place, model, self._turn, empties=empties))

    def _turn(self) -> None:
        self.turns += 1

    def loads(self) -> None:
        """The load begins."""
        self._is_loaded = self._held.enter_context(self._load)

    def ends(self) -> None:
        """The load ends well, and its claim."""
        self._is_loaded()
        self._held.close()

    def gives_up(self) -> None:
        self._held.close()


def roomy(loaded: str) -> Yard:
    """A server that holds all models, and has these in memory."""
    yard = Yard()
    for told in ("abc", loaded, loaded):
        yard.tell(told)
    return yard


def test_a_keeper_that_needs_no_room_holds_nobody_up_whose_model_is_loaded() -> None:
    yard = roomy("b")
    yard.enter("b")
    keeper = Keeper(yard, "a", empties=False)
    assert keeper.turns == 1
    keeper.loads()
    yard.enter("b")
    keeper.ends()
    yard.enter("a")


def test_a_cold_model_waits_for_the_load_of_a_keeper_though_both_fit() -> None:
    yard = roomy("b")
    keeper = Keeper(yard, "a", empties=False)
    keeper.loads()
    waiting = yard.wait("c")
    yard.pass_by(6)
    assert waiting.at is None
    keeper.ends()
    yard.pass_by(0.3)
    assert waiting.at == 0


def test_a_load_of_a_keeper_that_failed_lets_the_next_one_try() -> None:
    yard = roomy("b")
    keeper = Keeper(yard, "a", empties=False)
    keeper.loads()
    waiting = yard.wait("c")
    keeper.gives_up()
    assert waiting.at == 0
    assert yard.warmth.cold_seconds(yard.attempts["a"][0])


def test_a_keeper_waits_for_the_load_of_a_request() -> None:
    yard = roomy("")
    loading = yard.enter("b")
    keeper = Keeper(yard, "a", empties=False)
    assert keeper.turns == 0
    yard.wait("c")
    loading.begins()
    assert keeper.turns == 1


def test_a_server_is_emptied_for_its_keeper_and_those_who_came_meanwhile_go_on_after_it() -> None:
    yard = Yard()
    yard.tell("b")
    working = [yard.enter("b"), yard.enter("b")]
    keeper = Keeper(yard, "a", empties=True)
    waiting = yard.wait("b")
    for person in working:
        assert keeper.turns == 0
        person.ends()
    assert (keeper.turns, waiting.at) == (1, None)
    keeper.gives_up()
    yard.pass_by(0.3)
    assert waiting.at == 0


def test_a_keeper_has_its_turn_after_the_model_that_the_server_is_emptied_for_and_before_any_other() -> None:
    yard = Yard()
    yard.tell("b")
    working = yard.enter("b")
    first = yard.wait("c")
    yard.pass_by(1)
    keeper = Keeper(yard, "a", empties=True)
    second = yard.wait("b")
    working.ends()
    assert (first.at, keeper.turns) == (0, 0)
    first.begins()
    first.ends()
    yard.pass_by(6)
    assert (second.at, keeper.turns) == (None, 1)
    keeper.gives_up()
    yard.pass_by(6)
    assert second.at == 0


def test_while_a_keeper_loads_what_fits_beside_it_is_served_again() -> None:
    yard = roomy("b")
    working = yard.enter("b")
    keeper = Keeper(yard, "a", empties=True)
    waiting = yard.wait("b")
    working.ends()
    assert (keeper.turns, waiting.at) == (1, None)
    keeper.loads()
    assert waiting.at == 0
