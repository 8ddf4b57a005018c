"""Which row of a leaderboard is which model of ours, by name. Pure.

Rule 1. Names are compared whole, without regard to case and to what stands between letters and digits.
Rule 2. Only where nothing is the same so, what stands before the last slash is left away on both sides.
Rule 3. Two rows of one name are none: nothing is guessed. What is merely near is told, and not taken.
"""

import difflib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from steelyard_cli.benchmarks.boards import Board, Row

MOST_NEAR = 3
"""As many near names are told."""

_LEAST_LIKENESS = 0.6
_BETWEEN = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Match:
    """What was found for one model: one row, several, or none and what is near."""

    rows: tuple[Row, ...]
    """Rows of its name."""
    near: tuple[str, ...] = ()
    """Names that are merely alike; only where there is no row."""

    @property
    def row(self) -> Row | None:
        """The row; None: there is none, or more than one."""
        return self.rows[0] if len(self.rows) == 1 else None


class Names:
    """The names of a leaderboard."""

    def __init__(self, board: Board, column: str) -> None:
        self._board, self._column = board, column
        self._exact: dict[str, list[Row]] = defaultdict(list)
        self._whole: dict[str, list[Row]] = defaultdict(list)
        self._short: dict[str, list[Row]] = defaultdict(list)
        for row in board.rows:
            name = self.name(row)
            if name:
                self._exact[name].append(row)
                self._whole[normalised(name)].append(row)
                self._short[shortened(name)].append(row)

    def name(self, row: Row) -> str:
        """The row's model."""
        return self._board.cell(row, self._column)

    def exactly(self, name: str) -> Match:
        """The rows of this name as the leaderboard spells it."""
        rows = self._exact.get(name, [])
        return Match(tuple(rows), () if rows else self.near([name]))

    def match(self, names: Sequence[str]) -> Match:
        """The rows of the model of these names: its own and its aliases."""
        for known, plain in ((self._whole, normalised), (self._short, shortened)):
            rows = _distinct(known, map(plain, names))
            if rows:
                return Match(rows)
        return Match((), self.near(names))

    def near(self, names: Iterable[str]) -> tuple[str, ...]:
        """Names that are alike, the most alike first."""
        found: dict[str, None] = {}
        for name in names:
            close = difflib.get_close_matches(shortened(name), self._short, MOST_NEAR, _LEAST_LIKENESS)
            found |= dict.fromkeys(self.name(row) for short in close for row in self._short[short])
        return tuple(found)[:MOST_NEAR]


def normalised(name: str) -> str:
    """The name in small letters, with a dash for all that stands between letters and digits."""
    return _BETWEEN.sub("-", unicodedata.normalize("NFKC", name).casefold()).strip("-")


def shortened(name: str) -> str:
    """The same, without what stands before the last slash: who made it."""
    return normalised(name.rstrip("/").rpartition("/")[2])


def _distinct(known: Mapping[str, list[Row]], names: Iterable[str]) -> tuple[Row, ...]:
    rows = {row.number: row for name in dict.fromkeys(names) for row in known.get(name, ())}
    return tuple(rows.values())
