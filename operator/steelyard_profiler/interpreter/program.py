"""Reading a program and running its statements.

Rule 1. Only the nodes, functions and methods that are named in this package exist; an attribute is a method,
        which is found by the exact type of its owner. All else halts the program where it is reached.
Rule 2. Every node costs a step, and so does all that grows; calls nest MOST_DEPTH deep. A program ends after
        the same steps on every machine and Python version.
Rule 3. Whatever the source, the only exception that leaves this package is Halted.
"""

import ast
import contextlib
import copy
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from steelyard_profiler.interpreter import calls
from steelyard_profiler.interpreter.calls import Builtin
from steelyard_profiler.interpreter.expressions import Expressions
from steelyard_profiler.interpreter.methods import Method
from steelyard_profiler.interpreter.operations import Halted, elements, key, reckon, size
from steelyard_profiler.interpreter.scopes import Function, Scope, assigned

MOST_SOURCE_CHARACTERS = 4000
"""A longer program is not read."""

MOST_STEPS = 100_000
"""Over all calls of one program: a hundred times what the questions need, less than a second."""

MOST_DEPTH = 50
"""Calls within calls: each takes some ten frames of the interpreter's own stack, which holds 1 000."""

_FAILURES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RuntimeError, MemoryError)
"""What native operations raise where a program errs, the depth of Python's own stack included."""


class Program(Expressions):
    """A program that was read, and what it may still do."""

    def __init__(self, source: str, most_steps: int = MOST_STEPS) -> None:
        """Read the source; raises Halted where it is no program."""
        super().__init__(most_steps)
        self._depth = 0
        self._tree = _parsed(source)
        self._module = Scope(frozenset(), None)

    def run(self) -> str:
        """Run all of it; gives what it printed. Raises Halted."""
        with _halting():
            self._block(self._tree.body, self._module)
        return "".join(self.output)

    def define(self) -> "Program":
        """Run its definitions and assignments alone, those that halt left out: the rest is examples."""
        for statement in self._tree.body:
            if isinstance(statement, ast.FunctionDef | ast.Assign | ast.AnnAssign):
                with contextlib.suppress(Halted), _halting():
                    self._execute(statement, self._module)
        return self

    def call(self, name: str, arguments: Sequence[object]) -> Any:
        """What its function of that name gives for copies of the arguments. Raises Halted."""
        with _halting():
            given = [copy.deepcopy(argument) for argument in arguments]
            found = self.apply(self._module.found(name), given)
            return list(elements(found, self.steps)) if isinstance(found, Iterator) else found

    def apply(self, function: object, arguments: list[Any], named: Mapping[str, Any] | None = None) -> Any:
        """What a function of the program, or a builtin one, gives."""
        self.steps.pay()
        if isinstance(function, Builtin):
            return calls.FUNCTIONS[function.name](self, *arguments, **(named or {}))
        if isinstance(function, Method):
            return function.called(self, *arguments, **(named or {}))
        if not isinstance(function, Function):
            raise Halted("This cannot be called.")
        if self._depth >= MOST_DEPTH:
            raise Halted("Calls are nested too deep.")
        scope = function.bound(arguments, named or {})
        self._depth += 1
        try:
            if isinstance(function.body, ast.expr):
                return self.value(function.body, scope)
            self._block(function.body, scope)
        except _Return as returned:
            return returned.value
        except _Leap as leap:
            raise Halted("A loop is left outside of one.") from leap
        finally:
            self._depth -= 1
        return None

    def _block(self, statements: Sequence[ast.stmt], scope: Scope) -> None:
        for statement in statements:
            self._execute(statement, scope)

    def _execute(self, statement: ast.stmt, scope: Scope) -> None:
        self.steps.pay()
        handler = _HANDLERS.get(type(statement))
        if handler is None:
            raise Halted("This kind of statement is outside the subset.")
        handler(self, statement, scope)

    def _define(self, node: ast.FunctionDef, scope: Scope) -> None:
        if node.decorator_list:
            raise Halted("Decorators are outside the subset.")
        scope.names[node.name] = self.function(node.args, node.body, assigned(node.body), scope)

    def _return(self, node: ast.Return, scope: Scope) -> None:
        raise _Return(None if node.value is None else self.value(node.value, scope))

    def _if(self, node: ast.If, scope: Scope) -> None:
        self._block(node.body if self.value(node.test, scope) else node.orelse, scope)

    def _while(self, node: ast.While, scope: Scope) -> None:
        while self.value(node.test, scope):
            if self._leaves(node.body, scope):
                return
        self._block(node.orelse, scope)

    def _for(self, node: ast.For, scope: Scope) -> None:
        for item in elements(self.value(node.iter, scope), self.steps):
            self.assign(node.target, item, scope)
            if self._leaves(node.body, scope):
                return
        self._block(node.orelse, scope)

    def _leaves(self, body: Sequence[ast.stmt], scope: Scope) -> bool:
        """Whether one turn of a loop ends it."""
        try:
            self._block(body, scope)
        except _Continue:
            return False
        except _Break:
            return True
        return False

    def _break(self, node: ast.Break, scope: Scope) -> None:
        raise _Break

    def _continue(self, node: ast.Continue, scope: Scope) -> None:
        raise _Continue

    def _assert(self, node: ast.Assert, scope: Scope) -> None:
        if not self.value(node.test, scope):
            raise Halted("An assertion fails.")

    def _pass(self, node: ast.Pass, scope: Scope) -> None:
        pass

    def _alone(self, node: ast.Expr, scope: Scope) -> None:
        self.value(node.value, scope)

    def _assign(self, node: ast.Assign, scope: Scope) -> None:
        value = self.value(node.value, scope)
        for target in node.targets:
            self.assign(target, value, scope)

    def _assign_annotated(self, node: ast.AnnAssign, scope: Scope) -> None:
        if node.value is not None:
            self.assign(node.target, self.value(node.value, scope), scope)

    def _assign_in_place(self, node: ast.AugAssign, scope: Scope) -> None:
        target, sign = node.target, type(node.op)
        if isinstance(target, ast.Name):
            before = scope.found(target.id)
            scope.names[target.id] = reckon(
                sign, before, self.value(node.value, scope), self.steps, in_place=True
            )
        elif isinstance(target, ast.Subscript):
            owner, at = self.value(target.value, scope), self.place(target.slice, scope)
            before = self.at(owner, at)
            self.put(
                owner, at, reckon(sign, before, self.value(node.value, scope), self.steps, in_place=True)
            )
        else:
            raise Halted("Attributes are outside the subset.")

    def _delete(self, node: ast.Delete, scope: Scope) -> None:
        for target in node.targets:
            if not isinstance(target, ast.Subscript):
                raise Halted("Only items can be deleted.")
            owner, at = self.value(target.value, scope), self.place(target.slice, scope)
            if not isinstance(owner, list | dict):
                raise Halted("Only items of lists and dicts can be deleted.")
            self.steps.pay(1 + size(owner) // 8)
            del owner[at if isinstance(owner, list) else key(at, self.steps)]


class _Leap(Exception):
    """Leaves statements that lie inside of others."""


class _Return(_Leap):
    def __init__(self, value: object) -> None:
        self.value = value
        super().__init__()


class _Break(_Leap):
    pass


class _Continue(_Leap):
    pass


def _parsed(source: str) -> ast.Module:
    if len(source) > MOST_SOURCE_CHARACTERS:
        raise Halted("The program is too long.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Halted("This is no program.") from error


@contextlib.contextmanager
def _halting() -> Iterator[None]:
    """Turns what a failing program raises into Halted."""
    try:
        yield
    except (*_FAILURES, _Leap) as error:
        raise Halted("The program fails.") from error


_HANDLERS: Mapping[type[ast.stmt], Callable[[Any, Any, Scope], None]] = {
    ast.FunctionDef: Program._define,
    ast.Return: Program._return,
    ast.If: Program._if,
    ast.While: Program._while,
    ast.For: Program._for,
    ast.Break: Program._break,
    ast.Continue: Program._continue,
    ast.Pass: Program._pass,
    ast.Expr: Program._alone,
    ast.Assert: Program._assert,
    ast.Assign: Program._assign,
    ast.AnnAssign: Program._assign_annotated,
    ast.AugAssign: Program._assign_in_place,
    ast.Delete: Program._delete,
}
