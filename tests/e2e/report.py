"""The report of a whole run in a real cluster: when, of what, and the figures."""

import platform
import subprocess
import time
from collections.abc import Mapping, Sequence

from e2e.clusters import REPOSITORY

_HEAD = """\
# A run of the product in a real cluster

Written by `make e2e-full`: images built, chart installed, models measured by real Jobs, requests through the
Service and an Ingress, upgrades, evictions, outages, removal. What was not run is not here.

"""


def text(commit: str, figures: Sequence[tuple[str, str, str]], outcomes: Mapping[str, int]) -> str:
    """The page; a figure is what was measured, its value, and what it must be. `outcomes`: how many tests."""
    counted = ", ".join(f"{number} {outcome}" for outcome, number in outcomes.items())
    rows = "".join(f"| {what} | {figure} | {must} |\n" for what, figure, must in figures)
    return (
        f"{_HEAD}{time.strftime('%Y-%m-%d')}, commit {commit}, {platform.system()} "
        f"{platform.machine()}; tests: {counted}.\n\n"
        f"| | measured | must |\n|---|--:|--:|\n{rows}"
    )


def commit() -> str:
    """What is checked out, and whether it was changed: to be asked before a run, which writes pictures."""
    words = ["git", "describe", "--always", "--dirty"]
    ran = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True)
    return ran.stdout.strip() or "unknown"
