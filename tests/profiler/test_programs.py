"""Answers about programs are taken generously and marked strictly."""

import pytest

from steelyard_profiler import programs

DOUBLE = "def f(n):\n    return n * 2"
CASES = [([3], 6), ([0], 0), ([-4], -8)]
FUNCTIONS = {
    "the code alone": (DOUBLE, True),
    "in a fence": (f"```python\n{DOUBLE}\n```", True),
    "in a fence without a language": (f"```\n{DOUBLE}\n```", True),
    "after a sentence": (f"Here is the function:\n\n```python\n{DOUBLE}\n```\n\nIt doubles a number.", True),
    "in a second fence": (f"```\npip install x\n```\n```python\n{DOUBLE}\n```", True),
    "with prose and no fence": (f"Sure! Here you go:\n\n{DOUBLE}\n\nThis returns n times two.", True),
    "in a fence that is cut": (f"```python\n{DOUBLE}\n\nprint(f(3", True),
    "with examples after it": (f"{DOUBLE}\n\nprint(f(3))  # 6\nassert f(2) == 4", True),
    "with a wrong example after it": (f"{DOUBLE}\n\nassert f(2) == 5\nprint(g(1))", True),
    "with a main part": (f'{DOUBLE}\n\nif __name__ == "__main__":\n    print(f(int(input())))', True),
    "with types and a docstring": ('def f(n: int) -> int:\n    """Double it."""\n    return n + n', True),
    "with a needless import": (f"from typing import List\n\n{DOUBLE}", True),
    "as a lambda": ("f = lambda n: 2 * n", True),
    "in backticks": ("`def f(n): return n * 2`", True),
    "indented": ("    def f(n):\n        return n * 2", True),
    "with tabs": ("def f(n):\n\treturn n * 2", True),
    "with a helper": ("def g(a, b):\n    return a + b\n\ndef f(n):\n    return g(n, n)", True),
    "as a fraction that is whole": ("def f(n):\n    return n * 2.0", True),
    "by a loop": (
        "def f(n):\n    m = 0\n    for _ in range(2):\n        m += n\n    return m",
        True,
    ),
    "of another name": ("def double(n):\n    return n * 2", True),
    "of two other names": ("def g(n):\n    return n * 2\n\ndef h(n):\n    return n + 2", False),
    "that is wrong": ("def f(n):\n    return n * 3", False),
    "right for some inputs": ("def f(n):\n    return 6 if n == 3 else 0", False),
    "that prints instead": ("def f(n):\n    print(n * 2)", False),
    "that never ends": ("def f(n):\n    while True:\n        n += 1", False),
    "that recurs for ever": ("def f(n):\n    return f(n) + f(n)", False),
    "that grows": ("def f(n):\n    return len('a' * 10 ** 10)", False),
    "that needs a module": ("import math\n\ndef f(n):\n    return math.prod([n, 2])", False),
    "that evaluates": ("def f(n):\n    return eval('n * 2')", False),
    "in a class": ("class A:\n    def f(self, n):\n        return n * 2", False),
    "with too many parameters": ("def f(n, m):\n    return n * 2", False),
    "cut in the middle": ("def f(n):\n    return n *", False),
    "in words": ("f doubles n.", False),
    "nothing": ("", False),
    "a text": ("def f(n):\n    return str(n * 2)", False),
    "overwritten": (f"{DOUBLE}\n\ndef f(n):\n    return 0", False),
}


@pytest.mark.parametrize("case", FUNCTIONS)
def test_a_function_is_found_and_run(case: str) -> None:
    answer, right = FUNCTIONS[case]

    assert programs.gives(answer, "f", CASES) is right


RESULTS = {
    "true is no 1": ("def f():\n    return 1", True, True),
    "a tuple is no list": ("def f():\n    return (1, 2)", [1, 2], False),
    "a nested list": ("def f():\n    return [[1], [2]]", [[1], [2]], True),
    "a rounded fraction": ("def f():\n    return 0.1 + 0.2", 0.3, True),
    "a number too large for a fraction": ("def f():\n    return 9 ** 1000", 0.3, False),
    "another fraction": ("def f():\n    return 0.31", 0.3, False),
    "a generator": ("def f():\n    return (x for x in [1, 2])", [1, 2], True),
    "a function": ("def f():\n    return f", [1], False),
    "a dict in another order": ("def f():\n    return {'b': 1, 'a': 2}", {"a": 2, "b": 1}, True),
    "the order of a set": ("def f():\n    return list({3, 1, 2})", [1, 2, 3], False),
}


@pytest.mark.parametrize("case", RESULTS)
def test_results_are_compared_by_kind(case: str) -> None:
    source, wanted, right = RESULTS[case]

    assert programs.gives(source, "f", [([], wanted)]) is right


def test_a_function_that_a_constant_could_replace_is_no_question() -> None:
    with pytest.raises(ValueError, match="constant"):
        programs.writes("f", DOUBLE, [[1], [1]])


OUTPUTS = {
    "the list": ("[1, 2]", "[1, 2]", True),
    "the list without spaces": ("[1,2]", "[1, 2]", True),
    "the list in a sentence": ("The program prints [1, 2].", "[1, 2]", True),
    "the list in a fence": ("```\n[1, 2]\n```", "[1, 2]", True),
    "the list with other quotes": ('["a", "b"]', "['a', 'b']", True),
    "another list": ("[2, 1]", "[1, 2]", False),
    "two lists": ("[1, 2] or [2, 1]", "[1, 2]", False),
    "the words": ("dog cat", "dog cat", True),
    "the words in quotes": ("'dog cat'", "dog cat", True),
    "the words with a stop": ("dog cat.", "dog cat", True),
    "the words after their mark": ("Output: dog cat", "dog cat", True),
    "the words in a sentence": ('The output is "dog cat".', "dog cat", True),
    "the words in backticks": ("It prints `dog cat` to the screen.", "dog cat", True),
    "the words and why at once": ('It prints "dog cat" because of `print()`.', "dog cat", True),
    "other words and why": ('It prints "cat dog" because "dog cat" is sorted.', "dog cat", False),
    "the words in a fence": ("The output will be:\n```\ndog cat\n```\nbecause of the swap.", "dog cat", True),
    "the words and why": ("dog cat\n\nFirst the list is sorted.", "dog cat", True),
    "other words": ("cat dog", "dog cat", False),
    "the words in capitals": ("DOG CAT", "dog cat", False),
    "one of two": ("dog cat or cat dog", "dog cat", False),
    "a list and a number": ("[3, 7] 33", "[3, 7] 33", True),
    "a list without its number": ("[3, 7]", "[3, 7] 33", False),
    "nothing": ("", "dog cat", False),
    "a list that is denied": ("It is not [72, 40, 56].", "[72, 40, 56]", False),
    "a list after one that is denied": ("Not [56, 40], it is [72, 40].", "[72, 40]", True),
    "words that are denied": ("It does not print `dog cat`.", "dog cat", False),
    "words in quotes that are denied": ('It does not print "dog cat".', "dog cat", False),
    "words that were denied to be the output": ("The output is not 'dog cat'.", "dog cat", False),
    "words after others that are denied": ("It does not print `cat dog` but `dog cat`.", "dog cat", True),
}


@pytest.mark.parametrize("case", OUTPUTS)
def test_an_output_is_found_where_it_is_said(case: str) -> None:
    answer, expected, right = OUTPUTS[case]

    assert programs.says_output(answer, expected) is right


PROGRAM = ["def f(xs):", "    s = 1", "    for x in xs:", "        s = s + x", "    return s"]
LINES = {
    "the number": ("2", True),
    "the number bold": ("**2**", True),
    "the number with a word": ("Line 2", True),
    "the number with two words": ("The wrong line is line number 2.", True),
    "the number as the answer": ("The answer is 2", True),
    "the number and the line": ("2: s = 1", True),
    "the number and what it should be": ("Line 2 should be `s = 0`.", True),
    "the line": ("`s = 1`", True),
    "the line in a sentence": ("`s = 1` is wrong, it should be `s = 0`.", True),
    "another number": ("3", False),
    "another line": ("return s", False),
    "two numbers": ("Line 2 or line 4", False),
    "all lines": ("\n".join(PROGRAM), False),
    "nothing": ("The program is fine.", False),
    "a line that is called wrong": ("Line 2 is wrong.", True),
    "a line that is called incorrect": ("Line 2 is incorrect: s should be 0.", True),
    "a line that is not right": ("Line 2 is not right.", True),
    "a line that is denied": ("It is not Line 2.", False),
    "a line that is denied in other words": ("It isn't on line 2.", False),
    "a line that is not thought of": ("I don't think it is line 2.", False),
    "a line that is fine": ("Line 2 is fine.", False),
    "a line that is not wrong": ("Line 2 is not wrong.", False),
    "a line after one that is fine": ("Line 3 is correct. The mistake is in line 2.", True),
    "a line after one that is denied": ("Not line 4 but line 2.", True),
    "a line's text that is denied": ("It is not `s = 1`.", False),
    "a line's text that is fine": ("`s = 1` is fine.", False),
    "a line's text with other spaces": ("The wrong one: s=1", True),
}


@pytest.mark.parametrize("case", LINES)
def test_a_line_is_found_by_its_number_or_text(case: str) -> None:
    answer, right = LINES[case]

    assert programs.says_line(answer, PROGRAM, 2) is right
