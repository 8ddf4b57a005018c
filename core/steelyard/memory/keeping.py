"""Keeper: one server's memory as a conversation with it. Pure: answers and times come in, requests go out.

Rule 1. One request at a time; so there is never more than one load.
Rule 2. A model works on something if being used for a moment does not move its expiry to a time that then
        stands still: Ollama sets it when nobody is left who uses the model, and tells nothing else of that.
"""

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any, assert_never

from steelyard.api.backend import Engine
from steelyard.memory import planning, requests
from steelyard.memory.planning import FindOut, Hold, Load, Plan, Problem, Unload
from steelyard.memory.requests import Request
from steelyard.memory.servers import Moment, Server
from steelyard.memory.wishes import Wanted
from steelyard.telemetry import samples
from steelyard.telemetry.samples import Topic

LIST_SECONDS = 30.0
"""How often a server is asked which models it has: one that was pulled is known within this."""

GLANCE_SECONDS = 0.1
"""Between two looks at an expiry. Ollama sets it within a millisecond of a request's end."""

LEAVE_SECONDS = 0.3
"""How long a model is given to leave before anything else is done; one that works leaves later."""

_NEVER = float("-inf")
_OK = 200
_EMBEDS_ONLY = 400
"""The status by which /api/generate refuses a model that only embeds; /api/embed loads it."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing to ask for so long."""

    seconds: float
    """How long."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a step."""

    at: float
    """When, in seconds by a clock that nobody sets."""
    wall: float
    """When, in seconds since 1970."""
    status: int = 0
    """The status; 0: there was no answer, or the step was a pause."""
    body: bytes = b""
    """The body."""
    failure: str = ""
    """Why there was no answer, as the rest of a sentence about the server."""

    def words(self) -> str:
        """What came, as the rest of a sentence about the server."""
        return self.failure or f"answered {self.status}"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was done, or that failed, for people."""

    model: str
    """The model."""
    words: str
    """What became of it, as the rest of a sentence that begins with it."""
    failed: bool = False
    """Whether it failed."""


Step = Request | Pause
Conversation = Generator[Step, Answer, None]


async def carry_out(conversation: Conversation, take: Callable[[Step], Awaitable[Answer]]) -> None:
    """Take every step of a conversation, one after another."""
    try:
        step = next(conversation)
        while True:
            step = conversation.send(await take(step))
    except StopIteration:
        return


class Keeper:
    """Keeps one server's memory as wanted. Run one `round` after another, some seconds apart."""

    def __init__(self, base_path: str, wanted: Wanted) -> None:
        """`base_path`: the server's, before /chat/completions."""
        questions = samples.questions(Engine.OLLAMA, base_path)
        [self._ps] = [one.paths[0] for one in questions.often]
        [self._tags] = [one.paths[0] for one in questions.seldom if one.topic is Topic.MODELS]
        root = base_path.removesuffix("/v1")
        self._generate, self._embed = f"{root}/api/generate", f"{root}/api/embed"
        self._server = Server()
        self._server.want(None, wanted)
        self._wanted = wanted
        self._listed_at = _NEVER
        self._embeds_only: set[str] = set()
        self._events: list[Event] = []
        self.problems: tuple[Problem, ...] | None = None
        """What people should know, the gravest first; None: the server was not asked yet."""
        self.waits_for = ""
        """The model that is to be loaded once nothing works there; empty: none."""

    def want(self, wanted: Wanted) -> None:
        """From now on this is wanted."""
        before, self._wanted = self._wanted, wanted
        if (before.memory, before.contexts) != (wanted.memory, wanted.contexts):
            self._server.want(before, wanted)

    def events(self) -> list[Event]:
        """What was done since the last call."""
        events, self._events = self._events, []
        return events

    def round(self) -> Conversation:
        """Ask, and do what can be done now. Send the Answer to each step into it."""
        self.waits_for = ""
        at = yield from self._look()
        moment = Moment()
        while at is not None:
            plan = planning.plan(self._server.view(self._wanted, moment, at))
            self._server.leave_out(plan.left_out)
            if not isinstance(plan.action, FindOut):
                self._server.waits(plan.action.key if isinstance(plan.action, Hold) else "", at)
            self.problems = plan.problems
            at = yield from self._do(plan, moment)

    def _do(self, plan: Plan, moment: Moment) -> Generator[Step, Answer, float | None]:
        """Take the next step. When the server was looked at after it; None: the round is over."""
        match plan.action:
            case None:
                return None
            case Hold():
                self.waits_for = plan.action.name
                return None
            case FindOut():
                return (yield from self._find_out(plan.action, moment))
            case Unload():
                moment.idle.clear()
                return (yield from self._unload(plan.action))
            case Load():
                moment.idle.clear()
                moment.renewed.add(plan.action.key)
                return (yield from self._load(plan.action))
            case _:
                assert_never(plan.action)

    def _look(self, loaded_key: str = "") -> Generator[Step, Answer, float | None]:
        """Ask what is in memory. When it answered; None: it did not. `loaded_key`: what was just loaded."""
        answer = yield self._get(self._ps)
        loaded = samples.read(Engine.OLLAMA, Topic.LOAD, answer.body).loaded
        if answer.status != _OK or loaded is None:
            self._lose(answer)
            return None
        if answer.at - self._listed_at >= LIST_SECONDS or self._server.is_lost:
            listed = yield self._get(self._tags)
            told = samples.read(Engine.OLLAMA, Topic.MODELS, listed.body)
            if listed.status != _OK or told.models is None:
                self._lose(listed)
                return None
            self._server.listed(told.models, told.remote)
            self._listed_at = listed.at
        self._server.take(loaded, self._wanted, answer.at, answer.wall, loaded_key=loaded_key)
        return answer.at

    def _get(self, path: str) -> Request:
        return Request(path, None, self._wanted.answer_seconds)

    def _lose(self, answer: Answer) -> None:
        """The server did not say."""
        self._server.is_lost = True
        words = f"{answer.words()}, not as an Ollama does" if answer.status == _OK else answer.words()
        self.problems = (Problem("NotTold", f"What is in memory is not known: the server {words}."),)

    def _find_out(self, asked: FindOut, moment: Moment) -> Generator[Step, Answer, float | None]:
        """Learn whether the model works on something: see rule 2. Being used for this counts as no use."""
        moment.idle[asked.key] = False
        seen = self._server.seen[asked.key]
        body = requests.touch(asked.name, asked.num_ctx)
        answer = yield from self._use(asked.key, body, self._wanted.answer_seconds)
        if answer.status != _OK:
            return (yield from self._look())
        expiries = []
        for _ in range(2):
            yield Pause(GLANCE_SECONDS)
            at = yield from self._look()
            if at is None or asked.key not in self._server.seen:
                return at
            expiries.append(self._server.seen[asked.key].model.expires_at)
        first, second = expiries
        if first == second and (first is None or first != seen.model.expires_at):
            moment.idle[asked.key] = True
            self._server.seen[asked.key].used_at = seen.used_at
        return at

    def _unload(self, asked: Unload) -> Generator[Step, Answer, float | None]:
        """Have a model go."""
        body = requests.unload(asked.name)
        answer = yield requests.post(self._generate, body, self._wanted.answer_seconds)
        if answer.status != _OK:
            words = f"could not be unloaded: the server {answer.words()}."
            self._events.append(Event(asked.name, words, failed=True))
            return None
        self._events.append(Event(asked.name, "was unloaded to keep to spec.memory.budgetMiB."))
        self._server.seen[asked.key].is_leaving = True
        yield Pause(LEAVE_SECONDS)
        return (yield from self._look())

    def _load(self, asked: Load) -> Generator[Step, Answer, float | None]:
        """Load a model, or have it stay."""
        before = self._server.seen
        body = requests.load(asked.name, asked.keep_alive, asked.num_ctx)
        loads = "" if asked.key in before else asked.name
        answer = yield from self._use(asked.key, body, self._wanted.load_seconds, loads)
        if answer.status != _OK:
            self._fail(asked.key, asked.name, f"could not be loaded: the server {answer.words()}.", answer.at)
            self._listed_at = _NEVER  # it may have lost the model
        at = yield from self._look(asked.key)
        if at is None or answer.status != _OK:
            return at
        seen = self._server.seen.get(asked.key)
        if seen is None:
            self._fail(asked.key, asked.name, "was loaded and is not in memory: see the server's log.", at)
        elif asked.key in before:
            self._server.answered(asked.key, asked.num_ctx, at)
            seen.used_at = before[asked.key].used_at
        else:
            self._events.append(Event(asked.name, f"was loaded: {seen.model.memory_mib} MiB."))
            gone = self._server.loaded(asked.key, asked.num_ctx, before, at)
            self._rest_driven_out(gone, asked.name, at)
        return at

    def _use(
        self, key: str, body: dict[str, Any], timeout_seconds: float, loads: str = ""
    ) -> Generator[Step, Answer, Answer]:
        """The answer to a request that needs the model in memory."""
        if key not in self._embeds_only:
            answer = yield requests.post(self._generate, body, timeout_seconds, loads)
            if answer.status != _EMBEDS_ONLY:
                return answer
            self._embeds_only.add(key)
        return (yield requests.post(self._embed, body, timeout_seconds, loads))

    def _rest_driven_out(self, gone: list[str], by: str, at: float) -> None:
        """Wanted models that went for another one rest, so that they do not drive one another out."""
        memory = self._wanted.memory
        for name in dict.fromkeys((*memory.pinned, *memory.preload)):
            if (key := self._server.key(name)) in gone:
                words = (
                    f"went when {by} was loaded: the server cannot hold both, for want of memory, by "
                    "OLLAMA_MAX_LOADED_MODELS, or because they are one file under two names."
                )
                self._fail(key, name, words, at)

    def _fail(self, key: str, name: str, words: str, at: float) -> None:
        """The model is not in memory, and is not loaded for a while."""
        if self._server.failed(key, words, at):
            self._events.append(Event(name, words, failed=True))
