"""Rules of the tree that no linter knows: names, lengths, and what may not be written into a file."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("core", "operator", "gateway", "cli", "tests", "hack", "docs", "examples", ".ci", ".github")
TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".txt", ".svg", ".json", ".cfg", ".sh", ""}
MOST_LINES = 400
REFUSED_NAMES = re.compile(r"^(utils?|helpers?|common|managers?|base(_.*)?)$")
LEFT_FOR_LATER = re.compile("TO" + r"DO(?!`)|FIX" + "ME")
PLACES_OF_ONE_MACHINE = re.compile(r"""(?:^|[\s"'(=`])/(?:work|root|home|Users|farm)/""", re.MULTILINE)


def python_files() -> list[Path]:
    return [path for path in our_files() if path.suffix == ".py"]


def our_files() -> Iterator[Path]:
    yield from (path for path in ROOT.iterdir() if path.is_file() and path.suffix in TEXT)
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix in TEXT and "__pycache__" not in path.parts:
                yield path


def test_operator_is_a_folder_and_never_a_package() -> None:
    assert not (ROOT / "operator/__init__.py").exists(), "it would hide Python's own module `operator`"


def test_the_walk_sees_the_files_it_judges() -> None:
    seen = {path.relative_to(ROOT).as_posix() for path in our_files()}

    assert {"pyproject.toml", "Makefile", ".ci/run", "core/steelyard/__init__.py"} <= seen


def test_no_module_is_longer_than_400_lines() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in python_files()}

    assert {path: lines for path, lines in lengths.items() if lines > MOST_LINES} == {}


def test_every_module_is_named_by_its_idea() -> None:
    assert [path for path in python_files() if REFUSED_NAMES.match(path.stem)] == []


@pytest.mark.parametrize("pattern", [LEFT_FOR_LATER, PLACES_OF_ONE_MACHINE], ids=["unfinished", "places"])
def test_no_file_holds_unfinished_work_or_places_of_one_machine(pattern: re.Pattern[str]) -> None:
    assert [path for path in our_files() if pattern.search(path.read_text())] == []


def test_constraints_are_pins_without_an_address() -> None:
    pins = (ROOT / "constraints.txt").read_text().splitlines()[1:]
    pin = re.compile(r"[a-z0-9-]+==[\w.]+( ; [\w .<>=!'\"()]+)?")

    assert len(pins) > 20
    assert [line for line in pins if not pin.fullmatch(line)] == []
