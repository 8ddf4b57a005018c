"""The built-in classifier: what kind of work a turn asks for, and how hard it is.

A few microseconds of counting words and signs; no model, no state. Invariant: the probabilities add up to 1,
and the same turn always gives the same distribution.
"""

import functools
import math
import re
from operator import itemgetter

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

_Signs = tuple[tuple[str, re.Pattern[str] | None], ...]
"""Texts that show a kind of work, each where its pattern holds, too; most texts hold none of them."""


def _signs(*found: tuple[str, str]) -> _Signs:
    return tuple((sign, re.compile(pattern, re.MULTILINE) if pattern else None) for sign, pattern in found)


_CODE = _signs(
    *((sign, "") for sign in ("```", "=>", ">>> ", "#include")),
    *((sign, rf"{sign}\s*$") for sign in ";{}"),
    ("()", r"\w\(\)"),
    ("</", r"</\w"),
    ("def ", r"\bdef \w"),
    ("import ", r"\bimport \w"),
    ("SELECT", r"\bSELECT\b"),
)
# After x, y and z a look behind them stands for \b: so a search skips to the next of these letters.
_MATHS = _signs(
    *((sign, rf"\d\s*{re.escape(sign)}\s*[\d(a-z]") for sign in "+*/×÷^=<>"),
    *((sign, rf"[xyz](?<!\w.)\s*{re.escape(sign)}") for sign in "-+=^"),
    ("-", r"\d\s+-\s+\d"),
    ("\\frac", ""),
    ("\\sqrt", ""),
    ("$", r"\$[^$]+\$"),
)
_INDEX = {category: index for index, category in enumerate(CATEGORIES)}
_MATH, _EXTRACTION = _INDEX[Category.MATH], _INDEX[Category.EXTRACTION]
_TOOL_USE, _LONG_CONTEXT = _INDEX[Category.TOOL_USE], _INDEX[Category.LONG_CONTEXT]
_MULTILINGUAL = _INDEX[Category.MULTILINGUAL]
_KINDS = ((_CODE, _INDEX[Category.CODING], 2.5), (_MATHS, _MATH, 2.5))

_HUNDREDTHS = 100


def _meanings() -> dict[str, tuple[tuple[tuple[int, int], ...], int]]:
    """By word: its votes as (category's index, weight), and how much harder it makes a request.

    Weights are hundredths of a logit: sums of whole numbers are the same in whatever order words come.
    """
    return {
        word: (
            tuple((_INDEX[of], round(weight * _HUNDREDTHS)) for of, weight in lexicon.WORDS.get(word, ())),
            round(lexicon.DIFFICULTY.get(word, 0.0) * _HUNDREDTHS),
        )
        for word in {**lexicon.WORDS, **lexicon.DIFFICULTY}
    }


_MEANINGS = _meanings()
_KNOWN = frozenset(_MEANINGS)
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
    distinct = set(tokens)
    numbers = [token for token in distinct if token[0].isdigit()]
    scores, harder = _scores(text, tokens, distinct, len(numbers))
    scores[_TOOL_USE] += 3.5 if has_tools else 0.0
    scores[_LONG_CONTEXT] += 6.5 if is_long else 0.0
    most = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)[:KEPT_CATEGORIES]
    weights = [math.exp(scores[index] - scores[most[0]]) for index in most]
    total = sum(weights)
    levels = level_probabilities(harder + _difficulty(len(tokens), numbers))
    cells = [
        (index * len(LEVELS) + level, weight / total * share)
        for index, weight in zip(most, weights, strict=True)
        for level, share in enumerate(levels)
    ]
    cells.sort(key=itemgetter(1), reverse=True)
    return tuple(cells)


def _scores(text: str, tokens: list[str], distinct: set[str], numbers: int) -> tuple[list[float], float]:
    """Logits by category, and the difficulty that words add.

    Each distinct word votes once, weakened in long texts.
    """
    votes, harder = [0] * len(CATEGORIES), 0
    for word in _KNOWN & distinct:
        speaks_for, hardness = _MEANINGS[word]
        for index, weight in speaks_for:
            votes[index] += weight
        harder += hardness
    weaken = _HUNDREDTHS * (1 + len(distinct) / 40)
    scores = [base + vote / weaken for base, vote in zip(_BASE, votes, strict=True)]
    scores[_MATH] += min(numbers, 4) * 0.35
    for signs, category, bonus in _KINDS:
        if _shows(text, signs):
            scores[category] += bonus
    if "{" in distinct or tokens.count(":") >= _RECORD_COLONS:
        scores[_EXTRACTION] += 0.8
    if not text.isascii():
        foreign = sum(character.isalpha() and not character.isascii() for character in text[:400])
        if foreign > 2:
            scores[_MULTILINGUAL] += min(2.0 + foreign / 10, 7.0)
    return scores, harder / _HUNDREDTHS


def _shows(text: str, signs: _Signs) -> bool:
    for sign, pattern in signs:
        if sign not in text:
            continue
        if pattern is None or pattern.search(text):
            return True
    return False


def _difficulty(length: int, numbers: list[str]) -> float:
    """How hard so many tokens with these numbers look, in logits: a page of conditions about 3."""
    score = 0.35 * math.log1p(length / 8)
    for number in numbers:
        score += 0.06 * min(len(number) - 1, 6)
    return score + 0.12 * min(len(numbers), 8)


def level_probabilities(score: float) -> tuple[float, float, float]:
    """P(Easy), P(Medium), P(Hard): an ordered logit over the difficulty."""
    easy = 1 / (1 + math.exp(_LEVEL_SCALE * (score - _EASY_BELOW) - 1))
    hard = 1 / (1 + math.exp(_LEVEL_SCALE * (_HARD_ABOVE - score)))
    medium = max(1 - easy - hard, 0.0)
    total = easy + medium + hard
    return easy / total, medium / total, hard / total
