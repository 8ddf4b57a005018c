"""The tool calls of one streamed answer, put together from their pieces. Pure.

A piece belongs to a call by `index`, as the API says. Some engines send none, or the same for every call:
so a piece with another id, or with a name but no id where the call has a name, begins a new call. Some send
the arguments whole, or as an object instead of its text.
"""

import json
from dataclasses import dataclass, field

from steelyard_profiler.target import Call

MOST_CALLS = 64
"""More calls than any question wants; pieces of further ones are left out."""


@dataclass(slots=True)
class _Pieces:
    name: str
    id: str
    index: int | None
    arguments: list[str] = field(default_factory=list)


class CallPieces:
    """The calls so far."""

    def __init__(self) -> None:
        self._calls: list[_Pieces] = []

    def take(self, pieces: object) -> str:
        """Add the pieces of one event; gives what the model said in them."""
        said = ""
        for piece in pieces if isinstance(pieces, list) else []:
            function = piece.get("function") if isinstance(piece, dict) else None
            if isinstance(piece, dict) and isinstance(function, dict):
                said += self._add(piece, _text(function.get("name")), _arguments(function.get("arguments")))
        return said

    def whole(self) -> tuple[Call, ...]:
        """The calls as they are."""
        return tuple(Call(call.name, "".join(call.arguments)) for call in self._calls)

    def _add(self, piece: dict[str, object], name: str, arguments: str) -> str:
        index, given = piece.get("index"), _text(piece.get("id"))
        at = index if isinstance(index, int) else None
        same = [call for call in self._calls if at is not None and call.index == at]
        among = self._calls if at is None else same
        call = among[-1] if among else None
        if call is None or (given and call.id and given != call.id) or (name and call.name and not given):
            if len(self._calls) == MOST_CALLS:
                return name + arguments
            call = _Pieces(name, given, at)
            self._calls.append(call)
        said = name if not call.arguments and (not call.name or call.name == name) else ""
        call.name, call.id = call.name or name, call.id or given
        if arguments:
            call.arguments.append(arguments)
        return said + arguments


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _arguments(value: object) -> str:
    return json.dumps(value) if isinstance(value, dict) else _text(value)
