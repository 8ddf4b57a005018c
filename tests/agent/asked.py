"""NVML asked in this process, with a library that a script speaks for."""

from steelyard_agent.gpus import Gpu
from steelyard_agent.nvml import Nvml, NvmlUnavailable


class Asked:
    """NVML in this process, once a second on a clock of its own."""

    def __init__(self) -> None:
        self.now = 100.0
        self.nvml = Nvml(1.0, clock=lambda: self.now)

    def gpus(self) -> tuple[Gpu, ...]:
        """All GPUs, a second later."""
        self.now += 1.0
        return self.nvml.read().gpus

    def drivers(self, seconds: int) -> list[str]:
        """The driver's version at each second, empty where it cannot be asked."""
        return [self._driver() for _ in range(seconds)]

    def _driver(self) -> str:
        self.now += 1.0
        try:
            return self.nvml.read().driver
        except NvmlUnavailable:
            return ""
