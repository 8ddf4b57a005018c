"""Nvml: what the driver tells of all GPUs, over its restarts.

Rule 1: a call that fails leaves its figures out, and nothing else.
Rule 2: an error that says that the driver went away ends the session, and another one is begun.
Rule 3: after an error that is no plain "not supported", the session is renewed once it is RENEW_SECONDS old:
NVML finds a GPU that was lost or reset only then.
Rule 4: a beginning that fails is tried again at growing distances.
"""

import time
from collections.abc import Callable

import pynvml

from steelyard_agent.gpus import Reading
from steelyard_agent.sampling import Unavailable
from steelyard_agent.session import DriverGone, Session
from steelyard_agent.xids import Xids

RENEW_SECONDS = 60.0
"""How old a session with doubtful answers grows: beginning one may wake GPUs that nobody uses."""

MOST_RETRY_SECONDS = 30.0
"""Time between two tries to reach the driver at the most: each may make the kernel look for GPUs."""

_ADVICE = {
    pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: (
        "the library libnvidia-ml.so.1 is not found: install the NVIDIA driver, or have NVIDIA's runtime run "
        "the container"
    ),
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED: "the NVIDIA driver is not loaded",
    pynvml.NVML_ERROR_NOT_FOUND: "the NVIDIA driver finds no GPU",
    pynvml.NVML_ERROR_NO_PERMISSION: "this user may not open the files of the NVIDIA driver, /dev/nvidia*",
    pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: (
        "the NVIDIA driver was replaced by another version: the agent must be started anew"
    ),
}


class NvmlUnavailable(Unavailable):
    """The driver cannot be asked."""

    def __init__(self, message: str, *, needs_restart: bool = False) -> None:
        super().__init__(message)
        self.needs_restart = needs_restart


class Nvml:
    """NVML, asked from one thread."""

    def __init__(self, retry_seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._first_retry_seconds = retry_seconds
        self._retry_seconds = retry_seconds
        self._clock = clock
        self._session: Session | None = None
        self._began = 0.0
        self._retry_at = 0.0
        self._trouble: NvmlUnavailable | None = None
        self._xids = Xids()

    def read(self) -> Reading:
        """All GPUs now. Raises NvmlUnavailable."""
        if self._session is not None:
            try:
                return self._read(self._session)
            except DriverGone:
                self.close()
        session = self._begin()
        try:
            return self._read(session)
        except DriverGone as gone:
            self.close()
            raise _unavailable(gone.error) from gone

    def close(self) -> None:
        """End the session."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _read(self, session: Session) -> Reading:
        reading = session.read()
        if session.is_doubtful and self._clock() - self._began >= RENEW_SECONDS:
            self.close()
        return reading

    def _begin(self) -> Session:
        now = self._clock()
        if self._trouble is not None and now < self._retry_at:
            raise self._trouble
        try:
            session = Session(self._xids)
        except DriverGone as gone:
            self._trouble = _unavailable(gone.error)
            self._retry_at = now + self._retry_seconds
            self._retry_seconds = min(2 * self._retry_seconds, MOST_RETRY_SECONDS)
            raise self._trouble from gone
        self._session, self._began = session, now
        self._trouble, self._retry_seconds = None, self._first_retry_seconds
        return session


def _unavailable(error: pynvml.NVMLError) -> NvmlUnavailable:
    said = _ADVICE.get(error.value) or f"the NVIDIA driver cannot be asked ({error})"
    is_other = error.value == pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH
    return NvmlUnavailable(f"{said[:1].upper()}{said[1:]}.", needs_restart=is_other)
