"""Writing: texts that hold to a form, read as English and do not repeat themselves or the prompt.

Only what can be verified is marked; whether a text is good, or true, is not. Every check is of a form and of
`texts.is_prose`, so that neither fluent words without the form nor the form filled with noise passes.
"""

import re

from steelyard.api.profile import Level
from steelyard_profiler import texts
from steelyard_profiler.answers import Check
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import Task, Templates
from steelyard_profiler.probes import forms, verses
from steelyard_profiler.probes.words import ANIMALS, CITIES, COLORS, JOBS, NAMES, THINGS

_UNSAID = (
    ("rain", "water", "wet"),
    ("the sea", "water", "blue"),
    ("snow", "white", "cold"),
    ("the night", "dark", "black"),
    ("the desert", "sand", "hot"),
    ("a fire", "hot", "warm"),
    ("winter", "cold", "snow"),
    ("the sun", "hot", "bright"),
)
"""What to write of, and two words that come to mind first."""


_OF_TITLES = ("the", "a", "an", "of", "in", "story")
"""What a title may hold beside what it is about."""


def sentence_about(draws: Draws) -> Task:
    animal = draws.pick(ANIMALS + JOBS)

    def holds(text: str) -> bool:
        return forms.is_one_sentence(text) and texts.has_word(text, animal)

    return forms.task(
        f"Write one sentence about {forms.with_article(animal)}.",
        holds,
        f"Our old {animal} likes to sleep in the sun.",
        forms.SENTENCE,
    )


def sentence_with_words(draws: Draws) -> Task:
    one, two = draws.sample(forms.SEEN, 2)

    def holds(text: str) -> bool:
        return forms.is_one_sentence(text) and texts.has_word(text, one) and texts.has_word(text, two)

    question = f'Write one sentence with the words "{one}" and "{two}" in it.'
    return forms.task(question, holds, f"She painted a {one} beside my {two}.", forms.SENTENCE)


def two_sentences(draws: Draws) -> Task:
    topic = draws.pick(forms.SEEN)

    def holds(text: str) -> bool:
        return len(texts.ended_sentences(text)) == 2 and texts.has_word(text, topic)

    question = f"Write exactly two short sentences about {forms.with_article(topic)}."
    return forms.task(question, holds, f"This {topic} is very old. We love to look at it.", forms.SENTENCE)


def question_to_ask(draws: Draws) -> Task:
    thing, city = draws.pick(THINGS), draws.pick(CITIES)

    def holds(text: str) -> bool:
        is_question = forms.is_one_sentence(text) and text.rstrip("\"'”").endswith("?")
        return is_question and (texts.has_word(text, thing) or texts.has_word(text, thing.removesuffix("s")))

    question = f"Write one question that you could ask in a shop in {city} about {thing}."
    return forms.task(question, holds, f"How much are these {thing}?", forms.SENTENCE)


def story_continued(draws: Draws) -> Task:
    name, place, found = draws.pick(NAMES), draws.pick(CITIES), draws.pick(forms.SEEN)
    start = f"Early one morning {name} walked through {place} and heard a strange sound."

    def holds(text: str) -> bool:
        told = text.replace(start, "")
        is_short = 1 <= len(texts.sentences(told)) <= 3 and len(texts.words(told)) <= 60
        return is_short and texts.has_word(told, found)

    question = f'Continue this story with one or two sentences that hold the word "{found}": {start}'
    example = f"It came from behind an old {found}, and somebody was singing."
    return forms.task(question, holds, example, forms.SENTENCE)


def note_of_thanks(draws: Draws) -> Task:
    name, thing = draws.pick(NAMES), draws.pick(THINGS)

    def holds(text: str) -> bool:
        thanks = re.search(r"\bthank", text, re.IGNORECASE)
        return bool(thanks) and texts.has_word(text, name) and texts.has_word(text, thing)

    question = f"Write a note of one or two sentences to {name} to say thank you for the {thing}."
    return forms.task(
        question,
        holds,
        f"Dear {name}, thank you for the {thing}. They made me very happy.",
        forms.SENTENCE,
        ("thank", "you", "for", "the", name, thing),
    )


def described_with_colour(draws: Draws) -> Task:
    topic, colour = draws.pick(forms.SEEN), draws.pick(COLORS)

    def holds(text: str) -> bool:
        is_short = 1 <= len(texts.sentences(text)) <= 2
        return is_short and texts.has_word(text, topic) and texts.has_word(text, colour)

    question = f'Describe {forms.with_article(topic)} in one sentence. Use the word "{colour}".'
    return forms.task(question, holds, f"The {topic} was {colour} and very beautiful.", forms.SENTENCE)


def title_of_story(draws: Draws) -> Task:
    animal, city = draws.pick(ANIMALS), draws.pick(CITIES)
    question = (
        f'Write a title of three to seven words, with the word "{city}" in it, for a story about '
        f"{forms.with_article(animal)}."
    )

    def check(answer: str) -> bool:
        text = texts.written(answer)
        count = len(texts.words(text))
        return (
            len(texts.lines(text)) == 1
            and texts.has_word(text, city)
            and 3 <= count <= 7
            and texts.is_pronounceable(text)
            and not texts.echoes(text, question, (*_OF_TITLES, city, animal))
            and not texts.repeats(text)
        )

    return Task(question, Check(check, f"The Brave Little {animal.title()} of {city}"), forms.SENTENCE)


def exclamation(draws: Draws) -> Task:
    city = draws.pick(CITIES)

    def holds(text: str) -> bool:
        return (
            forms.is_one_sentence(text) and texts.has_word(text, city) and text.rstrip("\"'”").endswith("!")
        )

    question = f"Write one sentence about {city} that ends with an exclamation mark."
    return forms.task(question, holds, f"We have always loved {city} in summer!", forms.SENTENCE)


def words_in_order(draws: Draws) -> Task:
    wanted = draws.sample(forms.SEEN, 3)

    def holds(text: str) -> bool:
        return forms.is_one_sentence(text) and texts.in_order(text, wanted)

    question = f"Write one sentence that contains these words in this order, each once: {', '.join(wanted)}."
    example = "First we saw the {}, then another {} appeared beside my {}.".format(*wanted)
    return forms.task(question, holds, example, forms.PASSAGE)


def exact_sentences(draws: Draws) -> Task:
    animal, count = draws.pick(ANIMALS), draws.between(3, 5)
    told = [
        "My {} is old.",
        "It sleeps all day.",
        "We go out at night.",
        "Then it runs after me.",
        "I love that.",
    ]

    def holds(text: str) -> bool:
        return len(texts.ended_sentences(text)) == count and texts.has_word(text, animal)

    question = f"Write exactly {count} short sentences about {forms.with_article(animal)}."
    return forms.task(question, holds, " ".join(told[:count]).format(animal), forms.PASSAGE)


def lines_from_letter(draws: Draws) -> Task:
    letter, count = draws.pick("stmw"), draws.between(2, 4)
    told = {
        "s": (
            "Soon the rain will end",
            "She waits at the window",
            "Stars come out again",
            "So quiet is it now",
        ),
        "t": ("They went into the woods", "The moon was up", "Then came a long silence", "Time had no name"),
        "m": (
            "Many ships are out there",
            "My house is near",
            "Most of all I like rain",
            "Mornings come slowly",
        ),
        "w": ("We sat at the fire", "Winter was here", "What did you see then", "When will it be over"),
    }

    def holds(text: str) -> bool:
        found = texts.lines(text)
        return len(found) == count and all(
            forms.first_letter(line) == letter and len(texts.words(line)) >= 3 for line in found
        )

    question = f'Write {count} lines of a poem. Every line begins with the letter "{letter.upper()}".'
    return forms.verse(question, holds, "\n".join(told[letter][:count]), forms.PASSAGE)


def without_words(draws: Draws) -> Task:
    (topic, one, two), count = draws.pick(_UNSAID), draws.between(2, 3)
    named = topic.split()[-1]

    def holds(text: str) -> bool:
        unsaid = not texts.has_word(text, one) and not texts.has_word(text, two)
        return len(texts.ended_sentences(text)) == count and unsaid and texts.has_word(text, named)

    told = (f"I think of {topic} every day.", "It makes me feel calm.", "Then we can rest.")
    question = (
        f'Write exactly {count} sentences about {topic}. Use the word "{named}", but not the words "{one}" '
        f'and "{two}".'
    )
    return forms.task(question, holds, " ".join(told[:count]), forms.PASSAGE)


def last_word(draws: Draws) -> Task:
    animal, word = draws.pick(ANIMALS), draws.pick(forms.SEEN)

    def holds(text: str) -> bool:
        return forms.is_one_sentence(text) and texts.has_word(text, animal) and texts.words(text)[-1] == word

    question = f'Write one sentence about {forms.with_article(animal)}. Its last word must be "{word}".'
    return forms.task(question, holds, f"Every evening our {animal} runs to the old {word}.", forms.PASSAGE)


def length_between(draws: Draws) -> Task:
    job, low = draws.pick(JOBS), draws.between(15, 22)

    def holds(text: str) -> bool:
        return low <= len(texts.words(text)) <= low + 8 and texts.has_word(text, job)

    question = f"Write between {low} and {low + 8} words about the work of a {job}."
    told = f"Each day a good {job} gets up before the sun and does what others need without any complaint,"
    return forms.task(question, holds, f"{told} for people trust them.", forms.PASSAGE)


def letter_of_greeting(draws: Draws) -> Task:
    (to, sender), thing = draws.sample(NAMES, 2), draws.pick(THINGS)

    def holds(text: str) -> bool:
        found = texts.lines(text)
        if len(found) < 4 or not found[0].startswith(f"Dear {to}"):
            return False
        inner = " ".join(found[1:-2])
        closing = found[-2].lower().startswith("best wishes") and found[-1].rstrip(".") == sender
        is_told = 1 <= len(texts.ended_sentences(inner)) <= 2 and len(texts.words(inner)) >= 3
        return closing and is_told and texts.has_word(inner, thing)

    question = (
        f"Write a letter to {to} with one or two sentences about the {thing}. Its first line is "
        f'"Dear {to},", its last two lines are "Best wishes," and "{sender}".'
    )
    example = f"Dear {to},\nwe still have all of your {thing} at home.\nBest wishes,\n{sender}"
    demanded = ("dear", to, "the", thing, "best", "wishes", sender)
    return forms.task(question, holds, example, forms.PASSAGE, demanded)


def poem_of_three_lines(draws: Draws) -> Task:
    topic = draws.pick(forms.TOPICS)

    def holds(text: str) -> bool:
        found = texts.lines(text)
        if len(found) != 3 or not texts.has_word(text, topic):
            return False
        first, second, third = (len(texts.words(line)) for line in found)
        return min(first, third) >= 2 and second > max(first, third)

    question = (
        f'Write a poem of three lines with the word "{topic}" in it. The second line has more words than the '
        "first, and more than the third."
    )
    example = f"Here is the {topic}\nand nobody is awake to see it\nbut you and me"
    return forms.verse(question, holds, example, forms.PASSAGE)


def dialogue(draws: Draws) -> Task:
    one, two = draws.sample(NAMES, 2)

    def holds(text: str) -> bool:
        return forms.is_dialogue(text, [one, two] * 2)

    question = (
        f"Write a dialogue of four lines in which {one} and {two} speak in turn. Every line begins with the "
        f"name and a colon. {one} begins."
    )
    told = (
        "How are you today?",
        "I am well, and you?",
        "I was ill, but now it is over.",
        "Good to hear that.",
    )
    example = forms.spoken((one, two), told)
    return forms.task(question, holds, example, forms.PASSAGE)


def question_and_answer(draws: Draws) -> Task:
    topic = draws.pick(forms.SEEN)

    def holds(text: str) -> bool:
        marks = re.findall(r"[.!?]+(?=[\"'”]?(?:\s|$))", text)
        has_both = len(texts.ended_sentences(text)) == 2 and [mark[0] for mark in marks] == ["?", "."]
        return has_both and texts.has_word(text, topic)

    question = (
        f"Write a question about {forms.with_article(topic)} and then, in one sentence that ends with a "
        "stop, its answer."
    )
    return forms.task(question, holds, f"Where is my {topic}? You left it with your friend.", forms.PASSAGE)


TEMPLATES: Templates = {
    Level.EASY: (
        sentence_about,
        sentence_with_words,
        question_to_ask,
        two_sentences,
        note_of_thanks,
        described_with_colour,
        story_continued,
        title_of_story,
        exclamation,
    ),
    Level.MEDIUM: (
        words_in_order,
        exact_sentences,
        without_words,
        last_word,
        dialogue,
        length_between,
        poem_of_three_lines,
        letter_of_greeting,
        lines_from_letter,
        question_and_answer,
    ),
    Level.HARD: (
        verses.acrostic,
        verses.without_letter,
        verses.word_for_each_sentence,
        verses.exact_length,
        verses.alphabet_sentence,
        verses.growing_lines,
        verses.varied_beginnings,
        verses.letter_with_postscript,
        verses.interview,
    ),
}
