"""Whether an answer about a program is right: what it prints, which line is wrong, a function in full.

Rule 1. A function is judged by what it gives for inputs that the question does not show, found by our own
        interpreter; how it is written, and what stands around it, plays no part.
Rule 2. An answer that names two outputs or two lines says neither.
"""

import ast
import math
import re
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from steelyard_profiler import answers, sayings
from steelyard_profiler.answers import Check
from steelyard_profiler.interpreter.operations import Halted
from steelyard_profiler.interpreter.program import MOST_SOURCE_CHARACTERS, MOST_STEPS, Program

_FENCE = re.compile(r"```[ \t]*[\w+-]*[ \t]*\n?(.*?)(?:```|\Z)", re.DOTALL)
_DEFINED = re.compile(r"(?m)^\s*def\s+(\w+)\s*\(")
_QUOTED = re.compile(r"`([^`\n]+)`")
_SAYS = re.compile(
    r"\b(?:prints?|printed|outputs?|displays?|(?:output |answer |result |value )?(?:is|will be)|"
    r"(?:output|answer|result|value)(?=:))\b:?\s+",
    re.IGNORECASE,
)
_SAID = re.compile(rf"{_SAYS.pattern}[\"'“]([^\"'”\n]+)[\"'”]", re.IGNORECASE)
_EXPLAINED = re.compile(r"\n\s*(?:explanation|because|since|this|the|it|here)\b", re.IGNORECASE)
_TAKES_BACK = re.compile(r"\b(?:no|wait|actually|sorry|correction|rather)\b", re.IGNORECASE)
_GOES_ON = re.compile(rf"{_TAKES_BACK.pattern}|\b(?:so|then|thus|therefore|finally)\b", re.IGNORECASE)
_OTHER = re.compile(
    rf"{_TAKES_BACK.pattern}|\b(?:or|maybe|perhaps|wrong|incorrect|should|outputs?|prints?|printed|answer)\b",
    re.IGNORECASE,
)
"""Where it stands behind an output, that may be none."""

_HEDGE = re.compile(r"\b(?:or|maybe|perhaps|either)\b", re.IGNORECASE)
_LIST = r"\[[^\[\]]*\]"
# Each further line is taken in one way only: tried in all ways, a long row of them would take for ever.
_MORE_LINES = (
    r"(?:(?>\s{0,3}(?:,?\s{0,3}\b(?:or|and)\b|[-–/&,])\s{0,3}(?:lines?\s{0,3})?#?\d{1,3}\b)+"
    r"(?=\s{0,3}(?:[.!?)\n]|\Z|are\b)))?"
)
_LINE = re.compile(
    rf"\blines?\s{{0,3}}(?:number|no\.?|#)?\s{{0,3}}(?:is|:)?\s{{0,3}}#?\d{{1,3}}\b{_MORE_LINES}",
    re.IGNORECASE,
)
_IS_FINE = re.compile(
    r"[`'\")]*\s+(?:is|looks|seems) (?:(?:fine|okay|ok|correct|right)\b(?! one\b| answer\b)"
    r"|not (?:the )?(?:wrong|incorrect|a problem|an error|the problem|the error|mistaken|faulty|buggy)\b)"
    r"|\s+isn['’]?t (?:the )?(?:wrong|incorrect|a problem|the problem|mistaken|faulty|buggy)\b",
    re.IGNORECASE,
)
"""Stands behind a line that is said to be none of the wrong ones."""

_NUMBERED = re.compile(rf"^\W{{0,8}}#?\d{{1,3}}\b(?:{_MORE_LINES})(?!\s{{0,3}}[-+*/%=<>)\]])", re.IGNORECASE)
_MOST = 1e300
"""A larger number is none of our results; some whole numbers are too large for a fraction."""

_MOST_CUTS = 60
"""Lines that are left away at the end of an answer until the rest is a program."""


def code(text: str) -> str:
    """A program that is written indented among other things."""
    return textwrap.dedent(text).strip()


def output_of(source: str) -> str:
    """What one of our own programs prints, without the last line's end."""
    return Program(source).run().removesuffix("\n")


def prints(source: str) -> Check:
    """The output of the program, one line."""
    expected = output_of(source)
    return Check(lambda answer: says_output(answer, expected), expected)


def says_output(answer: str, expected: str) -> bool:
    """Whether the answer gives this output, by itself or as what is printed."""
    wanted, answer = _plain(expected), _unmarked(answer)
    if re.fullmatch(_LIST, wanted):
        first, *more = answer.split("\n\n")
        is_other = any(_OTHER.search(part) or re.fullmatch(_LIST, _plain(part)) for part in more)
        if re.fullmatch(_LIST, _plain(first)) and not is_other:
            return _plain(first) == wanted
        return answers.states_match(_plain(answer), wanted, _LIST)
    hedged = _HEDGE.search(answer) and not _HEDGE.search(expected)
    return not hedged and wanted in map(_plain, _candidates(answer))


def wrong_line(lines: Sequence[str], at: int) -> Check:
    """The line `at` of the program, the first being 1, as its number or as its text."""
    return Check(lambda answer: says_line(answer, lines, at), f"Line {at}")


def says_line(answer: str, lines: Sequence[str], at: int) -> bool:
    """Whether the answer names this line of the program, by its number or by its text."""
    text = answer.replace("**", "").strip()
    numbered = list(_LINE.finditer(text)) or [match for match in (_NUMBERED.match(text),) if match]
    if numbered:
        blamed = [match[0] for match in numbered if _is_blamed(text, match)]
        return {int(number) for named in blamed for number in re.findall(r"\d+", named)} == {at}
    quoted = {number: list(_as_written(line).finditer(text)) for number, line in enumerate(lines, 1)}
    named = {number for number, found in quoted.items() if any(_is_blamed(text, match) for match in found)}
    return named == {at} if any(quoted.values()) else answers.states_number(text, at)


def _is_blamed(text: str, match: re.Match[str]) -> bool:
    return not sayings.is_denied(text, match.start()) and not _IS_FINE.match(text, match.end())


def _as_written(line: str) -> re.Pattern[str]:
    """A pattern of the line with any spaces and quotes."""
    plain = (re.escape(one) for one in re.sub(r"\s", "", line))
    return re.compile(r"\s*".join("[\"']" if one in "\"'" else one for one in plain))


def writes(name: str, reference: str, inputs: Sequence[Sequence[Any]]) -> Check:
    """A function of this name that gives what our own one gives, for each of the inputs.

    Raises ValueError where a constant would do.
    """
    program = Program(reference).define()
    cases = [(given, program.call(name, given)) for given in inputs]
    if len({repr(wanted) for _, wanted in cases}) < 2:
        raise ValueError(f"the inputs of {name} do not tell a function from a constant")
    return Check(lambda answer: gives(answer, name, cases), reference)


def gives(answer: str, name: str, cases: Sequence[tuple[Sequence[Any], Any]]) -> bool:
    """Whether the answer holds a function of this name, or one of another alone, that gives all this."""
    source = source_of(answer, name)
    if source is None:
        others = set(_DEFINED.findall(answer))
        if len(others) != 1:
            return False
        name = others.pop()
        source = source_of(answer, name) or ""
    try:
        program = Program(source, MOST_STEPS).define()
        return all(_same(program.call(name, given), wanted) for given, wanted in cases)
    except Halted:
        return False


def source_of(answer: str, name: str) -> str | None:
    """The program of an answer that defines this name: fenced or not, prose around it, perhaps cut."""
    found = [block for block in _FENCE.findall(answer) if _defines(block, name)]
    text = found[0] if found else answer.replace("`", "")
    lines = textwrap.dedent(text.expandtabs(4)).splitlines()
    starts = [at for at, line in enumerate(lines) if _defines(line.lstrip(), name)]
    if not starts:
        return None
    for first in dict.fromkeys((0, starts[0])):
        chosen = textwrap.dedent("\n".join(lines[first:])).splitlines()
        for cut in range(min(_MOST_CUTS, len(chosen))):
            source = "\n".join(chosen[: len(chosen) - cut])
            if _defines(source, name) and _parses(source):
                return source
    return None


def _defines(text: str, name: str) -> bool:
    return re.search(rf"(?m)^\s*(?:def\s+{name}\s*\(|{name}\s*=\s*lambda\b)", text) is not None


def _parses(source: str) -> bool:
    if len(source) > MOST_SOURCE_CHARACTERS:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _same(found: object, wanted: object) -> bool:
    """Equal values of the same kind; fractions may differ in their last digits."""
    if isinstance(wanted, float) and isinstance(found, int | float):
        return abs(found) < _MOST and math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(wanted, list | tuple):
        return (
            type(found) is type(wanted)
            and len(found) == len(wanted)
            and all(_same(one, two) for one, two in zip(found, wanted, strict=True))
        )
    return found == wanted


def _candidates(answer: str) -> Iterator[str]:
    """What an answer may give as an output: what is set apart, else all, or what follows words for it."""
    for pattern in (_FENCE, _QUOTED):
        found = {
            _plain(match[1])
            for match in pattern.finditer(answer)
            if match[1].strip() and "print(" not in match[1] and not sayings.is_denied(answer, match.start())
        }
        if len(found) == 1:
            yield found.pop()
            return
    first = _first_words(answer)
    said = {match[1] for match in _SAID.finditer(first) if not sayings.is_denied(first, match.start())}
    if len(said) == 1:
        yield said.pop()
    yield first
    explained = _EXPLAINED.search(first)
    if explained and not _OTHER.search(first, explained.end()):
        yield first[: explained.start()]
    marks = [mark for mark in _SAYS.finditer(first) if not sayings.is_denied(first, mark.start())]
    for one, two in combinations(marks, 2):
        is_again = one[0].lower() == two[0].lower() and not one[0].lower().startswith(("is", "will"))
        if is_again and not _GOES_ON.search(first, one.end(), two.start()):
            return
    yield from (first[mark.end() :] for mark in marks)


def _unmarked(answer: str) -> str:
    """The answer without bold and without the LaTeX that wraps an answer."""
    text = re.sub(r"\\(?:text|texttt|textbf|mathrm)\{([^{}]*)\}", r"\1", answer)
    text = re.sub(r"\$?\\boxed\{([^{}]*)\}\$?", r"\1", text)
    return re.sub(r"\*\*([^*\n]+)\*\*", r"\1", text)


def _first_words(answer: str) -> str:
    """The first paragraph, with the next where it only announces that."""
    first, *more = answer.strip().split("\n\n")
    return f"{first} {more[0]}" if more and first.rstrip().endswith(":") else first


def _plain(text: str) -> str:
    """The text without what wraps it, one kind of quotes, and no spaces that Python would not mind."""
    bare = re.sub(r"\s+", " ", answers.body(text).strip()).replace('"', "'").rstrip(".").strip()
    if len(bare) > 1 and bare[0] == bare[-1] == "'":
        bare = bare[1:-1]
    return re.sub(r"\s*([,:\[\](){}])\s*", r"\1", bare.replace("**", ""))
