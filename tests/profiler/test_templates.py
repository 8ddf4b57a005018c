"""Every template of every category: the same everywhere, right where it is right, and no pass for fishing."""

import json
import re
from functools import cache
from itertools import pairwise

import pytest

from steelyard.api.profile import Category, Level
from steelyard_profiler import answers, workload
from steelyard_profiler.calls import CallCheck
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import Probe, Task, Template
from steelyard_profiler.probes import words

SEEDS = range(60)

CHECK = answers.number(1)

_MANY = (
    [str(number) for number in range(60)],
    [f"{number // 60:02}:{number % 60:02}" for number in range(0, 1440, 45)],
    [*words.NAMES, *words.CITIES, *words.JOBS],
    [*words.DAYS, *words.MONTHS, *words.COLORS, *words.ANIMALS],
    [*words.NOUNS, *words.THINGS, "yes", "no", "unknown", "north", "east", "south", "west"],
)

NETS = tuple(
    form.format(joint.join(many))
    for many in _MANY
    for form, joint in (
        ("{}", " "),
        ("{}", ", "),
        ("The answer is {}", " or "),
        ("The answer is {}.", ". The answer is "),
        ("Answer: {}", "\nAnswer: "),
        ("It is {}.", ". It is "),
        ("x = {}", ", x = "),
        ("- {}", "\n- "),
    )
)
"""Answers that hold every value that a question may ask for."""

IDLE = ("", " \n", ".", "I don't know", "I do not know.", "{}", "[]", "As an AI I cannot answer.")

TEMPLATES = [
    pytest.param(template, id=f"{category}-{level}-{template.__name__}")
    for category, levels in workload.TEMPLATES.items()
    for level, templates in levels.items()
    for template in templates
]

FEW = 8
"""Tasks of a template that are answered in many ways."""

BASIC = (Category.MATH, Category.REASONING, Category.INSTRUCTION, Category.EXTRACTION)

BASIC_TEMPLATES = [
    template for category in BASIC for level in workload.TEMPLATES[category].values() for template in level
]

every_template = pytest.mark.parametrize("template", TEMPLATES)


@cache
def tasks(template: Template) -> tuple[Task, ...]:
    return made(template)


def made(template: Template) -> tuple[Task, ...]:
    return tuple(template(Draws("test", template.__name__, seed)) for seed in SEEDS)


def accepts(task: Task, answer: str, *, given_calls: bool = False) -> bool:
    probe = Probe(
        Category.MATH, Level.EASY, 0, "", task.question, task.max_tokens, task.check, system=task.system
    )
    return probe.accepts(
        answer, task.check.calls if given_calls and isinstance(task.check, CallCheck) else ()
    )


@every_template
def test_the_same_draws_give_the_same_task(template: Template) -> None:
    for one, other in zip(tasks(template), made(template), strict=True):
        assert (
            one.question,
            one.system,
            one.max_tokens,
            one.chance,
            one.check.example,
            one.check.options,
        ) == (
            other.question,
            other.system,
            other.max_tokens,
            other.chance,
            other.check.example,
            other.check.options,
        )


@every_template
def test_its_example_is_right_and_fits(template: Template) -> None:
    for task in tasks(template)[:30]:
        assert accepts(task, task.check.example, given_calls=True), task
        assert accepts(task, f"  {task.check.example}\n", given_calls=True), task
        assert len(task.check.example) / 2.5 <= task.max_tokens <= 256, task


@every_template
def test_an_answer_that_says_nothing_is_wrong(template: Template) -> None:
    for task in tasks(template)[:FEW]:
        for idle in (
            "",
            " \n",
            ".",
            "I don't know",
            "I do not know.",
            "{}",
            "[]",
            "As an AI I cannot answer.",
        ):
            assert not accepts(task, idle), (idle, task)


@every_template
def test_the_question_itself_is_no_answer(template: Template) -> None:
    for task in tasks(template)[:FEW]:
        question = task.question
        # Capitals of some languages do not lead back to the same small letters.
        loud = question.upper() if question.isascii() else question
        for echo in (question, loud, f"{question}\n\n{question}", question.replace(" ", "\n")):
            assert not accepts(task, echo), (echo, task)


@every_template
def test_all_options_at_once_are_no_answer(template: Template) -> None:
    for task in (task for task in tasks(template)[:FEW] if len(task.check.options) > 1):
        options = task.check.options
        for joint in (", ", "\n", " or ", " and ", "/", ". ", "\n- ", " Or maybe "):
            for listed in (options, options[::-1]):
                assert not accepts(task, joint.join(listed)), (joint, task)
                assert not accepts(task, f"The answer is {joint.join(listed)}"), (joint, task)
        many = "".join(f"The answer is {option}. " for option in options)
        assert not accepts(task, many), task


@every_template
def test_fishing_with_everything_there_is_catches_nothing(template: Template) -> None:
    for task in tasks(template)[:1]:
        for net in NETS:
            assert not accepts(task, net), (net[:40], task)


@every_template
def test_an_answer_to_another_question_is_rarely_right(template: Template) -> None:
    pairs = [(one, other) for one, other in pairwise(tasks(template)) if one.question != other.question]
    right = sum(accepts(one, other.check.example) for one, other in pairs)

    assert right / len(pairs) <= max(pairs[0][0].chance, 0.2) + 0.15


@every_template
def test_its_chance_is_that_of_a_guess_among_the_options_that_it_names(template: Template) -> None:
    for task in tasks(template):
        options, told = task.check.options, f"{task.question} {json.dumps(task.tools)}".casefold()
        are_named = len(options) > 1 and all(option.casefold() in told for option in options)
        assert 0 <= task.chance <= 1 / 2
        if options:
            assert task.chance == (1 / len(options) if are_named else 0), task


@every_template
def test_its_text_is_clean(template: Template) -> None:
    for task in tasks(template):
        for text in (task.question, task.system):
            assert text == text.strip()
            assert all(character == "\n" or character.isprintable() for character in text), text
            assert not re.search(r"\S {2,}\S| $|\{\w*\}", text, re.MULTILINE), text


@every_template
def test_it_asks_many_different_questions(template: Template) -> None:
    generated = template in BASIC_TEMPLATES and not all(task.chance for task in tasks(template))
    of_few = all(task.check.options for task in tasks(template))
    least = (25 if of_few else 50) if generated else 12  # of facts, words and days there are only so many

    assert len({task.question for task in tasks(template)}) >= least


@pytest.mark.parametrize("category", workload.TEMPLATES)
def test_a_level_asks_different_questions(category: Category) -> None:
    for level in Level:
        asked = {
            task.question for template in workload.TEMPLATES[category][level] for task in tasks(template)
        }
        assert len(asked) >= 60


def test_no_level_is_empty_and_no_category_small() -> None:
    for levels in workload.TEMPLATES.values():
        assert all(len(levels[level]) >= 4 for level in Level)
        assert sum(len(templates) for templates in levels.values()) >= 12


def test_a_template_has_a_name_of_its_own() -> None:
    for levels in workload.TEMPLATES.values():
        names = [template.__name__ for templates in levels.values() for template in templates]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("category", BASIC)
def test_a_basic_category_has_eight_templates_in_each_level(category: Category) -> None:
    assert all(len(workload.TEMPLATES[category][level]) >= 8 for level in Level)


FORMS = (
    "{}.",
    "**{}**",
    '"{}"',
    "`{}`",
    "The answer is {}.",
    "Answer: {}",
    "**Answer:** {}",
    "So the answer is **{}**.",
    "$\\boxed{{{}}}$",
    "It is {}",
    "<think>Hmm, one or two?</think>\n\n{}",
    "Let me think about it step by step.\n\nThe final answer is: {}",
    "\u200b {}\u00a0",
)
"""How models give a short answer."""


@pytest.mark.parametrize(
    "template",
    [
        pytest.param(template, id=template.__name__)
        for category in (Category.MATH, Category.REASONING, Category.EXTRACTION)
        for templates in workload.TEMPLATES[category].values()
        for template in templates
    ],
)
def test_a_right_answer_counts_in_every_common_form(template: Template) -> None:
    for task in tasks(template)[:20]:
        right = task.check.example
        is_json = right[0] in "{["
        for form in ("{}", "```json\n{}\n```", "Here it is:\n{}\nDone.") if is_json else FORMS:
            assert accepts(task, form.format(right)), (form.format(right), task)
            assert accepts(task, f"{task.question}\n\n{form.format(right)}"), (form.format(right), task)
