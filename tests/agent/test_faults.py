"""The agent without a driver, and with one that goes away, comes back, loses a GPU or hangs."""

import socket

from agent.programs import Program, Run
from fakes.nvml import driver as nvml
from fakes.nvml.driver import FakeDriver
from kube import waiting

BAD = "GPUs cannot be told of"
GOOD = "GPUs are told of"


def wait_for_problem(agent: Program, problem: str) -> None:
    """Wait until the agent says that this is why it tells of no GPU, in its log, too."""
    waiting.until(lambda: agent.health()["problem"] == problem and agent.logged(BAD), problem)


def wait_until_told(agent: Program, driver: str) -> None:
    """Wait until it has logged, after one line of a problem, that it tells of GPUs with this driver."""

    def look() -> bool:
        told = [(line["event"], line.get("driver")) for line in agent.lines()]
        return told[-1] == (GOOD, driver)

    waiting.until(look, f"a line that tells of driver {driver}")
    assert len(agent.logged(BAD)) == 1


def test_a_library_that_comes_later_is_found(driver: FakeDriver, run: Run) -> None:
    driver.uninstall()
    driver.say(nvml.gpu())
    with run() as agent:
        wait_for_problem(
            agent,
            "The library libnvidia-ml.so.1 is not found: install the NVIDIA driver, or have NVIDIA's runtime "
            "run the container.",
        )
        assert agent.client.get("/healthz").status_code == 200
        assert agent.metrics().labels("steelyard_agent_info") == [{"version": "0.1.0"}]
        assert "DCGM" not in agent.metrics().text
        driver.install()
        agent.wait_for("GPU_UTIL", {"0": 83})
        wait_until_told(agent, nvml.DRIVER)


def test_a_node_without_a_gpu_says_so_until_there_is_one(driver: FakeDriver, run: Run) -> None:
    driver.say(count=0)
    with run() as agent:
        wait_for_problem(agent, "The NVIDIA driver finds no GPU.")
        driver.say(nvml.gpu())
        agent.wait_for("GPU_UTIL", {"0": 83})
        assert agent.health() == {
            "gpus": 1,
            "driver": nvml.DRIVER,
            "problem": "",
            "pods_problem": "",
            "needs_restart": False,
        }


def test_a_driver_that_is_loaded_anew_is_asked_again(driver: FakeDriver, run: Run) -> None:
    driver.say(nvml.gpu())
    with run() as agent:
        agent.wait_for("GPU_UTIL", {"0": 83})
        driver.script({})
        wait_for_problem(agent, "The NVIDIA driver is not loaded.")
        driver.say(nvml.gpu(utilization_gpu=7), driver="560.35.03", boot=2)
        said = agent.wait_for("GPU_UTIL", {"0": 7})
        assert said.labels("steelyard_agent_info")[0]["driver"] == "560.35.03"
        wait_until_told(agent, "560.35.03")


def test_a_driver_of_another_version_than_the_library_needs_a_fresh_process(
    driver: FakeDriver, run: Run
) -> None:
    driver.say(nvml.gpu())
    with run() as agent:
        agent.wait_for("GPU_UTIL", {"0": 83})
        driver.say({"error.nvmlInitWithFlags": nvml.MISMATCH}, boot=2)
        waiting.until(lambda: agent.client.get("/healthz").status_code == 503, "the wish to be restarted")
        assert agent.health()["problem"] == (
            "The NVIDIA driver was replaced by another version: the agent must be started anew."
        )


def test_a_gpu_that_is_lost_leaves_the_others_alone(driver: FakeDriver, run: Run) -> None:
    driver.say(nvml.gpu(0), nvml.gpu(1), count=2)
    with run() as agent:
        agent.wait_for("GPU_UTIL", {"0": 83, "1": 83})
        calls = ("UtilizationRates", "MemoryInfo_v2", "TemperatureV", "PowerUsage")
        lost = {f"error.nvmlDeviceGet{call}.0": nvml.LOST for call in calls}
        event = {"event.1": f"0 79 {nvml.WHOLE_GPU}"}
        driver.say(nvml.gpu(0), nvml.gpu(1, utilization_gpu=9), lost, event, count=2)
        said = agent.wait_for("GPU_UTIL", {"1": 9})
        assert said.values("DCGM_FI_DEV_XID_ERRORS") == {"0": 79, "1": 0}
        assert not {"GPU_TEMP", "POWER_USAGE", "FB_USED"} & said.of_gpu("0").keys()
        assert {"GPU_TEMP", "POWER_USAGE", "FB_USED"} <= said.of_gpu("1").keys()
        driver.say(nvml.gpu(0), nvml.gpu(1), count=2)
        agent.wait_for("GPU_UTIL", {"0": 83, "1": 83})


def test_a_call_that_hangs_holds_up_no_answer_and_leaves_no_old_figure(driver: FakeDriver, run: Run) -> None:
    driver.say(nvml.gpu())
    with run() as agent:
        agent.wait_for("GPU_UTIL", {"0": 83})
        driver.say(nvml.gpu(utilization_gpu=7), {"hang.nvmlDeviceGetPowerUsage": 1})
        agent.wait_for("GPU_UTIL", {})
        assert "DCGM" not in agent.metrics().text
        wait_for_problem(agent, "A call into the NVIDIA driver hangs.")
        driver.say(nvml.gpu(utilization_gpu=7))
        agent.wait_for("GPU_UTIL", {"0": 7})
        wait_until_told(agent, nvml.DRIVER)


def test_it_ends_while_a_call_hangs_and_a_client_says_nothing(driver: FakeDriver, run: Run) -> None:
    driver.say({"hang.nvmlInitWithFlags": 1})
    with run() as agent, socket.create_connection(agent.address):
        assert "DCGM" not in agent.metrics().text
        assert agent.stop() == 0
        assert agent.logged("a call into the driver never returned")
