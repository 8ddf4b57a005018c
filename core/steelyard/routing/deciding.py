"""From a request to the models that shall answer it, in order: filter, score, order.

Pure: the table, the load and the draw are arguments. Invariant: the same arguments give the same decision, so
gateways that share nothing agree.
"""

from collections.abc import Sequence

import msgspec

from steelyard.api.policy import Balance
from steelyard.routing import balancing, choosing, filters
from steelyard.routing.choosing import Choice, Classify, Question
from steelyard.routing.decision import Decision, Load, Rejected, Request, Weighed
from steelyard.routing.table import DEFAULT_OUTPUT_TOKENS, LEVELS, Attempt, Candidate, Policy, Pool, Table
from steelyard.routing.undecidable import ModelUnusable, NoCandidate, UnknownModel

DEFAULT_MAX_ATTEMPTS = 3
"""Attempts of a request by a model's own name."""

BY_NAME = Balance()
"""How requests by a model's own name share its endpoints."""


def decide(request: Request, table: Table, load: Load, draw: int, classify: Classify) -> Decision:
    """Who answers, in which order, and why.

    `draw` is any number that differs from request to request: it settles ties and turns. Raises Undecidable.
    """
    model = request.model
    for policy in table.policies.get(model, ()):
        if _matches(policy, request):
            return _by_policy(Question(policy, request, classify, draw), load)
    pool = table.pools.get(model)
    if pool is not None:
        return _by_name(pool, request, load, draw)
    if model in table.unusable:
        raise ModelUnusable(model, table.unusable[model])
    raise UnknownModel(model)


class _Named(msgspec.Struct, frozen=True, eq=False, gc=False):
    """The grounds of a decision by name: there is nothing to weigh."""

    pool: Pool
    request: Request
    load: Load
    draw: int

    def attempts(self) -> list[Attempt]:
        """Every endpoint, in order."""
        return balancing.order([self.pool.attempts], BY_NAME, self.request, self.load, self.draw)

    def weighed(self) -> tuple[Weighed, ...]:
        """Every candidate that can do it."""
        tokens = self.request.turns[-1].prompt_tokens
        return tuple(
            Weighed(pair, None, None, tokens, DEFAULT_OUTPUT_TOKENS, None, self._is_up(pair))
            for pair in self.pool.open
        )

    def rejected(self) -> tuple[Rejected, ...]:
        """Every candidate that cannot."""
        return tuple(filters.split(self.pool.candidates, self.request.turns[-1])[1])

    def _is_up(self, pair: Candidate) -> bool:
        return balancing.is_up(pair.attempts, self.load, self.draw)


def _matches(policy: Policy, request: Request) -> bool:
    if request.turns[-1].prompt_tokens < policy.spec.match.min_prompt_tokens:
        return False
    if not policy.headers:
        return True
    return all(request.headers.get(name) == value for name, value in policy.headers)


def _by_name(pool: Pool, request: Request, load: Load, draw: int) -> Decision:
    turn = request.turns[-1]
    if turn.prompt_tokens > pool.most_tokens or not turn.needs <= pool.passes:
        passed, rejected = filters.split(pool.candidates, turn)
        if not passed:
            raise NoCandidate(request.model, None, rejected)
        pool = filters.narrowed(pool, passed)
    grounds = _Named(pool, request, load, draw)
    attempts: Sequence[Attempt] = pool.attempts
    if len(attempts) > 1:
        attempts = balancing.begun(balancing.least_load(attempts, load, draw), grounds.attempts)
    return Decision(
        request.model, None, None, 0, (), None, None, attempts, DEFAULT_MAX_ATTEMPTS, False, grounds
    )


def _by_policy(question: Question, load: Load) -> Decision:
    policy, turns = question.policy, question.request.turns
    choice = Choice(question, turns[-1], load)
    stayed = False
    if len(turns) > 1:
        stayed = choice.keep(choosing.replayed(question, turns[:-1]))
    distribution = choice.distribution
    return Decision(
        question.request.model,
        policy,
        question.goal,
        question.tolerance_percent,
        distribution,
        choice.category,
        LEVELS[distribution[0][0] % len(LEVELS)] if distribution else None,
        balancing.begun(choice.first(), choice.attempts),
        policy.spec.failover.max_attempts,
        stayed,
        choice,
    )
