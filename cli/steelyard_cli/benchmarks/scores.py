"""A leaderboard's columns as percentages of our categories. Pure.

Invariant: what a number means is told by its whole column, and said; a number that cannot be a share of
right answers, as a rating of 1200 points, is refused.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import fsum

from steelyard.api.profile import Category
from steelyard_cli.benchmarks.boards import Board, BoardError, Row

_ROUNDING = 1e-9
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,2})?")
_NOTHING = frozenset({"", "-", "–", "—", "?", "n/a", "na", "nan", "none", "null"})


class Scale(StrEnum):
    """What a column's numbers are."""

    PERCENT = "percent"
    RATIO = "ratio"


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a category's score comes from."""

    name: str
    """Its name."""
    scale: Scale
    """What its numbers are."""
    least: float
    """Its smallest number."""
    most: float
    """Its largest number."""

    def __str__(self) -> str:
        return f"{self.name} ({self.scale}, {self.least:g} to {self.most:g})"


@dataclass(frozen=True, slots=True)
class Score:
    """What a leaderboard says of a model in one category."""

    percent: int | None
    """The mean of the category's columns; None: one of them has no number there."""
    missing: str = ""
    """Why there is none."""


def columns(
    board: Board, wanted: Iterable[tuple[Category, str]], scale: Scale | None
) -> dict[Category, tuple[Column, ...]]:
    """The columns by category, each with its scale, or with this one; raises BoardError."""
    found: dict[Category, tuple[Column, ...]] = {}
    for category, name in wanted:
        found[category] = (*found.get(category, ()), _column(board, name, scale))
    return found


def score(board: Board, row: Row, of: Sequence[Column]) -> Score:
    """The row's score by these columns."""
    percents = []
    for column in of:
        text = board.cell(row, column.name)
        number = _number(text)
        if number is None:
            return Score(None, f"{column.name} is {text!r}" if text else f"{column.name} is empty")
        percents.append(number if column.scale is Scale.PERCENT else 100 * number)
    # Halves go up, those too that a ratio gives but for rounding.
    return Score(int(fsum(percents) / len(percents) + 0.5 + _ROUNDING))


def scores(board: Board, row: Row, of: Mapping[Category, Sequence[Column]]) -> dict[Category, Score]:
    """The row's score in each category, in the order of categories."""
    return {category: score(board, row, of[category]) for category in Category if category in of}


def _column(board: Board, name: str, scale: Scale | None) -> Column:
    if name not in board.columns:
        raise BoardError(f"has no column {name!r}; it has {told(board.columns)}")
    texts = [board.cell(row, name) for row in board.rows]
    numbers = [number for text in texts if (number := _number(text)) is not None]
    if not numbers:
        raise BoardError(f"has no number in column {name!r}")
    least, most = min(numbers), max(numbers)
    if least < 0 or most > 100 or (scale is Scale.RATIO and most > 1):
        what = "no ratio" if scale is Scale.RATIO else "neither a percentage nor a ratio of right answers"
        raise BoardError(
            f"has numbers from {least:g} to {most:g} in column {name!r}: that is {what}; "
            "name another column, or convert it first"
        )
    has_sign = any(text.endswith("%") for text in texts)
    detected = Scale.RATIO if most <= 1 and not has_sign else Scale.PERCENT
    return Column(name, scale or detected, least, most)


def told(names: Sequence[str], most: int = 20) -> str:
    """The names with commas, at most so many of them."""
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return ", ".join([*names[:most], *more])


def _number(text: str) -> float | None:
    """The number; None: there is none, or it is not one."""
    plain = text.removesuffix("%").strip()
    if plain.casefold() in _NOTHING or not _NUMBER.fullmatch(plain):
        return None
    return float(plain)
