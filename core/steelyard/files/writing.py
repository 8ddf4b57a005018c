"""Writing one field of an object back into its file, mostly its status, and new objects into new files.

Rule 1. Only the field's own characters are replaced: comments, order, quoting and every other object stay as
        they are, byte for byte. In JSON files, which hold no comments, the layout may change.
Rule 2. Before the disk is touched the new text is read again: it must say what was meant and nothing else.
Rule 3. A file is replaced in one step; whatever fails, the old one stays and nothing is left behind.
"""

import json
import os
import re
import textwrap
from pathlib import Path
from typing import Any

import yaml

from steelyard.api.resources import AnyResource
from steelyard.files import documents, plain, reading
from steelyard.files.documents import Document, DocumentError
from steelyard.files.problems import FilesError, Problem
from steelyard.files.reading import Place

STATUS = "status"


def write_status(place: Place, resource: AnyResource) -> None:
    """Put the resource's status into its file; raises FilesError where that cannot be done."""
    write_field(place, resource, (STATUS,))


def write_field(place: Place, resource: AnyResource, field: tuple[str, ...]) -> None:
    """Put this field of the resource into its file, at the end of what holds it where it is new there.

    Raises FilesError where that cannot be done.
    """
    value: Any = plain.to_plain(resource)
    for key in field:
        value = value.get(key, {})
    path, name = place.file.resolve(), ".".join(field)
    try:
        found = list(reading.read_documents(path))
        document, at = _find(found, place, resource, name)
        at = (*at, *field)
        text = _with_field(document, at, value, is_json=path.suffix == ".json")
        _check(path, found, text, (document.index, at, value))
        _replace(path, text)
    except DocumentError as error:
        raise FilesError([Problem(place.file, error.line, "", error.message)]) from error
    except OSError as error:
        message = f"{name} cannot be written: {error.strerror}"
        raise FilesError([Problem(place.file, 0, "", message)]) from error


def create(directory: Path, resource: AnyResource) -> Path:
    """Write a new file that holds this object alone, and return its path; raises FilesError if it exists."""
    namespace = "" if resource.namespace == "default" else f"{resource.namespace}-"
    path = directory / f"{resource.kind.lower()}-{namespace}{resource.name}.yaml"
    if path.exists():
        raise FilesError([Problem(path, 0, "", "exists already: rename or remove it")])
    try:
        _replace(path, _dump(plain.to_plain(resource)))
    except OSError as error:
        raise FilesError([Problem(path, 0, "", f"cannot be written: {error.strerror}")]) from error
    return path


def _find(
    found: list[Document], place: Place, resource: AnyResource, name: str
) -> tuple[Document, documents.Path]:
    """The object where it was, or where it stands now."""
    here = [
        (document, at)
        for document in found
        for at, value in reading.objects(document.value)
        if isinstance(value, dict) and _identity(value) == (resource.kind, resource.namespace, resource.name)
    ]
    if len(here) != 1:
        raise DocumentError(
            0, f"{resource.kind} {resource.name} is no longer in this file: its {name} is not written"
        )
    return here[0]


def _identity(value: dict[str, Any]) -> tuple[Any, Any, Any]:
    metadata = value.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    return value.get("kind"), metadata.get("namespace", "default"), metadata.get("name")


def _with_field(document: Document, at: documents.Path, value: Any, *, is_json: bool) -> str:
    """The whole text with the value in its place."""
    if is_json:
        return _json_with_field(document, at, value)
    *parent, key = at
    text, collection = document.text, document.collections[id(document.at(tuple(parent)))]
    spot = collection.spots.get(key)
    if collection.flow:
        block = f"{key}: {json.dumps(value, ensure_ascii=False)}"
    else:
        block = textwrap.indent(_dump({key: value}), " " * collection.column).strip()
    if spot:
        after = text[spot.end :]
        return text[: spot.key_start] + block + ("\n" + after if text[spot.end - 1] == "\n" else after)
    last = max(spot.end for spot in collection.spots.values())
    if collection.flow:
        return f"{text[:last]}, {block}{text[last:]}"
    line_end = text.find("\n", last - 1)
    before = text if line_end < 0 else text[:line_end]
    return f"{before}\n{' ' * collection.column}{block}\n{text[len(before) + 1 :]}"


def _json_with_field(document: Document, at: documents.Path, value: Any) -> str:
    indent = re.search(r"\n([ \t]+)\S", document.text)
    whole = _replaced(document.value, at, value)
    return json.dumps(whole, ensure_ascii=False, indent=indent[1] if indent else None) + "\n"


def _check(path: Path, before: list[Document], text: str, wanted: tuple[int, documents.Path, Any]) -> None:
    read = documents.read_json if path.suffix == ".json" else documents.read_yaml
    index, at, value = wanted
    meant = [_replaced(d.value, at, value) if d.index == index else d.value for d in before]
    try:
        same = [document.value for document in read(text)] == meant
    except DocumentError:
        same = False
    if not same:
        line = before[index].line_of(at[:-1])
        raise DocumentError(line, f"{at[-1]} cannot be put here: write this object in block style")


def _replaced(whole: Any, at: documents.Path, value: Any) -> Any:
    """The plain data with this value in its place."""
    if not at:
        return value
    key, *rest = at
    if isinstance(whole, list):
        return [
            _replaced(item, tuple(rest), value) if index == key else item for index, item in enumerate(whole)
        ]
    return {**whole, key: _replaced(whole.get(key), tuple(rest), value)}


class _Dumper(yaml.CSafeDumper):
    """Quotes text that would be read as something else."""


def _represent_text(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    style = None if isinstance(documents.plain_scalar(text), str) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _dump(value: Any) -> str:
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000))


def _replace(path: Path, text: str) -> None:
    """Write beside the file, then take its place."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with beside.open("w", encoding="utf-8", newline="") as file:
            if path.exists():
                os.fchmod(file.fileno(), path.stat().st_mode & 0o7777)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
