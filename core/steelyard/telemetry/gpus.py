"""Gpu: what an exporter says of one GPU, in dcgm-exporter's names. Pure: bytes in, values out.

Sources: dcgm-exporter's default-counters.csv, gpu_collector.go and transformation/kubernetes.go; DCGM's
dcgm_structs.h for its blank values.

Invariant: what the exporter does not tell is None, as the utilisation of a MIG instance mostly is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from steelyard.telemetry import exposition


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU, or a MIG instance of one, at one moment. None: not told."""

    uuid: str
    """GPU-…; of an instance MIG-…, or MIG-GPU-…/N where only its GPU and its number there are told."""
    name: str | None = None
    """What it is, as NVIDIA L4."""
    index: str | None = None
    """Its number on the node, that of the GPU which it is an instance of."""
    node: str | None = None
    """The node's name (label Hostname)."""
    utilization_percent: float | None = None
    """The share of the time in which it worked, 0 to 100."""
    memory_used_mib: float | None = None
    """Framebuffer in use."""
    memory_total_mib: float | None = None
    """Framebuffer in all: used, free and, where it is told, reserved."""
    temperature_celsius: float | None = None
    """How warm it is; of a MIG instance, the whole GPU."""
    power_watts: float | None = None
    """What it draws; of a MIG instance, the whole GPU."""
    energy_joules: float | None = None
    """What it has drawn since the driver was loaded; of a MIG instance, the whole GPU."""
    pods: frozenset[tuple[str, str]] = frozenset()
    """(namespace, pod) of those that have it; empty where the exporter does not tell."""
    source: str = "Dcgm"
    """Dcgm, or Agent where `steelyard agent` told it."""


class NothingTold(ValueError):
    """The exposition tells nothing of GPUs; the message ends a sentence that begins with the exporter."""


_AGENT = "steelyard_agent_info"
_MILLIJOULES = 1000
_LONGEST_TEXT = 96
"""A longer UUID or name is none."""

_POD_LABELS = (("exported_namespace", "exported_pod"), ("namespace", "pod"), ("pod_namespace", "pod_name"))
"""As Prometheus renames them where they clash with the exporter's own; as the exporter names them; with
--use-old-namespace."""

_UTIL = "DCGM_FI_DEV_GPU_UTIL"
_ENGINE_ACTIVE = "DCGM_FI_PROF_GR_ENGINE_ACTIVE"
"""The same as a ratio, which DCGM tells of MIG instances, too."""
_USED, _FREE = "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE"
_RESERVED, _TOTAL = "DCGM_FI_DEV_FB_RESERVED", "DCGM_FI_DEV_FB_TOTAL"
_TEMP, _POWER = "DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_POWER_USAGE"
_ENERGY = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"

_BLANK = 0x7FFFFFF0
"""From here to 2^31 - 1, DCGM says why there is no value: not found, not supported, not permitted."""
_BLANK_DOUBLE = 2.0**47
"""From here, in a double; of 64 bits, from 2^63 - 16."""

_BOUNDS = {
    _UTIL: (0, 100),
    _ENGINE_ACTIVE: (0, 1.01),
    _USED: (0, _BLANK - 1),
    _FREE: (0, _BLANK - 1),
    _RESERVED: (0, _BLANK - 1),
    _TOTAL: (0, _BLANK - 1),
    _TEMP: (-273, 1000),
    _POWER: (0, 100_000),
    _ENERGY: (0, _BLANK_DOUBLE - 1),
}
"""What can be true of each."""


def read(answer: bytes) -> tuple[Gpu, ...]:
    """The GPUs in an exporter's exposition, by UUID; for one that is divided, its instances.

    Raises NothingTold where none is told of: dcgm-exporter answers so, with status 200, until it has read its
    GPUs first, and where it could not read them. Only `steelyard agent` says that there are none.

    Lines without a UUID tell nothing. Of a number that is told twice, as for each pod that shares a GPU, the
    larger counts.
    """
    told: dict[str, _Told] = {}
    source = "Dcgm"
    for line in exposition.read(answer, (*_BOUNDS, _AGENT)):
        if line.name == _AGENT:
            source = "Agent"
        elif uuid := _uuid(line.labels):
            told.setdefault(uuid, _Told()).take(line)
    if not told and source == "Dcgm":
        raise NothingTold("told nothing of GPUs that can be read")
    divided = {(one.node, one.index) for one in told.values() if one.is_instance}
    return tuple(
        told[uuid].gpu(uuid, source)
        for uuid in sorted(told)
        if told[uuid].is_instance or (told[uuid].node, told[uuid].index) not in divided
    )


def of_pod(gpus: Iterable[Gpu], namespace: str, pod: str) -> tuple[Gpu, ...]:
    """Those that this pod has, as far as the exporter tells."""
    return tuple(gpu for gpu in gpus if (namespace, pod) in gpu.pods)


def of_endpoint(gpus: Iterable[Gpu], namespace: str, pod: str, *, alone: bool = False) -> tuple[Gpu, ...]:
    """Those that the engine in this pod works with.

    Where the exporter tells the pod of any GPU, those of this pod. Elsewhere all, if the engine is `alone`:
    the only one on the node, or the one that the exporter is for.
    """
    found = tuple(gpus)
    if any(gpu.pods for gpu in found):
        return of_pod(found, namespace, pod)
    return found if alone else ()


class _Told:
    """What the lines of one GPU tell."""

    __slots__ = ("index", "is_instance", "name", "node", "numbers", "pods")

    def __init__(self) -> None:
        self.numbers: dict[str, float] = {}
        self.pods: set[tuple[str, str]] = set()
        self.name: str | None = None
        self.index: str | None = None
        self.node: str | None = None
        self.is_instance = False

    def take(self, line: exposition.Line) -> None:
        labels, number = line.labels, _number(line)
        if number is not None:
            self.numbers[line.name] = max(number, self.numbers.get(line.name, number))
        self.pods.update(_pod(labels))
        self.name = self.name or _text(labels.get("modelName"))
        self.index = self.index or _text(labels.get("gpu"))
        self.node = self.node or _text(labels.get("Hostname"))
        self.is_instance = self.is_instance or bool(labels.get("GPU_I_ID"))

    def gpu(self, uuid: str, source: str) -> Gpu:
        numbers = self.numbers
        active, energy = numbers.get(_ENGINE_ACTIVE), numbers.get(_ENERGY)
        return Gpu(
            uuid,
            name=self.name,
            index=self.index,
            node=self.node,
            utilization_percent=numbers.get(_UTIL, None if active is None else min(active, 1.0) * 100),
            memory_used_mib=numbers.get(_USED),
            memory_total_mib=numbers.get(_TOTAL, self._sum()),
            temperature_celsius=numbers.get(_TEMP),
            power_watts=numbers.get(_POWER),
            energy_joules=None if energy is None else energy / _MILLIJOULES,
            pods=frozenset(self.pods),
            source=source,
        )

    def _sum(self) -> float | None:
        used, free = self.numbers.get(_USED), self.numbers.get(_FREE)
        return None if used is None or free is None else used + free + self.numbers.get(_RESERVED, 0.0)


def _uuid(labels: Mapping[str, str]) -> str | None:
    """Of the GPU, or of the instance, for which only the agent has a label."""
    uuid, instance = labels.get("UUID") or labels.get("uuid"), labels.get("GPU_I_ID")
    if uuid and instance:
        uuid = labels.get("MIG_UUID") or f"MIG-{uuid}/{instance}"
    return _text(uuid)


def _pod(labels: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """(namespace, pod) that the line names: none or one."""
    for namespace, pod in _POD_LABELS:
        if labels.get(namespace) and labels.get(pod):
            return ((labels[namespace], labels[pod]),)
    return ()


def _number(line: exposition.Line) -> float | None:
    least, most = _BOUNDS[line.name]
    if line.value is None or not least <= line.value <= most or _BLANK <= line.value < 2**31:
        return None
    return line.value


def _text(value: str | None) -> str | None:
    return value if value and len(value) <= _LONGEST_TEXT and value.isprintable() else None
