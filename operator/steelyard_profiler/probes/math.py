"""Math: arithmetic, sequences, word problems, units and small equations, answered by one number.

Easy ones are of one step with small numbers, Medium ones of one step with larger numbers or of two steps; the
Hard ones are in `math_hard`.
"""

from dataclasses import replace

from steelyard.api.profile import Level
from steelyard_profiler import answers
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import LINE, Task, Templates
from steelyard_profiler.probes import math_hard
from steelyard_profiler.probes.math_hard import ONLY
from steelyard_profiler.probes.words import NAMES, THINGS

_SMALL_UNITS = (
    *(("minutes", "hours", 60, "min"), ("days", "weeks", 7, "d"), ("seconds", "minutes", 60, "s")),
    *(("centimetres", "metres", 100, "cm"), ("grams", "kilograms", 1000, "g"), ("hours", "days", 24, "h")),
    *(("millimetres", "centimetres", 10, "mm"), ("metres", "kilometres", 1000, "m")),
)
"""Small unit, large unit, how many make one, and the short name of the small one."""


def sum_of_digits(draws: Draws) -> Task:
    a, b = draws.between(2, 9), draws.between(2, 9)
    asked = draws.pick(
        (f"What is {a} + {b}?", f"Add {a} and {b}.", f"What is {a} plus {b}?", f"Calculate {a} + {b}.")
    )
    return Task(f"{asked} {ONLY}", answers.number(a + b, a, b))


def small_difference(draws: Draws) -> Task:
    b = draws.between(1, 9)
    a = b + draws.between(1, 9)
    asked = draws.pick(
        (f"What is {a} - {b}?", f"What is {a} minus {b}?", f"Subtract {b} from {a}.", f"Calculate {a} - {b}.")
    )
    return Task(f"{asked} {ONLY}", answers.number(a - b, a, b))


def small_product(draws: Draws) -> Task:
    a, b = draws.between(2, 9), draws.pick((2, 3, 4, 5, 10))
    asked = draws.pick(
        (
            f"What is {a} times {b}?",
            f"What is {a} * {b}?",
            f"Multiply {a} by {b}.",
            f"Calculate {a} * {b}.",
            f"What is {a} multiplied by {b}?",
        )
    )
    return Task(f"{asked} {ONLY}", answers.number(a * b, a, b))


def next_in_sequence(draws: Draws) -> Task:
    start, step = draws.between(1, 40), draws.pick((1, 2, 3, 5, 10))
    shown = [start + step * n for n in range(4)]
    question = f"What number comes next: {', '.join(map(str, shown))}? {ONLY}"
    every, named = [*shown, start + step * 4], answers.number(start + step * 4, *shown)
    return Task(
        question,
        replace(named, passes=lambda said: answers.numbers_said(said) == every or named.passes(said)),
    )


def given_more(draws: Draws) -> Task:
    first, second = draws.sample(NAMES, 2)
    thing, a, b = draws.pick(THINGS), draws.between(2, 9), draws.between(2, 9)
    question = (
        f"{first} has {a} {thing}. {second} gives {first} {b} more. How many {thing} does {first} have now?"
    )
    return Task(f"{question} {ONLY}", answers.number(a + b, a, b), LINE)


def given_away(draws: Draws) -> Task:
    name, thing, b = draws.pick(NAMES), draws.pick(THINGS), draws.between(2, 9)
    a = b + draws.between(2, 9)
    question = f"{name} has {a} {thing} and gives away {b} of them. How many {thing} does {name} have left?"
    return Task(f"{question} {ONLY}", answers.number(a - b, a, b), LINE)


def small_units(draws: Draws) -> Task:
    (small, large, factor, unit), count = draws.pick(_SMALL_UNITS), draws.between(2, 15)
    asked = draws.pick((f"How many {small} are in {count} {large}?", f"Convert {count} {large} to {small}."))
    return Task(f"{asked} {ONLY}", answers.quantity(count * factor, unit, count))


def largest_of_three(draws: Draws) -> Task:
    shown = draws.sample(range(11, 99), 3)
    word, right = draws.pick((("largest", max(shown)), ("smallest", min(shown))))
    options = [str(number) for number in shown]
    question = f"Which of these numbers is the {word}: {', '.join(options)}? {ONLY}"
    named = answers.choice(str(right), options, claim=word)
    check = replace(
        named,
        passes=lambda said: named.passes(said) and set(answers.numbers_said(said)) <= {*shown, len(shown)},
    )
    return Task(question, check, chance=1 / 3)


def sum_of_hundreds(draws: Draws) -> Task:
    a, b = draws.between(112, 879), draws.between(112, 879)
    return Task(f"What is {a} + {b}? {ONLY}", answers.number(a + b, a, b))


def two_by_one_product(draws: Draws) -> Task:
    a, b = draws.between(13, 98), draws.between(3, 9)
    return Task(f"Multiply {a} by {b}. {ONLY}", answers.number(a * b, a, b))


def percentage(draws: Draws) -> Task:
    percent, base = draws.pick((10, 20, 25, 50, 75)), 20 * draws.between(3, 40)
    return Task(f"What is {percent}% of {base}? {ONLY}", answers.number(base * percent // 100, percent, base))


def order_of_operations(draws: Draws) -> Task:
    a, b, c = draws.between(3, 19), draws.between(3, 12), draws.between(3, 12)
    return Task(f"What is {a} + {b} * {c}? {ONLY}", answers.number(a + b * c, a, b, c))


def bought_and_paid(draws: Draws) -> Task:
    name, thing = draws.pick(NAMES), draws.pick(THINGS)
    count, price = draws.between(3, 9), draws.between(3, 9)
    paid = 50 * (count * price // 50 + 1)
    question = (
        f"{name} buys {count} {thing} at {price} coins each and pays with {paid} coins. "
        f"How many coins does {name} get back? {ONLY}"
    )
    return Task(question, answers.number(paid - count * price, count, price, paid), LINE)


def linear_equation(draws: Draws) -> Task:
    x, a, b = draws.between(2, 15), draws.between(2, 9), draws.between(3, 40)
    return Task(f"Solve for x: {a}x + {b} = {a * x + b}. {ONLY}", answers.number(x, a, b, a * x + b), LINE)


def packed_in_boxes(draws: Draws) -> Task:
    name, thing, size = draws.pick(NAMES), draws.pick(THINGS), draws.between(6, 12)
    full, left = draws.between(4, 12), draws.between(2, size - 1)
    count = size * full + left
    question = (
        f"{name} packs {count} {thing} into boxes of {size}. How many {thing} are left over when no "
        f"further box can be filled? {ONLY}"
    )
    return Task(question, answers.number(left, *{count, size, full} - {left}), LINE)


def mean_of_three(draws: Draws) -> Task:
    mean, one, two = draws.between(20, 70), draws.between(3, 17), draws.between(3, 17)
    shown = draws.shuffled([mean - one, mean - two, mean + one + two])
    question = f"What is the average of {shown[0]}, {shown[1]} and {shown[2]}? {ONLY}"
    return Task(question, answers.number(mean, *shown))


def mixed_units(draws: Draws) -> Task:
    small, large, factor, unit = draws.pick(
        tuple(row for row in _SMALL_UNITS if row[0] != "millimetres" and row[0] != "seconds")
    )
    count, rest = draws.between(2, 9), draws.between(2, factor - 1)
    question = f"How many {small} are {count} {large} and {rest} {small} together? {ONLY}"
    return Task(question, answers.quantity(count * factor + rest, unit, count, rest), LINE)


TEMPLATES: Templates = {
    Level.EASY: (
        sum_of_digits,
        given_more,
        next_in_sequence,
        small_units,
        small_difference,
        given_away,
        small_product,
        largest_of_three,
    ),
    Level.MEDIUM: (
        sum_of_hundreds,
        bought_and_paid,
        linear_equation,
        mixed_units,
        two_by_one_product,
        packed_in_boxes,
        percentage,
        order_of_operations,
        mean_of_three,
    ),
    Level.HARD: math_hard.HARD,
}
