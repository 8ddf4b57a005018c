"""Instruction: does the answer keep to what was asked of its form: length, case, letters, format, order.

Easy ones ask for one thing, Medium ones for two or three; the Hard ones, which combine several, are in
`instruction_hard`. Nothing here judges what an answer means.
"""

import re

from steelyard.api.profile import Level
from steelyard_profiler import answers
from steelyard_profiler.answers import Check
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import LINE, Task, Templates
from steelyard_profiler.probes import instruction_hard
from steelyard_profiler.probes.forms import with_article
from steelyard_profiler.probes.prose import MOST_WORDS, is_prose, sentences
from steelyard_profiler.probes.words import ANIMALS, CITIES, COLORS, NAMES, NOUNS, THINGS
from steelyard_profiler.texts import has_word

_ADJECTIVES = (
    "small",
    "old",
    "young",
    "heavy",
    "quiet",
    "fast",
    "happy",
    "hungry",
    "brown",
    "tired",
    "famous",
    "wild",
)


def repeat_sentence(draws: Draws) -> Task:
    adjective, animal = draws.pick(_ADJECTIVES), draws.pick(ANIMALS)
    sentence = f"The {adjective} {animal} {draws.pick(('sleeps', 'lives', 'waits'))} in {draws.pick(CITIES)}."
    lower = sentence.lower().rstrip(".")
    check = Check(lambda answer: answers.is_text(answer.lower(), lower), sentence)
    return Task(f"Repeat this sentence: {sentence}", check)


def one_from_list(draws: Draws) -> Task:
    listed = draws.sample(draws.pick((ANIMALS, COLORS, CITIES)), 3)
    question = f"Choose one of these words and write only that word: {', '.join(listed)}."
    lower = [word.lower() for word in listed]
    return Task(
        question,
        Check(lambda answer: any(answers.is_text(answer.lower(), word) for word in lower), listed[0]),
    )


def capital_letters(draws: Draws) -> Task:
    word = draws.pick(NOUNS)
    asked = draws.pick(
        (
            "Write this word in capital letters, and nothing else",
            "Put this word in upper case",
            "Write this in capitals",
        )
    )
    return Task(f"{asked}: {word}", answers.text(word.upper()))


def short_sentence(draws: Draws) -> Task:
    word = draws.pick(NOUNS)
    asked = draws.pick(("Write", "Make", "Give me", "Invent"))
    question = f'{asked} one short sentence with the word "{word}" in it.'

    def check(answer: str) -> bool:
        return _is_sentence(answer, 20) and has_word(answer, word)

    return Task(question, Check(check, f"The {word} is here."), LINE)


def say_only(draws: Draws) -> Task:
    word, name = (
        draws.pick(("Hello", "Thanks", "Goodbye", "Welcome", "Sorry", "Bravo", "Please", "Maybe")),
        draws.pick(NAMES),
    )

    def check(answer: str) -> bool:
        return answers.words(answer.lower()) == [word.lower(), name.lower()] and sentences(answer) == 1

    return Task(f"Say only this: {word} {name}", Check(check, f"{word} {name}"))


def ask_question(draws: Draws) -> Task:
    topic = draws.pick((*NOUNS, *CITIES))

    def check(answer: str) -> bool:
        found = answers.words(answer.lower())
        return (
            any(word.startswith(topic.lower()) for word in found)
            and answers.body(answer).endswith("?")
            and _is_sentence(answer, 25)
        )

    about = topic if topic in CITIES else f"the word {topic}"
    asked = draws.pick(("Write a question about", "Write one short question about", "Ask one question about"))
    return Task(f"{asked} {about}.", Check(check, f"Where is {topic}?"), LINE)


def begin_with(draws: Draws) -> Task:
    name, place = (
        draws.pick(NAMES),
        draws.pick(("garden", "river", "school", "market", "bridge", "forest", "kitchen", "harbor")),
    )
    question = f'Write one sentence about a {place}. Its first word must be "{name}".'

    def check(answer: str) -> bool:
        begins = answers.words(answer)[:1] == [name] and has_word(answer, place)
        return begins and _is_sentence(answer)

    return Task(question, Check(check, f"{name} likes the {place}."), LINE)


def both_words(draws: Draws) -> Task:
    one, two = draws.pick(NAMES), draws.pick(NOUNS)
    question = f"Write one sentence with the words {one} and {two} in it."

    def check(answer: str) -> bool:
        return has_word(answer, one) and has_word(answer, two) and _is_sentence(answer)

    return Task(question, Check(check, f"{one} has a {two}."), LINE)


def end_with(draws: Draws) -> Task:
    name, word = draws.pick(NAMES), draws.pick(NOUNS)
    question = f'Write one short sentence about {name}. Its last word must be "{word}".'

    def check(answer: str) -> bool:
        found = [said.lower() for said in answers.words(answer)]
        return found[-1:] == [word] and has_word(answer, name) and _is_sentence(answer)

    return Task(question, Check(check, f"{name} found a {word}."), LINE)


def repeat_times(draws: Draws) -> Task:
    word, count = draws.pick(NOUNS), draws.between(3, 6)
    question = f'Write the word "{word}" exactly {count} times, separated by spaces, and nothing else.'
    return Task(question, answers.text(" ".join([word] * count)))


def alphabetical(draws: Draws) -> Task:
    listed = draws.sample(ANIMALS + COLORS, 5)
    question = (
        "Put these words in alphabetical order, separated by commas, and write nothing else: "
        + " ".join(listed)
    )
    return Task(question, answers.listed(sorted(listed)), LINE)


def backwards_list(draws: Draws) -> Task:
    listed = draws.sample(NOUNS, 5)
    question = (
        "Write these words in reverse order, the last one first, separated by commas, and nothing else: "
        f"{', '.join(listed)}"
    )
    return Task(question, answers.listed(listed[::-1]), LINE)


def count_down(draws: Draws) -> Task:
    start, step, count = draws.between(30, 90), draws.pick((2, 3, 4)), 6
    question = (
        f"Count down from {start} in steps of {step}. Write {count} numbers, the first is {start}, "
        "separated by dashes, and nothing else."
    )
    numbers = [str(start - step * n) for n in range(count)]
    right = answers.listed(numbers, "-")
    return Task(
        question, Check(lambda answer: right.passes(re.sub("[–—]", "-", answer)), "-".join(numbers)), LINE
    )


def exact_words(draws: Draws) -> Task:
    count, topic, place = draws.between(6, 9), draws.pick(ANIMALS), draws.pick(CITIES)
    question = f"Write one sentence of exactly {count} words about {with_article(topic)} in {place}."

    def check(answer: str) -> bool:
        return (
            len(answers.words(answer)) == count
            and sentences(answer) == 1
            and is_prose(answer)
            and has_word(answer, topic)
            and has_word(answer, place)
        )

    added = ("", " now", " right now", " all the time")[count - 6]
    return Task(question, Check(check, f"One {topic} lives alone in {place}{added}."), LINE)


def bullet_points(draws: Draws) -> Task:
    listed, count = draws.sample(THINGS, 5), draws.between(3, 4)
    question = (
        f"Write the first {count} of these things as a list: {', '.join(listed)}. Each stands on a line of "
        'its own that begins with "- ", and there is no other text.'
    )
    expected = [f"- {thing}" for thing in listed[:count]]

    def check(answer: str) -> bool:
        lines = [line.strip().rstrip(".,;") for line in answers.body(answer).splitlines() if line.strip()]
        return [line.lower() for line in lines] == expected

    return Task(question, Check(check, "\n".join(expected)), LINE)


def hyphenated_title(draws: Draws) -> Task:
    listed = draws.sample(NOUNS, 4)
    question = (
        f"Join these words with hyphens and begin each with a capital letter: {' '.join(listed)}. "
        "Write nothing else."
    )
    return Task(question, answers.text("-".join(word.capitalize() for word in listed)))


def between_marks(draws: Draws) -> Task:
    word, (left, right) = draws.pick(NOUNS), draws.pick((("<<", ">>"), ("[[", "]]"), ("##", "##")))
    count = draws.between(2, 3)
    wanted = f"{left}{' '.join([word.upper()] * count)}{right}"
    question = (
        f'Write the word "{word}" {("twice", "three times")[count - 2]} in capital letters '
        "with a space between, "
        f"{left} directly before and {right} directly after the whole, and nothing else."
    )
    return Task(question, answers.text(wanted))


def word_without_letter(draws: Draws) -> Task:
    letter = draws.pick("aeiorn")
    without = draws.pick([word for word in NOUNS if letter not in word])
    listed = draws.shuffled([*draws.sample([word for word in NOUNS if letter in word], 3), without])
    question = (
        f'Which of these words does not contain the letter "{letter}": {", ".join(listed)}? '
        "Write that word in capital letters and nothing else."
    )
    return Task(question, answers.text(without.upper()), chance=1 / 4)


def numbered_lines(draws: Draws) -> Task:
    listed = draws.sample(ANIMALS, 4)
    ranked = sorted(listed)
    question = (
        f"Write these words one below the other in alphabetical order: {', '.join(listed)}. Number the lines "
        '"1)", "2)" and so on, and write nothing else.'
    )
    expected = [f"{at}) {word}" for at, word in enumerate(ranked, 1)]

    def check(answer: str) -> bool:
        lines = [
            re.sub(r"\s+", " ", line.strip()) for line in answers.body(answer).splitlines() if line.strip()
        ]
        return [line.lower().rstrip(".,") for line in lines] == expected

    return Task(question, Check(check, "\n".join(expected)), LINE)


def _is_sentence(answer: str, most_words: int = MOST_WORDS) -> bool:
    """Whether it is one sentence, of three words to so many."""
    return 3 <= len(answers.words(answer)) <= most_words and is_prose(answer) and sentences(answer) == 1


TEMPLATES: Templates = {
    Level.EASY: (
        repeat_sentence,
        ask_question,
        begin_with,
        say_only,
        short_sentence,
        capital_letters,
        one_from_list,
        both_words,
        end_with,
    ),
    Level.MEDIUM: (
        repeat_times,
        alphabetical,
        exact_words,
        bullet_points,
        backwards_list,
        count_down,
        word_without_letter,
        hyphenated_title,
        between_marks,
        numbered_lines,
    ),
    Level.HARD: instruction_hard.HARD,
}
