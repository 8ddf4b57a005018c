"""What was promised, held against what was measured. Pure.

Rule: a promise is kept when the end of the interval that is the worse for us is within 5 % of it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from bench import contestants, estimates, tables
from bench.estimates import Estimate
from bench.measures import Quantity, Results
from bench.tables import Table

ALLOWANCE = 0.95
"""A figure that is better than this share of the promise keeps it."""


class Comparison(StrEnum):
    """What is held against the promise."""

    RATIO = "×"
    """How many times another's figure."""
    ADDED = "added"
    """How much more than another's figure."""
    VALUE = ""
    """The figure itself."""


@dataclass(frozen=True, slots=True)
class Must:
    """One promise."""

    what: str
    """In words."""
    case: str
    """The case that measures it."""
    name: str
    """Whose figure."""
    quantity: Quantity
    """Which figure."""
    comparison: Comparison
    """What is done with it."""
    other: str
    """Whose figure it is compared with; empty with Comparison.VALUE."""
    must: float | None
    """What has to be; None: there is an aim only."""
    aim: float
    """What should be."""
    at_least: bool
    """Whether more is better."""


def _ratio(
    what: str, case: str, name: str, other: str, must: float | None, aim: float, *, at_least: bool = True
) -> Must:
    quantity = Quantity.RATE if at_least else Quantity.P99_MS
    return Must(what, case, name, quantity, Comparison.RATIO, other, must, aim, at_least)


def _at_most(what: str, case: str, quantity: Quantity, must: float, aim: float, other: str = "") -> Must:
    comparison = Comparison.ADDED if other else Comparison.VALUE
    return Must(what, case, contestants.OURS, quantity, comparison, other, must, aim, at_least=False)


_OURS, _ROUTER, _DIRECT = contestants.OURS, contestants.VLLM_ROUTER, contestants.DIRECT

MUSTS = (
    _ratio("by name, requests a second × vllm-router", "requests", _OURS, _ROUTER, 1.3, 1.8),
    _ratio("by name, requests a second × nginx", "requests", _OURS, contestants.NGINX, None, 0.8),
    _ratio("auto, requests a second × vllm-router", "requests", contestants.AUTO, _ROUTER, 0.7, 1.0),
    _ratio("by name, p99 × vllm-router", "requests", _OURS, _ROUTER, 1.3, 0.8, at_least=False),
    _ratio("by name, requests a second × LiteLLM", "requests", _OURS, contestants.LITELLM, 200, 350),
    _ratio("1 000 models, requests a second × 1 model", "models", "models-1000", "models-1", 0.9, 1.0),
    _ratio("1 000 endpoints, requests a second × 1", "endpoints", "endpoints-1000", "endpoints-1", 0.8, 1.0),
    _ratio(
        "signals of 10 endpoints, requests a second × off", "signals", "signals-on", "signals-off", 0.97, 1
    ),
    _ratio("64 streams flat out, chunks a second × vllm-router", "flat-out", _OURS, _ROUTER, 0.9, 1.2),
    _at_most(
        "1 000 paced streams, chunks above 20 ms, %", "paced-1000", Quantity.LATE_PERCENT, 1, 0.1, _DIRECT
    ),
    _at_most("64 paced streams, added by chunk, p50 ms", "paced-64", Quantity.P50_MS, 0.3, 0.1, _DIRECT),
    _at_most("64 paced streams, added by chunk, p99 ms", "paced-64", Quantity.P99_MS, 3, 1, _DIRECT),
    _ratio("100 kB, requests a second × vllm-router", "body-100k", _OURS, _ROUTER, 1.0, 1.3),
    _at_most("by name, RSS MiB", "requests", Quantity.RSS_MIB, 90, 60),
    _at_most("1 000 paced streams, RSS MiB", "paced-1000", Quantity.RSS_MIB, 250, 150),
)
"""In the order of the table."""


def table(results: Results) -> Table:
    """Every promise about these cases with what was measured of it."""
    heads = ("promise", "measured [95 %]", "by CPU time", "must", "aim", "")
    rows = tuple(_row(one, results) for one in MUSTS if one.case in results)
    return Table("Promises", heads, rows)


def measured(one: Must, results: Results) -> Estimate | None:
    """The figure that the promise is about; None where it was not measured."""
    case = results.get(one.case, {})
    values = case[one.name].of(one.quantity) if one.name in case else []
    others = case[one.other].of(one.quantity) if one.other in case else []
    if not values or (one.other and not others):
        return None
    match one.comparison:
        case Comparison.RATIO:
            return estimates.ratio(values, others)
        case Comparison.ADDED:
            return estimates.difference(values, others)
        case Comparison.VALUE:
            return estimates.estimate(values)
        case _:
            assert_never(one.comparison)


def verdict(one: Must, found: Estimate | None) -> str:
    """Whether the promise was kept."""
    if found is None:
        return "not measured"
    if _is_kept(found, one.aim, one.at_least):
        return "aim met"
    if one.must is None:
        return "aim not met"
    return "met" if _is_kept(found, one.must, one.at_least) else "NOT met"


def _by_cpu_time(one: Must, results: Results) -> str:
    """The same ratio from the time of processors: what it would be if nothing else ran on the machine."""
    if one.quantity is not Quantity.RATE:
        return ""
    case = results[one.case]
    spent = [case[name].of(Quantity.CPU_US) if name in case else [] for name in (one.name, one.other)]
    return tables.interval(estimates.ratio(spent[1], spent[0])) if all(spent) else "–"


def _is_kept(found: Estimate, promise: float, at_least: bool) -> bool:
    return found.low > ALLOWANCE * promise if at_least else found.high < promise / ALLOWANCE


def _row(one: Must, results: Results) -> tuple[str, ...]:
    found = measured(one, results)
    sign = "≥" if one.at_least else "≤"
    shown = tables.interval(found) if found else "–"
    must = f"{sign} {one.must:g}" if one.must is not None else "–"
    return (one.what, shown, _by_cpu_time(one, results), must, f"{sign} {one.aim:g}", verdict(one, found))
