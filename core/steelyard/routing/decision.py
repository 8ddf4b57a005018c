"""What a request is, what the fleet is doing, and what was decided: the values around `deciding.decide`.

Invariant: a Decision tells every candidate with its scores or all its reasons against it, so that the proxy,
the explanation, the log line and the tests read the same value. What the proxy does not need is worked out
when somebody asks, at the load of that moment. What is made anew for each request is a msgspec.Struct: as
frozen as a dataclass, and made several times faster.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from steelyard.api.policy import Goal
from steelyard.api.profile import Category, Level
from steelyard.routing.table import Attempt as Attempt
from steelyard.routing.table import Candidate, Endpoint, Policy

Distribution = tuple[tuple[int, float], ...]
"""Sparse probabilities over cells: (cell index, probability), adding up to 1, the most probable first."""


class Turn(msgspec.Struct, frozen=True, gc=False):
    """One user turn, with all that was said up to it."""

    text: str
    """What the user said in this turn."""
    prompt_tokens: int
    """Estimated length of the conversation up to and including this turn, in tokens."""
    needs: frozenset[str]
    """Capabilities that the conversation needs up to and including this turn, by the API's name."""


class HeaderLookup(Protocol):
    """Request headers; a dict by lower-case name is one."""

    def get(self, name: str, /) -> str | None:
        """The value of this header, its name in lower case; None: not sent."""
        ...


class Request(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What a decision reads of a request."""

    model: str
    """The model name as the client spelled it."""
    turns: tuple[Turn, ...]
    """The last user turns (at most 16), never empty; the last one is what is asked now."""
    conversation: str
    """Key of the conversation: the session header, or system prompt and first user turn."""
    max_tokens: int | None = None
    """Bound on the answer's length, in tokens."""
    headers: HeaderLookup = msgspec.field(default_factory=dict[str, str])
    """Request headers, for a policy's match."""
    goal: Goal | None = None
    """Goal that the client asks for."""
    tolerance_percent: int | None = None
    """Tolerance that the client asks for."""
    session: str = ""
    """The session that the client names in a header; empty: none."""
    user: str = ""
    """The user that the body names; empty: none."""
    opening: str = ""
    """System prompt and first user turn, or the whole prompt; empty: as `conversation`."""


class Load(Protocol):
    """What the gateway knows of its endpoints at this moment."""

    def in_flight(self, endpoint: Endpoint) -> float:
        """Requests under way on this endpoint; those of others are reckoned, so it need not be whole."""
        ...

    def is_resting(self, endpoint: Endpoint) -> bool:
        """Whether this endpoint failed lately or asked for a pause, so that others come first."""
        ...

    def is_full(self, endpoint: Endpoint) -> bool:
        """Whether it has as many requests as it may have, so that others with room come first."""
        ...

    def cold_seconds(self, attempt: Attempt) -> float:
        """How long loading its model takes there, where the engine loads on demand.

        0: the model is in memory, or nobody knows; infinite: the endpoint does not have it.
        """
        ...

    def wait_seconds(self, attempt: Attempt) -> float:
        """How long a request waits there before it is worked on, where the engine loads on demand.

        For those in flight, for the load, and for what eviction costs others; infinite as `cold_seconds`.
        """
        ...


class NoLoad:
    """A fleet at rest with every endpoint up; replayed turns are decided with it."""

    def in_flight(self, endpoint: Endpoint) -> int:
        """Nothing is under way."""
        return 0

    def is_resting(self, endpoint: Endpoint) -> bool:
        """Nothing rests."""
        return False

    def is_full(self, endpoint: Endpoint) -> bool:
        """Everything has room."""
        return False

    def cold_seconds(self, attempt: Attempt) -> float:
        """Every model is in memory."""
        return 0.0

    def wait_seconds(self, attempt: Attempt) -> float:
        """Nobody waits."""
        return 0.0


class Difference(msgspec.Struct, frozen=True, eq=False, gc=False):
    """How much better the best candidate is than another one, as far as is known."""

    best: Candidate
    """The best of the first group."""
    mean: float
    """Expected difference of the pass rates, -1 to 1."""
    deviation: float
    """Its standard deviation."""
    is_paired: bool
    """Whether it is from the probes that both were asked, each compared with itself."""


class Weighed(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A candidate that passed every filter, with its scores for this request."""

    candidate: Candidate
    """The pair."""
    quality: float | None
    """Expected quality, 0 to 1; None: not measured."""
    cost_usd: float | None
    """Expected marginal cost of this request in US dollars; None: unknown."""
    prompt_tokens: int
    """Length of the prompt that was reckoned with, in tokens."""
    output_tokens: float
    """Expected length of the answer, in tokens."""
    latency_seconds: float | None
    """Expected time to the whole answer; None: not measured."""
    is_up: bool
    """Whether one of its endpoints is not resting."""
    is_good_enough: bool = True
    """Whether its quality is within the tolerance of the best's; true where quality played no part."""
    difference: Difference | None = None
    """What it is behind the best; None: it is the best, or quality played no part."""


class Rejected(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A candidate that a filter ruled out, with every reason."""

    candidate: Candidate
    """The pair."""
    reasons: tuple[str, ...]
    """One short sentence each, its first word the filter: tools, vision, price, location, quality, length…"""


class Grounds(Protocol):
    """What a decision was made from: the candidates weighed and ruled out, worked out when somebody asks."""

    def weighed(self) -> tuple[Weighed, ...]:
        """Candidates that can do it, in the order of preference."""
        ...

    def rejected(self) -> tuple[Rejected, ...]:
        """Candidates that cannot."""
        ...


class Decision(msgspec.Struct, frozen=True, eq=False, gc=False):
    """The answer to a request's question: who shall answer, in which order, and why."""

    model: str
    """The name that the client asked for."""
    policy: Policy | None
    """The RoutingPolicy that decided; None for a request by a model's own name."""
    goal: Goal | None
    """What the choice went by; None for a request by a model's own name."""
    tolerance_percent: int
    """The tolerance in force."""
    distribution: Distribution
    """Probabilities of what the request is; empty for a request by a model's own name."""
    category: Category | None
    """The most probable category."""
    level: Level | None
    """The level of the most probable cell."""
    attempts: Sequence[Attempt]
    """Every endpoint that may be tried, in order; never empty."""
    max_attempts: int
    """How many of them may be tried; those that could not be reached at all do not count."""
    stayed: bool = False
    """Whether the conversation kept its model although another would be chosen afresh."""
    grounds: Grounds | None = None
    """What it was made from; None: nothing is known of other candidates."""

    @property
    def weighed(self) -> tuple[Weighed, ...]:
        """Candidates that can do it, in the order of preference."""
        return () if self.grounds is None else self.grounds.weighed()

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """Candidates that cannot."""
        return () if self.grounds is None else self.grounds.rejected()


class AttemptWalk:
    """The walk over a decision's attempts as they fail.

    Rule 1: endpoints come in the decision's order.
    Rule 2: an attempt counts unless nothing answered at all (connect failure), or only to ask for a pause.
    Rule 3: the last counted attempt is kept for a second model where the decision has one.
    """

    __slots__ = ("_attempts", "_counted", "_index", "_max")

    def __init__(self, decision: Decision) -> None:
        self._attempts = decision.attempts
        self._max = decision.max_attempts
        self._index = 0
        self._counted = 0

    def next(self) -> Attempt | None:
        """The next attempt; None when the list or the budget is used up."""
        index = self._index
        if index == 0:
            self._index = 1
            return self._attempts[0]
        following = self._following()
        if following is None:
            return None
        self._index = following + 1
        return self._attempts[following]

    def has_next(self) -> bool:
        """Whether `next` gives another one after the first."""
        return self._following() is not None

    def equal(self) -> list[Attempt]:
        """The attempt that `next` gave last and those of its model that are left, in order."""
        left = self._attempts[self._index - 1 :]
        return [one for one in left if one.candidate.model == left[0].candidate.model]

    def prefer(self, other: Attempt) -> None:
        """Give this one of `equal` in place of the attempt that `next` gave last, which stays to be tried."""
        last = self._index - 1
        left = [one for one in self._attempts[last:] if one is not other]
        self._attempts = (*self._attempts[:last], other, *left)

    def drop(self, attempts: Sequence[Attempt]) -> None:
        """Try none of these, which `equal` gave."""
        dropped = set(attempts)
        left = (one for one in self._attempts[self._index :] if one not in dropped)
        self._attempts = (*self._attempts[: self._index], *left)

    def next_larger_context(self, tokens: int | None) -> Attempt | None:
        """The next attempt whose candidate is known to take more than these tokens; None: there is none."""
        if self._counted >= self._max:
            return None
        for index in range(self._index, len(self._attempts)):
            if (self._attempts[index].candidate.context_tokens or 0) > (tokens or 0):
                self._index = index + 1
                return self._attempts[index]
        return None

    def count(self) -> None:
        """The attempt under way got an answer that is no pause, or its request was sent: it counts."""
        self._counted += 1

    def _following(self) -> int | None:
        index, left = self._index, self._max - self._counted
        if left == 1 and self._counted:
            index = self._of_other_model(index)
        return None if left <= 0 or index >= len(self._attempts) else index

    def _of_other_model(self, start: int) -> int:
        """Index of the first attempt from `start` on with another model; `start` where one was tried."""
        attempts = self._attempts
        first = attempts[0].candidate.model
        if any(attempts[index].candidate.model != first for index in range(start)):
            return start
        others = (at for at in range(start, len(attempts)) if attempts[at].candidate.model != first)
        return next(others, start)
