"""Measured quality beside somebody's own scores of the same models: do they rank them alike? Pure.

Invariant: nothing is matched by guess; what fits no profile, or several, is named.
"""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import StatisticsError, correlation

from steelyard.api.profile import Category
from steelyard_cli.tables import Table
from steelyard_cli.weighed import Score, Weighed

OVERALL = "Overall"
"""What a score without a category is compared with: the mean of the categories."""

LEAST_MODELS = 3
"""Of two models any two scores rank alike or not: that says nothing."""

_COLUMNS = ("model", "score", "backend", "category")


class CompareError(Exception):
    """Scores that cannot be compared; the text says why."""


@dataclass(frozen=True, slots=True)
class Given:
    """One line of somebody's scores."""

    line: int
    """Where it stands."""
    model: str
    """The model, as its engine names it."""
    score: float
    """Higher is better; in any unit."""
    backend: str = ""
    """Its backend; empty: whichever has it."""
    category: str = OVERALL
    """What was scored."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One model's two scores."""

    weighed: Weighed
    """The model."""
    theirs: float
    """Somebody's own score."""
    ours: Score
    """What was measured."""


def read(text: str) -> list[Given]:
    """The lines of a CSV with the columns model, score and, if wanted, backend and category."""
    rows = csv.DictReader(text.splitlines())
    header = [name.strip().lower() for name in rows.fieldnames or ()]
    if not {"model", "score"} <= set(header) or set(header) - set(_COLUMNS):
        raise CompareError("line 1: the columns must be model,score and, if wanted, backend,category")
    rows.fieldnames = header
    return [_given(row, rows.line_num) for row in rows]


def report(given: Sequence[Given], found: Sequence[Weighed]) -> str:
    """Both scores of each model and how alike the two rank them, by category."""
    problems, parts = [], []
    for category in dict.fromkeys(one.category for one in given):
        pairs = []
        for one in (one for one in given if one.category == category):
            match = _match(one, found)
            if isinstance(match, str):
                problems.append(f"line {one.line}: {match}")
            else:
                pairs.append(match)
        parts.append(_part(category, pairs))
    return "\n\n".join((*parts, *(["\n".join(problems)] if problems else [])))


def spearman(one: Sequence[float], two: Sequence[float]) -> float | None:
    """Spearman's rank correlation, ties by their mean rank (Spearman 1904); None where one is constant."""
    try:
        return correlation(_ranks(one), _ranks(two))
    except StatisticsError:
        return None


def kendall(one: Sequence[float], two: Sequence[float]) -> float | None:
    """Kendall's tau-b, which takes ties into account (Kendall 1945); None where one is constant."""
    same = first = second = 0
    for (a, b), (c, d) in combinations(zip(one, two, strict=True), 2):
        same += ((a > c) - (a < c)) * ((b > d) - (b < d))
        first += a != c
        second += b != d
    return same / math.sqrt(first * second) if first and second else None


def _given(row: dict[str, str], line: int) -> Given:
    model, backend = (row.get("model") or "").strip(), (row.get("backend") or "").strip()
    category = (row.get("category") or "").strip() or OVERALL
    known = {OVERALL.lower(): OVERALL, **{one.lower(): str(one) for one in Category}}
    try:
        score = float(row.get("score") or "")
    except ValueError:
        score = math.nan
    if not model or not math.isfinite(score):
        raise CompareError(f"line {line}: it needs a model and a number as its score")
    if category.lower() not in known:
        raise CompareError(
            f"line {line}: {category!r} is no category; these are: {', '.join(known.values())}"
        )
    return Given(line, model, score, backend, known[category.lower()])


def _match(given: Given, found: Sequence[Weighed]) -> Pair | str:
    named = [one for one in found if one.model == given.model and given.backend in ("", one.backend)]
    on = f" on {given.backend}" if given.backend else ""
    if not named:
        return f"no profile of {given.model}{on}"
    if len(named) > 1:
        backends = ", ".join(one.backend for one in named)
        return f"{given.model} is on several backends ({backends}): add the column backend"
    score = named[0].overall if given.category == OVERALL else named[0].scores.get(Category(given.category))
    if score is None:
        return f"{given.model}{on} was not measured in {given.category}"
    return Pair(named[0], given.score, score)


def _part(category: str, pairs: Sequence[Pair]) -> str:
    pairs = sorted(pairs, key=lambda pair: (-pair.ours.percent, pair.weighed.model))
    theirs, ours = [pair.theirs for pair in pairs], [float(pair.ours.percent) for pair in pairs]
    rows = [
        (pair.weighed.model, pair.weighed.backend, str(pair.ours), f"{pair.theirs:g}", f"{us:g}", f"{them:g}")
        for pair, us, them in zip(pairs, _ranks(ours), _ranks(theirs), strict=True)
    ]
    header = (category.upper(), "BACKEND", "MEASURED", "YOURS", "RANK", "YOUR RANK")
    return f"{Table(header, rows).text()}\n{_verdict(pairs, theirs, ours)}"


def _verdict(pairs: Sequence[Pair], theirs: Sequence[float], ours: Sequence[float]) -> str:
    rho, tau = spearman(theirs, ours), kendall(theirs, ours)
    if len(pairs) < LEAST_MODELS or rho is None or tau is None:
        return f"No rank correlation: it needs {LEAST_MODELS} models or more that are not all scored alike."
    every = list(combinations(pairs, 2))
    close = sum(_overlap(one.ours, two.ours) for one, two in every)
    return (
        f"Spearman's rho {rho:.2f}, Kendall's tau-b {tau:.2f} over {len(pairs)} models. "
        f"Of {len(every)} pairs the intervals of {close} overlap: their order says little."
    )


def _overlap(one: Score, two: Score) -> bool:
    if one.low is None or one.high is None or two.low is None or two.high is None:
        return True
    return one.low <= two.high and two.low <= one.high


def _ranks(values: Sequence[float]) -> list[float]:
    """1 for the highest; the same value has the mean of its ranks."""
    return [
        1 + sum(other > value for other in values) + (sum(other == value for other in values) - 1) / 2
        for value in values
    ]
