"""Named lines of a Prometheus text exposition. Pure: bytes in, values out.

Formats: https://prometheus.io/docs/instrumenting/exposition_formats/, and OpenMetrics 1.0, whose timestamps
and exemplars are passed over. What was not asked for is never looked at: of vLLM's 700 lines four count.

Rule 1. Nothing raises, whatever the bytes are, and the time is linear in them: no pattern goes back.
Rule 2. A line whose labels or value cannot be read has the value None, so that a sum over it is unknown.
"""

import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

MOST_LINES = 10_000
"""An exposition with more wanted lines tells nothing: no engine or node has so many parts."""

MOST_BYTES = 2**20
"""Likewise where the wanted lines are longer in all."""

_LONGEST_NUMBER = 64

_NAME, _QUOTED = "[A-Za-z_][A-Za-z0-9_]*+", r'(?:[^"\\]++|\\.)*+'
_LABEL = re.compile(rf'[{{,][ \t]*+({_NAME})[ \t]*+=[ \t]*+"({_QUOTED})"')
_LABELS = rf'\{{[ \t]*+(?:{_NAME}[ \t]*+=[ \t]*+"{_QUOTED}"[ \t]*+(?:,[ \t]*+|(?=\}})))*+\}}'
_REST = re.compile(rf"[ \t]*+({_LABELS})?[ \t]*+([^ \t\r]*+)")
_NUMBER = re.compile(r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", '"': '"', "\\": "\\"}


@dataclass(frozen=True, slots=True)
class Line:
    """One sample."""

    name: str
    """The metric's name."""
    labels: Mapping[str, str]
    """Values by name."""
    value: float | None
    """None: NaN, infinite, or not to be read."""


def read(exposition: bytes, names: tuple[str, ...]) -> list[Line]:
    """The lines of these metrics, in their order; empty where there are too many. Linear in the bytes."""
    text = b"\n%b\n" % exposition
    lines: list[Line] = []
    taken = 0
    for found in _pattern(names).finditer(text):
        start = found.end()
        end = text.index(b"\n", start)
        taken += end - found.start()
        if taken > MOST_BYTES or len(lines) == MOST_LINES:
            return []
        lines.append(_line(found[1].decode(), text[start:end].decode(errors="replace")))
    return lines


@functools.cache
def _pattern(names: tuple[str, ...]) -> re.Pattern[bytes]:
    return re.compile(rb"\n[ \t]*+(%b)(?=[ \t{])" % b"|".join(re.escape(name.encode()) for name in names))


def _line(name: str, text: str) -> Line:
    rest = _REST.match(text)
    assert rest is not None  # it may be empty
    return Line(name, _labels(rest[1]) if rest[1] else {}, _value(rest[2]))


def _labels(text: str) -> dict[str, str]:
    """Of {name="value",…}, which is well formed."""
    labels = dict(_LABEL.findall(text))
    if "\\" in text:
        return {name: _ESCAPE.sub(_unescaped, value) for name, value in labels.items()}
    return labels


def _unescaped(found: re.Match[str]) -> str:
    return _ESCAPED.get(found[1], found[0])


def _value(text: str) -> float | None:
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
