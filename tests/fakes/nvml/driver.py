"""FakeDriver: the library where programs look for it, and what it says from now on.

The library reads its script anew at each call: what a test says holds at once, in a running program, too.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

LIBRARY = "libnvidia-ml.so.1"
DRIVER = "550.90.07"
UUID = "GPU-6d5c0ac5-74d7-3130-46f1-{:012}"
MIG_UUID = "MIG-5f3c1a70-0b1e-5c1c-9f9d-{:012}"

NOT_SUPPORTED, NO_PERMISSION, FUNCTION_NOT_FOUND, LOST, MISMATCH, UNKNOWN = 3, 4, 13, 15, 18, 999
"""NVML's codes of errors."""

MIB = 2**20
WHOLE_GPU = 2**32 - 1
"""In an event: not of a MIG device."""

Lines = Mapping[str, object]
"""Of a script, by key."""

_SOURCE = Path(__file__).with_name("nvml.c")
_FLAGS = ("-std=c11", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC")


class NoCompilerError(Exception):
    """The library cannot be built; the message is a sentence for the user."""


def build(folder: Path) -> Path:
    """The library, built into this folder."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise NoCompilerError("There is no C compiler: install gcc or clang, or name one in CC.")
    library = folder / LIBRARY
    name = f"-Wl,-soname,{LIBRARY}"
    subprocess.run([compiler, *_FLAGS, name, "-o", library, _SOURCE], check=True)
    return library


def gpu(index: int = 0, *, without: Iterable[str] = (), **changes: object) -> Lines:
    """An L4 that works. Names are written with underscores for points."""
    figures: dict[str, object] = {
        "uuid": UUID.format(index),
        "name": "NVIDIA L4",
        "minor": index,
        "pci": f"00000000:{0x37 + index:02X}:00.0",
        "clock.sm": 2040,
        "clock.memory": 6251,
        "temperature": 61,
        "temperature.memory": 70,
        "milliwatts": 71_523,
        "millijoules": 123_456_789,
        "utilization.gpu": 83,
        "utilization.memory": 41,
        "utilization.encoder": 0,
        "utilization.decoder": 2,
        "memory.total": 23_034 * MIB,
        "memory.used": 17_408 * MIB,
        "memory.reserved": 447 * MIB,
        "ecc.single.volatile": 3,
        "ecc.double.volatile": 0,
        "ecc.single.aggregate": 12,
        "ecc.double.aggregate": 1,
        "mig": 0,
    }
    figures |= {name.replace("_", "."): value for name, value in changes.items()}
    return {f"{index}.{name}": value for name, value in figures.items() if name not in without}


def mig(gpu: int, index: int, *, instance: int, profile: str, total_mib: int, used_mib: int) -> Lines:
    """A MIG device, which has no utilisation."""
    figures = {
        "uuid": MIG_UUID.format(instance),
        "name": f"NVIDIA H100 80GB HBM3 MIG {profile}",
        "instance": instance,
        "memory.total": total_mib * MIB,
        "memory.used": used_mib * MIB,
    }
    return {f"{gpu}.mig.{index}.{name}": value for name, value in figures.items()}


L4 = {
    "SM_CLOCK": 2040,
    "MEM_CLOCK": 6251,
    "MEMORY_TEMP": 70,
    "GPU_TEMP": 61,
    "POWER_USAGE": 71.523,
    "TOTAL_ENERGY_CONSUMPTION": 123_456_789,
    "GPU_UTIL": 83,
    "MEM_COPY_UTIL": 41,
    "ENC_UTIL": 0,
    "DEC_UTIL": 2,
    "FB_FREE": 23_034 - 17_408 - 447,
    "FB_USED": 17_408,
    "FB_RESERVED": 447,
    "ECC_SBE_VOL_TOTAL": 3,
    "ECC_DBE_VOL_TOTAL": 0,
    "ECC_SBE_AGG_TOTAL": 12,
    "ECC_DBE_AGG_TOTAL": 1,
    "XID_ERRORS": 0,
}
"""What is told of `gpu`, by the names of dcgm-exporter without their beginning."""

CUT = (
    gpu(name="NVIDIA H100 80GB HBM3", mig=1, without=["utilization.gpu", "utilization.encoder"]),
    mig(0, 0, instance=2, profile="3g.40gb", total_mib=40_448, used_mib=30_000),
    mig(0, 3, instance=9, profile="1g.10gb", total_mib=9_856, used_mib=12),
)
"""A GPU with two MIG devices."""


class FakeDriver:
    """What a program sees that is started with `environment`."""

    def __init__(self, library: Path, folder: Path) -> None:
        self._library = library
        self._folder = folder / "lib"
        self._folder.mkdir()
        self._script = folder / "script"
        self.environment = {"LD_LIBRARY_PATH": str(self._folder), "FAKE_NVML_SCRIPT": str(self._script)}

    def install(self) -> None:
        """Put the library where it is looked for."""
        shutil.copy(self._library, self._folder / "new")
        (self._folder / "new").rename(self._folder / LIBRARY)

    def uninstall(self) -> None:
        """Take it away for those that start from now on."""
        (self._folder / LIBRARY).unlink()

    def say(self, *lines: Lines, driver: str = DRIVER, count: int = 1, boot: int = 1) -> None:
        """Say this from now on."""
        self.script({"driver": driver, "count": count, "boot": boot}, *lines)

    def script(self, *lines: Lines) -> None:
        """Say nothing but this from now on."""
        text = "".join(f"{key} {value}\n" for part in lines for key, value in part.items())
        written = self._script.with_suffix(".new")
        written.write_text(text, errors="surrogateescape")
        written.rename(self._script)
