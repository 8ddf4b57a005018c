"""Tables as text for a terminal and as Markdown. Pure: rows of text in, lines out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.estimates import Estimate


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first column names the row, all others are figures."""

    title: str
    """What it shows, in one line."""
    heads: tuple[str, ...]
    """Names of the columns."""
    rows: tuple[tuple[str, ...], ...]
    """One text for each column."""


def text(table: Table) -> str:
    """The table for a terminal: names to the left, figures to the right."""
    widths = _widths(table)
    lines = [table.title, _line(table.heads, widths), "  ".join("─" * width for width in widths)]
    return "\n".join([*lines, *(_line(row, widths) for row in table.rows)]) + "\n"


def markdown(table: Table) -> str:
    """The table for a page."""
    rule = ["---", *["--:"] * (len(table.heads) - 1)]
    body = (_cells(row) for row in (table.heads, rule, *table.rows))
    return f"**{table.title}**\n\n" + "\n".join(body) + "\n"


def figure(value: float) -> str:
    """A number with three digits that count; thousands apart."""
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    if size >= 100:
        return f"{value:.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 0.1 or value == 0 else f"{value:.3f}"


def interval(found: Estimate) -> str:
    """A figure with its interval."""
    return f"{figure(found.value)} [{figure(found.low)}–{figure(found.high)}]"


def _widths(table: Table) -> list[int]:
    return [max(len(cell) for cell in column) for column in zip(table.heads, *table.rows, strict=True)]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(_aligned(cells, widths)).rstrip()


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    for index, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        yield cell.rjust(width) if index else cell.ljust(width)


def _cells(row: Sequence[str]) -> str:
    return "| " + " | ".join(row) + " |"
