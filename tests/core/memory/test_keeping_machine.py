"""A server's memory under random clients, restarts and wishes, and what holds whatever they do."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fakes.kept import Kept
from fakes.loading_ollama import LoadingOllama, Stored
from steelyard.api.signals import Eviction

MODELS = [Stored(f"m{number}:1", 100 + 37 * number) for number in range(5)]
NAMES = st.sampled_from([one.name for one in MODELS])
LISTS = st.lists(NAMES, unique=True, max_size=3).map(tuple)
BUDGETS = st.none() | st.integers(100, 900)


class Machine(RuleBasedStateMachine):
    """Clients on one side of a server, its keeper on the other.

    The server holds what the budget says; without a budget, a number of models that nobody knows.
    """

    @initialize(
        pinned=LISTS,
        preload=LISTS,
        budget=BUDGETS,
        evict=st.sampled_from(Eviction),
        most_loaded=st.integers(1, 4),
    )
    def start(
        self,
        pinned: tuple[str, ...],
        preload: tuple[str, ...],
        budget: int | None,
        evict: Eviction,
        most_loaded: int,
    ) -> None:
        self.most_loaded = most_loaded
        self.ollama = LoadingOllama(list(MODELS), most_loaded=len(MODELS) if budget else most_loaded)
        self.measured: set[str] = set()
        self.kept = Kept(self.ollama, pinned=pinned, preload=preload, budget_mib=budget, evict=evict)

    @rule(name=NAMES)
    def use(self, name: str) -> None:
        self.ollama.use(name)

    @rule(name=NAMES)
    def begin(self, name: str) -> None:
        self.ollama.begin(name, keep_alive=9e9)

    @rule()
    def end_all(self) -> None:
        for name in self.ollama.busy():
            while name in self.ollama.busy():
                self.ollama.end(name)

    @rule(seconds=st.integers(1, 1000))
    def let_time_pass(self, seconds: int) -> None:
        self.ollama.now += seconds

    @rule()
    def restart(self) -> None:
        self.ollama.restart()

    @rule(name=NAMES, status=st.sampled_from([404, 500, 503]))
    def fail(self, name: str, status: int) -> None:
        self.ollama.failing[name] = status

    @rule()
    def mend(self) -> None:
        self.ollama.failing.clear()

    @rule(pinned=LISTS, preload=LISTS, budget=BUDGETS, evict=st.sampled_from(Eviction))
    def want(
        self, pinned: tuple[str, ...], preload: tuple[str, ...], budget: int | None, evict: Eviction
    ) -> None:
        most_loaded = len(MODELS) if budget else self.most_loaded
        if most_loaded != self.ollama.most_loaded:  # no server changes that while it runs
            self.ollama.most_loaded = most_loaded
            self.ollama.restart()
        self.kept.want(pinned=pinned, preload=preload, budget_mib=budget, evict=evict)

    @rule()
    def keep(self) -> None:
        ollama, memory = self.ollama, self.kept.wanted.memory
        known, before = self.measured | set(ollama.loaded()), len(ollama.journal)
        used_mib = ollama.used_mib()
        ollama.starved.clear()

        self.kept.round()

        done = ollama.journal[before:]
        self.measured |= set(ollama.loaded()) | {name for _, name in done}
        assert ollama.starved == []
        assert not {name for what, name in done if what == "unloaded"} & set(memory.pinned)
        if memory.budget_mib is None:
            assert "unloaded" not in {what for what, _ in done}
        elif {name for _, name in done} <= known and not ollama.busy():
            pinned_mib = sum(one.mib for one in MODELS if one.name in memory.pinned)
            bound = max(memory.budget_mib, pinned_mib)
            assert ollama.used_mib() <= (max(bound, used_mib) if memory.evict is Eviction.NEVER else bound)

    @rule()
    def keep_twice(self) -> None:
        self.keep()
        before = list(self.ollama.journal)

        self.kept.round()

        assert self.ollama.journal == before

    @invariant()
    def nothing_was_unloaded_that_worked(self) -> None:
        if hasattr(self, "ollama"):
            assert self.ollama.broken == []


Machine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestMachine = Machine.TestCase
