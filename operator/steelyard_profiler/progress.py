"""How far a run is. Only types."""

from collections.abc import Callable
from dataclasses import dataclass, field

from steelyard.api.profile import Category, CategoryScore


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    category: Category | None
    """The category; None while speed is measured."""
    done: int
    """Requests done."""
    total: int
    """Requests planned so far; it grows where a category goes on after a batch."""
    passed: int = 0
    """Probes answered rightly."""
    score: CategoryScore | None = field(default=None, compare=False)
    """The running score with its interval; None until each level has an answer."""


OnProgress = Callable[[Progress], None]
"""Is told after each request."""
