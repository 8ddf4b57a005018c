"""Instruction is strict: an answer that misses one of the constraints is wrong, however near it comes."""

import re
from collections.abc import Callable, Mapping, Sequence

import pytest

from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import Task, Template
from steelyard_profiler.probes import instruction, prose

ALL = {template.__name__: template for templates in instruction.TEMPLATES.values() for template in templates}


def tasks(template: Template) -> list[Task]:
    return [template(Draws("near", template.__name__, seed)) for seed in range(20)]


def swapped(text: str, separator: str) -> str:
    first, second, *rest = text.split(separator)
    return separator.join([second, first, *rest])


NEAR_MISSES: Mapping[str, Callable[[str], Sequence[str]]] = {
    "repeat_sentence": lambda right: [
        f"It says: {right}",
        right.replace("The ", ""),
        right.replace("in", "at"),
    ],
    "one_from_list": lambda right: [f"I choose {right}.", f"{right}, {right}"],
    "capital_letters": lambda right: [right.lower(), right.title(), f"The word is {right}"],
    "short_sentence": lambda right: [
        right.split()[1],
        right.replace("here.", "here. Yes."),
        "It is here.",
    ],
    "say_only": lambda right: [f"{right} there", f"I say {right}.", f"{right} {right}", swapped(right, " ")],
    "ask_question": lambda right: [right.replace("?", "."), f"{right} {right}", "Where are you?"],
    "begin_with": lambda right: [f"Yes, {right}", f"{right} It is big.", right.lower()],
    "both_words": lambda right: [
        right.split()[0] + " sleeps.",
        "It has " + right.split(" ", 2)[2],
        f"{right} Yes.",
    ],
    "end_with": lambda right: [right.replace(".", " today."), "It is a " + right.split()[-1]],
    "repeat_times": lambda right: [f"{right} {right.split()[0]}", right[right.index(" ") + 1 :]],
    "alphabetical": lambda right: [swapped(right, ", "), right.replace(",", ""), right[: right.rindex(",")]],
    "backwards_list": lambda right: [", ".join(right.split(", ")[::-1]), right.replace(", ", "; ")],
    "count_down": lambda right: [right[: right.rindex("-")], right.replace("-", ", "), swapped(right, "-")],
    "exact_words": lambda right: [right[:-1] + " today.", right.replace("alone ", ""), "a b c d e f g h i."],
    "bullet_points": lambda right: [
        right.replace("- ", "* "),
        f"Things:\n{right}",
        f"{right}\n- trees",
        right.replace("\n", " "),
    ],
    "hyphenated_title": lambda right: [right.lower(), right.replace("-", " "), swapped(right, "-")],
    "between_marks": lambda right: [right.lower(), right[2:-2], f"{right} {right}", right[:-2]],
    "word_without_letter": lambda right: [right.lower(), f"It is {right}.", right[:-1]],
    "numbered_lines": lambda right: [right.replace(")", "."), swapped(right, "\n"), right.replace("\n", " ")],
    "avoided_letter": lambda right: [
        re.sub(r" \w+(?= \w+\.$)", " transparent", right),
        " ".join(right.split()[1:]),
        right.replace(" by", ""),
    ],
    "first_letters": lambda right: [
        swapped(right, "\n"),
        right[: right.rindex("\n")],
        right[: right.rindex(" ")],
        right[: right.rindex(" ")] + " " + right.split()[0],
    ],
    "alternating_letters": lambda right: [right.lower(), right[::-1], right[1:]],
    "spelled_backwards": lambda right: [right.lower(), right[::-1], right.replace(right[1], "")],
    "filtered_and_sorted": lambda right: [right.lower(), swapped(right, "; "), right.replace(";", ",")],
    "constrained_object": lambda right: [
        right.replace("43", "45"),
        right.replace("[47, 43, 41]", "[41, 43, 47]"),
        right.replace("2021", "2022"),
        right.replace("small", "little"),
        right.replace("a small", "a a"),
        f"Here it is: {right}",
    ],
    "markdown_table": lambda right: [
        re.sub(r"\|-+\|-+\|\n", "", right),
        right[: right.rindex("\n")],
        re.sub(r" (three|four|five|six) \|", " seven |", right),
    ],
    "sentence_lengths": lambda right: [
        swapped(right, ". "),
        right.replace("big", "big,", 1),
        right.replace("big", "the", 1),
        re.sub(r"A \w+", "A tree", right),
    ],
    "same_initial": lambda right: [
        right.replace("small", "big"),
        right.replace("small", "silver"),
        right.replace(" small", ""),
        right[:-1] + " still.",
    ],
    "fixed_positions": lambda right: [
        " ".join(right.split()[1:]),
        right[:-1] + " again.",
        right.replace("ship", "elephant"),
        swapped(right, " may "),
    ],
}


@pytest.mark.parametrize("name", ALL)
def test_a_near_miss_is_wrong(name: str) -> None:
    for task in tasks(ALL[name]):
        right = task.check.example
        misses = [miss for miss in NEAR_MISSES[name](right) if miss != right]
        assert misses
        assert not [miss for miss in misses if task.check.passes(miss)], task


@pytest.mark.parametrize("name", ALL)
def test_chatter_round_the_answer_is_wrong(name: str) -> None:
    for task in tasks(ALL[name]):
        right = task.check.example
        for chatter in (f"Sure! {right}", f"{right}\n\nHope this helps!", f"{right}\n{right}"):
            assert not task.check.passes(chatter), (chatter, task)


@pytest.mark.parametrize("name", ALL)
def test_wrapping_is_forgiven(name: str) -> None:
    for task in tasks(ALL[name]):
        right = task.check.example
        for wrapped in (f"```\n{right}\n```", f"<think>I must count.</think>\n{right}", f"\u200b{right}\n"):
            assert task.check.passes(wrapped), (wrapped, task)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("It rains.", 1),
        ("It rains", 1),
        ('"It rains."', 1),
        ("It rains. It pours!", 2),
        ("Does it rain? Yes.", 2),
        ("It costs 2.50 today.", 1),
        ("", 0),
    ],
)
def test_sentences_are_counted(text: str, count: int) -> None:
    assert prose.sentences(text) == count


def test_a_count_that_is_filled_up_is_no_prose() -> None:
    assert prose.is_prose("One parrot lives alone in Geneva.")
    assert not prose.is_prose("the the the parrot")
    assert not prose.is_prose("a b a b a b")
