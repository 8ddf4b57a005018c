"""What a probe takes as said: not its thoughts, and not what it repeats of the question."""

import pytest

from steelyard.api.profile import Category, Level
from steelyard_profiler import answers, names, programs
from steelyard_profiler.answers import Check
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import Probe
from steelyard_profiler.probes import knowledge

PROGRAM = ["def f(xs):", "    s = 1", "    for x in xs:", "        s = s + x", "    return s"]


def probe(question: str, check: Check) -> Probe:
    return Probe(Category.REASONING, Level.EASY, 0, "", question, 24, check)


WORD = probe("What does it print?", Check(lambda answer: programs.says_output(answer, "eltsac"), "eltsac"))
LINE = probe("Which line is wrong?", programs.wrong_line(PROGRAM, 2))
OWNED = probe(
    "Every farmer in the town owns a camera. Karl is a farmer in the town. Nobody owns a boat. "
    "What does Karl own? Answer in a few words.",
    answers.choice("camera", ("camera", "boat")),
)
FOLLOWS = probe(
    "No vixes are dorps. Some dorps are glips. Does it follow for certain that some glips are not vixes? "
    "Answer with yes or no only.",
    answers.choice("yes", ("yes", "no")),
)
CODE = probe(
    "The day was long. The code of the lamp is 4603. Nobody came. What is the code of the lamp?",
    answers.number(4603),
)
RED = probe("What kind of animal is this: owl?", names.one_of("bird", ("bird", "fish"), ("owl",)))

CASES: dict[str, tuple[Probe, str, bool]] = {
    "an output after a thought": (WORD, "<think>hmm maybe 3 or 7</think>\neltsac", True),
    "an output in a thought": (WORD, "<think>eltsac</think>\ncastle", False),
    "a line after a thought": (LINE, "<think>Line 1 is fine, line 3?</think>Line 2", True),
    "a line in a thought": (LINE, "<think>Line 2</think>Line 3", False),
    "a line after the end of a thought": (LINE, "Line 1 or line 3? </think>Line 2", True),
    "a thought that is cut": (LINE, "<think>Line 2 it is, or", False),
    "a name after a thought": (RED, "<think>fish or bird?</think>bird", True),
    "the first sentence": (OWNED, "Every farmer in the town owns a camera.", False),
    "the first sentence in capitals": (OWNED, "EVERY FARMER IN THE TOWN OWNS A CAMERA", False),
    "the first sentence twice": (OWNED, "Every farmer in the town owns a camera. " * 2, False),
    "two sentences": (
        OWNED,
        "Every farmer in the town owns a camera. Karl is a farmer in the town.",
        False,
    ),
    "a sentence and a half": (OWNED, "Every farmer in the town owns a camera. Karl is a farm", False),
    "the first sentence and an answer": (
        OWNED,
        "Every farmer in the town owns a camera. So Karl owns a camera.",
        True,
    ),
    "an answer that begins as the question does": (OWNED, "Every farmer owns a camera, so a camera.", True),
    "a sentence that quotes the place": (CODE, "The code of the lamp is 4603.", True),
    "no of a premise": (FOLLOWS, "No vixes are dorps.", False),
    "an answer of yes": (FOLLOWS, "Yes. No vixes are dorps.", True),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_probe_takes_as_said(case: str) -> None:
    asked, answer, right = CASES[case]

    assert asked.accepts(answer) is right


NOT = probe(
    "No blons are snobs. Some blons are glips. Does it follow for certain that all glips are snobs? "
    "Answer with yes or no only.",
    answers.choice("no", ("yes", "no")),
)
NO = {
    "No": True,
    "No, it does not.": True,
    "No, they are not.": True,
    "No it is not certain.": True,
    "No blons are snobs, so no.": True,
    "No snobs are blons.": False,
    "No snobs are glips.": False,
}


@pytest.mark.parametrize("answer", NO)
def test_no_before_a_noun_is_no_answer(answer: str) -> None:
    assert NOT.accepts(answer) is NO[answer]


def test_an_order_after_a_thought_is_read() -> None:
    task = knowledge.order_of_three(Draws("order", 1))
    asked = probe(task.question, task.check)

    assert asked.accepts(f"<think>1 then 2</think>{task.check.example}")
    assert not asked.accepts(f"<think>{task.check.example}</think>")


@pytest.mark.parametrize("form", ["It is not {}", "{} is wrong", "{} or perhaps not", "Never {}"])
def test_an_order_that_is_denied_is_none(form: str) -> None:
    check = knowledge.order_of_three(Draws("order", 1)).check

    assert check.passes(f"The order is {check.example}.")
    assert not check.passes(form.format(check.example))
