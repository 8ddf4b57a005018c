"""From a request to the models that shall answer it, in order: filter, score, order.

Pure: the table, the load and the draw are arguments. Invariant: the same arguments give the same decision, so
gateways that share nothing agree.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import assert_never

from steelyard.api.policy import BalanceType, Goal, Order
from steelyard.api.profile import Category
from steelyard.routing import balancing, filters, scorers
from steelyard.routing.decision import (
    Decision,
    Distribution,
    Load,
    NoLoad,
    Rejected,
    Request,
    Turn,
    Weighed,
)
from steelyard.routing.table import CATEGORIES, DEFAULT_OUTPUT_TOKENS, LEVELS, Candidate, Entry, Policy, Table
from steelyard.routing.undecidable import ModelUnusable, NoCandidate, UnknownModel

DEFAULT_MAX_ATTEMPTS = 3
"""Attempts of a request by a model's own name."""

Classify = Callable[[Turn], Distribution]
"""What a turn asks for. Must be deterministic; empty: quality plays no part."""


def decide(request: Request, table: Table, load: Load, draw: int, classify: Classify) -> Decision:
    """Who answers, in which order, and why.

    `draw` is any number that differs from request to request: it settles ties and turns. Raises Undecidable.
    """
    for policy in table.policies.get(request.model, ()):
        if _matches(policy, request):
            return _by_policy(_Question(policy, request, classify), load, draw)
    pool = _named(request.model, table)
    if pool:
        return _by_name(pool, request, load, draw)
    if request.model in table.unusable:
        raise ModelUnusable(request.model, table.unusable[request.model])
    raise UnknownModel(request.model)


def most_probable_category(distribution: Distribution) -> Category | None:
    """The category with the largest share; None for an empty distribution."""
    shares: dict[int, float] = defaultdict(float)
    for cell, probability in distribution:
        shares[cell // len(LEVELS)] += probability
    return CATEGORIES[max(shares, key=shares.__getitem__)] if shares else None


class _Question:
    """A request put to a policy."""

    __slots__ = ("classify", "goal", "policy", "request", "tolerance_percent")

    def __init__(self, policy: Policy, request: Request, classify: Classify) -> None:
        self.policy = policy
        self.request = request
        self.classify = classify
        named = next((model.goal for model in policy.spec.models if model.name == request.model), None)
        self.goal = request.goal or named or policy.spec.goal
        asked = request.tolerance_percent
        self.tolerance_percent = policy.spec.tolerance_percent if asked is None else asked


@dataclass(frozen=True, slots=True)
class _Choice:
    """The fresh answer for one turn."""

    distribution: Distribution
    category: Category | None
    primary: list[Weighed]
    """Candidates that the policy's order puts first, by preference; never empty."""
    others: list[Weighed]
    """The other candidates, by preference."""
    rejected: list[Rejected]
    least_quality: float | None


def _matches(policy: Policy, request: Request) -> bool:
    match = policy.spec.match
    if request.turns[-1].prompt_tokens < match.min_prompt_tokens:
        return False
    return all(request.headers.get(name.lower()) == value for name, value in match.headers.items())


def _named(name: str, table: Table) -> tuple[Candidate, ...]:
    """The pool of a model name, an alias, or the one pair of model@backend."""
    pool = table.models.get(name) or table.aliases.get(name)
    if pool:
        return pool
    model, _, backend = name.rpartition("@")
    named = table.models.get(model) or table.aliases.get(model) or ()
    return tuple(pair for pair in named if pair.backend == backend)


def _by_name(pool: Sequence[Candidate], request: Request, load: Load, draw: int) -> Decision:
    turn = request.turns[-1]
    passed, rejected = filters.can_do(turn, pool)
    if not passed:
        raise NoCandidate(request.model, None, rejected)
    return Decision(
        model=request.model,
        policy=None,
        goal=None,
        tolerance_percent=0,
        least_quality=None,
        distribution=(),
        category=None,
        level=None,
        weighed=tuple(_unweighed(pair, turn, load) for pair in passed),
        rejected=tuple(rejected),
        attempts=tuple(balancing.spread(passed, BalanceType.LEAST_LOAD, load, draw)),
        max_attempts=DEFAULT_MAX_ATTEMPTS,
        stayed=False,
    )


def _unweighed(pair: Candidate, turn: Turn, load: Load) -> Weighed:
    """A candidate that was asked for by name: there is nothing to weigh."""
    is_up = not all(map(load.is_resting, pair.endpoints))
    return Weighed(pair, None, None, turn.prompt_tokens, DEFAULT_OUTPUT_TOKENS, None, is_up)


def _by_policy(question: _Question, load: Load, draw: int) -> Decision:
    spec, turns = question.policy.spec, question.request.turns
    choice = _choose(question, turns[-1], load)
    fresh = choice.primary[0]
    kept = _kept(_replayed(question, turns[:-1]), choice, spec.switch_percent)
    ordered = [kept, *(one for one in choice.primary if one is not kept), *choice.others]
    cell = choice.distribution[0][0] if choice.distribution else None
    return Decision(
        model=question.request.model,
        policy=question.policy,
        goal=question.goal,
        tolerance_percent=question.tolerance_percent,
        least_quality=choice.least_quality,
        distribution=choice.distribution,
        category=choice.category,
        level=None if cell is None else LEVELS[cell % len(LEVELS)],
        weighed=tuple(ordered),
        rejected=tuple(choice.rejected),
        attempts=tuple(balancing.attempts(ordered, spec.balance.type, load, draw)),
        max_attempts=spec.failover.max_attempts,
        stayed=kept is not fresh,
    )


def _replayed(question: _Question, turns: Iterable[Turn]) -> Candidate | None:
    """The model that earlier turns of the conversation ended with: nothing was stored, it is chosen again."""
    previous: Candidate | None = None
    for turn in turns:
        try:
            choice = _choose(question, turn, NoLoad())
        except NoCandidate:
            continue
        previous = _kept(previous, choice, question.policy.spec.switch_percent).candidate
    return previous


def _kept(previous: Candidate | None, choice: _Choice, switch_percent: int) -> Weighed:
    """The previous choice where it is a candidate now and the fresh one gains too little; else the latter."""
    fresh = choice.primary[0]
    for one in choice.primary:
        if one.candidate is previous:
            gain = (fresh.quality or 0.0) - (one.quality or 0.0)
            return one if gain * 100 <= switch_percent else fresh
    return fresh


def _choose(question: _Question, turn: Turn, load: Load) -> _Choice:
    policy, spec = question.policy, question.policy.spec
    distribution = question.classify(turn)
    category = most_probable_category(distribution)
    entries = [one for one in policy.entries if one.categories is None or category in one.categories]
    distinct = {id(pair): pair for entry in entries for pair in entry.candidates}
    passed, rejected = filters.meets(policy, turn, distinct.values())
    weighed: dict[int, Weighed] = {}
    for pair in passed:
        one = scorers.weigh(pair, question.request, turn, distribution, load)
        lack = filters.lacks_quality(spec.require, one.quality)
        if lack is None:
            weighed[id(pair)] = one
        else:
            rejected.append(Rejected(pair, (lack,)))
    if not weighed:
        raise NoCandidate(question.request.model, policy, rejected)
    groups = _grouped(question, entries, weighed)
    ranked = [_ranked(question, group, weighed.values()) for group in groups]
    return _Choice(
        distribution=distribution,
        category=category,
        primary=ranked[0],
        others=[one for group in ranked[1:] for one in group],
        rejected=rejected,
        least_quality=_least_quality(question, groups[0]),
    )


def _grouped(
    question: _Question, entries: Sequence[Entry], weighed: dict[int, Weighed]
) -> list[list[Weighed]]:
    """Groups in the policy's order, none empty; candidates that are all down come in a last group."""
    up = {key: one for key, one in weighed.items() if one.is_up} or weighed
    down = [one for key, one in weighed.items() if key not in up]
    match question.policy.spec.order:
        case Order.MEASURED:
            groups = [list(up.values())]
        case Order.AS_LISTED:
            groups = _members(entries, up)
        case Order.WEIGHTED:
            eligible = [entry for entry in entries if any(id(pair) in up for pair in entry.candidates)]
            groups = _members(_drawn_first(eligible, question), up)
        case _:
            assert_never(question.policy.spec.order)
    return [group for group in (*groups, down) if group]


def _members(entries: Iterable[Entry], weighed: dict[int, Weighed]) -> list[list[Weighed]]:
    """The candidates of each entry; one that several entries select counts in the first."""
    left = dict(weighed)
    groups = []
    for entry in entries:
        keys = [id(pair) for pair in entry.candidates if id(pair) in left]
        groups.append([left.pop(key) for key in keys])
    return groups


def _drawn_first(entries: Sequence[Entry], question: _Question) -> list[Entry]:
    """The entry that the conversation's hash falls on by weight, then the others by weight."""
    by_weight = sorted(entries, key=lambda entry: -entry.weight)
    total = sum(entry.weight for entry in entries)
    key = f"{question.policy.name}\n{question.request.conversation}".encode()
    point = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest()) / 2**64 * total
    for entry in entries:
        point -= entry.weight
        if point < 0:
            return [entry, *(one for one in by_weight if one is not entry)]
    return by_weight


def _least_quality(question: _Question, group: Sequence[Weighed]) -> float | None:
    """The quality that is good enough within the group; None where the goal or the data know none."""
    measured = [one for one in group if one.quality is not None]
    if not measured or question.goal is Goal.BALANCED:
        return None
    return scorers.least_good_enough(measured, question.tolerance_percent)


def _ranked(question: _Question, group: Sequence[Weighed], every: Collection[Weighed]) -> list[Weighed]:
    """By the goal among the good enough, then the others by quality, then the unmeasured by price."""
    least = _least_quality(question, group)
    good: list[Weighed] = []
    others: list[Weighed] = []
    unmeasured: list[Weighed] = []
    for one in group:
        if one.quality is None:
            unmeasured.append(one)
        else:
            (good if least is None or one.quality >= least else others).append(one)
    good.sort(key=scorers.preference(question.goal, every, question.policy.spec.weights))
    others.sort(key=scorers.best)
    unmeasured.sort(key=scorers.lowest_price)
    return good + others + unmeasured
