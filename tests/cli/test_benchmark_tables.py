"""A leaderboard's text: its rows, what its numbers mean, and whose they are."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard.api.profile import Category
from steelyard_cli.benchmarks import boards, matching, scores
from steelyard_cli.benchmarks.boards import Board, BoardError
from steelyard_cli.benchmarks.matching import Names
from steelyard_cli.benchmarks.scores import Scale

ROW = {"model": "Tiny 1B", "sums": "31.5"}

TEXTS = {
    "commas": "model,sums\nTiny 1B,31.5\n",
    "semicolons": "model;sums\nTiny 1B;31.5\n",
    "tabs": "model\tsums\nTiny 1B\t31.5",
    "quotes, spaces and a line that is empty": 'model, sums\n\n"Tiny 1B" , 31.5\n',
    "lines of Windows": "model,sums\r\nTiny 1B,31.5\r\n",
    "more cells than columns": "model,sums\nTiny 1B,31.5,7\n",
    "a list of objects": '[{"model": "Tiny 1B", "sums": 31.5}]',
    "a list within an object": '{"version": 3, "models": [{"model": " Tiny 1B", "sums": "31.5"}]}',
    "rows beside a list": '{"kinds": [{"a": 1}], "rows": [{"row": {"model": "Tiny 1B", "sums": 31.5}}]}',
}


@pytest.mark.parametrize("case", TEXTS)
def test_a_row_is_read_from_every_form(case: str) -> None:
    (row,) = boards.read(TEXTS[case]).rows
    assert (row.number, dict(row.cells)) == (1, ROW)


def test_objects_within_a_row_are_columns_by_their_path() -> None:
    board = boards.read(
        '{"tiny": {"scores": {"sums": 3, "ok": true, "none": null}}, "big": {"scores": {"sums": 9}}}'
    )
    assert board.columns == ("name", "scores.sums")
    assert [dict(row.cells) for row in board.rows] == [
        {"name": "tiny", "scores.sums": "3"},
        {"name": "big", "scores.sums": "9"},
    ]


REFUSED = {
    "a web page": ("<!doctype html><p>hello", "is a web page or XML"),
    "nothing": ("", "holds no row"),
    "columns alone": ("model,sums\n", "holds no row"),
    "a column twice": ("model,sums,sums\na,1,2\n", "has the column 'sums' twice: rename one"),
    "broken JSON": ('[{"model": ', "is no JSON: line 1"),
    "JSON that nests without end": ("[" * 100_000, "is no JSON that can be read"),
    "several lists": ('{"a": [{"x": 1}], "b": [{"x": 1}]}', "holds several lists (a, b)"),
    "JSON of numbers": ("[1, 2]", "holds no list of objects"),
    "a cell without end": (f'a,b\n"{"x" * 200_000}",1', "is no CSV"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_leaderboard_is_refused_in_a_sentence(case: str) -> None:
    text, words = REFUSED[case]
    with pytest.raises(BoardError) as refused:
        boards.read(text)
    assert words in str(refused.value)


@settings(deadline=None)
@given(st.one_of(st.text(), st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps)))
def test_no_text_is_more_than_refused(text: str) -> None:
    try:
        board = boards.read(text)
    except BoardError:
        return
    assert board.rows


def column(*cells: str) -> Board:
    return boards.read("\n".join(["model,sums", *(f"m{index},{cell}" for index, cell in enumerate(cells))]))


NUMBERS: dict[str, tuple[tuple[str, ...], Scale, list[int | None]]] = {
    "percentages": (("31.5", "0.4", "100"), Scale.PERCENT, [32, 0, 100]),
    "ratios": (("0.315", "1", "0"), Scale.RATIO, [32, 100, 0]),
    "small percentages with their sign": (("0.5%", "1 %"), Scale.PERCENT, [1, 1]),
    "gaps": (("40", "", "-", "n/a", "60"), Scale.PERCENT, [40, None, None, None, 60]),
    "what is no number": (("40", "51.3 ± 0.4", "1e1"), Scale.PERCENT, [40, None, 10]),
    "halves of ratios": (("0.285", "0.575"), Scale.RATIO, [29, 58]),
    "halves": (("62.5", "63.5", "1.2"), Scale.PERCENT, [63, 64, 1]),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_what_a_number_means_is_told_by_its_column(case: str) -> None:
    cells, scale, percents = NUMBERS[case]
    board = column(*cells)
    found = scores.columns(board, [(Category.MATH, "sums")], None)
    assert [one.scale for one in found[Category.MATH]] == [scale]
    assert [scores.score(board, row, found[Category.MATH]).percent for row in board.rows] == percents


def test_one_may_say_what_all_columns_hold() -> None:
    board = column("0.5", "0.9")
    (found,) = scores.columns(board, [(Category.MATH, "sums")], Scale.PERCENT)[Category.MATH]
    assert str(found) == "sums (percent, 0.5 to 0.9)"
    assert scores.score(board, board.rows[0], [found]).percent == 1


def test_several_columns_of_a_category_count_by_their_mean_and_only_all_of_them() -> None:
    board = boards.read("model,a,b\nm,40,0.9\nn,40,\n")
    found = scores.columns(board, [(Category.MATH, "a"), (Category.MATH, "b")], None)
    first, second = (scores.scores(board, row, found)[Category.MATH] for row in board.rows)
    assert first.percent == 65
    assert (second.percent, second.missing) == (None, "b is empty")


WRONG_COLUMNS: dict[str, tuple[tuple[str, ...], Scale | None, str]] = {
    "a rating": (("1180", "1250"), None, "has numbers from 1180 to 1250 in column 'sums': that is neither"),
    "less than nothing": (("-3", "5"), None, "numbers from -3 to 5"),
    "a percentage for a ratio": (("3", "5"), Scale.RATIO, "that is no ratio"),
    "words": (("good", "bad"), None, "has no number in column 'sums'"),
}


@pytest.mark.parametrize("case", WRONG_COLUMNS)
def test_a_column_that_is_no_share_of_right_answers_is_refused(case: str) -> None:
    cells, scale, words = WRONG_COLUMNS[case]
    with pytest.raises(BoardError) as refused:
        scores.columns(column(*cells), [(Category.MATH, "sums")], scale)
    assert words in str(refused.value)


def test_a_column_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(BoardError, match="has no column 'Sums'; it has model, sums"):
        scores.columns(column("1"), [(Category.MATH, "Sums")], None)


THEIRS = [
    "Llama 3.1 8B Instruct",
    "llama-3.1-70b",
    "org/Qwen2.5-7B",
    "Gemma",
    "gemma",
    "a/Phi-3",
    "b/phi_3",
    "Ｔiny",
]

OURS: dict[str, tuple[tuple[str, ...], list[int]]] = {
    "case and dashes differ": (("LLAMA_3.1-8b instruct",), [1]),
    "who made it is named by us alone": (("meta-llama/Llama-3.1-8B-Instruct",), [1]),
    "who made it is named by them alone": (("qwen2.5-7b",), [3]),
    "an alias is theirs": (("my-model", "llama 3.1 70b"), [2]),
    "two rows of one name": (("gemma",), [4, 5]),
    "one of two makers": (("b/Phi-3",), [7]),
    "neither of two makers": (("c/phi-3",), [6, 7]),
    "a wide letter": (("tiny",), [8]),
    "only alike": (("llama-3.1-8b",), []),
    "a longer version": (("llama-3.11-70b",), []),
}


@pytest.mark.parametrize("case", OURS)
def test_a_row_is_taken_for_its_name_alone(case: str) -> None:
    names, numbers = OURS[case]
    board = boards.read(json.dumps([{"model": name} for name in THEIRS]))
    found = Names(board, "model").match(names)
    assert [row.number for row in found.rows] == numbers
    assert (found.row is not None) == (len(numbers) == 1)
    assert bool(found.near) == (not numbers)


def test_near_names_are_told_and_the_nearest_comes_first() -> None:
    board = boards.read(json.dumps([{"model": name} for name in THEIRS]))
    assert Names(board, "model").match(["llama-3.1-8b"]).near[0] == "llama-3.1-70b"


@given(st.text(max_size=40))
def test_a_normalised_name_stays_the_same(name: str) -> None:
    assert matching.normalised(matching.normalised(name)) == matching.normalised(name)
