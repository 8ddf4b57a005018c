"""Instruction, the Hard ones: several constraints at once, of which none may be missed."""

import json
import re

from steelyard_profiler import answers
from steelyard_profiler.answers import Check
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import LINE, LONG, Task, Template
from steelyard_profiler.probes.forms import with_article
from steelyard_profiler.probes.prose import is_prose, sentences
from steelyard_profiler.probes.words import ANIMALS, CITIES, COLORS, NAMES, NOUNS, listed
from steelyard_profiler.texts import has_word, written

_SIX = tuple(noun for noun in NOUNS if len(noun) == 6)
_FILLING = listed("big old ship may float by quay beyond deep blue calm ocean while gulls fly up high above")
"""Words of examples."""

_TOPICS = listed("ships trains birds rain snow bread music mountains clouds friends horses winter")
_WITH_S = listed("seven small silver ships silently sail south still seeking some safe shore")


def avoided_letter(draws: Draws) -> Task:
    letter, count, topic = draws.pick("tnrs"), draws.between(8, 12), draws.pick(_TOPICS)
    first, last = ("Every", "away") if letter in "tns" else ("Two", "sea")
    question = (
        f'Write one sentence of exactly {count} words about {topic}. It begins with the word "{first}", '
        f'ends with the word "{last}", and contains no letter "{letter}" at all, neither small nor capital.'
    )

    def check(answer: str) -> bool:
        found = answers.words(answer)
        ends = (found[0], found[-1].lower()) == (first, last) if found else False
        return (
            ends
            and len(found) == count
            and letter not in answers.body(answer).lower()
            and is_prose(answer)
            and sentences(answer) == 1
        )

    filling = [word for word in _FILLING if letter not in word][: count - 2]
    return Task(question, Check(check, " ".join([first, *filling, last]) + "."), LINE)


def first_letters(draws: Draws) -> Task:
    word, count = draws.pick(_SIX), draws.between(3, 5)
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

    example = "\n".join(
        " ".join(f"{letter}{'abcdef'[at]}{'mnopq'[n]}" for n in range(count))
        for at, letter in enumerate(word)
    )
    return Task(question, Check(check, example), LONG)


def alternating_letters(draws: Draws) -> Task:
    word, name = draws.pick(_SIX), draws.pick(CITIES)
    letters = (word + name.lower())[::-1]
    expected = "".join(letter.upper() if at % 3 == 0 else letter for at, letter in enumerate(letters))
    question = (
        f'Join the words "{word}" and "{name.lower()}" without a space, write all letters in reverse order, '
        "and make the 1st, 4th, 7th, 10th and so on of the result capital, the others small. "
        "Write only the result."
    )
    return Task(question, answers.text(expected), LINE)


def spelled_backwards(draws: Draws) -> Task:
    word, (name, mark) = draws.pick(_SIX), draws.pick((("dash", "-"), ("slash", "/"), ("plus sign", "+")))
    letters = [letter.upper() if letter in "aeiou" else letter for letter in word[::-1]]
    question = (
        f'Spell "{word}" backwards, with a {name} between the letters, the vowels (a, e, '
        "i, o, u) as capitals and "
        "the other letters small. Write nothing else."
    )
    return Task(question, answers.text(mark.join(letters)), LINE)


def filtered_and_sorted(draws: Draws) -> Task:
    kept: list[str] = []
    while len(kept) < 3:
        shown, letter = draws.sample(NOUNS + ANIMALS + COLORS, 10), draws.pick("aeo")
        kept = sorted((word for word in shown if letter not in word), key=lambda word: (-len(word), word))
    question = (
        f'From these words drop every word that contains the letter "{letter}": {", ".join(shown)}. '
        "Order the others from the longest to the shortest, words of one length alphabetically. "
        "Write each with its last letter as a capital, separated by semicolons, and write nothing else."
    )
    expected = [word[:-1] + word[-1].upper() for word in kept]
    check = Check(lambda answer: answers.items(answer, ";") == expected, "; ".join(expected))
    return Task(question, check, LONG)


def constrained_object(draws: Draws) -> Task:
    keys, total = draws.sample(NOUNS, 3), draws.between(31, 89)
    question = (
        f'Write a JSON object with exactly the keys "{keys[0]}", "{keys[1]}" and "{keys[2]}", in this order. '
        "The first value is a list of three different prime numbers that add up to an odd number above "
        f"{total}, in falling order. The second is the product of the list's first two numbers. The third "
        'is text of exactly five different words without the letter "e". Write only the JSON.'
    )

    def check(answer: str) -> bool:
        found, said = answers.json_value(answer), answers.body(answer)
        is_alone = said.startswith("{") and said.endswith("}")
        right = isinstance(found, dict) and list(found) == keys and _constrained(list(found.values()), total)
        return is_alone and right

    example = dict(zip(keys, ([47, 43, 41], 2021, "a small animal runs away"), strict=True))
    return Task(question, Check(check, json.dumps(example)), LONG)


def _constrained(values: list[object], total: int) -> bool:
    primes, product, text = values
    if not (isinstance(primes, list) and isinstance(text, str) and len(primes) == 3):
        return False
    said = answers.words(text.lower())
    return (
        all(type(number) is int and _is_prime(number) for number in primes)
        and primes == sorted(set(primes), reverse=True)
        and sum(primes) > total
        and sum(primes) % 2 == 1
        and type(product) is int
        and product == primes[0] * primes[1]
        and len(said) == len(set(said)) == 5
        and "e" not in text.lower()
    )


def _is_prime(number: int) -> bool:
    return 1 < number < 10_000 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


def markdown_table(draws: Draws) -> Task:
    names, (one, two) = draws.sample(NAMES, 4), draws.pick((("name", "letters"), ("person", "length")))
    question = (
        f'Write a Markdown table with the columns "{one}" and "{two}" for '
        f"{', '.join(names)}: one row for each, "
        f'in alphabetical order, and in "{two}" the number of letters of the name in words (such as four). '
        "Write only the table."
    )
    lengths = ("three", "four", "five", "six", "seven", "eight")
    rows = [[one, two], *([name, lengths[len(name) - 3]] for name in sorted(names))]

    def check(answer: str) -> bool:
        lines = [line.strip() for line in answers.body(answer).splitlines() if line.strip()]
        cells = [[cell.strip().lower() for cell in line.strip("|").split("|")] for line in lines]
        ruled = len(cells) > 1 and all(re.fullmatch(r":?-+:?", cell) for cell in cells[1])
        expected = [[cell.lower() for cell in row] for row in rows]
        return ruled and len(cells[1]) == 2 and [cells[0], *cells[2:]] == expected

    lines = [f"| {left} | {right} |" for left, right in rows]
    return Task(question, Check(check, "\n".join([lines[0], "|---|---|", *lines[1:]])), LONG)


def sentence_lengths(draws: Draws) -> Task:
    topic, counts = draws.pick(ANIMALS), draws.sample(range(4, 9), 3)
    question = (
        f"Write three sentences about {with_article(topic)}. The first has exactly {counts[0]} words, "
        f"the second {counts[1]} and "
        f'the third {counts[2]}. Use no comma, and do not use the word "the".'
    )

    def check(answer: str) -> bool:
        parts = [part for part in re.split(r"(?<=[.!?])\s+", written(answer)) if part.strip()]
        found = [[word.lower() for word in answers.words(part)] for part in parts]
        return (
            [len(words) for words in found] == counts
            and all(map(is_prose, parts))
            and "," not in answer
            and not any("the" in words for words in found)
            and has_word(answer, topic)
        )

    example = " ".join(" ".join([f"A {topic}", *_FILLING[: count - 2]]) + "." for count in counts)
    return Task(question, Check(check, example), LONG)


def same_initial(draws: Draws) -> Task:
    count, word = (
        draws.between(7, 10),
        draws.pick(("ships", "snow", "silk", "salt", "sugar", "soup", "sand", "swans")),
    )
    last = draws.pick(("slowly", "softly", "sadly", "safely", "suddenly", "smoothly"))
    question = (
        f'Write one sentence of exactly {count} words. Each word begins with the letter "s", no word occurs '
        f'twice, the word "{word}" occurs, and the last word is "{last}".'
    )

    def check(answer: str) -> bool:
        found = [said.lower() for said in answers.words(answer)]
        return (
            len(found) == len(set(found)) == count
            and all(said.startswith("s") for said in found)
            and word in found[:-1]
            and found[-1] == last
            and sentences(answer) == 1
        )

    filling = [said for said in _WITH_S if said != word][: count - 2]
    return Task(question, Check(check, " ".join([*filling, word, last]).capitalize() + "."), LINE)


def fixed_positions(draws: Draws) -> Task:
    count, (one, two) = draws.between(9, 11), draws.sample([noun for noun in NOUNS if len(noun) <= 6], 2)
    question = (
        f'Write one sentence of exactly {count} words in which the third word is "{one}" '
        "and the seventh word is "
        f'"{two}". No word has more than six letters.'
    )

    def check(answer: str) -> bool:
        found = [said.lower() for said in answers.words(answer)]
        return (
            len(found) == count
            and (found[2], found[6]) == (one, two)
            and all(len(said) <= 6 for said in found)
            and is_prose(answer)
            and sentences(answer) == 1
        )

    filling = [said for said in _FILLING if said not in (one, two)]
    example = [*filling[:2], one, *filling[2:5], two, *filling[5 : count - 2]]
    return Task(question, Check(check, " ".join(example).capitalize() + "."), LINE)


HARD: tuple[Template, ...] = (
    avoided_letter,
    spelled_backwards,
    filtered_and_sorted,
    sentence_lengths,
    constrained_object,
    same_initial,
    first_letters,
    markdown_table,
    fixed_positions,
    alternating_letters,
)
