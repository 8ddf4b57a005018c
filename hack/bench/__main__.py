"""Measure the gateway and its rivals in one run on this machine, and print what came out.

One core has the gateway under test, others have the load and the upstream. Cases are chosen by --cases.
"""

import argparse
import fnmatch
import os
import platform
import resource
import signal
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import cases, contestants, musts, nginx, processes, report, rivals, rounds, tables, wrk
from bench.measures import CaseResults
from bench.processes import BenchError
from bench.rounds import Case, Plan
from bench.tables import Table
from steelyard import settings

MOST_LOAD_CORES = 2
"""Where there are more cores than two, load and upstream have one each; more do not help."""


def main(words: Sequence[str] | None = None) -> int:
    """Run; the exit status is 2 where it cannot be run."""
    chosen = _parser().parse_args(words)
    try:
        return _run(chosen)
    except BenchError as error:
        _say(f"bench: {error}")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench ARGS='…'", description=__doc__)
    add = parser.add_argument
    described = f"names or patterns with * and ?, by commas; there are {', '.join(cases.NAMES)}"
    add("--cases", type=_names, default=["*"], help=described)
    described = f"who takes part where contestants are compared: {', '.join(contestants.NAMES)}"
    add("--only", type=_names, default=["*"], help=described)
    count = settings.whole_number(1, 3600)
    add("--rounds", type=count, default=9, help="rounds that count (9)")
    add("--seconds", type=count, default=3, help="load on each contestant in a round (3)")
    add("--seed", type=int, default=1, help="of the prompts (1)")
    add("--core", type=int, help="the core of the gateway under test; none: the last one")
    add("--markdown", type=Path, metavar="FILE", help="write the tables to this file, too")
    return parser


def _run(chosen: argparse.Namespace) -> int:
    """Run what was asked for; what fails is told and all else goes on. The exit status."""
    _check_names(chosen)
    wrk.find()
    nginx.find()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # those who were started are ended, too
    tested, load = _cores(chosen.core)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with processes.on_cores(load), tempfile.TemporaryDirectory(prefix="steelyard-bench-") as name:
        plan = Plan(Path(name), chosen.rounds, chosen.seconds, tested, load, _say)
        results: dict[str, CaseResults] = {}
        made: list[Table] = []
        failed = False
        for case in _cases(chosen, plan.folder):
            try:
                results[case.name] = rounds.run(case, plan)
            except BenchError as error:
                _say(f"bench: {case.name}: {error}")
                failed = True
                continue
            failed |= len(results[case.name]) < len(case.entries)
            made.append(report.table(case, results[case.name]))
            print(tables.text(made[-1]), flush=True)
    made.append(musts.table(results))
    print(tables.text(made[-1]))
    notes = _notes(chosen, tested, load)
    print(notes)
    if chosen.markdown:
        chosen.markdown.write_text("\n".join([*(tables.markdown(one) for one in made), notes]))
    return 2 * failed


def _check_names(chosen: argparse.Namespace) -> None:
    unknown = [one for one in chosen.cases if not fnmatch.filter(cases.NAMES, one)]
    unknown += [one for one in chosen.only if not fnmatch.filter(contestants.NAMES, one)]
    if unknown:
        raise BenchError(f"there is no {unknown[0]}: see --help")


def _cases(chosen: argparse.Namespace, folder: Path) -> list[Case]:
    """The cases that were asked for, with those who can take part."""
    for name, how in contestants.missing().items():
        if _is_chosen(name, chosen.only):
            _say(f"without {name}, which is not installed: {how}")
    present = [one for one in contestants.NAMES if one not in contestants.missing()]
    who = frozenset(one for one in present if _is_chosen(one, chosen.only))
    names = [one for one in cases.NAMES if _is_chosen(one, chosen.cases)]
    made = (cases.make(name, folder / "load" / name, chosen.seed, who) for name in names)
    return [case for case in made if case.entries]


def _is_chosen(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def _cores(chosen: int | None) -> tuple[frozenset[int], frozenset[int]]:
    """The core of the contestants and those of load and upstream."""
    cores = sorted(os.sched_getaffinity(0))
    tested = cores[-1] if chosen is None else chosen
    others = [core for core in cores if core != tested]
    if tested not in cores or not others:
        raise BenchError(f"two cores are needed, and the gateway's must be one of {cores}")
    return frozenset({tested}), frozenset(others[:MOST_LOAD_CORES])


def _notes(chosen: argparse.Namespace, tested: frozenset[int], load: frozenset[int]) -> str:
    versions = [f"{name} {rivals.version(name)}" for name in rivals.PACKAGES if rivals.version(name)]
    return (
        f"{chosen.rounds} rounds of {chosen.seconds} s each, medians, 95 % bootstrap intervals; "
        f"gateway on core {_listed(tested)}, load and upstream on {_listed(load)}; {_processor()}, "
        f"Linux {platform.release()}, {_python()}, {', '.join(versions)}; "
        f"{time.strftime('%Y-%m-%d')}\n"
    )


def _listed(cores: frozenset[int]) -> str:
    return ", ".join(str(core) for core in sorted(cores))


def _python() -> str:
    optimized = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
    return f"Python {platform.python_version()} with{'' if optimized else 'out'} --enable-optimizations"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return name or platform.machine()


def _names(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


def _say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
