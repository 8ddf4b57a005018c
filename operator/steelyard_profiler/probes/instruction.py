"""Instruction: does the answer keep to what was asked of its form."""

import json
import re

from steelyard.api.profile import Level
from steelyard_profiler import answers
from steelyard_profiler.answers import Check
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import LINE, LONG, Task, Templates
from steelyard_profiler.probes.words import ANIMALS, CITIES, COLORS, NAMES, NOUNS

_SENTENCES = re.compile(r"[.!?]+(?:\s+|$)")


def repeat_word(draws: Draws) -> Task:
    word = draws.pick(NOUNS)
    return Task(
        f"Repeat this word: {word}", Check(lambda answer: answers.is_text(answer.lower(), word), word)
    )


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
    question = f"Write this word in capital letters, and nothing else: {word}"
    return Task(question, answers.text(word.upper()))


def short_sentence(draws: Draws) -> Task:
    word = draws.pick(NOUNS)
    question = f'Write one short sentence with the word "{word}" in it.'

    def check(answer: str) -> bool:
        found = [said.lower() for said in answers.words(answer)]
        return word in found and len(found) <= 20 and _sentences(answer) == 1

    return Task(question, Check(check, f"The {word} is here."), LINE)


def say_only(draws: Draws) -> Task:
    word = draws.pick(("yes", "no", "hello", "thanks", "stop", "go"))
    check = Check(lambda answer: answers.is_text(answer.lower().rstrip("!"), word), word)
    return Task(f"Say only the word {word}.", check)


def ask_question(draws: Draws) -> Task:
    topic = draws.pick(ANIMALS)

    def check(answer: str) -> bool:
        said = answers.body(answer)
        return topic in said.lower() and said.endswith("?") and _sentences(answer) == 1

    return Task(f"Write one question about a {topic}.", Check(check, f"Where is the {topic}?"))


def begin_with(draws: Draws) -> Task:
    name = draws.pick(NAMES)
    question = f'Write one sentence about a garden. Its first word must be "{name}".'

    def check(answer: str) -> bool:
        return answers.words(answer)[:1] == [name] and _sentences(answer) == 1

    return Task(question, Check(check, f"{name} has a garden."), LINE)


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
    return Task(question, answers.listed(numbers, "-"), LINE)


def exact_words(draws: Draws) -> Task:
    count, topic = draws.between(6, 9), draws.pick(ANIMALS)
    question = f"Write one sentence of exactly {count} words about a {topic}."

    def check(answer: str) -> bool:
        found = [word.lower() for word in answers.words(answer)]
        return len(found) == count and _sentences(answer) == 1 and bool({topic, f"{topic}s"} & set(found))

    return Task(question, Check(check, " ".join(["The"] * (count - 1) + [topic])), LINE)


def avoided_letter(draws: Draws) -> Task:
    letter, count = draws.pick("tnrs"), draws.between(8, 11)
    first, last = ("Every", "away") if letter in "tns" else ("Two", "sea")
    question = (
        f'Write one sentence of exactly {count} words about ships. It begins with the word "{first}", '
        f'ends with the word "{last}", and contains no letter "{letter}" at all, neither small nor capital.'
    )

    def check(answer: str) -> bool:
        found = answers.words(answer)
        ends = (found[0], found[-1].lower()) == (first, last) if found else False
        return (
            ends
            and len(found) == count
            and letter not in answers.body(answer).lower()
            and _sentences(answer) == 1
        )

    return Task(question, Check(check, " ".join([first, *["a"] * (count - 2), last])), LINE)


def first_letters(draws: Draws) -> Task:
    word, count = draws.pick([noun for noun in NOUNS if len(noun) == 6]), draws.between(4, 5)
    question = (
        f"Write {len(word)} lines about the night. Each line has exactly {count} words. The first letters "
        f'of the lines, read from top to bottom, spell "{word}". No word may occur twice in the whole text. '
        "Write only the lines."
    )

    def check(answer: str) -> bool:
        lines = [answers.words(line) for line in answers.body(answer).splitlines() if line.strip()]
        every = [found.lower() for line in lines for found in line]
        return (
            [len(line) for line in lines] == [count] * len(word)
            and "".join(line[0][0] for line in lines).lower() == word
            and len(set(every)) == len(every)
        )

    return Task(
        question,
        Check(
            check,
            "\n".join(
                " ".join(f"{letter}{'abcdef'[at]}{'mnopq'[n]}" for n in range(count))
                for at, letter in enumerate(word)
            ),
        ),
        LONG,
    )


def alternating_letters(draws: Draws) -> Task:
    word, name = draws.pick([noun for noun in NOUNS if len(noun) == 6]), draws.pick(CITIES)
    letters = (word + name.lower())[::-1]
    expected = "".join(letter.upper() if at % 3 == 0 else letter for at, letter in enumerate(letters))
    question = (
        f'Join the words "{word}" and "{name.lower()}" without a space, write all letters in reverse order, '
        "and make the 1st, 4th, 7th, 10th and so on of the result capital, the others small. "
        "Write only the result."
    )
    return Task(question, answers.text(expected))


def filtered_and_sorted(draws: Draws) -> Task:
    listed = draws.sample(NOUNS + ANIMALS + COLORS, 10)
    letter = draws.pick("aeo")
    kept = sorted((word for word in listed if letter not in word), key=lambda word: (-len(word), word))
    while len(kept) < 3:
        listed = draws.sample(NOUNS + ANIMALS + COLORS, 10)
        kept = sorted((word for word in listed if letter not in word), key=lambda word: (-len(word), word))
    question = (
        f'From these words drop every word that contains the letter "{letter}": {", ".join(listed)}. '
        "Order the others from the longest to the shortest, words of one length alphabetically. "
        "Write each with its last letter as a capital, separated by semicolons, and write nothing else."
    )
    expected = [word[:-1] + word[-1].upper() for word in kept]
    return Task(
        question,
        Check(lambda answer: answers.items(answer, ";") == expected, "; ".join(expected)),
        LONG,
    )


def constrained_object(draws: Draws) -> Task:
    keys, total = draws.sample(NOUNS, 3), draws.between(31, 89)
    topic = draws.pick(ANIMALS)
    question = (
        f'Write a JSON object with exactly the keys "{keys[0]}", "{keys[1]}" and "{keys[2]}", in this order. '
        "The first value is a list of three different prime numbers that add up to an odd number above "
        f"{total}, in falling order. The second is the product of the list's first two numbers. The third "
        f'is text of exactly five words about a {topic}, without the letter "e". Write only the JSON.'
    )

    def check(answer: str) -> bool:
        found = answers.json_value(answer)
        if not isinstance(found, dict) or list(found) != keys:
            return False
        primes, product, text = found.values()
        return (
            isinstance(primes, list)
            and len(primes) == 3
            and all(isinstance(number, int) and _is_prime(number) for number in primes)
            and primes == sorted(set(primes), reverse=True)
            and sum(primes) > total
            and sum(primes) % 2 == 1
            and product == primes[0] * primes[1]
            and isinstance(text, str)
            and len(answers.words(text)) == 5
            and "e" not in text.lower()
        )

    return Task(
        question,
        Check(
            check, json.dumps(dict(zip(keys, ([47, 43, 41], 2021, "a small animal runs away"), strict=True)))
        ),
        LONG,
    )


def _sentences(answer: str) -> int:
    return len([part for part in _SENTENCES.split(answers.body(answer)) if part.strip(" \"'")])


def _is_prime(number: int) -> bool:
    return 1 < number < 10_000 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


TEMPLATES: Templates = {
    Level.EASY: (
        repeat_word,
        ask_question,
        begin_with,
        say_only,
        short_sentence,
        capital_letters,
        one_from_list,
    ),
    Level.MEDIUM: (repeat_times, alphabetical, exact_words, backwards_list, count_down),
    Level.HARD: (avoided_letter, first_letters, alternating_letters, filtered_and_sorted, constrained_object),
}
