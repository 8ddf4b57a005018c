"""The methods that an interpreted program may call or hold as values: a whitelist, by type and name.

Invariant: what is called natively is paid before, and gets values of the plain types only, never a callable.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from steelyard_profiler.interpreter import calls
from steelyard_profiler.interpreter.calls import TYPES, Builtin, Caller
from steelyard_profiler.interpreter.operations import Halted, elements, equal, key, size, text


@dataclass(frozen=True, slots=True, eq=False)
class Method:
    """A method, as a value of a program."""

    function: Callable[..., Any]
    """Gets the interpreter and the owner first."""
    owner: tuple[Any, ...]
    """Whose it is; empty for that of a type, as `str.upper`, which gets its owner with the arguments."""
    kind: type
    """What its owner is."""

    def called(self, run: Caller, /, *arguments: Any, **named: Any) -> Any:
        """What it gives."""
        owner, *given = (*self.owner, *arguments)
        if type(owner) is not self.kind:
            raise Halted("This method is for another type.")
        return self.function(run, owner, *given, **named)


def method(owner: Any, name: str) -> Method:
    """The method of this name; raises Halted where there is none."""
    is_of_type = isinstance(owner, Builtin) and (Builtin, name) not in METHODS
    kind = TYPES.get(owner.name, Builtin) if is_of_type else type(owner)
    function = METHODS.get((kind, name))
    if function is None:
        raise Halted("This method is outside the subset.")
    return Method(function, () if is_of_type else (owner,), kind)


def _of_text(name: str) -> Callable[..., Any]:
    """A native method of texts, paid by the texts and widths that it gets."""

    def called(run: Caller, value: str, /, *arguments: Any) -> Any:
        cost = len(value)
        for argument in arguments:
            parts = argument if isinstance(argument, tuple) else (argument,)
            if not all(isinstance(part, str | int | None) for part in parts):
                raise Halted("Methods of texts want texts and numbers.")
            cost += sum(abs(part) if isinstance(part, int) else size(part) for part in parts)
        run.steps.pay(cost)
        return getattr(str, name)(value, *arguments)

    return called


def _join(run: Caller, value: str, parts: object, /) -> str:
    found = list(elements(parts, run.steps))
    run.steps.pay(sum(map(size, found)) + len(value) * len(found))
    return value.join(found)


def _format(run: Caller, value: str, /, *arguments: object) -> str:
    if not re.fullmatch(r"(?:[^{}]|\{\})*", value) or value.count("{}") > len(arguments):
        raise Halted("Of texts to be filled only {} is known, once for each value.")
    first, *others = value.split("{}")
    filled = [text(argument, run.steps) for argument in arguments[: len(others)]]
    run.steps.pay(len(value) + sum(map(len, filled)))
    return first + "".join(said + after for said, after in zip(filled, others, strict=True))


def _replace(run: Caller, value: str, old: str, new: str, /, *most: int) -> str:
    run.steps.pay(len(value) + (value.count(old) if old else len(value) + 1) * len(new))
    return value.replace(old, new, *most)


def _count(run: Caller, values: list[Any], wanted: object, /) -> int:
    return sum(equal(value, wanted, run.steps) for value in values)


def _index(run: Caller, values: list[Any], wanted: object, /) -> int:
    for at, value in enumerate(values):
        if equal(value, wanted, run.steps):
            return at
    raise Halted("The value is not in the list.")


def _remove(run: Caller, values: list[Any], wanted: object, /) -> None:
    del values[_index(run, values, wanted)]


def _extend(run: Caller, values: list[Any], added: object, /) -> None:
    values.extend(list(elements(added, run.steps)))


def _sort(run: Caller, values: list[Any], /, *, key: object = None, reverse: object = False) -> None:
    values[:] = calls.sorted_items(run, values, key=key, reverse=reverse)


def _native(owner: type, name: str, *, keys: int = 0) -> Callable[..., Any]:
    """A native method that takes no longer than its owner is large; its first `keys` arguments are keys."""

    def called(run: Caller, value: Any, /, *arguments: Any) -> Any:
        run.steps.pay(1 + size(value) // 8 if keys == 0 else 1)
        for argument in arguments[:keys]:
            key(argument, run.steps)
        return getattr(owner, name)(value, *arguments)

    return called


def _update(run: Caller, value: dict[Any, Any], added: object = (), /, **named: object) -> None:
    value.update(calls.made_dict(run, added, **named))


def _with_sets(name: str) -> Callable[..., Any]:
    """A native method of sets whose further arguments are made sets first."""

    def called(run: Caller, value: set[Any], /, *others: object) -> Any:
        run.steps.pay(len(value))
        made = [{key(item, run.steps) for item in elements(other, run.steps)} for other in others]
        return getattr(set, name)(value, *made)

    return called


def _from_keys(run: Caller, owner: Builtin, names: object, value: object = None, /) -> dict[Any, Any]:
    if owner.name != "dict":
        raise Halted("Only dict has fromkeys.")
    return {key(name, run.steps): value for name in elements(names, run.steps)}


_TEXT_METHODS = (
    "capitalize casefold center count endswith find index isalnum isalpha isdecimal isdigit islower "
    "isnumeric isspace isupper ljust lower lstrip partition removeprefix removesuffix rfind rindex rjust "
    "rpartition rsplit rstrip split splitlines startswith strip swapcase title upper zfill"
)
_SET_METHODS = (
    "difference difference_update intersection intersection_update isdisjoint issubset issuperset "
    "symmetric_difference union update"
)
METHODS: Mapping[tuple[type, str], Callable[..., Any]] = {
    **{(str, name): _of_text(name) for name in _TEXT_METHODS.split()},
    (str, "format"): _format,
    (str, "join"): _join,
    (str, "replace"): _replace,
    **{(list, name): _native(list, name) for name in ("clear", "copy", "insert", "pop", "reverse")},
    (list, "append"): lambda run, values, value, /: values.append(value),
    (list, "count"): _count,
    (list, "extend"): _extend,
    (list, "index"): _index,
    (list, "remove"): _remove,
    (list, "sort"): _sort,
    (tuple, "count"): _count,
    (tuple, "index"): _index,
    **{(dict, name): _native(dict, name, keys=1) for name in ("get", "pop", "setdefault")},
    **{(dict, name): _native(dict, name) for name in ("clear", "copy", "items", "keys", "values")},
    (dict, "update"): _update,
    **{(set, name): _native(set, name, keys=1) for name in ("add", "discard", "remove")},
    **{(set, name): _native(set, name) for name in ("clear", "copy")},
    **{(set, name): _with_sets(name) for name in _SET_METHODS.split()},
    (Builtin, "fromkeys"): _from_keys,
    (int, "bit_length"): _native(int, "bit_length"),
    (int, "bit_count"): _native(int, "bit_count"),
    (float, "is_integer"): _native(float, "is_integer"),
}
"""The methods by type and name; each gets the interpreter and its owner first."""
