"""What to do next about the models in a server's memory. Pure: what is known comes in, one action comes out.

Rule 1. Pinned models are loaded, in their order, and never unloaded here.
Rule 2. Preloaded ones are loaded where they fit, in their order; for none of them another one goes.
Rule 3. Above the budget the least recently used goes that nothing uses; with evict: Never only what was
        preloaded and not used by anybody since.
Rule 4. A size is what the server told of it in memory. A model of unknown size is loaded to know it.
Rule 5. Unless it is known to fit, a model is loaded only while nothing else works: a full server that works
        would let it wait, and every other load behind it. It is known to fit where the server held as much
        before, or by the budget. Where there is reason to believe so, it waits for a while only.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from steelyard.api.signals import Eviction, Memory
from steelyard.memory import requests
from steelyard.telemetry import samples


@dataclass(frozen=True, slots=True)
class Resident:
    """A model in the server's memory."""

    key: str
    """What it is known by: its digest, where that is told."""
    name: str
    """The server's name of it."""
    memory_mib: int
    """What it takes."""
    context_tokens: int | None
    """The context that it was loaded with; None: not told."""
    num_ctx: int | None
    """The option to name, so that it is not loaded anew."""
    used_at: float | None
    """When it was used last, in seconds since 1970; None: not since it was loaded here."""
    is_leaving: bool
    """Whether it was told to go and is still there."""


@dataclass(frozen=True, slots=True)
class View:
    """All that a plan depends on."""

    memory: Memory
    """What is wanted."""
    contexts: Mapping[str, int]
    """`contextTokens`, by canonical model name."""
    has: Mapping[str, str]
    """Key by canonical name of the models that the server has and can load."""
    remote: frozenset[str] = frozenset()
    """Canonical names of those for which it has another server answer."""
    residents: tuple[Resident, ...] = ()
    """What is in its memory."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """MiB by key, of the models that were ever seen loaded."""
    due: tuple[str, ...] = ()
    """Names of the models to preload that were not loaded or left out since the server started."""
    idle: Mapping[str, bool] = field(default_factory=dict)
    """By key whether a resident had nothing to do a moment ago; absent: not known."""
    resting: Mapping[str, str] = field(default_factory=dict)
    """By key how models failed lately to load: the rest of a sentence that begins with the model."""
    unsure: frozenset[str] = frozenset()
    """Keys of the residents that go by themselves, or were not asked lately whether they are still there."""
    is_crowded: bool = False
    """Whether something went as another model was loaded that was known to fit: the server holds less."""
    most_models: int = 0
    """So many models were in its memory at once."""
    most_mib: int = 0
    """So much was."""
    rivals: frozenset[str] = frozenset()
    """Keys of models that drive out a resident though both fit."""
    overdue: str = ""
    """Key of the model that waited for so long that it is loaded though others work; empty: none."""


@dataclass(frozen=True, slots=True)
class Load:
    """Load a model, or have a loaded one stay."""

    key: str
    """What it is known by."""
    name: str
    """What it is called."""
    keep_alive: int
    """How long it is to stay."""
    num_ctx: int | None
    """The context to load it with; None: the server's or the model's own."""


@dataclass(frozen=True, slots=True)
class Unload:
    """Have a model go."""

    key: str
    """What it is known by."""
    name: str
    """What it is called."""


@dataclass(frozen=True, slots=True)
class FindOut:
    """Find out whether a model works on something."""

    key: str
    """What it is known by."""
    name: str
    """What it is called."""
    num_ctx: int | None
    """The option to name, so that it is not loaded anew."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing can be done now, though something is to be done."""

    why: str
    """What is waited for, as a sentence."""
    key: str = ""
    """The model that is to be loaded once nothing works; empty: none."""
    name: str = ""
    """What it is called."""


Action = Load | Unload | FindOut | Hold


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that people should know, as a condition would say it."""

    reason: str
    """One CamelCase word."""
    message: str
    """A sentence that says what to do."""
    holds: bool = False
    """Whether the models are where they should be all the same."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do next, and what to tell."""

    action: Action | None
    """None: all is as wanted."""
    problems: tuple[Problem, ...]
    """The gravest first."""
    left_out: tuple[str, ...]
    """Names of models to preload that do not fit."""


def plan(view: View) -> Plan:
    """What to do next for one server."""
    room = _Room(view)
    action = room.departure() or room.renewal() or room.relief() or room.next_load()
    return Plan(action, tuple(room.problems(action)), tuple(room.left_out))


class _Room:
    """A view with what follows from it."""

    def __init__(self, view: View) -> None:
        self.view = view
        memory = view.memory
        self.residents = {one.key: one for one in view.residents}
        self.pinned = [(name, self.key(name)) for name in memory.pinned]
        self.pinned_keys = {key for _, key in self.pinned if key is not None}
        self.used_mib = sum(one.memory_mib for one in view.residents)
        pinned_mib = sum(view.sizes.get(key, 0) for key in self.pinned_keys)
        self.pinned_mib = pinned_mib
        self.free_mib = None if memory.budget_mib is None else memory.budget_mib - self.used_mib
        self.never_pinned_mib = None if memory.budget_mib is None else memory.budget_mib - pinned_mib
        self.left_out: list[str] = []

    def key(self, name: str) -> str | None:
        """What the model of this name is known by; None: the server does not have it."""
        return self.view.has.get(samples.canonical(name))

    def departure(self) -> Action | None:
        """Nothing, while one that was told to go is there."""
        names = [one.name for one in self.view.residents if one.is_leaving]
        return Hold(f"Waits until {', '.join(names)}, which was told to go, has left.") if names else None

    def renewal(self) -> Action | None:
        """A pinned model that would go by itself is told to stay, one that may be dead is asked for.

        One that is to be preloaded and would go is told to stay, too, but not while it works: a load that
        waits for its end would wait for ever.
        """
        unsure_keys = (self.pinned_keys & self.view.unsure) - self.view.resting.keys()
        for one in self.view.residents:
            if one.key in unsure_keys:
                return Load(one.key, one.name, requests.FOR_EVER, one.num_ctx)
        for key in map(self.key, self.view.due):
            resident = self.residents.get(key or "")
            if resident is None or key not in self.view.unsure or self.view.idle.get(resident.key) is False:
                continue
            if resident.key not in self.view.idle:
                return _find_out(resident)
            return Load(resident.key, resident.name, self.view.memory.keep_alive_seconds, resident.num_ctx)
        return None

    def relief(self) -> Action | None:
        """What brings the memory back within its budget."""
        if self.free_mib is None or self.free_mib >= 0:
            return None
        return self._evict()

    def next_load(self) -> Action | None:
        """The next step towards having what is wanted, pinned models first."""
        for name in dict.fromkeys((*self.view.memory.pinned, *self.view.due)):
            key = self.key(name)
            if key is None or key in self.residents or key in self.view.resting:
                continue
            if key not in self.pinned_keys and not self._fits(key):
                self.left_out.append(name)
                continue
            action = self._bring(name, key)
            if action is not None:
                return action
        return None

    def _fits(self, key: str) -> bool:
        """Whether this model may fit beside those that are in memory and the pinned ones that are to be."""
        if self.free_mib is None:
            return True
        absent_keys = self.pinned_keys - self.residents.keys()
        reserved_mib = sum(self.view.sizes.get(absent, 0) for absent in absent_keys)
        return self.view.sizes.get(key, 1) <= self.free_mib - reserved_mib

    def _bring(self, name: str, key: str) -> Action | None:
        """The next step towards having this model loaded; None: it cannot be."""
        size_mib = self.view.sizes.get(key)
        if self.free_mib is not None:
            missing_mib = (size_mib or 1) - self.free_mib
            if missing_mib > 0:
                possible_mib = sum(one.memory_mib for one in self._victims())
                action = self._evict() if possible_mib >= missing_mib else None
                return replace(action, key=key, name=name) if isinstance(action, Hold) else action
        if not self._surely_fits(key):
            action = self._drained(name, key)
            if isinstance(action, FindOut) or (action is not None and not self._is_overdue(key)):
                return action
        num_ctx = self.view.contexts.get(samples.canonical(name))
        return Load(key, name, requests.keep_alive_seconds(self.view.memory, name), num_ctx)

    def _surely_fits(self, key: str) -> bool:
        """Whether this model is known to fit beside what is there, by what was there before or the budget."""
        view, size_mib = self.view, self.view.sizes.get(key)
        if size_mib is None:
            return False
        held_more = len(self.residents) < view.most_models and self.used_mib + size_mib <= view.most_mib
        if held_more and key not in view.rivals:
            return True
        return self.free_mib is not None and not view.is_crowded

    def _is_overdue(self, key: str) -> bool:
        """Whether this model waited long enough, and there is reason to believe that there is room for it."""
        view = self.view
        if view.overdue != key or view.is_crowded or key in view.rivals or key in view.sizes:
            return False
        return self.free_mib is not None or len(self.residents) < view.most_models

    def _drained(self, name: str, key: str) -> Action | None:
        """What is to be known or waited for until nothing works; None: nothing does."""
        for one in self.view.residents:
            is_idle = self.view.idle.get(one.key)
            if is_idle is None:
                return _find_out(one)
            if not is_idle:
                return Hold(f"Waits to load {name} until {one.name} has nothing to do.", key, name)
        return None

    def _evict(self) -> Action | None:
        """The next step towards having one model less; None: there is none that may go."""
        victims = self._victims()
        for one in victims:
            is_idle = self.view.idle.get(one.key)
            if is_idle is None:
                return _find_out(one)
            if is_idle:
                return Unload(one.key, one.name)
        if victims:
            names = ", ".join(one.name for one in victims)
            return Hold(f"Waits to make room until one of {names} has nothing to do.")
        return None

    def _victims(self) -> list[Resident]:
        """What may go, the first to go first."""
        may_go = [one for one in self.view.residents if one.key not in self.pinned_keys]
        if self.view.memory.evict is Eviction.NEVER:
            may_go = [one for one in may_go if one.used_at is None]
        return sorted(may_go, key=self._worth)

    def _worth(self, one: Resident) -> tuple[bool, float]:
        """How much a resident is worth: one that never fits is worth nothing, one that nobody used less than
        any other, the later in the list of those to preload the less."""
        fits = self.never_pinned_mib is None or one.memory_mib <= self.never_pinned_mib
        if one.used_at is not None:
            return fits, one.used_at
        keys = [self.key(name) for name in self.view.memory.preload]
        place = keys.index(one.key) if one.key in keys else len(keys)
        return fits, float(-1 - place)

    def problems(self, action: Action | None) -> Iterator[Problem]:
        """What people should know."""
        memory, view = self.view.memory, self.view
        for field_name, names in (("pinned", memory.pinned), ("preload", memory.preload)):
            remote = [name for name in names if samples.canonical(name) in view.remote]
            if remote:
                message = (
                    f"spec.memory.{field_name} names {', '.join(remote)}, for which the server has another "
                    "one answer, so that it is never in memory: remove it there."
                )
                yield Problem("ModelRemote", message)
            lacking = [name for name in names if self.key(name) is None and name not in remote]
            if lacking:
                message = (
                    f"spec.memory.{field_name} names {', '.join(lacking)}, which the server does not have: "
                    "pull it there or correct the name."
                )
                yield Problem("ModelMissing", message)
        absent = [name for name, key in self.pinned if key is not None and key not in self.residents]
        roomless = [name for name in absent if self.key(name) not in view.resting]
        if memory.budget_mib is not None and roomless and action is None:
            message = (
                f"spec.memory.budgetMiB is {memory.budget_mib}, in which {', '.join(roomless)} of "
                f"spec.memory.pinned has no room; as far as they were measured, the pinned models take "
                f"{self.pinned_mib} MiB: raise it or pin fewer."
            )
            yield Problem("BudgetTooSmall", message)
        if self.free_mib is not None and self.free_mib < 0 and action is None:
            there = ", ".join(one.name for one in view.residents)
            message = (
                f"{there} take {self.used_mib} MiB, spec.memory.budgetMiB is {memory.budget_mib}, and none "
                "of them may go: raise it, pin fewer, or set evict: LeastRecentlyUsed."
            )
            yield Problem("OverBudget", message)
        wanted = dict.fromkeys((*memory.pinned, *view.due))
        for name in wanted:
            key = self.key(name)
            if key is not None and key in view.resting and key not in self.residents:
                yield Problem("LoadFailed", f"Model {name} {view.resting[key]}")
        if isinstance(action, Hold):
            yield Problem("Waiting", action.why, holds=not absent)
        elif absent:
            yield Problem("NotLoaded", f"Not in memory yet: {', '.join(absent)}.")
        yield from self._contexts()

    def _contexts(self) -> Iterator[Problem]:
        """Models that are loaded with another context than they should."""
        for name in dict.fromkeys((*self.view.memory.pinned, *self.view.memory.preload)):
            wanted = self.view.contexts.get(samples.canonical(name))
            one = self.residents.get(self.key(name) or "")
            if wanted is None or one is None or one.context_tokens in (None, wanted):
                continue
            message = (
                f"{name} is in memory with {one.context_tokens} tokens of context in place of contextTokens "
                f"{wanted}: either the model was not made for so many, or somebody asks for it over /v1, "
                "where no context can be named: see docs/ollama.md on derived names."
            )
            yield Problem("ContextDiffers", message, holds=True)


def _find_out(one: Resident) -> FindOut:
    return FindOut(one.key, one.name, one.num_ctx)
