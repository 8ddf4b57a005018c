"""The names of an interpreted program, its functions, and how arguments become names.

Invariant: as in Python, a name that a function assigns anywhere is local to it everywhere.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from steelyard_profiler.interpreter import calls
from steelyard_profiler.interpreter.operations import Halted

_OWN_SCOPES = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Lambda,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)


class Scope:
    """The names of a module, of one call of a function, or of one comprehension."""

    __slots__ = ("local", "names", "outer")

    def __init__(
        self, local: frozenset[str], outer: "Scope | None", names: dict[str, Any] | None = None
    ) -> None:
        self.local = local
        """Names that are its own, with a value or not yet."""
        self.outer = outer
        """Where other names are looked for; None: this is the module."""
        self.names = names or {}
        """Its names that have a value."""

    def found(self, name: str) -> Any:
        """The value of a name; raises Halted where it has none."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            if name in scope.local:
                raise Halted("The name has no value yet.")
            scope = scope.outer
        if name in calls.FUNCTIONS:
            return calls.builtin(name)
        raise Halted("There is no such name.")


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function that the program defines."""

    parameters: tuple[str, ...]
    """Their names, in order."""
    defaults: Mapping[str, Any]
    """Values of those that may be left out."""
    body: Sequence[ast.stmt] | ast.expr
    """What it does, or for a lambda what it gives."""
    local: frozenset[str]
    """Names that it assigns, its parameters among them."""
    scope: Scope
    """Where it was defined."""

    def bound(self, arguments: Sequence[Any], named: Mapping[str, Any]) -> Scope:
        """The scope of a call with these arguments."""
        if len(arguments) > len(self.parameters) or not named.keys() <= set(self.parameters):
            raise Halted("The function has no such parameter.")
        given = dict(zip(self.parameters, arguments, strict=False))
        if given.keys() & named.keys():
            raise Halted("An argument is given twice.")
        values = {**self.defaults, **given, **named}
        if len(values) < len(self.parameters):
            raise Halted("An argument is missing.")
        return Scope(self.local, self.scope, values)


def assigned(body: Iterable[ast.AST]) -> frozenset[str]:
    """The names that statements or targets assign, inner functions and comprehensions left out."""
    return frozenset(_assigned(body))


def _assigned(body: Iterable[ast.AST]) -> Iterator[str]:
    left = list(body)
    while left:
        node = left.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        if isinstance(node, _OWN_SCOPES):
            yield getattr(node, "name", "")
        else:
            left.extend(ast.iter_child_nodes(node))
