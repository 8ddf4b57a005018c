"""hack/gpu_check.sh, with an nvidia-smi that a test writes and the fake driver."""

import os
import subprocess
from pathlib import Path

import pytest

from agent import programs
from fakes.nvml import driver as nvml
from fakes.nvml.driver import FakeDriver

SCRIPT = Path(__file__).parents[2] / "hack" / "gpu_check.sh"

L4 = "17408, 447, 5179, 83, 41, 0, 2, 61, 70, 71.52, 2040, 6251, 3, 0, 12, 1"
"""What nvidia-smi says of the L4 of the script."""


def checked(driver: FakeDriver, folder: Path, said: str) -> subprocess.CompletedProcess[str]:
    """The script's run where nvidia-smi says this of the first GPU."""
    smi = folder / "nvidia-smi"
    smi.write_text(f"#!/bin/sh\necho '{nvml.UUID.format(0)}, {said}'\n")
    smi.chmod(0o755)
    environment = os.environ | driver.environment | {"PATH": f"{folder}:{os.environ['PATH']}"}
    return subprocess.run(
        [SCRIPT, "--seconds", "0"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=programs.SECONDS,
    )


@pytest.mark.parametrize(
    ("said", "differs"),
    [
        (L4, []),
        (L4.replace("17408", "17400"), []),
        (L4.replace("17408", "9000"), ["FB_USED"]),
        (L4.replace("83", "[N/A]"), ["GPU_UTIL"]),
        (L4.replace(" 3, 0", " 4, 0"), ["ECC_SBE_VOL_TOTAL"]),
    ],
    ids=["the same", "nearly the same", "another figure", "an absent figure", "a counter that is one off"],
)
def test_what_differs_from_nvidia_smi_is_named(
    driver: FakeDriver, tmp_path: Path, said: str, differs: list[str]
) -> None:
    driver.say(nvml.gpu())
    ended = checked(driver, tmp_path, said)

    lines = ended.stdout.splitlines()
    assert [line.split()[0] for line in lines if line.endswith("differs")] == differs
    assert (ended.returncode, lines[-1]) == ((1, "They differ.") if differs else (0, "All figures agree."))
