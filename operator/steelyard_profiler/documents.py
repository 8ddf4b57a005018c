"""JSON in an answer, and whether it is what was asked for. Pure.

Invariant: what a JSON parser refuses is refused here; only what wraps it is forgiven: a fence, a sentence
before or after it, typographic quotes.
"""

import json
import re
from fractions import Fraction
from typing import Any

from steelyard_profiler import sayings

FENCE = re.compile(r"```[\w-]*\n?(.*?)```", re.DOTALL)
"""What stands in a code fence."""

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def json_value(answer: str) -> Any:
    """The one JSON object or list of an answer, in a fence or not; None for none or several."""
    seen = sayings.visible(answer).translate({ord("“"): '"', ord("”"): '"'})
    fenced = FENCE.findall(seen)
    text = fenced[0] if len(fenced) == 1 and re.search(r"[{\[]", fenced[0]) else seen
    value, end = _first(text)
    if end is not None and sayings.is_denied(text, _opening(text), end):
        return None
    while end is not None and value is not None:
        again, end = _first(text[end:]) if end < len(text) else (None, None)
        if again is not None:
            return None
    return value


def _first(text: str) -> tuple[Any, int | None]:
    """The first object or list that parses, and where it ends; None where none does.

    What opens with a brace or bracket and does not parse ends the search: the JSON is broken there.
    """
    start = _opening(text)
    if start < 0:
        return None, None
    decoder = json.JSONDecoder(object_pairs_hook=_without_repetition, parse_constant=_refused)
    try:
        return decoder.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None, None


def _opening(text: str) -> int:
    """Where the first brace or bracket stands; -1: nowhere."""
    return min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=-1)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


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
    if expected is None or isinstance(expected, bool) or isinstance(found, bool):
        return found is expected
    if isinstance(found, dict | list) or found is None:
        return False
    one, other = _plain(found), _plain(expected)
    if _NUMBER.fullmatch(other):
        return bool(_NUMBER.fullmatch(one)) and Fraction(one) == Fraction(other)
    return one == other


def _plain(value: object) -> str:
    return " ".join(str(value).split()).lower()
