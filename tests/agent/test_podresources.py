"""Who has which device, from the bytes of the kubelet's answer."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.kubelets import container, field, pod, pods, varint
from steelyard_agent import podresources
from steelyard_agent.gpus import Gpu, Identity, Instance
from steelyard_agent.podresources import Holder, NotPodResources

DEVICES = {
    "a GPU": (container("c", "GPU-a"), {"GPU-a": ""}),
    "several GPUs": (container("c", "GPU-a", "GPU-b"), {"GPU-a": "", "GPU-b": ""}),
    "a share": (container("c", "GPU-a::7"), {"GPU-a": "7"}),
    "a share of a MIG device": (container("c", "MIG-a::1"), {"MIG-a": "1"}),
    "a MIG device of an old driver": (container("c", "MIG-GPU-a/1/0"), {"MIG-GPU-a/1/0": ""}),
    "a GPU of Google's": (container("c", "nvidia0"), {"nvidia0": ""}),
    "a MIG device of Google's": (container("c", "nvidia0/gi2"), {"nvidia0/gi2": ""}),
    "a share of Google's": (container("c", "nvidia0/gi2/vgpu1"), {"nvidia0/gi2": "1"}),
    "a claimed GPU": (container("c", claimed=["gpu-3"]), {"gpu.nvidia.com/gpu-3": ""}),
    "a claim of another driver": (container("c", claimed=["gpu-3"], driver="gpu.example.com"), {}),
}


@pytest.mark.parametrize(("having", "devices"), DEVICES.values(), ids=list(DEVICES))
def test_a_container_may_have(having: bytes, devices: dict[str, str]) -> None:
    found = podresources.holders(pods(pod("p", having)))

    assert {device: one.replica for device, (one,) in found.items()} == devices


def test_containers_that_share_a_device_are_told_in_order() -> None:
    answer = pods(
        pod("b", container("c", "GPU-a::1")),
        pod("a", container("c", "GPU-a::0"), container("d", "GPU-a::2"), namespace="other"),
    )

    assert podresources.holders(answer) == {
        "GPU-a": (
            Holder("models", "b", "c", "1"),
            Holder("other", "a", "c", "0"),
            Holder("other", "a", "d", "2"),
        )
    }


def test_a_gpu_is_found_under_each_name_that_a_kubelet_may_have_for_it() -> None:
    identity = Identity(index=0, uuid="GPU-a", name="", pci_bus_id="", minor=3)
    part = Instance("MIG-b", 7, "1g.10gb")

    assert [*podresources.devices(Gpu(identity))] == ["GPU-a", "nvidia3", "gpu.nvidia.com/gpu-3"]
    assert [*podresources.devices(Gpu(identity, part))] == ["MIG-b", "nvidia3/gi7"]


BROKEN = {
    "a text that is not UTF-8": pods(pod("p", container("c", "GPU-a")).replace(b"p", b"\xff", 1)),
    "a field that is longer than the answer": b"\x0a\x05abc",
    "a number without an end": b"\x08" + b"\xff" * 20,
    "a group, which is no longer in use": b"\x0b\x0c",
    "eight bytes that are seven": varint(1 << 3 | 1) + bytes(7),
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=list(BROKEN))
def test_refused_is(answer: bytes) -> None:
    with pytest.raises(NotPodResources):
        podresources.holders(answer)


def test_fields_that_are_not_known_are_passed_over() -> None:
    unknown = field(77, "new") + varint(78 << 3) + varint(2**40) + varint(79 << 3 | 1) + bytes(8)
    answer = pods(pod("p", container("c", "GPU-a")) + unknown) + unknown + varint(80 << 3 | 5) + bytes(4)

    assert podresources.holders(answer) == {"GPU-a": (Holder("models", "p", "c"),)}


@given(st.binary(max_size=64))
@example(b"\x0a" * 40)
def test_any_bytes_are_read_or_refused(answer: bytes) -> None:
    try:
        podresources.holders(answer)
    except NotPodResources:
        return


@given(st.data())
def test_an_answer_that_is_changed_somewhere_is_read_or_refused(data: st.DataObject) -> None:
    answer = bytearray(pods(pod("p", container("c", "GPU-a::1", claimed=["gpu-0"]))))
    answer[data.draw(st.integers(0, len(answer) - 1))] = data.draw(st.integers(0, 255))
    try:
        podresources.holders(bytes(answer))
    except NotPodResources:
        return
