"""`steelyard profile --compare`: do our scores rank the models as somebody's own evaluation does?"""

import itertools
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from steelyard_cli import comparing

Steelyard = Callable[..., subprocess.CompletedProcess[str]]


def profile(model: str, score: int, backend: str = "alpha") -> dict[str, object]:
    span: dict[str, object] = {"scorePercent": score, "lowPercent": score - 5, "highPercent": score + 5}
    levels = [{"level": "Easy", "passed": score, "samples": 100}]
    theirs: dict[str, object] = {
        "scorePercent": 100 - score,
        "lowPercent": 95 - score,
        "highPercent": 105 - score,
    }
    math: dict[str, object] = {"name": "Math", **theirs, "levels": levels}
    overall: dict[str, object] = {**span, "samples": 100}
    return {
        "apiVersion": "steelyard.dev/v1alpha1",
        "kind": "ModelProfile",
        "metadata": {"name": f"{model}-{backend}"},
        "spec": {"backendRef": {"name": backend}, "model": model},
        "status": {"quality": {"overall": overall, "categories": [math]}},
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = [profile("a", 80), profile("b", 72), profile("c", 40), profile("d", 20)]
    found += [profile("twin", 50), profile("twin", 60, "beta")]
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(found))
    return tmp_path


def compared(steelyard: Steelyard, folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    scores = folder.parent / "scores.csv"
    scores.write_text(text)
    return steelyard("profile", "--source", f"file:{folder}", "--compare", scores)


def test_the_ranks_of_both_are_shown_with_their_correlation(steelyard: Steelyard, folder: Path) -> None:
    ended = compared(steelyard, folder, "model,score\nb,9.5\na,9\nc,3\nd,1\n")

    assert ended.stderr == ""
    lines = [" ".join(line.split()) for line in ended.stdout.splitlines()]
    assert lines == [
        "OVERALL BACKEND MEASURED YOURS RANK YOUR RANK",
        "a alpha 80% (75-85) 9 1 2",
        "b alpha 72% (67-77) 9.5 2 1",
        "c alpha 40% (35-45) 3 3 3",
        "d alpha 20% (15-25) 1 4 4",
        "Spearman's rho 0.80, Kendall's tau-b 0.67 over 4 models. "
        "Of 6 pairs the intervals of 1 overlap: their order says little.",
    ]


def test_categories_are_compared_apart_and_what_fits_nothing_is_named(
    steelyard: Steelyard, folder: Path
) -> None:
    rows = ["a,1,,Math", "b,2,,math", "c,3,,Math", "x,4,,", "twin,5,,", "twin,5,beta,", "d,5,,Coding"]
    ended = compared(steelyard, folder, "\n".join(["Model,Score,Backend,Category", *rows]))

    assert "Spearman's rho 1.00, Kendall's tau-b 1.00 over 3 models." in ended.stdout
    assert "No rank correlation: it needs 3 models or more that are not all scored alike." in ended.stdout
    assert ended.stdout.splitlines()[-3:] == [
        "line 5: no profile of x",
        "line 6: twin is on several backends (alpha, beta): add the column backend",
        "line 8: d was not measured in Coding",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,score\na,1\n", "line 1: the columns must be model,score and, if wanted, backend,category"),
        ("", "line 1: the columns must be model,score and, if wanted, backend,category"),
        ("model,score\na,good\n", "line 2: it needs a model and a number as its score"),
        ("model,score\na,nan\n", "line 2: it needs a model and a number as its score"),
        ("model,score,category\na,1,Maths\n", "line 2: 'Maths' is no category; these are: Overall, Math, "),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_line(
    steelyard: Steelyard, folder: Path, text: str, said: str
) -> None:
    ended = compared(steelyard, folder, text)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"{folder.parent}/scores.csv: {said}")


@pytest.mark.parametrize(
    ("one", "two", "rho", "tau"),
    [
        ([1, 2, 3, 4, 5], [2, 1, 4, 3, 5], 0.8, 0.6),
        ([1, 2, 3], [3, 2, 1], -1, -1),
        ([1, 1, 2, 3], [1, 2, 2, 4], 0.8333, 0.8),
        ([7, 7, 7], [1, 2, 3], None, None),
    ],
)
def test_rank_correlations_are_those_of_the_books(
    one: Sequence[float], two: Sequence[float], rho: float | None, tau: float | None
) -> None:
    assert comparing.spearman(one, two) == pytest.approx(rho, abs=1e-4)
    assert comparing.kendall(one, two) == pytest.approx(tau, abs=1e-4)


@given(st.lists(st.integers(0, 9), min_size=2, max_size=8))
def test_any_growing_change_of_scores_leaves_the_correlation_at_one(scores: list[int]) -> None:
    rho, tau = (by(scores, [s**3 + s for s in scores]) for by in (comparing.spearman, comparing.kendall))

    constant = len(set(scores)) == 1
    assert (rho, tau) == ((None, None) if constant else (pytest.approx(1), pytest.approx(1)))


def test_without_ties_tau_counts_pairs_of_like_order() -> None:
    for order in itertools.permutations(range(4)):
        pairs = list(itertools.combinations(range(4), 2))
        like = sum(1 if order[a] < order[b] else -1 for a, b in pairs)
        assert comparing.kendall(range(4), order) == pytest.approx(like / len(pairs))
