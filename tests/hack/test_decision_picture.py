"""The picture of a decision: up to date, well formed, small, and true beyond its golden case."""

from collections.abc import Iterator
from dataclasses import replace
from xml.etree import ElementTree

import decision_picture
from decision_picture import Dot, State

NAMESPACE = "{http://www.w3.org/2000/svg}"
MOST_BYTES = 10_000


def elements(svg: str, name: str) -> Iterator[ElementTree.Element]:
    return ElementTree.fromstring(svg).iter(NAMESPACE + name)  # noqa: S314 - our own text


def circles(svg: str, state: str) -> list[tuple[str | None, str | None]]:
    return [(one.get("cx"), one.get("cy")) for one in elements(svg, "circle") if one.get("class") == state]


def words(svg: str) -> list[str]:
    return [one.text or "" for one in elements(svg, "text")]


def test_the_picture_in_docs_is_the_one_that_the_code_draws() -> None:
    drawn = decision_picture.drawn(decision_picture.golden_picture())

    assert decision_picture.PICTURE.read_text() == drawn, "run: make docs"
    assert len(drawn.encode()) < MOST_BYTES


def test_the_chosen_model_alone_is_ringed_and_those_ruled_out_are_hollow() -> None:
    svg = decision_picture.drawn(decision_picture.golden_picture())

    assert circles(svg, "ring") == circles(svg, "chosen")
    assert len(circles(svg, "ring")) == 1
    assert len(circles(svg, "good")) == 1
    assert len(circles(svg, "out")) == 2


def test_a_model_ruled_out_says_why() -> None:
    shown = words(decision_picture.drawn(decision_picture.golden_picture()))

    assert "38 points below the best" in shown
    assert "External, not selected" in shown


def test_a_model_that_costs_nothing_has_its_own_place_left_of_all_others() -> None:
    golden = decision_picture.golden_picture()
    free = Dot("free", 0.6, 0.0, State.OUT, "too weak")
    svg = decision_picture.drawn(replace(golden, dots=(*golden.dots, free)))

    *paid, of_free = [float(one.get("cx") or 0) for one in elements(svg, "circle")]
    assert of_free < min(paid)
    assert "$0" in words(svg)


def test_a_name_cannot_break_the_picture() -> None:
    golden = decision_picture.golden_picture()
    svg = decision_picture.drawn(replace(golden, dots=(replace(golden.dots[0], name="<a & b>"),)))

    assert "<a & b>" in words(svg)
