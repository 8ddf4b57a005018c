import dataclasses
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.telemetry import gpus
from steelyard.telemetry.gpus import Gpu

EXPORTERS = Path(__file__).parents[2] / "fakes" / "exporters"
A, B = "GPU-5a1d6c3e-0b7f-4d52-9c1e-2f6a8e0b4d11", "GPU-c07e9b42-6f3d-41a8-b5d0-91f2d3a7e655"
QWEN = ("models", "qwen-7d9c5b6f4-x2k8p")


def told(name: str) -> bytes:
    return (EXPORTERS / f"{name}.txt").read_bytes()


def lines(*metrics: str, labels: str = f'UUID="{A}"') -> bytes:
    return "".join(f"DCGM_FI_{metric.replace(' ', f'{{{labels}}} ')}\n" for metric in metrics).encode()


def test_an_exporter_in_kubernetes_tells_who_has_which_gpu() -> None:
    common = Gpu("", name="NVIDIA L4", node="gpu-node-1", memory_total_mib=23034.0)
    assert gpus.read(told("dcgm-4.4-kubernetes")) == (
        dataclasses.replace(
            common,
            uuid=A,
            index="0",
            utilization_percent=93.0,
            memory_used_mib=17743.0,
            temperature_celsius=67.0,
            power_watts=71.842,
            energy_joules=5123456.789,
            pods=frozenset({QWEN}),
        ),
        dataclasses.replace(
            common,
            uuid=B,
            index="1",
            utilization_percent=0.0,
            memory_used_mib=3.0,
            temperature_celsius=38.0,
            power_watts=16.205,
            energy_joules=998877.665,
        ),
    )


def test_an_older_exporter_tells_neither_pods_nor_reserved_memory() -> None:
    (gpu,) = gpus.read(told("dcgm-3.1-host"))
    assert (gpu.uuid, gpu.name, gpu.node, gpu.pods) == (A, "Tesla T4", "box", frozenset())
    assert (gpu.memory_used_mib, gpu.memory_total_mib, gpu.utilization_percent) == (3925.0, 14959.0, 41.0)


def test_dcgms_words_for_no_value_are_no_values() -> None:
    first, second = gpus.read(told("dcgm-2.1-old-namespace"))
    assert first == Gpu(
        A,
        index="0",
        memory_used_mib=1.0,
        memory_total_mib=15110.0,
        temperature_celsius=41.0,
        power_watts=43.795,
        pods=frozenset({("models", "vllm-0")}),
    )
    assert second == Gpu(B, index="1", utilization_percent=12.0, memory_used_mib=1.0)


def test_a_gpu_that_is_divided_is_its_instances() -> None:
    whole, large, small = gpus.read(told("dcgm-4.2-mig"))
    assert (large.uuid, small.uuid, whole.uuid) == (f"MIG-{A}/1", f"MIG-{A}/9", B)
    assert (large.index, small.index, whole.index) == ("0", "0", "1")
    assert (large.memory_used_mib, large.memory_total_mib) == (18743.0, 19775.0)
    assert large.utilization_percent == pytest.approx(99.7812)
    assert (small.utilization_percent, small.pods) == (None, frozenset())
    assert large.pods == {("models", "large-0")}


def test_the_agent_is_told_from_other_exporters() -> None:
    (gpu,) = gpus.read(told("agent"))
    assert (gpu.source, gpu.uuid, gpu.utilization_percent) == ("Agent", A, 88.0)
    assert gpu.memory_total_mib == 12034.0 + 12048.0 + 482.0
    assert {gpu.source for gpu in gpus.read(told("dcgm-4.4-kubernetes"))} == {"Dcgm"}


def test_the_agent_tells_the_uuid_of_an_instance() -> None:
    labels = f'gpu="0",UUID="{A}",GPU_I_PROFILE="1g.10gb",GPU_I_ID="7",MIG_UUID="MIG-%s"'
    answer = lines("DEV_FB_USED 5", labels=labels % "x") + lines("DEV_FB_USED 6", labels=labels % "y")
    assert [gpu.uuid for gpu in gpus.read(answer)] == ["MIG-x", "MIG-y"]


def test_pods_that_share_a_gpu_are_all_told() -> None:
    labels = f'UUID="{A}",container="c",namespace="models",pod="%s",vgpu="%d"'
    answer = b"".join(lines("DEV_GPU_UTIL 50", labels=labels % (pod, n)) for n, pod in enumerate("abb"))
    (gpu,) = gpus.read(answer)
    assert gpu.pods == {("models", "a"), ("models", "b")}
    assert gpus.of_pod((gpu,), "models", "b") == (gpu,)
    assert gpus.of_pod((gpu,), "others", "b") == ()


def test_behind_prometheus_the_pod_is_not_the_exporters_own() -> None:
    labels = f'UUID="{A}",exported_namespace="models",exported_pod="a",namespace="gpu-operator",pod="dcgm-x"'
    (gpu,) = gpus.read(lines("DEV_GPU_UTIL 50", labels=labels))
    assert gpu.pods == {("models", "a")}


@pytest.mark.parametrize(
    ("metric", "field"),
    [
        ("DEV_GPU_UTIL 101", "utilization_percent"),
        ("DEV_GPU_UTIL -1", "utilization_percent"),
        ("PROF_GR_ENGINE_ACTIVE 50", "utilization_percent"),
        ("DEV_GPU_TEMP -300", "temperature_celsius"),
        ("DEV_POWER_USAGE 2147483632", "power_watts"),
        ("DEV_POWER_USAGE NaN", "power_watts"),
        ("DEV_TOTAL_ENERGY_CONSUMPTION 2147483647", "energy_joules"),
        ("DEV_TOTAL_ENERGY_CONSUMPTION 9223372036854775792", "energy_joules"),
        ("DEV_FB_USED +Inf", "memory_used_mib"),
        ("DEV_FB_TOTAL 140737488355330.0", "memory_total_mib"),
        ("DEV_FB_USED 10", "memory_total_mib"),
    ],
)
def test_a_number_that_cannot_be_true_is_absent_and_the_gpu_is_not(metric: str, field: str) -> None:
    (gpu,) = gpus.read(lines(metric))
    assert (gpu.uuid, getattr(gpu, field)) == (A, None)


def test_energy_may_be_more_than_32_bits_hold() -> None:
    (gpu,) = gpus.read(lines("DEV_TOTAL_ENERGY_CONSUMPTION 2147483648"))
    assert gpu.energy_joules == 2147483.648


def test_an_exporter_may_tell_the_whole_memory_itself() -> None:
    (gpu,) = gpus.read(lines("DEV_FB_USED 10", "DEV_FB_FREE 80", "DEV_FB_TOTAL 100"))
    assert gpu.memory_total_mib == 100.0


@pytest.mark.parametrize("labels", ["", 'UUID=""', 'gpu="0"', f'UUID="{"x" * 97}"', 'UUID="a\\nb"'])
def test_lines_without_a_uuid_tell_nothing(labels: str) -> None:
    with pytest.raises(gpus.NothingTold):
        gpus.read(lines("DEV_GPU_UTIL 50", labels=labels))


@pytest.mark.parametrize("answer", [b"", b"<html>", b'nvidia_smi_utilization_gpu_ratio{uuid="x"} 1'])
def test_who_tells_of_no_gpu_has_not_said_that_there_is_none(answer: bytes) -> None:
    with pytest.raises(gpus.NothingTold):
        gpus.read(answer)


def test_an_agent_says_that_there_is_no_gpu() -> None:
    assert gpus.read(b'steelyard_agent_info{version="0.1.0"} 1\n') == ()


@pytest.mark.parametrize("alone", [True, False])
def test_where_pods_are_told_they_decide(alone: bool) -> None:
    found = gpus.read(told("dcgm-4.4-kubernetes"))
    assert gpus.of_endpoint(found, *QWEN, alone=alone) == found[:1]
    assert gpus.of_endpoint(found, "models", "another", alone=alone) == ()


def test_where_no_pods_are_told_all_belong_to_an_engine_that_is_alone() -> None:
    found = gpus.read(told("dcgm-3.1-host"))
    assert gpus.of_endpoint(found, *QWEN, alone=True) == found
    assert gpus.of_endpoint(found, *QWEN) == ()


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_any_bytes_can_be_read(labels: bytes, value: bytes) -> None:
    metric = b"DCGM_FI_DEV_GPU_UTIL{%b} %b\n"
    with suppress(gpus.NothingTold):
        for gpu in gpus.read(metric % (labels, value) + metric % (b'UUID="x",' + labels, value)):
            assert gpu.uuid
