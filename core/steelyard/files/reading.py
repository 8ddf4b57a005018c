"""A directory of YAML and JSON files as a ResourceSet. Files are only read.

Rule 1. All or nothing: with one problem in one file there is no set, and all problems are told at once.
Rule 2. Every object of a known kind is checked completely; `status` alone may hold fields that are unknown
        here, since programs write it and may be newer. They are dropped with a warning.
Rule 3. A file that vanishes between listing and reading was being replaced: it counts as absent.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from steelyard.api.backend import LLMBackend
from steelyard.api.meta import Resource
from steelyard.api.policy import RoutingPolicy
from steelyard.api.profile import ModelProfile
from steelyard.api.resources import AnyResource, ConfigMap, EndpointSlice, Key, ResourceSet, Secret, Service
from steelyard.files import documents, messages
from steelyard.files.documents import Document, DocumentError
from steelyard.files.problems import FilesError, Problem

MOST_FILE_BYTES = 16 * 1024 * 1024
"""A larger file is a mistake: ten thousand backends fit in a quarter of it."""

SUFFIXES = (".yaml", ".yml", ".json")
"""Other files are not looked at."""

GROUP = "steelyard.dev/v1alpha1"
KINDS: Mapping[str, tuple[str, type[AnyResource]]] = {
    "LLMBackend": (GROUP, LLMBackend),
    "ModelProfile": (GROUP, ModelProfile),
    "RoutingPolicy": (GROUP, RoutingPolicy),
    "Secret": ("v1", Secret),
    "ConfigMap": ("v1", ConfigMap),
    "Service": ("v1", Service),
    "EndpointSlice": ("discovery.k8s.io/v1", EndpointSlice),
}
"""apiVersion and type by kind."""

_KNOWN = (
    f"known are LLMBackend, ModelProfile and RoutingPolicy of {GROUP}, Secret, ConfigMap, Service and List "
    "of v1, EndpointSlice of discovery.k8s.io/v1"
)


_R = TypeVar("_R", bound=Resource)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object stands."""

    file: Path
    """The file."""
    document: int
    """Number of the document in it, from 0."""
    path: documents.Path
    """From the document's root to the object; empty unless it is in a List."""
    line: int
    """Where it begins, counted from 1."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a directory holds."""

    resources: ResourceSet
    """Every object."""
    warnings: tuple[Problem, ...] = ()
    """What was dropped."""
    places: Mapping[tuple[str, Key], Place] = field(default_factory=dict)
    """Where each object came from, by (kind, (namespace, name))."""

    def place(self, resource: AnyResource) -> Place:
        """Where this object came from."""
        return self.places[resource.kind, (resource.namespace, resource.name)]


def load(directory: Path) -> Loaded:
    """All resources of a directory, its subfolders not entered; raises FilesError with every problem."""
    return _loaded(_files(directory))


def load_file(path: Path) -> Loaded:
    """All resources of one file, whatever its suffix; raises FilesError with every problem."""
    if not path.exists():
        raise FilesError([Problem(path, 0, "", "does not exist")])
    return _loaded([path])


def _loaded(paths: Iterable[Path]) -> Loaded:
    loading = _Loading()
    for path in paths:
        loading.read(path)
    if loading.problems:
        raise FilesError(sorted(loading.problems, key=_by_place))
    resources = ResourceSet(
        backends=loading.of_type(LLMBackend),
        profiles=loading.of_type(ModelProfile),
        policies=loading.of_type(RoutingPolicy),
        secrets=loading.of_type(Secret),
        config_maps=loading.of_type(ConfigMap),
        services=loading.of_type(Service),
        endpoint_slices=loading.of_type(EndpointSlice),
    )
    return Loaded(resources, tuple(sorted(loading.warnings, key=_by_place)), loading.places)


def read_documents(path: Path) -> Iterator[Document]:
    """The documents of one file; raises DocumentError for its text, OSError where it cannot be read."""
    with path.open("rb") as file:
        body = file.read(MOST_FILE_BYTES + 1)
    if len(body) > MOST_FILE_BYTES:
        raise DocumentError(0, f"is larger than {MOST_FILE_BYTES >> 20} MiB: split it")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(
            body.count(b"\n", 0, error.start) + 1, "is not UTF-8: save it as UTF-8"
        ) from error
    yield from documents.read_json(text) if path.suffix == ".json" else documents.read_yaml(text)


def objects(value: Any, path: documents.Path = ()) -> Iterator[tuple[documents.Path, Any]]:
    """The objects of a document, those of Lists one by one."""
    if isinstance(value, dict) and value.get("kind") == "List" and isinstance(value.get("items", []), list):
        for index, item in enumerate(value.get("items", [])):
            yield from objects(item, (*path, "items", index))
    else:
        yield path, value


def _files(directory: Path) -> list[Path]:
    try:
        entries = sorted(directory.iterdir(), key=lambda path: path.name)
        return [
            path
            for path in entries
            if path.suffix in SUFFIXES and not path.name.startswith(".") and path.is_file()
        ]
    except OSError as error:
        message = f"cannot be read as a directory: {error.strerror}"
        raise FilesError([Problem(directory, 0, "", message)]) from error


class _Loading:
    """Gathers objects and problems over all files."""

    def __init__(self) -> None:
        self.found: list[AnyResource] = []
        self.places: dict[tuple[str, Key], Place] = {}
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def read(self, path: Path) -> None:
        try:
            for document in read_documents(path):
                if document.value is not None:
                    for where, value in objects(document.value):
                        self._take(_Item(path, document, where, value))
        except FileNotFoundError:
            return
        except OSError as error:
            self.problems.append(Problem(path, 0, "", f"cannot be read: {error.strerror}"))
        except DocumentError as error:
            self.problems.append(Problem(path, error.line, "", error.message))

    def of_type(self, kind: type[_R]) -> dict[Key, _R]:
        return {(found.namespace, found.name): found for found in self.found if isinstance(found, kind)}

    def _take(self, item: "_Item") -> None:
        kind = item.kind_of()
        if isinstance(kind, Problem):
            self.problems.append(kind)
            return
        try:
            self._keep(item, _validated(kind, item.value))
        except ValidationError as error:
            errors = error.errors()
            newer = [e for e in errors if e["type"] == "extra_forbidden" and e["loc"][0] == "status"]
            self.problems += [item.problem_of(kind, e) for e in errors if e not in newer]
            if newer == errors:
                self._drop(item, newer)
                self._take(item)

    def _drop(self, item: "_Item", errors: list[ErrorDetails]) -> None:
        for error in errors:
            *parents, name = error["loc"]
            self.warnings.append(item.problem(error["loc"], "unknown field of status is ignored"))
            item.document.at((*item.path, *parents)).pop(name, None)

    def _keep(self, item: "_Item", resource: AnyResource) -> None:
        identity = (resource.kind, (resource.namespace, resource.name))
        if identity in self.places:
            first = self.places[identity]
            said = (
                f"{resource.kind} {resource.namespace}/{resource.name} is also in {first.file}:{first.line}"
            )
            self.problems.append(item.problem(("metadata", "name"), f"{said}: keep one of them"))
            return
        self.found.append(resource)
        line = item.document.line_of(item.path)
        self.places[identity] = Place(item.file, item.document.index, item.path, line)


@dataclass(frozen=True, slots=True)
class _Item:
    """One object as it stands in a file."""

    file: Path
    document: Document
    path: documents.Path
    value: Any

    def problem(self, field_path: documents.Path, message: str) -> Problem:
        path = (*self.path, *field_path)
        return Problem(self.file, self.document.line_of(path), messages.field_name(path), message)

    def kind_of(self) -> type[AnyResource] | Problem:
        """The type that the object says it is."""
        if not isinstance(self.value, dict):
            return self.problem((), "must be an object with apiVersion, kind, metadata and spec")
        kind, version = self.value.get("kind"), self.value.get("apiVersion")
        if kind is None:
            return self.problem(("kind",), f"is missing: {_KNOWN}")
        if not isinstance(kind, str) or kind not in KINDS:
            return self.problem(("kind",), f"unknown kind {_quoted(kind)}: {_KNOWN}")
        wanted, resource_type = KINDS[kind]
        if version != wanted:
            said = "is missing" if version is None else f"unknown version {_quoted(version)}"
            return self.problem(("apiVersion",), f"{said}: write {wanted} for {kind}")
        return resource_type

    def problem_of(self, kind: type[AnyResource], error: ErrorDetails) -> Problem:
        """A validation error at the field that it is about."""
        path = error["loc"]
        if error["type"] == "value_error":
            path = self._narrowed(path, str(error["ctx"]["error"]))
        quote = kind is not Secret
        at = (*self.path, *path)
        said = messages.sentence(kind, error, lambda: self.document.text_of(at), quote=quote)
        return self.problem(path, said)

    def _narrowed(self, path: documents.Path, message: str) -> documents.Path:
        """A rule over several fields names the one at fault first."""
        name = message.split(" ", 1)[0]
        holder = self.document.at((*self.path, *path))
        return (*path, name) if isinstance(holder, dict) and name in holder else path


def _validated(kind: type[AnyResource], value: Any) -> AnyResource:
    return kind.model_validate_json(json.dumps(value), by_alias=True, by_name=False)


def _by_place(problem: Problem) -> tuple[Path, int]:
    return problem.file, problem.line


def _quoted(value: Any) -> str:
    return f"`{str(value)[:60]}`"
