"""Writing's hard templates: several constraints at once, over several lines or sentences."""

import re

from steelyard_profiler import texts
from steelyard_profiler.answers import Check
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import Task
from steelyard_profiler.probes import forms
from steelyard_profiler.probes.words import ANIMALS, CITIES, NAMES, NOUNS, listed

_LINES = {
    "a": "All the birds are asleep",
    "b": "By the water we wait",
    "c": "Clouds go over the hill",
    "d": "Day after day it rains",
    "e": "Every star is far away",
    "f": "From the door comes light",
    "g": "Grass is soft in spring",
    "h": "Her song is in the air",
    "i": "In the tower rings a bell",
    "j": "Just a moment more, friend",
    "k": "Kind words were all we had",
    "l": "Leaves fall on the old road",
    "m": "Many boats come home",
    "n": "Now the lamps are lit",
    "o": "Over the roofs it snows",
    "p": "People walk to the harbour",
    "q": "Quiet is what I like",
    "r": "Rain has made us all slow",
    "s": "Soon the summer will end",
    "t": "They wave from that train",
    "u": "Under one tree I sat",
    "v": "Voices fade into evening",
    "w": "We shall be back tomorrow",
    "y": "Yellow fields lie before me",
}
"""Lines by first letter, for examples."""

_WITHOUT = {
    "o": (
        ("cat", "rabbit", "turtle", "hamster"),
        "The little {} sleeps in the big red chair. It eats all day and never gets sad.",
    ),
    "u": (
        ("dog", "horse", "cat", "goat"),
        "The old {} walks along the river every morning. Then it goes home to eat and rest.",
    ),
    "i": (
        ("dog", "horse", "cat", "goat"),
        "The old {} runs across the meadow every day. Then we all go home and rest.",
    ),
}
"""Letter → animals and a text without it."""

_ALPHABET = {
    "a": ("All birds can dance.", "All birds can dance everywhere.", "A big cat drinks every Friday."),
    "c": ("Cats do eat fish.", "Cats do eat fresh grapes.", "Can dogs eat fresh green herbs?"),
    "d": (
        "Dogs eat fresh grass.",
        "Do elephants find grass here?",
        "Do elephants find green hats interesting?",
    ),
    "e": (
        "Every farmer grows herbs.",
        "Every farmer grows herbs inside.",
        "Every farmer grew herbs in June.",
    ),
    "h": ("He is just kidding.", "He is just keeping lambs.", "He is just keeping lazy mice."),
    "i": ("I just keep lambs.", "I just keep little mice.", "I just keep little mice nearby."),
}
"""Letter → sentences of four, five and six words that begin with it and the letters after it."""

_QUOTES = "\"'”*"


def acrostic(draws: Draws) -> Task:
    word = draws.pick([noun for noun in NOUNS if len(noun) <= 6 and len(set(noun)) == len(noun)])

    def holds(text: str) -> bool:
        found = texts.lines(text)
        lengths = [len(texts.words(line)) for line in found]
        return "".join(map(forms.first_letter, found)) == word and all(3 <= length <= 8 for length in lengths)

    question = (
        f"Write a poem of {len(word)} lines. The first letters of the lines, from top to bottom, spell "
        f'"{word}". Every line has three to eight words.'
    )
    return forms.verse(question, holds, "\n".join(_LINES[letter] for letter in word), forms.PAGE)


def growing_lines(draws: Draws) -> Task:
    topic = draws.pick(forms.TOPICS)

    def holds(text: str) -> bool:
        lengths = [len(texts.words(line)) for line in texts.lines(text)]
        return lengths == [3, 4, 5, 6] and texts.has_word(text, topic)

    question = (
        f'Write a poem of four lines with the word "{topic}" in it. The first line has three words, and each '
        "further line has exactly one word more than the line before."
    )
    example = f"Here we are\nnear the old {topic}\nwith nothing in our hands\nand all of the night before"
    return forms.verse(question, holds, example, forms.PAGE)


def word_for_each_sentence(draws: Draws) -> Task:
    wanted = draws.sample(forms.SEEN, 4)

    def holds(text: str) -> bool:
        told = texts.ended_sentences(text)
        return len(told) == 4 and all(
            [texts.has_word(sentence, word) for word in wanted] == [at == n for n in range(4)]
            for at, sentence in enumerate(told)
        )

    question = (
        "Write a story of exactly four sentences. The first one contains the word "
        f'"{wanted[0]}", the second "{wanted[1]}", the third "{wanted[2]}" and the fourth "{wanted[3]}"; '
        "none of these words is in another sentence."
    )
    told = (
        "We were near the {}.",
        "There she lost her {}.",
        "I looked behind a {}.",
        "At last my {} helped us.",
    )
    return forms.task(question, holds, " ".join(told).format(*wanted), forms.PAGE)


def without_letter(draws: Draws) -> Task:
    letter = draws.pick(tuple(_WITHOUT))
    animals, example = _WITHOUT[letter]
    animal = draws.pick(animals)

    def holds(text: str) -> bool:
        told = texts.ended_sentences(text)
        long_enough = len(told) == 2 and all(len(texts.words(sentence)) >= 6 for sentence in told)
        return long_enough and letter not in text.lower() and texts.has_word(text, animal)

    question = (
        f"Write exactly two sentences about {forms.with_article(animal)}, of at least six words each, in "
        f'which the letter "{letter}" does not occur.'
    )
    return forms.task(question, holds, example.format(animal), forms.PAGE)


def exact_length(draws: Draws) -> Task:
    animal, count = draws.pick(ANIMALS), draws.between(15, 22)
    rest = listed("and then goes out into the garden with my little sister to play until dark")

    def holds(text: str) -> bool:
        is_whole = len(texts.ended_sentences(text)) == 2
        return is_whole and len(texts.words(text)) == count and texts.has_word(text, animal)

    question = (
        f"Write exactly two sentences about {forms.with_article(animal)} that have exactly {count} words "
        "together."
    )
    example = f"We have {forms.with_article(animal)}. Every day it sleeps {' '.join(rest[: count - 8])}."
    return forms.task(question, holds, example, forms.PAGE)


def interview(draws: Draws) -> Task:
    one, two = draws.sample(NAMES, 2)

    def holds(text: str) -> bool:
        found = texts.lines(text)
        if not forms.is_dialogue(text, [one, two] * 3):
            return False
        answered = " ".join(found[1::2]).lower()
        return (
            all(line.rstrip(_QUOTES).endswith("?") for line in found[::2])
            and all(line.rstrip(_QUOTES).endswith(".") for line in found[1::2])
            and {"yes", "no"}.isdisjoint(texts.words(answered))
        )

    question = (
        f"Write an interview of six lines in which {one} and {two} speak in turn. Every line begins with the "
        f"name and a colon. {one} begins and only asks questions; {two} answers with sentences that end in a "
        'stop, and never says "yes" or "no".'
    )
    told = (
        *("Where do you live?", "I live near the sea."),
        *("What can you see there?", "Boats come by every day."),
        *("Do you like them?", "I love them very much."),
    )
    example = forms.spoken((one, two), told)
    return forms.task(question, holds, example, forms.PAGE)


def alphabet_sentence(draws: Draws) -> Task:
    first, count = draws.pick(tuple(_ALPHABET)), draws.between(4, 6)
    letters = "".join(chr(ord(first) + at) for at in range(count))
    question = (
        f"Write one sentence of exactly {count} words whose first letters are "
        f"{', '.join(letters.upper())}, in this order."
    )

    def check(answer: str) -> bool:
        text = texts.written(answer)
        found = texts.words(text)
        return (
            "".join(word[0] for word in found) == letters
            and len(texts.sentences(text)) == 1
            and text.count(",") < count - 2
            and sum(len(word) > 1 for word in found) >= count - 1
            and texts.is_pronounceable(text)
        )

    return Task(question, Check(check, _ALPHABET[first][count - 4]), forms.SENTENCE)


def letter_with_postscript(draws: Draws) -> Task:
    (to, sender), city = draws.sample(NAMES, 2), draws.pick(CITIES)

    def holds(text: str) -> bool:
        found = texts.lines(text)
        if len(found) < 5 or not found[0].startswith(f"Dear {to}") or found[-2].rstrip(".") != sender:
            return False
        inner = " ".join(found[1:-3])
        marks = [mark[0] for mark in re.findall(r"[.!?]+(?=\s|$)", inner)]
        return (
            found[-3].lower().startswith("yours")
            and bool(re.match(r"\**P\.? ?S\.?", found[-1]))
            and len(texts.ended_sentences(inner)) == 3
            and marks[1:] == ["?", "."]
            and texts.has_word(inner, city)
        )

    question = (
        f"Write a letter to {to} with exactly three sentences about {city}; the second is a question, the "
        f'third ends with a stop. The first line is "Dear {to},". Below the sentences come the lines '
        f'"Yours," and "{sender}" and a last line that begins with "P.S.".'
    )
    example = (
        f"Dear {to},\nI am in {city} now. Have you ever been here? It is warm and loud.\nYours,\n{sender}\n"
        "P.S. I will call you soon."
    )
    return forms.task(question, holds, example, forms.PAGE)


def varied_beginnings(draws: Draws) -> Task:
    topic = draws.pick(forms.SEEN)

    def holds(text: str) -> bool:
        told = [texts.words(sentence) for sentence in texts.ended_sentences(text)]
        firsts = {sentence[0] for sentence in told if sentence}
        short = all(4 <= len(sentence) <= 12 for sentence in told)
        return len(told) == 5 == len(firsts) and short and texts.has_word(text, topic)

    question = (
        f"Write exactly five sentences about {forms.with_article(topic)}. Every sentence has four to "
        "twelve words, and no two sentences begin with the same word."
    )
    example = (
        f"My {topic} is gone. Nobody knows where it is. Perhaps they took it away. We looked in all the "
        "rooms. Tomorrow I shall go home."
    )
    return forms.task(question, holds, example, forms.PAGE)
