"""Whether an answer names the right thing, by any of its names and in any script. Pure.

Taken generously: case, accents, articles, a sentence around it, and every usual name count.
Marked strictly: a guess among several is wrong. What an answer names is found by these rules, in this order:
Rule 1. A name that is denied ("not Rome") is not said.
Rule 2. "Rome or Milan" names nothing, nor does a bare list of guesses, whether its items are known or not.
Rule 3. A name that replaces another ("Milan. No, Rome") is what it names.
Rule 4. A last name that is marked as the answer ("the answer is Rome") is what it names; two marked are none.
Rule 5. Else the only thing that the question did not name; else the only thing at all.
Rule 6. Else the thing that stands alone at the beginning, with a sentence after it, and begins no list.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from steelyard_profiler import sayings
from steelyard_profiler.answers import Check

_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "æ": "ae", "œ": "oe", "đ": "d", "ı": "i", "ð": "d", "þ": "th", "ə": "e"}
)
_SPELLED_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})
_MARKS = re.compile("[\u0300-\u036f\u064b-\u0655]")
_DECORATION = re.compile(r"\*\*|__|[`$]|\\(?:text|boxed|mathrm)\b|[\\{}]")
_UNSPACED = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WITHOUT_SPACES = re.compile(f"[{_UNSPACED}]")
_HANGUL = re.compile("[\uac00-\ud7af]")
_ARTICLE = r"(?:(?:the|a|an|in|by|from|of|on|to|el|la|le|il|der|die|das|de|het)\s+)*"
_DENIED = re.compile(
    r"\b(?:not|isnt|wasnt|arent|never|neither|nor|than|instead of|unlike|except"
    rf"|nicht|kein|keine|keinen|pas|non|nao|niet|geen|nie|не)\s+{_ARTICLE}$"
)
_OR_WORDS = "or|oder|ou|or maybe|or perhaps|alternatively|albo|lub|czy|veya|или|of|eller|或|または|또는"
_OR = re.compile(
    rf"\s*,?\s*(?:(?<!\w)(?:{_OR_WORDS})(?!\w)|/)\s*{_ARTICLE}(?:maybe|perhaps|possibly|even)?\s*"
)
_HEDGE = re.compile(
    r"\W*(?:(?:or|maybe|perhaps|possibly|alternatively|even|(?:it )?(?:could|might|may) (?:also )?be|also"
    rf"|vielleicht|peut etre|quizas|tal vez|forse|talvez|misschien)\W+)+{_ARTICLE}\W*"
)
_UNSURE_AFTER = re.compile(
    rf"[^\w\n]*(?:\bor|[.!?;]\s+(?:maybe|perhaps|possibly)|,\s*(?:maybe|perhaps|possibly))\s+"
    rf"(?:maybe\s+|perhaps\s+)?{_ARTICLE}(?P<guess>\w+(?:\s\w+)?)\W*\Z"
)
_UNKNOWN_BEFORE = re.compile(rf"(\w+)\s*,?\s+or\s+{_ARTICLE}$")
_UNKNOWN_AFTER = re.compile(rf"\s*,?\s+or\s+{_ARTICLE}(\w+)")
_MARKED = re.compile(
    r"(?:\b(?:answer|capital|name|word|result)\b[^.\n]{0,40}?(?:\bis\b|\bare\b|:|=)|=)\s*[\"'(]*"
    rf"\s*{_ARTICLE}[\"'(]*$"
)
_SEPARATOR = re.compile(r"\s*(?:[,;/•|、，\n]|\s-\s|\band\b|\bor\b)\s*", re.IGNORECASE)
_BULLET = re.compile(r"^(?:[-*•]\s*|\(?[\da-dA-D](?:\)\s*|\.\s+))")
_NO_GUESS = re.compile(
    r"(?:not|but|never|no|nor|yes|ok|okay|sure|well|so|hmm|right|wait|actually|certainly)\b"
)
_CLAUSE = re.compile("(?<=..)(?<!可能)(?<!也许)[是は](?=.)")
"""Within a part of a sentence in Chinese or Japanese, which have no words to count."""
_FEW_WORDS = 3
"""A longer item of a list is no bare guess."""

_SHORT_REGION = re.compile(r"(?:[A-Z]\.?){2,3}")
"""An abbreviation of what a place lies in: DC, D.C., NY, ACT, USA."""


@dataclass(frozen=True, slots=True)
class _Named:
    """A thing named in an answer."""

    thing: int
    start: int
    end: int


def says(
    answer: str,
    names: Sequence[str],
    rivals: Iterable[Sequence[str]] = (),
    given: Iterable[str] = (),
    *,
    is_place: bool = False,
) -> bool:
    """Whether the answer names the thing with these names.

    `rivals` are the names of the other things that an answer may name, each a group; a name that is right is
    nobody else's. `given` are words of the question that an answer may repeat. What a place lies in may
    follow its name ("Ottawa, Ontario"), if it is none of the rivals.
    """
    groups = [_spellings(tuple(group)) for group in (names, *rivals)]
    things: dict[str, int] = {}
    for thing, group in enumerate(groups):
        for name in group:
            things.setdefault(name, thing)
    answer = sayings.visible(answer)
    text = fold(answer)
    found = [named for named in _found(text, things) if not _is_denied(text, named)]
    known_words = {word for part in (*given, *names) for word in fold(part).split()}
    bare = _without_region(answer, groups[0], things, known_words) if is_place else answer
    if _is_hedged(text, found, known_words):
        return False
    if len(found) > 1 and sayings.corrects(text, found[-2].end, found[-1].start):
        return found[-1].thing == 0
    if _is_list_of_guesses(bare, set(groups[0]), known_words):
        return False
    repeated = {named.thing for part in given for named in _found(fold(part), things)} - {0}
    return _said(text, found, repeated) == 0


def fold(text: str) -> str:
    """The text in small letters without accents, apostrophes and hyphens, single spaces between words."""
    plain = _DECORATION.sub("", text).casefold().replace("’", "'").replace("ʻ", "'").replace("ʼ", "'")
    plain = re.sub(r"'s(?!\w)", " ", plain)
    plain = _MARKS.sub("", unicodedata.normalize("NFKD", plain.translate(_LETTERS)))
    plain = unicodedata.normalize("NFC", plain)
    plain = re.sub(r"(?<!\w)(l|d|un|dell|all|nell|sull)'(?=\w)", r"\1 ", plain)
    plain = re.sub(r"(?<=\w)['·](?=\w)", "", plain)
    plain = re.sub(r"(?<=\w)[-‐‑–](?=\w)", " ", plain)
    plain = re.sub(r"\bst\.?(?= \w)", "saint", plain)
    return re.sub(r"[^\S\n]+", " ", plain).strip()


def named(
    names: Sequence[str],
    rivals: Iterable[Sequence[str]] = (),
    given: Iterable[str] = (),
    options: Iterable[str] = (),
    *,
    is_place: bool = False,
) -> Check:
    """`says` as a check."""
    groups, known = [list(rival) for rival in rivals], list(given)
    return Check(
        lambda answer: says(answer, names, groups, known, is_place=is_place), names[0], tuple(options)
    )


def one_of(right: str, options: Iterable[str], given: Iterable[str] = ()) -> Check:
    """A closed question's check: the answer names this option and no other."""
    offered = list(options)
    return named([right], [[option] for option in offered if option != right], given, offered)


def aliases(names: str) -> list[str]:
    """The names of one thing from a table's cell, the one to show first: "Bern|Berne"."""
    return names.split("|")


def groups(cells: Iterable[str]) -> Mapping[str, list[str]]:
    """All names of the things in a table's cells, by the name to show."""
    found: dict[str, list[str]] = {}
    for cell in cells:
        first, *others = aliases(cell)
        names = found.setdefault(first, [first])
        names += [name for name in others if name not in names]
    return found


@lru_cache(maxsize=4096)
def _spellings(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names as `fold` leaves them, common words also in the plural, umlauts also spelled out."""
    spelled = [fold(name) for name in names]
    plurals = [f"{fold(name)}s" for name in names if name.islower() and name.isascii()]
    return (*spelled, *plurals, *(fold(name.casefold().translate(_SPELLED_OUT)) for name in names))


def _found(text: str, things: Mapping[str, int]) -> list[_Named]:
    here = sorted((name for name in things if name in text), key=lambda name: (-len(name), name))
    if not here:
        return []
    pattern = "|".join(map(_bounded, here))
    return [_Named(things[match[0]], match.start(), match.end()) for match in re.finditer(pattern, text)]


def _bounded(name: str) -> str:
    """A pattern of the name as a word; in Korean particles follow, Chinese and Japanese have no spaces."""
    if _HANGUL.match(name):
        return rf"(?<!\w){re.escape(name)}"
    if _WITHOUT_SPACES.search(name):
        return re.escape(name)
    return rf"(?<![^\W{_UNSPACED}]){re.escape(name)}(?![^\W{_UNSPACED}])"


def _is_hedged(text: str, found: Sequence[_Named], known_words: set[str]) -> bool:
    for one, two in pairwise(found):
        if one.thing != two.thing and any(gap.fullmatch(text, one.end, two.start) for gap in (_OR, _HEDGE)):
            return True
    for right in (named for named in found if named.thing == 0):
        before = _UNKNOWN_BEFORE.search(text, 0, right.start)
        after = _UNKNOWN_AFTER.match(text, right.end)
        if any(match and match[1] not in known_words for match in (before, after)):
            return True
        unsure = _UNSURE_AFTER.match(text, right.end)
        if unsure and not set(unsure["guess"].split()) <= known_words:
            return True
    return False


def _is_denied(text: str, named: _Named) -> bool:
    return bool(_DENIED.search(text, 0, named.start)) or sayings.is_denied(text, named.start, named.end)


def _without_region(
    answer: str, right: Sequence[str], things: Mapping[str, int], known_words: set[str]
) -> str:
    """The answer without the region behind a place that begins it: "Ottawa, Ontario"."""
    first, *around = [part.strip(" .\"'*()\n") for part in answer.split(",")]
    if fold(first) not in right or "\n" in answer.strip():
        return answer
    regions = [
        part
        for part in around
        if not _SHORT_REGION.fullmatch(part) and not set(fold(part).split()) <= known_words
    ]
    is_one = all(part[:1].isupper() and fold(part) not in things for part in regions) and len(regions) < 2
    return first if is_one else answer


def _is_list_of_guesses(answer: str, right: set[str], known_words: set[str]) -> bool:
    """Whether the whole answer is short items of which only some are right."""
    items = [_BULLET.sub("", part.strip()).strip(" .\"'*()") for part in _SEPARATOR.split(answer.strip())]
    items = [item for item in items if item]
    if len(items) < 2 or any(len(item.split()) > _FEW_WORDS or _CLAUSE.search(item) for item in items):
        return False
    holds_right = [any(re.search(_bounded(name), fold(item)) for name in right) for item in items]
    other = [
        item
        for item, is_right in zip(items, holds_right, strict=True)
        if not is_right and not set(fold(item).split()) <= known_words and not _NO_GUESS.match(fold(item))
    ]
    if len(other) == 1:
        has_capitals = any(
            item[0].isupper() for item, is_right in zip(items, holds_right, strict=True) if is_right
        )
        one = other[0].split()
        return (len(one) == 1 and len(one[0]) > 2) or (
            has_capitals and all(word[0].isupper() for word in one)
        )
    return len(other) > 1 and any(holds_right)


def _said(text: str, found: Sequence[_Named], repeated: set[int]) -> int | None:
    if not found:
        return None
    marked = [named for named in found if _MARKED.search(text, max(0, named.start - 80), named.start)]
    if len({named.thing for named in marked}) > 1:
        return None
    if marked and marked[-1] == found[-1]:
        return found[-1].thing
    for distinct in ({named.thing for named in found} - repeated, {named.thing for named in found}):
        if len(distinct) == 1:
            return distinct.pop()
        if distinct:
            break
    first = found[0]
    if any(named.thing != first.thing and _begins_line(text, named) for named in found):
        return None
    until = next((named.start for named in found if named.thing != first.thing), len(text))
    alone = not text[: first.start].strip(" \"'(") and re.match(r"[\"')]*\s*[.!;:\n(。]", text[first.end :])
    return first.thing if alone and re.search(r"[^\W\d_]{3}", text[first.end : until]) else None


def _begins_line(text: str, named: _Named) -> bool:
    line = text[text.rfind("\n", 0, named.start) + 1 : named.start]
    return not line.strip(" \"'(-*•.)0123456789")
