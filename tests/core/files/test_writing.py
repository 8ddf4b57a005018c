"""A status goes back into its file, and nothing else in the file changes."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from steelyard.api.meta import Condition, ConditionStatus, ObjectMeta
from steelyard.api.profile import Category, ModelProfile, ModelProfileStatus, Prior, Run
from steelyard.files import reading, writing
from steelyard.files.problems import FilesError

SPEC = "spec: {backendRef: {name: b}, model: m}"
HEAD = "apiVersion: steelyard.dev/v1alpha1\nkind: ModelProfile\n"
NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
STATUS = ModelProfileStatus(
    conditions=(
        Condition(
            type="Ready",
            status=ConditionStatus.TRUE,
            reason="Measured",
            message="Measured: 7 of 9, well.",
            last_transition_time=NOW,
        ),
    ),
    run=Run(start_time=NOW, completion_time=NOW, tokens_used=7),
)
WRITTEN = """status:
  conditions:
  - type: Ready
    status: "True"
    reason: Measured
    message: 'Measured: 7 of 9, well.'
    lastTransitionTime: '2026-11-21T10:00:00Z'
  run:
    startTime: '2026-11-21T10:00:00Z'
    completionTime: '2026-11-21T10:00:00Z'
    tokensUsed: 7
"""

CASES = {
    "no status yet": (
        HEAD + "metadata: {name: p}\nspec: {backendRef: {name: b}, model: m}  # why\n",
        HEAD + "metadata: {name: p}\nspec: {backendRef: {name: b}, model: m}  # why\n" + WRITTEN,
    ),
    "no end of line": (
        HEAD + "metadata: {name: p}\nspec: {backendRef: {name: b}, model: m}",
        HEAD + "metadata: {name: p}\nspec: {backendRef: {name: b}, model: m}\n" + WRITTEN,
    ),
    "a status in the middle": (
        HEAD + "metadata: {name: p}\nstatus:\n  # old\n  run: null\n\n# the spec\n" + SPEC + "\n",
        HEAD + "metadata: {name: p}\n" + WRITTEN + "\n# the spec\n" + SPEC + "\n",
    ),
    "an empty status": (
        HEAD + "metadata: {name: p}\n" + SPEC + "\nstatus: # later\n",
        HEAD + "metadata: {name: p}\n" + SPEC + "\n" + WRITTEN.rstrip() + " # later\n",
    ),
    "the second of three documents": (
        "# first\nkind: List\n---\n"
        + HEAD
        + "metadata:\n    name:   p\n"
        + SPEC
        + "\n"
        + "status: {run: null}\n# third\n---\n\nkind: List\n...\n",
        "# first\nkind: List\n---\n"
        + HEAD
        + "metadata:\n    name:   p\n"
        + SPEC
        + "\n"
        + WRITTEN
        + "# third\n---\n\nkind: List\n...\n",
    ),
    "an item of a List": (
        "kind: List\nitems:\n  - kind: ModelProfile\n    apiVersion: steelyard.dev/v1alpha1\n"
        "    metadata: {name: p}\n    spec: {backendRef: {name: b}, model: m}\n  # the end\n",
        "kind: List\nitems:\n  - kind: ModelProfile\n    apiVersion: steelyard.dev/v1alpha1\n"
        "    metadata: {name: p}\n    spec: {backendRef: {name: b}, model: m}\n"
        + "".join(f"    {line}\n" for line in WRITTEN.splitlines())
        + "  # the end\n",
    ),
}


def profile() -> ModelProfile:
    return ModelProfile.model_validate(
        {"metadata": {"name": "p"}, "spec": {"backendRef": {"name": "b"}, "model": "m"}}
    ).model_copy(update={"status": STATUS})


def status_of(directory: Path) -> ModelProfileStatus:
    return reading.load(directory).resources.profiles["default", "p"].status


def write_into(file: Path, text: str) -> str:
    file.write_text(text)
    before = reading.load(file.parent)
    writing.write_status(before.place(before.resources.profiles["default", "p"]), profile())
    return file.read_text()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case)
def test_only_the_status_changes(case: str, tmp_path: Path) -> None:
    before, after = CASES[case]

    assert write_into(tmp_path / "a.yaml", before) == after
    assert status_of(tmp_path) == STATUS


@pytest.mark.parametrize(
    "status", ["", ", status: {run: null}", ", status: {}, "], ids=["none", "old", "comma"]
)
def test_an_object_in_brackets_keeps_them(status: str, tmp_path: Path) -> None:
    text = (
        "{apiVersion: steelyard.dev/v1alpha1, kind: ModelProfile, metadata: {name: p}, "
        f"spec: {{backendRef: {{name: b}}, model: m}}{status}}} # note\n"
    )
    after = write_into(tmp_path / "a.yaml", text)

    assert after.endswith("} # note\n")
    assert status_of(tmp_path) == STATUS


@pytest.mark.parametrize("indent", [None, 2, "\t"], ids=["one line", "two spaces", "tabs"])
def test_json_stays_json(indent: int | str | None, tmp_path: Path) -> None:
    value = {
        "apiVersion": "steelyard.dev/v1alpha1",
        "kind": "ModelProfile",
        "metadata": {"name": "p"},
        "spec": {"backendRef": {"name": "b"}, "model": "m"},
    }
    after = write_into(tmp_path / "a.json", json.dumps(value, indent=indent))
    found = json.loads(after)

    assert {key: found[key] for key in value} == value
    assert after == json.dumps(found, indent=indent) + "\n"
    assert status_of(tmp_path) == STATUS


def test_an_object_that_moved_is_found_again(tmp_path: Path) -> None:
    before, after = CASES["no status yet"]
    (tmp_path / "a.yaml").write_text(before)
    loaded = reading.load(tmp_path)
    (tmp_path / "a.yaml").write_text("# new\n---\nkind: List\n---\n" + before)
    writing.write_status(loaded.place(loaded.resources.profiles["default", "p"]), profile())

    assert (tmp_path / "a.yaml").read_text() == "# new\n---\nkind: List\n---\n" + after


def test_an_object_that_is_gone_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CASES["no status yet"][0])
    loaded = reading.load(tmp_path)
    (tmp_path / "a.yaml").write_text("# empty\n")
    with pytest.raises(FilesError, match=r"a\.yaml: ModelProfile p is no longer in this file"):
        writing.write_status(loaded.place(loaded.resources.profiles["default", "p"]), profile())

    assert (tmp_path / "a.yaml").read_text() == "# empty\n"


def test_a_status_that_another_object_takes_by_alias_is_left_alone(tmp_path: Path) -> None:
    run = "{startTime: 2026-01-01T00:00:00Z, completionTime: 2026-01-01T00:00:00Z, tokensUsed: 1}"
    head = "  - apiVersion: steelyard.dev/v1alpha1\n    kind: ModelProfile\n"
    first = f"{head}    metadata: {{name: p}}\n    {SPEC}\n    status: {{run: &run {run}}}\n"
    second = f"{head}    metadata: {{name: q}}\n    {SPEC}\n    status: {{run: *run}}\n"
    text = f"kind: List\nitems:\n{first}{second}"
    with pytest.raises(FilesError, match="status cannot be put here: write this object in block style"):
        write_into(tmp_path / "a.yaml", text)

    assert (tmp_path / "a.yaml").read_text() == text


def test_mode_is_kept_and_no_other_file_is_left(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.touch(0o640)
    write_into(file, CASES["no status yet"][0])

    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["a.yaml"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/a.yaml").touch()
    (tmp_path / "a.yaml").symlink_to("real/a.yaml")
    write_into(tmp_path / "a.yaml", CASES["no status yet"][0])

    assert (tmp_path / "a.yaml").is_symlink()
    assert status_of(tmp_path) == STATUS


def test_a_place_that_takes_no_file_is_a_problem_and_the_old_file_stays(tmp_path: Path) -> None:
    file = tmp_path / f"{'n' * 250}.yaml"
    with pytest.raises(FilesError, match="status cannot be written: File name too long"):
        write_into(file, CASES["no status yet"][0])

    assert file.read_text() == CASES["no status yet"][0]
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_new_object_gets_a_file_of_its_own(tmp_path: Path) -> None:
    path = writing.create(tmp_path, profile())

    assert path.name == "modelprofile-p.yaml"
    assert path.read_text() == (
        HEAD + "metadata:\n  name: p\nspec:\n  backendRef:\n    name: b\n  model: m\n" + WRITTEN
    )
    assert status_of(tmp_path) == STATUS


def test_objects_of_one_name_in_two_namespaces_get_two_files(tmp_path: Path) -> None:
    other = profile().model_copy(update={"metadata": ObjectMeta(name="p", namespace="team")})
    writing.create(tmp_path, profile())

    assert writing.create(tmp_path, other).name == "modelprofile-team-p.yaml"


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "modelprofile-p.yaml").write_text("# mine\n")
    with pytest.raises(FilesError, match=r"modelprofile-p\.yaml: exists already: rename or remove it"):
        writing.create(tmp_path, profile())

    assert (tmp_path / "modelprofile-p.yaml").read_text() == "# mine\n"


@pytest.mark.parametrize(
    "text", ["1e5", "0.15", "yes", "null", "2026-01-01", "0x1f", "~", "a: b", "# x", " a", ".5", "é"]
)
def test_text_is_read_again_as_the_same_text(text: str, tmp_path: Path) -> None:
    spec = profile().spec.model_copy(update={"model": text})
    writing.create(tmp_path, profile().model_copy(update={"spec": spec, "status": ModelProfileStatus()}))
    [document] = reading.read_documents(tmp_path / "modelprofile-p.yaml")

    assert document.value["spec"]["model"] == text


PRIOR = Prior(category=Category.MATH, score_percent=51, samples=50, source="a board, 2026-11")
TOLD = "priors:\n  - category: Math\n    scorePercent: 51\n    samples: 50\n    source: a board, 2026-11\n"

PLACES = {
    "a new field in block style": (
        HEAD + "metadata: {name: p}\nspec:\n  backendRef: {name: b}\n  model: m  # ours\n# end\nstatus: {}\n",
        HEAD
        + "metadata: {name: p}\nspec:\n  backendRef: {name: b}\n  model: m  # ours\n  "
        + TOLD
        + "# end\nstatus: {}\n",
    ),
    "a field that is there": (
        HEAD + "metadata: {name: p}\nspec:\n  priors: []  # none\n  backendRef: {name: b}\n  model: m\n",
        HEAD
        + "metadata: {name: p}\nspec:\n  "
        + TOLD.rstrip("\n")
        + "  # none\n  backendRef: {name: b}\n  model: m\n",
    ),
    "a new field in flow style": (
        HEAD + "metadata: {name: p}\n" + SPEC + "\n",
        HEAD + "metadata: {name: p}\n" + SPEC[:-1] + ", priors: "
        '[{"category": "Math", "scorePercent": 51, "samples": 50, "source": "a board, 2026-11"}]}\n',
    ),
}


@pytest.mark.parametrize("case", PLACES)
def test_a_field_of_the_spec_goes_to_its_place_and_nothing_else_changes(case: str, tmp_path: Path) -> None:
    before, after = PLACES[case]
    file = tmp_path / "a.yaml"
    file.write_text(before)
    loaded = reading.load(tmp_path)
    [found] = loaded.resources.profiles.values()
    spec = found.spec.model_copy(update={"priors": (PRIOR,)})
    changed = found.model_copy(update={"spec": spec})

    writing.write_field(loaded.place(found), changed, ("spec", "priors"))

    assert file.read_text() == after
    assert reading.load(tmp_path).resources.profiles["default", "p"].spec.priors == (PRIOR,)
