"""`steelyard get`: more columns, Markdown, JSON and a picture of what was measured."""

import json
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from steelyard.api.measuring import Suite
from steelyard_profiler import workload

Steelyard = Callable[..., subprocess.CompletedProcess[str]]

BACKENDS = """
apiVersion: steelyard.dev/v1alpha1
kind: LLMBackend
metadata: {name: alpha}
spec:
  engine: VLLM
  url: http://127.0.0.1:8000
  models:
  - name: small|one
  - name: billed
    price: {inputUsdPerMillionTokens: "0.5", outputUsdPerMillionTokens: "2"}
"""


def profile(model: str, score: int | None) -> dict[str, object]:
    spec = {"backendRef": {"name": "alpha"}, "model": model}
    made: dict[str, object] = {
        "apiVersion": "steelyard.dev/v1alpha1",
        "kind": "ModelProfile",
        "metadata": {"name": f"p-{len(model)}"},
        "spec": spec,
    }
    if score is None:
        return made
    levels = [{"level": "Easy", "passed": score // 5, "samples": 20}]
    span = {"scorePercent": score, "lowPercent": score - 9, "highPercent": score + 8}
    status = {
        "fingerprint": {"suite": "Quick/2", "seed": 1},
        "quality": {
            "overall": {**span, "samples": 20},
            "categories": [{"name": "Coding", **span, "levels": levels}],
        },
        "performance": {"ttftMs": {"p50": 41}, "outputTokensPerSecond": 71},
        "resources": {"memoryMiB": 1603},
    }
    return {**made, "status": status}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two models that were measured and one that was not."""
    documents = [profile("small|one", 40), profile("billed", 75), profile("new", None)]
    (tmp_path / "all.yaml").write_text(BACKENDS + "---\n" + yaml.safe_dump_all(documents))
    return tmp_path


def test_wide_adds_categories_price_memory_and_suite(steelyard: Steelyard, folder: Path) -> None:
    ended = steelyard("get", "profiles", "-o", "wide", "--source", f"file:{folder}")

    header, row = (re.split(r" {3,}", line) for line in ended.stdout.splitlines()[:2])
    assert dict(zip(header, row, strict=False)) == {
        "MODEL": "billed",
        "BACKEND": "alpha",
        "QUALITY": "75% (66-83)",
        "TOK/S": "71",
        "TTFT": "41ms",
        "CODING": "75% (66-83)",
        "USD/M IN": "0.5",
        "USD/M OUT": "2",
        "MEM": "1603Mi",
        "FRESH": "Unknown",
        "SUITE": "Quick/2",
        "READY": "True",
    }


SUITE = workload.version(Suite.QUICK)
TODAY = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
FRESH = {
    "of this minute": ({"suite": SUITE, "time": TODAY}, "True"),
    "of 2020": ({"suite": SUITE, "time": "2020-01-01T00:00:00Z"}, "False"),
    "of another suite than its spec asks for": ({"suite": "Standard/1"}, "False"),
    "of a day that nobody tells": ({"suite": SUITE}, "Unknown"),
    "of another engine than the last look at the backend": (
        {"suite": SUITE, "time": TODAY, "engineVersion": "2.0"},
        "True",
    ),
}


@pytest.mark.parametrize("case", FRESH)
def test_whether_a_measurement_holds_is_told_as_of_now(
    case: str, steelyard: Steelyard, tmp_path: Path
) -> None:
    mark, said = FRESH[case]
    one: Any = profile("billed", 40)
    one["status"]["fingerprint"] = {**mark, "seed": 1}
    told = "status: {engineVersion: '1.0'}\n"
    (tmp_path / "all.yaml").write_text(f"{BACKENDS}{told}---\n{yaml.safe_dump(one)}")
    ended = steelyard("get", "profiles", "-o", "md", "--source", f"file:{tmp_path}")

    header, _, row = (line.strip("| ").split(" | ") for line in ended.stdout.splitlines())
    assert dict(zip(header, row, strict=False))["FRESH"] == said


SAID = {
    "that an operator saw another engine": ("EngineChanged", "False"),
    "that the suite was another, which it is no more": ("SpecChanged", "True"),
}


@pytest.mark.parametrize("case", SAID)
def test_what_only_an_engine_tells_stands_as_it_was_said(
    case: str, steelyard: Steelyard, tmp_path: Path
) -> None:
    reason, shown = SAID[case]
    one: Any = profile("billed", 40)
    one["status"]["fingerprint"] = {"suite": SUITE, "seed": 1, "time": TODAY}
    one["status"]["conditions"] = [{"type": "Fresh", "status": "False", "reason": reason}]
    (tmp_path / "all.yaml").write_text(BACKENDS + "---\n" + yaml.safe_dump(one))
    ended = steelyard("get", "profiles", "-o", "md", "--source", f"file:{tmp_path}")

    header, _, row = (line.strip("| ").split(" | ") for line in ended.stdout.splitlines())
    assert dict(zip(header, row, strict=False))["FRESH"] == shown


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("backends", "NAME ENGINE READY MODELS VERSION LOCATION REASON MESSAGE AGE"),
        ("policies", "NAME MODELS GOAL CANDIDATES READY PRECISE REASON MESSAGE AGE"),
    ],
)
def test_wide_says_why_something_is_not_ready(
    steelyard: Steelyard, folder: Path, kind: str, columns: str
) -> None:
    policy = "kind: RoutingPolicy\nmetadata: {name: auto}\nspec: {models: [{name: auto}]}\n"
    (folder / "policy.yaml").write_text(f"apiVersion: steelyard.dev/v1alpha1\n{policy}")

    ended = steelyard("get", kind, "-o", "wide", "--source", f"file:{folder}")

    assert ended.stdout.splitlines()[0].split() == columns.split()
    assert "ByFiles" in ended.stdout


def test_wide_says_whether_a_policys_candidates_are_told_apart(steelyard: Steelyard, folder: Path) -> None:
    policy = (
        "kind: RoutingPolicy\nmetadata: {name: auto}\nspec: {models: [{name: auto}], tolerancePercent: 35}\n"
    )
    (folder / "policy.yaml").write_text(f"apiVersion: steelyard.dev/v1alpha1\n{policy}")

    ended = steelyard("get", "policies", "-o", "wide", "--source", f"file:{folder}")

    header, row = (re.split(r" {3,}", line) for line in ended.stdout.splitlines())
    assert dict(zip(header, row, strict=False))["PRECISE"] == "False"


def test_markdown_is_the_wide_table(steelyard: Steelyard, folder: Path) -> None:
    ended = steelyard("get", "profiles", "-o", "md", "--source", f"file:{folder}")

    header, rule, *rows = ended.stdout.splitlines()
    assert header.startswith("| MODEL | BACKEND | QUALITY |") and set(rule) == set("|- ")
    assert [row.split(" | ")[0] for row in rows] == ["| billed", "| new", "| small&#124;one"]
    assert len({row.count("|") for row in (header, rule, *rows)}) == 1


def test_json_is_a_list_that_can_be_read_again(steelyard: Steelyard, folder: Path, tmp_path: Path) -> None:
    ended = steelyard("get", "profiles", "-o", "json", "--source", f"file:{folder}")

    found = json.loads(ended.stdout)
    assert (found["apiVersion"], found["kind"], len(found["items"])) == ("v1", "List", 3)
    again = tmp_path / "again"
    again.mkdir()
    (again / "list.yaml").write_text(BACKENDS + "---\n" + ended.stdout)
    assert steelyard("get", "profiles", "-o", "json", "--source", f"file:{again}").stdout == ended.stdout


def test_the_picture_shows_each_measured_model_and_names_the_others(
    steelyard: Steelyard, folder: Path, tmp_path: Path
) -> None:
    ended = steelyard("get", "profiles", "--plot", tmp_path / "all.svg", "--source", f"file:{folder}")

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    drawn = (tmp_path / "all.svg").read_text()
    for text in ("small|one", "billed", "alpha, 71 tok/s", "Not measured: new on alpha"):
        assert f">{text}<" in drawn, text


def test_the_picture_can_be_a_png(steelyard: Steelyard, folder: Path, tmp_path: Path) -> None:
    assert not steelyard("get", "profiles", "--plot", tmp_path / "a.png", "--source", f"file:{folder}").stderr

    drawn = (tmp_path / "a.png").read_bytes()
    assert drawn.startswith(b"\x89PNG") and struct.unpack(">II", drawn[16:24]) == (1350, 825)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("backends", "--plot", "a.png"), 2, "--plot draws profiles: steelyard get profiles --plot FILE.png"),
        (("profiles", "--plot", "a.xyz"), 1, "a.xyz cannot be written: Format 'xyz' is not supported"),
        (("profiles", "--plot", "no/a.png"), 1, "no/a.png cannot be written: [Errno 2] No such file"),
    ],
)
def test_a_picture_that_cannot_be_drawn_says_why(
    steelyard: Steelyard, folder: Path, words: tuple[str, ...], status: int, said: str
) -> None:
    ended = steelyard("get", *words, "--source", f"file:{folder}")

    assert (ended.returncode, ended.stderr.startswith(said)) == (status, True), ended.stderr


def test_without_matplotlib_it_is_said_how_to_get_it(folder: Path) -> None:
    without = "import sys; sys.modules['matplotlib'] = None; from steelyard_cli.__main__ import main; "
    words = ["get", "profiles", "--plot", "a.png", "--source", f"file:{folder}"]
    ended = subprocess.run(
        [sys.executable, "-c", without + f"sys.exit(main({words!r}))"], capture_output=True, text=True
    )

    assert (ended.returncode, ended.stderr) == (1, "--plot needs matplotlib: pip install 'steelyard[plot]'\n")
