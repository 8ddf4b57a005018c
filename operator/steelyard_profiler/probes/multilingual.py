"""Multilingual: words, numbers, forms and short tasks in thirteen languages, each with an exact answer."""

import re
from collections.abc import Collection, Iterable, Sequence

from steelyard.api.profile import Level
from steelyard_profiler import answers, names, tongues
from steelyard_profiler.draws import Draws
from steelyard_profiler.lexicon import colours, forms, numerals, sentences, words
from steelyard_profiler.probe import LINE, SHORT, Task, Templates
from steelyard_profiler.probes.words import DAYS, MONTHS

WESTERN = ("German", "French", "Spanish", "Italian", "Portuguese", "Dutch", "Swedish")

ONE_WORD = "Answer with one word only."
DIGITS = "Answer in digits only."
OPTIONS = 4

_PEOPLE = {
    "Jan": ("ヤン", "ジャン", "얀"),
    "Eva": ("エヴァ", "エバ", "エーファ", "에바", "伊娃", "艾娃"),
    "Max": ("マックス", "マクス", "막스", "맥스", "马克斯"),
}
"""The people of `sentences.YOUNGEST` in their order, and how their names are written in other scripts."""


def meaning_of_word(draws: Draws) -> Task:
    language, concept, cell = _word(draws, tongues.LANGUAGES, words.SEVERAL_MEANINGS)
    offered = draws.shuffled(
        [concept, *draws.sample([other for other in words.CONCEPTS if other != concept], 3)]
    )
    question = (
        f'What does the {language} word "{names.aliases(cell)[0]}" mean in English: '
        f"{', '.join(offered[:-1])} or {offered[-1]}? {ONE_WORD}"
    )
    check = names.named(
        _english(concept), [_english(other) for other in offered if other != concept], options=offered
    )
    return Task(question, check, chance=1 / OPTIONS)


def word_to_english(draws: Draws) -> Task:
    language, concept, cell = _word(draws, WESTERN, words.SEVERAL_MEANINGS)
    question = f'Translate the {language} word "{names.aliases(cell)[0]}" into English. {ONE_WORD}'
    return Task(question, names.named(_english(concept), _other_english(concept)))


def sum_asked(draws: Draws) -> Task:
    language, a, b = draws.pick(tuple(sentences.SUM)), draws.between(2, 10), draws.between(2, 9)
    return _number_task(language, sentences.SUM[language].format(a=a, b=b), a + b, (a, b))


def larger_of_two(draws: Draws) -> Task:
    language, (a, b) = draws.pick(tuple(sentences.LARGER)), draws.sample(range(11, 99), 2)
    question = f"{sentences.LARGER[language].format(a=a, b=b)} {sentences.DIGITS_ONLY[language]}"
    return Task(question, tongues.larger(a, b), chance=1 / 2)


def language_of_sentence(draws: Draws) -> Task:
    offered = draws.sample(sentences.UNLIKE, OPTIONS)
    return _which_language(draws, offered)


def value_of_numeral(draws: Draws) -> Task:
    language, number = draws.pick(tongues.LANGUAGES), draws.between(2, 12)
    word = names.aliases(numerals.cell(language, number))[0]
    question = f'Which number is the {language} word "{word}"? {DIGITS}'
    return Task(question, answers.number(number))


def day_in_english(draws: Draws) -> Task:
    language, at = draws.pick(tongues.LANGUAGES), draws.below(7)
    day = names.aliases(words.DAYS[language][at])[0]
    question = f'Which day of the week is the {language} "{day}" in English? {ONE_WORD}'
    return Task(question, names.one_of(DAYS[at], DAYS))


def month_in_english(draws: Draws) -> Task:
    language = draws.pick(tuple(words.MONTHS))
    at = draws.pick([at for at in range(12) if names.fold(words.MONTHS[language][at]) != MONTHS[at].lower()])
    month = names.aliases(words.MONTHS[language][at])[0]
    question = f'Which month is the {language} "{month}" in English? {ONE_WORD}'
    return Task(question, names.one_of(MONTHS[at], MONTHS))


def thanks_of_language(draws: Draws) -> Task:
    offered = draws.sample(tuple(words.THANKS), OPTIONS)
    right = draws.pick(offered)
    question = (
        f'In which language does "{words.THANKS[right]}" mean thank you: '
        f"{', '.join(offered[:-1])} or {offered[-1]}? {ONE_WORD}"
    )
    return Task(question, names.one_of(right, offered), chance=1 / OPTIONS)


def english_to_word(draws: Draws) -> Task:
    language, concept, cell = _word(draws, tongues.LANGUAGES)
    question = f'Translate the English word "{concept}" into {language}. {ONE_WORD}'
    return Task(question, tongues.word(language, cell, (concept,)))


def day_after(draws: Draws) -> Task:
    language, at = draws.pick(tuple(sentences.DAY_AFTER)), draws.below(7)
    day = names.aliases(words.DAYS[language][at])[0]
    question = f"{sentences.DAY_AFTER[language].format(day=day)} {sentences.ONE_WORD[language]}"
    return Task(question, tongues.day(language, (at + 1) % 7, day))


def apples_left(draws: Draws) -> Task:
    language = draws.pick(tuple(sentences.STORY))
    a, b, c = draws.between(11, 20), draws.between(12, 29), draws.between(3, 9)
    question = sentences.STORY[language].format(a=a, b=b, c=c)
    return _number_task(language, question, a + b - c, (a, b, c))


def price_of_book(draws: Draws) -> Task:
    language = draws.pick(tuple(sentences.PRICE))
    pages = 100 * draws.between(1, 4) + draws.between(5, 9)
    price = 10 * draws.between(1, 8) + draws.between(5, 9)
    question = sentences.PRICE[language].format(pages=pages, price=price)
    return _number_task(language, question, price, (pages,))


def opposite(draws: Draws) -> Task:
    language = draws.pick(tuple(words.OPPOSITES))
    pairs = [pair.split(":") for pair in words.OPPOSITES[language]]
    word, right = draws.pick(pairs)
    question = f"{sentences.OPPOSITE[language].format(word=word)} {sentences.ONE_WORD[language]}"
    rivals = [[one] for one, _ in pairs] + [names.aliases(other) for _, other in pairs if other != right]
    return Task(question, names.named(names.aliases(right), _apart_from(right, rivals), (word,)))


def article(draws: Draws) -> Task:
    language = draws.pick(tuple(forms.ARTICLES))
    articles = forms.ARTICLES[language]
    right = draws.pick(tuple(articles))
    noun = draws.pick(articles[right])
    question = (
        f'Which article does the {language} noun "{noun}" take: {" or ".join(articles)}? Answer with it only.'
    )
    return Task(question, names.one_of(right, tuple(articles)), chance=1 / len(articles))


def meaning_of_sentence(draws: Draws) -> Task:
    language, at = draws.pick(tongues.LANGUAGES), draws.below(len(sentences.MEANINGS))
    others = [meaning for meaning in sentences.MEANINGS if meaning != sentences.MEANINGS[at]]
    offered = draws.shuffled([sentences.MEANINGS[at], *draws.sample(others, 3)])
    told = " ".join(f"{n}: {meaning}" for n, meaning in enumerate(offered, 1))
    question = f'What does "{sentences.SENTENCES[language][at]}" mean? {told} Answer with the number only.'
    right, *wrong = sorted(enumerate(offered, 1), key=lambda option: option[1] != sentences.MEANINGS[at])
    check = names.named(
        [str(right[0]), right[1].rstrip(".")],
        [[str(n), meaning.rstrip(".")] for n, meaning in wrong],
        options=("1", "2", "3", "4"),
    )
    return Task(question, check, chance=1 / OPTIONS)


def numeral_written(draws: Draws) -> Task:
    language, number = draws.pick(tongues.LANGUAGES), draws.between(11, 20)
    return _numeral_task(language, number)


_BELONGS = (("fish", "food"),)
"""Words that belong with those of another kind, too."""


def odd_word(draws: Draws) -> Task:
    language = draws.pick(tongues.LANGUAGES)
    many, one = draws.sample(tuple(words.KINDS), 2)
    odd = draws.pick([word for word in words.KINDS[one] if (word, many) not in _BELONGS])
    listed = draws.shuffled([*draws.sample(words.KINDS[many], 3), odd])
    shown = [names.aliases(_cell(language, concept))[0] for concept in listed]
    question = (
        f"Which one of these {language} words does not belong with the others: {', '.join(shown)}? {ONE_WORD}"
    )
    right = shown[listed.index(odd)]
    rivals = [[word, concept] for word, concept in zip(shown, listed, strict=True) if concept != odd]
    others = [[concept] for concept in words.KINDS[one] if concept != odd]
    return Task(question, names.named([right, odd], [*rivals, *others], options=shown), chance=1 / OPTIONS)


def language_among_alike(draws: Draws) -> Task:
    return _which_language(draws, draws.shuffled(draws.pick(sentences.ALIKE)))


def youngest(draws: Draws) -> Task:
    language = draws.pick(tuple(sentences.YOUNGEST))
    ages = [10 * tens + draws.between(5, 9) for tens in draws.sample(range(1, 7), 3)]
    told = sentences.YOUNGEST[language].format(a=ages[0], b=ages[1], c=ages[2])
    right, *wrong = sorted(_PEOPLE, key=lambda name: ages[tuple(_PEOPLE).index(name)])
    check = names.named(
        [right, *_PEOPLE[right]], [[name, *_PEOPLE[name]] for name in wrong], options=tuple(_PEOPLE)
    )
    return Task(f"{told} {sentences.ONE_WORD[language]}", check, chance=1 / len(_PEOPLE))


def value_of_large_numeral(draws: Draws) -> Task:
    language, number = draws.pick(tongues.LANGUAGES), draws.between(21, 99)
    word = names.aliases(numerals.cell(language, number))[0]
    return Task(f'Which number is the {language} "{word}"? {DIGITS}', answers.number(number))


def large_numeral_written(draws: Draws) -> Task:
    language, number = draws.pick(tongues.LANGUAGES), draws.between(21, 99)
    return _numeral_task(language, number, LINE)


def word_between_languages(draws: Draws) -> Task:
    source, target = draws.sample(tongues.LANGUAGES, 2)
    concepts = [
        concept
        for concept in words.CONCEPTS
        if _is_translatable(_cell(source, concept), _cell(target, concept), concept)
    ]
    concept = draws.pick(concepts)
    word, cell = names.aliases(_cell(source, concept))[0], _cell(target, concept)
    question = f'Translate the {source} word "{word}" into {target}. {ONE_WORD}'
    return Task(question, tongues.word(target, cell, (word,)))


def plural(draws: Draws) -> Task:
    language = draws.pick(tuple(forms.PLURALS))
    one, many = draws.pick(forms.PLURALS[language]).split(":")
    question = f'What is the plural of the {language} noun "{one}"? {ONE_WORD}'
    return Task(question, names.named(names.aliases(many), [[one]], (one,)))


def verb_form(draws: Draws) -> Task:
    language = draws.pick(tuple(forms.VERBS))
    rows = [re.split("[/:]", row) for row in forms.VERBS[language]]
    verb, pronoun, right = draws.pick(rows)
    question = f'What is the present tense of the {language} verb "{verb}" after "{pronoun}"? {ONE_WORD}'
    rivals = {form for _, _, form in rows} | {infinitive for infinitive, _, _ in rows}
    return Task(question, tongues.form(language, right, sorted(rivals - {right}), (verb,)))


def colour_in_a_sentence(draws: Draws) -> Task:
    thing = draws.pick(tuple(colours.STEMS))
    language = draws.pick(tuple(colours.STEMS[thing]))
    question = f"What is the usual colour of {thing}? Answer in {language}, with one whole sentence."
    return Task(question, tongues.colour(language, thing), LINE)


_STEPS = (9, 10, 11, 12, 13, 16, 17, 18, 19, 20)
"""Days; 8, 14 and 15 stand for one or two weeks in some languages."""


def day_later(draws: Draws) -> Task:
    language, at, step = draws.pick(tuple(sentences.DAYS_LATER)), draws.below(7), draws.pick(_STEPS)
    day = names.aliases(words.DAYS[language][at])[0]
    question = f"{sentences.DAYS_LATER[language].format(day=day, n=step)} {sentences.ONE_WORD[language]}"
    return Task(question, tongues.day(language, (at + step) % 7, day))


def sum_in_words(draws: Draws) -> Task:
    language, a, b = draws.pick(tuple(sentences.IN_WORDS)), draws.between(12, 48), draws.between(9, 48)
    question = f"{sentences.SUM[language].format(a=a, b=b)} {sentences.IN_WORDS[language]}"
    return Task(question, tongues.numeral(language, a + b, (a, b)), LINE)


def sum_of_two_languages(draws: Draws) -> Task:
    (first, second), (a, b) = draws.sample(tongues.LANGUAGES, 2), draws.sample(range(11, 60), 2)
    told = [names.aliases(numerals.cell(*pair))[0] for pair in ((first, a), (second, b))]
    question = f'Add the {first} number "{told[0]}" and the {second} number "{told[1]}". {DIGITS}'
    return Task(question, answers.number(a + b, a, b))


def _which_language(draws: Draws, offered: Sequence[str]) -> Task:
    right = draws.pick(offered)
    told = draws.pick(sentences.SENTENCES[right])
    question = f'In which language is "{told}": {", ".join(offered[:-1])} or {offered[-1]}? {ONE_WORD}'
    return Task(question, names.one_of(right, offered), chance=1 / len(offered))


def _number_task(language: str, asked: str, right: int, given: Iterable[int]) -> Task:
    check = tongues.number(language, right, given)
    return Task(f"{asked} {sentences.DIGITS_ONLY[language]}", check)


def _numeral_task(language: str, number: int, tokens: int = SHORT) -> Task:
    question = f"Write the number {number} as a {language} word or words, and nothing else."
    return Task(question, tongues.numeral(language, number), tokens)


def _word(draws: Draws, languages: Sequence[str], but: Collection[str] = frozenset()) -> tuple[str, str, str]:
    """A language, a concept and its word, which is neither the English one nor one of these."""
    language = draws.pick(languages)
    differ = [
        concept
        for concept in words.CONCEPTS
        if {names.fold(name) for name in names.aliases(_cell(language, concept))}.isdisjoint(
            _english(concept)
        )
        and names.aliases(_cell(language, concept))[0] not in but
    ]
    concept = draws.pick(differ)
    return language, concept, _cell(language, concept)


def _is_translatable(source: str, target: str, concept: str) -> bool:
    """Whether a word has one meaning, and neither it nor the English one is a right answer."""
    word = names.aliases(source)[0]
    right = set(map(names.fold, names.aliases(target)))
    return word not in words.SEVERAL_MEANINGS and right.isdisjoint({names.fold(word), names.fold(concept)})


def _cell(language: str, concept: str) -> str:
    return words.WORDS[language][words.CONCEPTS.index(concept)]


def _english(concept: str) -> list[str]:
    return [concept, *words.SYNONYMS.get(concept, "").split("|")] if concept in words.SYNONYMS else [concept]


def _other_english(concept: str) -> list[list[str]]:
    return [_english(other) for other in words.CONCEPTS if other != concept]


def _apart_from(right: str, groups: Iterable[Sequence[str]]) -> list[list[str]]:
    """The groups without the names that are right."""
    mine = {names.fold(name) for name in names.aliases(right)}
    kept = ([name for name in group if names.fold(name) not in mine] for group in groups)
    return [group for group in kept if group]


TEMPLATES: Templates = {
    Level.EASY: (
        meaning_of_word,
        sum_asked,
        language_of_sentence,
        day_in_english,
        word_to_english,
        larger_of_two,
        value_of_numeral,
        thanks_of_language,
        month_in_english,
    ),
    Level.MEDIUM: (
        english_to_word,
        apples_left,
        meaning_of_sentence,
        day_after,
        opposite,
        price_of_book,
        odd_word,
        numeral_written,
        article,
        language_among_alike,
        youngest,
    ),
    Level.HARD: (
        value_of_large_numeral,
        word_between_languages,
        plural,
        colour_in_a_sentence,
        day_later,
        verb_form,
        large_numeral_written,
        sum_in_words,
        sum_of_two_languages,
    ),
}
