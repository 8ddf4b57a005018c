"""LongContext: needles in notes of our own, as long as the suite says, at every depth."""

import re
from collections.abc import Iterator
from itertools import chain

import pytest

from steelyard.api.measuring import ProfileLimits, Suite
from steelyard.api.profile import Category, Level
from steelyard_profiler import workload
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import Task, Template
from steelyard_profiler.probes import haystacks, longcontext
from steelyard_profiler.room import LONG_SHARE, Room
from steelyard_profiler.target import Asked

TEMPLATES = list(chain.from_iterable(longcontext.TEMPLATES.values()))


def tasks(suite: str, level: Level, count: int) -> Iterator[Task]:
    made_from = longcontext.TEMPLATES[level]
    for number in range(count):
        yield made_from[number % len(made_from)](Draws(suite, 1, "LongContext", level, number, 0))


def test_there_are_eight_templates_a_level_and_more() -> None:
    assert all(len(longcontext.TEMPLATES[level]) >= 8 for level in Level)
    assert len({template.__name__ for template in TEMPLATES}) == len(TEMPLATES) >= 25


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.__name__)
def test_a_right_answer_is_right_and_no_other_draws_answer_is_always(template: Template) -> None:
    made = [template(Draws("Quick/2", 1, number)) for number in range(12)]

    assert all(task.check.passes(task.check.example) for task in made)
    assert not any(task.check.passes("I do not know.") for task in made)
    assert len({task.check.example for task in made}) > 1
    assert any(not made[0].check.passes(task.check.example) for task in made)


@pytest.mark.parametrize("suite", haystacks.SIZES)
@pytest.mark.parametrize("level", Level)
def test_notes_are_as_long_as_the_suite_says(suite: str, level: Level) -> None:
    sizes = haystacks.SIZES[suite][level]
    for task in tasks(f"{suite}/1", level, 9):
        told = len(task.question) / haystacks.BYTES_PER_TOKEN
        assert min(sizes) - 10 <= told <= max(sizes) + 140, "the question comes to the notes"


def test_twenty_probes_of_quick_take_less_than_10_000_tokens() -> None:
    asked = chain.from_iterable(tasks("Quick/2", level, 7) for level in Level)
    assert sum(len(task.question) / 4 + task.max_tokens for task in asked) < 10_000


def test_needles_lie_at_every_depth_and_keep_their_order() -> None:
    depths = []
    for number in range(60):
        text = haystacks.filled(Draws("x", number), 300, ["Needle one.", "Needle two."])
        one, two = text.index("Needle one."), text.index("Needle two.")
        assert one < two
        depths += [one / len(text), two / len(text)]
    assert min(depths) < 0.05 and max(depths) > 0.9
    assert all(any(low <= depth < low + 0.2 for depth in depths) for low in (0.0, 0.2, 0.4, 0.6, 0.8))


def test_what_fills_has_no_digit_and_hardly_repeats_itself() -> None:
    text = haystacks.filled(Draws("x", 1), 2000, [])
    sentences = re.findall(r"[A-Z][^.]*\.", text)

    assert not re.search(r"\d", text)
    assert len(set(sentences)) > 0.98 * len(sentences)


def test_other_draws_make_other_notes_and_the_same_the_same() -> None:
    first, again, other = (
        longcontext.code_of_item(Draws("Full/1", seed, "a")).question for seed in (1, 1, 2)
    )
    assert first == again != other


def test_a_question_beyond_the_context_is_not_asked_and_it_is_said() -> None:
    room = Room(ProfileLimits())
    assert room.takes(Asked("x" * 40_000, 8)) and room.notes() == []
    room.context_tokens = 4096
    assert not room.takes(Asked("x" * 40_000, 8)) and room.takes(Asked("x" * 16_000, 8))
    assert room.notes() == ["1 questions were not asked: they are longer than the context of 4096 tokens."]


def test_long_questions_take_no_more_than_their_share() -> None:
    room = Room(ProfileLimits(max_tokens=10_000))
    taken = [room.takes(Asked("x" * 4000, 0)) for _ in range(6)]

    assert taken == [True, True, True, True, False, False] and LONG_SHARE == 0.4
    assert room.takes(Asked("short", 8)), "short ones have their own"
    assert "2 long questions were not asked" in room.notes()[0]


@pytest.mark.parametrize("seed", range(12))
def test_the_first_batch_of_standard_has_room_whatever_the_seed(seed: int) -> None:
    first, *_ = workload.PLANS[Suite.STANDARD].batch_ends
    probes = workload.category_probes(Suite.STANDARD, seed, Category.LONG_CONTEXT, first)

    assert Room(ProfileLimits()).takes_all([probe.asked() for probe in probes])


def test_a_batch_of_long_questions_is_taken_whole_or_not_at_all() -> None:
    room, short, long = Room(ProfileLimits(max_tokens=10_000)), Asked("short", 8), Asked("x" * 4000, 0)

    assert room.takes_all([long] * 4 + [short] * 9) and room.notes() == []
    assert room.takes(long) and not room.takes_all([long] * 4 + [short])
    assert "4 long questions were not asked" in room.notes()[0]
