"""A real API server takes the examples for a cluster."""

from pathlib import Path

import pytest
import yaml

from kube.control_plane import ControlPlane

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLDERS = sorted(path.name for path in EXAMPLES.iterdir() if not (path / "compose.yaml").exists())


def test_there_are_some() -> None:
    assert FOLDERS == ["mixed", "ollama", "vllm"]


@pytest.mark.parametrize("name", FOLDERS)
def test_an_example_is_accepted_as_its_page_applies_it(
    control_plane: ControlPlane, namespace: str, name: str
) -> None:
    files = (EXAMPLES / name).glob("*.yaml")
    number = sum(1 for path in files for _ in yaml.safe_load_all(path.read_text()))
    checked = ("--dry-run=server", "--validate=strict")

    ran = control_plane.kubectl("apply", "--namespace", namespace, *checked, "-f", str(EXAMPLES / name))

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("created (server dry run)") == number
    assert "Warning" not in ran.stderr
