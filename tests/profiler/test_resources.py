"""From samples of GPUs to what a model takes."""

import pytest

from fakes.gpu_exporter import Card, exposition
from steelyard.api.profile import ResourceUse
from steelyard.telemetry import gpus
from steelyard_profiler import resources
from steelyard_profiler.resources import Sample

SPEED = 50.0
"""Tokens a second."""


def used(*samples: Sample, timed: int = 0, speed: float | None = SPEED) -> ResourceUse:
    found = resources.use(samples, timed=timed, tokens_per_second=speed)
    assert found is not None
    return found


def energies(*told: tuple[float, float], power: float | None = None) -> list[Sample]:
    """Samples of a counter: when, and joules so far."""
    return [Sample(at, power_watts=power, energy_joules=joules) for at, joules in told]


POWERS: dict[str, tuple[list[Sample], int, int | None]] = {
    "a counter that moves with each sample, over the timed requests": (
        energies((0, 100), (1, 160), (2, 220), (60, 230)),
        3,
        60,
    ),
    "a counter that is renewed now and then, over whole periods": (
        energies((0, 0), (5, 0), (10, 600), (15, 600), (40, 2400), (45, 2400), (50, 2400)),
        3,
        60,
    ),
    "the gauges where the counter moved but once": (
        energies((0, 0), (5, 0), (10, 999), (15, 999), power=70),
        2,
        70,
    ),
    "the gauges where the counter began anew": (energies((0, 900), (1, 5), power=70), 2, 70),
    "the gauges where there is no counter": ([Sample(0, power_watts=60), Sample(1, power_watts=60)], 2, 60),
    "the gauges after their first move, for the first may be from before the run": (
        [Sample(at, power_watts=watts) for at, watts in enumerate((9, 9, 60, 60, 66))],
        2,
        62,
    ),
    "nothing where nobody tells": ([Sample(0), Sample(1)], 2, None),
}


@pytest.mark.parametrize("case", POWERS)
def test_power_is_read_from(case: str) -> None:
    samples, timed, wanted = POWERS[case]
    assert used(*samples, Sample(99, memory_mib=7), timed=timed).power_watts == wanted


def test_energy_by_token_is_power_over_speed() -> None:
    found = used(*energies((0, 0), (10, 640)), timed=2, speed=71)
    assert (found.power_watts, found.joules_per_thousand_tokens) == (64, 901)
    assert used(*energies((0, 0), (10, 640)), timed=2, speed=None).joules_per_thousand_tokens is None


def test_power_while_several_requests_were_under_way_does_not_count() -> None:
    samples = [*energies((0, 0), (1, 0), (40, 9000)), *energies((50, 9600), (60, 10_200), (70, 10_800))]
    found = resources.use(samples, timed=2, skipped=3, tokens_per_second=SPEED)
    assert found and found.power_watts == 60


def test_memory_is_the_most_that_was_in_use() -> None:
    found = used(Sample(0, memory_mib=100), Sample(1, memory_mib=300.4), Sample(2), Sample(3, memory_mib=200))
    assert found == ResourceUse(memory_mib=300)


def test_without_samples_nothing_is_known() -> None:
    assert resources.use([], timed=0, tokens_per_second=SPEED) is None
    assert resources.use([Sample(0)], timed=1, tokens_per_second=SPEED) is None


TWO = (Card("GPU-1", used=100, power=50, joules=10), Card("GPU-2", used=50, power=20, joules=5))


def test_a_sample_is_the_sum_over_the_endpoints_gpus() -> None:
    told = gpus.read(exposition(*TWO, Card("GPU-3")))
    assert resources.sample(told, ["GPU-1", "GPU-2"], 7) == Sample(7, 150, 70, 15)
    assert resources.sample(told, ["GPU-1"], 7) == Sample(7, 100, 50, 10)
    assert resources.sample(told[:2], [], 7) == Sample(7, 150, 70, 15)


def test_a_gpu_of_which_nobody_tells_makes_a_sample_none() -> None:
    told = gpus.read(exposition(*TWO))
    assert resources.sample(told, ["GPU-1", "GPU-9"], 7) is None
    assert resources.sample([], [], 7) is None


def test_what_one_of_the_gpus_does_not_tell_is_not_summed() -> None:
    lacking = exposition(TWO[0]) + b'DCGM_FI_DEV_FB_USED{gpu="1",UUID="GPU-2"} 7\n'
    assert resources.sample(gpus.read(lacking), [], 7) == Sample(7, 107, None, None)


def test_a_mig_instance_has_memory_and_no_power_of_its_own() -> None:
    labels = 'gpu="0",UUID="GPU-1",GPU_I_PROFILE="1g.10gb",GPU_I_ID="7"'
    text = f"DCGM_FI_DEV_FB_USED{{{labels}}} 900\nDCGM_FI_DEV_POWER_USAGE{{{labels}}} 300\n"
    assert resources.sample(gpus.read(text.encode()), [], 7) == Sample(7, 900, None, None)
