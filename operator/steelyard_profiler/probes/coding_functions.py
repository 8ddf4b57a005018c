"""Functions to write: what each should do, our own way to do it, and inputs that no question shows."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from steelyard_profiler import programs
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import Task
from steelyard_profiler.probes.words import ANIMALS, COLORS, NOUNS, listed
from steelyard_profiler.programs import code

SIMPLE, LOOPED, LARGE = 80, 120, 200
"""Tokens that a function of a line, of a loop, and of some thought may take."""

Wanted = tuple[str, str]
"""What a function takes and returns, in words, and its source with the name f."""

_NAMES = listed(
    "f g solve compute convert work find make process evaluate run apply transform handle derive build check "
    "obtain perform determine produce treat settle g1 g2 h p q task work_out get_result do_it calc"
)


def _numbers(draws: Draws, count: int, high: int = 20) -> list[int]:
    return [draws.between(-high, high) for _ in range(count)]


def _lists(draws: Draws, high: int = 20) -> list[list[Any]]:
    return [[_numbers(draws, count, high)] for count in (1, 3, 5, 6, 8, 9)]


def _positive(draws: Draws, high: int = 9) -> list[list[Any]]:
    return [[[draws.between(1, high) for _ in range(count)]] for count in (1, 3, 5, 6, 8, 9)]


def _texts(draws: Draws) -> list[list[Any]]:
    words = (*NOUNS, *ANIMALS, *COLORS)
    drawn = [[" ".join(draws.sample(words, count))] for count in (1, 2, 3, 4, 5)]
    return [*drawn, ["so"], ["another orange umbrella"]]


def _asked(draws: Draws, wanted: Wanted, inputs: Sequence[Sequence[Any]], max_tokens: int) -> Task:
    purpose, source = wanted
    name = draws.pick(_NAMES)
    renamed = re.sub(r"\bf\(", f"{name}(", code(source))
    question = (
        f"Write a Python function {name} that takes {purpose}. Use no imports. Answer with the code only."
    )
    return Task(question, programs.writes(name, renamed, inputs), max_tokens)


def of_numbers(draws: Draws) -> Task:
    k = draws.between(2, 9)
    wanted = draws.pick(
        (
            (f"a number and returns it times {k}", f"def f(n):\n    return n * {k}"),
            (f"a number and returns it plus {k}", f"def f(n):\n    return n + {k}"),
            (f"a number and returns it minus {k}", f"def f(n):\n    return n - {k}"),
            ("two numbers and returns their sum", "def f(a, b):\n    return a + b"),
            ("two numbers and returns their product", "def f(a, b):\n    return a * b"),
            ("two numbers and returns the larger one", "def f(a, b):\n    return max(a, b)"),
            ("a number and returns its square", "def f(n):\n    return n * n"),
            (
                f"a number and returns True if it is greater than {k}, else False",
                f"def f(n):\n    return n > {k}",
            ),
            ("a whole number and returns True if it is even, else False", "def f(n):\n    return n % 2 == 0"),
            (
                f"a whole number and returns the remainder of dividing it by {k}",
                f"def f(n):\n    return n % {k}",
            ),
        )
    )
    of_two = "two numbers" in wanted[0]
    inputs = [[n, 5] if of_two else [n] for n in (0, 1, 4, 7, 10, 25, 3)]
    return _asked(draws, wanted, inputs, SIMPLE)


def of_a_list(draws: Draws) -> Task:
    k = draws.between(2, 6)
    wanted = draws.pick(
        (
            (
                "a list of whole numbers and returns the sum of the odd ones",
                "def f(xs):\n    return sum(x for x in xs if x % 2 == 1)",
            ),
            (
                f"a list of numbers and returns how many of them are greater than {k}",
                f"def f(xs):\n    return len([x for x in xs if x > {k}])",
            ),
            (
                "a list of numbers and returns the largest minus the smallest",
                "def f(xs):\n    return max(xs) - min(xs)",
            ),
            (
                f"a list of numbers and returns a new list with each number times {k}",
                f"def f(xs):\n    return [x * {k} for x in xs]",
            ),
            (
                f"a list and returns a list of the items at places divisible by {k}, the first place being 0",
                f"def f(xs):\n    return xs[::{k}]",
            ),
            (
                "a list and returns a list of all its items but the first, in reverse order",
                "def f(xs):\n    return xs[1:][::-1]",
            ),
            (
                "a list of numbers and returns the place of the largest one, the first place being 0",
                "def f(xs):\n    return xs.index(max(xs))",
            ),
            (
                f"a list of numbers and returns the product of those that are not divisible by {k}, or 1",
                "def f(xs):\n    product = 1\n    for x in xs:\n"
                f"        product *= x if x % {k} else 1\n    return product",
            ),
        )
    )
    return _asked(draws, wanted, _lists(draws), LOOPED)


def of_a_text(draws: Draws) -> Task:
    k, letter = draws.between(4, 6), draws.pick("aeiorn")
    wanted = draws.pick(
        (
            (
                "a text in small letters and returns how many vowels (a, e, i, o, u) it has",
                'def f(text):\n    return sum(c in "aeiou" for c in text)',
            ),
            (
                "a text and returns its words in reverse order, joined by single spaces",
                'def f(text):\n    return " ".join(text.split()[::-1])',
            ),
            (
                "a text and returns the length of its longest word",
                "def f(text):\n    return max(len(word) for word in text.split())",
            ),
            (
                "a text and returns the first letters of its words, joined to one text",
                'def f(text):\n    return "".join(word[0] for word in text.split())',
            ),
            (
                f"a text and returns how many of its words have more than {k} letters",
                f"def f(text):\n    return len([word for word in text.split() if len(word) > {k}])",
            ),
            (
                f'a text and returns it without the letter "{letter}"',
                f'def f(text):\n    return text.replace("{letter}", "")',
            ),
            (
                "a text and returns each of its words with the letters reversed, the words in the same "
                "order, joined by single spaces",
                'def f(text):\n    return " ".join(word[::-1] for word in text.split())',
            ),
        )
    )
    return _asked(draws, wanted, _texts(draws), LOOPED)


_ON_LISTS: tuple[tuple[str, str, Callable[[Draws], list[list[Any]]]], ...] = (
    (
        "a list of whole numbers and returns the second largest different number, or None if there is none",
        """
            def f(xs):
                ranked = sorted(set(xs))
                return ranked[-2] if len(ranked) > 1 else None
        """,
        lambda draws: [*_positive(draws, 6), [[4, 4]], [[7, 7, 3]]],
    ),
    (
        "a list of [start, end] pairs and returns the list with overlapping or touching pairs merged, sorted",
        """
            def f(pairs):
                merged = []
                for start, end in sorted(pairs):
                    if merged and start <= merged[-1][1]:
                        merged[-1][1] = max(merged[-1][1], end)
                    else:
                        merged.append([start, end])
                return merged
        """,
        lambda draws: (
            [
                [[[low, low + draws.between(1, 5)] for low in draws.sample(range(30), count)]]
                for count in (1, 4, 6)
            ]
            + [[[[1, 9], [2, 3], [9, 11]]]]
        ),
    ),
    (
        "a list of lists, nested to any depth, of numbers and returns one flat list of the numbers in order",
        """
            def f(xs):
                flat = []
                for x in xs:
                    if isinstance(x, list):
                        flat.extend(f(x))
                    else:
                        flat.append(x)
                return flat
        """,
        lambda draws: [[[1, [draws.between(2, 9), [3, [4]], []], 5]], [[]], [[[[draws.between(1, 9)]], 2]]],
    ),
    (
        "a list of numbers and returns the length of its longest strictly rising run of neighbours",
        """
            def f(xs):
                best = run = 1 if xs else 0
                for a, b in zip(xs, xs[1:]):
                    run = run + 1 if b > a else 1
                    best = max(best, run)
                return best
        """,
        lambda draws: [*_positive(draws), [[1, 2, 2, 3, 4, 5]], [[]], [[5, 4, 3]]],
    ),
    (
        "a list of whole numbers and returns the most frequent one, of several the smallest",
        "def f(xs):\n    return min(xs, key=lambda x: (-xs.count(x), x))",
        lambda draws: [*_positive(draws, 4), [[5, 2, 5, 2, 9]]],
    ),
    (
        "a whole number n and returns row n of Pascal's triangle as a list, row 0 being [1]",
        """
            def f(n):
                row = [1]
                for _ in range(n):
                    row = [1] + [a + b for a, b in zip(row, row[1:])] + [1]
                return row
        """,
        lambda draws: [[0], [1], [draws.between(3, 6)], [7]],
    ),
    (
        "a whole number greater than 1 and returns the list of its prime factors, rising, with repetition",
        """
            def f(n):
                found, p = [], 2
                while n > 1:
                    while n % p == 0:
                        found.append(p)
                        n //= p
                    p += 1
                return found
        """,
        lambda draws: [[2], [draws.pick((12, 18, 20))], [draws.pick((45, 49, 60))], [37], [8]],
    ),
    (
        "a list and a whole number k and returns the list rotated to the right by k places; k may be larger "
        "than the list or negative, and the list may be empty",
        """
            def f(xs, k):
                if not xs:
                    return []
                k %= len(xs)
                return xs[-k:] + xs[:-k] if k else xs[:]
        """,
        lambda draws: [
            [[1, 2, 3, 4], 1],
            [[1, 2, 3], draws.between(4, 8)],
            [[], 3],
            [[1, 2, 3, 4, 5], -2],
            [[1, 2], 2],
        ],
    ),
)

_ON_TEXTS: tuple[tuple[str, str, Callable[[Draws], list[list[Any]]]], ...] = (
    (
        'a text and returns it run-length encoded: each run of equal letters as letter and count, so "aab" '
        'gives "a2b1"',
        """
            def f(text):
                runs = []
                for c in text:
                    if runs and runs[-1][0] == c:
                        runs[-1][1] += 1
                    else:
                        runs.append([c, 1])
                return "".join(c + str(n) for c, n in runs)
        """,
        lambda draws: (
            [["".join(draws.pick("aab") for _ in range(n))] for n in (1, 6, 9, 14)] + [["aaaaaaaaaaab"]]
        ),
    ),
    (
        "a whole number from 1 to 3999 and returns it as a Roman numeral",
        """
            def f(n):
                values = [1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1]
                signs = "M CM D CD C XC L XL X IX V IV I".split()
                said = ""
                for v, s in zip(values, signs):
                    said += s * (n // v)
                    n %= v
                return said
        """,
        lambda draws: [[draws.between(1, 99)], [draws.between(100, 3999)], [4], [1994], [3999], [49]],
    ),
    (
        "a text and a whole number k and returns it with each small letter a to z moved k places ahead in "
        "the alphabet, from z on to a; other characters stay",
        """
            def f(text, k):
                said = ""
                for c in text:
                    said += chr((ord(c) - 97 + k) % 26 + 97) if "a" <= c <= "z" else c
                return said
        """,
        lambda draws: [["xyz", draws.between(2, 9)], ["Hello, you", 3], ["abc", -1], ["zebra", 27], ["", 5]],
    ),
    (
        "a text and returns True if all its brackets of the kinds round, square and curly are balanced and "
        "well nested, else False",
        """
            def f(text):
                pairs, open_ones = {")": "(", "]": "[", "}": "{"}, []
                for c in text:
                    if c in "([{":
                        open_ones.append(c)
                    elif c in pairs:
                        if not open_ones or open_ones.pop() != pairs[c]:
                            return False
                return not open_ones
        """,
        lambda draws: [["(a[b]{c})"], ["([)]"], ["(("], [""], ["]"], [draws.pick(("{[()]}", "(){}[]"))]],
    ),
    (
        "a text and returns the length of its longest part without a repeated character",
        """
            def f(text):
                best = 0
                for i in range(len(text)):
                    seen = set()
                    for c in text[i:]:
                        if c in seen:
                            break
                        seen.add(c)
                    best = max(best, len(seen))
                return best
        """,
        lambda draws: (
            [["".join(draws.pick("abcde") for _ in range(n))] for n in (5, 8, 12)]
            + [[""], ["aaaa"], ["dvdf"]]
        ),
    ),
    (
        "a list of whole numbers, sorted and different, and returns a text where each run of three or more "
        'neighbours is shortened, so [1, 2, 3, 5, 8, 9] gives "1-3,5,8,9"',
        """
            def f(xs):
                parts, i = [], 0
                while i < len(xs):
                    j = i
                    while j + 1 < len(xs) and xs[j + 1] == xs[j] + 1:
                        j += 1
                    if j - i >= 2:
                        parts.append(f"{xs[i]}-{xs[j]}")
                        i = j + 1
                    else:
                        parts.append(str(xs[i]))
                        i += 1
                return ",".join(parts)
        """,
        lambda draws: (
            [[sorted(draws.sample(range(14), n))] for n in (1, 7, 9, 11)] + [[[]], [[1, 2]], [[4, 5, 6]]]
        ),
    ),
    (
        'a whole number of seconds and returns it as a text like "1h 1m 5s": parts that are zero are left '
        'out, and 0 gives "0s"',
        """
            def f(n):
                parts = []
                for size, sign in ((3600, "h"), (60, "m"), (1, "s")):
                    if n // size:
                        parts.append(str(n // size) + sign)
                    n %= size
                return " ".join(parts) or "0s"
        """,
        lambda draws: [[0], [draws.between(61, 3599)], [3600], [draws.between(3700, 90000)], [59], [7260]],
    ),
)


def of_a_list_hard(draws: Draws) -> Task:
    purpose, source, inputs = draws.pick(_ON_LISTS)
    return _asked(draws, (purpose, source), inputs(draws), LARGE)


def of_a_text_hard(draws: Draws) -> Task:
    purpose, source, inputs = draws.pick(_ON_TEXTS)
    return _asked(draws, (purpose, source), inputs(draws), LARGE)
