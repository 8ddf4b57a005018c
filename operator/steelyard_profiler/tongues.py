"""Whether an answer in another language is right: its numbers, its words, its sentences. Pure."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace

from steelyard_profiler import answers, names, sayings
from steelyard_profiler.answers import Check
from steelyard_profiler.lexicon import colours, numerals, words

LANGUAGES = tuple(words.WORDS)
"""The languages that words, numerals and sentences are known of."""

_KEPT_APART = ("日本語", "日本")
"""Holds a character that is a word of its own, and is none of those asked for."""
_LEAST_OWN_LETTERS = {"Japanese": 0.3}
"""The share of letters of a language's own script; kanji are not told from Chinese. Of others:"""
_LEAST_OWN = 0.8
_FIRST_UNSPACED = "[\u3040-\uffff]"


def number(language: str, right: int, given: Iterable[int]) -> Check:
    """The number in digits of any width, or in the language's words."""
    known = list(given)
    in_words = numeral(language, right)

    def check(answer: str) -> bool:
        plain = re.sub(r"\d+(?:[.,]\d+)*", r" \g<0> ", unicodedata.normalize("NFKC", sayings.visible(answer)))
        if re.search(r"\d", plain):
            return answers.states_number(plain, right, known)
        return in_words.passes(answer)

    return Check(check, str(right))


_LARGER = (
    "größer|grösser|plus grand|mayor|más grande|più grande|maggiore|maior|groter|större|większa|większe"
    "|więcej"
)


def larger(one: int, two: int) -> Check:
    """The larger of two numbers, also as "42 is larger than 13" in any of the languages."""
    right, other = max(one, two), min(one, two)
    than = re.compile(
        rf"(?:>|(?:{_LARGER}) (?:als|que|do que|di|dan|än|niż|od)|больше(?:, чем)?)\s{{0,3}}{other}(?!\d)"
        rf"|比\s{{0,3}}{other}\s{{0,3}}大|(?<!\d){other}\s{{0,3}}より(?:も)?大"
        rf"|(?<!\d){other}\s{{0,3}}보다 (?:더 )?[크큽큰]"
        rf"|(?<!\d){other}['’](?:den|dan|ten|tan) (?:daha )?büyük"
    )
    return names.one_of(str(right), (str(one), str(two))).reading(than)


def numeral(language: str, right: int, given: Iterable[int] = ()) -> Check:
    """The number, 1 … 99, in the language's words; spaces and hyphens are forgiven."""
    accepted = names.aliases(numerals.cell(language, right))
    repeated = [name for one in given for name in names.aliases(numerals.cell(language, one))]
    joined = {names.fold(name).replace(" ", "") for name in (*accepted, *numerals.readings(language, right))}
    rivals = [names.aliases(numerals.cell(language, other)) for other in range(1, 100) if other != right]

    def check(answer: str) -> bool:
        said = names.fold(answers.body(answer)).rstrip(".。! ").replace(" ", "")
        return said in joined or names.says(answer, accepted, rivals, repeated)

    return Check(check, accepted[0])


def day(language: str, right: int, given: str) -> Check:
    """The day of the week, 0 being Monday; `given` is the day of the question."""
    cells = words.DAYS[language]
    others = [names.aliases(cell) for cell in cells if cell != cells[right]]
    return names.named(names.aliases(cells[right]), others, (given,))


def word(language: str, cell: str, given: Iterable[str]) -> Check:
    """A word of the language's list by any of its synonyms; `given` are the question's words."""
    rivals = [names.aliases(other) for other in words.WORDS[language] if other != cell]
    return names.named(names.aliases(cell), [*rivals, _KEPT_APART], (*given, *_KEPT_APART))


def form(language: str, right: str, rivals: Iterable[str], given: Iterable[str]) -> Check:
    """A form of a word; in German one without its umlaut is another ("ihr fahrt", "er fährt")."""
    named = names.named([right], [[rival] for rival in rivals], given)
    flat = names.fold(right)
    if language != "German" or flat == right:
        return named
    other = re.compile(rf"(?<!\w){flat}(?!\w)", re.IGNORECASE)
    return replace(named, passes=lambda answer: not other.search(answer) and named.passes(answer))


def colour(language: str, thing: str) -> Check:
    """A sentence of the language that names the colour of the thing, and no other of those asked for."""

    def check(answer: str) -> bool:
        said = answers.body(answer).lower()
        found = [other for other, stems in colours.STEMS.items() if _has_stem(said, stems[language])]
        return found == [thing] and is_of(said, language)

    stem = colours.STEMS[thing][language].split("|")[0]
    return Check(check, colours.EXAMPLES[language].format(stem))


def is_of(text: str, language: str) -> bool:
    """Whether a text looks like a sentence of the language: by its script, else by its small words."""
    if script := colours.SCRIPTS.get(language):
        letters = [letter for letter in text if letter.isalpha()]
        own = sum(bool(re.match(script, letter)) for letter in letters)
        return len(letters) >= 4 and own >= _LEAST_OWN_LETTERS.get(language, _LEAST_OWN) * len(letters)
    said = answers.words(text.lower())
    counts = {one: sum(word in common for word in said) for one, common in colours.COMMON.items()}
    is_own = 0 < counts[language] == max(counts.values())
    return 3 <= len(said) <= 30 and is_own and "the" not in said


def _has_stem(text: str, stems: str) -> bool:
    return bool(re.search(stems if re.match(_FIRST_UNSPACED, stems) else rf"(?<!\w)(?:{stems})", text))
