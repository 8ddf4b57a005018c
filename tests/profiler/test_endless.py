"""A model that repeats itself for ever is marked at once, whatever it repeats."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

from steelyard.api.measuring import Suite
from steelyard.api.profile import Category
from steelyard_profiler import workload

LONGEST_BYTES = 600

SECONDS = 30
"""No answer is marked for longer, unless the marking hangs: the slowest takes a thousandth."""

REPEATED = ("Line 2 or ", "12, ", "or ", "is 12 is ", "- ", "1. ", "[", "x = 1\n", " ")


class HangsError(Exception):
    """It takes for ever."""


@contextmanager
def ended() -> Iterator[None]:
    """Raise HangsError in what takes too long, a regular expression too."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise HangsError

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("category", Category)
def test_what_is_repeated_for_ever_is_marked_at_once(category: Category) -> None:
    probes = workload.category_probes(Suite.STANDARD, 1, category, 80)
    for probe in {probe.template: probe for probe in probes}.values():
        words = probe.asked().question.split()
        for repeated in (*REPEATED, f"{words[0]} ", f"{words[-1]}, "):
            answer = (repeated * LONGEST_BYTES)[:LONGEST_BYTES]
            with ended():
                probe.accepts(answer, ())
                probe.accepts(f"<think>ok</think>{answer}", ())
