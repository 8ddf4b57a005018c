"""Small programs with a stated purpose of which one line is made wrong; the question is which.

Invariant: each wrong line makes the function give something else for one of the program's inputs, mending
that line alone is enough, and no small change of another line mends it: a wrong bound or first value that a
later line could make up for is none of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from steelyard_profiler import programs
from steelyard_profiler.draws import Draws
from steelyard_profiler.probe import SHORT, Task
from steelyard_profiler.programs import code


@dataclass(frozen=True, slots=True)
class Mistaken:
    """A right function and how its lines can be wrong."""

    purpose: str
    """What it should return."""
    right: str
    """Its source, indented as it stands here; the function is called f."""
    wrong: Mapping[int, Sequence[str]]
    """Wrong lines by their number, the first being 1, without their indentation."""
    inputs: Sequence[Sequence[Any]]
    """Arguments for which the right function and each wrong one differ."""

    def lines(self) -> list[str]:
        """The right lines."""
        return code(self.right).splitlines()

    def mistakes(self) -> list[tuple[int, list[str]]]:
        """Every wrong line's number with all lines of that program."""
        found = []
        for at, texts in self.wrong.items():
            for text in texts:
                lines = self.lines()
                indent = len(lines[at - 1]) - len(lines[at - 1].lstrip())
                lines[at - 1] = " " * indent + text
                found.append((at, lines))
        return found


FEW_LINES = (
    Mistaken(
        "the sum of its two numbers",
        """
            def f(a, b):
                c = a + b
                return c
        """,
        {2: ("c = a - b", "c = a * b"), 3: ("return c * b", "return a * c")},
        [(5, 3), (2, 7)],
    ),
    Mistaken(
        "the larger of its two numbers",
        """
            def f(a, b):
                if a > b:
                    return a
                return b
        """,
        {2: ("if a < b:",), 3: ("return b",), 4: ("return a",)},
        [(5, 3), (2, 8)],
    ),
    Mistaken(
        "the area of a rectangle",
        """
            def f(width, height):
                area = width * height
                return area
        """,
        {2: ("area = width + height", "area = width * width"), 3: ("return width + height",)},
        [(5, 3), (2, 7)],
    ),
    Mistaken(
        "the average of a list of numbers",
        """
            def f(xs):
                total = sum(xs)
                count = len(xs)
                return total / count
        """,
        {
            2: ("total = max(xs)",),
            3: ("count = max(xs)",),
            4: ("return total * count", "return count / total"),
        },
        [([1, 2, 6],), ([4, 4, 9, 1, 7],)],
    ),
    Mistaken(
        "the last item of a list",
        """
            def f(xs):
                at = len(xs) - 1
                return xs[at]
        """,
        {2: ("at = len(xs) // 2",), 3: ("return xs[0]", "return xs[at // 2]")},
        [([1, 2, 6],), ([4, 8, 9, 1, 7],), ([3, 5, 6, 2],)],
    ),
    Mistaken(
        "a number times three",
        """
            def f(n):
                factor = 3
                result = n * factor
                return result
        """,
        {2: ("factor = 10", "factor = 30"), 3: ("result = n + factor",), 4: ("return result % factor",)},
        [(5,), (8,)],
    ),
)
"""Programs of three or four lines."""

LOOPS = (
    Mistaken(
        "the sum of the even numbers of a list",
        """
            def f(xs):
                total = 0
                for x in xs:
                    if x % 2 == 0:
                        total += x
                return total
        """,
        {2: ("total = xs[0]",), 4: ("if x % 2 == 1:",), 5: ("total += 1", "total = x"), 6: ("return x",)},
        [([1, 2, 6, 8],), ([4, 3, 5, 10, 7],)],
    ),
    Mistaken(
        "the largest number of a list",
        """
            def f(xs):
                best = xs[0]
                for x in xs:
                    if x > best:
                        best = x
                return best
        """,
        {2: ("best = 1000",), 4: ("if x < best:",), 5: ("x = best", "best += x"), 6: ("return x",)},
        [([4, 9, 2],), ([3, 1, 5, 8, 6],), ([7, 5],)],
    ),
    Mistaken(
        "how often a letter is in a text",
        """
            def f(text, letter):
                count = 0
                for c in text:
                    if c == letter:
                        count += 1
                return count
        """,
        {
            2: ("count = text",),
            4: ("if c != letter:",),
            5: ("count = 1", "count += 2"),
            6: ("return letter",),
        },
        [("bananas", "a"), ("river", "r"), ("window", "n")],
    ),
    Mistaken(
        "the product of all whole numbers from 1 to n",
        """
            def f(n):
                result = 1
                for i in range(1, n + 1):
                    result *= i
                return result
        """,
        {2: ("result = 0",), 3: ("for i in range(n + 1):", "for i in range(1, n + 2):"), 4: ("result += i",)},
        [(5,), (3,)],
    ),
    Mistaken(
        "a text with its letters in reverse order",
        """
            def f(text):
                result = ""
                for c in text:
                    result = c + result
                return result
        """,
        {2: ("result = text",), 4: ("result = c",), 5: ("return text", "return c")},
        [("river",), ("moon",)],
    ),
    Mistaken(
        "the words with more than three letters",
        """
            def f(words):
                kept = []
                for word in words:
                    if len(word) > 3:
                        kept.append(word)
                return kept
        """,
        {2: ("kept = words[:1]",), 4: ("if len(word) < 3:",), 5: ("kept = word",), 6: ("return words",)},
        [(["cat", "of", "river", "dog", "house"],)],
    ),
)
"""Programs with one loop."""

ALGORITHMS = (
    Mistaken(
        "the place of a number in a sorted list, or -1",
        """
            def f(xs, wanted):
                low = 0
                high = len(xs) - 1
                while low <= high:
                    mid = (low + high) // 2
                    if xs[mid] == wanted:
                        return mid
                    if xs[mid] < wanted:
                        low = mid + 1
                    else:
                        high = mid - 1
                return -1
        """,
        {
            3: ("high = len(xs) - 2",),
            4: ("while low < high:",),
            8: ("if xs[mid] > wanted:",),
            9: ("low = mid",),
        },
        [*(([1, 3, 5, 7, 9, 11], wanted) for wanted in range(13)), ([4], 4), ([2, 6], 6), ([1, 3, 5, 7], 7)],
    ),
    Mistaken(
        "a list sorted from small to large",
        """
            def f(xs):
                n = len(xs)
                for i in range(n):
                    for j in range(n - 1 - i):
                        if xs[j] > xs[j + 1]:
                            xs[j], xs[j + 1] = xs[j + 1], xs[j]
                return xs
        """,
        {
            3: ("for i in range(1):",),
            4: ("for j in range(1):",),
            5: ("if xs[j] < xs[j + 1]:",),
            6: ("xs[j] = xs[j + 1]",),
        },
        [([9, 7, 5, 3, 1],), ([2, 5, 1],), ([4, 1, 3, 2],)],
    ),
    Mistaken(
        "all prime numbers up to n, n included",
        """
            def f(n):
                primes = []
                for k in range(2, n + 1):
                    is_prime = True
                    for p in primes:
                        if k % p == 0:
                            is_prime = False
                    if is_prime:
                        primes.append(k)
                return primes
        """,
        {
            3: ("for k in range(2, n):", "for k in range(1, n + 1):"),
            5: ("for p in primes[1:]:",),
            6: ("if p % k == 0:",),
        },
        [(13,), (4,), (22,)],
    ),
    Mistaken(
        "the lengths of the runs of equal letters",
        """
            def f(text):
                runs = []
                count = 1
                for i in range(1, len(text)):
                    if text[i] == text[i - 1]:
                        count += 1
                    else:
                        runs.append(count)
                        count = 1
                runs.append(count)
                return runs
        """,
        {
            3: ("count = 0",),
            4: ("for i in range(1, len(text) - 1):", "for i in range(len(text)):"),
            9: ("count = 0",),
        },
        [("aabbbc",), ("abb",), ("cccc",)],
    ),
    Mistaken(
        "whether the brackets of a text are balanced",
        """
            def f(text):
                depth = 0
                for c in text:
                    if c == "(":
                        depth += 1
                    if c == ")":
                        depth -= 1
                    if depth < 0:
                        return False
                return depth == 0
        """,
        {
            7: ("depth = 0",),
            8: ("if depth < 1:", "if depth < -1:"),
            9: ("return True",),
            10: ("return depth >= 0",),
        },
        [("(a)b",), ("())",), (")(",), ("(()",), ("(())",), ("(()))((",)],
    ),
    Mistaken(
        "the second largest number of a list, equal ones counted once",
        """
            def f(xs):
                first = second = None
                for x in xs:
                    if first is None or x > first:
                        second = first
                        first = x
                    elif x != first and (second is None or x > second):
                        second = x
                return second
        """,
        {
            4: ("if first is None or x >= first:",),
            5: ("second = x",),
            7: ("elif second is None or x > second:",),
        },
        [([4, 9, 9, 2],), ([1, 2, 3],), ([5, 5, 1],)],
    ),
    Mistaken(
        "the sums of all k neighbours in a list",
        """
            def f(xs, k):
                sums = []
                window = sum(xs[:k])
                sums.append(window)
                for i in range(k, len(xs)):
                    window += xs[i] - xs[i - k]
                    sums.append(window)
                return sums
        """,
        {
            3: ("window = sum(xs[:k - 1])",),
            5: ("for i in range(k + 1, len(xs)):",),
            6: ("window += xs[i] - xs[i - k + 1]",),
        },
        [([1, 4, 2, 8, 5, 7], 3), ([3, 1, 4, 1, 5], 2)],
    ),
)
"""Programs that take some thought."""


def of_few_lines(draws: Draws) -> Task:
    return _asked(draws, FEW_LINES)


def of_a_loop(draws: Draws) -> Task:
    return _asked(draws, LOOPS)


def of_an_algorithm(draws: Draws) -> Task:
    return _asked(draws, ALGORITHMS)


def _asked(draws: Draws, mistaken: Sequence[Mistaken]) -> Task:
    program = draws.pick(mistaken)
    at, lines = draws.pick(program.mistakes())
    name = draws.pick(("f", "solve", "compute", "work", "find"))
    lines = [line.replace("def f(", f"def {name}(") for line in lines]
    listing = "\n".join(f"{line} # line {number}" for number, line in enumerate(lines, 1))
    question = (
        f"This Python function should return {program.purpose}. One line is wrong. Which? Answer with its "
        f"number only.\n\n{listing}"
    )
    return Task(question, programs.wrong_line(lines, at), SHORT, chance=1 / len(lines))
