"""Server: what is known of one server's memory from what it told. Pure: the time comes in as an argument.

Rule 1. A model is known by its digest: a copy is told under the other's name.
Rule 2. An expiry that moved tells a use. Ollama moves it also where a model stays for ever.
Rule 3. A server that did not answer, or whose memory is empty though something had no reason to go, was
        restarted: what is to be preloaded is loaded again.
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
    """When it was used last, in seconds since 1970; None: not since it was loaded here."""
    is_leaving: bool = False
    """Whether it was told to go."""

    def had_to_stay(self, at: float) -> bool:
        """Whether it had no reason to go by then."""
        expires_at = self.model.expires_at
        return not self.is_leaving and (expires_at is None or expires_at > at)


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
    """One server as it was seen."""

    def __init__(self) -> None:
        self.seen: dict[str, Seen] = {}
        """What is in its memory, by key."""
        self.is_lost = True
        """Whether it did not answer since it was seen last."""
        self._has: Mapping[str, str | None] = {}
        self._sizes: dict[str, int] = {}
        self._due: tuple[str, ...] = ()
        self._rests: dict[str, _Rest] = {}
        self._loaded_with: dict[str, tuple[int, int | None]] = {}
        self._answered_at: dict[str, float] = {}
        self._is_crowded = False

    def key(self, name: str) -> str:
        """What a model of this name is known by."""
        canonical = samples.canonical(name)
        return self._has.get(canonical) or canonical

    def want(self, before: Wanted | None, wanted: Wanted) -> None:
        """Other things are wanted from now on: what is new is to be preloaded, and nothing rests."""
        old = before.memory.preload if before else ()
        fresh = [name for name in wanted.memory.preload if name not in old]
        self._due = tuple(name for name in wanted.memory.preload if name in (*self._due, *fresh))
        self._rests.clear()
        self._is_crowded = False

    def listed(self, has: Mapping[str, str | None]) -> None:
        """It has these models, with these digests by canonical name."""
        self._has = has

    def take(self, loaded: tuple[LoadedModel, ...], wanted: Wanted, at: float) -> None:
        """These are in its memory now."""
        before, self.seen = self.seen, {}
        for model in loaded:
            key = model.digest or samples.canonical(model.name)
            self.seen[key] = self._seen_again(before.get(key), model, at)
            if model.memory_mib is not None:
                self._sizes[key] = model.memory_mib
        if self.is_lost or self._was_emptied(before, at):
            self._due = wanted.memory.preload
            self._rests.clear()
        self.is_lost = False
        self._due = tuple(name for name in self._due if self.key(name) not in self.seen)
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
        gone = [one for one, seen in before.items() if one not in self.seen and seen.had_to_stay(at)]
        self._is_crowded |= bool(gone)
        return gone

    def answered(self, key: str, num_ctx: int | None, at: float) -> None:
        """This model, which is in memory, was asked for with this option and was there."""
        self._answered_at[key] = at
        if num_ctx is not None:
            self._loaded_with[key] = (num_ctx, self.seen[key].model.context_tokens)

    def failed(self, key: str, words: str, at: float) -> bool:
        """Loading this model failed; whether that is news. `words` end a sentence that begins with it."""
        before = self._rests.get(key)
        failures = before.failures + 1 if before else 1
        self._rests[key] = _Rest(failures, at + _rest_seconds(failures), words)
        return before is None or before.words != words

    def view(self, wanted: Wanted, moment: Moment, at: float) -> View:
        """All that a plan depends on."""
        return View(
            memory=wanted.memory,
            contexts=wanted.contexts,
            has={name: digest or name for name, digest in self._has.items()},
            residents=tuple(self._resident(key, seen, at) for key, seen in self.seen.items()),
            sizes=self._sizes,
            due=self._due,
            idle=moment.idle,
            resting={key: rest.words for key, rest in self._rests.items() if at < rest.until},
            unsure=frozenset(key for key in self.seen if not self._is_sure(key, at)) - moment.renewed,
            is_crowded=self._is_crowded,
        )

    def _is_sure(self, key: str, at: float) -> bool:
        is_kept = _is_for_ever(self.seen[key].model.expires_at, at)
        return is_kept and at - self._answered_at.get(key, float("-inf")) < SURE_SECONDS

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
            return Seen(model, _used_at(model.expires_at, at) if self.is_lost else at)
        if model.expires_at == before.model.expires_at:
            return Seen(model, before.used_at, before.is_leaving)
        is_soon = model.expires_at is not None and model.expires_at <= at + SKEW_SECONDS
        is_going = before.is_leaving and is_soon
        return Seen(model, before.used_at if is_going else at, is_going)

    def _was_emptied(self, before: Mapping[str, Seen], at: float) -> bool:
        """Whether everything is gone, and had no reason to go."""
        return not self.seen and any(seen.had_to_stay(at) for seen in before.values())


def _rest_seconds(failures: int) -> float:
    return float(min(FIRST_REST_SECONDS * 2 ** min(failures - 1, 20), LONGEST_REST_SECONDS))


def _is_for_ever(expires_at: float | None, at: float) -> bool:
    return expires_at is None or expires_at - at > _CENTURY


def _used_at(expires_at: float | None, at: float) -> float:
    """When a model was used last that was loaded before anybody looked, as far as its expiry tells."""
    if expires_at is None:
        return at
    kept_seconds = FOR_EVER_SECONDS if _is_for_ever(expires_at, at) else SERVER_KEEP_SECONDS
    return min(expires_at - kept_seconds, at)
