"""A right answer counts in the forms that a question leaves open, and a wrong one in none of them."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from steelyard.api.profile import Category, Level
from steelyard_profiler import names, tongues, workload
from steelyard_profiler.calls import CallCheck
from steelyard_profiler.draws import Draws
from steelyard_profiler.facts import everyday, geography, science
from steelyard_profiler.lexicon import words
from steelyard_profiler.probe import Probe, Task
from steelyard_profiler.probes import forms, knowledge, multilingual
from steelyard_profiler.target import Call

TEMPLATES = {
    template.__name__: template
    for levels in workload.TEMPLATES.values()
    for templates in levels.values()
    for template in templates
}

SPELLED = {"0": "zero", "1": "one", "2": "two", "3": "three", "4": "four"}


def spelled(text: str) -> str:
    return text[:-1] + SPELLED[text[-1]]


def off_by_one(text: str) -> str:
    return text[:-1] + str((int(text[-1]) + 1) % 5)


def numbered(text: str) -> str:
    return "\n".join(f"{at}. {name}" for at, name in enumerate(text.split(", "), 1))


def swapped(text: str) -> str:
    first, second, *others = text.split(", ")
    return ", ".join((second, first, *others))


FORMS: Mapping[str, tuple[str, Callable[[str], str], bool]] = {
    "a place without a space": ("robot_walk", lambda text: f"({text.replace(', ', ',')})", True),
    "a place without brackets": ("robot_walk", lambda text: text.replace(", ", ","), True),
    "a place with wide minus signs": ("robot_walk", lambda text: text.replace("-", "\u2212"), True),
    "a place with another number": ("robot_walk", lambda text: f"{text.split(', ')[0]},99", False),
    "a kind and a number without a space": ("truth_and_lies", lambda text: text.replace(", ", ","), True),
    "a kind and a number with a colon": ("truth_and_lies", lambda text: text.replace(",", ":"), True),
    "a kind in two words": (
        "truth_and_lies",
        lambda text: text.replace("truth-teller", "Truth teller"),
        True,
    ),
    "a kind and a number in words": ("truth_and_lies", spelled, True),
    "a kind and another number": ("truth_and_lies", off_by_one, False),
    "the other kind": (
        "truth_and_lies",
        lambda text: text.replace("liar", "x").replace("truth-teller", "liar").replace("x", "truth teller"),
        False,
    ),
    "a time with a stop": ("arrival_time", lambda text: text.replace(":", "."), True),
    "a time with an h": ("arrival_time", lambda text: text.replace(":", "h"), True),
    "a time in a sentence with a stop": (
        "arrival_time",
        lambda text: f"It arrives at {text.replace(':', '.')}.",
        True,
    ),
    "another time": ("arrival_time", lambda text: f"{(int(text[:2]) + 1) % 24:02}.{text[3:]}", False),
    "sorry with a comma": ("beyond_the_tools", lambda text: text.replace(" ", ", "), True),
    "sorry with a colon": ("beyond_the_tools", lambda text: text.replace(" ", ": "), True),
    "sorry above the name": ("beyond_the_tools", lambda text: text.replace(" ", "\n"), True),
    "sorry to nobody": ("beyond_the_tools", lambda text: "SORRY", False),
    "sorry to two": (
        "beyond_the_tools",
        lambda text: f"{text} or SORRY, {'Anna' if 'Anna' not in text else 'Emil'}",
        False,
    ),
    "an order that is announced": ("order_of_four", lambda text: f"The order is: {text}.", True),
    "an order that is numbered": ("order_of_four", numbered, True),
    "an order that is numbered with two swapped": (
        "order_of_four",
        lambda text: numbered(swapped(text)),
        False,
    ),
    "an order with two swapped": ("order_of_four", swapped, False),
    "an order with one too many": ("order_of_four", lambda text: f"{text}, {text.split(', ')[0]}", False),
}


def probe_of(task: Task) -> Probe:
    return Probe(Category.MATH, Level.HARD, 0, "", task.question, task.max_tokens, task.check)


@pytest.mark.parametrize("case", FORMS)
def test_an_answer_is_judged_by_what_it_says(case: str) -> None:
    template, form, right = FORMS[case]
    for seed in range(20):
        probe = probe_of(TEMPLATES[template](Draws("forms", seed)))
        answer = form(probe.check.example)
        assert probe.accepts(answer) is right, (answer, probe.check.example)


def order(
    call: dict[str, Any], change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
) -> dict[str, Any]:
    return {**call, "lines": change(call["lines"])}


def singular(line: dict[str, Any]) -> dict[str, Any]:
    return {**line, "thing": line["thing"].removesuffix("s")}


ARGUMENTS: Mapping[str, tuple[str, Callable[[dict[str, Any]], dict[str, Any]], bool]] = {
    "a thing to find in the singular": ("filtered_products", singular, True),
    "another thing to find": ("filtered_products", lambda call: {**call, "thing": "lanterns"}, False),
    "the lines the other way round": (
        "order_of_things",
        lambda call: order(call, lambda lines: lines[::-1]),
        True,
    ),
    "things in the singular": (
        "order_of_things",
        lambda call: order(call, lambda lines: list(map(singular, lines))),
        True,
    ),
    "one line": ("order_of_things", lambda call: order(call, lambda lines: lines[:1]), False),
    "one line twice": ("order_of_things", lambda call: order(call, lambda lines: [lines[0]] * 2), False),
    "counts of the other thing": (
        "order_of_things",
        lambda call: order(
            call,
            lambda lines: [{**a, "count": b["count"]} for a, b in zip(lines, lines[::-1], strict=True)],
        ),
        False,
    ),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_a_call_is_judged_by_what_it_says(case: str) -> None:
    template, change, right = ARGUMENTS[case]
    for seed in range(20):
        check = TEMPLATES[template](Draws("arguments", seed)).check
        assert isinstance(check, CallCheck)
        (made,) = check.calls
        call = Call(made.name, json.dumps(change(json.loads(made.arguments))))
        assert check.judges("", [call]) is right, call


FACTS = {
    "lime": (science.FORMULAS, "CaO"),
    "pollywog": (everyday.YOUNG, "frog"),
    "Graphics Processor Unit": (everyday.ABBREVIATIONS, "GPU"),
    "Create, Read, Update, and Delete": (everyday.ABBREVIATIONS, "CRUD"),
    "Create, Read, Update, Delete.": (everyday.ABBREVIATIONS, "CRUD"),
    "RMB": (geography.CURRENCIES, "China"),
}


@pytest.mark.parametrize("answer", FACTS)
def test_a_fact_is_taken_by_each_of_its_names(answer: str) -> None:
    table, subject = FACTS[answer]
    [cell] = [facts[subject] for facts in table.values() if subject in facts]

    assert names.says(answer, names.aliases(cell), knowledge.others(cell, table), (subject,))


def test_no_river_is_told_by_its_city() -> None:
    for facts in geography.RIVERS.values():
        for city, cell in facts.items():
            assert not {word.lower() for word in city.split()} & {
                name.lower() for name in names.aliases(cell)
            }


TRANSLATED = {
    ("Dutch", "red", "rode"): True,
    ("Dutch", "red", "witte"): False,
    ("Swedish", "green", "grönt"): True,
    ("Portuguese", "fire", "lume"): True,
    ("Japanese", "sun", "日"): True,
    ("Japanese", "sun", "お日様"): True,
    ("Japanese", "sun", "日本語では「太陽」です。"): True,
    ("Japanese", "sun", "日本"): False,
    ("Japanese", "sun", "月"): False,
}


@pytest.mark.parametrize("case", TRANSLATED)
def test_a_word_is_taken_in_each_of_its_forms(case: tuple[str, str, str]) -> None:
    language, concept, answer = case
    cell = words.WORDS[language][words.CONCEPTS.index(concept)]

    assert tongues.word(language, cell, (concept,)).passes(answer) is TRANSLATED[case]


OPPOSITES = {("German", "laut"): "ruhig", ("French", "vieux"): "récent"}


@pytest.mark.parametrize("case", OPPOSITES)
def test_an_opposite_is_taken_by_its_synonyms(case: tuple[str, str]) -> None:
    language, word = case
    drawn = (multilingual.opposite(Draws("opposite", seed)) for seed in range(3000))
    right = dict(pair.split(":") for pair in words.OPPOSITES[language])[word].split("|")
    task = next(task for task in drawn if task.check.example == right[0] and f"{word}" in task.question)

    assert task.check.passes(OPPOSITES[case])


YOUNGEST = {
    "ヤン": "Jan",
    "エヴァ": "Eva",
    "マックス": "Max",
    "에바": "Eva",
    "Jan": "Jan",
    "マックスです。": "Max",
}


@pytest.mark.parametrize("answer", YOUNGEST)
def test_a_person_may_be_named_in_another_script(answer: str) -> None:
    for seed in range(20):
        check = multilingual.youngest(Draws("youngest", seed)).check
        assert check.passes(answer) is (check.example == YOUNGEST[answer])


def test_a_word_of_several_meanings_is_not_translated_from() -> None:
    for template in (multilingual.word_to_english, multilingual.meaning_of_word):
        asked = [template(Draws("several", seed)).question.split('"')[1] for seed in range(400)]
        assert words.SEVERAL_MEANINGS.isdisjoint(asked)


DIALOGUES = {
    "of short greetings": ("{0}: Hi, {1}!\n{1}: Hello, {0}!\n{0}: How are you?\n{1}: Great!", True),
    "with a silent line": ("{0}: Hi, {1}!\n{1}:\n{0}: How are you?\n{1}: Great!", False),
    "with a line too few": ("{0}: Hi, {1}!\n{1}: Hello, {0}!\n{0}: How are you?", False),
}


@pytest.mark.parametrize("case", DIALOGUES)
def test_a_line_of_a_dialogue_may_be_one_word(case: str) -> None:
    said, right = DIALOGUES[case]
    task = TEMPLATES["dialogue"](Draws("dialogue"))
    speakers = task.question.split(" in which ")[1].split(" speak ")[0].split(" and ")

    assert task.check.passes(said.format(*speakers)) is right
    assert forms.is_dialogue(said.format(*speakers), speakers * 2) is right
