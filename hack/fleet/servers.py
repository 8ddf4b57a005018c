"""Ollama servers as they were measured (0.17): loads, evictions, and the two queues that nobody sees.

Rule 1. A request for a model in memory goes straight to it, and waits there for a slot, however long.
Rule 2. Other requests wait in one line, and only its head is looked at: one load at a time.
Rule 3. Where there is no room the head evicts an idle model; where none is idle it waits for one to be, while
        that one goes on being given requests: it starves.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from fleet.clock import Clock
from steelyard.telemetry.samples import EngineSample, LoadedModel


@dataclass(slots=True, eq=False)
class Asked:
    """A request of a client."""

    model: str
    seconds: float
    """How long it takes once it has a slot."""
    is_stream: bool = True
    """Whether its first byte comes before its last."""
    at: float = 0.0
    """When the client sent it."""
    ended_at: float = 0.0
    """When it was over."""
    is_refused: bool = False
    """Whether it got an error."""


class Receiver(Protocol):
    """Who sent a request to a server."""

    asked: Asked

    def began(self) -> None:
        """The first byte of the answer came."""
        ...

    def ended(self) -> None:
        """The answer is complete."""
        ...

    def failed(self) -> None:
        """There is no answer: the server is down."""
        ...


@dataclass(slots=True, eq=False)
class _Runner:
    """A model in memory."""

    model: str
    is_ready: bool = False
    is_leaving: bool = False
    working: list[Receiver] = field(default_factory=list)
    waiting: deque[Receiver] = field(default_factory=deque)

    def is_idle(self) -> bool:
        return not self.working and not self.waiting


class Server:
    """One Ollama."""

    def __init__(
        self, clock: Clock, cold_seconds: Mapping[str, float], *, most_models: int = 1, slots: int = 1
    ) -> None:
        """`cold_seconds`: the models that it has, with the time that loading takes."""
        self._clock = clock
        self._cold_seconds = cold_seconds
        self._most_models, self._slots = most_models, slots
        self._digests: dict[str, str | None] = {name: digest(name) for name in cold_seconds}
        self._runners: dict[str, _Runner] = {}
        self._line: deque[Receiver] = deque()
        self._loading: _Runner | None = None
        self.is_up = True
        """Whether it answers at all."""
        self.loads = 0
        """Models that were loaded."""

    def ask(self, receiver: Receiver) -> None:
        """A request comes."""
        if not self.is_up:
            receiver.failed()
            return
        runner = self._runners.get(receiver.asked.model)
        if runner is None:
            self._line.append(receiver)
            self._look()
        else:
            runner.waiting.append(receiver)
            self._work(runner)

    def stop(self) -> None:
        """It dies, and what it has in memory with it."""
        self.is_up = False
        runners, line = list(self._runners.values()), list(self._line)
        self._runners, self._line, self._loading = {}, deque(), None
        for receiver in [one for runner in runners for one in (*runner.working, *runner.waiting)] + line:
            receiver.failed()

    def start(self) -> None:
        """It is there again."""
        self.is_up = True

    def is_working(self) -> bool:
        """Whether it computes."""
        return any(runner.working for runner in self._runners.values())

    def sample(self) -> EngineSample:
        """What it tells of itself: the models in memory, one that is being loaded included, and no queue."""
        loaded = tuple(LoadedModel(name, digest(name), 1000, 1000, 4096, None) for name in self._runners)
        return EngineSample(loaded=loaded, models=self._digests)

    def _look(self) -> None:
        while self._line and self._loading is None:
            model = self._line[0].asked.model
            runner = self._runners.get(model)
            if runner is None and not self._has_room():
                return
            runner = runner or self._load(model)
            runner.waiting.append(self._line.popleft())
            self._work(runner)

    def _has_room(self) -> bool:
        """Whether another model fits, now that an idle one was evicted where it had to be."""
        if len(self._runners) < self._most_models:
            return True
        idle = [runner for runner in self._runners.values() if runner.is_idle()]
        if idle:
            del self._runners[idle[0].model]
            return True
        next(iter(self._runners.values())).is_leaving = True
        return False

    def _load(self, model: str) -> _Runner:
        runner = self._runners[model] = self._loading = _Runner(model)
        self.loads += 1
        self._clock.after(self._cold_seconds[model], partial(self._ready, runner))
        return runner

    def _ready(self, runner: _Runner) -> None:
        if self._loading is runner:
            runner.is_ready, self._loading = True, None
            self._work(runner)
            self._look()

    def _work(self, runner: _Runner) -> None:
        while runner.is_ready and runner.waiting and len(runner.working) < self._slots:
            receiver = runner.waiting.popleft()
            runner.working.append(receiver)
            receiver.began()
            self._clock.after(receiver.asked.seconds, partial(self._done, runner, receiver))

    def _done(self, runner: _Runner, receiver: Receiver) -> None:
        if self._runners.get(runner.model) is not runner:  # it died
            return
        runner.working.remove(receiver)
        self._work(runner)
        if runner.is_leaving and runner.is_idle():
            del self._runners[runner.model]
        receiver.ended()
        self._look()


def digest(model: str) -> str:
    """The digest of a model of this fleet."""
    return "sha256:" + model.encode().hex().rjust(64, "0")


def total_loads(servers: Iterable[Server]) -> int:
    """Loads of all of them."""
    return sum(server.loads for server in servers)


Over = Callable[[Asked], None]
"""Told once for each request."""
