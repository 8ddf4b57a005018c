import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.telemetry import exposition
from steelyard.telemetry.exposition import Line

NAMES = ("job:running", "job:waiting", "up")
SIZE = 10_000_000

MOST_TIMES = 100
"""The dearest takes ten times as long; one that went over the bytes again would take a million times."""


def values(text: bytes) -> list[float | None]:
    return [line.value for line in exposition.read(text, NAMES)]


def test_only_wanted_metrics_are_read_in_their_order() -> None:
    text = (
        b"# HELP up job:running 5\n# TYPE up gauge\n"
        b"job:waiting 3\n \t up 1\nups 7\njob:waiting_by_reason 9\nxup 2\nx up 4\njob:running_total 8\nup\n"
        b"job:waiting 4"
    )
    assert exposition.read(text, NAMES) == [
        Line("job:waiting", {}, 3.0),
        Line("up", {}, 1.0),
        Line("job:waiting", {}, 4.0),
    ]


@pytest.mark.parametrize(
    ("labels", "read"),
    [
        (b"", {}),
        (b"{}", {}),
        (b'{a="1"}', {"a": "1"}),
        (b'{a="1",b="2",}', {"a": "1", "b": "2"}),
        (b' { a = "1" , b="2" } ', {"a": "1", "b": "2"}),
        (b'{a="1", b="2"}', {"a": "1", "b": "2"}),
        (b'{a="say \\"hi\\"",b="C:\\\\x\\n"}', {"a": 'say "hi"', "b": "C:\\x\n"}),
        (b'{a="} 9 # {",b="x=\\"y\\","}', {"a": "} 9 # {", "b": 'x="y",'}),
        (b'{a="\\t"}', {"a": "\\t"}),
        ('{a="smollm2 – ü"}'.encode(), {"a": "smollm2 – ü"}),
        (b'{a="\xff"}', {"a": "\ufffd"}),
    ],
)
def test_labels_are_read_as_they_were_meant(labels: bytes, read: dict[str, str]) -> None:
    assert exposition.read(b"up%b 1\n" % labels, NAMES) == [Line("up", read, 1.0)]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b"up 1", 1.0),
        (b"up 1\r", 1.0),
        (b"up\t1.5e+3  ", 1500.0),
        (b"up -2", -2.0),
        (b"up +.5", 0.5),
        (b'up{a="b"}1', 1.0),
        (b"up 3 1795255306000", 3.0),
        (b'up{a="b"} 3.0 # {trace_id="} 7"} 9.0 1520879607.789', 3.0),
        (b"up 12345678901234567890", 12345678901234567890.0),
    ],
)
def test_values_are_read_with_whatever_follows_them(line: bytes, value: float) -> None:
    assert values(b"up 0\n%b\nup 0\n# EOF\n" % line) == [0.0, value, 0.0]


@pytest.mark.parametrize(
    "line",
    [
        b"up NaN",
        b"up nan",
        b"up +Inf",
        b"up -Inf",
        b"up 1e999",
        b"up many",
        b"up 1_000",
        b"up 0x10",
        b"up 1.2.3",
        b"up  ",
        b"up %b" % (b"1" * 65),
        b'up{a="b" 1',
        b'up{a="b} 1',
        b"up{a=b} 1",
        b'up{a="b",,=} 1',
        b'up{"a"} 1',
        b'up{a="b\\"} 1',
        b'up{a="b" c="d"} 1',
        b'up{a="b"',
    ],
)
def test_a_line_that_cannot_be_read_is_there_without_a_value(line: bytes) -> None:
    assert values(b"up 1\n%b\nup 2\n" % line) == [1.0, None, 2.0]


@pytest.mark.parametrize(
    ("line", "most"),
    [(b"up 1\n", exposition.MOST_LINES), (b'up{a="%b"} 1\n' % (b"b" * 500), exposition.MOST_BYTES // 512)],
)
def test_an_exposition_with_too_much_of_a_metric_tells_nothing(line: bytes, most: int) -> None:
    others = b"other 1\n" * 2 * most
    assert len(values(others + line * most)) == most
    assert values(others + line * (most + most // 10)) == []


@given(
    st.lists(
        st.sampled_from([b"up", b"job:running", b"{", b"}", b'"', b"\\", b"\n", b"=", b",", b" ", b"a", b"1"])
    )
)
def test_any_bytes_can_be_read(parts: list[bytes]) -> None:
    for line in exposition.read(b"".join(parts), NAMES):
        assert line.name in NAMES


@given(
    st.dictionaries(st.from_regex(r"\A[a-zA-Z_][a-zA-Z0-9_]{0,8}\Z"), st.text(), max_size=4),
    st.floats(0, 1e300),
)
def test_what_an_exporter_writes_is_read_again(labels: dict[str, str], value: float) -> None:
    pairs = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
    text = f"# TYPE up gauge\nup{{{pairs}}} {value!r}\n".encode(errors="replace")
    known = {name: text.encode(errors="replace").decode() for name, text in labels.items()}
    assert exposition.read(text, NAMES) == [Line("up", known, value)]


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "many lines": lambda size: b"up 1\n" * (size // 5),
    "nearly the name": lambda size: b"\njob:runnin" * (size // 11),
    "indented lines": lambda size: b"\n  up" * (size // 5),
    "empty lines": lambda size: b"\n" * size,
    "blanks": lambda size: b"up" + b" " * size,
    "a long value": lambda size: b"up " + b"1" * size,
    "one endless label": lambda size: b"up{" + b"a" * size + b"} 1\n",
    "blank labels": lambda size: b"up{" + b" " * size + b"} 1\n",
    "quotes": lambda size: b'up{a="' + b'"' * size,
    "escapes": lambda size: b'up{a="' + b'\\"' * (size // 2) + b'"} 1\n',
    "labels": lambda size: b"up{" + b'a="b",' * (size // 6) + b"} 1\n",
    "braces": lambda size: b"up{" * (size // 3),
    "lines with labels": lambda size: b'up{a="b",c="d"} 1\n' * (size // 18),
}


@pytest.mark.parametrize("size", [SIZE, exposition.MOST_BYTES - 100])
@pytest.mark.parametrize("shape", HOSTILE)
def test_hostile_megabytes_take_little_longer_than_harmless_ones(shape: str, size: int) -> None:
    harmless, hostile = b"other 1\n" * (SIZE // 8), HOSTILE[shape](size)
    usual = min(_seconds(lambda: exposition.read(harmless, NAMES)) for _ in range(3))
    assert _seconds(lambda: exposition.read(hostile, NAMES)) < MOST_TIMES * usual


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
