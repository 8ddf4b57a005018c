"""Random bytes for parsers: how many, how they are cut into pieces, and how they are spoilt.

The same examples are tried each time; STEELYARD_FUZZ=100 tries a hundred times as many, and always others.
"""

import os
from collections.abc import Sequence

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

FACTOR = int(os.environ.get("STEELYARD_FUZZ", "1"))


def profile(examples: int) -> settings:
    """So many examples, or a multiple of them."""
    return settings(
        max_examples=examples * FACTOR,
        derandomize=FACTOR == 1,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@st.composite
def in_pieces(draw: st.DrawFn, source: st.SearchStrategy[bytes]) -> list[bytes]:
    """Bytes cut at random places, sometimes at every one."""
    data = draw(source)
    if draw(st.integers(0, 5)) == 0:
        return [data[start : start + 1] for start in range(len(data))]
    borders = sorted(draw(st.sets(st.integers(1, max(1, len(data) - 1)), max_size=6)))
    cut = [data[start:end] for start, end in zip((0, *borders), (*borders, len(data)), strict=True)]
    return [piece for piece in cut if piece]


@st.composite
def spoilt(draw: st.DrawFn, source: st.SearchStrategy[bytes], poison: Sequence[bytes]) -> bytes:
    """Bytes with something cut out, put in, repeated or replaced."""
    data = draw(source)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 12)))
        match draw(st.integers(0, 3)):
            case 0:
                data = data[:start] + data[end:]
            case 1:
                data = data[:start] + draw(st.sampled_from(poison)) + data[start:]
            case 2:
                data = data[:end] + data[start:]
            case _:
                data = data[:start] + draw(st.binary(max_size=3)) + data[end:]
    return data
