"""How the benchmark runs its contestants: processes of their own, by turns, ended at the end."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bench import __main__ as program
from bench import cases, contestants, processes, rounds, streams
from bench.contestants import Site
from bench.measures import Quantity, Round
from bench.processes import BenchError, Launch, Program
from bench.rounds import Case, Entry, Plan

CORES = frozenset(os.sched_getaffinity(0))
SECONDS = 20.0
FAMILY = """
import os, subprocess, sys, time
memory = bytearray(int(sys.argv[1]) << 20)
memory[::4096] = b"x" * len(memory[::4096])
if len(sys.argv) > 2:
    child = subprocess.Popen([sys.executable, "-c", sys.argv[2], sys.argv[1]])
end = time.process_time() + 0.2
while time.process_time() < end:
    pass
print("ready", flush=True)
time.sleep(60)
"""


@dataclass(frozen=True, slots=True)
class FakeLoad:
    """Notes whose turn it is."""

    name: str
    turns: list[tuple[int, str]]

    def run(self, port: int, seconds: int, number: int) -> Round:
        """One more turn."""
        self.turns.append((number, self.name))
        return {Quantity.RATE: 10.0, Quantity.COUNT: 10.0, Quantity.ERRORS: 0.0}


@contextmanager
def started(*words: str, folder: Path) -> Iterator[Program]:
    one = Program(Launch([sys.executable, *words], {}), CORES, folder / "log")
    try:
        yield one
    finally:
        one.stop()


def until_ready(one: Program, times: int) -> None:
    deadline = time.monotonic() + SECONDS
    while one.log.read_text().count("ready") < times:
        assert time.monotonic() < deadline, one.log.read_text()
        time.sleep(0.01)


def test_time_and_memory_are_those_of_the_whole_family(tmp_path: Path) -> None:
    with started("-c", FAMILY, "20", FAMILY, folder=tmp_path) as one:
        until_ready(one, 2)

        assert one.cpu_seconds() >= 0.4
        assert one.peak_rss_mib() >= 40


def test_stopping_ends_the_whole_family(tmp_path: Path) -> None:
    with started("-c", FAMILY, "1", FAMILY, folder=tmp_path) as one:
        until_ready(one, 2)
        family = [pid for pid in processes.tree(one.pid) if pid != one.pid]
    deadline = time.monotonic() + SECONDS
    while any(state(pid) not in ("", "Z") for pid in family):
        assert time.monotonic() < deadline
        time.sleep(0.01)

    assert len(family) == 1
    assert not one.is_running()


def state(pid: int) -> str:
    """The state of a process; empty where it is gone."""
    path = Path(f"/proc/{pid}/stat")
    return path.read_text().rpartition(")")[2].split()[0] if path.exists() else ""


def test_a_process_runs_on_its_cores_and_ours_stay_as_they_were(tmp_path: Path) -> None:
    core = min(CORES)
    words = [sys.executable, "-c", "import os; print('ready', os.sched_getaffinity(0), flush=True)"]
    one = Program(Launch(words, {}), frozenset({core}), tmp_path / "log")
    until_ready(one, 1)
    one.stop()

    assert f"{{{core}}}" in one.log.read_text()
    assert os.sched_getaffinity(0) == CORES


def test_no_setting_of_the_caller_leaks_into_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEELYARD_PORT", "1")
    with started("-c", "import os; print('ready', sorted(os.environ), flush=True)", folder=tmp_path) as one:
        until_ready(one, 1)

    assert "STEELYARD_PORT" not in one.log.read_text()


def test_a_contestant_that_does_not_start_is_told_with_its_log(tmp_path: Path) -> None:
    ends = "raise SystemExit('no such model')"
    with started("-c", ends, folder=tmp_path) as one, pytest.raises(BenchError, match="no such model"):
        processes.wait_for_answer(one, processes.free_port(), b"{}", SECONDS)


def upstream_of_streams(folder: Path, port: int) -> Launch:
    return streams.upstream(folder, port, interval_ms=20)


def another_upstream(site: Site) -> Launch:
    return streams.upstream(site.folder, site.port, interval_ms=20)


def plan(folder: Path) -> Plan:
    return Plan(folder, rounds=3, seconds=1, tested=CORES, load=CORES, say=lambda text: None)


def test_every_round_gives_everyone_one_turn_in_another_order(tmp_path: Path) -> None:
    turns: list[tuple[int, str]] = []
    names = ("direct", "one", "two", "three")
    entries = [
        Entry(name, None if name == "direct" else another_upstream, FakeLoad(name, turns), "{}")
        for name in names
    ]
    results = rounds.run(Case("case", "A case", upstream_of_streams, entries), plan(tmp_path))
    by_round = [[name for number, name in turns if number == wanted] for wanted in range(4)]

    assert by_round[0] == list(names)
    assert all(sorted(order) == sorted(names) for order in by_round)
    assert len({tuple(order) for order in by_round[1:]}) > 1
    assert all(len(results[name].rounds) == 3 for name in names)


def test_who_does_not_start_is_told_and_left_out(tmp_path: Path) -> None:
    told: list[str] = []
    entries = [
        Entry("direct", None, FakeLoad("direct", []), "{}"),
        Entry("broken", lambda site: Launch(["false"], {}), FakeLoad("broken", []), "{}"),
    ]
    results = rounds.run(
        Case("case", "A case", upstream_of_streams, entries), replace(plan(tmp_path), say=told.append)
    )

    assert set(results) == {"direct"}
    assert [text for text in told if text.startswith("without broken: it ended at once")]


def test_what_a_contestant_costs_is_measured_beside_its_load(tmp_path: Path) -> None:
    entry = Entry("one", another_upstream, FakeLoad("one", []), "{}")
    results = rounds.run(Case("case", "A case", upstream_of_streams, [entry]), plan(tmp_path))
    one = results["one"]

    assert 0 < one.once[Quantity.START_SECONDS] < SECONDS
    assert one.once[Quantity.RSS_MIB] > 5
    assert all(Quantity.CPU_US in measured for measured in one.rounds)
    assert (tmp_path / "case" / "one" / "log").exists()


def test_every_case_can_be_made_and_has_entries_of_its_own(tmp_path: Path) -> None:
    for name in cases.NAMES:
        made = cases.make(name, tmp_path / name, 1, frozenset(contestants.NAMES))
        names = [entry.name for entry in made.entries]

        assert made.name == name
        assert len(names) == len(set(names)) >= 2


def test_only_those_take_part_who_were_chosen(tmp_path: Path) -> None:
    made = cases.make("requests", tmp_path, 1, frozenset({"ours", "direct"}))

    assert [entry.name for entry in made.entries] == ["direct", "ours"]


@pytest.mark.parametrize("words", [("--cases", "nothing"), ("--only", "envoy")])
def test_a_name_that_there_is_not_is_told(words: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(words) == 2
    assert f"there is no {words[1]}" in capsys.readouterr().err
