"""Keeps the memory of engines that load on demand as `spec.memory` says, where no operator does: with files.

One task for each endpoint, which asks and waits; of several workers only the first has any. Invariant:
requests are held up only as they would be for one another's loads, and while a server is emptied for a model
that may not fit, for `EMPTY_SECONDS` at most; what a server answers or does not harms nobody else.
"""

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from steelyard.api.backend import LLMBackend
from steelyard.memory import keeping, wishes
from steelyard.memory.keeping import Answer, Keeper, Pause, Step
from steelyard.memory.planning import Problem
from steelyard.memory.requests import Request
from steelyard.memory.wishes import Wanted
from steelyard.routing import endpoints
from steelyard.routing.table import Endpoint
from steelyard.telemetry import models
from steelyard_gateway import fetching
from steelyard_gateway.current import Current, Snapshot
from steelyard_gateway.swapping import Swapping
from steelyard_gateway.upstream.client import Client

LOOK_SECONDS = 0.5
"""How late new resources may be noticed."""

EMPTY_SECONDS = 20.0
"""So long requests are held back from a server at most so that it can load a model: as long as they wait."""

EMPTY_REST_SECONDS = 60.0
"""So long it is let alone after they were held back in vain: something works there that is not ours."""

Mark = tuple[str, str]
"""An endpoint by name and base path: another one is another server."""

_OK = 200

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Place:
    """An endpoint and what is wanted there."""

    endpoint: Endpoint
    wanted: Wanted
    interval_seconds: float


class _Busy(Exception):
    """Another load is under way; the message is the model that is to be loaded after it."""


class Keepers:
    """Keeps the memory of every endpoint whose backend wants it, by the resources in force."""

    def __init__(self, current: Current, client: Client, swapping: Swapping) -> None:
        self._current = current
        self._client = client
        self._swapping = swapping
        self._snapshot: Snapshot | None = None
        self._tasks: dict[Mark, asyncio.Task[None]] = {}
        self._places: dict[Mark, _Place] = {}
        self._told: set[tuple[str, Problem]] = set()

    async def run(self) -> None:
        """Keep for ever."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                if self._current.snapshot is not self._snapshot:
                    self._follow(tasks)
                await asyncio.sleep(LOOK_SECONDS)

    def _follow(self, tasks: asyncio.TaskGroup) -> None:
        """Keep what the resources in force say; a load under way for what they no longer name is aborted."""
        self._snapshot = snapshot = self._current.snapshot
        assert snapshot is not None
        self._places = {(one.endpoint.name, one.endpoint.base_path): one for one in self._wanted(snapshot)}
        for mark in self._tasks.keys() - self._places.keys():
            self._tasks.pop(mark).cancel()
        for mark in self._places.keys() - self._tasks.keys():
            self._tasks[mark] = tasks.create_task(self._keep(mark), name=f"keep memory of {mark[0]}")

    def _wanted(self, snapshot: Snapshot) -> Iterator[_Place]:
        excluded = {one.name for one in snapshot.problems if one.kind == "LLMBackend" and one.excludes}
        for (namespace, name), backend in snapshot.resources.backends.items():
            wanted = wishes.wanted(backend)
            if wanted is None or namespace != snapshot.namespace or name in excluded:
                continue
            obstacle = wishes.obstacle(backend)
            self._tell(name, () if obstacle is None else (obstacle,), {"backend": name})
            if obstacle is None:
                seconds = float(backend.spec.metrics.engine.interval_seconds)
                for endpoint in _resolved(backend, snapshot):
                    yield _Place(endpoint, wanted, seconds)

    async def _keep(self, mark: Mark) -> None:
        keeper, empties_at = Keeper(mark[1], self._places[mark].wanted), float("-inf")
        while True:
            place = self._places[mark]
            keeper.want(place.wanted)
            try:
                if await self._was_emptied_in_vain(keeper, place, may_empty=time.monotonic() >= empties_at):
                    empties_at = time.monotonic() + EMPTY_REST_SECONDS
            except Exception:
                logger.exception("memory not kept", extra=_fields(place))
            await asyncio.sleep(place.interval_seconds)

    async def _was_emptied_in_vain(self, keeper: Keeper, place: _Place, *, may_empty: bool) -> bool:
        """Do what can be done now; whether requests were held back, and a model waits all the same."""
        try:
            await self._round(keeper, place)
        except _Busy as busy:
            await self._round_by_turn(keeper, place, str(busy), empties=False)
            return False
        if not (keeper.waits_for and may_empty):
            return False
        await self._round_by_turn(keeper, place, keeper.waits_for, empties=True)
        return bool(keeper.waits_for)

    async def _round_by_turn(self, keeper: Keeper, place: _Place, model: str, *, empties: bool) -> None:
        """A round in which this model can be loaded, once no request has another one loaded.

        `empties`: nor has the server anything of ours at work.
        """
        turn = asyncio.Event()
        with self._swapping.claimed(place.endpoint, model, turn.set, empties=empties):
            try:
                async with asyncio.timeout(EMPTY_SECONDS):
                    await turn.wait()
            except TimeoutError:
                return
            await self._round(keeper, place, has_turn=True)

    async def _round(self, keeper: Keeper, place: _Place, *, has_turn: bool = False) -> None:
        """Ask the server and do what can be done now; told as it happens. Raises _Busy without a turn."""

        async def take(step: Step) -> Answer:
            self._log(keeper, place)
            if isinstance(step, Request) and step.loads:
                return await self._loaded(place.endpoint, step, has_turn=has_turn)
            return await _taken(self._client, place.endpoint, step)

        await keeping.carry_out(keeper.round(), take)
        self._log(keeper, place)
        self._tell(place.endpoint.name, keeper.problems or (), _fields(place))

    async def _loaded(self, endpoint: Endpoint, step: Request, *, has_turn: bool) -> Answer:
        """What comes of a step that has a model loaded."""
        turn = asyncio.Event()
        with ExitStack() as held:
            if not has_turn:
                held.enter_context(self._swapping.claimed(endpoint, step.loads, turn.set, empties=False))
                if not turn.is_set():
                    raise _Busy(step.loads)
            is_loaded = held.enter_context(self._swapping.loading(endpoint, step.loads))
            answer = await _taken(self._client, endpoint, step)
            if answer.status == _OK:
                is_loaded()
            return answer

    def _log(self, keeper: Keeper, place: _Place) -> None:
        for event in keeper.events():
            told = _fields(place) | {"model": event.model, "detail": event.words}
            if event.failed:
                logger.warning("model not kept in memory", extra=told)
            else:
                logger.info("memory changed", extra=told)

    def _tell(self, of: str, problems: tuple[Problem, ...], fields: dict[str, str]) -> None:
        """Log what is wrong when that begins or changes, and when nothing is any more."""
        before = {problem for name, problem in self._told if name == of}
        for problem in problems:
            if problem not in before:
                told = fields | {"reason": problem.reason, "detail": problem.message}
                logger.warning("memory is not as wanted", extra=told)
        if before and not problems:
            logger.info("memory is as wanted", extra=fields)
        self._told = {one for one in self._told if one[0] != of} | {(of, problem) for problem in problems}


async def _taken(client: Client, endpoint: Endpoint, step: Step) -> Answer:
    """What comes of a step."""
    if isinstance(step, Pause):
        await asyncio.sleep(step.seconds)
        return Answer(time.monotonic(), time.time())
    seconds, most_bytes = step.timeout_seconds, models.MOST_ANSWER_BYTES
    try:
        if step.body is None:
            body = await fetching.get(client, endpoint, step.path, seconds=seconds, most_bytes=most_bytes)
        else:
            body = await fetching.post(
                client, endpoint, step.path, step.body, seconds=seconds, most_bytes=most_bytes
            )
    except fetching.NoAnswer as error:
        return Answer(time.monotonic(), time.time(), error.status, failure=str(error))
    return Answer(time.monotonic(), time.time(), _OK, body)


def _resolved(backend: LLMBackend, snapshot: Snapshot) -> tuple[Endpoint, ...]:
    try:
        return endpoints.resolve(backend, snapshot.resources)
    except endpoints.Unresolved:
        return ()  # compile_table tells it


def _fields(place: _Place) -> dict[str, str]:
    return {"backend": place.endpoint.backend, "endpoint": place.endpoint.name}
