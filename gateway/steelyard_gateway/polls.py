"""One question-and-answer with an engine or an exporter, and what is kept from one to the next.

Invariant: what comes of it is told to `live`, or raised as NoAnswer.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from steelyard.telemetry import gpus, models, samples
from steelyard.telemetry.samples import NOTHING, Question, Topic
from steelyard_gateway import fetching
from steelyard_gateway.fetching import NoAnswer
from steelyard_gateway.live import LiveEndpoints
from steelyard_gateway.speeds import Speed
from steelyard_gateway.targets import EngineTarget, ExporterTarget
from steelyard_gateway.upstream.client import Client

ANSWER_SHARE = 0.8
"""Share of the interval within which all answers must be there."""

MOST_ANSWER_SECONDS = 5.0
"""They must be there within this, however long the interval is."""

VALID_INTERVALS = 3
"""What is older than so many intervals is unknown: one failure in between is forgiven."""

SELDOM_SECONDS = 30.0
"""How often an engine is asked for what changes seldom."""


class Poll(Protocol):
    """What is asked again and again."""

    @property
    def interval_seconds(self) -> float:
        """How often."""
        ...

    def after(self, before: "Poll | None") -> "Poll":
        """This one, or the one before where it asks the same of the same, with what that knows."""
        ...

    async def ask(self) -> None:
        """Ask all that is to be asked now. Raises NoAnswer."""
        ...

    def not_told(self, why: str) -> None:
        """Tell that it told nothing; `why` ends a sentence about it."""
        ...


class EnginePoll:
    """Polls of one engine."""

    def __init__(
        self, target: EngineTarget, live: LiveEndpoints, client: Client, now: Callable[[], float]
    ) -> None:
        self.target = target
        self._live = live
        self._client = client
        self._now = now
        self._known = NOTHING
        self._asked_seldom_at = float("-inf")
        self._paths: dict[Question, int] = {}
        self._speed = Speed()

    @property
    def interval_seconds(self) -> float:
        """How often."""
        return self.target.interval_seconds

    def after(self, before: Poll | None) -> Poll:
        """The one before where it asks the same of the same."""
        target = self.target
        if not isinstance(before, EnginePoll) or before.target.questions != target.questions:
            return self
        before.target = target
        return before

    async def ask(self) -> None:
        """Ask for the load, and now and then for the rest. Raises NoAnswer."""
        target, live, began = self.target, self._live, self._now()
        own = live.own(target.endpoint)
        until = began + seconds_to_answer(target.interval_seconds)
        is_due = live.wants_models(target.endpoint) or began - self._asked_seldom_at >= SELDOM_SECONDS
        if is_due:
            self._asked_seldom_at = float("-inf")
            self._paths.clear()
        load = [(one.topic, await self._answer(one, until)) for one in target.questions.often]
        own, at = max(own, live.own(target.endpoint)), self._now()
        if is_due and all([await self._learn(question, until) for question in target.questions.seldom]):
            self._asked_seldom_at = began
        sample = self._known
        for topic, answer in load:
            sample = samples.read(target.engine, topic, answer, sample)
        if sample.running is None and sample.loaded is None:
            raise NoAnswer("told nothing of its load that can be read")
        valid_seconds = VALID_INTERVALS * target.interval_seconds
        speed = self._speed.take(sample.output_tokens, at, valid_seconds)
        sample = replace(sample, output_tokens_per_second=speed)
        live.sampled(target.endpoint, sample, own, valid_seconds)

    def not_told(self, why: str) -> None:
        """Tell that it told nothing. When it answers again it may have other models: it is asked for all."""
        self._asked_seldom_at = float("-inf")
        self._live.not_sampled(self.target.endpoint, why)

    async def _learn(self, question: Question, until: float) -> bool:
        """Ask for something without which the load is known all the same; whether that does for a while."""
        try:
            answer = await self._answer(question, until)
        except NoAnswer as error:
            return question.topic is not Topic.MODELS or error.status in samples.NOT_THERE
        self._known = samples.read(self.target.engine, question.topic, answer, self._known)
        return True

    async def _answer(self, question: Question, until: float) -> bytes:
        """The answer of the first path that is there; until it is looked for again, of the same."""
        first = self._paths.get(question, 0)
        for index, path in enumerate(question.paths[first:], first):
            try:
                answer = await fetching.get(
                    self._client,
                    self.target.endpoint,
                    path,
                    seconds=max(until - self._now(), 0.0),
                    most_bytes=models.MOST_ANSWER_BYTES,
                )
            except NoAnswer as error:
                if error.status not in samples.NOT_THERE or path == question.paths[-1]:
                    raise
            else:
                self._paths[question] = index
                return answer
        raise NoAnswer("has no such path")


class ExporterPoll:
    """Polls of one exporter."""

    def __init__(self, target: ExporterTarget, live: LiveEndpoints, client: Client) -> None:
        self.target = target
        self._live = live
        self._client = client

    @property
    def interval_seconds(self) -> float:
        """How often."""
        return self.target.interval_seconds

    def after(self, before: Poll | None) -> Poll:
        """This one: nothing is kept from one poll to the next."""
        return self

    async def ask(self) -> None:
        """Ask once, for all endpoints behind it. Raises NoAnswer."""
        target, live = self.target, self._live
        owns = [live.own(one.endpoint) for one in target.behind]
        answer = await fetching.get(
            self._client,
            target.exporter,
            target.exporter.base_path,
            seconds=seconds_to_answer(target.interval_seconds),
            most_bytes=models.MOST_ANSWER_BYTES,
        )
        try:
            found = gpus.read(answer)
        except gpus.NothingTold as why:
            raise NoAnswer(str(why)) from None
        for one, own in zip(target.behind, owns, strict=True):
            told = tuple(gpu for gpu in found if not one.uuids or gpu.uuid in one.uuids)
            most = max(own, live.own(one.endpoint))
            live.gpus_told(one.endpoint, told, most, VALID_INTERVALS * target.interval_seconds)

    def not_told(self, why: str) -> None:
        """Tell that it told nothing."""
        for one in self.target.behind:
            self._live.gpus_not_told(one.endpoint, why)


def seconds_to_answer(interval_seconds: float) -> float:
    """How long a poll may take: less than its interval."""
    return min(interval_seconds * ANSWER_SHARE, MOST_ANSWER_SECONDS)
