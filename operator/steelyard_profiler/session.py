"""The requests of one run, within the budgets of its profile.

Rule 1. Budgets are hard: a request is sent only when its prompt and longest answer still fit, with those that
        are under way, and the clock ends a request that would outlast it.
Rule 2. A request that failed is sent once more where that may help. Some failures in a row, or one that no
        retry can mend, end the run. What is only tried ends none.
Rule 3. Once an engine reported usage that cannot be true, none of its counts is believed any more.
Rule 4. A model that was seen to think gets tokens for it: cut in its thoughts, it would have said nothing.
Rule 5. What only some engines offer, such as tools, may be refused without harm to the run: vLLM answers 400
        and llama.cpp 500 where it was not switched on. After some refusals and no answer it is asked no more.
"""

import asyncio
import time
from collections import Counter
from dataclasses import replace

from steelyard.api.measuring import ProfileLimits
from steelyard_profiler.drive import Drive
from steelyard_profiler.idling import Idling
from steelyard_profiler.room import Room
from steelyard_profiler.target import Asked, Failure, Reply, Severity

MOST_FAILURES_IN_A_ROW = 3
"""More than a hiccup: a retry is one of them. Where several are asked at once, so many of each."""

_MAY_BE_REFUSALS = ("BadRequest", "NotFound", "EngineError")
"""Failures that may be about a request's further fields alone."""

THOUGHT_TOKENS = 1024
"""What a model that thinks may spend on that before each answer: by probe what Quick's budget has."""

RETRY_SECONDS = 0.5
"""Pause before a question is asked once more."""


class Stopped(Exception):
    """The run ends here."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.message)

    @property
    def is_budget(self) -> bool:
        """Whether a budget is spent, and nothing wrong."""
        return self.failure.reason == "BudgetSpent"


class Session:
    """What a run has spent, and the way to spend more."""

    def __init__(self, drive: Drive, limits: ProfileLimits, idling: Idling | None = None) -> None:
        self.drive = drive
        """The connection, for what is not a question to the model."""
        self.limits = limits
        """The run's budgets."""
        self.room = Room(limits)
        """Which questions are too long."""
        self.tokens = 0
        """Spent so far, prompt and output together."""
        self.answers = 0
        """Requests that were answered."""
        self.usages = 0
        """Answers whose tokens the engine counted plausibly."""
        self.texts = 0
        """Answers that said anything, reasoning included."""
        self.thoughts = 0
        """Answers that came with reasoning apart."""
        self.unfinished = 0
        """Answers that were nothing but reasoning, though there were tokens for it."""
        self.overruns = 0
        """Answers that went on beyond what was asked for."""
        self.believes_usage = True
        """Whether no usage was false so far."""
        self._idling = idling
        self._thinks = False
        self._under_way = 0
        self._refusals: Counter[frozenset[str]] = Counter()
        self._offered: set[frozenset[str]] = set()
        self._asking = 0
        self._failures = 0
        self._started = time.monotonic()

    @property
    def seconds_left(self) -> float:
        """Until the budget of time is spent."""
        return self.limits.max_duration_seconds - (time.monotonic() - self._started)

    def refuses(self, *names: str) -> bool:
        """Whether requests with these further fields were refused, and none was answered."""
        further = frozenset(names)
        return further not in self._offered and self._refusals[further] >= MOST_FAILURES_IN_A_ROW

    async def answer(self, asked: Asked, *, any_length: bool = False) -> Reply | None:
        """The reply; None where this question is too long, refused, or failed twice. Raises Stopped.

        It is asked once the engine does not work for others.
        """
        if not any_length and not self.room.takes(asked):
            return None
        if self._idling is not None:
            await self._idling.wait_until_idle(self.seconds_left)
        self._asking += 1
        try:
            return await self._answer(asked)
        finally:
            self._asking -= 1

    async def _answer(self, asked: Asked) -> Reply | None:
        further = frozenset(asked.extra)
        if further and self.refuses(*further):
            return None
        for attempt in range(2):
            if attempt:
                await asyncio.sleep(RETRY_SECONDS)
            reply = await self._with_thoughts(asked)
            if isinstance(reply, Reply):
                self._failures = 0
                self._offered.add(further)
                return self.settled(reply)
            if further and reply.reason in _MAY_BE_REFUSALS:
                self._refusals[further] += 1
                if reply.severity is Severity.TRANSIENT:
                    continue
                return None
            self._failures += 1
            if reply.severity is Severity.FATAL or self._failures >= MOST_FAILURES_IN_A_ROW * self._asking:
                raise Stopped(reply)
            if reply.severity is Severity.REFUSED:
                return None
        return None

    async def attempt(self, asked: Asked) -> Reply | Failure:
        """The reply, or why there is none; asked once, and no failure counts against the run."""
        try:
            reply = await self._with_thoughts(asked)
        except Stopped as stop:
            return stop.failure
        return self.settled(reply) if isinstance(reply, Reply) else reply

    def settled(self, reply: Reply) -> Reply:
        """The reply with its tokens as they are believed by now."""
        return reply if self.believes_usage else reply.estimated()

    async def _with_thoughts(self, asked: Asked) -> Reply | Failure:
        """The reply; from a model that thinks, with tokens for its thoughts."""
        if not asked.may_think:
            return await self._within_budget(asked)
        longer = replace(asked, max_tokens=asked.max_tokens + THOUGHT_TOKENS)
        knew = self._thinks
        reply = await self._within_budget(longer if knew else asked)
        if not knew and isinstance(reply, Reply) and reply.ended_in_thought:
            reply = await self._within_budget(longer)
        if isinstance(reply, Reply):
            self.unfinished += reply.ended_in_thought
        return reply

    async def _within_budget(self, asked: Asked) -> Reply | Failure:
        if self.tokens + self._under_way + asked.most_tokens > self.limits.max_tokens:
            raise Stopped(self._spent(f"limits.maxTokens = {self.limits.max_tokens}"))
        self._under_way += asked.most_tokens
        try:
            async with asyncio.timeout(self.seconds_left):
                reply = await self.drive.ask(asked)
            if isinstance(reply, Reply):
                self._take(reply)
            return reply
        except asyncio.CancelledError:
            self.tokens += asked.most_tokens
            raise
        except TimeoutError:
            budget = f"limits.maxDurationSeconds = {self.limits.max_duration_seconds}"
            raise Stopped(self._spent(budget)) from None
        finally:
            self._under_way -= asked.most_tokens

    def _take(self, reply: Reply) -> None:
        self.answers += 1
        self.usages += reply.usage_reported
        self.texts += reply.is_said
        self.thoughts += reply.is_thinking
        self._thinks |= reply.thinks
        self.overruns += reply.overran
        self.believes_usage = self.believes_usage and not reply.usage_is_false
        counted = self.settled(reply)
        self.tokens += counted.prompt_tokens + counted.output_tokens

    def _spent(self, budget: str) -> Failure:
        return Failure("BudgetSpent", f"The run stopped at {budget} after {self.answers} answers.")
