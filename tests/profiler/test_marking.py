"""A person and the marking agree: answers as models give them, and answers that fish for a pass."""

from fractions import Fraction

import pytest

from steelyard_profiler import answers
from steelyard_profiler.answers import Check

APPLES = answers.number(42, 6, 7)
"""How many are 6 bags of 7 apples?"""

APPLE_CASES = {
    "42": True,
    " 42\n": True,
    "42!": True,
    "forty-two": True,
    "Forty two apples.": True,
    "42.00": True,
    "+42": True,
    "= 42": True,
    "42 apples": True,
    "42apples": True,
    "$42$": True,
    r"\(42\)": True,
    r"\[ 6 \times 7 = 42 \]": True,
    r"$\boxed{42}$": True,
    r"The answer is $\boxed{\text{42}}$.": True,
    "**42**": True,
    "**Answer:** 42": True,
    "### Answer\n\n42": True,
    "#### 42": True,
    "<answer>42</answer>": True,
    "<think>6 times 7, maybe 40 or 41? No.</think>\n42": True,
    "Six bags times 7 apples. </think> 42": True,
    "There are 42 apples.": True,
    "6 x 7 = 42": True,
    "6 × 7 = 42 apples": True,
    "6*7=42": True,
    "The answer is (6 * 7) = 42.": True,
    "The answer is 6 * 7 = 42 apples. 42 is right since 42 / 7 = 6.": True,
    "42 (6 * 7)": True,
    "42, because 6 times 7 makes that.": True,
    "42 since there are 6 bags": True,
    "42\n\nExplanation: 6 bags with 7 apples each. 3 of them are 21, and 2 times 21 is that.": True,
    "Three bags hold 21. Twice that gives **42**.": True,
    "3 bags hold 21 apples and the other 3 hold 21 as well, so there are 42 apples.": True,
    "First, 5 bags hold 35. One more holds 7. So, in total there are 42 apples.": True,
    "1. Three bags hold 21.\n2. Two times 21 is 42.": True,
    "Step 1: 5 * 7 = 35\nStep 2: 35 + 7 = 42": True,
    "5 * 7 = 35\n35 + 7 = 42\n\nFinal answer: 42. (Check: 42 - 7 = 35)": True,
    "The answer is 35. Wait, that was 5 bags. The answer is 42.": True,
    "41. Wait, no, it is 42.": True,
    "It is not 41 but 42": True,
    "42, not 41.": True,
    "42\n42": True,
    "4.2 × 10^1": True,
    "The total is 42": True,
    "x = 42": True,
    "The answer to 6 times 7 is 42": True,
    "Answer: 42\n\nAnswer with the number only.": True,
    "**Question:** 6 bags of 7?\n**Answer:** 42": True,
    "\u200b42\u00a0apples": True,
    "42 apples (6 bags of 7)": True,
    "Answer: 6 times 7 is 42": True,
    "7 + 7 + 7 + 7 + 7 + 7 = 42": True,
    "7. Six of these make 42.": True,
    "42 apples.\n\nCheck: half of the bags hold 21.": True,
    "The bags hold 21 and 21. That makes 42!": True,
    "42 is the answer, 48 would be 8 bags.": True,
    "As 3 bags hold 21, the answer must be 42.": True,
    "The answer's 42": True,
    "6 times 7 = forty-two = 42": True,
    "": False,
    "?": False,
    "41": False,
    "420": False,
    "4 2": False,
    "42.5": False,
    "-42": False,
    "142": False,
    "4,200": False,
    "42%3": False,
    "41 or 42": False,
    "42 or 41": False,
    "Either 42 or 48.": False,
    "42 apples or 48 apples": False,
    "42, maybe 43": False,
    "42. It could also be 43.": False,
    "42. Or 43.": False,
    "42? 43?": False,
    "41, 42, 43": False,
    "41 42 43": False,
    "41/42/43": False,
    "The answer is 41, 42, or 43.": False,
    "Answer: 41\nAnswer: 42": False,
    "The answer is 42. The answer is 43.": False,
    "The answer is 43. The answer is 42.": False,
    "It is 40. It is 41. It is 42.": False,
    "x = 41, x = 42": False,
    "- 41\n- 42\n- 43": False,
    "1. 41\n2. 42": False,
    "between 40 and 44": False,
    "The answer is not 42.": False,
    "It isn't 42.": False,
    "42 is wrong": False,
    "6 * 7": False,
    "The answer is 6 * 7": False,
    "There are 6 bags with 7 apples each.": False,
    "<think>6 times 7 is 42, and then": False,
    "<think>42</think> 43": False,
    "I don't know which one.": False,
    r"\boxed{41} \boxed{42}": False,
    "42 43 44 45 46": False,
    "The answer is 42 or so, perhaps 44": False,
    "6 * 7 = 42, wait, 6 * 7 = 48": False,
    "So it is 41, or it is 42": False,
    "It is 41 or it is 42": False,
    "42 (43)": False,
    "42. And 43. And 44.": False,
    "Answer: 42, 43": False,
    "Answer: 42. 43. 44.": False,
    "The answer is 42\n\nThe answer is 44": False,
    "The answer is one of 40, 42, 44": False,
    "42, 43 and so on": False,
    "I am sorry, but 42 is not it.": False,
    "More than 42, fewer than 50": False,
}

THOUSAND = answers.number(1200, 3, 400)
THOUSAND_CASES = {
    "1200": True,
    "1,200": True,
    "1 200": True,
    "1\u202f200": True,
    "1\u00a0200 metres": True,
    "1'200": True,
    "1200.0": True,
    "1,200.00": True,
    "twelve hundred": True,
    "one thousand two hundred": True,
    "One thousand and two hundred.": True,
    "1.2 thousand": True,
    "1.2e3": True,
    r"1{,}200": True,
    r"$1.2 \times 10^{3}$": True,
    "$1,200": True,
    "1200 (3 * 400)": True,
    "12,00": False,
    "1 2 0 0": False,
    "1,2": False,
    "one thousand, two hundred, three hundred": False,
    "120 or 1200": False,
    "12 hundred or 12 thousand": False,
}

ONE = answers.number(1, 5, 4)
ONE_CASES = {
    "1": True,
    "one": True,
    "Only one.": True,
    "one apple": True,
    "No one knows.": False,
    "I am not sure which one it is.": False,
    "the right one": False,
    "one of them": False,
}

SHARE = answers.number(Fraction(3, 4), 6, 8)
SHARE_CASES = {
    "3/4": True,
    "0.75": True,
    ".75": True,
    "6/8 = 3/4": True,
    r"\frac{3}{4}": True,
    r"$\boxed{\dfrac{3}{4}}$": True,
    "three quarters": True,
    "The fraction is **3/4**.": True,
    "3 / 4": True,
    r"It is $\frac{3}{4}$": True,
    "- 3/4": False,
    r"-\frac{3}{4}": False,
    "minus 3/4": False,
    "4/3": False,
    "3/4 or 2/3": False,
    "3 and 4": False,
    "-3/4": False,
    "13/4": False,
}

ROAD = answers.quantity(42, "km", 6, 7)
ROAD_CASES = {
    "42": True,
    "42 km": True,
    "42km.": True,
    "42 kilometres": True,
    "forty-two kilometers": True,
    "The road is 42 km long.": True,
    "42 m": False,
    "42 metres": False,
    "42,000 m": False,
    "42 hours": False,
    "42 km (42,000 m)": True,
    "7 hours at 6 km/h make 42 km": True,
    "42 (kilometres)": True,
    "42,000 m (42 km)": True,
    "42,000 m (43 km)": False,
    "42 km or 43 km": False,
}

TALLER = answers.choice("Ann", ("Ann", "Bob"), claim="taller")
TALLER_CASES = {
    "ANN": True,
    "“Ann”": True,
    "Ann's": True,
    "It's Ann!": True,
    "It is Ann, because Bob is shorter.": True,
    "Bob is shorter, so Ann.": True,
    "Bob is shorter. Therefore the answer is Ann.": True,
    "The taller one is Ann.": True,
    "Not Bob, but Ann.": True,
    "Ann, not Bob": True,
    "Ann (Bob is the shorter one)": True,
    "<think>Ann or Bob?</think>Ann": True,
    "Answer: **Ann**": True,
    "Neither Ann nor Bob": False,
    "Ann and Bob": False,
    "Ann/Bob": False,
    "Ann. Or Bob.": False,
    "Ann\nBob": False,
    "Not Ann": False,
    "It isn't Ann.": False,
    "Ann is not taller, Bob is.": False,
    "Ann or Bob is taller": False,
    "The taller is Ann or Bob": False,
    "The answer is Ann. The answer is Bob.": False,
    "Bob is taller. Ann is taller.": False,
    "It is Bob. It is Ann.": False,
    "Maybe Ann, maybe Bob": False,
    "The one who is taller": False,
    "Anne": False,
}

YES = answers.choice("yes", ("yes", "no"))
YES_CASES = {
    "Yes.": True,
    "Yes, because the order holds.": True,
    "yes - it follows": True,
    "No": False,
    "No, yes": False,
    "Yes and no.": False,
    "Yes or no": False,
    "yes no": False,
    "not yes": False,
}

TREE = answers.ordered(["oak", "elm", "fir"], ("oak", "elm", "fir", "ash"))
TREE_CASES = {
    "oak, elm, fir": True,
    "Oak, elm and fir.": True,
    "1. oak\n2. elm\n3. fir": True,
    "- oak\n- elm\n- fir": True,
    '["oak", "elm", "fir"]': True,
    "oak > elm > fir": True,
    "oak; elm; fir": True,
    "**oak** → **elm** → **fir**": True,
    "The order is: oak, elm, fir": True,
    "oak elm fir": True,
    "oak, fir, elm": False,
    "oak, elm": False,
    "oak, elm, fir, ash": False,
    "oak, elm, fir or fir, elm, oak": False,
    "oak is before elm and fir": False,
    "oak, elm, fir, but I am not sure": False,
    "oak, elm, fir\noak, fir, elm": False,
}

RECORD = answers.json_of({"name": "Ann", "ages": [3, 4], "ok": True, "note": None})
_PLAIN = '{"name": "Ann", "ages": [3, 4], "ok": true, "note": null}'
RECORD_CASES = {
    _PLAIN: True,
    f"```json\n{_PLAIN}\n```": True,
    f"```\n{_PLAIN}\n```\nI took the name from the [first] line.": True,
    f"Here it is:\n\n{_PLAIN}\n\nHope this helps!": True,
    f"<think>{{}}</think>{_PLAIN}": True,
    _PLAIN.replace('"', "“", 1).replace('"', "”", 1): True,
    _PLAIN.replace("3", "3.0"): True,
    _PLAIN.replace("3", '"3"'): True,
    _PLAIN.replace("Ann", " ann "): True,
    _PLAIN.replace(" ", "\n"): True,
    _PLAIN.replace('"', "'"): False,
    _PLAIN.replace("true", '"true"'): False,
    _PLAIN.replace("true", "1"): False,
    _PLAIN.replace("null", '""'): False,
    _PLAIN.replace("null", '"none"'): False,
    _PLAIN.replace("[3, 4]", "[4, 3]"): False,
    _PLAIN.replace("[3, 4]", '"3, 4"'): False,
    _PLAIN.replace("Ann", "Ann Smith"): False,
    _PLAIN.replace('"ok"', '"Ok"'): False,
    _PLAIN[:-1] + ', "name": "Ann"}': False,
    _PLAIN[:-1]: False,
    f"[{_PLAIN}]": False,
    f"{_PLAIN}\n{_PLAIN}": False,
    f"{_PLAIN} or " + _PLAIN.replace("Ann", "Bob"): False,
    "name: Ann, ages: 3 and 4": False,
}

MAIL = answers.match("ann@oak.example", r"[\w.]+@[\w.]*\w")
MAIL_CASES = {
    "ann@oak.example": True,
    "ann@oak.example.": True,
    "The email address is **ann@oak.example**": True,
    "[ann@oak.example](mailto:ann@oak.example)": True,
    "ANN@oak.example": True,
    "ann@oak": False,
    "ann@oak.example.com": False,
    "bob@oak.example or ann@oak.example": False,
    "bob@oak.example, ann@oak.example": False,
}

MARCH = answers.day(3, 5, (1, 20))
MARCH_CASES = {
    "March 5": True,
    "5 March": True,
    "March 5th, 2024": True,
    "The 5th of March": True,
    "Mar. 5": True,
    "2024-03-05": True,
    "44 days after January 20 is March 5.": True,
    "**March 5**": True,
    "March 6": False,
    "May 5": False,
    "March": False,
    "5": False,
    "March 5 or March 6": False,
    "January 20": False,
    "March 4, March 5, March 6": False,
    "March 55": False,
}

NINE = answers.clock(21, 5, (18, 0))
NINE_CASES = {
    "21:05": True,
    "It arrives at 21:05.": True,
    "9:05 pm": True,
    "9:05 p.m.": True,
    "It leaves at 18:00 and arrives at 21:05": True,
    "9:05": False,
    "9:05 am": False,
    "21:50": False,
    "18:00": False,
    "21:05 or 22:05": False,
    "21:05:30": False,
    "21.05": True,
    "It arrives at 21.05.": True,
    "9.05 pm": True,
    "21h05": True,
    "21.05.2024": False,
    "21.05 km": False,
    "21.50": False,
}

TABLES: dict[str, tuple[Check, dict[str, bool]]] = {
    "42 of 6 and 7": (APPLES, APPLE_CASES),
    "1200": (THOUSAND, THOUSAND_CASES),
    "1": (ONE, ONE_CASES),
    "3/4": (SHARE, SHARE_CASES),
    "42 km": (ROAD, ROAD_CASES),
    "who is taller": (TALLER, TALLER_CASES),
    "yes": (YES, YES_CASES),
    "an order": (TREE, TREE_CASES),
    "a record": (RECORD, RECORD_CASES),
    "an address": (MAIL, MAIL_CASES),
    "a day": (MARCH, MARCH_CASES),
    "a time": (NINE, NINE_CASES),
}


@pytest.mark.parametrize(
    ("table", "answer"), [(table, answer) for table, (_, cases) in TABLES.items() for answer in cases]
)
def test_an_answer_is_marked_as_a_person_would(table: str, answer: str) -> None:
    check, cases = TABLES[table]

    assert check.passes(answer) is cases[answer]


def test_there_are_cases_of_both_kinds() -> None:
    marks = [mark for _, cases in TABLES.values() for mark in cases.values()]

    assert len(marks) >= 200
    assert min(marks.count(True), marks.count(False)) >= 90
