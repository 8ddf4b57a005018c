"""Which models a policy's candidate entries select, from labels and patterns. Pure."""

import fnmatch
from collections.abc import Iterable, Sequence

from steelyard.api.backend import Location
from steelyard.api.policy import CandidateEntry, Require, RoutingPolicy
from steelyard.api.profile import Category
from steelyard.routing import filters
from steelyard.routing.table import Candidate, Eligible, Entry, Policy

ALL_LOCAL = -1
"""Stands for the index of the entry that an empty list of candidates means."""


def resolve(resource: RoutingPolicy, candidates: tuple[Candidate, ...]) -> tuple[Policy, tuple[int, ...]]:
    """The policy with what its entries select, and the indices of the entries that select nothing."""
    spec = resource.spec
    if spec.candidates:
        entries = tuple(_entry(entry, candidates) for entry in spec.candidates)
        empty = tuple(index for index, entry in enumerate(entries) if not entry.candidates)
    else:
        local = tuple(pair for pair in candidates if pair.location is Location.LOCAL)
        entries = (Entry(local, None, 0),)
        empty = () if local else (ALL_LOCAL,)
    return (
        Policy(
            name=resource.name,
            spec=spec,
            entries=entries,
            eligible=_eligible(entries, spec.require),
            headers=tuple((name.lower(), value) for name, value in spec.match.headers.items()),
            goals={model.name: model.goal or spec.goal for model in spec.models},
        ),
        empty,
    )


def _eligible(entries: Sequence[Entry], require: Require) -> dict[Category | None, Eligible]:
    """Who may answer, by the most probable category; the same for all where no entry has a `when`."""
    every = (None, *Category)
    if all(entry.categories is None for entry in entries):
        return dict.fromkeys(every, _of_entries(entries, require))
    return {
        category: _of_entries(
            [one for one in entries if one.categories is None or category in one.categories], require
        )
        for category in every
    }


def _of_entries(entries: Sequence[Entry], require: Require) -> Eligible:
    distinct = {id(pair): pair for entry in entries for pair in entry.candidates}
    return Eligible(tuple(entries), filters.pool(tuple(distinct.values()), require))


def _entry(entry: CandidateEntry, candidates: Iterable[Candidate]) -> Entry:
    return Entry(
        candidates=tuple(pair for pair in candidates if _selects(entry, pair)),
        categories=frozenset(entry.when.categories) if entry.when else None,
        weight=entry.weight_percent or 0,
    )


def _selects(entry: CandidateEntry, pair: Candidate) -> bool:
    wanted = entry.selector.match_labels if entry.selector else {}
    if any(pair.labels.get(name) != value for name, value in wanted.items()):
        return False
    names = (pair.model, *pair.aliases, f"{pair.model}@{pair.backend}")
    return not entry.models or any(
        fnmatch.fnmatchcase(name, pattern) for pattern in entry.models for name in names
    )
