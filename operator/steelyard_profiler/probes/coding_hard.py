"""The Hard questions of Coding about what a program prints, and about numbers as machines hold them."""

import re

from steelyard_profiler import answers, programs
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import LINE, LONG, Task
from steelyard_profiler.probes.words import NOUNS

_PRINTS = "What does this Python program print? Answer with the output only.\n\n"


def recursive_value(draws: Draws) -> Task:
    a, b, n = draws.between(2, 4), draws.between(1, 9), draws.between(7, 10)
    c = draws.between(1, 9)
    source = (
        f"def f(n):\n    if n < 2:\n        return n + {b}\n"
        f"    if n % 2:\n        return f(n - 1) - f(n - 3) + {c}\n"
        f"    return {a} * f(n - 2) + f(n // 2)\n\nprint(f({n}))"
    )
    return Task(_PRINTS + source, answers.number(int(programs.output_of(source))), LONG)


def shared_lists(draws: Draws) -> Task:
    values, (one, two, three) = draws.sample(range(1, 9), 3), draws.sample(range(10, 30), 3)
    change = draws.pick((f"b = b + [{two}]", f"b += [{two}]", f"b[0] = {two}"))
    last = draws.pick(("a", "b", "c"))
    source = (
        f"a = {values}\nb = a\nc = a[:]\nb.append({one})\n{change}\nc.insert(1, {three})\na[-1] += 1\n"
        f"b.pop({draws.between(0, 1)})\nprint({last}, len(a) + len(b) * 10)"
    )
    return Task(_PRINTS + source, programs.prints(source), LINE)


def broken_loops(draws: Draws) -> Task:
    n, skip, stop, step = draws.between(6, 9), draws.between(2, 4), draws.between(9, 19), draws.between(1, 3)
    source = (
        f"count = 0\nfor i in range({n}):\n    if i % {skip} == 0:\n        continue\n"
        f"    for j in range(i, {n + 2}, {step}):\n        if i + j > {stop}:\n            break\n"
        "        count += j - i\n    else:\n        count += 10\nprint(count)"
    )
    return Task(_PRINTS + source, answers.number(int(programs.output_of(source))), LONG)


def true_assignments(draws: Draws) -> Task:
    names = "abcd"

    def side() -> str:
        one, two = draws.sample(names, 2)
        form = draws.pick(("{} and {}", "{} or {}", "not {} or {}", "{} and not {}", "{} != {}", "{} == {}"))
        return f"({form.format(one, two)})"

    expression = f"({side()} {draws.pick(('and', 'or'))} {side()}) {draws.pick(('and', '!='))} {side()}"
    loops = "".join(f"{'    ' * at}for {name} in (False, True):\n" for at, name in enumerate(names))
    source = f"count = 0\n{loops}{'    ' * 4}if {expression}:\n{'    ' * 5}count += 1\nprint(count)"
    question = (
        "Each of a, b, c and d is True or False, which makes 16 cases. In how many of them is this Python "
        f"expression True: {expression}? Answer with the number only."
    )
    return Task(question, answers.number(int(programs.output_of(source)), 16), LONG)


_HEXADECIMAL = re.compile(r"\b0x[\da-f]+\b", re.IGNORECASE)


def other_base(draws: Draws) -> Task:
    base = draws.pick((3, 5, 6, 7))
    number = draws.between(base**3, base**4 - 1)
    digits, left = "", number
    while left:
        left, digit = divmod(left, base)
        digits = str(digit) + digits
    hexadecimal = f"0x{number:x}"
    question = f"Write the hexadecimal number {hexadecimal} in base {base}. Answer with the digits only."
    return Task(question, answers.number(int(digits), base, number).reading(_HEXADECIMAL), LINE)


def bits(draws: Draws) -> Task:
    a, b, c = draws.sample(range(17, 120), 3)
    shift, one, two = draws.between(1, 3), *draws.sample("&|^", 2)
    expression = f"(({a} {one} {b}) << {shift}) {two} {c}"
    question = f"What is the value of this Python expression: {expression}? Answer with the number only."
    value = int(programs.output_of(f"print({expression})"))
    return Task(question, answers.number(value, a, b, c, shift), LONG)


def ranked_words(draws: Draws) -> Task:
    words = draws.sample(NOUNS, 6)
    letter = draws.pick("aeirt")
    rank = draws.pick(
        (f"(len(w), w.count({letter!r}), w)", f"(w.count({letter!r}), -len(w), w)", "(w[-1], w[1:])")
    )
    reverse = draws.pick(("", ", reverse=True"))
    at = draws.between(1, 3)
    source = f"words = {words}\nwords.sort(key=lambda w: {rank}{reverse})\nprint(words[{at}], words[-1])"
    return Task(_PRINTS + source, programs.prints(source), LINE)


def kept_defaults(draws: Draws) -> Task:
    values = draws.sample(range(2, 12), 4)
    factor = draws.between(2, 4)
    source = (
        f"def f(x, seen=[]):\n    seen.append(x)\n    return sum(seen) * {factor}\n\n"
        "g = [lambda y: y + i for i in range(3)]\n"
        f"total = f({values[0]}) + f({values[1]}, [{values[2]}])\ntotal += f({values[3]})\n"
        f"print(total + g[0]({values[2]}))"
    )
    return Task(_PRINTS + source, answers.number(int(programs.output_of(source))), LONG)
