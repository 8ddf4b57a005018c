"""Whether a model called the tools that it should. Pure.

Taken generously: numbers and booleans may be quoted, names differ in case, a date or time has any usual form,
a parameter that is null is left out, and calls may come in any order.
Marked strictly: another tool, a call too many or too few, an argument that is wrong, missing or made up. A
call that is written into the text is no call: no client would run it.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from steelyard_profiler import moments
from steelyard_profiler.answers import Check
from steelyard_profiler.target import Call

_MONTH = r"(?P<name>[a-z]{3})[a-z]*\.?"
_DAYS = (
    re.compile(r"(?P<year>\d{4})[-/](?P<month>\d{1,2})[-/](?P<day>\d{1,2})(?:t[\d:.z]*)?"),
    re.compile(rf"(?P<day>\d{{1,2}})(?:st|nd|rd|th)? (?:of )?{_MONTH},? (?P<year>\d{{4}})"),
    re.compile(rf"{_MONTH} (?P<day>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<year>\d{{4}})"),
)
_CLOCK = re.compile(r"(?P<hour>\d{1,2})(?::(?P<minute>\d\d)(?::00)?)? ?(?P<half>[ap])?\.?(?:m\.?)?")

ENOUGH_TO_TELL = 8
"""Answers without any right call from which it follows that a model calls no tools."""


class Place(str):
    """A place as an argument: what follows a comma, as its country, is forgiven."""

    __slots__ = ()


class Thing(str):
    """A thing as an argument, in the singular or the plural."""

    __slots__ = ()


class Title(str):
    """What something is called, with or without "the"."""

    __slots__ = ()


class Several(tuple[object, ...]):
    """What an argument lists in any order."""

    __slots__ = ()


class Day(str):
    """A day as an argument, as 2031-05-14."""

    __slots__ = ()


class Clock(str):
    """A time of the day as an argument, as 15:30."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A call that is right."""

    name: str
    """The tool."""
    arguments: Mapping[str, object]
    """What must be given."""
    may_have: Mapping[str, object] = field(default_factory=dict)
    """What may be given besides, being the tool's default."""

    def call(self) -> Call:
        """The call as a model makes it."""
        return Call(self.name, json.dumps(self.arguments))


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCheck(Check):
    """Whether an answer with its calls is right; `passes` judges a text that came without any."""

    judges: Callable[[str, Sequence[Call]], bool]
    """Judges an answer's text and calls."""
    calls: tuple[Call, ...] = ()
    """The calls of an answer that is right."""


def called(*wanted: Wanted) -> CallCheck:
    """These calls, in any order, and no other; whatever text stands beside them."""
    return CallCheck(
        passes=lambda text: not wanted,
        example="",
        judges=lambda text, calls: same_calls(calls, wanted),
        calls=tuple(one.call() for one in wanted),
    )


def uncalled(answer: Check) -> CallCheck:
    """No call, and a text that passes this check."""
    return CallCheck(
        passes=answer.passes,
        example=answer.example,
        options=answer.options,
        judges=lambda text, calls: not calls and answer.passes(text),
    )


def same_calls(calls: Sequence[Call], wanted: Sequence[Wanted]) -> bool:
    """Whether these are the calls that are wanted, one for one."""
    left = list(wanted)
    for call in calls:
        match = next((one for one in left if same_call(call, one)), None)
        if match is None:
            return False
        left.remove(match)
    return not left


def same_call(call: Call, wanted: Wanted) -> bool:
    """Whether this is the wanted call."""
    given = _arguments(call.arguments)
    if call.name != wanted.name or given is None:
        return False
    allowed = {**wanted.may_have, **wanted.arguments}
    return wanted.arguments.keys() <= given.keys() <= allowed.keys() and all(
        same_argument(value, allowed[name]) for name, value in given.items()
    )


def same_argument(found: object, wanted: object) -> bool:
    """Whether an argument says what is wanted."""
    match wanted:
        case bool():
            return found is wanted or (
                isinstance(found, str) and found.strip().lower() == str(wanted).lower()
            )
        case int() | float():
            return _number(found) == Decimal(str(wanted))
        case Place():
            return isinstance(found, str) and _plain(found.split(",")[0]) == _plain(wanted)
        case Title():
            return isinstance(found, str) and _plain(found).removeprefix("the ") == _plain(wanted)
        case Thing():
            return isinstance(found, str) and _plain(found).removesuffix("s") == _plain(wanted).removesuffix(
                "s"
            )
        case Several():
            return isinstance(found, list) and _pairs_up(found, wanted)
        case Day():
            return _day(found) == wanted
        case Clock():
            return _clock(found) == wanted
        case str():
            return isinstance(found, str) and _plain(found) == _plain(wanted)
        case list() | tuple():
            return (
                isinstance(found, list)
                and len(found) == len(wanted)
                and all(map(same_argument, found, wanted))
            )
        case dict():
            given = _without_nulls(found)
            return (
                given is not None
                and given.keys() == wanted.keys()
                and all(same_argument(given[name], value) for name, value in wanted.items())
            )
        case _:
            return found == wanted


def _pairs_up(found: Sequence[object], wanted: Sequence[object]) -> bool:
    """Whether these are the things that are wanted, one for one, in any order."""
    left = list(wanted)
    for one in found:
        match = next((at for at, other in enumerate(left) if same_argument(one, other)), None)
        if match is None:
            return False
        del left[match]
    return not left


def written_as_text(text: str, tools: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a text holds what looks like a call of one of these tools."""
    names = "|".join(re.escape(str(tool["function"]["name"])) for tool in tools)
    return bool(names) and bool(
        re.search(
            rf"""["']?name["']?\s*[:=]\s*["']?(?:{names})\b|<function={names}\b|\b(?:{names})\(""", text
        )
    )


class ToolSight:
    """What was seen of a model's calls."""

    def __init__(self) -> None:
        self.as_text = 0
        """Answers that held a call as text instead of a call."""
        self._right = 0
        self._wrong = 0

    def see(self, check: object, tools: Sequence[Mapping[str, Any]], text: str, *, is_right: bool) -> None:
        """Count an answer to a question that came with tools."""
        if not isinstance(check, CallCheck) or not check.calls:
            return
        self._right += is_right
        self._wrong += not is_right
        self.as_text += not is_right and written_as_text(text, tools)

    @property
    def can_call(self) -> bool | None:
        """Whether it calls tools; None where too little was seen."""
        return True if self._right else False if self._wrong >= ENOUGH_TO_TELL else None


def _arguments(text: str) -> dict[str, Any] | None:
    """The arguments of a call, those that are null left out; None where they are no object."""
    try:
        value = json.loads(text or "{}")
        return _without_nulls(json.loads(value) if isinstance(value, str) else value)
    except (ValueError, RecursionError):
        return None


def _without_nulls(value: object) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    return {name: held for name, held in value.items() if held is not None}


def _number(found: object) -> Decimal | None:
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        return None
    try:
        number = Decimal(str(found).strip().replace(",", ""))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _plain(text: str) -> str:
    return " ".join(text.split()).strip("\"'“”‘’").rstrip(".!").casefold()


def _day(found: object) -> str | None:
    """A day as 2031-05-14; None where it is in no form that is known."""
    text = " ".join(found.lower().split()) if isinstance(found, str) else ""
    match = next((match for form in _DAYS if (match := form.fullmatch(text))), None)
    if match is None:
        return None
    parts = match.groupdict()
    month = moments.month_of(parts["name"]) if "name" in parts else int(parts["month"])
    return f"{parts['year']}-{month:02}-{int(parts['day']):02}" if month is not None else None


def _clock(found: object) -> str | None:
    """A time of the day as 15:30; None where it is in no form that is known."""
    match = _CLOCK.fullmatch(found.strip().lower()) if isinstance(found, str) else None
    if match is None or not (match["minute"] or match["half"]):
        return None
    hour = moments.hour_of_day(int(match["hour"]), match["half"] or "")
    return f"{hour:02}:{match['minute'] or '00'}"
