"""`steelyard benchmarks import`: scores of public leaderboards as priors of our profiles.

Rule 1. Nothing is guessed: each model of ours gets a line that says which row was taken, or why none.
Rule 2. Without --write nothing is changed: the profiles go to standard output, for `kubectl apply`.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import yaml

from steelyard import settings
from steelyard.api.profile import Category, ModelProfile, Prior
from steelyard.egress import flags
from steelyard.files import plain, reading, writing
from steelyard.files.problems import FilesError
from steelyard.files.reading import Loaded
from steelyard.kube.errors import KubeError
from steelyard_cli import cluster
from steelyard_cli.benchmarks import boards, fetching, knowledge, scores
from steelyard_cli.benchmarks.boards import Board, BoardError
from steelyard_cli.benchmarks.fetching import FetchError
from steelyard_cli.benchmarks.knowledge import Pair, PairError
from steelyard_cli.benchmarks.matching import Match, Names
from steelyard_cli.benchmarks.scores import Column, Scale, Score

DEFAULT_SAMPLES = 50
"""What a score weighs beside our own probes where nobody says otherwise: five times the shrinkage, and less
than a category of suite Standard."""

MOST_SOURCE_CHARACTERS = 253
"""As long as `source` may be."""


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Add the leaderboard, whose models, and how its columns are to be read."""
    add = parser.add_argument
    add("action", choices=("import",), help="take scores over as spec.priors of ModelProfiles")
    add("location", metavar="FILE|URL", help="a leaderboard: CSV or JSON, as a file or at http(s)://…")
    settings.add_source(parser, environment, kubernetes=True)
    settings.add_namespace(parser, environment)
    add("--model-column", required=True, metavar="COLUMN", help="the column with the models' names")
    add(
        "--category",
        action="append",
        required=True,
        type=_category,
        metavar="CATEGORY=COLUMN",
        help="where a category's score is, as Math=GSM8K; several columns of one category: their mean",
    )
    add(
        "--match",
        action="append",
        default=[],
        metavar="THEIRS=OURS",
        help="a row's model, as the leaderboard spells it, and ours (or model@backend); may be repeated",
    )
    add("--scale", type=Scale, choices=list(Scale), help="what all columns hold; without it, by each column")
    samples = "as many probes of ours a score shall weigh"
    number = settings.whole_number(1, 100_000)
    settings.add(parser, "--samples", environment, samples, kind=number, default=str(DEFAULT_SAMPLES))
    add("--origin", metavar="TEXT", help="who says so, and when; without it the file or host, and today")
    add("--write", action="store_true", help="write into the files of --source; without it nothing changes")
    flags.add_arguments(parser, environment)


def main(arguments: argparse.Namespace) -> int:
    """Say what was found, and print or write it; 1 when nothing could be taken over, 2 for wrong words."""
    if arguments.write and arguments.source is None:
        sys.stderr.write(
            "--write is for --source file:DIR: pipe this into kubectl apply --server-side -f -\n"
        )
        return 2
    try:
        board = boards.read(fetching.text(arguments.location, flags.read(arguments)))
        if arguments.model_column not in board.columns:
            told = scores.told(board.columns)
            raise BoardError(f"has no column {arguments.model_column!r}; it has {told}")
        columns = scores.columns(board, arguments.category, arguments.scale)
    except (BoardError, FetchError) as error:
        sys.stderr.write(f"{arguments.location} {error}\n")
        return 1
    try:
        loaded = _loaded(arguments)
        pairs = knowledge.pairs(loaded.resources, arguments.namespace)
        names = Names(board, arguments.model_column)
        given = knowledge.named(pairs, arguments.match, names)
        _tell(_head(board, columns))
        taken = list(_Taking(board, columns, names, _prior(arguments)).all(pairs, given))
        if arguments.write:
            _write(Path(arguments.source), loaded, taken)
        else:
            documents = [_document(profile) for profile, _ in taken]
            yaml.safe_dump_all(
                documents, sys.stdout, sort_keys=False, allow_unicode=True, explicit_start=True
            )
    except (FilesError, KubeError, PairError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if not pairs:
        _tell([f"No backend of namespace {arguments.namespace} serves a model."])
    return 0 if taken else 1


class _Taking:
    """Takes over what the leaderboard says of each model, and tells it."""

    def __init__(
        self, board: Board, columns: Mapping[Category, Sequence[Column]], names: Names, told: Prior
    ) -> None:
        self._board, self._columns, self._names, self._told = board, columns, names, told

    def all(
        self, pairs: Iterable[Pair], given: Mapping[tuple[str, str], Match]
    ) -> Iterable[tuple[ModelProfile, bool]]:
        """The profiles with their new priors, and whether each is new."""
        for pair in pairs:
            match = given.get((pair.model, pair.backend)) or self._names.match(pair.names)
            row, told = match.row, f"{pair.model} on {pair.backend}"
            if row is None:
                _tell([f"{told}: {self._why_not(pair, match)}"])
                continue
            found = scores.scores(self._board, row, self._columns)
            before = {prior.category: prior for prior in pair.profile.spec.priors}
            said = ", ".join(
                _said(category, score, before.get(category)) for category, score in found.items()
            )
            _tell([f'{told}: "{self._names.name(row)}" (row {row.number}): {said}'])
            if any(score.percent is not None for score in found.values()):
                yield knowledge.with_priors(pair.profile, found, self._told), pair.is_new

    def _why_not(self, pair: Pair, match: Match) -> str:
        if match.rows:
            rows = ", ".join(f'{row.number} "{self._names.name(row)}"' for row in match.rows)
            return f"several rows may be it, and none was taken ({rows}): keep one, or name it by --match"
        if match.near:
            near = knowledge.quoted(match.near)
            return f"no row of its name; near are {near}: --match '{match.near[0]}={pair.model}' takes it"
        return "no row of its name, and none that is near"


def _category(text: str) -> tuple[Category, str]:
    name, sign, column = (part.strip() for part in text.partition("="))
    if not sign or not column or name not in list(Category):
        wanted = f"write CATEGORY=COLUMN, with one of {', '.join(Category)}"
        raise argparse.ArgumentTypeError(f"{text!r} is no category and column: {wanted}")
    return Category(name), column


def _loaded(arguments: argparse.Namespace) -> Loaded:
    if arguments.source is None:
        return Loaded(cluster.read(os.environ, arguments.namespace).resources)
    return reading.load(Path(arguments.source))


def _prior(arguments: argparse.Namespace) -> Prior:
    """Samples and source of every score."""
    place = arguments.location
    short = urlsplit(place).hostname if fetching.is_url(place) else PurePosixPath(place).name
    source = arguments.origin or f"{short}, {datetime.now(UTC).date().isoformat()}"
    return Prior(
        category=Category.MATH,
        score_percent=0,
        samples=arguments.samples,
        source=source[:MOST_SOURCE_CHARACTERS],
    )


def _head(board: Board, columns: Mapping[Category, Sequence[Column]]) -> Iterable[str]:
    yield f"{len(board.rows)} rows."
    for category, of in columns.items():
        mean = "mean of " if len(of) > 1 else ""
        yield f"{category}: {mean}{', '.join(map(str, of))}"


def _said(category: Category, score: Score, before: Prior | None) -> str:
    if score.percent is None:
        return f"{category} left out: {score.missing}"
    was = ""
    if before is not None:
        was = f" (before: {before.score_percent}% of {before.samples} samples, {before.source})"
    return f"{category} {score.percent}%{was}"


def _write(source: Path, loaded: Loaded, taken: Iterable[tuple[ModelProfile, bool]]) -> None:
    for profile, is_new in taken:
        if is_new:
            _tell([f"written: {writing.create(source, profile)}"])
        else:
            place = loaded.place(profile)
            writing.write_field(place, profile, ("spec", "priors"))
            _tell([f"written: {place.file}: {profile.name}"])


def _document(profile: ModelProfile) -> dict[str, Any]:
    """What is to be applied: the pair, and its priors."""
    value = plain.to_plain(profile)
    metadata = {key: value["metadata"][key] for key in ("name", "namespace") if key in value["metadata"]}
    spec = {key: value["spec"][key] for key in ("backendRef", "model", "priors")}
    return {"apiVersion": value["apiVersion"], "kind": value["kind"], "metadata": metadata, "spec": spec}


def _tell(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stderr.write(f"{line}\n")
