"""crds/ is what the types say. What the API server makes of it is tested in tests/kube."""

from pathlib import Path

import pytest

from steelyard_cli import crds
from steelyard_cli.__main__ import main

CRDS = Path(__file__).parents[2] / "crds"


def test_the_files_are_those_of_the_types() -> None:
    assert {path.name: path.read_text() for path in CRDS.iterdir()} == crds.files(), "run `make crds`"


def test_the_command_prints_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crds"]) == 0
    assert capsys.readouterr().out == "---\n".join(path.read_text() for path in sorted(CRDS.iterdir()))
