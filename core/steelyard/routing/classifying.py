"""The built-in classifier: what kind of work a turn asks for, and how hard it is.

A few microseconds of counting words and signs; no model, no state. Invariant: the probabilities add up to 1,
and the same turn always gives the same distribution.
"""

import functools
import math
import re

from steelyard.api.profile import Category
from steelyard.routing import lexicon
from steelyard.routing.decision import Distribution, Turn
from steelyard.routing.table import CATEGORIES, LEVELS

READ_CHARACTERS = 4_000
"""Longer turns are read at both ends: enough to tell the kind, and the cost stays bounded."""

KEPT_TEXTS = 1024
"""Texts whose distribution is remembered; at 16 kB each at most, memory stays bounded."""

KEPT_CATEGORIES = 3
"""The most probable categories are kept, the rest is too unlikely to change a choice."""

LONG_CONTEXT_TOKENS = 8_000
"""Prompts from here on ask for what LongContext measures."""

_TOKEN = re.compile(r"[a-z][a-z'+-]*|\d+(?:[.,]\d+)*|[^\sa-z\d]")
_CODE = re.compile(
    r"```|\bdef \w|\w\(\)|[;{}]\s*$|=>|</\w|>>> |\bimport \w|#include|\bSELECT\b", re.MULTILINE
)
_MATHS = re.compile(r"\d\s*[+*/×÷^=<>]\s*[\d(a-z]|\d\s+-\s+\d|\\frac|\\sqrt|\$[^$]+\$|\b[xyz]\s*[-+=^]")

_SIGNS = ((_CODE, Category.CODING, 2.5), (_MATHS, Category.MATH, 2.5))

_INDEX = {category: index for index, category in enumerate(CATEGORIES)}
_WORDS = {
    word: tuple((_INDEX[category], weight) for category, weight in votes)
    for word, votes in lexicon.WORDS.items()
}
_BASE = [lexicon.BASE.get(category, -3.0) for category in CATEGORIES]

_RECORD_COLONS = 3
_EASY_BELOW = 0.4
_HARD_ABOVE = 2.2
_LEVEL_SCALE = 1.6


def classify(turn: Turn) -> Distribution:
    """What the turn asks for; empty where it asks for no answer in words (embeddings)."""
    if "embeddings" in turn.needs:
        return ()
    return _distribution(_read(turn.text), "tools" in turn.needs, turn.prompt_tokens > LONG_CONTEXT_TOKENS)


def _read(text: str) -> str:
    if len(text) <= READ_CHARACTERS:
        return text
    half = READ_CHARACTERS // 2
    return f"{text[:half]}\n{text[-half:]}"


@functools.lru_cache(maxsize=KEPT_TEXTS)
def _distribution(text: str, has_tools: bool, is_long: bool) -> Distribution:
    tokens = _TOKEN.findall(text.lower())
    scores = _scores(text, tokens)
    scores[_INDEX[Category.TOOL_USE]] += 3.5 if has_tools else 0.0
    scores[_INDEX[Category.LONG_CONTEXT]] += 6.5 if is_long else 0.0
    most = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)[:KEPT_CATEGORIES]
    weights = [math.exp(scores[index] - scores[most[0]]) for index in most]
    total = sum(weights)
    levels = level_probabilities(difficulty(tokens))
    cells = [
        (index * len(LEVELS) + level, weight / total * share)
        for index, weight in zip(most, weights, strict=True)
        for level, share in enumerate(levels)
    ]
    cells.sort(key=lambda cell: -cell[1])
    return tuple(cells)


def _scores(text: str, tokens: list[str]) -> list[float]:
    """Logits by category: each distinct word votes once, weakened in long texts."""
    scores = list(_BASE)
    distinct = set(tokens)
    weaken = 1 / (1 + len(distinct) / 40)
    numbers = 0
    for token in distinct:
        for index, weight in _WORDS.get(token, ()):
            scores[index] += weight * weaken
        numbers += token[0].isdigit()
    scores[_INDEX[Category.MATH]] += min(numbers, 4) * 0.35
    for pattern, category, weight in _SIGNS:
        if pattern.search(text):
            scores[_INDEX[category]] += weight
    if tokens.count(":") >= _RECORD_COLONS or "{" in distinct:
        scores[_INDEX[Category.EXTRACTION]] += 0.8
    foreign = sum(character.isalpha() and not character.isascii() for character in text[:400])
    if foreign > 2:
        scores[_INDEX[Category.MULTILINGUAL]] += min(2.0 + foreign / 10, 7.0)
    return scores


def difficulty(tokens: list[str]) -> float:
    """How hard a turn looks, in logits: about 0 for a short question, 3 for a page of conditions."""
    score = 0.35 * math.log1p(len(tokens) / 8)
    numbers = 0
    for token in set(tokens):
        score += lexicon.DIFFICULTY.get(token, 0.0)
        if token[0].isdigit():
            numbers += 1
            score += 0.06 * min(max(len(token) - 1, 0), 6)
    return score + 0.12 * min(numbers, 8)


def level_probabilities(score: float) -> tuple[float, float, float]:
    """P(Easy), P(Medium), P(Hard): an ordered logit over the difficulty."""
    easy = 1 / (1 + math.exp(_LEVEL_SCALE * (score - _EASY_BELOW) - 1))
    hard = 1 / (1 + math.exp(_LEVEL_SCALE * (_HARD_ABOVE - score)))
    medium = max(1 - easy - hard, 0.0)
    total = easy + medium + hard
    return easy / total, medium / total, hard / total
