"""What pydantic found wrong, told to the person who wrote the file. Pure.

Invariant: every sentence says what to do, and none quotes a value unless `quote` allows it.
"""

import difflib
import json
import types
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from steelyard.api.meta import Spec
from steelyard.files.documents import Path

_PATTERNS = {
    "[0-9]{1,6}": 'must be US dollars with at most 6 digits before and after the point, quoted: "0.15"',
    "[a-z0-9]": "must be lower case letters, digits, '-' and '.', with a letter or digit at both ends",
    r"\S": "must not begin or end with a space",
    "[A-Za-z]": "must be one CamelCase word",
}
"""What a pattern wants, by how it begins."""


def field_name(path: Path) -> str:
    """A path as people write it: spec.models[0].name."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in path]
    return "".join(parts).removeprefix(".")


def sentence(kind: type[Spec], error: ErrorDetails, written: Callable[[], str], *, quote: bool) -> str:
    """What is wrong with a field and what to do; `written` gives its text in the file."""
    got = f", got {_short(error['input'])}" if quote else ""
    context = error.get("ctx", {})
    match error["type"]:
        case "missing":
            return "is missing: add it"
        case "extra_forbidden":
            return _unknown_field(kind, error["loc"])
        case "enum" | "literal_error":
            return _unknown_value(kind, error, got)
        case "value_error":
            return str(context["error"])
        case "string_type":
            return _not_text(error["input"], written, quote=quote)
        case "string_pattern_mismatch":
            pattern = context["pattern"].removeprefix("^").removeprefix("(")
            wanted = next((text for start, text in _PATTERNS.items() if pattern.startswith(start)), None)
            return f"{wanted or 'must match ' + context['pattern']}{got}"
        case other:
            return _of_shape(other, context, got) or _of_size(other, context, got) or f"{error['msg']}{got}"


def closest(name: str, known: Iterable[str]) -> str:
    """A suggestion, or the list of what is known."""
    by_lower = {value.lower(): value for value in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f"did you mean `{by_lower[near[0]]}`?" if near else f"known are {words(by_lower.values())}"


def words(names: Iterable[str], last: str = "and") -> str:
    """Names in a sentence: a, b and c."""
    *first, end = names
    return f"{', '.join(first)} {last} {end}" if first else end


def _unknown_field(kind: type[Spec], path: Path) -> str:
    known = _fields_at(kind, path[:-1])
    return f"unknown field; {closest(str(path[-1]), known)}" if known else "unknown field: remove it"


def _unknown_value(kind: type[Spec], error: ErrorDetails, got: str) -> str:
    allowed = [part.strip("' ") for part in error["ctx"]["expected"].replace(" or ", ", ").split(", ")]
    near = difflib.get_close_matches(str(error["input"]).lower(), [name.lower() for name in allowed], n=1)
    hint = next((f"; did you mean `{name}`?" for name in allowed if [name.lower()] == near), "")
    return f"must be {words(allowed, 'or')}{got}{hint}"


def _not_text(value: Any, written: Callable[[], str], *, quote: bool) -> str:
    if isinstance(value, dict | list):
        return "must be text"
    return f'must be text: write it quoted: "{written()}"' if quote else "must be text: write it quoted"


def _of_shape(error_type: str, context: dict[str, Any], got: str) -> str:
    match error_type:
        case "int_type" | "int_parsing" | "int_from_float":
            return f"must be a whole number{got}"
        case "bool_type" | "bool_parsing":
            return f"must be true or false{got}"
        case "tuple_type" | "list_type":
            return f"must be a list: begin each entry with '- '{got}"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"must be an object with fields{got}"
        case "datetime_type" | "datetime_parsing" | "datetime_from_date_parsing" | "timezone_aware":
            return f"must be a time with a zone, as 2026-11-21T10:00:00Z{got}"
    return ""


def _of_size(error_type: str, context: dict[str, Any], got: str) -> str:
    match error_type:
        case "greater_than_equal":
            return f"must be at least {context['ge']}{got}"
        case "less_than_equal":
            return f"must be at most {context['le']}{got}"
        case "too_long":
            return f"has {context['actual_length']} entries: at most {context['max_length']} are allowed"
        case "too_short":
            return f"has {context['actual_length']} entries: at least {context['min_length']} must be given"
        case "string_too_long":
            return f"is longer than {context['max_length']} characters: shorten it"
        case "string_too_short":
            return "is empty: give it a value or remove it"
    return ""


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _fields_at(kind: type[Spec], path: Path) -> list[str]:
    """The fields that an object at this path may have; none where it holds free keys."""
    at: Any = kind
    for part in path:
        at = _unwrapped(at)
        if isinstance(at, type) and issubclass(at, BaseModel):
            at = next((f.annotation for f in at.model_fields.values() if f.alias == part), None)
        elif args := get_args(at):
            at = args[0] if isinstance(part, int) else args[-1]
    at = _unwrapped(at)
    if isinstance(at, type) and issubclass(at, BaseModel):
        return [field.alias or name for name, field in at.model_fields.items()]
    return []


def _unwrapped(annotation: Any) -> Any:
    """The type inside Annotated and `| None`."""
    while get_origin(annotation) in (Annotated, Union, types.UnionType):
        annotation = next(arg for arg in get_args(annotation) if arg is not type(None))
    return annotation
