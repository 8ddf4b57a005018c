"""The suite's probes, asked and marked.

Rule 1. A question that got no answer is no sample.
Rule 2. A category ends at the end of a batch only: by the width of its own interval, or where the next batch
        of long questions would not fit their share of the tokens.
Rule 3. Within a batch the categories take turns, so that a run that is cut short has balanced data.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from itertools import count, takewhile

from steelyard.api.measuring import Suite
from steelyard.api.profile import Category, CategoryScore, Level
from steelyard_profiler import quality, workload
from steelyard_profiler.calls import ToolSight
from steelyard_profiler.probe import Probe
from steelyard_profiler.progress import OnProgress, Progress
from steelyard_profiler.quality import Outcome
from steelyard_profiler.sampling import Sampler
from steelyard_profiler.session import Session, Stopped
from steelyard_profiler.target import Reply

PROBES_AT_ONCE = 4
"""Probes under way at a time: few enough for any engine, and a large model's Standard run fits its 900 s."""


class Marks:
    """What became of the probes so far."""

    def __init__(self) -> None:
        self.tools = ToolSight()
        """What was seen of tool calls."""
        self._outcomes: dict[Category, dict[int, Outcome]] = defaultdict(dict)
        self._output_tokens: dict[Category, int] = defaultdict(int)
        self._chances: dict[Category, list[float]] = defaultdict(list)

    def add(self, probe: Probe, *, is_right: bool, output_tokens: int) -> None:
        """Count an answer."""
        self._outcomes[probe.category][probe.index] = is_right
        self._output_tokens[probe.category] += output_tokens
        self._chances[probe.category].append(probe.chance)

    def refuse(self, probe: Probe) -> None:
        """This one got no answer."""
        self._outcomes[probe.category][probe.index] = None

    def done(self, category: Category) -> int:
        """How many of its probes were asked."""
        return len(self._outcomes[category])

    def passed(self, category: Category) -> int:
        """How many of them were answered rightly."""
        return sum(outcome is True for outcome in self._outcomes[category].values())

    def has_round(self) -> bool:
        """Whether each category was asked a question of each level."""
        return all(len(self._in_order(category)) >= len(Level) for category in workload.TEMPLATES)

    def has(self, category: Category) -> bool:
        """Whether each level of the category has a sample."""
        return all(level.samples for level in quality.levels_of(self._in_order(category)))

    def score(self, category: Category) -> CategoryScore:
        """The category's score; each of its levels must have a sample."""
        chances = self._chances[category]
        chance = 100 * sum(chances) / len(chances)
        return quality.score_of(
            category,
            self._in_order(category),
            self._output_tokens[category] / len(chances),
            max(1, round(chance)) if chance else None,
        )

    def _in_order(self, category: Category) -> list[Outcome]:
        """By index, up to the first that a stop left under way."""
        found = self._outcomes[category]
        return [found[index] for index in takewhile(found.__contains__, count())]


class Asking:
    """The way from a suite to marks."""

    def __init__(
        self,
        session: Session,
        sampler: Sampler,
        on_progress: OnProgress,
        marks: Marks,
        *,
        at_once: int = PROBES_AT_ONCE,
    ) -> None:
        self._session = session
        self._sampler = sampler
        self._on_progress = on_progress
        self._marks = marks
        self._at_once = at_once
        self._planned = 0
        self._spent: list[Stopped] = []

    async def ask(self, suite: Suite, seed: int) -> None:
        """Ask the suite's probes and add to the marks, so that those before a stop count. Raises Stopped."""
        plan = workload.PLANS[suite]
        most = plan.batch_ends[-1]
        asked = {one: workload.category_probes(suite, seed, one, most) for one in workload.TEMPLATES}
        for end in plan.batch_ends:
            begin, self._planned = self._planned, end
            for category in [one for one in asked if begin and not self._has_room(asked[one][begin:end])]:
                del asked[category]
            await self._batch(probes[index] for index in range(begin, end) for probes in asked.values())
            for category in [one for one in asked if self._is_enough(one, plan.enough_percent)]:
                del asked[category]

    def _has_room(self, probes: Sequence[Probe]) -> bool:
        """Whether all of a further batch may be asked: a part of it would leave gaps in the bitmap."""
        return self._session.room.takes_all([probe.asked() for probe in probes])

    def _is_enough(self, category: Category, half_width_percent: float) -> bool:
        """Whether the category may end before the last batch."""
        if not self._marks.has(category):
            return True  # an engine that refused a whole level will refuse the rest of it
        return quality.estimate([self._marks.score(category)]).half_width_percent <= half_width_percent

    async def _batch(self, probes: Iterable[Probe]) -> None:
        """Ask them in order, some at once. Raises Stopped; by a budget, after those under way have ended."""
        left, stops = deque(probes), list[Stopped]()
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(self._at_once):
                    group.create_task(self._work(left, is_first=number == 0), name=f"probes {number}")
        except* Stopped as stopped:
            stops = [stop for stop in stopped.exceptions if isinstance(stop, Stopped)]
        for stop in (*stops, *self._spent):
            raise stop

    async def _work(self, left: deque[Probe], *, is_first: bool) -> None:
        """Ask one probe after another. Raises Stopped where the others could not be answered either."""
        while left and not self._spent:
            probe = left.popleft()
            try:
                reply = await self._session.answer(probe.asked())
            except Stopped as stop:
                if not stop.is_budget:
                    raise
                self._spent.append(stop)
                return
            self._mark(probe, reply)
            if is_first:
                await self._sampler.take(sparing=True)

    def _mark(self, probe: Probe, reply: Reply | None) -> None:
        if reply is None:
            self._marks.refuse(probe)
        else:
            is_right = probe.accepts(reply.text, reply.calls)
            if not reply.ended_in_thought:
                self._marks.tools.see(probe.check, probe.tools, reply.text, is_right=is_right)
            self._marks.add(probe, is_right=is_right, output_tokens=reply.output_tokens)
        done, passed = self._marks.done(probe.category), self._marks.passed(probe.category)
        score = self._marks.score(probe.category) if self._marks.has(probe.category) else None
        self._on_progress(Progress(probe.category, done, self._planned, passed, score))
