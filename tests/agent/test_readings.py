"""The agent with NVML: a real process and the real nvidia-ml-py, with a library that a script speaks for."""

from agent.programs import HOSTNAME, Run
from fakes.nvml import driver as nvml
from fakes.nvml.driver import DRIVER, MIG_UUID, UUID, FakeDriver
from steelyard.telemetry import gpus

COUNTERS = {name for name in nvml.L4 if name.startswith("ECC") or name == "TOTAL_ENERGY_CONSUMPTION"}


def test_each_gpu_has_its_lines_in_the_names_and_units_of_dcgm_exporter(driver: FakeDriver, run: Run) -> None:
    driver.say(nvml.gpu(0), nvml.gpu(1, utilization_gpu=5), count=2)
    with run() as agent:
        said = agent.wait_for("GPU_UTIL", {"0": 83, "1": 5})

    assert said.of_gpu("0") == nvml.L4
    assert said.of_gpu("1") == nvml.L4 | {"GPU_UTIL": 5}
    assert {name for name in nvml.L4 if said.kinds[f"DCGM_FI_DEV_{name}"] == "counter"} == COUNTERS
    assert said.labels("DCGM_FI_DEV_GPU_UTIL")[1] == {
        "gpu": "1",
        "UUID": UUID.format(1),
        "pci_bus_id": "00000000:38:00.0",
        "device": "nvidia1",
        "modelName": "NVIDIA L4",
        "Hostname": HOSTNAME,
        "DCGM_FI_DRIVER_VERSION": DRIVER,
    }
    assert said.labels("steelyard_agent_info") == [{"version": "0.1.0", "driver": DRIVER}]


def test_readers_of_exporters_understand_it(driver: FakeDriver, run: Run) -> None:
    driver.say(nvml.gpu(0))
    with run() as agent:
        said = agent.wait_for("GPU_UTIL", {"0": 83})

    [read] = gpus.read(said.text.encode())
    assert read == gpus.Gpu(
        UUID.format(0),
        name="NVIDIA L4",
        index="0",
        node=HOSTNAME,
        utilization_percent=83,
        memory_used_mib=17_408,
        memory_total_mib=23_034,
        temperature_celsius=61,
        power_watts=71.523,
        energy_joules=123_456.789,
        source="Agent",
    )


TWO, NINE = MIG_UUID.format(2), MIG_UUID.format(9)


def test_a_gpu_that_is_cut_has_lines_for_its_mig_devices_only(driver: FakeDriver, run: Run) -> None:
    driver.say(*nvml.CUT)
    with run() as agent:
        said = agent.wait_for("FB_USED", {"0": 12})

    told = [
        {name: one[name] for name in ("UUID", "modelName", "GPU_I_ID", "GPU_I_PROFILE", "MIG_UUID")}
        for one in said.labels("DCGM_FI_DEV_FB_USED")
    ]
    of_gpu = {"UUID": UUID.format(0), "modelName": "NVIDIA H100 80GB HBM3"}
    assert told == [
        of_gpu | {"GPU_I_ID": "2", "GPU_I_PROFILE": "3g.40gb", "MIG_UUID": TWO},
        of_gpu | {"GPU_I_ID": "9", "GPU_I_PROFILE": "1g.10gb", "MIG_UUID": NINE},
    ]
    assert said.values("DCGM_FI_DEV_FB_USED", "MIG_UUID") == {TWO: 30_000, NINE: 12}
    assert said.values("DCGM_FI_DEV_FB_FREE", "MIG_UUID") == {TWO: 10_448, NINE: 9_844}
    assert said.values("DCGM_FI_DEV_POWER_USAGE", "MIG_UUID") == {TWO: 71.523, NINE: 71.523}
    assert not {"GPU_UTIL", "MEM_COPY_UTIL", "ENC_UTIL", "DEC_UTIL"} & said.of_gpu("0").keys()
    assert [(gpu.memory_used_mib, gpu.utilization_percent) for gpu in gpus.read(said.text.encode())] == [
        (30_000, None),
        (12, None),
    ]
