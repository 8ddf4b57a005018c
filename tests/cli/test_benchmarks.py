"""`steelyard benchmarks import` as users have it: what it prints, what it writes, and what it refuses."""

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from fakes import engines
from fakes.engines import Ask
from fakes.kubernetes_api import fake_api_server
from steelyard.api.profile import Category, Prior, automatic_name
from steelyard.files import reading
from steelyard_cli import __main__ as cli

Steelyard = Callable[..., subprocess.CompletedProcess[str]]

FOLDER = """\
apiVersion: steelyard.dev/v1alpha1
kind: LLMBackend
metadata: {name: alpha}
spec:
  engine: VLLM
  url: http://127.0.0.1:8000
  models: [{name: org/Tiny-1B}, {name: other, aliases: [Big 70B]}, {name: tini-1b}]
---
apiVersion: steelyard.dev/v1alpha1
kind: ModelProfile
metadata: {name: tiny}
spec:
  backendRef: {name: alpha}
  model: org/Tiny-1B  # the small one
  priors:
  - {category: Math, scorePercent: 20, samples: 10, source: old}
  - {category: Writing, scorePercent: 70, samples: 10, source: old}
"""
BOARD = "model,sums,sense\nTiny 1B,31,0.5\nBig 70B,88,0.9\nHuge,99,1\n"
COLUMNS = ("--model-column=model", "--category=Math=sums", "--category=Reasoning=sense")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "conf"
    made.mkdir()
    (made / "all.yaml").write_text(FOLDER)
    return made


@pytest.fixture
def board(tmp_path: Path) -> Path:
    file = tmp_path / "board.csv"
    file.write_text(BOARD)
    return file


def test_without_write_profiles_are_printed_to_be_applied_and_nothing_changes(
    steelyard: Steelyard, folder: Path, board: Path
) -> None:
    done = steelyard("benchmarks", "import", board, f"--source=file:{folder}", *COLUMNS)
    big, tiny = yaml.safe_load_all(done.stdout)
    today = datetime.now(UTC).date().isoformat()

    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == [
        "3 rows.",
        "Math: sums (percent, 31 to 99)",
        "Reasoning: sense (ratio, 0.5 to 1)",
        'org/Tiny-1B on alpha: "Tiny 1B" (row 1): Math 31% (before: 20% of 10 samples, old), Reasoning 50%',
        'other on alpha: "Big 70B" (row 2): Math 88%, Reasoning 90%',
        "tini-1b on alpha: no row of its name; near are \"Tiny 1B\": --match 'Tiny 1B=tini-1b' takes it",
    ]
    assert big["metadata"]["name"] == "tiny"
    assert big["spec"]["priors"] == [
        {"category": "Math", "scorePercent": 31, "samples": 50, "source": f"board.csv, {today}"},
        {"category": "Reasoning", "scorePercent": 50, "samples": 50, "source": f"board.csv, {today}"},
        {"category": "Writing", "scorePercent": 70, "samples": 10, "source": "old"},
    ]
    assert tiny["spec"]["model"] == "other"
    assert [file.name for file in folder.iterdir()] == ["all.yaml"]
    assert (folder / "all.yaml").read_text() == FOLDER


def test_what_is_printed_is_a_resource(
    steelyard: Steelyard, folder: Path, board: Path, tmp_path: Path
) -> None:
    done = steelyard("benchmarks", "import", board, f"--source=file:{folder}", *COLUMNS)
    applied = tmp_path / "applied.yaml"
    applied.write_text(done.stdout)
    assert len(reading.load_file(applied).resources.profiles) == 2


def test_with_write_the_files_have_them_and_keep_their_comments(
    steelyard: Steelyard, folder: Path, board: Path
) -> None:
    words = ("--write", "--origin=a board, 2026-11", "--samples=20", "--match=Huge=tini-1b@alpha")
    done = steelyard("benchmarks", "import", board, f"--source=file:{folder}", *COLUMNS, *words)
    found = reading.load(folder).resources.profiles.values()
    priors = {one.spec.model: one.spec.priors for one in found}

    assert (done.returncode, done.stdout) == (0, "")
    assert [prior.score_percent for prior in priors["tini-1b"]] == [99, 100]
    assert priors["other"][0] == Prior(
        category=Category.MATH, score_percent=88, samples=20, source="a board, 2026-11"
    )
    assert [prior.source for prior in priors["org/Tiny-1B"]] == [*["a board, 2026-11"] * 2, "old"]
    assert "model: org/Tiny-1B  # the small one\n" in (folder / "all.yaml").read_text()


REFUSED: dict[str, tuple[tuple[str, ...], int, str]] = {
    "a column of names that is not there": (
        ("--model-column=name",),
        1,
        "has no column 'name'; it has model,",
    ),
    "a category that is none": (("--category=Maths=sums",), 2, "write CATEGORY=COLUMN, with one of Math,"),
    "a column that is not there": (("--category=Coding=code",), 1, "has no column 'code'"),
    "a row that is not there": (
        ("--match=Big 70=other",),
        1,
        "the leaderboard has no 'Big 70'; near are \"Big 70B\"",
    ),
    "a model that is not ours": (("--match=Big 70B=huge",), 1, "no backend here serves 'huge'"),
    "a match without a sign": (("--match=Big 70B",), 1, "write 'THEIR NAME=our model'"),
    "writing into a cluster": (("--write", "--source=kubernetes"), 2, "kubectl apply --server-side -f -"),
    "another namespace": (("--namespace=team",), 1, "No backend of namespace team serves a model."),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_a_sentence_and_changes_nothing(
    case: str, steelyard: Steelyard, folder: Path, board: Path
) -> None:
    words, status, said = REFUSED[case]
    done = steelyard("benchmarks", "import", board, f"--source=file:{folder}", *COLUMNS, *words)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in " ".join(done.stderr.split())
    assert (folder / "all.yaml").read_text() == FOLDER


def test_a_file_that_is_not_there_is_told(steelyard: Steelyard, folder: Path) -> None:
    done = steelyard("benchmarks", "import", "absent.csv", f"--source=file:{folder}", *COLUMNS)
    assert (done.returncode, done.stderr) == (1, "absent.csv cannot be read: No such file or directory\n")


def test_a_leaderboard_on_the_web_is_fetched(steelyard: Steelyard, folder: Path) -> None:
    def serve(ask: Ask) -> None:
        if ask.line.startswith(b"GET /moved "):
            ask.send(engines.answer(b"", "302 Found", b"location: /board.csv\r\n"))
        else:
            ask.send(engines.answer(BOARD.encode(), headers=b"content-type: text/csv\r\n"))

    with engines.engine(serve) as up:
        url = f"http://127.0.0.1:{up.port}/moved"
        done = steelyard("benchmarks", "import", url, f"--source=file:{folder}", *COLUMNS)
    assert done.returncode == 0, done.stderr
    assert "source: 127.0.0.1, " in done.stdout
    assert [ask.line for ask in up.asks] == [b"GET /moved HTTP/1.1", b"GET /board.csv HTTP/1.1"]


def test_models_of_a_cluster_get_their_priors_as_what_is_to_be_applied(
    tmp_path: Path, board: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = {"engine": "OpenAI", "url": "https://cloud.example.com", "models": [{"name": "tiny-1b"}]}
    kind = {"apiVersion": "steelyard.dev/v1alpha1", "kind": "LLMBackend"}
    with fake_api_server() as (url, server):
        server.put(
            "llmbackends", {**kind, "metadata": {"name": "cloud", "namespace": "models"}, "spec": spec}
        )
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
        }
        (tmp_path / "kubeconfig").write_text(json.dumps(config))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        words = ("benchmarks", "import", str(board), "--source=kubernetes", "--namespace=models", *COLUMNS)
        assert cli.main(words) == 0
    printed = tmp_path / "priors.yaml"
    printed.write_text(capsys.readouterr().out)

    [(key, profile)] = reading.load_file(printed).resources.profiles.items()
    assert key == ("models", automatic_name("cloud", "tiny-1b"))
    assert [prior.score_percent for prior in profile.spec.priors] == [31, 50]
