"""Xids: the last XID error of each GPU, by NVML's events. They outlive NVML's sessions.

Invariant: an error of a whole GPU is the last one of each of its MIG devices, too.
"""

import ctypes

from steelyard_agent.figures import Handle

_WHOLE_GPU = 0xFFFF_FFFF
"""The number of the GPU instance in an event that is none of a MIG device."""


class Xids:
    """The last XID error of each GPU and GPU instance."""

    def __init__(self) -> None:
        self._uuids: dict[int, str] = {}
        self._last: dict[str, dict[int | None, int]] = {}

    def expect(self, handle: Handle, uuid: str) -> None:
        """Events will name this GPU by this handle."""
        self._uuids[_address(handle)] = uuid

    def happened(self, handle: Handle, xid: int, gpu_instance: int) -> None:
        """An error of this GPU, or of one of its GPU instances."""
        uuid = self._uuids.get(_address(handle))
        if uuid is None:
            return
        if gpu_instance == _WHOLE_GPU:
            self._last[uuid] = {None: xid}
        else:
            self._last.setdefault(uuid, {})[gpu_instance] = xid

    def last(self, uuid: str, gpu_instance: int | None) -> int:
        """The last error; 0 where there was none."""
        errors = self._last.get(uuid, {})
        return errors.get(gpu_instance, errors.get(None, 0))


def _address(handle: Handle) -> int:
    return ctypes.cast(handle, ctypes.c_void_p).value or 0
