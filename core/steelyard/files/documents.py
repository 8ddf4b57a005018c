"""YAML and JSON text as plain data, with the place of every field. No I/O, no knowledge of kinds.

Rule 1. Scalars are those of YAML's core schema: null, true, false, numbers; a time or `yes` stays text.
Rule 2. Keys are text and unique; a key without a value counts as absent, as in the Kubernetes API.
Rule 3. Depth and what aliases add are bounded, so that small text never becomes large data.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

MOST_DEPTH = 64
"""Nested collections; ours need 8."""

MOST_ALIASED_CHARACTERS = 1 << 20
"""What all aliases of a file may add; one MiB is far more than shared settings need."""

MERGE_KEY = "<<"
"""Takes the fields of another mapping: https://yaml.org/type/merge.html."""

Path = tuple[str | int, ...]
"""Keys and indexes from a document's root to a value."""

_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,2})?")
_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_SURROGATES = re.compile(r"(?<!\\)((?:\\\\)*)(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})")


class DocumentError(Exception):
    """Text that is not YAML or not within the rules above."""

    def __init__(self, line: int, message: str) -> None:
        self.line = line
        """Counted from 1."""
        self.message = message
        """What is wrong and what to do."""
        super().__init__(message)


@dataclass(slots=True)
class Spot:
    """Where a field stands. Offsets count characters of the text."""

    line: int
    """Of the key or list entry, counted from 1."""
    key_start: int
    """Offset of the key; of the entry in a list."""
    value_start: int
    """Offset of the value."""
    end: int
    """Offset just after the value's last character, comments not counted."""


@dataclass(slots=True)
class Collection:
    """A mapping or list with the places of its fields."""

    value: Any
    """The plain dict or list."""
    flow: bool
    """Written with brackets."""
    line: int
    """Where it begins, counted from 1."""
    column: int
    """Of its first key, counted from 0."""
    spots: dict[str | int, Spot] = field(default_factory=dict)
    """By key or index, those of absent values included."""
    anchor: str | None = None
    """Its anchor."""
    characters: int = 1
    """What it adds where it is repeated by an alias."""
    key: str | None = None
    """While being read: the key whose value comes next."""
    merges: bool = False
    """Whether `<<` stands in it, unquoted."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file."""

    index: int
    """Its number in the file, from 0, empty ones counted."""
    value: Any
    """Plain data."""
    line: int
    """Where it begins, counted from 1."""
    text: str = field(repr=False)
    """The whole file."""
    collections: dict[int, Collection] = field(repr=False)
    """By id() of the collection's value."""

    def walk(self, path: Path) -> Iterator[tuple[Collection, Spot]]:
        """The collections and spots on the way to a field, as far as the way exists."""
        value = self.value
        for key in path:
            collection = self.collections.get(id(value))
            if collection is None or key not in collection.spots:
                return
            yield collection, collection.spots[key]
            value = self._child(value, key)

    def line_of(self, path: Path) -> int:
        """The line of a field, of its nearest parent where it is missing."""
        return max([self.line, *(spot.line for _, spot in self.walk(path))][-1:])

    def text_of(self, path: Path) -> str:
        """A field's value as it is written."""
        *_, (_, spot) = self.walk(path)
        return self.text[spot.value_start : spot.end]

    def at(self, path: Path) -> Any:
        """The value of a field; None where it is missing."""
        value = self.value
        for key in path:
            value = self._child(value, key)
        return value

    @staticmethod
    def _child(value: Any, key: str | int) -> Any:
        if isinstance(value, dict):
            return value.get(key)
        if isinstance(value, list) and isinstance(key, int) and key < len(value):
            return value[key]
        return None


def read_yaml(text: str) -> Iterator[Document]:
    """The documents of a file; raises DocumentError where the text goes wrong."""
    try:
        yield from _Reader(text).documents()
    except yaml.MarkedYAMLError as error:
        raise _broken(error, last_line=max(1, len(text.splitlines()))) from error
    except yaml.YAMLError as error:
        raise DocumentError(1, f"not YAML: {getattr(error, 'reason', 'unreadable')}") from error


def read_json(text: str) -> Iterator[Document]:
    """The one document of a JSON file; raises DocumentError where the text goes wrong."""
    documents = list(read_yaml(_SURROGATES.sub(_join_surrogates, text)))
    try:
        json.loads(text)
    except ValueError as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        said = error.msg if isinstance(error, json.JSONDecodeError) else "a number is too long"
        raise DocumentError(line, f"not JSON: {said}") from error
    yield from documents


def _broken(error: yaml.MarkedYAMLError, last_line: int) -> DocumentError:
    begun, mark = error.context_mark, error.problem_mark or error.context_mark
    said = ", ".join(part for part in (error.context, error.problem) if part)
    since = f" (begun in line {begun.line + 1})" if begun and mark and begun.line != mark.line else ""
    return DocumentError(min(mark.line + 1 if mark else 1, last_line), f"not YAML: {said}{since}")


def _join_surrogates(match: re.Match[str]) -> str:
    return str(match[1]) + str(json.loads(f'"{match[2]}"'))


class _Reader:
    """Turns parser events into documents with a stack of its own, so that depth never meets Python's."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._stack: list[Collection] = []
        self._collections: dict[int, Collection] = {}
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._aliased = 0
        self._root: Any = None
        self._end = 0

    def documents(self) -> Iterator[Document]:
        index = line = 0
        for event in yaml.parse(self._text, Loader=yaml.CLoader):
            if isinstance(event, yaml.DocumentStartEvent):
                self._collections, self._anchors, self._root, line = {}, {}, None, 0
            elif isinstance(event, yaml.DocumentEndEvent):
                yield Document(index, self._root, line, self._text, self._collections)
                index += 1
            elif isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
                line = line or _line(event)
                self._take(event)

    def _take(self, event: yaml.Event) -> None:
        match event:
            case yaml.CollectionEndEvent():
                self._close(event)
            case yaml.AliasEvent():
                self._end = _offset(event.end_mark)
                self._add(*self._aliased_value(event), event)
            case yaml.ScalarEvent():
                self._end = _offset(event.end_mark)
                value = _scalar(event)
                self._remember(event.anchor, value, len(event.value))
                self._add(value, 1 + len(event.value), event)
            case yaml.CollectionStartEvent():
                self._open(event)

    def _open(self, event: yaml.CollectionStartEvent) -> None:
        line = _line(event)
        if len(self._stack) >= MOST_DEPTH:
            raise DocumentError(line, f"nested deeper than {MOST_DEPTH} levels")
        if event.tag not in (None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            raise DocumentError(line, f"tag {event.tag} is not supported: remove it")
        value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        collection = Collection(
            value,
            bool(event.flow_style),
            line,
            event.start_mark.column if event.start_mark else 0,
            anchor=event.anchor,
        )
        if event.anchor:
            self._anchors.pop(event.anchor, None)
        self._add(value, 0, event)
        self._collections[id(value)] = collection
        self._stack.append(collection)

    def _close(self, event: yaml.CollectionEndEvent) -> None:
        collection = self._stack.pop()
        if collection.flow:
            self._end = _offset(event.end_mark)
        if collection.merges:
            self._merge(collection)
        self._remember(collection.anchor, collection.value, collection.characters)
        if self._stack:
            parent = self._stack[-1]
            parent.characters += collection.characters
            next(reversed(parent.spots.values())).end = self._end

    def _remember(self, anchor: str | None, value: Any, characters: int) -> None:
        if anchor:
            self._anchors[anchor] = (value, characters)

    def _aliased_value(self, event: yaml.AliasEvent) -> tuple[Any, int]:
        line = _line(event)
        if event.anchor not in self._anchors:
            raise DocumentError(line, f"*{event.anchor} refers to no complete anchor before it")
        value, characters = self._anchors[event.anchor]
        self._aliased += characters
        if self._aliased > MOST_ALIASED_CHARACTERS:
            raise DocumentError(
                line, "aliases repeat more than 1 MiB of this file: write less of it as aliases"
            )
        return value, characters

    def _add(self, value: Any, characters: int, event: yaml.Event) -> None:
        if not self._stack:
            self._root = value
            return
        parent, start = self._stack[-1], _offset(event.start_mark)
        parent.characters += characters
        if isinstance(parent.value, list):
            parent.spots[len(parent.value)] = Spot(_line(event), start, start, self._end)
            parent.value.append(value)
        elif parent.key is None:
            parent.key = self._new_key(parent, event)
            parent.spots[parent.key] = Spot(_line(event), start, self._end, self._end)
        else:
            spot = parent.spots[parent.key]
            spot.value_start, spot.end = max(start, spot.end), max(self._end, spot.end)
            if value is not None:
                parent.value[parent.key] = value
            parent.key = None

    @staticmethod
    def _new_key(parent: Collection, event: yaml.Event) -> str:
        line = _line(event)
        if not isinstance(event, yaml.ScalarEvent) or not isinstance(_scalar(event), str):
            raise DocumentError(line, "a key must be text: write it quoted")
        if event.value in parent.spots:
            first = parent.spots[event.value].line
            raise DocumentError(
                line, f"key `{event.value}` is here for the second time (first: line {first})"
            )
        parent.merges |= event.value == MERGE_KEY and bool(event.implicit[0])
        return str(event.value)

    def _merge(self, collection: Collection) -> None:
        line = collection.spots[MERGE_KEY].line
        sources = collection.value.pop(MERGE_KEY, None)
        for source in sources if isinstance(sources, list) else [sources]:
            if not isinstance(source, dict):
                raise DocumentError(
                    line, f"`{MERGE_KEY}` takes the fields of a mapping: write *name of its anchor"
                )
            for key, value in source.items():
                collection.value.setdefault(key, value)
                collection.spots.setdefault(key, self._collections[id(source)].spots[key])


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _offset(mark: Any) -> int:
    return int(mark.index)


def _scalar(event: yaml.ScalarEvent) -> Any:
    text = str(event.value)
    match event.tag:
        case None | "!":
            return plain_scalar(text) if event.implicit[0] else text
        case "tag:yaml.org,2002:str":
            return text
        case _:
            raise DocumentError(_line(event), f"tag {event.tag} is not supported: remove it")


def plain_scalar(text: str) -> Any:
    """What unquoted text means."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if len(text) < 40 and _FLOAT.fullmatch(text) else text
