"""What is known of GPUs at one moment. Nothing here asks anybody.

Invariant: a figure that NVML did not tell is missing from `figures`, never 0 or a guess.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Instance:
    """A MIG device: a part of a GPU that works by itself."""

    uuid: str
    """MIG-…."""
    gpu_instance_id: int
    """The number of its GPU instance on the GPU."""
    profile: str
    """Its size, as 1g.10gb; empty where it is not told."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which GPU it is."""

    index: int
    """NVML's number of it."""
    uuid: str
    """GPU-…."""
    name: str
    """What it is, as NVIDIA L4; empty where it is not told."""
    pci_bus_id: str
    """As 00000000:37:00.0; empty where it is not told."""
    minor: int | None
    """The number of its device file, /dev/nvidia0."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU, or a MIG device of one, with its figures."""

    identity: Identity
    """The GPU."""
    instance: Instance | None = None
    """The MIG device; None: all of the GPU."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """By dcgm-exporter's names, in its units."""


@dataclass(frozen=True, slots=True)
class Reading:
    """All GPUs at one moment."""

    driver: str
    """The driver's version; empty where it is not told."""
    gpus: tuple[Gpu, ...]
    """In NVML's order. A GPU that is cut into MIG devices is there as those only."""
