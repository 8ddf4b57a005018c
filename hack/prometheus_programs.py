"""Prometheus and promtool: those on the PATH, or those of Debian's package, unpacked into the user's cache.

Nothing is installed and no service is started. Invariant: a file in the cache is whole, as it appears there
by one rename.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import caches
import go_programs

PACKAGE = "prometheus"
"""Of Debian and Ubuntu."""


class NoPrometheusError(Exception):
    """The programs are neither here nor can they be had; the message is a sentence for the user."""


@dataclass(frozen=True, slots=True)
class Programs:
    """Where they are."""

    prometheus: Path
    """The server."""
    promtool: Path
    """Checks rules and metrics, and tests rules."""


def find(progress: Callable[[str], None]) -> Programs:
    """The programs; `progress` gets a line when they have to be fetched. Raises NoPrometheusError."""
    on_path = shutil.which("prometheus"), shutil.which("promtool")
    if on_path[0] and on_path[1]:
        return Programs(Path(on_path[0]), Path(on_path[1]))
    folder = caches.folder("prometheus")
    cached = Programs(folder / "prometheus", folder / "promtool")
    if not (cached.prometheus.exists() and cached.promtool.exists()):
        progress("Fetching Debian's package of Prometheus (19 MB, once)")
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as fresh:
            _unpack(Path(fresh))
            for program in (cached.prometheus, cached.promtool):
                (Path(fresh) / "usr" / "bin" / program.name).replace(program)
    return cached


def can_be_had() -> bool:
    """Whether this machine has what it takes to fetch them."""
    return all(shutil.which(program) for program in ("apt-get", "dpkg-deb"))


def _unpack(folder: Path) -> None:
    if not can_be_had():
        raise NoPrometheusError(
            "There are no prometheus and promtool on the PATH, and no apt-get to fetch them."
        )
    _run(["apt-get", "download", "--quiet", PACKAGE], folder)
    [package] = folder.glob("*.deb")
    _run(["dpkg-deb", "--extract", package.name, "."], folder)


def _run(command: list[str], folder: Path) -> None:
    ran = subprocess.run(
        command, cwd=folder, env=os.environ | {"LC_ALL": "C"}, capture_output=True, text=True
    )
    if ran.returncode:
        reason = go_programs.last_line(ran.stderr)
        raise NoPrometheusError(
            f"{command[0]} gives no {PACKAGE} ({reason}): run apt-get update, or install it."
        )


if __name__ == "__main__":
    try:
        print(find(lambda line: print(line, file=sys.stderr)))
    except NoPrometheusError as error:
        sys.exit(str(error))
