"""docs/profiling.md shows each category with a probe that is asked, and names what a profile has."""

import re

import probe_docs
from steelyard.api.profile import Category

PAGE = probe_docs.PAGE.read_text()


def test_the_examples_are_those_of_the_templates() -> None:
    assert probe_docs.renewed(PAGE) == PAGE, "run: make docs"


def test_every_category_has_its_part() -> None:
    assert re.findall(r"<!-- probes: (\w+) -->", PAGE) == list(Category)
    assert re.findall(r"^### (\w+)$", PAGE, re.MULTILINE) == list(Category)
