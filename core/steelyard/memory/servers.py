"""Server: what is known of one server's memory from what it told. Pure: the time comes in as an argument.

Rule 1. A model is known by its digest: a copy is told under the other's name.
Rule 2. An expiry that moved tells a use. Ollama moves it also where a model stays for ever.
Rule 3. A server was restarted that did not answer, or where something went without a reason: nothing else
        is there, or all else was used or loaded since, and it had room for what went. What is to be
        preloaded is loaded again; so it is told to stay where somebody else had it loaded for a while.
Rule 4. A model whose loading failed, or that goes when another one is loaded, rests, ever longer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from steelyard.memory.planning import Resident, View
from steelyard.memory.wishes import Wanted
from steelyard.telemetry import samples
from steelyard.telemetry.samples import LoadedModel

FIRST_REST_SECONDS = 10.0
"""After the first failure of a load; it doubles with each further one."""

LONGEST_REST_SECONDS = 900.0
"""The longest such rest."""

FORGIVEN_SECONDS = 2 * LONGEST_REST_SECONDS
"""After so long in memory the failures before count no more. Two models that drive each other out take turns
meanwhile, each for as long as the other one rests."""

LONGEST_WAIT_SECONDS = 60.0
"""So long a model waits for others that work where there is reason to believe that it fits beside them."""

MOST_RIVALS = 1024
"""So many pairs of models that drive each other out are remembered."""

FOR_EVER_SECONDS = 9_223_372_036.854_775
"""What Ollama takes for ever: the longest time that its language has, 292 years."""

SERVER_KEEP_SECONDS = 300.0
"""How long a server keeps what nobody told it how long to keep, unless OLLAMA_KEEP_ALIVE says otherwise."""

SURE_SECONDS = 30.0
"""How long a model that answered counts as alive: a server goes on telling of one that was killed."""

SKEW_SECONDS = 60.0
"""How far the server's clock may be ahead: by it, what was told to go expires at that moment."""

_CENTURY = 3_155_760_000.0


@dataclass(slots=True)
class Seen:
    """A model in memory."""

    model: LoadedModel
    """What was told of it last."""
    used_at: float | None
    """When it was used last, by the clock that nobody sets; None: not since it was loaded here."""
    is_leaving: bool = False
    """Whether it was told to go."""

    def had_to_stay(self, wall: float) -> bool:
        """Whether it had no reason to go by then."""
        expires_at = self.model.expires_at
        return not self.is_leaving and (expires_at is None or expires_at > wall)


@dataclass(frozen=True, slots=True)
class _Rest:
    failures: int
    until: float
    words: str


@dataclass(slots=True)
class Moment:
    """What is known for a moment only."""

    idle: dict[str, bool] = field(default_factory=dict)
    """By key whether a model was found to work on nothing."""
    renewed: set[str] = field(default_factory=set)
    """Keys of models that were told to stay."""


class Server:
    """One server as it was seen. `at` is seconds by a clock that nobody sets, `wall` since 1970."""

    def __init__(self) -> None:
        self.seen: dict[str, Seen] = {}
        """What is in its memory, by key."""
        self.is_lost = True
        """Whether it did not answer since it was seen last."""
        self._has: Mapping[str, str | None] = {}
        self._remote: frozenset[str] = frozenset()
        self._sizes: dict[str, int] = {}
        self._due: tuple[str, ...] = ()
        self._rests: dict[str, _Rest] = {}
        self._loaded_with: dict[str, tuple[int, int | None]] = {}
        self._answered_at: dict[str, float] = {}
        self._is_crowded = False
        self._most_models = self._most_mib = 0
        self._rivals: set[frozenset[str]] = set()
        self._waits_for, self._waits_since = "", 0.0
        self._wall = 0.0

    def key(self, name: str) -> str:
        """What a model of this name is known by."""
        canonical = samples.canonical(name)
        return self._has.get(canonical) or canonical

    def want(self, before: Wanted | None, wanted: Wanted) -> None:
        """Other things are wanted from now on: what is new is to be preloaded, and nothing rests.

        The server may be another as well: what it held is learnt anew.
        """
        old = before.memory.preload if before else ()
        fresh = [name for name in wanted.memory.preload if name not in old]
        self._due = tuple(name for name in wanted.memory.preload if name in (*self._due, *fresh))
        self._rests.clear()
        self._rivals.clear()
        self._is_crowded = False
        self._most_models = self._most_mib = 0

    def listed(self, has: Mapping[str, str | None], remote: frozenset[str] = frozenset()) -> None:
        """It has these models, with these digests by canonical name; `remote`: those it never loads."""
        self._has, self._remote = has, remote

    def take(
        self, loaded: tuple[LoadedModel, ...], wanted: Wanted, at: float, wall: float, *, loaded_key: str = ""
    ) -> None:
        """These are in its memory now. `loaded_key`: what was loaded since; others may have gone for it."""
        before, self.seen = self.seen, {}
        self._wall = wall
        for model in loaded:
            key = model.digest or samples.canonical(model.name)
            self.seen[key] = self._seen_again(before.get(key), model, at)
            if model.memory_mib is not None:
                self._sizes[key] = model.memory_mib
        if self.is_lost or self._was_restarted(before, loaded_key):
            self._due = wanted.memory.preload
            self._rests.clear()
        self.is_lost = False
        self._due = tuple(
            name
            for name in wanted.memory.preload
            if (name in self._due and not self._is_kept(name, wanted))
            or (wanted.memory.keep_alive_seconds < 0 and self._is_fallen(before, self.key(name)))
        )
        self._most_models = max(self._most_models, len(self.seen))
        self._most_mib = max(self._most_mib, self._used_mib())
        self._rivals = {pair for pair in self._rivals if not pair <= self.seen.keys()}
        for key, rest in list(self._rests.items()):
            if key in self.seen and at > rest.until + FORGIVEN_SECONDS:
                del self._rests[key]

    def leave_out(self, names: tuple[str, ...]) -> None:
        """These are not preloaded until the server starts again."""
        self._due = tuple(name for name in self._due if name not in names)

    def loaded(self, key: str, num_ctx: int | None, before: Mapping[str, Seen], at: float) -> list[str]:
        """This model was loaded with this option and is in memory; keys of those that went for it.

        `before`: what was in memory until then.
        """
        self.seen[key].used_at = None
        self.answered(key, num_ctx, at)
        gone = self._gone(before)
        if gone:
            for one in gone:
                if self._has_room_for(one) and len(self._rivals) < MOST_RIVALS:
                    self._rivals.add(frozenset((key, one)))
            self._is_crowded = True
            self._most_models, self._most_mib = len(self.seen), self._used_mib()
        return gone

    def waits(self, key: str, at: float) -> None:
        """This model waits until nothing works; empty: none does."""
        if key != self._waits_for:
            self._waits_for, self._waits_since = key, at

    def answered(self, key: str, num_ctx: int | None, at: float) -> None:
        """This model, which is in memory, was asked for with this option and was there."""
        self._answered_at[key] = at
        if num_ctx is not None:
            self._loaded_with[key] = (num_ctx, self.seen[key].model.context_tokens)

    def failed(self, key: str, words: str, at: float) -> bool:
        """Loading this model failed; whether that is news. `words` end a sentence that begins with it.

        It may have waited for room in vain: no more is taken to fit than what is there.
        """
        self._most_models, self._most_mib = len(self.seen), self._used_mib()
        before = self._rests.get(key)
        failures = before.failures + 1 if before else 1
        self._rests[key] = _Rest(failures, at + _rest_seconds(failures), words)
        return before is None or before.words != words

    def view(self, wanted: Wanted, moment: Moment, at: float) -> View:
        """All that a plan depends on."""
        return View(
            memory=wanted.memory,
            contexts=wanted.contexts,
            has={name: digest or name for name, digest in self._has.items() if name not in self._remote},
            remote=self._remote,
            residents=tuple(self._resident(key, seen, at) for key, seen in self.seen.items()),
            sizes=self._sizes,
            due=self._due,
            idle=moment.idle,
            resting={key: rest.words for key, rest in self._rests.items() if at < rest.until},
            unsure=frozenset(key for key in self.seen if not self._is_sure(key, at)) - moment.renewed,
            is_crowded=self._is_crowded,
            most_models=self._most_models,
            most_mib=self._most_mib,
            rivals=frozenset(one for pair in self._rivals if pair & self.seen.keys() for one in pair),
            overdue=self._waits_for if at - self._waits_since >= LONGEST_WAIT_SECONDS else "",
        )

    def _is_sure(self, key: str, at: float) -> bool:
        return (
            self._is_for_ever(self.seen[key])
            and at - self._answered_at.get(key, float("-inf")) < SURE_SECONDS
        )

    def _resident(self, key: str, seen: Seen, at: float) -> Resident:
        model = seen.model
        num_ctx, came_out = self._loaded_with.get(key, (None, None))
        return Resident(
            key=key,
            name=model.name,
            memory_mib=model.memory_mib or 0,
            context_tokens=model.context_tokens,
            num_ctx=num_ctx if num_ctx and came_out == model.context_tokens else model.context_tokens,
            used_at=seen.used_at,
            is_leaving=seen.is_leaving,
        )

    def _seen_again(self, before: Seen | None, model: LoadedModel, at: float) -> Seen:
        """What is known of a model with what was told of it now."""
        if before is None:
            return Seen(model, self._used_before(model.expires_at, at) if self.is_lost else at)
        if model.expires_at == before.model.expires_at:
            return Seen(model, before.used_at, before.is_leaving)
        is_going = before.is_leaving and self._is_soon(model.expires_at)
        return Seen(model, before.used_at if is_going else at, is_going)

    def _was_restarted(self, before: Mapping[str, Seen], loaded_key: str) -> bool:
        """Whether something went that had no reason to go."""
        gone = self._gone(before)
        if not gone or not self.seen:
            return bool(gone)
        if loaded_key or any(self._is_untouched(before, key) for key in self.seen):
            return False
        return any(self._has_room_for(key) for key in gone)

    def _gone(self, before: Mapping[str, Seen]) -> list[str]:
        """Keys of those that went though they had to stay."""
        return [key for key, seen in before.items() if key not in self.seen and seen.had_to_stay(self._wall)]

    def _is_untouched(self, before: Mapping[str, Seen], key: str) -> bool:
        """Whether this one was neither used nor loaded since."""
        expires_at = self.seen[key].model.expires_at
        return key in before and expires_at is not None and expires_at == before[key].model.expires_at

    def _has_room_for(self, key: str) -> bool:
        """Whether the server was seen to hold what is there now, and this model besides."""
        if any(frozenset((key, one)) in self._rivals for one in self.seen):
            return False
        mib = self._used_mib() + self._sizes.get(key, 0)
        return len(self.seen) < self._most_models and mib <= self._most_mib

    def _used_mib(self) -> int:
        return sum(seen.model.memory_mib or 0 for seen in self.seen.values())

    def _is_kept(self, name: str, wanted: Wanted) -> bool:
        """Whether this model is in memory, and for as long as is wanted, where that is for ever."""
        seen = self.seen.get(self.key(name))
        if seen is None:
            return False
        return wanted.memory.keep_alive_seconds >= 0 or self._is_for_ever(seen)

    def _is_fallen(self, before: Mapping[str, Seen], key: str) -> bool:
        """Whether this model stayed for ever, and goes by itself now, though not at once."""
        if key not in before or key not in self.seen or not self._is_for_ever(before[key]):
            return False
        seen = self.seen[key]
        is_soon = self._is_soon(seen.model.expires_at)
        return not (seen.is_leaving or is_soon or self._is_for_ever(seen))

    def _is_soon(self, expires_at: float | None) -> bool:
        return expires_at is not None and expires_at <= self._wall + SKEW_SECONDS

    def _is_for_ever(self, seen: Seen) -> bool:
        return _is_far(seen.model.expires_at, self._wall)

    def _used_before(self, expires_at: float | None, at: float) -> float:
        """When a model was used last that was loaded before anybody looked, as far as its expiry tells."""
        if expires_at is None:
            return at
        kept_seconds = FOR_EVER_SECONDS if _is_far(expires_at, self._wall) else SERVER_KEEP_SECONDS
        return at + min(expires_at - kept_seconds - self._wall, 0.0)


def _rest_seconds(failures: int) -> float:
    return float(min(FIRST_REST_SECONDS * 2 ** min(failures - 1, 20), LONGEST_REST_SECONDS))


def _is_far(expires_at: float | None, wall: float) -> bool:
    return expires_at is None or expires_at - wall > _CENTURY
