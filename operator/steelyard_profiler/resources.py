"""From samples of GPUs to memory, power and energy by token. Pure.

Rule 1. Power is what an energy counter gained over time, for gauges may be old: dcgm-exporter renews all it
        tells every half minute. Of a counter that does not move with each sample, only those samples count
        that show a move.
Rule 2. Else it is the mean of the gauges, without those that are from before the run.
Rule 3. What was not measured is absent. A MIG instance has no power of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from steelyard.api.profile import ResourceUse
from steelyard.telemetry.gpus import Gpu


@dataclass(frozen=True, slots=True)
class Sample:
    """All GPUs of an endpoint at one moment. None: at least one of them does not tell."""

    at: float
    """When, in seconds."""
    memory_mib: float | None = None
    """Memory in use."""
    power_watts: float | None = None
    """What they draw."""
    energy_joules: float | None = None
    """What they have drawn since some time."""


def sample(gpus: Iterable[Gpu], uuids: Sequence[str], at: float) -> Sample | None:
    """The sum over these GPUs, or over all where none is named; None where one is not told of."""
    wanted = set(uuids)
    mine = [gpu for gpu in gpus if not wanted or gpu.uuid in wanted]
    if not mine or (wanted and len(mine) < len(wanted)):
        return None
    whole = not any(gpu.uuid.startswith("MIG-") for gpu in mine)
    return Sample(
        at,
        memory_mib=_sum([gpu.memory_used_mib for gpu in mine]),
        power_watts=_sum([gpu.power_watts for gpu in mine]) if whole else None,
        energy_joules=_sum([gpu.energy_joules for gpu in mine]) if whole else None,
    )


def use(
    samples: Sequence[Sample], *, timed: int, tokens_per_second: float | None, skipped: int = 0
) -> ResourceUse | None:
    """What a model takes; None where nothing was told.

    All samples are from between requests of the run. The first `timed` of them are from around those that
    measured the speed of one stream; up to number `skipped` several requests were under way at once, which
    says nothing of power; all others come one at a time.
    """
    memory = max((one.memory_mib for one in samples if one.memory_mib is not None), default=None)
    power = _power_watts(samples[:timed], samples[max(skipped - 1, 0) :] if skipped > timed else samples)
    joules = 1000 * power / tokens_per_second if power is not None and tokens_per_second else None
    if memory is None and power is None:
        return None
    return ResourceUse(
        memory_mib=None if memory is None else round(memory),
        power_watts=None if power is None else round(power),
        joules_per_thousand_tokens=None if joules is None else round(joules),
    )


def _power_watts(timed: Sequence[Sample], samples: Sequence[Sample]) -> float | None:
    """Mean power, in the order of the rules."""
    if len(timed) > 1 and all(_gain(one, two) for one, two in pairwise(timed)):
        return _gain_by_second(timed[0], timed[-1])
    moved = [two for one, two in pairwise(samples) if _gain(one, two)]
    if len(moved) > 1 and (power := _gain_by_second(moved[0], moved[-1])) is not None:
        return power
    told = [one.power_watts for one in samples if one.power_watts is not None]
    first = next((index for index, (one, two) in enumerate(pairwise(told), 1) if one != two), 0)
    return fmean(told[first:]) if told else None


def _gain(before: Sample, after: Sample) -> float:
    """Joules between two samples; 0 where they are not told, or the counter began anew."""
    if before.energy_joules is None or after.energy_joules is None:
        return 0.0
    return max(after.energy_joules - before.energy_joules, 0.0)


def _gain_by_second(before: Sample, after: Sample) -> float | None:
    seconds, joules = after.at - before.at, _gain(before, after)
    return joules / seconds if seconds > 0 and joules > 0 else None


def _sum(values: Sequence[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return sum(told) if len(told) == len(values) else None
