"""The text of /metrics: dcgm-exporter's lines and labels. Pure: values in, bytes out.

Source: dcgm-exporter's internal/pkg/rendermetrics. As there, a GPU that is cut into MIG devices has lines for
those only, with its own UUID; MIG_UUID is an addition. A GPU that containers share has lines for each, as
with dcgm-exporter's --kubernetes-virtual-gpus.
"""

from collections.abc import Iterator, Mapping

from steelyard_agent import podresources
from steelyard_agent.figures import FIGURES
from steelyard_agent.gpus import Gpu, Reading
from steelyard_agent.podresources import Holders

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_INFO = "steelyard_agent_info"
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def text(reading: Reading | None, holders: Holders, *, hostname: str, version: str) -> bytes:
    """The exposition; without a reading it tells of no GPU."""
    driver = reading.driver if reading is not None else ""
    lines = [
        f"# HELP {_INFO} steelyard agent tells this; without a driver it can tell of no GPU.",
        f"# TYPE {_INFO} gauge",
        f"{_INFO}{_labelled({'version': version, 'driver': driver})} 1",
    ]
    if reading is not None:
        series = [
            (gpu, labels)
            for gpu in reading.gpus
            for labels in _labels(gpu, holders, hostname, reading.driver)
        ]
        for figure in FIGURES:
            told = [
                f"{figure.name}{labels} {gpu.figures[figure.name]}"
                for gpu, labels in series
                if figure.name in gpu.figures
            ]
            if told:
                lines += [
                    f"# HELP {figure.name} {figure.description}",
                    f"# TYPE {figure.name} {figure.kind}",
                    *told,
                ]
    return ("\n".join(lines) + "\n").encode()


def _labels(gpu: Gpu, holders: Holders, hostname: str, driver: str) -> Iterator[str]:
    """The labels of this GPU's lines: one set, or one for each container that has it."""
    own = {
        "gpu": str(gpu.identity.index),
        "UUID": gpu.identity.uuid,
        "pci_bus_id": gpu.identity.pci_bus_id,
        "device": f"nvidia{gpu.identity.index}",
        "modelName": gpu.identity.name,
    }
    if gpu.instance is not None:
        own["GPU_I_PROFILE"] = gpu.instance.profile
        own["GPU_I_ID"] = str(gpu.instance.gpu_instance_id)
        own["MIG_UUID"] = gpu.instance.uuid
    own |= {"Hostname": hostname, "DCGM_FI_DRIVER_VERSION": driver}
    having = [holder for device in podresources.devices(gpu) for holder in holders.get(device, ())]
    if not having:
        yield _labelled(own)
    for holder in having:
        names = {"container": holder.container, "namespace": holder.namespace, "pod": holder.pod}
        yield _labelled(own | names | {"vgpu": holder.replica})


def _labelled(labels: Mapping[str, str]) -> str:
    """Labels in braces; one that is empty is as good as absent."""
    pairs = [f'{name}="{value.translate(_ESCAPES)}"' for name, value in labels.items() if value]
    return "{" + ",".join(pairs) + "}" if pairs else ""
