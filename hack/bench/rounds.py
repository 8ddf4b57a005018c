"""One case: every contestant is up, and each round puts load on all of them, one by one, in another order.

Invariant: only the contestant whose turn it is gets requests, and all processes are ended at the end.
"""

import contextlib
import os
import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bench import processes
from bench.contestants import Site, Start
from bench.measures import CaseResults, Quantity, Round, Series
from bench.processes import BenchError, Launch, Program

WARM_UP_SECONDS = 1
"""Load on each before the first round: connections are made, code that is used is in memory."""

PATIENCE_SECONDS = 90.0
"""The longest start."""

STARTS = 3
"""So often is started who starts quickly; the median is told."""

QUICK_START_SECONDS = 5.0
"""Who takes longer for the first start is started once."""


class Load(Protocol):
    """What puts load on a port."""

    def run(self, port: int, seconds: int, number: int) -> Round:
        """What was measured; `number` is that of the round."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a table."""

    name: str
    """Who it is, or what differs from the other lines."""
    start: Start | None
    """How it is started; None: the upstream itself gets the load."""
    load: Load
    """What it gets."""
    question: str
    """A chat request that it can answer."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is measured together."""

    name: str
    """As it is chosen on the command line."""
    title: str
    """What it is, in one line."""
    upstream: Callable[[Path, int], Launch]
    """Starts the upstream in this folder on this port."""
    entries: Sequence[Entry]
    """In the order of the table."""
    baselines: Sequence[str] = ()
    """Entries that the rates are compared with."""
    adds_to: str = ""
    """The entry whose delays are those of the load itself; empty where delays are not what is measured."""
    run_in_seconds: int = 0
    """Load before each round that does not count. Kept connections are closed while others have their turn;
    where they are many, making them anew would be most of what a round shows."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How the run is made."""

    folder: Path
    """Where configurations and logs are."""
    rounds: int
    """Rounds that count."""
    seconds: int
    """Load on each contestant in a round."""
    tested: frozenset[int]
    """Cores of the contestants."""
    load: frozenset[int]
    """Cores of the load and of the upstream."""
    say: Callable[[str], None]
    """Tells how far it is."""


@dataclass(slots=True)
class _Up:
    """An entry that is up."""

    entry: Entry
    port: int
    program: Program | None
    series: Series = field(default_factory=Series)


def run(case: Case, plan: Plan) -> CaseResults:
    """Measure one case; who does not start is told and left out."""
    folder = plan.folder / case.name
    port = processes.free_port()
    with contextlib.ExitStack() as stack:
        folder.mkdir(parents=True)
        launch = case.upstream(folder / "upstream", port)
        upstream = stack.enter_context(_running(launch, plan.load, folder / "upstream.log"))
        processes.wait_for_answer(upstream, port, case.entries[0].question.encode(), PATIENCE_SECONDS)
        ups = []
        for entry in case.entries:
            try:
                ups.append(_up(entry, folder / entry.name, port, plan, stack))
            except BenchError as error:
                plan.say(f"without {entry.name}: {error}")
        for up in ups:
            up.entry.load.run(up.port, WARM_UP_SECONDS, 0)
        for number in range(1, plan.rounds + 1):
            plan.say(f"{case.name}: round {number} of {plan.rounds}")
            for up in random.Random(number).sample(ups, len(ups)):
                if case.run_in_seconds:
                    up.entry.load.run(up.port, case.run_in_seconds, number)
                up.series.rounds.append(_turn(up, plan.seconds, number))
        for up in ups:
            if up.program:
                up.series.once[Quantity.RSS_MIB] = up.program.peak_rss_mib()
    return {up.entry.name: up.series for up in ups}


def _up(entry: Entry, folder: Path, upstream_port: int, plan: Plan, stack: contextlib.ExitStack) -> _Up:
    """Start an entry, some times where that is quick; the last of them stays."""
    if entry.start is None:
        return _Up(entry, upstream_port, None)
    plan.say(f"starting {entry.name}")
    folder.mkdir()
    starts: list[float] = []
    while True:
        site = Site(folder / str(len(starts)), processes.free_port(), upstream_port)
        program = Program(entry.start(site), plan.tested, folder / "log")
        with contextlib.ExitStack() as starting:
            starting.callback(program.stop)
            question = entry.question.encode()
            starts.append(processes.wait_for_answer(program, site.port, question, PATIENCE_SECONDS))
            if len(starts) == STARTS or starts[0] > QUICK_START_SECONDS:
                stack.enter_context(starting.pop_all())
                break
    up = _Up(entry, site.port, program)
    up.series.once[Quantity.START_SECONDS] = statistics.median(starts)
    return up


def _turn(up: _Up, seconds: int, number: int) -> Round:
    before = up.program.cpu_seconds() if up.program else 0.0
    measured = dict(up.entry.load.run(up.port, seconds, number))
    if up.program:
        if not up.program.is_running():
            raise BenchError(f"{up.entry.name} ended under load: {processes.tail(up.program.log)}")
        spent = up.program.cpu_seconds() - before
        if measured[Quantity.COUNT]:
            measured[Quantity.CPU_US] = spent * 1e6 / measured[Quantity.COUNT]
        _empty_logs(up.program.log.parent)
    return measured


@contextlib.contextmanager
def _running(launch: Launch, cores: frozenset[int], log: Path) -> Iterator[Program]:
    program = Program(launch, cores, log)
    try:
        yield program
    finally:
        program.stop()


def _empty_logs(folder: Path) -> None:
    """Forget what was logged: a run writes gigabytes, and none of it is needed."""
    for path in (folder / "log", *folder.glob("*/access.log")):
        os.truncate(path, 0)
