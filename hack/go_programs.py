"""Programs that are built from the Go modules beside this file into the user's cache.

Invariant: a file in the cache is whole, as it appears there by one rename.
"""

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import caches


class GoProgramError(Exception):
    """A program is neither here nor can it be had; the message is a sentence for the user."""


@dataclass(frozen=True, slots=True)
class Module:
    """A Go module whose `tool` lines name programs."""

    folder: Path
    """Where its go.mod is."""
    product: str
    """What the programs are of, for messages: Kubernetes."""
    versioned: str
    """The Go module whose version is theirs: k8s.io/kubernetes."""
    remedy: str
    """How else a program can be had, in the imperative."""
    cache_name: str = "kube"
    """What its part of the cache is called."""

    @property
    def cache(self) -> Path:
        """The folder of the programs."""
        return caches.folder(self.cache_name) / "bin"

    def version(self) -> str:
        """The version that go.mod names, as 1.36.3."""
        stated = re.search(
            rf"^\s+{re.escape(self.versioned)} v([\d.]+)",
            (self.folder / "go.mod").read_text(),
            re.MULTILINE,
        )
        assert stated
        return stated[1]

    def built(self, name: str, package: str, stamps: dict[str, str], progress: Callable[[str], None]) -> Path:
        """The program in the cache, built unless that was done before; `stamps` are values of its variables.

        `progress` gets a line before work that takes time. Raises GoProgramError.
        """
        program = self.cache / name
        with _only_one(self.cache):
            if program.exists():
                return program
            go = shutil.which("go")
            if go is None:
                raise GoProgramError(f"There is no {name}: {self.remedy}, or install Go 1.26.")
            progress(f"Building {name} for {self.product} {self.version()} (minutes, once)")
            partial = program.with_name(f"{name}.partial")
            flags = " ".join(["-s", "-w", *(f"-X {variable}={value}" for variable, value in stamps.items())])
            command = [go, "build", "-trimpath", "-ldflags", flags, "-o", str(partial), package]
            environment = os.environ | {"CGO_ENABLED": "0"}
            built = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
            if built.returncode:
                raise GoProgramError(
                    f"{name} cannot be built ({last_line(built.stderr)}): "
                    f"{self.remedy}, or see that Go reaches its module proxy."
                )
            return partial.rename(program)


def last_line(text: str) -> str:
    """What a program said last."""
    return text.strip().rpartition("\n")[2] or "it gave no reason"


@contextmanager
def _only_one(cache: Path) -> Iterator[None]:
    """Hold the cache: whoever comes second waits, and then finds the work done."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
