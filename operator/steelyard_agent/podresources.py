"""Who has which GPU, from the kubelet's answer to PodResourcesLister.List. Pure: bytes in, values out.

Sources: kubernetes/kubelet pkg/apis/podresources/v1/api.proto, for the numbers of the fields; device ids as
NVIDIA's and Google's device plugins and NVIDIA's driver for dynamic resource allocation name them.

Invariant: bytes that are no such answer raise NotPodResources, never anything else.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from steelyard_agent.gpus import Gpu

DRA_DRIVER = "gpu.nvidia.com"
"""NVIDIA's driver for dynamic resource allocation; it names GPUs by the numbers of their files, as gpu-0."""

_PODS = 1
_POD_NAME, _POD_NAMESPACE, _CONTAINERS = 1, 2, 3
_CONTAINER_NAME, _DEVICES, _DYNAMIC = 1, 2, 5
_DEVICE_IDS = 2
_CLAIM_RESOURCES = 4
_DRIVER_NAME, _DEVICE_NAME = 2, 4

_LONGEST_VARINT = 10
"""Bytes of a number of 64 bits."""


class NotPodResources(ValueError):
    """The answer cannot be read; the message says why."""


@dataclass(frozen=True, slots=True, order=True)
class Holder:
    """A container that has a GPU, alone or with others."""

    namespace: str
    """Its pod's namespace."""
    pod: str
    """Its pod."""
    container: str
    """Its name."""
    replica: str = ""
    """Its share's number, where the GPU is shared by time-slicing or MPS."""


Holders = Mapping[str, tuple[Holder, ...]]
"""By device, as `devices` names it."""


def holders(answer: bytes) -> Holders:
    """Who has which device. Raises NotPodResources."""
    found: dict[str, set[Holder]] = {}
    for pod in _messages(answer, _PODS):
        names = _text(pod, _POD_NAMESPACE), _text(pod, _POD_NAME)
        for container in _messages(pod, _CONTAINERS):
            for device, replica in _devices(container):
                holder = Holder(*names, _text(container, _CONTAINER_NAME), replica)
                found.setdefault(device, set()).add(holder)
    return {device: tuple(sorted(having)) for device, having in found.items()}


def devices(gpu: Gpu) -> Iterator[str]:
    """What the kubelet may call this GPU or MIG device."""
    minor = gpu.identity.minor
    if gpu.instance is not None:
        yield gpu.instance.uuid
        if minor is not None:
            yield f"nvidia{minor}/gi{gpu.instance.gpu_instance_id}"
        return
    yield gpu.identity.uuid
    if minor is not None:
        yield f"nvidia{minor}"
        yield f"{DRA_DRIVER}/gpu-{minor}"


def _devices(container: bytes) -> Iterator[tuple[str, str]]:
    """Devices of a container, each with the number of its share."""
    for group in _messages(container, _DEVICES):
        for identifier in _messages(group, _DEVICE_IDS):
            yield _parted(_decoded(identifier))
    for claim in _messages(container, _DYNAMIC):
        for resource in _messages(claim, _CLAIM_RESOURCES):
            if _text(resource, _DRIVER_NAME) == DRA_DRIVER:
                yield f"{DRA_DRIVER}/{_text(resource, _DEVICE_NAME)}", ""


def _parted(identifier: str) -> tuple[str, str]:
    """The device and the share: GPU-…::1 by NVIDIA's plugin, nvidia0/vgpu1 by Google's."""
    for mark in ("::", "/vgpu"):
        device, found, replica = identifier.partition(mark)
        if found:
            return device, replica
    return identifier, ""


def _text(message: bytes, number: int) -> str:
    """The last value of a text field; empty where it is absent (protobuf's default)."""
    last = b""
    for value in _messages(message, number):
        last = value
    return _decoded(last)


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise NotPodResources("the answer holds text that is not UTF-8") from None


def _messages(message: bytes, number: int) -> Iterator[bytes]:
    """The values of a field of texts or messages (https://protobuf.dev/programming-guides/encoding/)."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        size = 0
        match key & 7:
            case 0:  # a whole number
                _, at = _varint(message, at)
            case 1:  # eight bytes
                size = 8
            case 2:  # a length and so many bytes
                size, at = _varint(message, at)
            case 5:  # four bytes
                size = 4
            case _:
                raise NotPodResources("the answer is not protobuf")
        if at + size > len(message):
            raise NotPodResources("the answer is cut off")
        if key == number << 3 | 2:
            yield message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """The number at this place, and the place behind it."""
    value = 0
    for shift, byte in enumerate(message[at : at + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, at + shift + 1
    raise NotPodResources("the answer is cut off")
