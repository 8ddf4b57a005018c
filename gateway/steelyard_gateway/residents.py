"""What a server that loads models on demand has in memory: as it told, and as follows from requests since.

A state machine without I/O and without a clock. Models are known by their keys: the digest, where it is told.

Rule 1. What was told replaces what was thought, but for models that had requests of ours since it told
        before, and for those that a load evicts: the server may have told of them a moment earlier.
Rule 2. A server is reckoned to hold as many models, and as much of them, as it was seen to hold at once, and
        at first one. Too low a reckoning costs a drain that was not needed, and the load after it mends it;
        too high a one would send a model to a server that is busy with what it must evict.
Rule 3. Two models of which the load of one made the other vanish, though both should have fitted, are rivals:
        they share their weights, and a server has one of them at a time.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from steelyard.routing.table import Candidate
from steelyard.telemetry import samples
from steelyard.telemetry.samples import EngineSample, LoadedModel

MOST_RIVALS = 64
"""So many rivals of one model are remembered."""

MOST_LOADED = 256
"""So many loaded models of a server count."""

MOST_SIZES = 4096
"""So many sizes are remembered."""


class Residents:
    """The memory of one server."""

    __slots__ = (
        "_fresh", "_homes", "_keys", "_leaving", "_models", "_most_mib", "_most_models", "_pins", "_remote",
        "_rivals", "_sizes", "_used", "absent", "budget_mib", "confirmed", "in_flight", "is_known", "keys",
        "loading", "pinned",
    )  # fmt: skip

    def __init__(self, homes: Counter[str], sizes: dict[str, int]) -> None:
        """`homes`: how many servers have each model in memory; `sizes`: MiB that each takes. Both shared."""
        self.budget_mib: int | None = None
        """What loaded models may take; None: what they were seen to take."""
        self.pinned: set[str] = set()
        """Keys of models that are to be evicted last."""
        self.keys: dict[str, None] = {}
        """Models in memory, the one that is being loaded included, the least recently used first."""
        self.in_flight: Counter[str] = Counter()
        """Requests of this gateway, by model."""
        self.loading: str | None = None
        """The model that a request of ours or its keeper has it load."""
        self.is_known = False
        """Whether it told what is in its memory, and not too long ago."""
        self.absent: set[str] = set()
        """Canonical names of models that it said not to have, since it told which it has."""
        self.confirmed: Collection[str] = ()
        """Keys of the models that it told last to have in memory."""
        self._homes, self._sizes = homes, sizes
        self._models: Mapping[str, str | None] | None = None
        self._keys: dict[str, str] = {}
        self._pins: frozenset[str] = frozenset()
        self._remote: frozenset[str] = frozenset()
        self._used: set[str] = set()
        self._leaving: Sequence[str] = ()
        self._fresh: str | None = None
        self._rivals: dict[str, set[str]] = {}
        self._most_models, self._most_mib = 1, 0

    # What is known

    def key(self, candidate: Candidate) -> str:
        """The key of this model here. It stays the same while there are requests for it."""
        found = self._keys.get(candidate.model)
        if found is None:
            name = samples.canonical(candidate.model)
            found = self._keys[candidate.model] = (self._models or {}).get(name) or candidate.digest or name
            if name in self._pins:
                self.pinned.add(found)
        return found

    def key_of(self, name: str) -> str:
        """The same by a name of the model."""
        canonical = samples.canonical(name)
        return self._known_key(canonical) or (self._models or {}).get(canonical) or canonical

    def lacks(self, candidate: Candidate) -> bool:
        """Whether the server said that it lacks this model, or told which it has, and not this one."""
        if self._models is None and not self.absent:
            return False
        name = samples.canonical(candidate.model)
        return name in self.absent or (self._models is not None and name not in self._models)

    def is_remote(self, key: str) -> bool:
        """Whether the server has another one answer for this model: it is never loaded here."""
        return key in self._remote

    def at_work(self) -> int:
        """Requests of ours for which a model works here."""
        return sum(number for key, number in self.in_flight.items() if key not in self._remote)

    def has(self, key: str) -> bool:
        """Whether it needs no load: it is in memory, being loaded, or remote; also where nobody knows."""
        return key in self.keys or key in self._remote or not self.is_known

    def victims(self, key: str) -> list[str]:
        """What must go so that this model fits: idle ones first, and of them the least recently used."""
        if self.has(key):
            return []
        rivals = self._rivals.get(key, ())
        going = [one for one in self.keys if one in rivals]
        staying = [one for one in self.keys if one not in rivals]
        staying.sort(key=lambda one: (one in self.pinned, one in self.in_flight))
        while staying and not self._fits(key, staying):
            going.append(staying.pop(0))
        return going

    def is_idle(self, keys: Iterable[str]) -> bool:
        """Whether no request of ours is at work with any of these."""
        return not any(key in self.in_flight for key in keys)

    # What the table tells

    def pin(self, names: Iterable[str]) -> None:
        """The models of these names are to be evicted last, whatever their keys come to be."""
        self._pins = frozenset(map(samples.canonical, names))
        self._find_pinned()

    # What the request path tells

    def sent(self, key: str, *, is_there: bool = True, is_cold: bool = False) -> bool:
        """A request for this model goes there; whether the server has to load it first.

        `is_there`: whether the server has the model at all; `is_cold`: whether it said that it must load it.
        """
        is_here = is_there and not self.is_remote(key)
        must_load = is_here and (is_cold or not self.has(key))
        if must_load:
            self._leaving = self.victims(key)
            for victim in self._leaving:
                self._drop(victim)
            self.loading = self._fresh = key
        self.in_flight[key] += 1
        if is_here:
            self._used.add(key)
            self._drop(key)
            self._add(key)
        return must_load

    def answered(self, key: str) -> None:
        """A request for this model got its answer's first byte: it is loaded."""
        if self.loading == key:
            self.loading = None

    def ended(self, key: str) -> None:
        """A request for this model is over."""
        self._used.add(key)
        self.in_flight[key] -= 1
        if self.in_flight[key]:
            return
        del self.in_flight[key]
        if self.loading == key:  # no answer came: a load for which nobody waits is given up
            self.loading = self._fresh = None
            self._leaving = ()
            self._used.discard(key)
            self._drop(key)

    # What the server tells

    def said_to_lack(self, candidate: Candidate) -> None:
        """It answered a request that it does not have this model."""
        self.absent.add(samples.canonical(candidate.model))

    def told(self, sample: EngineSample, *, keeps_absent: bool = False) -> bool:
        """The server told this of itself; whether that may change keys.

        `keeps_absent`: it may have told which models it has before it said that it lacks one.
        """
        is_listed = sample.models is not self._models
        if is_listed:
            self._models = sample.models
            self._remote = frozenset((sample.models or {}).get(name) or name for name in sample.remote)
            for key in self._remote:
                self._drop(key)
            if not keeps_absent:
                self.absent.clear()
            self.forget_names()
            self._find_pinned()
        if sample.loaded is not None:
            self._take(sample.loaded)
        return is_listed

    def fell_silent(self) -> None:
        """What it told of its memory is too old."""
        self.is_known, self.confirmed = False, ()

    def forget_names(self) -> None:
        """What is known of models may have changed."""
        self._keys = {name: key for name, key in self._keys.items() if key in self.in_flight}

    def forget(self) -> None:
        """It is no longer a server of ours."""
        for key in list(self.keys):
            self._drop(key)

    # Inside

    def _find_pinned(self) -> None:
        """Know the pinned models by their keys, also by those of requests from before the server told."""
        there = self._models or {}
        self.pinned = {there.get(name) or name for name in self._pins}
        self.pinned.update(key for name, key in self._keys.items() if samples.canonical(name) in self._pins)

    def _take(self, loaded: Sequence[LoadedModel]) -> None:
        """These are in its memory."""
        there = {self._key_of(one): one.memory_mib for one in loaded[:MOST_LOADED]}
        if len(self._sizes) > MOST_SIZES:
            self._sizes.clear()
        self._sizes.update((key, mib) for key, mib in there.items() if mib is not None)
        self.is_known, self.confirmed = True, there.keys()
        leaving = self._leaving
        gone = [key for key in self.keys if not (key in there or key in self._used or key in self.in_flight)]
        if self.loading is None:
            self._learn(list(there), gone)
            self._leaving = ()
        self._used.clear()
        for key in gone:
            self._drop(key)
        used = list(self.keys)
        for key in there:
            if key not in self.keys and key not in leaving:
                self._add(key)
        for key in used:  # those that were added had no request of ours
            self.keys[key] = self.keys.pop(key)

    def _key_of(self, loaded: LoadedModel) -> str:
        """The key of a model that the server tells of; by its name, where it does not tell what it has."""
        name = samples.canonical(loaded.name)
        if self._models is not None and loaded.digest is not None:
            return loaded.digest
        return self._known_key(name) or loaded.digest or name

    def _known_key(self, canonical: str) -> str | None:
        return next((key for name, key in self._keys.items() if samples.canonical(name) == canonical), None)

    def _fits(self, key: str, others: Sequence[str]) -> bool:
        if len(others) >= self._most_models:
            return False
        sizes = [self._sizes.get(one, 0) for one in others]
        own = self._sizes.get(key, max(sizes))
        return sum(sizes) + own <= (self.budget_mib or self._most_mib)

    def _learn(self, there: Sequence[str], gone: Sequence[str]) -> None:
        """Learn what fits from what is there at rest, and what is not, since the last load."""
        fresh = self._fresh
        if fresh is not None and fresh not in there:
            return
        self._fresh = None
        mib = sum(self._sizes.get(key, 0) for key in there)
        if fresh is not None and gone:
            self._most_models, self._most_mib = len(there), mib
            for key in gone:
                self._rival(fresh, key)
            return
        self._most_models = max(self._most_models, len(there))
        self._most_mib = max(self._most_mib, mib)
        for key in there:
            self._rivals.get(key, set()).difference_update(there)

    def _rival(self, one: str, other: str) -> None:
        for key, rival in ((one, other), (other, one)):
            rivals = self._rivals.setdefault(key, set())
            if len(rivals) < MOST_RIVALS:
                rivals.add(rival)

    def _add(self, key: str) -> None:
        self.keys[key] = None
        self._homes[key] += 1

    def _drop(self, key: str) -> None:
        if key in self.keys:
            del self.keys[key]
            self._homes[key] -= 1
            if not self._homes[key]:
                del self._homes[key]
