"""A leaderboard's table from CSV or JSON text. Pure.

CSV: one line of columns, then a line for each model; commas, semicolons or tabs. JSON: a list of objects,
alone or within an object; or an object of objects, by name. Objects within a row are told by a path of
dots. Invariant: every cell is text as it was written, "" where there is none.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MOST_ROWS = 100_000
"""No leaderboard has so many models."""

NAME = "name"
"""The column of the keys of an object of objects."""

_DELIMITERS = ",;\t"
_MOST_DEPTH = 6
_ROWS, _ROW = "rows", "row"


class BoardError(Exception):
    """The text is no leaderboard that can be read; a sentence says what to do."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a leaderboard says of one model."""

    number: int
    """Of the row, from 1; the line of columns is none."""
    cells: Mapping[str, str]
    """By column."""


@dataclass(frozen=True, slots=True)
class Board:
    """A leaderboard."""

    columns: tuple[str, ...]
    """Names of the columns, in order."""
    rows: tuple[Row, ...]
    """One for each line or object."""

    def cell(self, row: Row, column: str) -> str:
        """What the row has there."""
        return row.cells.get(column, "")


def read(text: str) -> Board:
    """The leaderboard of this text, which is JSON where it begins as JSON does; raises BoardError."""
    start = text.lstrip()[:1]
    if start == "<":
        raise BoardError("is a web page or XML, not CSV or JSON: name the file that holds the numbers")
    rows = list(_of_json(text) if start in ("{", "[") and start else _of_csv(text))
    if not rows:
        raise BoardError("holds no row")
    if len(rows) > MOST_ROWS:
        raise BoardError(f"has more than {MOST_ROWS} rows: that is no leaderboard")
    columns = dict.fromkeys(column for row in rows for column in row)
    return Board(tuple(columns), tuple(Row(number, row) for number, row in enumerate(rows, 1)))


def _of_csv(text: str) -> Iterator[dict[str, str]]:
    lines = io.StringIO(text.lstrip("\n\r"), newline="")
    head = lines.readline()
    lines.seek(0)
    try:
        reader = csv.reader(lines, delimiter=max(_DELIMITERS, key=head.count))
        columns = [column.strip() for column in next(reader, [])]
        twice = {column for column in columns if columns.count(column) > 1 and column}
        if twice:
            raise BoardError(f"has the column {min(twice)!r} twice: rename one of them")
        for line in reader:
            if any(line):
                yield {column: cell.strip() for column, cell in zip(columns, line, strict=False) if column}
    except csv.Error as error:
        raise BoardError(f"is no CSV: {error}") from error


def _of_json(text: str) -> Iterator[dict[str, str]]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise BoardError(f"is no JSON: line {error.lineno}: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise BoardError("is no JSON that can be read: it nests too deep, or a number is too long") from error
    for one in _objects(value):
        row = one.get(_ROW)
        yield dict(_flat(row if isinstance(row, dict) else one))


def _objects(value: Any) -> list[dict[str, Any]]:
    """The rows: the list, the list within the object, or the object's objects with their names."""
    if _is_table(value):
        return list(value)
    if isinstance(value, dict):
        tables = {key: held for key, held in value.items() if _is_table(held)}
        if _ROWS in tables or len(tables) == 1:
            return list(tables.get(_ROWS) or next(iter(tables.values())))
        if tables:
            named = ", ".join(sorted(tables))
            raise BoardError(f"holds several lists ({named}): keep the one with the models")
        if value and all(isinstance(held, dict) for held in value.values()):
            return [{NAME: key, **held} for key, held in value.items()]
    raise BoardError("holds no list of objects: a row for each model is needed")


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _flat(value: Mapping[str, Any], before: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    for key, held in value.items():
        if isinstance(held, dict) and depth < _MOST_DEPTH:
            yield from _flat(held, f"{before}{key}.", depth + 1)
        elif isinstance(held, str):
            yield before + key, held.strip()
        elif isinstance(held, int | float) and not isinstance(held, bool):
            yield before + key, json.dumps(held)
