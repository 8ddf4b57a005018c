"""Yard: servers that load models on demand, and the gateway's part that lets requests in, by a hand timer."""

from collections.abc import Sequence

from fakes.gateways import endpoint
from fakes.slots import ALONE, HandTimer
from steelyard.api.backend import Location
from steelyard.routing.table import Attempt, Candidate, Endpoint, Price, Table
from steelyard.telemetry.samples import EngineSample, LoadedModel
from steelyard_gateway.admission import Admission
from steelyard_gateway.lines import Refusal, Ticket
from steelyard_gateway.shares import Fleet
from steelyard_gateway.warmth import Warmth

PATIENCE = 20.0
"""How long those who wait here do so at most."""


class Person:
    """Somebody who asks, and keeps what came of it."""

    def __init__(self, yard: "Yard", model: str) -> None:
        self.model = model
        self.at: int | None = None
        """The server that it was let in at; None: none."""
        self.refusal: Refusal | None = None
        self.anew = 0
        self.ticket: Ticket | None = None
        self._yard = yard

    def admitted(self, name: str) -> None:
        self.at = self._yard.names.index(name)

    def refused(self, refusal: Refusal) -> None:
        self.refusal = refusal

    def decide_anew(self) -> None:
        self.anew += 1

    def begins(self) -> None:
        """The first byte of its answer comes."""
        self._yard.admission.began(self.attempt(), 0.1, is_stream=True)

    def ends(self) -> None:
        """Its answer is complete."""
        self._yard.admission.leave(self.attempt())

    def attempt(self) -> Attempt:
        assert self.at is not None
        return self._yard.attempts[self.model][self.at]


class Yard:
    """Servers that hold one model each, and the gateway's part that lets requests in."""

    def __init__(
        self,
        servers: int = 1,
        *,
        models: str = "abc",
        cold_seconds: float | None = 4.0,
        limit: int | None = None,
        fleet: Fleet = ALONE,
        pinned: Sequence[tuple[str, ...]] = (),
    ) -> None:
        """`pinned`: names, by server."""
        self.timer = HandTimer()
        self.warmth = Warmth(self.timer)
        self.admission = Admission(self.timer, self.timer, fleet, self.warmth)
        self.places = [
            endpoint(8000 + number, max_concurrency=limit, pinned=names)
            for number, names in enumerate([*pinned, *[()] * (servers - len(pinned))])
        ]
        self.names = [place.name for place in self.places]
        pairs = {name: _candidate(name, self.places, cold_seconds) for name in models}
        self.table = Table(candidates=tuple(pairs.values()))
        self.attempts = {name: pair.attempts for name, pair in pairs.items()}
        self.admission.follow(self.table)

    def tell(self, *loaded: str, remote: str = "") -> None:
        """Each server tells which models it has loaded, and which it has another server answer."""
        for place, names in zip(self.places, loaded, strict=True):
            entries = tuple(
                LoadedModel(name, f"sha256:{name * 64}", 1000, 1000, 4096, None) for name in names
            )
            models = {f"{name}:latest": f"sha256:{name * 64}" for name in self.attempts}
            elsewhere = frozenset(f"{name}:latest" for name in remote)
            self.warmth.told(place, EngineSample(loaded=entries, models=models, remote=elsewhere))

    def enter(self, model: str, server: int = 0) -> Person:
        """Somebody who is let in at once."""
        person = Person(self, model)
        assert self.admission.enter(self.attempts[model][server])
        person.at = server
        return person

    def wait(self, model: str) -> Person:
        """Somebody who is let in nowhere at once, and waits."""
        person = Person(self, model)
        assert not any(self.admission.enter(one) for one in self.attempts[model])
        now = self.timer.now
        given = self.admission.wait(self.attempts[model], person, now + PATIENCE, now)
        assert isinstance(given, Ticket)
        person.ticket = given
        return person

    def ask_for(self, model: str, number: int, server: int = 0) -> None:
        """So many requests, each over as the next one comes: the model is in demand, and its server busy."""
        before = self.enter(model, server)
        before.begins()
        for _ in range(number - 1):
            person = self.enter(model, server)
            person.begins()
            before.ends()
            before = person
        before.ends()

    def pass_by(self, seconds: float) -> None:
        """Let time pass, and look as often as the gateway does."""
        until = self.timer.now + seconds
        while self.timer.now < until:
            self.timer.pass_by(0.1)


def _candidate(name: str, places: Sequence[Endpoint], cold_seconds: float | None) -> Candidate:
    return Candidate(
        name,
        places[0].backend,
        (),
        {},
        Location.LOCAL,
        tuple(places),
        Price(None, None),
        {},
        loads_on_demand=True,
        cold_load_seconds=cold_seconds,
    )
