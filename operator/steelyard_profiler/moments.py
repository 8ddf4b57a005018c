"""Months and hours as texts have them. Pure."""

from steelyard_profiler.probes.words import MONTHS

MONTH_STARTS = tuple(month[:3].lower() for month in MONTHS)
"""The first three letters of each month, which tell them apart."""


def month_of(name: str) -> int | None:
    """The month, 1 to 12, that this name or abbreviation begins like; None where it is none's."""
    start = name[:3].lower()
    return MONTH_STARTS.index(start) + 1 if start in MONTH_STARTS else None


def hour_of_day(hour: int, half: str) -> int:
    """The hour of 24; `half` is a or p, of a.m. and p.m., and empty where the hour is of 24 already."""
    return hour % 12 + (12 if half == "p" else 0) if half else hour
