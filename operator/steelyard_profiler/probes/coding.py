"""Coding: what a program prints, which of its lines is wrong, functions to write, and what programmers know.

The programs are of a part of Python that all versions run alike; our own interpreter finds what they print.
Functions to write are in `coding_functions`, programs with a wrong line in `coding_bugs`, Hard programs to
read in `coding_hard`.
"""

import re

from steelyard.api.profile import Level
from steelyard_profiler import answers, programs
from steelyard_profiler.answers import Check
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import LINE, Task, Templates
from steelyard_profiler.probes import coding_bugs, coding_functions, coding_hard
from steelyard_profiler.probes.words import ANIMALS, COLORS, NOUNS

ANSWER = 40
"""Tokens for a short answer with its words around."""

ONLY_NUMBER = "Answer with the number only."
ONLY_OUTPUT = "Answer with the output only."
WHAT_PRINTS = "What does this Python program print?"
YES_NO = ("yes", "no")
ORDERS = ("O(1)", "O(log n)", "O(n)", "O(n log n)", "O(n^2)")


def number_printed(source: str, *given: int, max_tokens: int = 24) -> Task:
    """What a program prints, which is a whole number."""
    question = f"{WHAT_PRINTS} {ONLY_NUMBER}\n\n{source}"
    return Task(question, answers.number(int(programs.output_of(source)), *given), max_tokens)


def output_printed(source: str, max_tokens: int = LINE) -> Task:
    """What a program prints, which is any one line."""
    return Task(f"{WHAT_PRINTS} {ONLY_OUTPUT}\n\n{source}", programs.prints(source), max_tokens)


def word_printed(draws: Draws) -> Task:
    words = " ".join(
        (draws.pick(COLORS), draws.pick((*ANIMALS, *NOUNS)), draws.pick(("one", "two", "three")))
    )
    return output_printed(draws.pick((f'print("{words}")', f'text = "{words}"\nprint(text)')), ANSWER)


def sum_printed(draws: Draws) -> Task:
    a, b, sign = draws.between(2, 15), draws.between(2, 15), draws.pick("+-*")
    return number_printed(f"a = {a}\nb = {b}\nprint(a {sign} b)", a, b, max_tokens=ANSWER)


def value_of_call(draws: Draws) -> Task:
    values = draws.sample(range(2, 30), 4)
    word = draws.pick(NOUNS)
    call = draws.pick(
        (f"len({word!r})", f"max({values})", f"min({values})", f"sum({values[:2]})", f"len({values})")
    )
    question = f"What is the value of this Python expression: {call}? {ONLY_NUMBER}"
    value = int(programs.output_of(f"print({call})"))
    return Task(question, answers.number(value, *({*values} - {value})), ANSWER)


_TYPES = {"int": "integer", "float": "floating", "str": "string", "list": "list", "bool": "boolean"}
"""The types with their names in prose."""


def _names_type(answer: str, name: str) -> bool:
    spoken = answer
    for short, long in _TYPES.items():
        spoken = re.sub(rf"\b{long}\b", short, spoken, flags=re.IGNORECASE)
    return answers.states_choice(spoken, name, _TYPES)


def type_of_value(draws: Draws) -> Task:
    number, word = draws.between(2, 99), draws.pick(NOUNS)
    literal, name = draws.pick(
        (
            (str(number), "int"),
            (f"{number}.5", "float"),
            (repr(word), "str"),
            (repr(str(number)), "str"),
            (f"[{number}, {number + 1}]", "list"),
            (f"{number} > {draws.between(2, 99)}", "bool"),
        )
    )
    question = f"Which type has this Python value: {literal}? Answer with one of {', '.join(_TYPES)}."
    return Task(question, Check(lambda answer: _names_type(answer, name), name), chance=1 / len(_TYPES))


def times_in_loop(draws: Draws) -> Task:
    low, count, word = draws.between(0, 4), draws.between(3, 12), draws.pick(ANIMALS)
    bounds = f"{low}, {low + count}" if low else str(count)
    question = f'How many times does this loop print "{word}"? {ONLY_NUMBER}'
    return Task(
        f'{question}\n\nfor i in range({bounds}):\n    print("{word}")',
        answers.number(count, *({low, low + count} - {count})),
    )


def item_printed(draws: Draws) -> Task:
    colors, at = draws.sample(COLORS, 3), draws.between(-1, 2)
    source = f"colors = {colors}\nprint(colors[{at}])"
    question = f"{WHAT_PRINTS} Answer with one word.\n\n{source}"
    return Task(question, answers.choice(colors[at], colors), chance=1 / 3)


def true_or_false(draws: Draws) -> Task:
    a, b, sign = draws.between(1, 20), draws.between(1, 20), draws.pick(("<", ">", "==", "!="))
    literal = draws.pick(("True", "False"))
    form = draws.pick(("{c}", "not {c}", "{c} and {l}", "{c} or {l}"))
    expression = form.format(c=f"{a} {sign} {b}", l=literal)
    question = f"Is this Python expression True or False: {expression}? Answer with one word."
    value = programs.output_of(f"print({expression})")
    return Task(question, answers.choice(value, ("True", "False")), chance=1 / 2)


def binary_to_decimal(draws: Draws) -> Task:
    number, name = draws.between(2, 63), draws.pick(("a", "b", "c", "k", "n", "x"))
    question = (
        f"The variable {name} holds the binary number {number:b}. Which decimal number is that? {ONLY_NUMBER}"
    )
    return Task(question, answers.number(number, int(f"{number:b}")))


def joined_text(draws: Draws) -> Task:
    one, two = draws.sample((*ANIMALS, *COLORS, *NOUNS), 2)
    end = draws.pick((f"{one!r} + {two!r}", f"{one!r} * 2 + {two!r}", f"({one!r} + {two!r}).upper()"))
    return output_printed(f"print({end})", ANSWER)


def filtered_sum(draws: Draws) -> Task:
    while True:
        source = _filtered_sum(draws)
        if programs.output_of(source) != "0":
            return number_printed(source, max_tokens=LINE)


def _filtered_sum(draws: Draws) -> str:
    start, step, kept = draws.between(1, 4), draws.between(2, 4), draws.between(2, 3)
    stop = start + step * draws.between(4, 9)
    name = draws.pick(("total", "s", "acc", "result", "points"))
    return (
        f"{name} = 0\nfor i in range({start}, {stop}, {step}):\n    if i % {kept} == 0:\n"
        f"        {name} += i\nprint({name})"
    )


def sliced_text(draws: Draws) -> Task:
    word = draws.pick([noun for noun in NOUNS if len(noun) > 5])
    low = draws.between(0, 2)
    high = low + draws.between(2, 3)
    part = draws.pick((f"[{low}:{high}]", f"[-{high}:]", f"[:-{low + 1}]", "[::-1]", "[::2]"))
    return output_printed(f'word = "{word}"\nprint(word{part})', ANSWER)


def comprehended_list(draws: Draws) -> Task:
    numbers, factor, least = draws.sample(range(1, 20), 6), draws.between(2, 4), draws.between(6, 10)
    test = draws.pick((f"x > {least}", f"x < {least + 3}", "x % 2 == 1", "x % 2 == 0"))
    return output_printed(f"numbers = {numbers}\nprint([x * {factor} for x in numbers if {test}])")


def counted_in_dict(draws: Draws) -> Task:
    word = "".join(draws.pick("abc") for _ in range(8))
    one, two = draws.sample("abc", 2)
    source = (
        f'counts = dict()\nfor letter in "{word}":\n    counts[letter] = counts.get(letter, 0) + 1\n'
        f'print(counts.get("{one}", 0) * 10 + counts.get("{two}", 0))'
    )
    return number_printed(source, max_tokens=LINE)


def turns_of_while(draws: Draws) -> Task:
    start, by = draws.between(20, 200), draws.between(2, 4)
    source = f"n = {start}\nturns = 0\nwhile n > 1:\n    n = n // {by}\n    turns += 1\nprint(turns)"
    passed = [start]
    while passed[-1] > 1:
        passed.append(passed[-1] // by)
    turns = len(passed) - 1
    return number_printed(source, *{by, *passed} - {turns}, max_tokens=LINE)


def pattern_matches(draws: Draws) -> Task:
    letters, digits, digit = draws.between(1, 3), draws.between(1, 3), r"\d"
    pattern = draws.pick(
        (
            rf"[a-d]+{digit * digits}",
            rf"{'[a-d]' * letters}\d*",
            rf"[^a-b]+{digit * digits}",
            rf"(ab|cd)+{digit * digits}",
            rf"[a-d]?{digit * digits}\d?",
        )
    )
    wanted = draws.pick(YES_NO)
    while True:
        words = "".join(draws.pick(("ab", "cd", "a", "c", "d", "")) for _ in range(2))
        text = words + "".join(str(draws.below(10)) for _ in range(draws.between(0, 3)))
        if text and (re.fullmatch(pattern, text, re.ASCII) is not None) == (wanted == "yes"):
            break
    question = f"Does the regular expression {pattern} match the whole text {text}? Answer with yes or no."
    return Task(question, answers.choice(wanted, YES_NO), chance=1 / 2)


_LOOPS = (
    ("for i in range(n):\n    total += i", "O(n)"),
    ("for i in range(n):\n    for j in range(n):\n        total += i * j", "O(n^2)"),
    ("for i in range(n):\n    for j in range(i):\n        total += j", "O(n^2)"),
    ("i = n\nwhile i > 0:\n    i = i // 2\n    total += 1", "O(log n)"),
    ("i = 1\nwhile i < n:\n    i = i * 3\n    total += i", "O(log n)"),
    ("for i in range(n):\n    j = n\n    while j > 0:\n        j = j // 2", "O(n log n)"),
    ("for i in range(100):\n    total += n", "O(1)"),
    ("for i in range(n):\n    for j in range(5):\n        total += j", "O(n)"),
    ("i = 0\nwhile i < n:\n    i = i + 4\n    total += i", "O(n)"),
)


def order_of_loop(draws: Draws) -> Task:
    source, order = draws.pick(_LOOPS)
    source = source.replace("total", draws.pick(("total", "count", "s", "acc", "result")))
    question = f"How does the time of this Python code grow with n? Answer with one of {', '.join(ORDERS)}."
    return Task(
        f"{question}\n\n{source}",
        Check(lambda answer: _names_order(answer, order), order),
        chance=1 / len(ORDERS),
    )


_ORDER = r"(?<!\w)O\([^()\n]{1,16}\)"
_ORDER_SPELLINGS = (
    (r"\\(?:left|right|!|,)|\\(?:mathcal|mathrm|text)(?=\{)|\\(?=log)", ""),
    (r"\{([On2]|log)\}", r"\1"),
    (r"(?:\\times|\\cdot|[·⋅×]|(?<=n)\s?\*(?=\s?log))", " "),
    (r"²|(?<=n)\*\*2|(?<=n) squared", "^2"),
    (r"\bn\s*\*\s*n\b", "n^2"),
    (r"\bn(?=log)", "n "),
    (r"\blog(?:\s*_?\s*(?:2|₂))?\s*(?:\(\s*n\s*\)|n\b)", "log n"),
    (r"\bO\s*\(\s*", "O("),
    (r"(?<=[n12])\s+\)", ")"),
    (r"(?<=n)\s+(?=log|\^)", " "),
    (r"(?<=n) (?=\^)|(?<=\^) ", ""),
)
"""How an order of growth is written, and what it becomes: "O(n²)", "$O(\\log n)$", "O(log(n))"."""


def _names_order(answer: str, order: str) -> bool:
    for pattern, plain in _ORDER_SPELLINGS:
        answer = re.sub(pattern, plain, answer, flags=re.IGNORECASE)
    return answers.states_match(answer, order, _ORDER)


def chained_functions(draws: Draws) -> Task:
    a, b, c, x = draws.between(2, 5), draws.between(1, 9), draws.between(2, 4), draws.between(2, 9)
    source = (
        f"def f(x, k={b}):\n    return x * {a} - k\n\n"
        f"def g(x):\n    return f(x + 1, {c}) + f(x)\n\nprint(g({x}))"
    )
    return number_printed(source, max_tokens=LINE)


TEMPLATES: Templates = {
    Level.EASY: (
        word_printed,
        coding_functions.of_numbers,
        item_printed,
        sum_printed,
        true_or_false,
        times_in_loop,
        coding_bugs.of_few_lines,
        type_of_value,
        joined_text,
        value_of_call,
        binary_to_decimal,
    ),
    Level.MEDIUM: (
        filtered_sum,
        coding_functions.of_a_list,
        sliced_text,
        coding_bugs.of_a_loop,
        comprehended_list,
        pattern_matches,
        counted_in_dict,
        coding_functions.of_a_text,
        order_of_loop,
        turns_of_while,
        chained_functions,
    ),
    Level.HARD: (
        coding_hard.recursive_value,
        coding_functions.of_a_list_hard,
        coding_hard.shared_lists,
        coding_bugs.of_an_algorithm,
        coding_hard.broken_loops,
        coding_functions.of_a_text_hard,
        coding_hard.true_assignments,
        coding_hard.other_base,
        coding_hard.bits,
        coding_hard.ranked_words,
        coding_hard.kept_defaults,
    ),
}
