"""The operator's settings, as flags and from the environment."""

import os

import pytest

from steelyard_operator import settings

IMAGE = "--profiler-image=steelyard/operator:1"


@pytest.mark.parametrize(
    ("words", "environment", "namespaces"),
    [
        ([], {}, ()),
        (["--namespace", "a", "--namespace=b"], {}, ("a", "b")),
        (["--namespace", "a,b", "--namespace", "c"], {}, ("a", "b", "c")),
        ([], {"STEELYARD_NAMESPACE": "a, b"}, ("a", "b")),
        (["--namespace", "c"], {"STEELYARD_NAMESPACE": "a,b"}, ("c",)),
    ],
)
def test_namespaces_may_be_given_one_by_one_or_with_commas(
    words: list[str], environment: dict[str, str], namespaces: tuple[str, ...]
) -> None:
    assert settings.parse([IMAGE, *words], environment).namespaces == namespaces


@pytest.mark.parametrize(
    ("words", "environment", "services"),
    [
        ([], {}, ()),
        (["--gpu-exporter", "gpu/dcgm", "--gpu-exporter=agent"], {}, (("gpu", "dcgm"), ("", "agent"))),
        ([], {"STEELYARD_GPU_EXPORTER": "gpu/dcgm, agent"}, (("gpu", "dcgm"), ("", "agent"))),
    ],
)
def test_gpu_exporters_may_be_given_one_by_one_or_with_commas(
    words: list[str], environment: dict[str, str], services: tuple[tuple[str, str], ...]
) -> None:
    assert settings.parse([IMAGE, *words], environment).gpu_exporters == services


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "the following arguments are required: --profiler-image"),
        ([IMAGE, "--namespace", "Team_A"], "'Team_A' is not the name of a namespace"),
        ([IMAGE, "--gpu-exporter", "a/b/c"], "'a/b/c' is not a Service: write SERVICE or NAMESPACE/SERVICE"),
        ([IMAGE, "--max-concurrent-profiles", "0"], "'0' is not a whole number from 1 to 1000"),
    ],
)
def test_a_mistake_is_told_with_the_flag(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        settings.parse(words, {})
    assert said in capsys.readouterr().err


def test_two_operators_on_one_host_have_names_of_their_own() -> None:
    assert settings.parse([IMAGE], {}).identity.endswith(f"-{os.getpid()}")
    assert settings.parse([IMAGE, "--identity", "pod-1"], {}).identity == "pod-1"
