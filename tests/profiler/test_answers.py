"""Answers are taken generously and marked strictly."""

import pytest

from steelyard.api.measuring import Suite
from steelyard_profiler import answers, workload

NUMBERS = {
    "the number": ("12", True),
    "with a stop": ("12.", True),
    "with words": ("The answer is 12", True),
    "as a word": ("twelve", True),
    "as a word in a sentence": ("That makes Twelve apples.", True),
    "bold": ("**12**", True),
    "in a box": (r"\boxed{12}", True),
    "in dollars": ("$12", True),
    "as a decimal": ("12.0", True),
    "an equation": ("7 + 5 = 12", True),
    "an equation in words": ("To add 7 and 5, you add them: 7 + 5 equals 12.", True),
    "with its unit": ("12 apples", True),
    "with an explanation": ("12. Because 7 and 3 more is 10, and 2 more.", True),
    "corrected": ("It could be 13. No, the answer is 12.", True),
    "followed by the question": ("The answer is 12, since 7 + 5.", True),
    "another number": ("13", False),
    "nothing": ("", False),
    "no number": ("I do not know.", False),
    "one of two": ("12 or 13", False),
    "one of two in words": ("The answer is 11, or maybe 12", False),
    "one of many": ("11, 12, 13", False),
    "one of many lines": ("12\n13\n14", False),
    "corrected away": ("12. Wait, the answer is 13.", False),
    "a part of it": ("112", False),
    "negative": ("-12", False),
    "only the question": ("7 + 5", False),
    "a wrong equation": ("7 + 5 = 13", False),
    "cut in the middle": ("7 + 5 is 12 and then 14 and", False),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_a_number_is_found_where_it_is_said(case: str) -> None:
    answer, right = NUMBERS[case]

    assert answers.states_number(answer, 12, given=(7, 5)) is right


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("1,234", 1234),
        ("1\u202f234", 1234),
        ("-7", -7),
        ("\u22127", -7),
        ("9 - 2 = 7", 7),
        ("thirty-one", 31),
    ],
)
def test_a_number_is_read_in_every_common_form(answer: str, expected: int) -> None:
    assert answers.states_number(answer, expected)


def test_a_number_of_the_question_may_be_the_answer() -> None:
    assert answers.states_number("5", 5, given=(7, 5))


CHOICES = {
    "the word": ("Ann", True),
    "in small letters": ("ann.", True),
    "in quotes": ('"Ann"', True),
    "a claim": ("Ann is taller than Bob.", True),
    "a claim with an article": ("Ann is the taller one, not Bob.", True),
    "marked at the end": ("Bob is not. So the answer is Ann", True),
    "first, then why": ("Ann. She is above Bob in every line.", True),
    "the other": ("Bob", False),
    "the other's claim": ("Bob is taller than Ann.", False),
    "both": ("Ann or Bob", False),
    "both in a row": ("Ann, Bob", False),
    "part of another word": ("Annabel", False),
    "neither": ("Nobody", False),
}


@pytest.mark.parametrize("case", CHOICES)
def test_a_choice_is_found_where_it_is_made(case: str) -> None:
    answer, right = CHOICES[case]

    assert answers.states_choice(answer, "Ann", ("Ann", "Bob"), claim="taller") is right


def test_an_option_that_the_question_gave_is_no_answer() -> None:
    assert answers.states_choice(
        "The day after Monday is Tuesday.", "Tuesday", ("Monday", "Tuesday"), ("Monday",)
    )
    assert not answers.states_choice("Monday", "Tuesday", ("Monday", "Tuesday"), ("Monday",))


VALUE = {"name": "Ann", "age": 34}
OBJECTS = {
    "plain": ('{"name": "Ann", "age": 34}', True),
    "in a fence": ('```json\n{"name": "Ann", "age": 34}\n```', True),
    "after a sentence": ('Here it is: {"name": "Ann", "age": 34} as asked.', True),
    "in another order": ('{"age": 34, "name": "Ann"}', True),
    "in other case": ('{"name": "ann", "age": 34}', True),
    "with the number quoted": ('{"name": "Ann", "age": "34"}', True),
    "with a key too many": ('{"name": "Ann", "age": 34, "city": null}', False),
    "with a key too few": ('{"name": "Ann"}', False),
    "with a wrong value": ('{"name": "Ann", "age": 35}', False),
    "with true for a number": ('{"name": "Ann", "age": true}', False),
    "two of them": ('{"name": "Ann", "age": 34} {"name": "Bob", "age": 34}', False),
    "cut": ('{"name": "Ann", "age": 34', False),
    "deep beyond reason": ("[" * 100_000, False),
    "none": ("Ann, 34", False),
}


@pytest.mark.parametrize("case", OBJECTS)
def test_json_is_found_and_compared(case: str) -> None:
    answer, right = OBJECTS[case]

    assert answers.same_json(answers.json_value(answer), VALUE) is right


TEXTS = {
    "as asked": ("RIVER", True),
    "with a stop": ("RIVER.", True),
    "in quotes": ('"RIVER"', True),
    "in quotes with a stop": ('"RIVER".', True),
    "bold": ("**RIVER**", True),
    "in a fence": ("```\nRIVER\n```", True),
    "in other case": ("River", False),
    "with more": ("RIVER RIVER", False),
    "in a sentence": ("The word is RIVER", False),
}


@pytest.mark.parametrize("case", TEXTS)
def test_text_is_compared_without_its_wrapping(case: str) -> None:
    answer, right = TEXTS[case]

    assert answers.is_text(answer, "RIVER") is right


def test_a_list_may_end_with_and() -> None:
    assert answers.listed(["a", "b", "c"]).passes("A, b, and c.")
    assert not answers.listed(["a", "b", "c"]).passes("a, c, b")


@pytest.mark.parametrize("seed", range(20))
def test_every_probe_accepts_its_example_and_no_idle_answer(seed: int) -> None:
    for probe in workload.probes(Suite.QUICK, seed):
        assert probe.accepts(*probe.right()), probe
        assert not any(probe.accepts(idle) for idle in ("", "I do not know.", "{}", probe.question)), probe
