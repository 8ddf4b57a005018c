"""Tables from what was measured. Pure."""

import statistics
from collections.abc import Callable, Iterator

from bench import estimates, tables
from bench.measures import CaseResults, Quantity, Series
from bench.rounds import Case
from bench.tables import Table

_ADDED = (Quantity.P50_MS, Quantity.P99_MS, Quantity.TTFT_P50_MS)
"""Where delays are measured, what is added to those of the load itself is told of these."""

Column = tuple[str, Callable[[Series], str]]
"""What stands above it, and a contestant's cell."""


def table(case: Case, results: CaseResults) -> Table:
    """The figures of one case: medians over the rounds, errors in all."""
    columns = list(_columns(case, results))
    rows = tuple((name, *(cell(series) for _, cell in columns)) for name, series in results.items())
    return Table(case.title, ("", *(head for head, _ in columns)), rows)


def _columns(case: Case, results: CaseResults) -> Iterator[Column]:
    for quantity in Quantity:
        if quantity is Quantity.COUNT or not any(series.of(quantity) for series in results.values()):
            continue
        yield quantity.value, _figures(quantity)
        if quantity is Quantity.RATE:
            yield from ((f"× {name}", _ratios(results[name])) for name in case.baselines if name in results)
        if quantity in _ADDED and case.adds_to in results:
            yield "added", _added(quantity, results[case.adds_to])


def _figures(quantity: Quantity) -> Callable[[Series], str]:
    def cell(series: Series) -> str:
        values = series.of(quantity)
        if not values:
            return "–"
        return (
            f"{sum(values):.0f}" if quantity is Quantity.ERRORS else tables.figure(statistics.median(values))
        )

    return cell


def _ratios(baseline: Series) -> Callable[[Series], str]:
    def cell(series: Series) -> str:
        if series is baseline:
            return "1"
        return tables.interval(estimates.ratio(series.of(Quantity.RATE), baseline.of(Quantity.RATE)))

    return cell


def _added(quantity: Quantity, baseline: Series) -> Callable[[Series], str]:
    def cell(series: Series) -> str:
        if series is baseline or not series.of(quantity):
            return "–"
        return tables.interval(estimates.difference(series.of(quantity), baseline.of(quantity)))

    return cell
