"""Resources from a directory of files, read again whenever they change.

A broken file refuses the whole reload: the last good set stays. Invariant: what is handed on was read
completely and checked.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import watchfiles

from steelyard.api.resources import ResourceSet
from steelyard.files import reading
from steelyard.files.problems import FilesError, Problem

LOOK_SECONDS = 5.0
"""How often the files are looked at even though no change was told: network mounts and links tell none."""

GATHER_MILLISECONDS = 100
"""Changes that follow one another within this are one reload."""

Signature = tuple[tuple[str, int, int, int], ...]

logger = logging.getLogger(__name__)


class FileSource:
    """A directory of resource files."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._read: Signature = ()

    def read(self) -> ResourceSet:
        """The resources of the directory, warnings logged. Raises FilesError."""
        self._read = signature(self._directory)
        loaded = reading.load(self._directory)
        for warning in loaded.warnings:
            logger.warning("field ignored", extra=fields(warning))
        return loaded.resources

    async def changes(self) -> AsyncIterator[ResourceSet | FilesError]:
        """Each state of the directory that differs from the last one read, or why it is refused."""
        async for _ in _looks(self._directory):
            if await asyncio.to_thread(signature, self._directory) == self._read:
                continue
            try:
                yield await asyncio.to_thread(self.read)
            except FilesError as error:
                yield error


def report(error: FilesError) -> None:
    """Log every problem on a line of its own."""
    for problem in error.problems:
        logger.error("resources refused, the last good ones stay", extra=fields(problem))


def fields(problem: Problem) -> dict[str, str | int]:
    """The problem as fields of a log line."""
    return {
        "file": str(problem.file),
        "line": problem.line,
        "field": problem.field,
        "detail": problem.message,
    }


def signature(directory: Path) -> Signature:
    """What changes whenever a file does: names, times, sizes and identities, links followed."""
    rows = []
    for path in _listed(directory):
        try:
            found = path.stat()
        except OSError:
            continue
        rows.append((path.name, found.st_mtime_ns, found.st_size, found.st_ino))
    return tuple(sorted(rows))


def _listed(directory: Path) -> list[Path]:
    try:
        return [path for path in directory.iterdir() if path.suffix in reading.SUFFIXES]
    except OSError:
        return []


async def _looks(directory: Path) -> AsyncIterator[None]:
    """An occasion to look: a change that was told, or some time passed."""
    while True:
        yield
        try:
            async for _ in watchfiles.awatch(
                directory,
                watch_filter=None,
                debounce=GATHER_MILLISECONDS,
                step=GATHER_MILLISECONDS // 2,
                rust_timeout=int(LOOK_SECONDS * 1000),
                yield_on_timeout=True,
                recursive=False,
            ):
                yield
        except OSError as error:
            logger.warning("directory cannot be watched", extra={"detail": error.strerror or str(error)})
            await asyncio.sleep(LOOK_SECONDS)
