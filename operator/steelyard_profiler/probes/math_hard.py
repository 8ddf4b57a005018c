"""Math, the Hard ones: several steps with large numbers, equations and units, to be done without paper.

They differ in how far a large model gets without writing its steps down: most solve `ages`, few
`long_product`.
"""

import re
from fractions import Fraction
from math import gcd

from steelyard_profiler import answers
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import LINE, Task, Template
from steelyard_profiler.probes.words import NAMES, THINGS

ONLY = "Answer with the number only."


def long_product(draws: Draws) -> Task:
    a, b, c = draws.between(123, 987), draws.between(23, 98), draws.between(1234, 9876)
    question = f"Compute {a} * {b} - {c}. {ONLY}"
    return Task(question, answers.number(a * b - c, a, b, c), LINE)


def sum_of_products(draws: Draws) -> Task:
    a, b, c, d = draws.between(13, 48), draws.between(12, 29), draws.between(13, 48), draws.between(3, 9)
    return Task(f"What is {a} * {b} + {c} * {d}? {ONLY}", answers.number(a * b + c * d, a, b, c, d), LINE)


_MODULUS = re.compile(r"\(\s*\\?p?mod(?:ulo)?\s*\d+\s*\)")
"""What stands behind a congruence."""


def remainder_of_power(draws: Draws) -> Task:
    c, b = draws.pick((7, 11, 13, 17, 19, 23)), draws.between(11, 39)
    a = draws.between(3, c - 2)
    question = f"What is the remainder when {a} to the power of {b} is divided by {c}? {ONLY}"
    return Task(question, answers.number(pow(a, b, c), a, b, c).reading(_MODULUS), LINE)


def two_unknowns(draws: Draws) -> Task:
    x, y = draws.between(3, 29), draws.between(3, 29)
    a, b, c, d = (draws.between(2, 9) for _ in range(4))
    first, second = a * x + b * y, c * x - d * y
    question = (
        f"Two whole numbers x and y satisfy {a}x + {b}y = {first} and {c}x - {d}y = {second}. "
        f"What is 10x + 7y? {ONLY}"
    )
    return Task(question, answers.number(10 * x + 7 * y, a, b, c, d, first, second, 10, 7), LINE)


def ages(draws: Draws) -> Task:
    older, younger = draws.sample(NAMES, 2)
    now, ratio, then = draws.between(4, 16), draws.between(3, 6), draws.between(3, 19)
    total = now * (1 + ratio) + 2 * then
    question = (
        f"{older} is {ratio} times as old as {younger}. In {then} years their ages will add up to {total}. "
        f"How old is {older} now? {ONLY}"
    )
    of_younger = re.compile(rf"{younger}(?: is|['’]s age is|:)?\s*{now}\b(?: years old)?")
    return Task(question, answers.number(now * ratio, ratio, then, total).reading(of_younger), LINE)


def journey(draws: Draws) -> Task:
    slow, fast = 6 * draws.between(5, 9), 6 * draws.between(10, 19)
    hours, minutes, rest = draws.between(2, 4), 10 * draws.between(1, 5), 10 * draws.between(7, 14)
    metres = 1000 * slow * (60 * hours + minutes) // 60 + 1000 * fast * rest // 60
    question = (
        f"A truck drives {hours} hours and {minutes} minutes at {slow} km/h, rests for 25 minutes, then "
        f"drives {rest} minutes at {fast} km/h. How many metres has it driven? {ONLY}"
    )
    return Task(question, answers.quantity(metres, "m", hours, minutes, slow, 25, rest, fast), LINE)


def shared_bill(draws: Draws) -> Task:
    name, thing = draws.pick(NAMES), draws.pick(THINGS)
    friends, percent, share = draws.between(3, 8), draws.pick((10, 20, 25)), draws.between(21, 59)
    price, delivery = draws.between(2, 6), draws.between(4, 19)
    while (share * friends - delivery) * 100 % ((100 - percent) * price):
        price, delivery = draws.between(2, 6), draws.between(4, 19)
        friends, share = draws.between(3, 8), draws.between(21, 59)
    count = (share * friends - delivery) * 100 // ((100 - percent) * price)
    question = (
        f"{name} orders {count} {thing} at {price} dollars each, gets {percent}% off their price, and pays "
        f"{delivery} dollars for the delivery. The bill is shared equally by {friends} people. How many "
        f"dollars does each of them pay? {ONLY}"
    )
    check = answers.quantity(share, "dollars", count, price, percent, delivery, friends)
    return Task(question, check, LINE)


def pumped_water(draws: Draws) -> Task:
    tenths, hours, minutes = draws.between(11, 95), draws.between(2, 5), 5 * draws.between(1, 11)
    seconds = 60 * (60 * hours + minutes)
    used = draws.between(100, tenths * seconds // 40)
    question = (
        f"A pump moves {tenths // 10}.{tenths % 10} litres of water each second. It runs for {hours} hours "
        f"and {minutes} minutes into an empty tank, from which {used} litres are taken. How many litres are "
        f"in the tank then? {ONLY}"
    )
    given = (Fraction(tenths, 10), hours, minutes, used)
    return Task(question, answers.quantity(tenths * seconds // 10 - used, "l", *given), LINE)


def sum_of_fractions(draws: Draws) -> Task:
    first, second, third = draws.sample((3, 4, 5, 6, 7, 8, 9, 10, 12), 3)
    a, b, c = draws.between(1, first - 1), draws.between(1, second - 1), draws.between(1, third - 1)
    value = Fraction(a, first) + Fraction(b, second) - Fraction(c, third)
    if value.denominator == 1:
        return sum_of_fractions(draws)
    question = f"What is {a}/{first} + {b}/{second} - {c}/{third}? Answer with one fraction only."
    given = (Fraction(a, first), Fraction(b, second), Fraction(c, third))
    return Task(question, answers.number(value, *(one for one in given if one != value)), LINE)


def common_multiple(draws: Draws) -> Task:
    a, b, c = draws.between(12, 39), draws.between(12, 39), draws.between(5, 9)
    multiple = a * b // gcd(a, b)
    question = (
        f"Take the least common multiple of {a} and {b}, multiply it by {c}, and add the digits of the "
        f"result. What is the sum of the digits? {ONLY}"
    )
    return Task(question, answers.number(sum(map(int, str(multiple * c))), a, b, c), LINE)


HARD: tuple[Template, ...] = (
    long_product,
    ages,
    two_unknowns,
    journey,
    sum_of_fractions,
    shared_bill,
    remainder_of_power,
    sum_of_products,
    pumped_water,
    common_multiple,
)
