"""The functions and methods that an interpreted program may call: whitelists, by name and by type.

Invariant: what is called natively is paid before, and gets values of the plain types only, never a callable.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from steelyard_profiler.interpreter.operations import (
    LAZY_STEPS,
    Halted,
    Ranked,
    Steps,
    elements,
    kept,
    key,
    ordered,
    reckon,
    size,
    text,
    written,
)

_SPECIFICATION = re.compile(r"[<>^=]?[+ ]?#?0?\d{0,2}[,_]?(?:\.\d{1,2})?[bcdefgnosxX%]?")
_MOST_DIGITS = 400
"""Decimal places that a number can be rounded to; far more would be a native power that nobody pays."""

TYPES: Mapping[str, type] = {
    "bool": bool,
    "dict": dict,
    "float": float,
    "int": int,
    "list": list,
    "set": set,
    "str": str,
    "tuple": tuple,
}


class Caller(Protocol):
    """What an interpreter lends to the functions."""

    steps: Steps
    """What may still be done."""
    output: list[str]
    """What was printed."""

    def apply(self, function: object, arguments: list[Any]) -> Any:
        """What a function of the program gives."""


@dataclass(frozen=True, slots=True)
class Builtin:
    """A function of this module, as a value of a program."""

    name: str
    """Its name."""


@cache
def builtin(name: str) -> Builtin:
    """The one value of this name, so that it is the same wherever it comes from."""
    return Builtin(name)


def formatted(value: object, specification: str, steps: Steps) -> str:
    """The value by a format specification of at most two digits of width."""
    if not specification:
        return text(value, steps)
    if not isinstance(value, str | int | float) or not _SPECIFICATION.fullmatch(specification):
        raise Halted("This format is outside the subset.")
    steps.pay(size(value))
    return format(value, specification)


def _lazy(function: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """A generator function that is paid when it is called."""

    def called(run: Caller, /, *arguments: Any, **named: Any) -> Iterator[Any]:
        run.steps.pay(LAZY_STEPS)
        return function(run, *arguments, **named)

    return called


@_lazy
def _iter(run: Caller, values: object, /) -> Iterator[Any]:
    yield from elements(values, run.steps)


def _all(run: Caller, values: object, /) -> bool:
    return all(elements(values, run.steps))


def _any(run: Caller, values: object, /) -> bool:
    return any(elements(values, run.steps))


def made_dict(run: Caller, pairs: object = (), /, **named: object) -> dict[Any, Any]:
    """What `dict` gives, each pair paid."""
    if isinstance(pairs, dict):
        run.steps.pay(len(pairs))
        return {**pairs, **named}
    made = {}
    for pair in elements(pairs, run.steps):
        name, value = elements(pair, run.steps)
        made[key(name, run.steps)] = value
    return made | named


def _divmod(run: Caller, one: Any, two: Any, /) -> tuple[Any, Any]:
    return reckon(ast.FloorDiv, one, two, run.steps), reckon(ast.Mod, one, two, run.steps)


@_lazy
def _enumerate(run: Caller, values: object, /, start: int = 0) -> Iterator[tuple[int, Any]]:
    yield from enumerate(elements(values, run.steps), start)


@_lazy
def _filter(run: Caller, function: object, values: object, /) -> Iterator[Any]:
    for value in elements(values, run.steps):
        if value if function is None else run.apply(function, [value]):
            yield value


def _float(run: Caller, value: Any = 0, /) -> float:
    run.steps.pay(size(value))
    return float(value)


def _int(run: Caller, value: Any = 0, /, *base: int) -> int:
    run.steps.pay(size(value))
    return int(kept(int(value, *base)))


def _is_instance(run: Caller, value: object, types: object, /) -> bool:
    wanted = types if isinstance(types, tuple) else (types,)
    if not all(isinstance(one, Builtin) and one.name in TYPES for one in wanted):
        raise Halted("isinstance is for the plain types.")
    return isinstance(value, tuple(TYPES[one.name] for one in wanted))


def _len(run: Caller, value: Any, /) -> int:
    return len(value)


@_lazy
def _map(run: Caller, function: object, /, *several: object) -> Iterator[Any]:
    for values in zip(*(elements(values, run.steps) for values in several), strict=False):
        yield run.apply(function, list(values))


def _extreme(order: type[ast.cmpop]) -> Callable[..., Any]:
    def extreme(run: Caller, /, *values: object, **options: Any) -> Any:
        if not values or not options.keys() <= {"key", "default"}:
            raise Halted("min and max want values.")
        ranked = None
        for value in elements(values[0] if len(values) == 1 else values, run.steps):
            rank = run.apply(options["key"], [value]) if options.get("key") is not None else value
            if ranked is None or ordered(order, rank, ranked[0], run.steps):
                ranked = rank, value
        if ranked is None and "default" not in options:
            raise Halted("Nothing is the extreme of nothing.")
        return options["default"] if ranked is None else ranked[1]

    return extreme


def _next(run: Caller, values: object, /, *default: object) -> Any:
    if not isinstance(values, Iterator):
        raise Halted("next is for iterators.")
    run.steps.pay()
    for value in values:
        return value
    if not default:
        raise Halted("The iterator is at its end.")
    return default[0]


def _pow(run: Caller, one: Any, two: Any, /, *modulus: int) -> Any:
    if not modulus:
        return reckon(ast.Pow, one, two, run.steps)
    run.steps.pay(two.bit_length() * (1 + modulus[0].bit_length() // 64))
    return kept(pow(one, two, *modulus))


def _print(run: Caller, /, *values: object, sep: str | None = " ", end: str | None = "\n") -> None:
    between, last = " " if sep is None else sep, "\n" if end is None else end
    said = [text(value, run.steps) for value in values]
    run.steps.pay(sum(map(len, said)) + len(between) * len(said) + len(last))
    run.output.append(between.join(said) + last)


def _range(run: Caller, /, *bounds: int) -> range:
    return range(*bounds)


@_lazy
def _reversed(run: Caller, values: Any, /) -> Iterator[Any]:
    if not isinstance(values, str | list | tuple | range):
        raise Halted("Only what has an order can be reversed.")
    run.steps.pay()
    for at in range(len(values) - 1, -1, -1):
        run.steps.pay()
        yield values[at]


def _round(run: Caller, value: Any, digits: int | None = None, /) -> Any:
    if digits is not None and abs(digits) > _MOST_DIGITS:
        raise Halted("Numbers are rounded to a few digits.")
    return kept(round(value, digits))


def sorted_items(run: Caller, values: object, /, *, key: object = None, reverse: object = False) -> list[Any]:
    """What `sorted` gives, each item and comparison paid."""
    items = list(elements(values, run.steps))
    ranks = [item if key is None else run.apply(key, [item]) for item in items]
    order = sorted(range(len(items)), key=lambda at: Ranked(ranks[at], run.steps), reverse=bool(reverse))
    return [items[at] for at in order]


def _sum(run: Caller, values: object, /, start: Any = 0) -> Any:
    if isinstance(start, str):
        raise Halted("Texts are joined, not summed.")
    total = start
    for value in elements(values, run.steps):
        total = reckon(ast.Add, total, value, run.steps)
    return total


def _type(run: Caller, value: object, /) -> Builtin:
    if type(value) not in TYPES.values():
        raise Halted("Only the plain types have a name.")
    return builtin(type(value).__name__)


@_lazy
def _zip(run: Caller, /, *several: object) -> Iterator[tuple[Any, ...]]:
    yield from zip(*(elements(values, run.steps) for values in several), strict=False)


def _of_number(function: Callable[..., Any]) -> Callable[..., Any]:
    """A native function of numbers, or of one character."""

    def called(run: Caller, /, *values: Any) -> Any:
        run.steps.pay(sum(map(size, values)))
        if not all(isinstance(value, bool | int | float | str) for value in values):
            raise Halted("This function is for numbers and characters.")
        return kept(function(*values))

    return called


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{function.__name__: _of_number(function) for function in (abs, bin, chr, hex, oct, ord)},
    "all": _all,
    "any": _any,
    "bool": lambda run, value=False, /: bool(value),
    "dict": made_dict,
    "divmod": _divmod,
    "enumerate": _enumerate,
    "filter": _filter,
    "float": _float,
    "format": lambda run, value, specification="", /: formatted(value, specification, run.steps),
    "int": _int,
    "isinstance": _is_instance,
    "iter": _iter,
    "len": _len,
    "list": lambda run, values=(), /: list(elements(values, run.steps)),
    "map": _map,
    "max": _extreme(ast.Gt),
    "min": _extreme(ast.Lt),
    "next": _next,
    "pow": _pow,
    "print": _print,
    "range": _range,
    "repr": lambda run, value, /: written(value, run.steps),
    "reversed": _reversed,
    "round": _round,
    "set": lambda run, values=(), /: {key(value, run.steps) for value in elements(values, run.steps)},
    "sorted": sorted_items,
    "str": lambda run, value="", /: text(value, run.steps),
    "sum": _sum,
    "tuple": lambda run, values=(), /: tuple(elements(values, run.steps)),
    "type": _type,
    "zip": _zip,
}
"""The functions by name; each gets the interpreter first."""
