"""The choice for one turn under a policy: who may answer, in which groups, and who is preferred.

The chosen candidate is found without weighing all of them; the order of all is made when asked for.
Invariant: without a conversation before it, the chosen one is the first of that order.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import assert_never

import msgspec

from steelyard.api.policy import Goal, Order
from steelyard.routing import balancing, comparing, filters, points, scorers
from steelyard.routing.decision import Distribution, Load, NoLoad, Rejected, Request, Turn, Weighed
from steelyard.routing.table import Attempt, Candidate, Entry, Policy, Settled
from steelyard.routing.undecidable import NoCandidate

POOL_QUALITY = 0.01
"""Pairs of one model name and price whose expected qualities differ by no more than this are one pool."""

AT_REST = NoLoad()
"""The load of replayed turns."""

KEPT_CHOICES = 1024
"""So many choices for replayed turns each policy remembers."""

Classify = Callable[[Turn], Distribution]
"""What a turn asks for. Must be deterministic; empty: quality plays no part."""


class Question:
    """A request put to a policy."""

    __slots__ = ("classify", "draw", "goal", "policy", "request", "tolerance_percent")

    def __init__(self, policy: Policy, request: Request, classify: Classify, draw: int) -> None:
        self.policy = policy
        self.request = request
        self.classify = classify
        self.draw = draw
        self.goal = request.goal or policy.goals[request.model]
        asked = request.tolerance_percent
        self.tolerance_percent = policy.spec.tolerance_percent if asked is None else asked


def replayed(question: Question, turns: Sequence[Turn]) -> Candidate | None:
    """The model that these turns of a conversation ended with: nothing was stored, it is chosen again."""
    previous: Candidate | None = None
    switch_percent = question.policy.spec.switch_percent
    for turn in turns:
        settled = _settled(question, turn)
        if settled is not None and not _stays(settled, previous, switch_percent):
            previous = settled.chosen
    return previous


class Choice:
    """The answer for one turn at one load. Making it raises NoCandidate where there is none."""

    __slots__ = (
        "_all",
        "_asked",
        "_eligible",
        "_group",
        "_kept",
        "_load",
        "_qualities",
        "_question",
        "_turn",
        "_up",
        "category",
        "chosen",
        "distribution",
        "pairs",
    )

    def __init__(self, question: Question, turn: Turn, load: Load) -> None:
        self._question, self._turn, self._load = question, turn, load
        self._all: list[Weighed] | None = None
        self._kept: int | None = None
        self.distribution = question.classify(turn)
        self._asked = scorers.ask(turn, self.distribution, question.request.max_tokens)
        self.category = self._asked.category
        self._eligible = question.policy.eligible[self.category]
        self.pairs = self._who_can()
        self._qualities = scorers.qualities(self.pairs, self.distribution)
        if question.policy.spec.require.min_quality_percent is not None:
            self._drop_weak()
        if not self.pairs:
            raise NoCandidate(question.request.model, question.policy, self.rejected())
        every = range(len(self.pairs))
        self._up: Sequence[int] = every if load is AT_REST else self._which_are_up() or every
        is_one = question.policy.spec.order is Order.MEASURED
        self._group = self._up if is_one else next(self._groups())
        self.chosen = self._preferred(self._group)

    @property
    def candidate(self) -> Candidate:
        """The chosen one."""
        return self.pairs[self.chosen]

    def keep(self, previous: Candidate | None) -> bool:
        """Stay with the previous choice where it may stay; whether that is another one."""
        if previous is None or previous is self.candidate:
            return False
        if not _stays(self.settled(), previous, self._question.policy.spec.switch_percent):
            return False
        self.chosen = self._kept = next(index for index, pair in enumerate(self.pairs) if pair is previous)
        return True

    def settled(self) -> Settled:
        """What later turns need to know of it."""
        qualities = {self.pairs[index]: max(self._qualities[index], 0.0) for index in self._group}
        return Settled(self.candidate, qualities)

    def first(self) -> Attempt | None:
        """The endpoint of the chosen candidate's pool that is tried first; None: none of them has room."""
        question, pool = self._question, self.pairs[self.chosen].attempts
        if self._eligible.pool.has_namesakes:
            pool = self._pool(self._equals(self.chosen, range(len(self.pairs))))
        balance = question.policy.spec.balance
        return balancing.first(pool, balance, question.request, self._load, question.draw)

    def attempts(self) -> list[Attempt]:
        """Every endpoint that may be tried, in order: equal candidates are balanced as one pool."""
        question, left, pools = self._question, self._order(), []
        if not self._eligible.pool.has_namesakes:
            pools, left = [self.pairs[index].attempts for index in left], []
        while left:
            equals = dict.fromkeys(self._equals(left[0], left))
            pools.append(self._pool(equals))
            left = [index for index in left if index not in equals]
        balance = question.policy.spec.balance
        return balancing.order(pools, balance, question.request, self._load, question.draw)

    def weighed(self) -> tuple[Weighed, ...]:
        """Every candidate that can do it, in the order of preference."""
        judged = self._judged()
        return tuple(judged[index] for index in self._order())

    def rejected(self) -> tuple[Rejected, ...]:
        """Every candidate that cannot."""
        require, found = self._question.policy.spec.require, self._eligible.pool
        passed, rejected = filters.split(found.candidates, self._turn, require)
        for pair, quality in zip(passed, scorers.qualities(passed, self.distribution), strict=True):
            lack = filters.lacks_quality(require, None if quality == scorers.UNMEASURED else quality)
            if lack is not None:
                rejected.append(Rejected(pair, (lack,)))
        return tuple(rejected)

    def _who_can(self) -> Sequence[Candidate]:
        pool, turn = self._eligible.pool, self._turn
        if turn.prompt_tokens <= pool.most_tokens and turn.needs <= pool.passes:
            return pool.open
        return filters.split(pool.candidates, turn, self._question.policy.spec.require)[0]

    def _drop_weak(self) -> None:
        least = (self._question.policy.spec.require.min_quality_percent or 0) / 100 - filters.SLACK
        strong = [index for index, quality in enumerate(self._qualities) if quality >= least]
        self.pairs = [self.pairs[index] for index in strong]
        self._qualities = [self._qualities[index] for index in strong]

    def _groups(self) -> Iterator[Sequence[int]]:
        """Groups in the policy's order, none empty; candidates that are all down come in a last one."""
        up = self._up
        match self._question.policy.spec.order:
            case Order.MEASURED:
                yield up
            case Order.AS_LISTED:
                yield from self._members(self._eligible.entries, up)
            case Order.WEIGHTED:
                able = {id(self.pairs[index]) for index in up}
                entries = [
                    one for one in self._eligible.entries if not able.isdisjoint(map(id, one.candidates))
                ]
                yield from self._members(self._drawn_first(entries), up)
            case _:
                assert_never(self._question.policy.spec.order)
        down = set(range(len(self.pairs))).difference(up)
        if down:
            yield sorted(down)

    def _which_are_up(self) -> list[int]:
        """Candidates of which an endpoint does not rest."""
        load, draw, is_resting = self._load, self._question.draw, self._load.is_resting
        return [
            index
            for index, pair in enumerate(self.pairs)
            if not is_resting(pair.endpoints[0]) or balancing.is_up(pair.attempts, load, draw)
        ]

    def _members(self, entries: Iterable[Entry], up: Iterable[int]) -> Iterator[list[int]]:
        """The candidates of each entry; one that several entries select counts in the first."""
        left = {id(self.pairs[index]): index for index in up}
        for entry in entries:
            group = [left.pop(id(pair)) for pair in entry.candidates if id(pair) in left]
            if group:
                yield group

    def _drawn_first(self, entries: Sequence[Entry]) -> list[Entry]:
        """The entry that the conversation's hash falls on by weight, then the others by weight."""
        by_weight = sorted(entries, key=lambda entry: -entry.weight)
        total = sum(entry.weight for entry in entries)
        question = self._question
        point = points.of_text(f"{question.policy.name}\n{question.request.conversation}")
        left = point / points.RANGE * total
        for entry in entries:
            left -= entry.weight
            if left < 0:
                return [entry, *(one for one in by_weight if one is not entry)]
        return by_weight

    def _preferred(self, group: Sequence[int]) -> int:
        """The first of `_ranked(group)`, found by weighing few."""
        qualities, goal = self._qualities, self._question.goal
        first = comparing.best_of(qualities, group)
        if qualities[first] == scorers.UNMEASURED:
            return self._ranked(group)[0]
        if goal is Goal.BALANCED:
            return self._most_balanced(group)
        good = group if goal is Goal.BEST else self._good(group, first)
        if len(good) > 1 and goal is not Goal.BEST:
            good = self._least(good, goal)
        if len(good) > 1:
            best = max([qualities[index] for index in good]) - scorers.SAME_QUALITY
            good = [index for index in good if qualities[index] >= best]
        return good[0] if len(good) == 1 else self._ranked(good)[0]

    def _good(self, among: Collection[int], best: int) -> list[int]:
        """Those of these that are good enough beside this one."""
        question = self._question
        policy, tolerance_percent = question.policy, question.tolerance_percent
        return comparing.good_enough(
            policy,
            self.distribution,
            tolerance_percent,
            self.pairs,
            self._qualities,
            among=among,
            best=best,
        )

    def _most_balanced(self, group: Sequence[int]) -> int:
        asked, load, draw, qualities = self._asked, self._load, self._question.draw, self._qualities
        costs = [scorers.expected_cost_usd(pair, asked, load, draw) for pair in self.pairs]
        latencies = [scorers.expected_latency_seconds(pair, asked, load, draw) for pair in self.pairs]
        score = scorers.balanced(costs, latencies, self._question.policy.spec.weights)
        measured = [index for index in group if qualities[index] != scorers.UNMEASURED]
        scores = [score(qualities[index], costs[index], latencies[index]) for index in measured]
        most = max(scores)
        first = [index for index, value in zip(measured, scores, strict=True) if value == most]
        return first[0] if len(first) == 1 else self._ranked(first)[0]

    def _least(self, group: Sequence[int], goal: Goal) -> list[int]:
        """Those of the least cost, or of the least latency where the goal is Fastest."""
        expected = scorers.expected_cost_usd
        if goal is Goal.FASTEST:
            expected = scorers.expected_latency_seconds
        pairs, asked, load, draw = self.pairs, self._asked, self._load, self._question.draw
        least = float("inf")
        found: list[int] = []
        for index in group:
            value = expected(pairs[index], asked, load, draw)
            if value is None or value > least:
                continue
            if value < least:
                least, found = value, []
            found.append(index)
        return found or list(group)

    def _ranked(self, group: Sequence[int]) -> list[int]:
        """By the goal among the good enough, then the others by quality, then the unmeasured by price."""
        question, qualities, weighed = self._question, self._qualities, self._weighed
        measured = [index for index in group if qualities[index] != scorers.UNMEASURED]
        good = measured
        if measured and question.goal not in (Goal.BALANCED, Goal.BEST):
            good = self._good(measured, comparing.best_of(qualities, measured))
        first = set(good)
        others = [index for index in measured if index not in first]
        unmeasured = [index for index in group if qualities[index] == scorers.UNMEASURED]
        preference = scorers.preference(question.goal, weighed, question.policy.spec.weights)
        good.sort(key=lambda index: preference(weighed[index]))
        others.sort(key=lambda index: scorers.best(weighed[index]))
        unmeasured.sort(key=lambda index: scorers.lowest_price(weighed[index]))
        return good + others + unmeasured

    def _order(self) -> list[int]:
        """Every candidate by preference, one that was kept first."""
        ranked = [index for group in self._groups() for index in self._ranked(group)]
        if self._kept is not None:
            ranked.sort(key=lambda index: index != self._kept)
        return ranked

    @property
    def _weighed(self) -> list[Weighed]:
        """Every candidate weighed, as it stands in `pairs`."""
        if self._all is None:
            draw = self._question.draw
            self._all = [scorers.weigh(pair, self._asked, self._load, draw) for pair in self.pairs]
        return self._all

    def _judged(self) -> list[Weighed]:
        """Every candidate with what it is behind the best of the first group, as it stands in `pairs`."""
        weighed, qualities, question = self._weighed, self._qualities, self._question
        best = comparing.best_of(qualities, self._group)
        if qualities[best] == scorers.UNMEASURED or question.goal is Goal.BALANCED:
            return weighed
        first, good = self.pairs[best], set(self._good(range(len(weighed)), best))
        return [
            msgspec.structs.replace(
                one,
                is_good_enough=index in good,
                difference=None
                if index == best or one.quality is None
                else comparing.difference(question.policy, first, one.candidate, self.distribution),
            )
            for index, one in enumerate(weighed)
        ]

    def _equals(self, wanted: int, among: Iterable[int]) -> list[int]:
        """Those of one model name, one price and about one quality: one pool."""
        one, quality = self.pairs[wanted], self._qualities[wanted]
        return [
            index
            for index in among
            if (pair := self.pairs[index]).model == one.model
            and abs(self._qualities[index] - quality) <= POOL_QUALITY
            and pair.price.is_same(one.price)
        ]

    def _pool(self, indices: Iterable[int]) -> tuple[Attempt, ...]:
        return tuple(attempt for index in indices for attempt in self.pairs[index].attempts)


def _settled(question: Question, turn: Turn) -> Settled | None:
    """The choice for this turn with the fleet at rest; None: nobody could answer it."""
    policy, request = question.policy, question.request
    of_conversation = points.of_text(request.conversation) if policy.spec.order is Order.WEIGHTED else 0
    asked = (question.classify(turn), turn.prompt_tokens, turn.needs, request.max_tokens)
    key = (asked, question.goal, question.tolerance_percent, of_conversation)
    memo = policy.memo
    if key in memo:
        return memo[key]
    if len(memo) >= KEPT_CHOICES:
        memo.clear()
    try:
        memo[key] = Choice(question, turn, AT_REST).settled()
    except NoCandidate:
        memo[key] = None
    return memo[key]


def _stays(settled: Settled, previous: Candidate | None, switch_percent: int) -> bool:
    """Whether the previous choice is in the first group and the fresh one gains too little."""
    if previous is None or previous not in settled.qualities:
        return False
    gain = settled.qualities[settled.chosen] - settled.qualities[previous]
    return gain * 100 <= switch_percent
