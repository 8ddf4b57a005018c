"""Of a program with a wrong line, no small change of another line makes it right."""

import io
import keyword
import tokenize
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest

from steelyard_profiler.interpreter.operations import Halted
from steelyard_profiler.interpreter.program import Program
from steelyard_profiler.probes import coding_bugs
from steelyard_profiler.probes.coding_bugs import Mistaken

MISTAKEN = [*coding_bugs.FEW_LINES, *coding_bugs.LOOPS, *coding_bugs.ALGORITHMS]

ALIKE = (("+", "-", "*", "/", "//", "%"), ("<", "<=", ">", ">=", "==", "!="), ("+=", "-=", "*=", "="))
"""Signs of which one is easily taken for another."""

KNOWN = frozenset(("f", "range", "len", "max", "min", "sum", "append"))
"""Names that are no variables."""

MOST_STEPS = 3000


def tokens(line: str) -> list[tokenize.TokenInfo]:
    """A line's tokens, without those that only end it."""
    body = f"{line}\n    pass\n" if line.endswith(":") and not line.startswith("el") else f"{line}\n"
    body = f"if a:\n    pass\n{body}    pass\n" if line.startswith("el") else body
    row = 3 if line.startswith("el") else 1
    found = tokenize.generate_tokens(io.StringIO(body).readline)
    return [token for token in found if token.start[0] == row and token.string.strip()]


def variables(lines: Sequence[str]) -> list[str]:
    found = {token.string for line in lines for token in tokens(line.strip()) if token.type == tokenize.NAME}
    return sorted(name for name in found - KNOWN if not keyword.iskeyword(name))


def others_of(token: tokenize.TokenInfo, names: Sequence[str]) -> list[str]:
    """What may stand there by a slip: a number or name one off, another name, another sign."""
    if token.type == tokenize.NUMBER:
        return [str(int(token.string) + 1), str(int(token.string) - 1), *names]
    if token.string in names:
        return [
            *(name for name in names if name != token.string),
            f"({token.string} + 1)",
            f"({token.string} - 1)",
        ]
    return [sign for signs in ALIKE if token.string in signs for sign in signs if sign != token.string]


def changed(line: str, names: Sequence[str]) -> Iterator[str]:
    """The line with one small change: a token, a term left away, or one more or less in the end."""
    found = tokens(line)
    for token in found:
        for other in others_of(token, names):
            yield line[: token.start[1]] + other + line[token.end[1] :]
    for one, two in pairwise(found):
        if one.string in ALIKE[0] or two.string in ALIKE[0]:
            yield (line[: one.start[1]] + line[two.end[1] :]).rstrip()
    if not line.endswith(":"):
        yield from (f"{line} + 1", f"{line} - 1")


def given_by(lines: Sequence[str], arguments: Sequence[Any]) -> str:
    try:
        return repr(Program("\n".join(lines), MOST_STEPS).define().call("f", arguments))
    except Halted:
        return "halted"


@pytest.mark.parametrize("mistaken", MISTAKEN, ids=lambda mistaken: mistaken.purpose)
def test_no_other_line_could_be_the_wrong_one(mistaken: Mistaken) -> None:
    right = [given_by(mistaken.lines(), given) for given in mistaken.inputs]
    for at, lines in mistaken.mistakes():
        names = variables(lines)
        for number, line in enumerate(lines[1:], 2):
            if number == at:
                continue
            body = line.lstrip()
            for change in changed(body, names):
                mended = [*lines[: number - 1], line[: -len(body)] + change, *lines[number:]]
                assert any(
                    given_by(mended, given) != wanted
                    for given, wanted in zip(mistaken.inputs, right, strict=True)
                ), f"line {at} is {lines[at - 1].strip()!r}, but {change!r} in line {number} mends it"


def test_a_bound_that_another_line_makes_up_for_is_seen() -> None:
    changes = set(changed("return xs[at]", ["at", "xs"])) | set(changed("at = len(xs) - 1", ["at", "xs"]))

    assert {"return xs[(at - 1)]", "at = len(xs)", "at = len(xs) - 2"} <= changes
