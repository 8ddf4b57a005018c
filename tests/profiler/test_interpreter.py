"""A small part of Python runs as in Python; all else halts, soon, and by no other exception."""

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.fuzz import profile
from steelyard_profiler.interpreter.operations import Halted
from steelyard_profiler.interpreter.program import MOST_SOURCE_CHARACTERS, Program

AS_IN_PYTHON = {
    "arithmetic": "print(7 // 2, -7 // 2, -7 % 3, 7 / 2, 2 ** 10, 2 ** -1, 5 & 3, 5 | 3, 5 ^ 3, 1 << 4, ~5)",
    "divmod and rounding": "print(divmod(17, 5), round(2.5), round(3.14159, 2), abs(-3), pow(3, 4, 5))",
    "texts": (
        "print('ab' * 3, 'a' + 'b', 'banana'.count('an'), 'b-c'.split('-'), ' x '.strip(), 'abc'.find('c'))"
    ),
    "text methods": (
        "print('abc'.upper(), 'Abc'.swapcase(), 'a b'.title(), 'x'.zfill(3), 'ab'.center(6, '*'))"
    ),
    "methods as values": (
        "c = {'a': 2, 'b': 5}\nxs = [1, 2, 2]\nadd = xs.append\nadd(3)\n"
        "print(max(sorted(c), key=c.get), max(xs, key=xs.count), sum(map('banana'.count, 'an')), xs)"
    ),
    "methods of types": (
        "print(sorted(['b', 'A'], key=str.lower), list(map(str.upper, 'ab')), dict.fromkeys('ab'))"
    ),
    "types compared": (
        "print(type([]) == list, type(1) is int, type('a') != int, type(True) is int, type(1) in (int, str))"
    ),
    "filled texts": "print('{}-{}'.format(1, [2]), 'x'.format(), '{}'.format('a', 'b'))",
    "slices": "xs = [1, 2, 3, 4]\nprint(xs[::-1], xs[1:3], xs[-1], 'river'[:2], (1, 2)[0], range(9)[2:8:3])",
    "lists": (
        "xs = [3, 1]\nxs.append(2)\nxs.sort()\nxs.insert(0, 9)\nxs += (4,)\nxs.remove(1)\n"
        "print(xs, xs.pop(), len(xs))"
    ),
    "aliases": "a = [1]\nb = a\nb += [2]\nc = b + [3]\na.append(4)\nprint(a, b, c)",
    "sorting": (
        "print(sorted('banana', key=lambda c: (-ord(c), c)), sorted([(2, 'b'), (1, 'z')], reverse=True))"
    ),
    "stable sorting": "print(sorted(['bb', 'a', 'cc', 'd'], key=len, reverse=True))",
    "dicts": (
        "d = {'a': 1}\nd['b'] = d.get('b', 0) + 2\nd.update(c=3)\ndel d['a']\n"
        "print(d, list(d.items()), 'c' in d)"
    ),
    "sets": (
        "s = {3, 1}\ns.add(2)\nprint(sorted(s | {9}), sorted(s & {1, 2}), len(s - {1}), 3 in s, {1} <= s)"
    ),
    "comprehensions": (
        "print([x * y for x in range(3) for y in range(x) if x], {k: len(k) for k in ['a', 'bb']})"
    ),
    "generators": (
        "print(sum(x for x in range(5)), any(x > 3 for x in [1, 5]), next(x for x in [4, 5] if x > "
        "4), list(zip('ab', [1, 2])))"
    ),
    "lazy ones stop early": "print(any(x > 2 for x in range(10 ** 9)), next(iter(range(5, 10 ** 9))))",
    "loops": (
        "for i in range(9):\n    if i == 2:\n        continue\n    if i == 5:\n        break\n"
        "    print(i)\nelse:\n    print('no')"
    ),
    "while with else": "n = 3\nwhile n:\n    n -= 1\nelse:\n    print('done')",
    "functions": "def f(a, b=2):\n    return a - b\nprint(f(1), f(b=1, a=5), f(3, 3))",
    "recursion": "def f(n):\n    return 1 if n < 2 else n * f(n - 1)\nprint(f(20))",
    "closures": (
        "def f(n):\n    def g(x):\n        return x + n\n    return g\n"
        "print(f(2)(3), [h(0) for h in [lambda y: y + i for i in range(3)]])"
    ),
    "kept defaults": (
        "def f(x, seen=[]):\n    seen.append(x)\n    return len(seen)\nprint(f(1), f(2), f(1, []))"
    ),
    "unpacking": (
        "a, (b, *c), d = 1, (2, 3, 4), 5\na, d = d, a\nprint(a, b, c, d)\n"
        "for i, (x, y) in enumerate([(1, 2)], 1):\n    print(i, x, y)"
    ),
    "formats": "x = 3.14159\nprint(f'{x:.2f} {7:>4} {7:04} {255:x} {1234:,} {\"a\"!r} {x > 3}')",
    "printing": "print('a', 'b', sep='-', end='!\\n')\nprint([1, 'a', None, 2.0, (1,), {}])\nprint(*[1, 2])",
    "comparisons": (
        "print(1 < 2 < 3, [1, 2] < [1, 3], 'a' in 'abc', None is None, 1 == 1.0, (1, 2) == [1, 2], not [])"
    ),
    "boolean values": "print(0 or 'x', [] and 1, True + True, 1 if '' else 2)",
    "numbers and texts": (
        "print(int('12'), int('101', 2), float('1.5'), str(5) + '!', bin(5)[2:], hex(255), chr(97), ord('a'))"
    ),
    "minimum and maximum": (
        "print(max([3, 1], key=lambda x: -x), min('b', 'a'), max([], default=0), sum([[1], [2]], []))"
    ),
    "types": (
        "print(isinstance(True, int), isinstance([], (list, tuple)), bool('x'), list('ab'), "
        "tuple([1]), dict([('a', 1)]))"
    ),
    "reversed and maps": (
        "print(list(reversed([1, 2])), ''.join(map(str, [1, 2])), list(filter(None, [0, 1])), "
        "dict.fromkeys('ab', 0))"
    ),
    "annotations": (
        "def f(xs: list[int], n: 'whatever' = 1) -> dict[str, int]:\n    y: int = n\n"
        "    return {str(y): len(xs)}\nprint(f([1]))"
    ),
    "items in place": "xs = [[0] * 2 for _ in range(2)]\nxs[1][0] += 5\nxs[0][:1] = [7, 8]\nprint(xs)",
}


def of_python(source: str) -> str:
    """What Python itself prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(source, {})  # noqa: S102  these sources are our own
    return printed.getvalue()


@pytest.mark.parametrize("case", AS_IN_PYTHON)
def test_what_is_in_the_subset_runs_as_in_python(case: str) -> None:
    assert Program(AS_IN_PYTHON[case]).run() == of_python(AS_IN_PYTHON[case])


FAILS_AS_IN_PYTHON = {
    "a name without value": "print(x)",
    "a local name read before it is assigned": "x = 1\ndef f():\n    x += 1\nf()",
    "an index out of range": "[1][5]",
    "a missing key": "{}['a']",
    "division by zero": "1 / 0",
    "values that have no order": "sorted([1, 'a'])",
    "text and number": "'a' + 1",
    "a list as key": "{[1]: 2}",
    "too few arguments": "def f(a, b):\n    pass\nf(1)",
    "too many arguments": "def f(a):\n    pass\nf(1, 2)",
    "an argument given twice": "def f(a):\n    pass\nf(1, a=2)",
    "an unknown keyword": "len(obj=[])",
    "too many values": "a, b = 1, 2, 3",
    "a method of another type": "list(map(str.upper, [1]))",
    "a method without its owner": "str.upper()",
    "an order of types": "int < str",
    "a text with too few values": "'{}{}'.format(1)",
    "a dict that changes while it is read": "d = {1: 1}\nfor k in d:\n    d[k + 1] = 1",
    "the maximum of nothing": "max([])",
    "an iterator at its end": "next(x for x in [])",
    "a failing assertion": "assert 1 == 2",
    "a call of a number": "x = 3\nx()",
    "a change of a tuple": "t = (1,)\nt[0] = 2",
    "a syntax error": "print('a'",
}


@pytest.mark.parametrize("case", FAILS_AS_IN_PYTHON)
def test_what_fails_in_python_halts(case: str) -> None:
    with pytest.raises(Exception):  # noqa: B017  whichever Python raises
        of_python(FAILS_AS_IN_PYTHON[case])
    with pytest.raises(Halted):
        Program(FAILS_AS_IN_PYTHON[case]).run()


HOSTILE = {
    "an attribute that is no method": "x = ''.__class__",
    "an attribute of a method": "[].append.__self__",
    "an attribute in a text": "'{.__class__}'.format(1)",
    "a method that is none of the subset": "f = 'a'.encode",
    "a tower of powers": "10 ** 10 ** 10",
    "a growing product": "x = 9 ** 1000\nwhile True:\n    x = x * x",
    "a shift": "1 << 10 ** 9",
    "a modular power": "pow(3, 2 ** 4000, 2 ** 4000 + 1)",
    "rounding by a power": "round(5, -10 ** 9)",
    "a long number": "int('9' * 4200)",
    "a long text": "'a' * 10 ** 9",
    "a text doubled for ever": "x = 'a'\nwhile True:\n    x += x",
    "a text by replacement": "x = 'ab' * 100\nwhile True:\n    x = x.replace('a', x)",
    "a text by joining": "x = 'ab'\nwhile True:\n    x = x.join([x] * 50)",
    "a wide text": "'a'.ljust(10 ** 10)",
    "a text with many zeros": "'1'.zfill(10 ** 9)",
    "a wide format": "f'{1:>999999999}'",
    "a wide format by a value": "w = 10 ** 9\nf'{1:{w}}'",
    "an old format": "'%999999999d' % 1",
    "format's attributes": "'{0.__class__}'.format(1)",
    "a long list": "[0] * 10 ** 9",
    "a list of a range": "list(range(10 ** 9))",
    "a list extended by itself": "x = [1]\nwhile True:\n    x.extend(x)",
    "a list read while it grows": "x = [1]\nfor i in x:\n    x.append(i)",
    "nested comprehensions": (
        "[[[[i for i in range(99)] for _ in range(99)] for _ in range(99)] for _ in range(99)]"
    ),
    "a sum of a range": "sum(range(10 ** 9))",
    "a search in a range": "0.5 in range(10 ** 9)",
    "arguments of a range": "print(*range(10 ** 9))",
    "an endless loop": "while True:\n    pass",
    "endless recursion": "def f(n):\n    return f(n + 1)\nf(0)",
    "recursion in a key": "def f(x):\n    return sorted([1, 2], key=f)\nf(1)",
    "recursion without depth": "def f(n):\n    return [f(n - 1) for _ in range(9)] if n else 0\nf(30)",
    "a list that holds itself": "x = []\nx.append(x)\nprint(x)",
    "lists that hold themselves, compared": "x = []\nx.append(x)\ny = []\ny.append(y)\nx == y",
    "a wide tree compared": "a, b = [0], [0]\nfor _ in range(40):\n    a, b = [a, a], [b, b]\na == b",
    "a wide tree ordered": "a, b = [0], [0]\nfor _ in range(40):\n    a, b = [a, a], [b, b]\na < b",
    "a wide tree written": "a = [0]\nfor _ in range(40):\n    a = [a, a]\nstr(a)",
    "a wide tree as key": "a = (0,)\nfor _ in range(40):\n    a = (a, a)\n{a}",
    "generators in generators": "g = (i for i in [1])\nwhile True:\n    g = (i for i in g)",
    "a generator that reads itself": "g = map(lambda x: next(g), [1])\nnext(g)",
    "functions in functions": "f = 0\nwhile True:\n    f = (lambda g: lambda: g)(f)",
    "lists in lists": "x = []\nwhile True:\n    x = [x]",
    "a class": "().__class__.__bases__[0].__subclasses__()",
    "a method's owner": "''.join.__self__",
    "a frame": "(x for x in []).gi_frame",
    "a function's globals": "def f():\n    pass\nf.__globals__",
    "an attribute assigned": "def f():\n    pass\nf.x = 1",
    "an import": "import os",
    "an import by call": "__import__('os')",
    "a file": "open('/etc/passwd')",
    "code in code": "eval('1')",
    "attributes by name": "getattr('', 'join')",
    "a class that is made": "type('x', (), {})",
    "the type of a function": "type(len)",
    "the parts of a type": "type(1).__subclasses__()",
    "input": "input()",
    "the builtins": "__builtins__",
    "a class statement": "class A:\n    pass",
    "try": "try:\n    1\nexcept Exception:\n    pass",
    "with": "with open('x'):\n    pass",
    "a decorator": "@print\ndef f():\n    pass",
    "a coroutine": "async def f():\n    pass",
    "an assignment in an expression": "(x := 1)",
    "a generator function": "def f():\n    yield 1\nlist(f())",
    "global": "global x",
    "bytes": "b'a'",
    "a complex number": "1j",
    "a complex number by a power": "(-8) ** 0.5",
    "a break outside of a loop": "def f():\n    break\nfor _ in [1]:\n    f()",
    "a return outside of a function": "return 1",
    "the order of a set": "print({3, 1, 2})",
    "deep brackets": "[" * 3000,
    "deep signs": "-" * 3000 + "1",
    "deep negations": "not " * 900 + "1",
    "a null": "\0",
    "half of a character": "print('\ud800')" + "\ud800",
    "too long a program": "x = 1\n" * MOST_SOURCE_CHARACTERS,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_hostile_halts(case: str) -> None:
    with pytest.raises(Halted):
        Program(HOSTILE[case]).run()


def test_what_was_started_and_is_left_costs_nothing_more() -> None:
    source = "g = (i for i in range(10 ** 9))\nprint(next(g), next(g))"

    assert Program(source).run() == "0 1\n"


def test_examples_around_a_function_are_not_run() -> None:
    source = (
        "import math\nx = input()\ndef f(n):\n    return n + 1\nprint(f(1))\nassert f(1) == 3\n"
        "while True: pass"
    )

    assert Program(source).define().call("f", [1]) == 2


def test_arguments_are_copies() -> None:
    program, given = Program("def f(xs):\n    xs.append(1)\n    return xs").define(), [0]

    assert program.call("f", [given]) == [0, 1]
    assert given == [0]


def test_the_steps_are_those_of_all_calls_together() -> None:
    program = Program("def f():\n    return sum(range(200))", most_steps=1000).define()

    with pytest.raises(Halted):
        for _ in range(10):
            program.call("f", [])


NUMBERS = st.integers(-9, 99)
WORDS = st.text("abc ", max_size=5)
NAMES = st.sampled_from("xyzst")


def _joined(form: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(lambda texts: form.format(*texts))


def _expressions(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    signs = st.sampled_from(
        ["+", "-", "*", "//", "%", "/", "<", "==", "!=", ">=", "in", "and", "or", "&", "|", "^"]
    )
    return st.one_of(
        _joined("({} {} {})", inner, signs, inner),
        _joined("(not {})", inner),
        _joined("(-{})", inner),
        _joined("[{}, {}]", inner, inner),
        _joined("({}, {})", inner, inner),
        _joined("{{{}: {}}}", inner, inner),
        _joined("{}[{}]", inner, inner),
        _joined("{}[{}:{}]", inner, inner, inner),
        _joined("({} if {} else {})", inner, inner, inner),
        _joined("[{} for {} in {} if {}]", inner, NAMES, inner, inner),
        _joined("sum({} for {} in {})", inner, NAMES, inner),
        _joined("(lambda {}: {})({})", NAMES, inner, inner),
        _joined(
            "{}({})",
            st.sampled_from(
                ["len", "str", "list", "sorted", "max", "min", "sum", "abs", "bool", "repr", "any", "int"]
            ),
            inner,
        ),
        _joined(
            "{}.{}({})",
            inner,
            st.sampled_from(["count", "index", "split", "join", "startswith", "get"]),
            inner,
        ),
        _joined("f'a{{{}}}b'", NAMES),
    )


EXPRESSIONS = st.recursive(
    st.one_of(NUMBERS.map(str), WORDS.map(repr), NAMES, st.sampled_from(["True", "None", "[]", "1.5"])),
    _expressions,
    max_leaves=8,
)


def _blocks(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    body = inner.map(lambda text: "\n".join(f"    {line}" for line in text.splitlines()))
    return st.one_of(
        _joined("if {}:\n{}\nelse:\n{}", EXPRESSIONS, body, body),
        _joined("for {} in {}:\n{}", NAMES, EXPRESSIONS, body),
        _joined("def f({}):\n{}\n    return {}\nx = f({})", NAMES, body, EXPRESSIONS, EXPRESSIONS),
        _joined("{}\n{}", inner, inner),
    )


STATEMENTS = st.recursive(
    st.one_of(
        _joined("{} = {}", NAMES, EXPRESSIONS),
        _joined("{} += {}", NAMES, EXPRESSIONS),
        _joined("{}.append({})", NAMES, EXPRESSIONS),
        _joined("{}, {} = {}", NAMES, NAMES, EXPRESSIONS),
        _joined("{}[{}] = {}", NAMES, EXPRESSIONS, EXPRESSIONS),
        _joined("print({})", EXPRESSIONS),
    ),
    _blocks,
    max_leaves=4,
)
START = "x = 3\ny = [1, 2, 5]\nz = {'a': 1}\ns = 'abc'\nt = (2, 4)\n"
END = "\nprint(x, y, z, s, t)"


@profile(300)
@given(STATEMENTS)
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_a_random_program_that_runs_does_as_in_python(statements: str) -> None:
    source = START + statements + END
    try:
        found = Program(source).run()
    except Halted:
        return  # it fails in Python too, or takes what only a limit ends
    assert found == of_python(source)


@profile(300)
@given(st.text(st.sampled_from("x=1()[]{}:.,+*'\"\n _defrtuni"), max_size=60))
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_no_source_makes_another_exception_than_halted(source: str) -> None:
    with contextlib.suppress(Halted):
        Program(source).run()
