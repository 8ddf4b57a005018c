"""Which models a policy's candidate entries select, from labels and patterns. Pure."""

import fnmatch
from collections.abc import Iterable

from steelyard.api.backend import Location
from steelyard.api.policy import CandidateEntry, RoutingPolicy
from steelyard.routing import pricing
from steelyard.routing.table import Candidate, Entry, Policy

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
    most = spec.require.max_usd_per_million_tokens
    return (
        Policy(
            name=resource.name,
            spec=spec,
            entries=entries,
            max_usd=pricing.usd_per_token(most) if most is not None else None,
        ),
        empty,
    )


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
