"""What an answer says, and whether that is right. Pure.

Taken generously: "12", "12.0", "The answer is 12", "7 + 5 = 12", "twelve", "12 km" and "**12**" all say 12.
Marked strictly: a guess among many is wrong, and so is a hedge; `sayings` holds the rules. A question's check
is made by one of the functions at the end: `number`, `quantity`, `choice`, `match`, `day`, `clock`, `text`,
`listed`, `ordered`, `json_of`.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from steelyard_profiler import moments, numerals, sayings
from steelyard_profiler.documents import FENCE, json_value, same_json
from steelyard_profiler.numerals import Found
from steelyard_profiler.probes.words import MONTHS

__all__ = ["json_value", "same_json"]

_UNITS = {
    "mm": "mm millimetre millimetres millimeter millimeters",
    "cm": "cm centimetre centimetres centimeter centimeters",
    "m": "m metre metres meter meters",
    "km": "km kms kilometre kilometres kilometer kilometers",
    "g": "g gram grams gramme grammes",
    "kg": "kg kgs kilogram kilograms kilo kilos",
    "t": "t ton tons tonne tonnes",
    "ml": "ml millilitre millilitres milliliter milliliters",
    "l": "l litre litres liter liters",
    "s": "s sec secs second seconds",
    "min": "min mins minute minutes",
    "h": "h hr hrs hour hours",
    "d": "d day days",
    "weeks": "week weeks",
    "months": "month months",
    "years": "year years",
    "cents": "cent cents",
    "dollars": "dollar dollars usd",
    "m/s": "m/s mps",
    "km/h": "km/h kmh kph",
}
"""Units that answers attach to numbers, in their common spellings."""

_WHICH_UNIT = {spelling: unit for unit, spellings in _UNITS.items() for spelling in spellings.split()}
_MONTH = rf"(?:{'|'.join(moments.MONTH_STARTS)})[a-z]*\.?"
_DAY = re.compile(
    rf"\b\d{{4}}-(?P<iso>\d\d)-(?P<isoday>\d\d)\b"
    rf"|\b(?P<before>{_MONTH})\s+(?:the\s+)?(?P<first>\d{{1,2}})(?:st|nd|rd|th)?(?!\d)"
    rf"|(?<!\d)(?P<second>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<after>{_MONTH})",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"(?<![\d:.])([01]?\d|2[0-4])(?::|\.(?=\d\d(?!\s*(?:h|km|m|min|hours?|minutes?)\b))|\s?h\s?)([0-5]\d)"
    r"(?!\d|:|\.\d)(?:\s*([ap])\.?m\b)?",
    re.IGNORECASE,
)


_DAY_OF_MONTH = re.compile(
    rf"\b{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?\b,?|\b\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}",
    re.IGNORECASE,
)
"""A day that stands before its year."""

_OF_NOUN = re.compile(
    r" +(?!(?:it|this|that|these|those|they|there|he|she|we|you)\b)[a-z]+ (?:is|are)\b"
    r"| (?:doubt|problem|question|other|worries)\b",
    re.IGNORECASE,
)
"""Behind a "no" that begins no answer but belongs to a noun: "no vixes are dorps"."""


def states_number(answer: str, expected: int | Fraction, given: Iterable[int | Fraction] = ()) -> bool:
    """Whether the answer says this number; `given` are the numbers of the question."""
    return _said_number(answer, expected, given) is not None


_COMPOUND = re.compile(r"[\s-]{0,3}[A-Za-z]{1,12}[\s,]{1,3}(?:and\s{1,3})?")
"""Stands between the numbers of "5 km 300 m"."""


def numbers_said(answer: str) -> list[Fraction]:
    """All numbers of an answer, in order."""
    return [Fraction(str(one.value)) for one in numerals.numbers(sayings.spoken(answer))]


def states_quantity(
    answer: str, expected: int | Fraction, unit: str, given: Iterable[int | Fraction] = ()
) -> bool:
    """Whether the answer says this number, without a unit or with this one."""
    text = sayings.spoken(answer)
    found = [(one, _unit_after(text, one.end)) for one in numerals.numbers(text, ratios=True)]
    units = {named for one, named in found if one.value == expected and named}
    rivals = [
        Fraction(str(one.value))
        for one, named in found
        if unit in units and named not in ("", unit) and one.value != expected
    ]
    is_part = any(
        one.value == expected and named not in ("", unit) and _COMPOUND.fullmatch(text, one.end, two.start)
        for (one, _), (two, named) in pairwise(found)
    )
    if is_part or _said_number(answer, expected, [*given, *rivals]) is None:
        return False
    return not units or unit in units


def _unit_after(text: str, end: int) -> str:
    """The unit of a number that ends here; empty where none is known."""
    match = re.match(r"[\s\-]*([A-Za-z]+(?:/[a-z])?)", text[end:])
    return _WHICH_UNIT.get(match[1].lower(), "") if match else ""


def states_choice(
    answer: str, expected: str, options: Iterable[str], given: Iterable[str] = (), claim: str = ""
) -> bool:
    """Whether the answer says this one of the options.

    `given` are options that the question names without asking about them; `claim` is the word that the
    question asks about, so that "Ann is taller than Bob" says Ann when the question is who is taller.
    """
    text = sayings.spoken(answer)
    right = expected.lower()
    pattern = _any_of({expected, *options})
    found = [one for one in _texts(text, pattern) if one.value != "no" or not _OF_NOUN.match(text, one.end)]
    if claim and (claimed := _claimed(text, pattern, claim)):
        return claimed == {right}
    return sayings.said(text, found, {option.lower() for option in given} - {right}) == right


def states_match(answer: str, expected: str, pattern: str) -> bool:
    """Whether the answer says this text, among all texts of its form."""
    text = sayings.spoken(answer)
    return sayings.said(text, _texts(text, pattern), set()) == expected.lower()


def body(answer: str) -> str:
    """The answer without what merely wraps it: white space, a code fence, quotes, bold."""
    text = sayings.visible(answer)
    if fence := FENCE.fullmatch(text):
        text = fence[1].strip()
    for left, right in (("**", "**"), ("`", "`"), ('"', '"'), ("'", "'"), ("“", "”"), ("«", "»"), ("‘", "’")):
        if len(text) > 2 * len(left) and text.startswith(left) and text.rstrip(".").endswith(right):
            text = text.rstrip(".")[len(left) : -len(right)].strip()
    return text


def is_text(answer: str, expected: str) -> bool:
    """Whether the answer is this text and nothing else; a final stop is forgiven."""
    return body(answer).rstrip(".").strip() == expected


def items(answer: str, separator: str = ",") -> list[str]:
    """The parts of a list, a final stop and an `and` before the last forgiven."""
    parts = body(answer).rstrip(".").split(separator)
    return [re.sub(r"^and\s+", "", part.strip()) for part in parts]


def words(answer: str) -> list[str]:
    """The words of an answer, without punctuation around them."""
    return re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", body(answer))


@dataclass(frozen=True, slots=True)
class Check:
    """Whether an answer is right."""

    passes: Callable[[str], bool]
    """Judges an answer."""
    example: str
    """An answer that is right."""
    options: tuple[str, ...] = ()
    """What a guess chooses from, where the question is closed."""

    def reading(self, pattern: re.Pattern[str], by: str = " ") -> "Check":
        """The same check, of an answer in which all that the pattern matches is read as this."""
        return replace(self, passes=lambda answer: self.passes(pattern.sub(by, answer)))


def number(expected: int | Fraction, *given: int | Fraction) -> Check:
    """`states_number` as a check."""
    return Check(lambda answer: states_number(answer, expected, given), str(expected))


def year(expected: int, *given: int) -> Check:
    """A year, alone or as a part of a date."""
    return number(expected, *given).reading(_DAY_OF_MONTH)


def quantity(expected: int | Fraction, unit: str, *given: int | Fraction) -> Check:
    """`states_quantity` as a check; `unit` is one that answers attach, such as "km"."""
    if unit not in _UNITS:
        raise ValueError(f"unknown unit {unit}")
    return Check(lambda answer: states_quantity(answer, expected, unit, given), f"{expected} {unit}")


def choice(expected: str, options: Iterable[str], given: Iterable[str] = (), claim: str = "") -> Check:
    """`states_choice` as a check."""
    every, named = tuple(dict.fromkeys((expected, *options))), tuple(given)
    return Check(lambda answer: states_choice(answer, expected, every, named, claim), expected, every)


def match(expected: str, pattern: str) -> Check:
    """`states_match` as a check."""
    return Check(lambda answer: states_match(answer, expected, pattern), expected)


def day(month: int, day_of_month: int, *given: tuple[int, int]) -> Check:
    """A day of the year, as "March 5", "5 March", "the 5th of March", "Mar. 5" or 2025-03-05; no weekday."""
    right = (month, day_of_month)

    def check(answer: str) -> bool:
        spoken = sayings.spoken(answer)
        return sayings.said(spoken, _days(spoken), set(given) - {right}) == right

    return Check(check, f"{MONTHS[month - 1]} {day_of_month}")


def clock(hour: int, minute: int, *given: tuple[int, int]) -> Check:
    """A time of the day of 24 hours, as "09:05", "9:05", "9.05", "9h05" or "9:05 am"."""
    right = (hour, minute)

    def check(answer: str) -> bool:
        spoken = sayings.spoken(answer)
        return sayings.said(spoken, _times(spoken), set(given) - {right}) == right

    return Check(check, f"{hour:02}:{minute:02}")


def text(expected: str) -> Check:
    """`is_text` as a check."""
    return Check(lambda answer: is_text(answer, expected), expected)


def listed(expected: Sequence[str], separator: str = ",") -> Check:
    """A list in this order and with this separator, case forgiven."""
    lower = [item.lower() for item in expected]
    return Check(
        lambda answer: [item.lower() for item in items(answer, separator)] == lower,
        f"{separator} ".join(expected),
    )


def ordered(expected: Sequence[str], options: Iterable[str]) -> Check:
    """These of the options in this order, written as a list of any form, once each.

    A sentence before the list is forgiven where it names no option; text between or after the items is not.
    """
    lower = [item.lower() for item in expected]
    pattern = _any_of({*expected, *options})

    def check(answer: str) -> bool:
        said = sayings.spoken(answer)
        found = _texts(said, pattern)
        if [one.value for one in found] != lower or sayings.is_denied(said, found[0].start, found[-1].end):
            return False
        between = [said[one.end : two.start] for one, two in pairwise(found)]
        return not re.search(r"[a-z]{2}", said[found[-1].end :], re.IGNORECASE) and all(
            re.fullmatch(r"(?:[\W\d]|\b(?:and|then)\b)*", gap, re.IGNORECASE) for gap in between
        )

    return Check(check, ", ".join(expected))


def json_of(expected: object) -> Check:
    """`same_json` as a check."""
    return Check(lambda answer: same_json(json_value(answer), expected), json.dumps(expected))


def _said_number(answer: str, expected: int | Fraction, given: Iterable[int | Fraction]) -> object:
    """The expected number if the answer says it, else None."""
    text = sayings.spoken(answer)
    is_ratio = Fraction(expected).denominator > 1
    found = numerals.numbers(text, ratios=is_ratio)
    value = sayings.said(text, found, {Fraction(one) for one in given})
    return value if value == expected else None


def _any_of(options: Iterable[str]) -> str:
    longest_first = sorted(options, key=lambda option: (-len(option), option))
    return rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)"


def _texts(text: str, pattern: str) -> list[Found]:
    return [Found(m[0].lower(), m.start(), m.end()) for m in re.finditer(pattern, text, re.IGNORECASE)]


def _days(text: str) -> list[Found]:
    found = []
    for match in _DAY.finditer(text):
        month = int(match["iso"]) if match["iso"] else moments.month_of(match["before"] or match["after"])
        number = next(one for one in (match["isoday"], match["first"], match["second"]) if one)
        found.append(Found((month, int(number)), match.start(), match.end()))
    return found


def _times(text: str) -> list[Found]:
    found = []
    for match in _TIME.finditer(text):
        hour = moments.hour_of_day(int(match[1]), (match[3] or "").lower())
        found.append(Found((hour, int(match[2])), match.start(), match.end()))
    return found


def _claimed(text: str, pattern: str, claim: str) -> set[str]:
    """The options that the text claims something of; all that are joined with `or` or `and`."""
    joined = rf"{pattern}(?:(?:\s*,\s*|\s+)(?:(?:or|and)\s+)?(?:maybe\s+)?{pattern})*"
    every = [
        *re.finditer(
            rf"({joined}) (?:is|was|are|comes|came|finished) (?:the )?{claim}\b", text, re.IGNORECASE
        ),
        *re.finditer(
            rf"(?:^|\b(?:the|is|was|who) ){claim}"
            rf"(?: (?:one|person|of (?:the|all)(?: \w+)?|among them))? (?:is|was) ({joined})",
            text,
            re.IGNORECASE,
        ),
    ]
    return {one[0].lower() for match in every for one in re.finditer(pattern, match[1], re.IGNORECASE)}
