"""The figures of a GPU: dcgm-exporter's names, types and units, and the NVML call that tells each.

Sources: dcgm-exporter's etc/default-counters.csv and etc/dcp-metrics-included.csv; NVML's reference
(https://docs.nvidia.com/deploy/nvml-api/).

Invariant: an asking function gives as many values as its question has figures, or raises NVMLError.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pynvml

Handle = Any
"""NVML's handle of a GPU or a MIG device."""

Ask = Callable[[Handle], Sequence[float | None]]
"""A call; None for a figure that it does not tell."""

XID = "DCGM_FI_DEV_XID_ERRORS"
"""Comes from events: no call tells it."""

_MIB = 2**20
_NOT_AVAILABLE = {0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF}
"""NVML_VALUE_NOT_AVAILABLE, −1, in an unsigned number of either size."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a GPU."""

    name: str
    """dcgm-exporter's name of it."""
    description: str
    """What it is, with its unit."""
    kind: str = "gauge"
    """gauge or counter, as dcgm-exporter says."""


@dataclass(frozen=True, slots=True)
class Question:
    """A call, and which figures it tells."""

    figures: tuple[Figure, ...]
    """In the order of the values."""
    ask: Ask
    """The call."""
    is_of_instance: bool = False
    """A MIG device is asked itself; else its GPU, for what its MIG devices share."""


def told(question: Question, handle: Handle) -> dict[str, float]:
    """What the call tells, by the figures' names. Raises NVMLError."""
    values = zip(question.figures, question.ask(handle), strict=True)
    return {
        figure.name: value for figure, value in values if value is not None and value not in _NOT_AVAILABLE
    }


def _clock(domain: int) -> Ask:
    return lambda handle: [pynvml.nvmlDeviceGetClockInfo(handle, domain)]


def _temperature(handle: Handle) -> Sequence[float | None]:
    try:
        return [pynvml.nvmlDeviceGetTemperatureV(handle, pynvml.NVML_TEMPERATURE_GPU)]
    except (pynvml.NVMLError_FunctionNotFound, pynvml.NVMLError_NotSupported):
        return [pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)]


def _memory_temperature(handle: Handle) -> Sequence[float | None]:
    [value] = pynvml.nvmlDeviceGetFieldValues(handle, [pynvml.NVML_FI_DEV_MEMORY_TEMP])
    if value.nvmlReturn != pynvml.NVML_SUCCESS:
        raise pynvml.NVMLError(value.nvmlReturn)
    return [value.value.uiVal]


def _power(handle: Handle) -> Sequence[float | None]:
    milliwatts = pynvml.nvmlDeviceGetPowerUsage(handle)
    return [None if milliwatts in _NOT_AVAILABLE else milliwatts / 1000]


def _utilization(handle: Handle) -> Sequence[float | None]:
    rates = pynvml.nvmlDeviceGetUtilizationRates(handle)
    return rates.gpu, rates.memory


def _memory(handle: Handle) -> Sequence[float | None]:
    """Free, used and reserved; a driver before R510 counts what is reserved among the used."""
    try:
        told = pynvml.nvmlDeviceGetMemoryInfo(handle, version=pynvml.nvmlMemory_v2)
    except (pynvml.NVMLError_FunctionNotFound, pynvml.NVMLError_NotSupported):
        told = pynvml.nvmlDeviceGetMemoryInfo(handle)
        return told.free // _MIB, told.used // _MIB, None
    return told.free // _MIB, told.used // _MIB, told.reserved // _MIB


def _ecc(error: int, counter: int) -> Ask:
    return lambda handle: [pynvml.nvmlDeviceGetTotalEccErrors(handle, error, counter)]


_CORRECTED, _UNCORRECTED = pynvml.NVML_MEMORY_ERROR_TYPE_CORRECTED, pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED
_VOLATILE, _AGGREGATE = pynvml.NVML_VOLATILE_ECC, pynvml.NVML_AGGREGATE_ECC


def _counter(name: str, description: str) -> tuple[Figure]:
    return (Figure(name, description, "counter"),)


QUESTIONS = (
    Question((Figure("DCGM_FI_DEV_SM_CLOCK", "SM clock frequency (in MHz)."),), _clock(pynvml.NVML_CLOCK_SM)),
    Question(
        (Figure("DCGM_FI_DEV_MEM_CLOCK", "Memory clock frequency (in MHz)."),), _clock(pynvml.NVML_CLOCK_MEM)
    ),
    Question((Figure("DCGM_FI_DEV_MEMORY_TEMP", "Memory temperature (in C)."),), _memory_temperature),
    Question((Figure("DCGM_FI_DEV_GPU_TEMP", "GPU temperature (in C)."),), _temperature),
    Question((Figure("DCGM_FI_DEV_POWER_USAGE", "Power draw (in W)."),), _power),
    Question(
        _counter("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "Energy drawn since the driver was loaded (in mJ)."),
        lambda handle: [pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)],
    ),
    Question(
        (
            Figure("DCGM_FI_DEV_GPU_UTIL", "Share of the time in which a kernel ran (in %)."),
            Figure(
                "DCGM_FI_DEV_MEM_COPY_UTIL", "Share of the time in which memory was read or written (in %)."
            ),
        ),
        _utilization,
        is_of_instance=True,
    ),
    Question(
        (Figure("DCGM_FI_DEV_ENC_UTIL", "Encoder utilization (in %)."),),
        lambda handle: pynvml.nvmlDeviceGetEncoderUtilization(handle)[:1],
        is_of_instance=True,
    ),
    Question(
        (Figure("DCGM_FI_DEV_DEC_UTIL", "Decoder utilization (in %)."),),
        lambda handle: pynvml.nvmlDeviceGetDecoderUtilization(handle)[:1],
        is_of_instance=True,
    ),
    Question(
        (
            Figure("DCGM_FI_DEV_FB_FREE", "Framebuffer memory free (in MiB)."),
            Figure("DCGM_FI_DEV_FB_USED", "Framebuffer memory used (in MiB)."),
            Figure("DCGM_FI_DEV_FB_RESERVED", "Framebuffer memory reserved (in MiB)."),
        ),
        _memory,
        is_of_instance=True,
    ),
    Question(
        _counter("DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", "Single-bit ECC errors since the driver was loaded."),
        _ecc(_CORRECTED, _VOLATILE),
    ),
    Question(
        _counter("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "Double-bit ECC errors since the driver was loaded."),
        _ecc(_UNCORRECTED, _VOLATILE),
    ),
    Question(
        _counter("DCGM_FI_DEV_ECC_SBE_AGG_TOTAL", "Single-bit ECC errors in all."),
        _ecc(_CORRECTED, _AGGREGATE),
    ),
    Question(
        _counter("DCGM_FI_DEV_ECC_DBE_AGG_TOTAL", "Double-bit ECC errors in all."),
        _ecc(_UNCORRECTED, _AGGREGATE),
    ),
)
"""All calls, in the order of the exposition."""

FIGURES = (
    *(figure for question in QUESTIONS for figure in question.figures),
    Figure(XID, "The last XID error since the agent started, 0 if there was none."),
)
"""All figures, in the order of the exposition."""
