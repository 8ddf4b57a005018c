"""What is wrong in resource files, told by file, line, field and sentence. No I/O.

Invariant: no problem ever quotes a value of a Secret.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend, or with `Loaded.warnings` one thing to know."""

    file: Path
    """The file, or the directory where that is at fault."""
    line: int
    """Counted from 1; 0 where the file as a whole is meant."""
    field: str
    """As `spec.models[0].name`; empty where no field is meant."""
    message: str
    """What is wrong and what to do."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else str(self.file)
        return ": ".join(part for part in (place, self.field, self.message) if part)


class FilesError(Exception):
    """Resource files that cannot be used as they are; its text has one line for each problem."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        """Every problem found, by file and line."""
        super().__init__("\n".join(str(problem) for problem in self.problems))
