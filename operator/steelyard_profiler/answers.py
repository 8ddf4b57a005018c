"""What an answer says, and whether that is right. Pure.

Taken generously: "12", "12.", "The answer is 12", "7 + 5 = 12", "twelve" and "**12**" all say 12.
Marked strictly: a guess among many is wrong. What an answer says is found by these rules, in this order:
Rule 1. "12 or 13" says nothing.
Rule 2. A last value that is marked as the answer ("the answer is", "=", "equals", \\boxed) is what it says.
Rule 3. Else the only value that the question did not contain; else the only value at all.
Rule 4. Else the value that stands alone at the beginning, with an explanation in words after it.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

_UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *(
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_NUMBER = re.compile(r"(?<![\w.])-?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?")
_WORD_NUMBER = re.compile(
    rf"\b(?:(?:{'|'.join(_TENS)})(?:[- ](?:{'|'.join(_UNITS[1:10])}))?|{'|'.join(_UNITS)})\b", re.IGNORECASE
)
_MARK = re.compile(
    r"(?:\b(?:answer|result|total|sum|solution)\b[^.\n]{0,30}?(?:\bis|\bare|:|=)|=|\bequals|\bboxed\{)\W{0,6}$",
    re.IGNORECASE,
)
_HEDGE = re.compile(r"\s*,?\s*\b(?:or|alternatively)\b\s*(?:maybe|perhaps|possibly|even)?\W*", re.IGNORECASE)
_FENCE = re.compile(r"```[\w-]*\n?(.*?)```", re.DOTALL)
_DECORATION = re.compile(r"\*\*|__|[`$]|\\[()\[\]]|(?<=\d)[\u00a0\u202f](?=\d)")


@dataclass(frozen=True, slots=True)
class _Value:
    """A value found in an answer."""

    value: object
    start: int
    end: int


def states_number(answer: str, expected: int, given: Iterable[int] = ()) -> bool:
    """Whether the answer says this number; `given` are the numbers of the question."""
    text = _undecorated(answer)
    found = [
        _Value(Decimal(re.sub(r"[,\s]", "", match[0])), match.start(), match.end())
        for match in _NUMBER.finditer(text)
    ]
    if not found:
        found = [_Value(_word_value(m[0]), m.start(), m.end()) for m in _WORD_NUMBER.finditer(text)]
    return _said(text, found, {Decimal(number) for number in given} - {Decimal(expected)}) == Decimal(
        expected
    )


def states_choice(
    answer: str, expected: str, options: Iterable[str], given: Iterable[str] = (), claim: str = ""
) -> bool:
    """Whether the answer says this one of the options.

    `given` are options that the question names without asking about them; `claim` is the word that the
    question asks about, so that "Ann is taller than Bob" says Ann when the question is who is taller.
    """
    text = _undecorated(answer)
    longest_first = sorted({expected, *options}, key=lambda option: (-len(option), option))
    pattern = rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)"
    if claim:
        claims = re.findall(rf"({pattern}) (?:is|was|comes|finished) (?:the )?{claim}\b", text, re.IGNORECASE)
        if len({option.lower() for option in claims}) == 1:
            return bool(claims[0].lower() == expected.lower())
    found = [_Value(m[0].lower(), m.start(), m.end()) for m in re.finditer(pattern, text, re.IGNORECASE)]
    return _said(text, found, {option.lower() for option in given} - {expected.lower()}) == expected.lower()


def states_match(answer: str, expected: str, pattern: str) -> bool:
    """Whether the answer says this text, among all texts of its form."""
    text = _undecorated(answer)
    found = [_Value(m[0].lower(), m.start(), m.end()) for m in re.finditer(pattern, text, re.IGNORECASE)]
    return _said(text, found, set()) == expected.lower()


def body(answer: str) -> str:
    """The answer without what merely wraps it: white space, a code fence, quotes, bold."""
    text = answer.strip()
    if fence := _FENCE.fullmatch(text):
        text = fence[1].strip()
    for left, right in (("**", "**"), ("`", "`"), ('"', '"'), ("'", "'"), ("“", "”")):
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


def json_value(answer: str) -> Any:
    """The one JSON object or list of an answer, in a fence or not; None for none or several."""
    fenced = _FENCE.findall(answer)
    text = fenced[0] if len(fenced) == 1 else answer
    start = min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=-1)
    if start < 0:
        return None
    try:
        value, end = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    return None if re.search(r"[{\[]", text[end:]) else value


def same_json(found: object, expected: object) -> bool:
    """Equal values: numbers may be quoted, text may differ in case, and nothing may be missing or added."""
    if isinstance(expected, dict):
        return (
            isinstance(found, dict)
            and found.keys() == expected.keys()
            and all(same_json(found[key], value) for key, value in expected.items())
        )
    if isinstance(expected, list):
        return (
            isinstance(found, list) and len(found) == len(expected) and all(map(same_json, found, expected))
        )
    if isinstance(expected, bool) or isinstance(found, bool):
        return found is expected
    return str(found).strip().lower() == str(expected).lower()


@dataclass(frozen=True, slots=True)
class Check:
    """Whether an answer is right."""

    passes: Callable[[str], bool]
    """Judges an answer."""
    example: str
    """An answer that is right."""


def number(expected: int, *given: int) -> Check:
    """`states_number` as a check."""
    return Check(lambda answer: states_number(answer, expected, given), str(expected))


def choice(expected: str, options: Iterable[str], given: Iterable[str] = (), claim: str = "") -> Check:
    """`states_choice` as a check."""
    return Check(lambda answer: states_choice(answer, expected, options, given, claim), expected)


def match(expected: str, pattern: str) -> Check:
    """`states_match` as a check."""
    return Check(lambda answer: states_match(answer, expected, pattern), expected)


def text(expected: str) -> Check:
    """`is_text` as a check."""
    return Check(lambda answer: is_text(answer, expected), expected)


def listed(expected: Sequence[str], separator: str = ",") -> Check:
    """A list in this order, case forgiven."""
    lower = [item.lower() for item in expected]
    return Check(
        lambda answer: [item.lower() for item in items(answer, separator)] == lower,
        f"{separator} ".join(expected),
    )


def json_of(expected: object) -> Check:
    """`same_json` as a check."""
    return Check(lambda answer: same_json(json_value(answer), expected), json.dumps(expected))


def _said(text: str, found: Sequence[_Value], given: Set[Any]) -> object:
    """The value that an answer says, by the rules above; None where it says none."""
    for one, two in pairwise(found):
        if one.value != two.value and _HEDGE.fullmatch(text, one.end, two.start):
            return None
    if not found:
        return None
    if _MARK.search(text, max(0, found[-1].start - 60), found[-1].start):
        return found[-1].value
    for distinct in ({value.value for value in found} - given, {value.value for value in found}):
        if len(distinct) == 1:
            return distinct.pop()
        if distinct:
            break
    after = found[0].end
    until = next((value.start for value in found[1:] if value.value != found[0].value), len(text))
    alone = found[0].start == 0 and re.match(r"\s*[.!;:\n(]", text[after:])
    return found[0].value if alone and re.search(r"[a-z]{3}", text[after:until], re.IGNORECASE) else None


def _undecorated(answer: str) -> str:
    return _DECORATION.sub("", answer.replace("\u2212", "-")).strip().strip("\"'“”").strip()


def _word_value(text: str) -> Decimal:
    first, *rest = re.split("[- ]", text.lower())
    value = _UNITS.index(first) if first in _UNITS else 20 + 10 * _TENS.index(first)
    return Decimal(value + sum(_UNITS.index(word) for word in rest))
