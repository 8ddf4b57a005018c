"""Every question of Coding can be answered, by Python itself too."""

import contextlib
import copy
from typing import Any

import pytest

from steelyard_profiler import programs
from steelyard_profiler.draws import Draws
from steelyard_profiler.interpreter.operations import Halted
from steelyard_profiler.interpreter.program import Program
from steelyard_profiler.probe import Template
from steelyard_profiler.probes import coding, coding_bugs, coding_functions
from steelyard_profiler.probes.coding_bugs import Mistaken

EVERY = [template for templates in coding.TEMPLATES.values() for template in templates]
MISTAKEN = [*coding_bugs.FEW_LINES, *coding_bugs.LOOPS, *coding_bugs.ALGORITHMS]


@pytest.mark.parametrize("template", EVERY, ids=lambda template: template.__name__)
def test_each_template_makes_valid_tasks(template: Template) -> None:
    tasks = [template(Draws("coding", seed)) for seed in range(60)]

    assert len({task.question for task in tasks}) >= 16
    for task in tasks:
        check = task.check
        assert not task.tools
        assert check.passes(check.example), task
        assert not check.passes("I do not know."), task


def of_python(source: str, name: str, arguments: list[Any]) -> object:
    names: dict[str, Any] = {}
    exec(source, names)  # noqa: S102  these sources are our own
    return names[name](*copy.deepcopy(arguments))


def result(source: str, arguments: Any) -> str:
    with contextlib.suppress(Halted):
        return repr(Program(source).define().call("f", arguments))
    return "halted"


@pytest.mark.parametrize("mistaken", MISTAKEN, ids=lambda mistaken: mistaken.purpose)
def test_each_wrong_line_makes_a_difference(mistaken: Mistaken) -> None:
    right = [result("\n".join(mistaken.lines()), given) for given in mistaken.inputs]

    assert right == [
        repr(of_python("\n".join(mistaken.lines()), "f", list(given))) for given in mistaken.inputs
    ]
    for at, lines in mistaken.mistakes():
        assert [result("\n".join(lines), given) for given in mistaken.inputs] != right, lines[at - 1]


def test_what_a_program_prints_is_what_python_prints(capsys: pytest.CaptureFixture[str]) -> None:
    for template in EVERY:
        for seed in range(20):
            _, _, source = template(Draws("python", seed)).question.partition("print? Answer with ")
            _, _, source = source.partition("\n\n")
            if source:
                exec(source, {})  # noqa: S102  these sources are our own
                assert capsys.readouterr().out == programs.output_of(source) + "\n"


def test_a_sum_of_what_is_kept_is_never_nothing() -> None:
    assert "0" not in {coding.filtered_sum(Draws("kept", seed)).check.example for seed in range(200)}


ORDERS_OF_STEPS = ("xs[1:][::-1]", "xs[::-1][:-1]", "list(reversed(xs[1:]))", "[x for x in xs[:0:-1]]")


@pytest.mark.parametrize("body", ORDERS_OF_STEPS)
def test_a_list_that_is_cut_and_turned_round_is_said_in_one_way_only(body: str) -> None:
    drawn = (coding_functions.of_a_list(Draws("turned", seed)) for seed in range(200))
    task = next(task for task in drawn if "in reverse order" in task.question)
    name = task.question.split("Python function ")[1].split(" ")[0]

    assert "all its items but the first, in reverse order" in task.question
    assert task.check.passes(f"def {name}(xs):\n    return {body}")
    assert not task.check.passes(f"def {name}(xs):\n    return xs[::-1][1:]"), (
        "the first one is that of the list"
    )


SAME_ORDERS = {
    "O(n^2)": ("O(n²)", "O(n^{2})", "$O(n^2)$", "O(n**2)", "O( n^2 )", r"\(O(n^2)\)", "O(n*n)", "O(N^2)"),
    "O(log n)": (
        "O(log(n))",
        r"$O(\log n)$",
        "O(log2 n)",
        "O(logn)",
        "O(log_2 n)",
        "O(log₂ n)",
        r"$O(\log(n))$",
    ),
    "O(n log n)": (
        "O(n*log n)",
        "O(n log(n))",
        r"$O(n \log n)$",
        "O(nlogn)",
        "O(n · log n)",
        "O(n * log(n))",
    ),
    "O(n)": ("O(n).", "**O(n)**", "It is O(n), as the inner loop runs 5 times.", r"$\mathcal{O}(n)$"),
    "O(1)": ("`O(1)`", "O( 1 )", "The time is O(1)."),
}


@pytest.mark.parametrize("order", SAME_ORDERS)
def test_an_order_of_growth_is_taken_in_every_usual_form(order: str) -> None:
    tasks = [coding.order_of_loop(Draws("order", seed)) for seed in range(40)]
    check = next(task.check for task in tasks if task.check.example == order)

    for form in SAME_ORDERS[order]:
        assert check.passes(form), form
    for other in ("O(n^3)", "O(2^n)", "O(n log n^2)", f"{order} or O(2^n)", f"not {order}", "n"):
        assert not check.passes(other), other
    for other in (form for name, forms in SAME_ORDERS.items() if name != order for form in forms):
        assert not check.passes(other), other
