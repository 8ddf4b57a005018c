"""What the profiler's numbers are worth: coverage, bias, ranking, differences between seeds, latency.

Models are simulated, and fake engines of a known latency are measured over HTTP. With --url a real model is
asked by many seeds instead, which takes two runs of its suite for each pair.
"""

import argparse
import asyncio
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "hack")]

from calibration import asked, tables  # noqa: E402 - the fakes and these tools are no installed packages
from calibration.tables import Table  # noqa: E402
from steelyard.api.measuring import Suite  # noqa: E402
from steelyard_profiler.target import Target  # noqa: E402

_BLOCK = re.compile(r"(<!-- calibration -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000, help="simulated runs behind each figure")
    parser.add_argument("--seed", type=int, default=1, help="of the simulation; with --url of the first run")
    parser.add_argument("--page", type=Path, help="a page whose tables are written anew")
    parser.add_argument("--url", default="", help="base address of a real engine, as http://host:port/v1")
    parser.add_argument("--model", default="m", help="with --url: the model")
    parser.add_argument("--suite", type=Suite, default=Suite.QUICK, help="with --url: the suite")
    parser.add_argument("--pairs", type=int, default=20, help="with --url: pairs of seeds")
    parser.add_argument(
        "--keep", type=Path, help="with --url: a file of runs, which a later call goes on with"
    )
    arguments = parser.parse_args()
    found = []
    for table in _real(arguments) if arguments.url else _simulated(arguments):
        print(table.markdown(), flush=True)
        found.append(table.markdown())
    if arguments.page:
        page, made = arguments.page.read_text(), "\n".join(found)
        arguments.page.write_text(_BLOCK.sub(lambda block: f"{block[1]}{made}{block[2]}", page))
    return 0


def _simulated(arguments: argparse.Namespace) -> Iterator[Table]:
    of_suite = partial(tables.of_suite, runs=arguments.runs, seed=arguments.seed)
    with ProcessPoolExecutor() as pool:
        made = list(pool.map(of_suite, reversed(Suite)))  # the longest first
    yield from tables.joined(made[::-1])
    yield asyncio.run(asked.latency())


def _real(arguments: argparse.Namespace) -> Iterator[Table]:
    target = Target(arguments.url.rstrip("/"), arguments.model)
    seeds = range(arguments.seed, arguments.seed + 2 * arguments.pairs)
    yield asyncio.run(asked.seeds(target, arguments.suite, seeds, arguments.keep))


if __name__ == "__main__":
    sys.exit(main())
