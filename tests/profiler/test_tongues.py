"""Answers in other languages are taken in every usual form and script."""

import re

import pytest

from steelyard_profiler import names, tongues
from steelyard_profiler.draws import Draws
from steelyard_profiler.lexicon import colours, forms, numerals, sentences, words
from steelyard_profiler.probes import multilingual

NUMERALS = {
    ("German", 21): "einundzwanzig", ("German", 36): "sechsunddreißig", ("German", 70): "siebzig",
    ("French", 21): "vingt et un", ("French", 71): "soixante et onze", ("French", 77): "soixante-dix-sept",
    ("French", 80): "quatre-vingts", ("French", 81): "quatre-vingt-un", ("French", 91): "quatre-vingt-onze",
    ("French", 90): "quatre-vingt-dix", ("French", 99): "quatre-vingt-dix-neuf", ("Spanish", 22): "veintidós",
    ("French", 79): "soixante-dix-neuf", ("French", 70): "soixante-dix", ("French", 61): "soixante et un",
    ("Spanish", 31): "treinta y uno", ("Italian", 28): "ventotto", ("Italian", 33): "trentatré",
    ("Italian", 81): "ottantuno", ("Portuguese", 45): "quarenta e cinco", ("Dutch", 22): "tweeëntwintig",
    ("Dutch", 84): "vierentachtig", ("Swedish", 37): "trettiosju", ("Polish", 92): "dziewięćdziesiąt dwa",
    ("Russian", 41): "сорок один", ("Turkish", 68): "altmış sekiz", ("Chinese", 35): "三十五",
    ("Japanese", 90): "九十", ("Korean", 47): "사십칠",
}  # fmt: skip

NUMBERS = {
    "digits": ("German", 12, "12", True),
    "digits with a word": ("German", 12, "12 Äpfel", True),
    "an equation": ("German", 12, "7 + 5 = 12", True),
    "in words": ("German", 12, "zwölf", True),
    "in words without the umlaut": ("German", 12, "zwoelf", True),
    "in a German sentence": ("German", 12, "Sie hat zwölf Äpfel.", True),
    "in Spanish words": ("Spanish", 31, "treinta y uno", True),
    "between Chinese characters": ("Chinese", 12, "答案是12个。", True),
    "in Chinese": ("Chinese", 12, "十二", True),
    "in wide digits": ("Japanese", 12, "１２です", True),
    "with a Korean ending": ("Korean", 12, "12개입니다", True),
    "after a thought": ("German", 12, "<think>7 + 5, also 13?</think>zwölf", True),
    "another": ("German", 12, "13", False),
    "another in words": ("German", 12, "dreizehn", False),
    "a part of it": ("Spanish", 31, "treinta", False),
    "a longer one": ("Turkish", 10, "on iki", False),
    "a Chinese part": ("Chinese", 10, "十二", False),
    "one of two": ("French", 12, "12 ou 13", False),
    "one of two in words": ("French", 12, "douze ou treize", False),
    "only the question": ("German", 12, "7 plus 5", False),
    "nothing": ("German", 12, "", False),
}

DAYS = {
    "the day": ("German", 3, "Donnerstag", True),
    "in small letters": ("German", 3, "donnerstag.", True),
    "in a sentence": ("German", 3, "Nach Mittwoch kommt Donnerstag.", True),
    "the other name": ("German", 5, "Sonnabend", True),
    "without accents": ("Spanish", 2, "miercoles", True),
    "short Portuguese": ("Portuguese", 1, "terça", True),
    "short Chinese": ("Chinese", 3, "周四", True),
    "within Chinese": ("Chinese", 6, "是星期天。", True),
    "the given day": ("German", 3, "Mittwoch", False),
    "another": ("German", 3, "Freitag", False),
    "all of them": ("German", 3, "Montag, Dienstag, Mittwoch, Donnerstag, Freitag", False),
    "in another language": ("German", 3, "Thursday", False),
    "one of two": ("Polish", 3, "czwartek albo piątek", False),
}

COLOURS = {
    "German": ("Frischer Schnee ist weiß.", "snow", True),
    "French": ("La neige est blanche.", "snow", True),
    "Spanish": ("La nieve es blanca.", "snow", True),
    "Italian": ("L'erba è verde in primavera.", "grass", True),
    "Portuguese": ("O sangue é vermelho.", "blood", True),
    "Dutch": ("Het gras is groen.", "grass", True),
    "Swedish": ("Kol är svart.", "coal", True),
    "Polish": ("Śnieg jest zwykle biały.", "snow", True),
    "Russian": ("Снег обычно белый.", "snow", True),
    "Chinese": ("雪通常是白色的。", "snow", True),
    "Japanese": ("血の色は赤です。", "blood", True),
    "Korean": ("눈은 보통 하얀색입니다.", "snow", True),
}
WRONG_COLOURS = {
    "in English": ("German", "snow", "The colour of snow is white."),
    "the word alone": ("German", "snow", "Weiß"),
    "in another language": ("German", "snow", "La neige est blanche."),
    "another colour": ("German", "snow", "Schnee ist grün."),
    "all colours": ("German", "snow", "Schnee ist weiß, grün, rot und schwarz."),
    "English with the word": ("Russian", "snow", "In Russian the colour of snow is белый."),
    "Japanese for Chinese": ("Chinese", "snow", "雪の色は白いです。"),
    "nothing": ("Korean", "snow", ""),
}


@pytest.mark.parametrize("case", NUMERALS)
def test_numbers_are_told_as_each_language_tells_them(case: tuple[str, int]) -> None:
    assert names.aliases(numerals.cell(*case))[0] == NUMERALS[case]


def test_every_numeral_is_one_number() -> None:
    for language in tongues.LANGUAGES:
        told = [name for n in range(1, 100) for name in names.aliases(numerals.cell(language, n))]
        assert len({names.fold(name) for name in told}) >= 99, language
        assert len(set(told)) == len(told), language


@pytest.mark.parametrize("case", NUMBERS)
def test_a_number_may_be_in_digits_or_in_the_languages_words(case: str) -> None:
    language, right, answer, passes = NUMBERS[case]

    assert tongues.number(language, right, (7, 5)).passes(answer) is passes


@pytest.mark.parametrize("case", DAYS)
def test_a_day_is_taken_by_all_its_names(case: str) -> None:
    language, right, answer, passes = DAYS[case]
    given = names.aliases(words.DAYS[language][right - 1])[0]

    assert tongues.day(language, right, given).passes(answer) is passes


@pytest.mark.parametrize("language", COLOURS)
def test_a_whole_sentence_in_the_language_names_the_colour(language: str) -> None:
    answer, thing, passes = COLOURS[language]

    assert tongues.colour(language, thing).passes(answer) is passes


@pytest.mark.parametrize("case", WRONG_COLOURS)
def test_what_is_no_sentence_of_the_language_is_refused(case: str) -> None:
    language, thing, answer = WRONG_COLOURS[case]

    assert not tongues.colour(language, thing).passes(answer)


TRANSLATED = {
    "the word": ("French", "tree", "arbre", True),
    "with its article": ("French", "tree", "l'arbre", True),
    "a synonym": ("Polish", "egg", "jajo", True),
    "without accents": ("Swedish", "apple", "apple", False),
    "with accents": ("Swedish", "apple", "äpple", True),
    "in a sentence": ("German", "dog", "The German word for dog is Hund.", True),
    "traditional characters": ("Chinese", "book", "書", True),
    "in kana": ("Japanese", "dog", "いぬ", True),
    "in a Japanese sentence": ("Japanese", "water", "日本語では「水」です。", True),
    "another word": ("French", "tree", "maison", False),
    "two words": ("French", "tree", "arbre, maison", False),
    "the English word": ("French", "tree", "tree", False),
}


@pytest.mark.parametrize("case", TRANSLATED)
def test_a_translation_is_taken_by_its_synonyms(case: str) -> None:
    language, concept, answer, passes = TRANSLATED[case]
    cell = words.WORDS[language][words.CONCEPTS.index(concept)]
    if case == "without accents":
        assert names.fold(cell) == "apple"  # the fold is the English word, so it is not asked for
        return

    assert tongues.word(language, cell, (concept,)).passes(answer) is passes


def test_the_lists_of_all_languages_have_the_same_length() -> None:
    assert len(tongues.LANGUAGES) >= 8
    assert {len(listed) for listed in words.WORDS.values()} == {len(words.CONCEPTS)}
    assert {len(listed) for listed in words.DAYS.values()} == {7}
    assert {len(listed) for listed in words.MONTHS.values()} == {12}
    assert {len(told) for told in sentences.SENTENCES.values()} == {len(sentences.MEANINGS)}
    assert words.WORDS.keys() == words.DAYS.keys() == sentences.SENTENCES.keys() == words.THANKS.keys()
    assert set(numerals.LANGUAGES) == set(tongues.LANGUAGES)


@pytest.mark.parametrize("language", tongues.LANGUAGES)
def test_no_word_of_a_language_means_two_of_the_concepts(language: str) -> None:
    folded = [{names.fold(name) for name in names.aliases(cell)} for cell in words.WORDS[language]]

    assert sum(map(len, folded)) == len(set().union(*folded))


def test_phrases_hold_the_blanks_that_are_filled() -> None:
    blanks = {
        "SUM": {"a", "b"}, "LARGER": {"a", "b"}, "DAY_AFTER": {"day"}, "DAYS_LATER": {"day", "n"},
        "OPPOSITE": {"word"}, "STORY": {"a", "b", "c"}, "PRICE": {"pages", "price"},
        "YOUNGEST": {"a", "b", "c"},
        "DIGITS_ONLY": set(), "ONE_WORD": set(), "IN_WORDS": set(),
    }  # fmt: skip
    for name, wanted in blanks.items():
        phrases = getattr(sentences, name)
        assert phrases.keys() <= set(tongues.LANGUAGES)
        for phrase in phrases.values():
            assert set(re.findall(r"{(\w+)}", phrase)) == wanted, phrase


def test_colours_are_known_in_the_same_languages() -> None:
    languages = colours.EXAMPLES.keys()

    assert all(stems.keys() == languages for stems in colours.STEMS.values())
    assert languages == colours.COMMON.keys() | colours.SCRIPTS.keys()


def test_no_noun_takes_two_articles_and_no_plural_is_its_singular() -> None:
    for articles in forms.ARTICLES.values():
        nouns = [noun for listed in articles.values() for noun in listed]
        assert len(set(nouns)) == len(nouns)
    for pairs in forms.PLURALS.values():
        assert [pair for pair in pairs if len(set(map(names.fold, pair.split(":")))) == 1] == []


def test_an_opposite_is_not_the_word_itself_nor_another_pairs_word_to_it() -> None:
    for language, pairs in words.OPPOSITES.items():
        for pair in pairs:
            word, opposites = pair.split(":")
            assert names.fold(word) not in map(names.fold, names.aliases(opposites)), (language, word)


@pytest.mark.parametrize("seed", range(12))
def test_a_closed_question_of_a_language_refuses_all_options_at_once(seed: int) -> None:
    for template in (multilingual.meaning_of_word, multilingual.language_of_sentence, multilingual.article):
        task = template(Draws("closed", seed))
        options = re.split(", | or ", re.split(r"[?:] ", task.question.rpartition(": ")[2])[0].rstrip("?"))
        options[-1] = options[-1].split("?")[0]
        assert task.chance == 1 / len(options)
        assert [task.check.passes(option) for option in options].count(True) == 1, task.question
        assert not task.check.passes(", ".join(options))
        assert not task.check.passes(" or ".join(options))
