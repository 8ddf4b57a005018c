"""What is denied, hedged, offered beside another value or taken back is not said; signs are read."""

from fractions import Fraction

import pytest

from steelyard_profiler import answers
from steelyard_profiler.answers import Check

APPLES = answers.number(42, 6, 7)
"""How many are 6 bags of 7 apples?"""

APPLE_CASES = {
    "More than 42": False,
    "There are more than 42 apples.": False,
    "no more than 42": False,
    "42 or more": False,
    "42 at most": False,
    "at least 42": False,
    "up to 42": False,
    "nearly 42": False,
    "between 7 and 42": False,
    "not quite 42": False,
    "definitely not 42": False,
    "42? I doubt it.": False,
    "I doubt that it is 42.": False,
    "The wrong answer is 42.": False,
    "No doubt it is 42.": True,
    "I'd say 42": True,
    "I am not sure, but 42": True,
    "I don't think it is 42.": False,
    "I do not believe that the answer is 42.": False,
    "It does not equal 42.": False,
    "Not: 42": False,
    "It is not the number **42**.": False,
    "Anything but 42": False,
    "42 seems wrong.": False,
    "42 cannot be. 43": False,
    "6 and 7": False,
    "42 and 7": False,
    "42? 7?": False,
    "7? 42?": False,
    "7, 42": False,
    "I think 42. No, 7.": False,
    "The answer is 42. No, 7.": False,
    "42. Actually, 6": False,
    "42. Maybe a dozen more.": False,
    "I think 7. No, 42.": True,
    "7 more than 35 is 42": True,
    "That is 7 more than 35, so 42.": True,
    "It is not. 42": True,
    "Not sure? No: 42.": True,
    "6 times 7 and 42 is the same.": True,
}

DEBT = answers.number(Fraction(-5, 24), Fraction(2, 6), Fraction(1, 3), Fraction(7, 8))
DEBT_CASES = {
    "-5/24": True,
    "\u22125/24": True,
    "- 5/24": True,
    "minus 5/24": True,
    "negative 5/24": True,
    "The answer is minus 5/24.": True,
    "= - 5/24": True,
    r"-\frac{5}{24}": True,
    r"$-\dfrac{5}{24}$": True,
    r"$\boxed{-\frac{5}{24}}$": True,
    r"\frac{-5}{24}": True,
    r"2/6 + 1/3 - 7/8 = -\frac{5}{24}": True,
    r"\frac{16}{24} - \frac{21}{24} = -\frac{5}{24}": True,
    "5/24": False,
    r"\frac{5}{24}": False,
    "1 - 5/24": False,
    "-5/24 or 5/24": False,
}

MINUS = answers.number(-12, 7, 19)
MINUS_CASES = {
    "-12": True,
    "7 - 19 = -12": True,
    "7 - 19 = - 12": True,
    "The answer is - 12": True,
    "minus 12": True,
    "12": False,
    "19 - 12": False,
}

DAY = answers.choice("Wednesday", ("Wednesday", "Friday", "Sunday"), given=("Friday",))
"""Today is Friday. Which day is it in 12 days?"""

DAY_CASES = {
    "Wednesday": True,
    "Today is Friday, so it is Wednesday.": True,
    "12 days after Friday is Wednesday": True,
    "Wednesday, since today is Friday.": True,
    "Wednesday is 12 days after Friday.": True,
    "Friday. No, Wednesday.": True,
    "Sunday? No, wait, Wednesday.": True,
    "I think Wednesday. No, Friday.": False,
    "The answer is Wednesday. No, Friday.": False,
    "Wednesday, no, Friday": False,
    "Wednesday and Friday": False,
    "It is Wednesday and Friday.": False,
    "Friday and Wednesday": False,
    "Wednesday? Friday?": False,
    "Friday? Wednesday?": False,
    "Friday, Wednesday": False,
    "Wednesday or another day": False,
    "Wednesday. Or perhaps Monday.": False,
    "Friday": False,
}

TREE = answers.ordered(["pepper", "guitar"], ("guitar", "pepper", "lamp"))
TREE_CASES = {
    "The words are pepper, guitar": True,
    "It is not hard: pepper, guitar": True,
    "Certainly not pepper, guitar": False,
    "It is not: pepper, guitar": False,
    "I don't think it is pepper, guitar.": False,
    "pepper, guitar is wrong": False,
}

BAG = answers.choice("no", ("yes", "no"))
BAG_CASES = {
    "There is no key.": True,
    "No doubt: no": True,
    "No doubt: yes": False,
    "No problem! Yes.": False,
    "There is no key in the bag.": True,
    "No, there is no key.": True,
    "yes\nno": False,
    "no\nyes": False,
}

RECORD = answers.json_of({"age": 34})
RECORD_CASES = {
    'It is {"age": 34}.': True,
    'I have not found a city: {"age": 34}': True,
    'It is not {"age": 34}.': False,
    'The answer is not: {"age": 34}': False,
    'It isn\'t `{"age": 34}`': False,
}

TABLES: dict[str, tuple[Check, dict[str, bool]]] = {
    "42 of 6 and 7": (APPLES, APPLE_CASES),
    "-5/24": (DEBT, DEBT_CASES),
    "-12": (MINUS, MINUS_CASES),
    "a day of the week": (DAY, DAY_CASES),
    "two words": (TREE, TREE_CASES),
    "what is in a bag": (BAG, BAG_CASES),
    "a record": (RECORD, RECORD_CASES),
}


@pytest.mark.parametrize(
    ("table", "answer"), [(table, answer) for table, (_, cases) in TABLES.items() for answer in cases]
)
def test_only_what_an_answer_stands_by_is_said(table: str, answer: str) -> None:
    check, cases = TABLES[table]

    assert check.passes(answer) is cases[answer]
