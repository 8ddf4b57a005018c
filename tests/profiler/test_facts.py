"""Facts are plain, never ambiguous, and many enough that two seeds ask different questions."""

import re
from collections import Counter
from collections.abc import Mapping

import pytest

from steelyard.api.profile import Category, Level
from steelyard_profiler import names, workload
from steelyard_profiler.draws import Draws
from steelyard_profiler.facts import Names, Numbers, arts, everyday, geography, history, science
from steelyard_profiler.probes import knowledge

TABLES: Mapping[str, Names] = {
    f"{module.__name__.rpartition('.')[2]}.{name}": table
    for module in (arts, everyday, geography, history, science)
    for name, table in vars(module).items()
    if name.isupper()
    and isinstance(table, dict)
    and name != "SYMBOLS_BY_LEVEL"
    and all(isinstance(cell, str) for facts in table.values() for cell in facts.values())
}
COUNTED: Mapping[str, Numbers] = {
    "counts": everyday.COUNTS,
    "status codes": everyday.STATUS_CODES,
    "ports": everyday.PORTS,
    "years": history.YEARS,
}
SHARED = {"young animals": {"calf", "cub", "pup", "puppy", "whelp"}}
"""Names that belong to several animals."""


def test_there_are_six_hundred_facts_or_more_in_five_fields() -> None:
    by_field = Counter[str]()
    for name, table in TABLES.items():
        by_field[name.partition(".")[0]] += sum(map(len, table.values()))
    for numbers in COUNTED.values():
        by_field["numbers"] += sum(map(len, numbers.values()))

    assert sum(by_field.values()) >= 600
    assert all(by_field[field] >= 90 for field in ("arts", "everyday", "geography", "history", "science"))


@pytest.mark.parametrize("table", TABLES)
def test_no_subject_is_asked_at_two_levels(table: str) -> None:
    subjects = Counter(subject for facts in TABLES[table].values() for subject in facts)

    assert [subject for subject, times in subjects.items() if times > 1] == []


@pytest.mark.parametrize("table", TABLES)
def test_every_cell_is_clean(table: str) -> None:
    cells = [cell for facts in TABLES[table].values() for cell in facts.values()]

    assert all(name and name == name.strip() for cell in cells for name in cell.split("|"))
    assert all(len(set(cell.split("|"))) == len(cell.split("|")) for cell in cells)


@pytest.mark.parametrize("table", [name for name in TABLES if name != "everyday.YOUNG"])
def test_no_name_belongs_to_two_things(table: str) -> None:
    people = {"history.PEOPLE", "history.FINDERS", "arts.BOOKS", "arts.PAINTINGS", "arts.MUSIC"}
    cells = [cell for facts in TABLES[table].values() for cell in facts.values()]
    if table in people:
        cells = [knowledge.with_last_name(cell) for cell in cells]
    owners: dict[str, set[str]] = {}
    for first, group in names.groups(cells).items():
        for name in group:
            owners.setdefault(names.fold(name), set()).add(first)

    assert {name: things for name, things in owners.items() if len(things) > 1} == {}


@pytest.mark.parametrize("table", TABLES)
def test_a_thing_is_told_by_the_same_names_everywhere(table: str) -> None:
    cells = {cell for facts in TABLES[table].values() for cell in facts.values()}
    firsts = Counter(names.aliases(cell)[0] for cell in cells)

    assert [first for first, times in firsts.items() if times > 1] == []


@pytest.mark.parametrize("table", TABLES)
def test_a_distractor_is_never_right_as_well(table: str) -> None:
    for facts in TABLES[table].values():
        for cell in facts.values():
            mine = {names.fold(name) for name in names.aliases(cell)}
            for group in knowledge.others(cell, TABLES[table]):
                assert mine.isdisjoint(map(names.fold, group)), (cell, group)


@pytest.mark.parametrize("table", COUNTED)
def test_a_number_is_asked_at_one_level_and_is_positive(table: str) -> None:
    subjects = Counter(subject for facts in COUNTED[table].values() for subject in facts)

    assert max(subjects.values()) == 1
    assert all(number > 0 for facts in COUNTED[table].values() for number in facts.values())


def test_no_question_of_a_year_gives_it_away() -> None:
    for facts in history.YEARS.values():
        assert [event for event, year in facts.items() if str(year) in event] == []


def test_the_elements_stand_at_their_atomic_numbers() -> None:
    at = {element.split(" ")[0]: number for number, element in enumerate(science.ELEMENTS, 1)}

    assert len(at) == 100
    known = {
        "H": 1,
        "C": 6,
        "O": 8,
        "Ca": 20,
        "Fe": 26,
        "Kr": 36,
        "Ag": 47,
        "Xe": 54,
        "Gd": 64,
        "Au": 79,
        "U": 92,
    }
    assert {symbol: at[symbol] for symbol in known} == known
    assert {at["Es"], at["Fm"]} == {99, 100}


def test_every_element_asked_by_symbol_exists_and_is_asked_once() -> None:
    symbols = [symbol for listed in science.SYMBOLS_BY_LEVEL.values() for symbol in listed.split()]

    assert len(set(symbols)) == len(symbols)
    assert set(symbols) <= {element.split(" ")[0] for element in science.ELEMENTS}


def test_events_to_be_ordered_lie_apart() -> None:
    template = knowledge.order_of_three
    for seed in range(30):
        task = template(Draws("order", seed))
        events = re.findall(r"\d: (.*?)\.(?= \d:| Answer)", task.question)
        years = [history.YEARS[Level.HARD][event] for event in events]
        assert len(set(years)) == 3
        assert [
            events.index(event) + 1 for event in sorted(events, key=history.YEARS[Level.HARD].__getitem__)
        ] == [int(digit) for digit in task.check.example.split(", ")]


def test_a_closed_question_says_its_chance_and_refuses_all_options_at_once() -> None:
    closed = 0
    for templates in workload.TEMPLATES[Category.KNOWLEDGE].values():
        for template in templates:
            task = template(Draws("closed", template.__name__))
            offered = re.search(r"one of these only: (.*)\.$", task.question)
            if not offered:
                continue
            closed += 1
            options = offered[1].split(", ")
            assert task.chance == 1 / len(options)
            assert not task.check.passes(offered[1])
            assert not task.check.passes("\n".join(options))
            assert [task.check.passes(option) for option in options].count(True) == 1
    assert closed >= 12


def test_a_persons_last_name_is_enough_unless_it_is_none() -> None:
    assert knowledge.with_last_name("Neil Armstrong") == "Neil Armstrong|Armstrong"
    assert knowledge.with_last_name("Vincent van Gogh|van Gogh") == "Vincent van Gogh|van Gogh|Gogh"
    for whole in ("Homer", "Alexander the Great", "Joan of Arc", "Henry VIII", "Genghis Khan", "Zheng He"):
        assert knowledge.with_last_name(whole) == whole


def test_two_seeds_ask_largely_different_questions() -> None:
    shares = []
    for one in range(6):
        asked = [
            {
                template(Draws("Standard/1", seed, level, index)).question
                for level, templates in workload.TEMPLATES[Category.KNOWLEDGE].items()
                for index, template in enumerate(templates)
            }
            for seed in (one, one + 100)
        ]
        shares.append(len(asked[0] & asked[1]) / len(asked[0]))

    assert sum(shares) / len(shares) < 0.1
