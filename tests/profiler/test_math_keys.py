"""The answers of Math's questions, worked out once more from the questions' words alone."""

import re
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from math import lcm

import pytest

from steelyard_profiler.draws import Draws
from steelyard_profiler.probes import math

ALL = {template.__name__: template for templates in math.TEMPLATES.values() for template in templates}

Number = int | Fraction


def numbers(question: str) -> list[int]:
    return [int(found) for found in re.findall(r"(?<![\d.])\d+(?![\d.]*\d)", question)]


def value(expression: str) -> int:
    """Of a sum of products, such as "3 * 4 + 5 * 6 - 7"."""
    terms = re.findall(r"([+-]?)\s*(\d+(?:\s*\*\s*\d+)*)", expression)
    total = 0
    for sign, term in terms:
        factors = [int(factor) for factor in term.split("*")]
        result = 1
        for factor in factors:
            result *= factor
        total += -result if sign == "-" else result
    return total


def of_expression(question: str) -> int:
    found = re.search(r"\d[\d\s*+-]*\d", question)
    assert found
    return value(found[0])


def difference(question: str) -> int:
    one, two = numbers(question)
    return abs(one - two)


def in_small_units(question: str) -> int:
    factors = {
        ("minutes", "hours"): 60,
        ("days", "weeks"): 7,
        ("seconds", "minutes"): 60,
        ("centimetres", "metres"): 100,
        ("grams", "kilograms"): 1000,
        ("hours", "days"): 24,
        ("millimetres", "centimetres"): 10,
        ("metres", "kilometres"): 1000,
    }
    counts = re.findall(r"(\d+) (\w+)", question)
    small = re.findall(r"How many (\w+)|to (\w+)\.", question)[0]
    unit = small[0] or small[1]
    return sum(int(count) * (1 if named == unit else factors[unit, named]) for count, named in counts)


def extreme(question: str) -> int:
    return (max if "largest" in question else min)(numbers(question))


def unknown(question: str) -> int:
    a, b, c = numbers(question)
    return next(x for x in range(1000) if a * x + b == c)


def unknowns(question: str) -> int:
    a, b, first, c, d, second = numbers(question.replace("-", " "))[:6]
    second = int(re.findall(r"= (-?\d+)", question)[1])
    solved = {
        10 * x + 7 * y
        for x, y in product(range(-99, 100), repeat=2)
        if a * x + b * y == first and c * x - d * y == second
    }
    assert len(solved) == 1
    return solved.pop()


def age(question: str) -> int:
    ratio, years, total = numbers(question)
    return next(ratio * y for y in range(200) if ratio * y + y + 2 * years == total)


def metres(question: str) -> Number:
    hours, minutes, slow, _, rest, fast = numbers(question)
    return 1000 * (Fraction(slow * (60 * hours + minutes), 60) + Fraction(fast * rest, 60))


def share(question: str) -> Number:
    count, price, percent, delivery, people = numbers(question.replace("%", " %"))
    return (Fraction(count * price * (100 - percent), 100) + delivery) / people


def litres(question: str) -> Number:
    flow = re.search(r"moves ([\d.]+)", question)
    assert flow
    hours, minutes, used = numbers(question.replace(flow[1], "", 1))
    return Fraction(flow[1]) * (hours * 3600 + minutes * 60) - used


def fractions(question: str) -> Number:
    found = re.findall(r"([+-]?) ?(\d+)/(\d+)", question)
    return sum((Fraction(int(a), int(b)) * (-1 if sign == "-" else 1) for sign, a, b in found), Fraction(0))


def digits(question: str) -> int:
    a, b, c = numbers(question)
    return sum(int(digit) for digit in str(lcm(a, b) * c))


def remainder(question: str) -> int:
    a, b, c = numbers(question)
    left = 1
    for _ in range(b):
        left = left * a % c
    return left


def product_of_two(question: str) -> int:
    one, two = numbers(question)
    return one * two


def percent(question: str) -> Number:
    share, base = numbers(question.replace("%", " "))
    return Fraction(share * base, 100)


def change(question: str) -> int:
    count, price, paid = numbers(question)
    return paid - count * price


def left_over(question: str) -> int:
    count, size = numbers(question)
    return count - size * (count // size)


def mean(question: str) -> Number:
    return Fraction(sum(numbers(question)), 3)


def following(question: str) -> int:
    shown = numbers(question)
    return shown[-1] + shown[-1] - shown[-2]


SOLVED: dict[str, Callable[[str], Number]] = {
    "sum_of_digits": lambda question: sum(numbers(question)),
    "given_more": lambda question: sum(numbers(question)),
    "next_in_sequence": following,
    "small_units": in_small_units,
    "small_difference": difference,
    "given_away": difference,
    "small_product": product_of_two,
    "largest_of_three": extreme,
    "sum_of_hundreds": of_expression,
    "two_by_one_product": product_of_two,
    "percentage": percent,
    "order_of_operations": of_expression,
    "bought_and_paid": change,
    "linear_equation": unknown,
    "packed_in_boxes": left_over,
    "mean_of_three": mean,
    "mixed_units": in_small_units,
    "long_product": of_expression,
    "sum_of_products": of_expression,
    "remainder_of_power": remainder,
    "two_unknowns": unknowns,
    "ages": age,
    "journey": metres,
    "shared_bill": share,
    "pumped_water": litres,
    "sum_of_fractions": fractions,
    "common_multiple": digits,
}


@pytest.mark.parametrize("name", ALL)
def test_the_answer_is_that_of_the_question(name: str) -> None:
    for seed in range(12):
        task = ALL[name](Draws("keys", name, seed))
        solved = SOLVED[name](task.question)

        assert task.check.passes(str(solved)), (task.question, solved, task.check.example)
        for wrong in (solved + 1, solved - 1, 10 * solved + 1, -solved - 2):
            assert not task.check.passes(str(wrong)), (task.question, wrong)
