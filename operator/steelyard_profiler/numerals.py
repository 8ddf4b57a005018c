"""The numbers in a text, written with digits or in words. Pure.

Invariant: a number is exact (a Fraction), so that "12", "12.0" and "twelve" are the same value; what is read
does not depend on the number that is expected.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

_UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_PARTS = {
    "half": 2,
    "halves": 2,
    "third": 3,
    "thirds": 3,
    "quarter": 4,
    "quarters": 4,
    "fourths": 4,
    "fifth": 5,
    "fifths": 5,
    "sixth": 6,
    "sixths": 6,
    "eighth": 8,
    "eighths": 8,
    "tenth": 10,
    "tenths": 10,
}

_PLAIN = r"(?:\d{1,3}(?:[,'’]\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
_SIGN = r"(?<![A-Za-z0-9_.])(?<![0-9]\))-?"
_NUMBER = re.compile(
    r"(?:(?P<minus>\bnegative\s+|(?:^|(?<=\bis )|(?<=[:=] ))minus\s+|(?:(?<=\bis )|(?<== ))-\s)"
    rf"|{_SIGN})(?P<number>{_PLAIN})"
    r"(?:\s*(?:×|x|\*|\\times)\s*10\^\{?(?P<power>-?\d{1,2})\}?|e(?P<e>[+-]?\d{1,2})\b)?"
    r"(?:\s+(?P<scale>hundred|thousand|million|billion)\b)?",
    re.IGNORECASE,
)
_RATIO = re.compile(
    r"(?<![\w./])(\bnegative\s+|(?:^\W*|(?<=\bis )|(?<=[:=] ))(?:minus\s|-)\s*|-?)"
    r"(?:(\d+)\s+)?(\d+)\s*/\s*(\d+)(?![\w/])",
    re.IGNORECASE,
)
_WORD = "|".join((*_TENS, *reversed(_UNITS), *_SCALES))
_WORDS = re.compile(
    rf"\b(?:(?:minus|negative)\s+)?(?:a\s+(?=hundred|thousand|million|dozen))?"
    rf"(?:(?:half\s+a\s+)?dozen\b|(?:{_WORD})\b(?:(?:(?:(?<=hundred)|(?<=thousand))\s+and\s+|[\s-]+)(?:{_WORD})\b)*)",
    re.IGNORECASE,
)
_PART = re.compile(rf"\b({'|'.join(_UNITS[1:10])}|an?)[\s-]+({'|'.join(_PARTS)})\b", re.IGNORECASE)
_NO_NUMBER = re.compile(
    r"\b(?:no|any|some|every|each|which|this|that|the|other|another|right|wrong|correct|last|first|next)\s+$",
    re.IGNORECASE,
)
_STEP = re.compile(r"^[ \t]{0,20}(?:step\s+)?(\d{1,2})(?:[.)]\s|:\s)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Found:
    """A value found in a text."""

    value: object
    """What was found: comparable with `==`, hashable."""
    start: int
    """Where it begins."""
    end: int
    """Where the text goes on."""


def numbers(text: str, *, ratios: bool = False) -> list[Found]:
    """All numbers in digits, without those that number the lines; if there are none, all in words.

    With `ratios`, "3/4", "2 1/2" and "three quarters" are one number each.
    """
    steps = _step_numbers(text)
    spans = [
        Found(_ratio(match), match.start(), match.end())
        for match in _RATIO.finditer(text)
        if ratios and int(match[4])
    ]
    found = spans + [
        Found(_digits(match), match.start(), match.end())
        for match in _NUMBER.finditer(text)
        if match.start("number") not in steps
        and not any(span.start <= match.start("number") < span.end for span in spans)
    ]
    return sorted(found, key=lambda one: one.start) or _in_words(text, ratios=ratios)


def _step_numbers(text: str) -> set[int]:
    """Where the numbers of numbered lines stand: 1, 2, 3 … at their beginnings, with numbers after them."""
    steps = list(_STEP.finditer(text))
    if [int(step[1]) for step in steps] != list(range(1, len(steps) + 1)):
        return set()
    if len(steps) == 1 and not (steps[0].start() == 0 and re.search(r"\d", text[steps[0].end() :])):
        return set()
    return {step.start(1) for step in steps}


def _digits(match: re.Match[str]) -> Fraction:
    value = Fraction(re.sub(r"[,'’]", "", match["number"]))
    if match["minus"] or match[0].startswith("-"):
        value = -value
    value *= Fraction(10) ** int(match["power"] or match["e"] or 0)
    return value * _SCALES[match["scale"].lower()] if match["scale"] else value


def _ratio(match: re.Match[str]) -> Fraction:
    value = int(match[2] or 0) + Fraction(int(match[3]), int(match[4]))
    return -value if match[1] else value


def _in_words(text: str, *, ratios: bool) -> list[Found]:
    if ratios and (parts := list(_PART.finditer(text))):
        return [Found(_part(match), match.start(), match.end()) for match in parts]
    found = []
    for match in _WORDS.finditer(text):
        is_pronoun = match[0].lower() == "one" and (
            _NO_NUMBER.search(text, 0, match.start())
            or re.match(r"\s+(?:of|who|which|that)\b", text[match.end() :])
        )
        if not is_pronoun:
            found += [Found(value, match.start(), match.end()) for value in _word_values(match[0])]
    return found


def _part(match: re.Match[str]) -> Fraction:
    count = match[1].lower()
    return Fraction(_UNITS.index(count) if count in _UNITS else 1, _PARTS[match[2].lower()])


def _word_values(text: str) -> list[Fraction]:
    """The number that the words make; several where they are a list, such as "two three"."""
    tokens = [token for token in re.split(r"[\s-]+", text.lower()) if token not in ("and", "a")]
    sign = -1 if tokens[0] in ("minus", "negative") else 1
    tokens = tokens[1:] if sign < 0 else tokens
    if tokens[-1] == "dozen":
        return [Fraction(sign * (6 if len(tokens) > 1 else 12))]
    done, values, group, least = 0, [], 0, 10**12
    for token in tokens:
        if token in _SCALES and token != "hundred":  # noqa: S105
            done, group, least = done + (group or 1) * _SCALES[token], 0, _SCALES[token]
            continue
        if token == "hundred":  # noqa: S105
            group, least = (group or 1) * 100, 100
            continue
        value = _UNITS.index(token) if token in _UNITS else 20 + 10 * _TENS.index(token)
        size = 10 if value >= 20 else 1
        if value >= least or (least == 10 and value >= 10):
            values.append(Fraction(sign * (done + group)))
            done = group = 0
        group, least = group + value, size
    return [*values, Fraction(sign * (done + group))]
