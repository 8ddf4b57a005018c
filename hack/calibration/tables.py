"""The tables of a calibration, from simulated runs. Pure: the same seed gives the same tables."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from calibration import simulated
from calibration.simulated import Drawn, World
from steelyard.api.measuring import Suite
from steelyard_profiler import workload

RATES = (0.05, 0.2, 0.5, 0.8, 0.95)
"""Rates of the models whose intervals are looked at."""

MIXED = (0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95)
"""Rates of the categories of one model."""

BIAS_RATES = (0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.5)
"""Where early ends may bias; above one half all is mirrored."""

MIDDLES = (0.2, 0.5, 0.8)
"""Between the rates of two models that are compared, and of one that is asked twice."""

APART = 0.15
"""How much better the better of two models is."""

CATEGORIES = 10
"""Of a model."""

ALIKE = "all probes alike"
WORLDS = {
    ALIKE: World(),
    "levels apart": World(levels=0.3),
    "templates apart": World(templates=0.1),
    "both apart": World(levels=0.3, templates=0.1),
}
"""How rates spread within a category."""


@dataclass(frozen=True, slots=True)
class Table:
    """Figures with their names."""

    title: str
    """What they are."""
    head: tuple[str, ...]
    """Names of the columns."""
    rows: tuple[tuple[str, ...], ...]
    """Name and figures of each row."""

    def markdown(self) -> str:
        """As Markdown."""
        lines = (self.head, ("---",) * len(self.head), *self.rows)
        return "\n".join([f"**{self.title}**", "", *(f"| {' | '.join(line)} |" for line in lines), ""])


def of_suite(suite: Suite, runs: int, seed: int) -> list[Table]:
    """What can be said of a suite by so many runs of each model, one table after another."""
    return _Simulated(suite, runs, random.Random(f"{suite}/{seed}")).tables()


def joined(by_suite: Sequence[Sequence[Table]]) -> list[Table]:
    """The same tables of several suites as one."""
    return [
        Table(same[0].title, same[0].head, tuple(row for table in same for row in table.rows))
        for same in zip(*by_suite, strict=True)
    ]


@dataclass
class _Simulated:
    """Runs of one suite, made when they are needed."""

    suite: Suite
    runs: int
    draws: random.Random
    pools: dict[tuple[float, str], list[Drawn]] = field(default_factory=dict)

    def tables(self) -> list[Table]:
        rates = tuple(f"{rate:.2f}" for rate in RATES)
        coverage = "how often the 95 % interval holds the true rate, in percent"
        return [
            Table(f"One category: {coverage}", ("suite", "model", *rates), tuple(self._coverage())),
            Table(f"Overall, ten categories: {coverage}", ("suite", "model", *rates), tuple(self._overall())),
            Table(
                "One category: score minus true rate, in points; probes asked",
                ("suite", "", *(f"{rate:.2f}" for rate in BIAS_RATES)),
                tuple(self._bias()),
            ),
            Table(
                "Two models 15 points apart, how often the better one has the higher score, in percent",
                ("suite", "score", *(f"round {middle:.2f}" for middle in MIDDLES)),
                tuple(self._ranking()),
            ),
            Table(
                "One model, two seeds, ten categories: how often they differ, in percent",
                ("suite", "model", *(f"{middle:.2f}" for middle in MIDDLES)),
                tuple(self._differences()),
            ),
        ]

    def _pool(self, rate: float, world: str = ALIKE) -> list[Drawn]:
        """Runs of a model; categories take turns, since their templates differ in number."""
        if (rate, world) not in self.pools:
            plan, kinds = workload.PLANS[self.suite], list(workload.TEMPLATES)
            self.pools[rate, world] = [
                simulated.category(plan, rate, WORLDS[world], self.draws, kinds[number % len(kinds)])
                for number in range(self.runs)
            ]
        return self.pools[rate, world]

    def _coverage(self) -> Iterator[tuple[str, ...]]:
        for world in WORLDS:
            yield self._row(
                world, (_percent(_holds(run, rate) for run in self._pool(rate, world)) for rate in RATES)
            )
        for world in (name for name, spread in WORLDS.items() if spread.templates):
            held = (_percent(_holds_own(run) for run in self._pool(rate, world)) for rate in RATES)
            yield self._row(f"{world}; these templates", held)

    def _overall(self) -> Iterator[tuple[str, ...]]:
        for world in WORLDS:
            held = []
            for rate in RATES:
                pool = self._pool(rate, world)
                models = (self.draws.choices(pool, k=CATEGORIES) for _ in range(self.runs))
                held.append(_percent(simulated.covers(simulated.overall(model), rate) for model in models))
            yield self._row(world, held)
        pools = [self._pool(rate) for rate in MIXED]
        models = ([self.draws.choice(pool) for pool in pools] for _ in range(self.runs))
        held = [_percent(simulated.covers(simulated.overall(model), fmean(MIXED)) for model in models)]
        yield self._row("categories from 0.05 to 0.95", ["", "", *held, "", ""])

    def _bias(self) -> Iterator[tuple[str, ...]]:
        pools = [(rate, self._pool(rate)) for rate in BIAS_RATES]
        differences = [100 * (fmean(run.estimate.rate for run in pool) - rate) for rate, pool in pools]
        yield self._row("bias", (f"{difference:+.1f}" for difference in differences))
        yield self._row("probes", (f"{fmean(run.samples for run in pool):.0f}" for _, pool in pools))

    def _ranking(self) -> Iterator[tuple[str, ...]]:
        pools = [(self._pool(middle - APART / 2), self._pool(middle + APART / 2)) for middle in MIDDLES]
        yield self._row(
            "of one category",
            (
                _percent(low.estimate.rate < high.estimate.rate for low, high in zip(*pair, strict=True))
                for pair in pools
            ),
        )
        yield self._row(
            "overall", (_percent(self._is_ranked(*pair) for _ in range(self.runs)) for pair in pools)
        )

    def _is_ranked(self, low: Sequence[Drawn], high: Sequence[Drawn]) -> bool:
        """Whether ten categories of the better model beat ten of the other."""
        one, other = (self.draws.choices(pool, k=CATEGORIES) for pool in (low, high))
        return fmean(run.estimate.rate for run in one) < fmean(run.estimate.rate for run in other)

    def _differences(self) -> Iterator[tuple[str, ...]]:
        for world in (ALIKE, "levels apart"):
            pools = [self._pool(middle, world) for middle in MIDDLES]
            yield self._row(
                f"{world}: two proportions, z beyond ±1.96",
                (_percent(simulated.differ(*pair) for pair in _pairs(pool)) for pool in pools),
            )
            yield self._row(
                f"{world}: by the intervals",
                (_percent(simulated.lie_apart(*pair) for pair in _pairs(pool)) for pool in pools),
            )

    def _row(self, name: str, figures: Iterable[str]) -> tuple[str, ...]:
        return (self.suite.value, name, *figures)


def _pairs(pool: Sequence[Drawn]) -> Iterator[tuple[Drawn, Drawn]]:
    """Runs two by two, of one category each, since templates differ from category to category."""
    kinds = len(workload.TEMPLATES)
    for begin in range(0, len(pool) - 2 * kinds + 1, 2 * kinds):
        yield from zip(pool[begin : begin + kinds], pool[begin + kinds : begin + 2 * kinds], strict=True)


def _percent(true: Iterable[bool]) -> str:
    return f"{100 * fmean(true):.1f}"


def _holds(run: Drawn, rate: float) -> bool:
    return simulated.covers(run.estimate, rate)


def _holds_own(run: Drawn) -> bool:
    return run.estimate.low <= run.own_rate <= run.estimate.high
