"""Agent: the samplers of NVML and the kubelet, and what is said of both.

Invariant: nothing here waits for the driver or the kubelet.
"""

from dataclasses import dataclass

from steelyard_agent import exposition
from steelyard_agent.gpus import Reading
from steelyard_agent.kubelet import Kubelet
from steelyard_agent.nvml import Nvml
from steelyard_agent.podresources import Holders
from steelyard_agent.sampling import Sampler
from steelyard_agent.settings import Settings

VERSION = "0.1.0"
"""That of pyproject.toml: an image has the folders only, without what pip knows of the package."""

STUCK_SECONDS = 60.0
"""After so long a call that has not returned is taken for one that never will."""

STOP_SECONDS = 1.0
"""How long a reading that is under way may take to end."""


@dataclass(frozen=True, slots=True)
class Health:
    """How the agent is."""

    gpus: int
    """GPUs and MIG devices that are told of."""
    driver: str
    """The driver's version; empty where there is none."""
    problem: str
    """Why GPUs cannot be told of; empty: they are."""
    pods_problem: str
    """Why it is not told who has them; empty: it is, or the kubelet is not to be asked."""
    needs_restart: bool
    """Whether only a fresh process can help."""


class Agent:
    """What is known of this node's GPUs."""

    def __init__(self, settings: Settings) -> None:
        interval = float(settings.interval_seconds)
        nvml = Nvml(interval)
        self._hostname = settings.hostname
        self._gpus: Sampler[Reading] = Sampler("nvml", nvml.read, nvml.close, interval)
        self._pods: Sampler[Holders] | None = None
        if settings.kubelet_socket:
            kubelet = Kubelet(settings.kubelet_socket)
            self._pods = Sampler("kubelet", kubelet.holders, _nothing, interval)

    def start(self) -> None:
        """Begin to take readings."""
        for sampler in self._samplers:
            sampler.start()

    def stop(self) -> bool:
        """Take no more; whether the calls under way have ended."""
        ended = [sampler.stop(STOP_SECONDS) for sampler in self._samplers]
        return all(ended)

    def text(self) -> bytes:
        """What /metrics says."""
        holders = self._pods.latest if self._pods is not None else None
        return exposition.text(self._gpus.latest, holders or {}, hostname=self._hostname, version=VERSION)

    def health(self) -> Health:
        """What /healthz says."""
        reading, trouble = self._gpus.latest, self._gpus.trouble
        hanging = self._gpus.hanging_seconds
        problem = "A call into the NVIDIA driver hangs." if hanging else str(trouble or "")
        return Health(
            gpus=len(reading.gpus) if reading is not None else 0,
            driver=reading.driver if reading is not None else "",
            problem=problem,
            pods_problem=str((self._pods.trouble if self._pods is not None else None) or ""),
            needs_restart=hanging > STUCK_SECONDS or (trouble is not None and trouble.needs_restart),
        )

    @property
    def _samplers(self) -> list[Sampler[Reading] | Sampler[Holders]]:
        return [self._gpus, *([self._pods] if self._pods is not None else [])]


def _nothing() -> None:
    """The kubelet is asked over a connection for each call: nothing is left to close."""
