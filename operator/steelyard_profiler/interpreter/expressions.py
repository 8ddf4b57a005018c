"""Finding the values of an interpreted program's expressions.

Invariant: a node that has no entry in the table at the end halts the program, so that what is not thought of
here does not exist.
"""

import ast
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from steelyard_profiler.interpreter import calls, methods
from steelyard_profiler.interpreter.calls import Builtin
from steelyard_profiler.interpreter.methods import Method
from steelyard_profiler.interpreter.operations import (
    LAZY_STEPS,
    Halted,
    Steps,
    elements,
    equal,
    kept,
    key,
    ordered,
    reckon,
    size,
    text,
    written,
)
from steelyard_profiler.interpreter.scopes import Function, Scope, assigned


class Expressions(ABC):
    """The part of an interpreter that knows no statements."""

    def __init__(self, most_steps: int) -> None:
        self.steps = Steps(most_steps)
        """What may still be done."""
        self.output: list[str] = []
        """What was printed."""

    @abstractmethod
    def apply(self, function: object, arguments: list[Any], named: Mapping[str, Any] | None = None) -> Any:
        """What a function of the program, or a builtin one, gives."""

    def value(self, node: ast.expr, scope: Scope) -> Any:
        """The value of an expression."""
        self.steps.pay()
        handler = _HANDLERS.get(type(node))
        if handler is None:
            raise Halted("This kind of expression is outside the subset.")
        return handler(self, node, scope)

    def assign(self, target: ast.expr, value: Any, scope: Scope) -> None:
        """Give a name, an item, or several of them, this value."""
        self.steps.pay()
        match target:
            case ast.Name():
                scope.names[target.id] = value
            case ast.Tuple() | ast.List():
                for part, item in _unpacked(target.elts, list(elements(value, self.steps))):
                    self.assign(part, item, scope)
            case ast.Subscript():
                self.put(self.value(target.value, scope), self.place(target.slice, scope), value)
            case _:
                raise Halted("This cannot be assigned to.")

    def _constant(self, node: ast.Constant, scope: Scope) -> Any:
        self.steps.pay(size(node.value))
        return kept(node.value)

    def _name(self, node: ast.Name, scope: Scope) -> Any:
        return scope.found(node.id)

    def _binary(self, node: ast.BinOp, scope: Scope) -> Any:
        return reckon(type(node.op), self.value(node.left, scope), self.value(node.right, scope), self.steps)

    def _unary(self, node: ast.UnaryOp, scope: Scope) -> Any:
        value = self.value(node.operand, scope)
        match node.op:
            case ast.Not():
                return not value
            case ast.USub():
                return -value
            case ast.UAdd():
                return +value
            case _:
                return kept(~int(value)) if isinstance(value, int) else ~value

    def _boolean(self, node: ast.BoolOp, scope: Scope) -> Any:
        ends_at = isinstance(node.op, ast.Or)
        value = None
        for part in node.values:
            value = self.value(part, scope)
            if bool(value) is ends_at:
                break
        return value

    def _comparison(self, node: ast.Compare, scope: Scope) -> Any:
        left = self.value(node.left, scope)
        for sign, part in zip(node.ops, node.comparators, strict=True):
            right = self.value(part, scope)
            if not self._compared(sign, left, right):
                return False
            left = right
        return True

    def _compared(self, sign: ast.cmpop, left: Any, right: Any) -> bool:
        match sign:
            case ast.Eq() | ast.NotEq():
                return equal(left, right, self.steps) is isinstance(sign, ast.Eq)
            case ast.In() | ast.NotIn():
                return self._holds(right, left) is isinstance(sign, ast.In)
            case ast.Is() | ast.IsNot():
                if not any(isinstance(side, bool | Builtin | None) for side in (left, right)):
                    raise Halted("Only None, True, False and types are compared by `is`.")
                return (left is right) is isinstance(sign, ast.Is)
            case _:
                return ordered(type(sign), left, right, self.steps)

    def _holds(self, owner: Any, value: Any) -> bool:
        if isinstance(owner, str) and isinstance(value, str):
            self.steps.pay(1 + len(owner) // 8)
            return value in owner
        if isinstance(owner, dict | set):
            return key(value, self.steps) in owner
        if isinstance(owner, range) and isinstance(value, int):
            return value in owner
        return any(equal(value, item, self.steps) for item in elements(owner, self.steps))

    def _choice(self, node: ast.IfExp, scope: Scope) -> Any:
        return self.value(node.body if self.value(node.test, scope) else node.orelse, scope)

    def _items(self, nodes: Sequence[ast.expr], scope: Scope) -> list[Any]:
        made: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                made.extend(list(elements(self.value(node.value, scope), self.steps)))
            else:
                made.append(self.value(node, scope))
        return made

    def _list(self, node: ast.List, scope: Scope) -> list[Any]:
        return self._items(node.elts, scope)

    def _tuple(self, node: ast.Tuple, scope: Scope) -> tuple[Any, ...]:
        return tuple(self._items(node.elts, scope))

    def _set(self, node: ast.Set, scope: Scope) -> set[Any]:
        return {key(item, self.steps) for item in self._items(node.elts, scope)}

    def _dict(self, node: ast.Dict, scope: Scope) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for name, value in zip(node.keys, node.values, strict=True):
            if name is None:
                raise Halted("Unpacking a dict is outside the subset.")
            made[key(self.value(name, scope), self.steps)] = self.value(value, scope)
        return made

    def _subscript(self, node: ast.Subscript, scope: Scope) -> Any:
        return self.at(self.value(node.value, scope), self.place(node.slice, scope))

    def place(self, node: ast.expr, scope: Scope) -> Any:
        if not isinstance(node, ast.Slice):
            return self.value(node, scope)
        bounds = (node.lower, node.upper, node.step)
        return slice(*(None if bound is None else self.value(bound, scope) for bound in bounds))

    def at(self, owner: Any, at: Any) -> Any:
        if isinstance(owner, dict):
            return owner[key(at, self.steps)]
        if not isinstance(owner, str | list | tuple | range):
            raise Halted("This has no items.")
        if isinstance(at, slice):
            self.steps.pay(len(range(*at.indices(len(owner)))))
        return owner[at]

    def put(self, owner: Any, at: Any, value: Any) -> None:
        if isinstance(owner, dict):
            owner[key(at, self.steps)] = value
        elif isinstance(owner, list):
            if isinstance(at, slice):
                value = list(elements(value, self.steps))
                self.steps.pay(len(owner))
            owner[at] = value
        else:
            raise Halted("Only lists and dicts can be changed by items.")

    def _called(self, node: ast.Call, scope: Scope) -> Any:
        function = self.value(node.func, scope)
        return self.apply(function, self._items(node.args, scope), self._keywords(node, scope))

    def _method(self, node: ast.Attribute, scope: Scope) -> Method:
        return methods.method(self.value(node.value, scope), node.attr)

    def _keywords(self, node: ast.Call, scope: Scope) -> dict[str, Any]:
        if any(keyword.arg is None for keyword in node.keywords):
            raise Halted("Unpacking a dict is outside the subset.")
        return {keyword.arg or "": self.value(keyword.value, scope) for keyword in node.keywords}

    def _lambda(self, node: ast.Lambda, scope: Scope) -> Function:
        return self.function(node.args, node.body, frozenset(), scope)

    def function(
        self,
        wanted: ast.arguments,
        body: Sequence[ast.stmt] | ast.expr,
        local: frozenset[str],
        scope: Scope,
    ) -> Function:
        if wanted.vararg or wanted.kwarg or wanted.kwonlyargs:
            raise Halted("Such parameters are outside the subset.")
        parameters = tuple(argument.arg for argument in (*wanted.posonlyargs, *wanted.args))
        defaults = [self.value(default, scope) for default in wanted.defaults]
        given = dict(zip(parameters[len(parameters) - len(defaults) :], defaults, strict=True))
        return Function(parameters, given, body, local | set(parameters), scope)

    def _listed(self, node: ast.ListComp, scope: Scope) -> list[Any]:
        return list(self._generated(node, scope))

    def _gathered(self, node: ast.SetComp, scope: Scope) -> set[Any]:
        return {key(item, self.steps) for item in self._generated(node, scope)}

    def _mapped(self, node: ast.DictComp, scope: Scope) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for inner in self._turns(node.generators, scope):
            name = key(self.value(node.key, inner), self.steps)
            made[name] = self.value(node.value, inner)
        return made

    def _lazily(self, node: ast.GeneratorExp, scope: Scope) -> Iterator[Any]:
        self.steps.pay(LAZY_STEPS)
        return self._generated(node, scope)

    def _generated(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, scope: Scope) -> Iterator[Any]:
        return (self.value(node.elt, inner) for inner in self._turns(node.generators, scope))

    def _turns(self, generators: Sequence[ast.comprehension], scope: Scope) -> Iterator[Scope]:
        """The scope of a comprehension, once for each of its turns."""
        targets = assigned(part.target for part in generators)
        first = elements(self.value(generators[0].iter, scope), self.steps)
        return self._nested(generators, first, Scope(targets, scope))

    def _nested(
        self, generators: Sequence[ast.comprehension], values: Iterator[Any], inner: Scope
    ) -> Iterator[Scope]:
        this, *rest = generators
        for value in values:
            self.assign(this.target, value, inner)
            if this.is_async or not all(self.value(test, inner) for test in this.ifs):
                continue
            if rest:
                yield from self._nested(rest, elements(self.value(rest[0].iter, inner), self.steps), inner)
            else:
                yield inner

    def _formatted(self, node: ast.JoinedStr, scope: Scope) -> str:
        said = []
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                value = self.value(part.value, scope)
                if part.conversion == ord("r"):
                    value = written(value, self.steps)
                elif part.conversion == ord("s"):
                    value = text(value, self.steps)
                elif part.conversion != -1:
                    raise Halted("This conversion is outside the subset.")
                specification = self.value(part.format_spec, scope) if part.format_spec else ""
                said.append(calls.formatted(value, specification, self.steps))
            else:
                said.append(self.value(part, scope))
        self.steps.pay(sum(map(len, said)))
        return "".join(said)


def _unpacked(targets: Sequence[ast.expr], values: list[Any]) -> Iterator[tuple[ast.expr, Any]]:
    """Each target with its value, one of the targets perhaps starred."""
    stars = [at for at, target in enumerate(targets) if isinstance(target, ast.Starred)]
    if (
        len(stars) > 1
        or len(values) < len(targets) - len(stars)
        or (not stars and len(values) > len(targets))
    ):
        raise Halted("There are not as many values as names.")
    if not stars:
        yield from zip(targets, values, strict=True)
        return
    at, after = stars[0], len(targets) - stars[0] - 1
    until = len(values) - after
    yield from zip(targets[:at], values[:at], strict=True)
    starred = targets[at]
    if isinstance(starred, ast.Starred):
        yield starred.value, values[at:until]
    yield from zip(targets[at + 1 :], values[until:], strict=True)


_HANDLERS: Mapping[type[ast.expr], Callable[[Any, Any, Scope], Any]] = {
    ast.Constant: Expressions._constant,
    ast.Name: Expressions._name,
    ast.BinOp: Expressions._binary,
    ast.UnaryOp: Expressions._unary,
    ast.BoolOp: Expressions._boolean,
    ast.Compare: Expressions._comparison,
    ast.IfExp: Expressions._choice,
    ast.List: Expressions._list,
    ast.Tuple: Expressions._tuple,
    ast.Set: Expressions._set,
    ast.Dict: Expressions._dict,
    ast.Subscript: Expressions._subscript,
    ast.Attribute: Expressions._method,
    ast.Call: Expressions._called,
    ast.Lambda: Expressions._lambda,
    ast.ListComp: Expressions._listed,
    ast.SetComp: Expressions._gathered,
    ast.DictComp: Expressions._mapped,
    ast.GeneratorExp: Expressions._lazily,
    ast.JoinedStr: Expressions._formatted,
}
