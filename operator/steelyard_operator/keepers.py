"""Keeps the memory of engines that load on demand as `spec.memory` says: each endpoint by itself.

A load may take minutes, so there is a queue with workers of its own, and nothing else waits for it. What is
known of an endpoint is kept in memory only: after a restart it is asked anew.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from steelyard.api.backend import LLMBackend
from steelyard.api.conditions import Fact
from steelyard.api.resources import Key
from steelyard.memory import keeping, wishes
from steelyard.memory.keeping import Answer, Keeper, Pause, Step
from steelyard.memory.planning import Problem
from steelyard.memory.wishes import Wanted
from steelyard.routing.table import Endpoint
from steelyard_operator.plans import Note, NoteType
from steelyard_operator.probing import Failure, Prober
from steelyard_operator.queue import Done, Outcome, Queue, Wait

WORKERS = 256
"""Endpoints that are asked at the same time; nearly all of them wait for a load."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Spot:
    """An endpoint whose memory is kept."""

    backend: Key
    """Its backend."""
    endpoint: str
    """Its name."""
    base_path: str
    """The path before /chat/completions."""


@dataclass(slots=True)
class _Site:
    """One backend."""

    obstacle: Problem | None
    interval_seconds: float
    places: dict[Spot, tuple[Endpoint, Wanted]]


class Keepers:
    """Keeps the memory of the endpoints that were last said to be a backend's."""

    def __init__(self, prober: Prober) -> None:
        self._prober = prober
        self._queue: Queue[Spot] = Queue()
        self._sites: dict[Key, _Site] = {}
        self._keepers: dict[Spot, Keeper] = {}
        self._notes: dict[Key, list[Note]] = {}
        self._tell: Callable[[Key], None] = lambda key: None

    def want(self, backend: LLMBackend, endpoints: Sequence[Endpoint]) -> None:
        """These are the backend's endpoints, and this is what it wants of them."""
        key, wanted = (backend.namespace, backend.name), wishes.wanted(backend)
        if wanted is None:
            self.forget(key)
            return
        obstacle = wishes.obstacle(backend)
        usable = endpoints if obstacle is None else ()
        places = {Spot(key, one.name, one.base_path): (one, wanted) for one in usable}
        before = self._sites.get(key)
        self._sites[key] = _Site(obstacle, float(backend.spec.probe.interval_seconds), places)
        for spot, (_, wish) in places.items():
            if before is None or spot not in before.places or before.places[spot][1] != wish:
                self._queue.add(spot)

    def forget(self, key: Key) -> None:
        """The backend is gone, or wants nothing."""
        self._sites.pop(key, None)
        self._notes.pop(key, None)

    def notes(self, key: Key) -> tuple[Note, ...]:
        """What went wrong since the last call, for people."""
        return tuple(self._notes.pop(key, ()))

    def fact(self, key: Key) -> Fact | None:
        """Whether the backend's models are in memory as it wants; None: nothing is wanted, or known yet."""
        site = self._sites.get(key)
        if site is None:
            return None
        if site.obstacle is not None:
            return Fact("Loaded", False, site.obstacle.reason, site.obstacle.message)
        told = {spot: self._keepers[spot].problems for spot in site.places if spot in self._keepers}
        asked = {spot.endpoint: problems for spot, problems in told.items() if problems is not None}
        if not asked:
            return None
        worst = sorted(
            ((one.holds, name, one) for name, problems in asked.items() for one in problems[:1]),
            key=lambda entry: entry[:2],
        )
        if not worst:
            return Fact("Loaded", True, "AsWanted")
        holds, name, problem = worst[0]
        more = f" Nor is all well on {len(worst) - 1} more." if len(worst) > 1 else ""
        return Fact("Loaded", holds, problem.reason, f"{name}: {problem.message}{more}")

    async def run(self, tell: Callable[[Key], None]) -> None:
        """Keep for ever; `tell` gets each backend of which there is something new to say."""
        self._tell = tell
        await self._queue.run(self._work, WORKERS)

    async def _work(self, spot: Spot) -> Outcome:
        """Ask the endpoint, and do what can be done now."""
        site = self._sites.get(spot.backend)
        if site is None or spot not in site.places:
            self._keepers.pop(spot, None)
            return Done()
        endpoint, wanted = site.places[spot]
        keeper = self._keepers.setdefault(spot, Keeper(spot.base_path, wanted))
        keeper.want(wanted)
        told = keeper.problems

        async def take(step: Step) -> Answer:
            nonlocal told
            if self._log(spot, keeper) or keeper.problems != told:
                told = keeper.problems
                self._tell(spot.backend)
            return await self._taken(endpoint, step)

        await keeping.carry_out(keeper.round(), take)
        if self._log(spot, keeper) or keeper.problems != told:
            self._tell(spot.backend)
        return Wait(site.interval_seconds, "the next look at its memory")

    def _log(self, spot: Spot, keeper: Keeper) -> bool:
        """Log what was done; whether something failed, which becomes an Event."""
        failed = False
        for event in keeper.events():
            namespace, backend = spot.backend
            told = {"backend": f"{namespace}/{backend}", "endpoint": spot.endpoint, "model": event.model}
            if event.failed:
                failed = True
                logger.warning("model not kept in memory", extra=told | {"detail": event.words})
                message = f"{spot.endpoint}: Model {event.model} {event.words}"
                note = Note(NoteType.WARNING, "ModelNotLoaded", message)
                self._notes.setdefault(spot.backend, []).append(note)
            else:
                logger.info("memory changed", extra=told | {"detail": event.words})
        return failed

    async def _taken(self, endpoint: Endpoint, step: Step) -> Answer:
        """What comes of a step."""
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return Answer(time.monotonic(), time.time())
        answer = await self._prober.exchange(endpoint, step.path, step.body, step.timeout_seconds)
        if not isinstance(answer, Failure):
            return Answer(time.monotonic(), time.time(), *answer)
        late = f"did not answer in {step.timeout_seconds:g} s"
        why = late if answer.reason == "TimedOut" else f"did not answer ({answer.reason})"
        return Answer(time.monotonic(), time.time(), failure=why)
