"""What Knowledge asks about: plain tables, one module for each field.

A table maps a subject to the name that is right, by level: how widely it is known. Other names that are
right too stand behind a bar: "Bern|Berne". Two subjects may share a name; then they spell it alike. Only what
is in no dispute and does not change is here: no office holders, no records, no sizes of populations.
"""

from collections.abc import Mapping

from steelyard.api.profile import Level

Names = Mapping[Level, Mapping[str, str]]
"""Level → subject → names."""

Numbers = Mapping[Level, Mapping[str, int]]
"""Level → subject → whole number."""
