"""Math: arithmetic, sequences, word problems and small equations with one whole number as the answer."""

from math import gcd

from steelyard.api.profile import Level
from steelyard_profiler import answers
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import LINE, Task, Templates
from steelyard_profiler.probes.words import NAMES, THINGS

ONLY = "Answer with the number only."


def sum_of_digits(draws: Draws) -> Task:
    a, b = draws.between(2, 9), draws.between(2, 9)
    return Task(f"What is {a} + {b}? {ONLY}", answers.number(a + b, a, b))


def small_difference(draws: Draws) -> Task:
    b = draws.between(1, 8)
    a = b + draws.between(1, 9)
    return Task(f"What is {a} - {b}? {ONLY}", answers.number(a - b, a, b))


def next_in_sequence(draws: Draws) -> Task:
    start, step = draws.between(1, 12), draws.pick((1, 2, 5))
    shown = [start + step * n for n in range(4)]
    question = f"What number comes next: {', '.join(map(str, shown))}? {ONLY}"
    return Task(question, answers.number(start + step * 4, *shown))


def given_more(draws: Draws) -> Task:
    first, second = draws.sample(NAMES, 2)
    thing, a, b = draws.pick(THINGS), draws.between(2, 9), draws.between(2, 9)
    question = (
        f"{first} has {a} {thing}. {second} gives {first} {b} more. How many {thing} does {first} have now?"
    )
    return Task(f"{question} {ONLY}", answers.number(a + b, a, b))


def small_product(draws: Draws) -> Task:
    a, b = draws.between(2, 9), draws.pick((2, 3, 5, 10))
    return Task(f"What is {a} times {b}? {ONLY}", answers.number(a * b, a, b))


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
    return Task(question, answers.number(paid - count * price, count, price, paid))


def linear_equation(draws: Draws) -> Task:
    x, a, b = draws.between(2, 15), draws.between(2, 9), draws.between(3, 40)
    return Task(f"Solve for x: {a}x + {b} = {a * x + b}. {ONLY}", answers.number(x, a, b, a * x + b))


def long_product(draws: Draws) -> Task:
    a, b, c = draws.between(123, 987), draws.between(23, 98), draws.between(1234, 9876)
    question = f"Compute {a} * {b} - {c}. {ONLY}"
    return Task(question, answers.number(a * b - c, a, b, c), LINE)


def remainder_of_power(draws: Draws) -> Task:
    c, b = draws.pick((7, 11, 13, 17, 19, 23)), draws.between(11, 39)
    a = draws.between(3, c - 2)
    question = f"What is the remainder when {a} to the power of {b} is divided by {c}? {ONLY}"
    return Task(question, answers.number(pow(a, b, c), a, b, c), LINE)


def two_unknowns(draws: Draws) -> Task:
    x, y = draws.between(3, 29), draws.between(3, 29)
    a, b, c, d = (draws.between(2, 9) for _ in range(4))
    first, second = a * x + b * y, c * x - d * y
    question = (
        f"Two whole numbers x and y satisfy {a}x + {b}y = {first} and {c}x - {d}y = {second}. "
        f"What is 10x + 7y? {ONLY}"
    )
    return Task(question, answers.number(10 * x + 7 * y, a, b, c, d, first, second, 10, 7), LINE)


def journey(draws: Draws) -> Task:
    slow, fast = 6 * draws.between(5, 9), 6 * draws.between(10, 19)
    hours, minutes, rest = draws.between(2, 4), 10 * draws.between(1, 5), 10 * draws.between(7, 14)
    metres = 1000 * slow * (60 * hours + minutes) // 60 + 1000 * fast * rest // 60
    question = (
        f"A truck drives {hours} hours and {minutes} minutes at {slow} km/h, rests for 25 minutes, then "
        f"drives {rest} minutes at {fast} km/h. How many metres has it driven? {ONLY}"
    )
    return Task(question, answers.number(metres, hours, minutes, slow, 25, rest, fast), LINE)


def common_multiple(draws: Draws) -> Task:
    a, b, c = draws.between(12, 39), draws.between(12, 39), draws.between(5, 9)
    multiple = a * b // gcd(a, b)
    question = (
        f"Take the least common multiple of {a} and {b}, multiply it by {c}, and add the digits of the "
        f"result. What is the sum of the digits? {ONLY}"
    )
    return Task(question, answers.number(sum(map(int, str(multiple * c))), a, b, c), LINE)


TEMPLATES: Templates = {
    Level.EASY: (sum_of_digits, given_more, next_in_sequence, small_difference, small_product),
    Level.MEDIUM: (
        sum_of_hundreds,
        two_by_one_product,
        percentage,
        order_of_operations,
        bought_and_paid,
        linear_equation,
    ),
    Level.HARD: (long_product, remainder_of_power, two_unknowns, journey, common_multiple),
}
