"""Waiting for a state of the world that tells nobody when it comes."""

import time
from collections.abc import Callable
from typing import TypeVar

SECONDS = 30.0
"""Nothing that the tests wait for takes longer, unless it hangs."""

_PAUSE_SECONDS = 0.05
"""Between two looks: a look is a request on loopback."""

T = TypeVar("T")


def until(look: Callable[[], T | None], what: str, seconds: float = SECONDS) -> T:
    """The first answer of `look` that is neither None nor false; AssertionError when none comes in time."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, f"{what} did not come in {seconds} s"
        time.sleep(_PAUSE_SECONDS)
    return seen
