"""What the values of an interpreted program can do: be counted, compared, ordered, written and reckoned with.

Rule 1. Every operation is paid in steps before it is done: as many as there are items or characters to be
        read or made. So no value can grow, and no comparison run, beyond what a program's steps allow.
Rule 2. A whole number has at most MOST_BITS bits, a key of a dict or set at most MOST_KEY_PARTS parts.
Rule 3. A program whose result hangs on the order of a set is wrong in Python: sets are read in an order that
        no program can use, the same everywhere.
"""

import ast
import hashlib
import operator
from collections.abc import Callable, Iterator, Mapping
from types import GeneratorType
from typing import Any

MOST_BITS = 4096
"""The largest whole number has 1 233 digits: more than a small program needs, and quick to reckon with."""

MOST_KEY_PARTS = 64
"""Parts of a tuple that is a key, nested ones counted: native hashes and comparisons of keys stay short."""

LAZY_STEPS = 50
"""What a lazy iterator costs when it is made: few can be nested, which Python takes apart recursively."""

_CHARACTERS_A_STEP = 64
"""Characters that a comparison of texts reads in the time of a step."""

VIEWS: tuple[type[Any], ...] = (type({}.keys()), type({}.values()), type({}.items()))
"""What the methods keys, values and items of a dict give."""

_SIZED: tuple[type[Any], ...] = (str, list, tuple, dict, set, range, *VIEWS)
_NUMBERS: tuple[type[Any], ...] = (bool, int, float)
_OPERATORS: Mapping[type[ast.operator], tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]] = {
    ast.Add: (operator.add, operator.iadd),
    ast.Sub: (operator.sub, operator.isub),
    ast.Mult: (operator.mul, operator.imul),
    ast.Div: (operator.truediv, operator.itruediv),
    ast.FloorDiv: (operator.floordiv, operator.ifloordiv),
    ast.Mod: (operator.mod, operator.imod),
    ast.Pow: (operator.pow, operator.ipow),
    ast.LShift: (operator.lshift, operator.ilshift),
    ast.RShift: (operator.rshift, operator.irshift),
    ast.BitAnd: (operator.and_, operator.iand),
    ast.BitOr: (operator.or_, operator.ior),
    ast.BitXor: (operator.xor, operator.ixor),
}
_ORDERS: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


class Halted(Exception):
    """The program cannot go on: it is outside the subset, over a limit, or fails as it would in Python."""


class Steps:
    """What a program may still do."""

    def __init__(self, left: int) -> None:
        self._left = left

    def pay(self, count: int = 1) -> None:
        """Take steps away; raises Halted where they do not suffice, then and ever after."""
        self._left -= count
        if self._left < 0:
            raise Halted("The program takes too many steps, or makes a value that is too large.")


def size(value: object) -> int:
    """Items or characters of a value; 1 for what has none."""
    return len(value) if isinstance(value, _SIZED) else 1


def elements(value: Any, steps: Steps) -> Iterator[Any]:
    """The elements of anything that can be iterated, each paid."""
    if isinstance(value, set):
        steps.pay(len(value))
        value = sorted(value, key=lambda item: hashlib.sha256(_mark(item)).digest())
    if not isinstance(value, (*_SIZED, GeneratorType)):
        raise Halted("This value cannot be iterated.")
    items: Any = value
    for item in items:
        steps.pay()
        yield item


def key(value: object, steps: Steps) -> Any:
    """The value itself, if it can be a key of a dict or an element of a set."""
    parts, count = [value], 0
    while parts:
        part = parts.pop()
        count += 1
        if count > MOST_KEY_PARTS or not isinstance(part, str | tuple | None | bool | int | float):
            raise Halted("This value cannot be a key.")
        if isinstance(part, tuple):
            parts.extend(part[: MOST_KEY_PARTS + 1])
    steps.pay(count)
    return value


def equal(one: object, two: object, steps: Steps) -> bool:
    """Whether `one == two`."""
    steps.pay()
    if isinstance(one, list | tuple) and type(one) is type(two):
        return len(one) == len(two) and all(equal(a, b, steps) for a, b in zip(one, two, strict=True))
    if isinstance(one, dict) and isinstance(two, dict):
        steps.pay(len(one))
        return one.keys() == two.keys() and all(equal(one[name], two[name], steps) for name in one)
    if isinstance(one, set) and isinstance(two, set):
        steps.pay(len(one))
        return one == two
    if isinstance(one, str) and isinstance(two, str):
        steps.pay(len(one) // _CHARACTERS_A_STEP)
        return one == two
    if isinstance(one, (*_NUMBERS, range)) and isinstance(two, (*_NUMBERS, range)):
        return bool(one == two)
    if isinstance(one, VIEWS) or isinstance(two, VIEWS):
        raise Halted("Views of a dict are not compared.")
    return one is two


def ordered(order: type[ast.cmpop], one: object, two: object, steps: Steps) -> bool:
    """Whether `one < two`, or another of the four orders."""
    steps.pay()
    if isinstance(one, list | tuple) and type(one) is type(two):
        for a, b in zip(one, two, strict=False):
            if not equal(a, b, steps):
                return ordered(order, a, b, steps)
        return _ORDERS[order](len(one), len(two))
    if isinstance(one, str) and isinstance(two, str):
        steps.pay(len(one) // _CHARACTERS_A_STEP)
    elif isinstance(one, set) and isinstance(two, set):
        steps.pay(len(one) + len(two))
    elif not (isinstance(one, _NUMBERS) and isinstance(two, _NUMBERS)):
        raise Halted("These values have no order.")
    return _ORDERS[order](one, two)


class Ranked:
    """A value as a key for native sorting."""

    def __init__(self, value: object, steps: Steps) -> None:
        self._value = value
        self._steps = steps

    def __lt__(self, other: "Ranked") -> bool:
        return ordered(ast.Lt, self._value, other._value, self._steps)


def text(value: object, steps: Steps) -> str:
    """What `str(value)` gives."""
    return value if isinstance(value, str) else written(value, steps)


def written(value: object, steps: Steps) -> str:
    """What `repr(value)` gives."""
    match value:
        case str():
            steps.pay(len(value))
            return repr(value)
        case None | bool() | int() | float() | range():
            steps.pay()
            return repr(value)
        case list():
            said = f"[{_joined(value, steps)}]"
        case tuple():
            said = f"({_joined(value, steps)}{',' if len(value) == 1 else ''})"
        case dict():
            pairs = (f"{written(name, steps)}: {written(held, steps)}" for name, held in value.items())
            said = f"{{{', '.join(pairs)}}}"
        case set() if len(value) < 2:
            said = f"{{{_joined(list(value), steps)}}}" if value else "set()"
        case _:
            raise Halted("This value has no text.")
    steps.pay(len(said))
    return said


def kept(value: object) -> Any:
    """The value, if it is one that a program may hold."""
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        raise Halted("The number is too large.")
    if isinstance(value, complex | bytes) or value is ...:
        raise Halted("Values of this type are outside the subset.")
    return value


def reckon(sign: type[ast.operator], one: Any, two: Any, steps: Steps, *, in_place: bool = False) -> Any:
    """The result of `one + two`, or another of the operators; `in_place`: of `one += two`."""
    if sign not in _OPERATORS:
        raise Halted("This operator is outside the subset.")
    if in_place and sign is ast.Add and isinstance(one, list):
        two = list(elements(two, steps))
    if isinstance(one, _NUMBERS) and isinstance(two, _NUMBERS):
        _check_growth(sign, one, two)
    elif (
        sign is ast.Mult
        and isinstance(one, int | str | list | tuple)
        and isinstance(two, int | str | list | tuple)
    ):
        steps.pay(max(0, _times(one, two)))
    elif isinstance(one, str | list | tuple | dict | set) and type(one) is type(two) and sign is not ast.Mod:
        steps.pay(len(one) + len(two))
    else:
        raise Halted("These values cannot be reckoned with.")
    return kept(_OPERATORS[sign][in_place](one, two))


def _check_growth(sign: type[ast.operator], one: float, two: float) -> None:
    if not isinstance(one, int) or not isinstance(two, int):
        return
    grows = {ast.Pow: one.bit_length() * two if abs(one) > 1 else 0, ast.LShift: one.bit_length() + two}
    if grows.get(sign, 0) > MOST_BITS:
        raise Halted("The number is too large.")


def _times(one: Any, two: Any) -> int:
    """Items of `one * two`, one of them a whole number."""
    count = one if isinstance(one, int) else two
    return len(two if isinstance(one, int) else one) * count if isinstance(count, int) else 0


def _joined(values: list[object] | tuple[object, ...], steps: Steps) -> str:
    return ", ".join(written(value, steps) for value in values)


def _mark(item: object) -> bytes:
    """Bytes that differ for elements of a set that differ."""
    return repr(item).encode("utf-8", "surrogatepass")
