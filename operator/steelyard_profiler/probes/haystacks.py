"""Long notes in which a few sentences matter: the texts of LongContext.

Invariant: what fills has no digit and no proper name, and nothing of what is asked for.
"""

from collections.abc import Mapping, Sequence

from steelyard.api.profile import Level
from steelyard_profiler.draws import Draws

BYTES_PER_TOKEN = 4
"""Of plain English, roughly."""

SIZES: Mapping[str, Mapping[Level, Sequence[int]]] = {
    "Quick": {Level.EASY: (100,), Level.MEDIUM: (200,), Level.HARD: (400,)},
    "Standard": {Level.EASY: (300, 500), Level.MEDIUM: (600, 1000), Level.HARD: (1000, 2000, 6000)},
    "Full": {Level.EASY: (1000, 2000), Level.MEDIUM: (2000, 6000), Level.HARD: (6000, 12_000, 24_000)},
}
"""Lengths in tokens, one of which is drawn, by suite and level. Twenty probes of Quick take 8 000 tokens,
which a small model on a CPU reads in time; forty of Standard take 60 000."""

_WHO = (
    "The gardener",
    "A tall visitor",
    "The night guard",
    "An old sailor",
    "The young clerk",
    "A quiet student",
    "The neighbour",
    "Somebody from the workshop",
    "The cook",
    "A friendly stranger",
    "The caretaker",
    "One of the drivers",
    "The new assistant",
    "A retired builder",
    "The choir leader",
    "A passing cyclist",
)
_DID = (
    "swept the steps",
    "mended a fence",
    "carried some boards",
    "looked for a lost glove",
    "told a long joke",
    "drank a cup of tea",
    "counted the clouds",
    "oiled a squeaking hinge",
    "wrote a short letter",
    "hung up the washing",
    "planted a row of beans",
    "listened to the rain",
    "sharpened a pencil",
    "peeled some potatoes",
    "folded the napkins",
    "whistled an old tune",
    "cleaned the windows",
    "fed the pigeons",
    "sorted the newspapers",
    "watched the boats",
)
_WHERE = (
    "near the mill",
    "behind the bakery",
    "beside the pond",
    "under the chestnut tree",
    "at the bus stop",
    "on the bridge",
    "in front of the town hall",
    "by the fountain",
    "at the edge of the wood",
    "next to the well",
    "on the hill",
    "along the canal",
)
_WHEN = (
    "early in the day",
    "just before lunch",
    "in the afternoon",
    "while it was still light",
    "after the storm",
    "as on most days",
    "without any hurry",
    "for a good while",
)
_SENTENCES_IN_PARAGRAPH = 6


def size_tokens(draws: Draws, level: Level) -> int:
    """How long the notes are to be; by suite Quick where the draws are of none."""
    suite = draws.head.split("/")[0]
    return draws.pick(SIZES.get(suite, SIZES["Quick"])[level])


def notes(draws: Draws, level: Level, sentences: Sequence[str]) -> str:
    """Notes that hold these sentences in this order, at drawn places."""
    return filled(draws, size_tokens(draws, level), sentences)


def filled(draws: Draws, tokens: int, sentences: Sequence[str]) -> str:
    """Notes of about so many tokens that hold these sentences in this order, at drawn places."""
    size = BYTES_PER_TOKEN * tokens - sum(len(sentence) + 1 for sentence in sentences)
    filler: list[str] = []
    while size > 0 or not filler:
        filler.append(_sentence(draws))
        size -= len(filler[-1]) + 1
    places = sorted(draws.below(len(filler) + 1) for _ in sentences)
    for place, sentence in reversed(list(zip(places, sentences, strict=True))):
        filler.insert(place, sentence)
    paragraphs = [
        " ".join(filler[start : start + _SENTENCES_IN_PARAGRAPH])
        for start in range(0, len(filler), _SENTENCES_IN_PARAGRAPH)
    ]
    return "\n".join(paragraphs)


def _sentence(draws: Draws) -> str:
    """One draw a sentence: long notes take many."""
    drawn = draws.below(len(_WHO) * len(_DID) * len(_WHERE) * len(_WHEN))
    parts = []
    for words in (_WHO, _DID, _WHERE, _WHEN):
        drawn, at = divmod(drawn, len(words))
        parts.append(words[at])
    return f"{' '.join(parts)}."
