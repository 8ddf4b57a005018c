"""What is asked of NVML, and when sessions with the driver begin and end, on a clock that a test sets."""

import pytest

from agent.asked import Asked
from fakes.nvml import driver as nvml
from fakes.nvml.driver import FakeDriver
from steelyard_agent import nvml as subject
from steelyard_agent.gpus import Gpu

ABSENT = {
    "a figure that the GPU does not have": (
        nvml.gpu(without=["milliwatts", "ecc.single.volatile"]),
        {"POWER_USAGE", "ECC_SBE_VOL_TOTAL"},
    ),
    "a figure that this user may not see": (
        {**nvml.gpu(), "error.nvmlDeviceGetTotalEnergyConsumption": nvml.NO_PERMISSION},
        {"TOTAL_ENERGY_CONSUMPTION"},
    ),
    "a figure that the driver is too old for": (
        {**nvml.gpu(), "error.nvmlDeviceGetFieldValues": nvml.FUNCTION_NOT_FOUND},
        {"MEMORY_TEMP"},
    ),
    "figures of a call that fails for no stated reason": (
        {**nvml.gpu(), "error.nvmlDeviceGetUtilizationRates": nvml.UNKNOWN},
        {"GPU_UTIL", "MEM_COPY_UTIL"},
    ),
    "a figure that is not available, as NVML writes it": (
        nvml.gpu(milliwatts=2**32 - 1, millijoules=2**64 - 1),
        {"POWER_USAGE", "TOTAL_ENERGY_CONSUMPTION"},
    ),
    "XID errors where they are not told": (
        {**nvml.gpu(), "error.nvmlDeviceRegisterEvents": nvml.NOT_SUPPORTED},
        {"XID_ERRORS"},
    ),
    "what names a GPU is no text": (nvml.gpu(name="\udcff"), set()),
}


def told(gpu: Gpu) -> dict[str, float]:
    """The figures of a GPU, by name without its beginning."""
    return {name.removeprefix("DCGM_FI_DEV_"): value for name, value in gpu.figures.items()}


@pytest.mark.parametrize(("script", "absent"), ABSENT.values(), ids=list(ABSENT))
def test_absent_is(driver: FakeDriver, asked: Asked, script: nvml.Lines, absent: set[str]) -> None:
    driver.say(script)
    [gpu] = asked.gpus()

    assert told(gpu) == {name: value for name, value in nvml.L4.items() if name not in absent}


def test_an_old_driver_counts_reserved_memory_among_the_used(driver: FakeDriver, asked: Asked) -> None:
    new = ("nvmlDeviceGetMemoryInfo_v2", "nvmlDeviceGetTemperatureV")
    driver.say(nvml.gpu(), {f"error.{name}": nvml.FUNCTION_NOT_FOUND for name in new})
    [gpu] = asked.gpus()

    used = nvml.L4["FB_USED"] + nvml.L4["FB_RESERVED"]
    assert told(gpu) | {"FB_RESERVED": 447} == nvml.L4 | {"FB_USED": used}
    assert "FB_RESERVED" not in told(gpu)


def test_a_gpu_without_a_uuid_is_none(driver: FakeDriver, asked: Asked) -> None:
    driver.say(nvml.gpu(0, without=["uuid"]), nvml.gpu(1), count=2)

    assert [gpu.identity.index for gpu in asked.gpus()] == [1]


def test_mig_devices_come_and_go_within_a_session(driver: FakeDriver, asked: Asked) -> None:
    seen = []
    for script in ([nvml.gpu(mig=1)], nvml.CUT, [nvml.gpu(mig=1)]):
        driver.say(*script)
        seen.append([gpu.instance.uuid if gpu.instance else None for gpu in asked.gpus()])

    assert seen == [[None], [nvml.MIG_UUID.format(2), nvml.MIG_UUID.format(9)], [None]]


def test_the_profile_of_a_mig_device_whose_name_lacks_it_is_that_of_its_slices(
    driver: FakeDriver, asked: Asked
) -> None:
    size = {"0.mig.0.name": "Unnamed", "0.mig.0.slices": 1, "0.mig.0.mebibytes": 9_856}
    driver.say({**nvml.CUT[0], **nvml.CUT[1], **size})
    [gpu] = asked.gpus()

    assert gpu.instance is not None
    assert gpu.instance.profile == "1g.10gb"


def test_the_last_xid_error_is_told(driver: FakeDriver, asked: Asked) -> None:
    events = {"event.1": f"1 31 {nvml.WHOLE_GPU}", "event.2": f"1 79 {nvml.WHOLE_GPU}"}
    seen = []
    for script in ({}, events, events):
        driver.say(nvml.gpu(0), nvml.gpu(1), script, count=2)
        seen.append([told(gpu)["XID_ERRORS"] for gpu in asked.gpus()])

    assert seen == [[0, 0], [0, 79], [0, 79]]


def test_an_xid_error_of_a_mig_device_is_not_that_of_the_others(driver: FakeDriver, asked: Asked) -> None:
    driver.say(*nvml.CUT, {"event.1": f"0 31 {nvml.WHOLE_GPU}", "event.2": "0 94 9"})

    assert [told(gpu)["XID_ERRORS"] for gpu in asked.gpus()] == [31, 94]


def test_a_driver_that_is_away_is_looked_for_at_growing_distances(driver: FakeDriver, asked: Asked) -> None:
    driver.script({})
    assert asked.drivers(60) == [""] * 60

    driver.say(nvml.gpu())
    found = asked.drivers(int(subject.MOST_RETRY_SECONDS) + 1)
    assert found[0] == ""
    assert found[-1] == nvml.DRIVER


def test_a_session_is_renewed_a_minute_after_an_answer_that_is_doubtful(
    driver: FakeDriver, asked: Asked
) -> None:
    lost = {"error.nvmlDeviceGetPowerUsage.0": nvml.LOST}
    driver.say(nvml.gpu(0), lost)
    asked.drivers(1)
    driver.say(nvml.gpu(0), nvml.gpu(1), count=2)  # only a new session finds the second

    seen = []
    for _ in range(int(subject.RENEW_SECONDS) + 2):
        seen.append(len(asked.gpus()))
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (1, 2)


def test_a_session_with_plain_answers_goes_on(driver: FakeDriver, asked: Asked) -> None:
    driver.say(nvml.gpu(0, without=["milliwatts", "utilization.gpu"]))
    asked.drivers(1)
    driver.say(nvml.gpu(0), nvml.gpu(1), count=2)
    asked.drivers(2 * int(subject.RENEW_SECONDS))

    assert len(asked.gpus()) == 1
