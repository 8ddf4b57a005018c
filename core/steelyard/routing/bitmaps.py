"""Reading `bitmap`: which probes a model passed. Pure.

The order of probes is the suite's: probe i has level i mod 3. Invariant: a bitmap that contradicts its
category's counts is not used, and said so.
"""

import functools

from steelyard.api import packing
from steelyard.api.profile import CategoryScore, ModelProfileStatus
from steelyard.routing.table import CATEGORIES, LEVELS, Answers


def read(status: ModelProfileStatus) -> tuple[Answers | None, list[str]]:
    """Which probes were passed, None where nobody knows; and what is wrong with bitmaps, in sentences."""
    mark, wrong = status.fingerprint, list[str]()
    known: dict[str, tuple[int, int]] = {}
    for score in status.quality.categories if status.quality else ():
        if score.bitmap is None:
            continue
        try:
            known[score.name] = _bits(score)
        except ValueError as why:
            wrong.append(f"status.quality.categories[{score.name}].bitmap {why}")
    if mark is None or not known:
        return None, wrong
    cells = [known.get(category, (0, 0)) for category in CATEGORIES]
    bits, counts = tuple(one for one, _ in cells), tuple(count for _, count in cells)
    return Answers(mark.suite, mark.seed, bits, counts), wrong


@functools.lru_cache(maxsize=512)
def level_mask(count: int, level: int) -> int:
    """The bits of the probes of this level (0 to 2) among so many, the first probe's bit the highest."""
    return sum(1 << (count - 1 - index) for index in range(level, count, len(LEVELS)))


def _bits(score: CategoryScore) -> tuple[int, int]:
    """The bits, and how many probes they are of; raises ValueError where they cannot be used."""
    by_level = {one.level: (one.passed, one.samples) for one in score.levels}
    cells = [by_level.get(level, (0, 0)) for level in LEVELS]
    count = sum(samples for _, samples in cells)
    packed = packing.unpacked(score.bitmap or "", count)
    bits = int.from_bytes(packed, "big") >> (8 * len(packed) - count)
    for level, (passed, samples) in enumerate(cells):
        mask = level_mask(count, level)
        if (mask.bit_count(), (bits & mask).bit_count()) != (samples, passed):
            raise ValueError(
                f"has {(bits & mask).bit_count()} of {mask.bit_count()} passed at level {LEVELS[level]}, "
                f"where levels says {passed} of {samples}"
            )
    return bits, count
