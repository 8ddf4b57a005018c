"""A text passes by its form and as language, or not at all."""

from collections.abc import Callable, Mapping

import pytest

from steelyard.api.profile import Category, Level
from steelyard_profiler import texts, workload
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import Task
from steelyard_profiler.probes import forms, verses, writing

LOOPS = {
    "prose": ("The dog ran home. It was late, and nobody had seen where it went.", False),
    "verse": ("The moon is up\nand the moon is old\nbut we are not", False),
    "one doubled word": ("He said that that was all.", False),
    "a word again and again": ("The dog dog dog is here.", True),
    "a run of words three times": ("I go to the sea and I go to the sea and I go to the sea.", True),
    "a sentence twice": ("It is a dog. We like it. It is a dog.", True),
    "a line twice": ("the moon is up\nwe are here\nthe moon is up", True),
    "few words shuffled": ("dog cat dog is cat is dog the cat the dog is the cat is the dog", True),
}

LANGUAGE = {
    "a sentence": ("The old dog sleeps in the sun.", True),
    "short verse": ("Here we are again", True),
    "names and things": ("Anna bought a guitar for her brother.", True),
    "a list of nouns": ("river lantern castle pocket winter bottle", False),
    "consonants": ("Thrg brkt xcvb the plkj mnbv of hgfd", False),
    "only small words": ("the of and to in it is that for on", False),
    "one very long word": ("the antidisestablishmentarianismosity", False),
    "nothing": ("", False),
}

SENTENCES = {
    "one": ("The dog sleeps.", 1),
    "two": ("The dog sleeps. We do not!", 2),
    "one that is not ended": ("The dog sleeps", 1),
    "a title is no end": ("Mr. Smith met Dr. Jones.", 1),
    "quotes after the stop": ('He said: "Go." She went.', 2),
    "dots": ("Well... it rains.", 2),
    "none": ("", 0),
}


@pytest.mark.parametrize("case", LOOPS)
def test_a_text_in_a_loop_is_seen(case: str) -> None:
    text, loops = LOOPS[case]

    assert texts.repeats(text) is loops


@pytest.mark.parametrize("case", LANGUAGE)
def test_english_is_told_from_noise(case: str) -> None:
    text, english = LANGUAGE[case]

    assert texts.is_english(text) is english


VERSE = {
    "with one small word a line": ("Here we are\nin the old garden", True),
    "with one small word in ten": (
        "Silver stars shine softly bright,\nSleeping shadows fade from sight.",
        True,
    ),
    "with one small word in nine": (
        "Moonlight dances on silver streams,\nMorning whispers forgotten dreams,",
        True,
    ),
    "that ends a line with an article": ("We sat beneath the\nold trees of autumn", True),
    "without any small word": ("river lantern castle\npocket winter bottle", False),
    "of small words alone": ("the of and to\nin it is that", False),
}


@pytest.mark.parametrize("case", VERSE)
def test_verse_is_told_from_noise(case: str) -> None:
    text, is_verse = VERSE[case]

    assert texts.is_verse(text, "Write two lines of a poem.") is is_verse


SALADS = {
    "an article before a conjunction": ("eagle eagle is the and of a to.", False),
    "an article at the end": ("The eagle is the eagle of a.", False),
    "two articles": ("I saw a the eagle near my house.", False),
    "an article before a preposition": ("The of eagle is my friend.", False),
    "an abbreviation": ("The eagle, a.k.a. our Max, likes to sit on the old roof.", True),
    "a letter": ("The road from A to B is long, and plan A is old.", True),
    "a quoted word": ('He said "the" and went home again.', True),
    "a word with a hyphen": ("The by-road was closed, so we took the of-late repaired one.", True),
    "a preposition at the end": ("That is the house we came from.", True),
    "short prose": ("The eagle flew over the lake and came back.", True),
}


@pytest.mark.parametrize("case", SALADS)
def test_a_salad_of_small_words_is_no_english(case: str) -> None:
    text, english = SALADS[case]

    assert texts.is_english(text) is english


@pytest.mark.parametrize("case", SENTENCES)
def test_sentences_are_counted(case: str) -> None:
    text, count = SENTENCES[case]

    assert len(texts.sentences(text)) == count


def test_words_of_the_prompt_shuffled_are_an_echo() -> None:
    prompt = "Write one sentence about a dog."

    assert texts.echoes("About a dog write one sentence.", prompt)
    assert texts.echoes("A dog, a dog, one sentence", prompt)
    assert not texts.echoes("The dog sleeps in the sun.", prompt)


def test_what_only_announces_the_text_is_no_part_of_it() -> None:
    assert texts.written("Sure! Here it is:\n\nThe dog sleeps.") == "The dog sleeps."
    assert texts.written("```\nThe dog sleeps.\n```") == "The dog sleeps."
    assert texts.written("<think>A dog?</think>\nThe dog sleeps.") == "The dog sleeps."
    assert texts.written("Anna:\nHello.") == "Anna:\nHello."


def test_a_word_counts_in_its_forms_and_not_within_others() -> None:
    for text in ("a dog", "Dogs bark", "the dog's bone", "a dog-like fox", "DOG!"):
        assert texts.has_word(text, "dog")
    assert not texts.has_word("a dogma", "dog")
    assert texts.has_word("many cities", "city")


def drawn(template: str) -> Task:
    found = getattr(writing, template, None) or getattr(verses, template)
    task = found(Draws("writing", template))
    assert isinstance(task, Task)
    return task


MUTATED: Mapping[str, tuple[str, Callable[[str], str]]] = {
    "a loop instead of a sentence": ("sentence_about", lambda text: f"{text} {text} {text}"),
    "two sentences for one": ("sentence_about", lambda text: f"{text} We like that."),
    "a question mark for a mark": ("exclamation", lambda text: text.replace("!", "?")),
    "a statement for a question": ("question_to_ask", lambda text: text.replace("?", ".")),
    "one sentence for two": ("two_sentences", lambda text: text.split(".")[0] + "."),
    "cut off": ("two_sentences", lambda text: text.rstrip(".")),
    "no thanks": ("note_of_thanks", lambda text: text.replace("thank you for", "we got")),
    "words in another order": ("words_in_order", lambda text: " ".join(reversed(text.split()))),
    "a sentence too many": ("exact_sentences", lambda text: f"{text} So it goes."),
    "a line too many": ("lines_from_letter", lambda text: f"{text}\nSome say we went home"),
    "a line with another letter": (
        "lines_from_letter",
        lambda text: "Xylem is here now\n" + text.split("\n", 1)[1],
    ),
    "a word after the last": ("last_word", lambda text: text.rstrip(".") + " again."),
    "too long": ("length_between", lambda text: f"{text} They also do so on every other day of the week."),
    "no closing": ("letter_of_greeting", lambda text: text.replace("Best wishes,", "Bye,")),
    "no greeting": ("letter_of_greeting", lambda text: text.split("\n", 1)[1]),
    "a long third line": (
        "poem_of_three_lines",
        lambda text: f"{text} and all of those who are in it with us",
    ),
    "two lines": ("poem_of_three_lines", lambda text: text.rsplit("\n", 1)[0]),
    "the wrong speaker": ("dialogue", lambda text: "\n".join(reversed(text.split("\n")))),
    "no answer": ("question_and_answer", lambda text: text.split("?")[0] + "?"),
    "an acrostic upside down": ("acrostic", lambda text: "\n".join(reversed(text.split("\n")))),
    "lines that shrink": ("growing_lines", lambda text: "\n".join(reversed(text.split("\n")))),
    "sentences in another order": (
        "word_for_each_sentence",
        lambda text: ". ".join(reversed(text.rstrip(".").split(". "))) + ".",
    ),
    "the letter that is out": (
        "without_letter",
        lambda text: text.replace("The", "Look out, you tiny mouse: the"),
    ),
    "a word more": ("exact_length", lambda text: text.rstrip(".") + " now."),
    "yes": ("interview", lambda text: text.replace("I live", "Yes, I live")),
    "a word that skips a letter": ("alphabet_sentence", lambda text: text.rsplit(" ", 1)[0] + " zebras."),
    "no postscript": ("letter_with_postscript", lambda text: text.rsplit("\n", 1)[0]),
    "two sentences that begin alike": ("varied_beginnings", lambda text: text.replace("Nobody", "My sister")),
}


@pytest.mark.parametrize("case", MUTATED)
def test_a_text_that_misses_its_form_in_one_point_is_refused(case: str) -> None:
    template, spoil = MUTATED[case]
    task = drawn(template)

    assert task.check.passes(task.check.example)
    assert not task.check.passes(spoil(task.check.example))


IDLE = (
    "I'm sorry, but I can't help with that.",
    "As an AI language model, I cannot answer this. How can I help you today?",
    "Sure! What would you like to know?",
    "the the the the the the the the",
    "yes",
    "Once upon a time there was a little girl who lived in a village near the forest.",
)


@pytest.mark.parametrize("category", [Category.KNOWLEDGE, Category.MULTILINGUAL, Category.WRITING])
def test_no_template_takes_an_answer_that_has_nothing_to_do_with_it(category: Category) -> None:
    for level, templates in workload.TEMPLATES[category].items():
        for template in templates:
            task = template(Draws("idle", level, template.__name__))
            assert not any(map(task.check.passes, IDLE)), task


def test_no_text_is_the_prompt_shuffled() -> None:
    for level, templates in workload.TEMPLATES[Category.WRITING].items():
        for template in templates:
            task = template(Draws("shuffled", level, template.__name__))
            assert not task.check.passes(task.question), task
            assert not task.check.passes(" ".join(reversed(task.question.split()))), task


@pytest.mark.parametrize("category", [Category.KNOWLEDGE, Category.MULTILINGUAL, Category.WRITING])
def test_every_example_passes_and_fits_its_tokens(category: Category) -> None:
    for templates in workload.TEMPLATES[category].values():
        assert len(templates) >= 8
        for template in templates:
            for seed in range(8):
                task = template(Draws("example", seed))
                assert task.check.passes(task.check.example), task
                assert task.check.passes(f"{task.check.example}\n"), task
                assert len(task.check.example) / 2.5 <= task.max_tokens, task


def test_templates_of_a_category_have_names_of_their_own() -> None:
    for levels in workload.TEMPLATES.values():
        names = [template.__name__ for level in Level for template in levels[level]]
        assert len(set(names)) == len(names)


def test_nouns_take_their_article() -> None:
    assert [forms.with_article(noun) for noun in ("island", "river")] == ["an island", "a river"]


@pytest.mark.parametrize("category", [Category.KNOWLEDGE, Category.MULTILINGUAL, Category.WRITING])
def test_a_hundred_and_sixty_probes_of_a_category_all_differ(category: Category) -> None:
    asked: set[str] = set()
    for at in range(160):
        level, turn = tuple(Level)[at % 3], at // 3
        templates = workload.TEMPLATES[category][level]
        template = templates[turn % len(templates)]
        drawn = (template(Draws("many", at, attempt)).question for attempt in range(50))
        asked.add(next(question for question in drawn if question not in asked))

    assert len(asked) == 160
