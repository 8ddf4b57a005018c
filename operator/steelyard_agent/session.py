"""Session: NVML between nvmlInit and nvmlShutdown, with the GPUs that it found at its beginning.

Invariant: no error of one GPU or one figure leaves this module; DriverGone does, when nothing can be asked.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pynvml

from steelyard_agent import figures
from steelyard_agent.figures import Handle
from steelyard_agent.gpus import Gpu, Identity, Instance, Reading
from steelyard_agent.xids import Xids

_GONE = frozenset(
    (
        pynvml.NVML_ERROR_UNINITIALIZED,
        pynvml.NVML_ERROR_DRIVER_NOT_LOADED,
        pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH,
    )
)
"""The driver went away, or is another one by now."""

_PLAIN = frozenset(
    (
        pynvml.NVML_ERROR_NOT_SUPPORTED,
        pynvml.NVML_ERROR_NO_PERMISSION,
        pynvml.NVML_ERROR_NOT_FOUND,
        pynvml.NVML_ERROR_TIMEOUT,
        pynvml.NVML_ERROR_FUNCTION_NOT_FOUND,
        pynvml.NVML_ERROR_NO_DATA,
        pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH,
        pynvml.NVML_ERROR_DEPRECATED,
    )
)
"""There is no such thing here; a fresh session would say the same."""

_MOST_EVENTS = 256
"""Taken at a reading at the most: a GPU that fails may tell of it without end."""

_MIG_ON = 1


class DriverGone(Exception):
    """Nothing can be asked in this session."""

    def __init__(self, error: pynvml.NVMLError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class _Found:
    """A GPU that this session knows."""

    handle: Handle
    """NVML's handle of it."""
    identity: Identity
    """What does not change."""
    tells_xids: bool
    """Whether its XID errors come as events."""


class Session:
    """NVML while it is initialised. Raises DriverGone where that fails."""

    def __init__(self, xids: Xids) -> None:
        self.is_doubtful = False
        self._xids = xids
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            raise DriverGone(error) from None
        try:
            self._driver: str = self._ask(pynvml.nvmlSystemGetDriverVersion) or ""
            self._events = self._ask(pynvml.nvmlEventSetCreate)
            self._gpus = tuple(self._find())
            if not self._gpus:
                raise DriverGone(pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND))
        except DriverGone:
            self.close()
            raise

    def read(self) -> Reading:
        """All GPUs now. Raises DriverGone."""
        self._take_events()
        return Reading(self._driver, tuple(gpu for found in self._gpus for gpu in self._read(found)))

    def close(self) -> None:
        """Leave NVML. It is of no use when the driver went away, and harmless."""
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()

    def _find(self) -> Iterator[_Found]:
        for index in range(self._ask(pynvml.nvmlDeviceGetCount) or 0):
            handle = self._ask(pynvml.nvmlDeviceGetHandleByIndex, index)
            uuid = handle is not None and self._ask(pynvml.nvmlDeviceGetUUID, handle)
            if not uuid:
                continue
            identity = Identity(
                index=index,
                uuid=uuid,
                name=self._ask(pynvml.nvmlDeviceGetName, handle) or "",
                pci_bus_id=self._ask(_pci_bus_id, handle) or "",
                minor=self._ask(pynvml.nvmlDeviceGetMinorNumber, handle),
            )
            yield _Found(handle, identity, self._listen(handle, uuid))

    def _listen(self, handle: Handle, uuid: str) -> bool:
        """Have this GPU's XID errors told; whether it does that."""
        if self._events is None:
            return False
        self._xids.expect(handle, uuid)
        kind = pynvml.nvmlEventTypeXidCriticalError
        return bool(self._ask(_register, handle, kind, self._events))

    def _take_events(self) -> None:
        for _ in range(_MOST_EVENTS if self._events is not None else 0):
            event = self._ask(pynvml.nvmlEventSetWait_v2, self._events, 0)
            if event is None:
                return
            if event.eventType == pynvml.nvmlEventTypeXidCriticalError:
                self._xids.happened(event.device, event.eventData, event.gpuInstanceId)

    def _read(self, found: _Found) -> Iterator[Gpu]:
        """The GPU, or its MIG devices where it is cut into some."""
        shared = self._figures(found.handle, of_instance=False)
        devices = self._instances(found.handle) or [(found.handle, None)]
        for handle, instance in devices:
            told = shared | self._figures(handle, of_instance=True)
            if found.tells_xids:
                number = instance.gpu_instance_id if instance is not None else None
                told[figures.XID] = self._xids.last(found.identity.uuid, number)
            yield Gpu(found.identity, instance, told)

    def _figures(self, handle: Handle, *, of_instance: bool) -> dict[str, float]:
        told: dict[str, float] = {}
        for question in figures.QUESTIONS:
            if question.is_of_instance == of_instance:
                told |= self._ask(figures.told, question, handle) or {}
        return told

    def _instances(self, handle: Handle) -> list[tuple[Handle, Instance | None]]:
        """The MIG devices of this GPU; none where it is not cut."""
        modes = self._ask(pynvml.nvmlDeviceGetMigMode, handle)
        if modes is None or modes[0] != _MIG_ON:
            return []
        found: list[tuple[Handle, Instance | None]] = []
        for index in range(self._ask(pynvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0):
            device = self._ask(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, index)
            instance = None if device is None else self._instance(device)
            if instance is not None:
                found.append((device, instance))
        return found

    def _instance(self, device: Handle) -> Instance | None:
        uuid = self._ask(pynvml.nvmlDeviceGetUUID, device)
        number = self._ask(pynvml.nvmlDeviceGetGpuInstanceId, device)
        return Instance(uuid, number, self._profile(device)) if uuid and number is not None else None

    def _profile(self, device: Handle) -> str:
        """As 1g.10gb: the end of the MIG device's name, else from its slices."""
        name: str = self._ask(pynvml.nvmlDeviceGetName, device) or ""
        _, mark, profile = name.rpartition(" MIG ")
        if mark:
            return profile
        size = self._ask(pynvml.nvmlDeviceGetAttributes_v2, device)
        return "" if size is None else f"{size.gpuInstanceSliceCount}g.{round(size.memorySizeMB / 1024)}gb"

    def _ask(self, call: Callable[..., Any], *arguments: object) -> Any:
        """What the call gives; None where it fails. Raises DriverGone."""
        try:
            return call(*arguments)
        except pynvml.NVMLError as error:
            if error.value in _GONE:
                raise DriverGone(error) from None
            self.is_doubtful |= error.value not in _PLAIN
        except (pynvml.NVMLLibraryMismatchError, UnicodeDecodeError):
            self.is_doubtful = True
        return None


def _register(handle: Handle, kind: int, events: Any) -> bool:
    pynvml.nvmlDeviceRegisterEvents(handle, kind, events)
    return True


def _pci_bus_id(handle: Handle) -> str:
    return str(pynvml.nvmlDeviceGetPciInfo(handle).busId)
