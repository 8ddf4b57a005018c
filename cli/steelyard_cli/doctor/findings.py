"""What was found, and how it is told. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    level: Level
    """How bad it is."""
    subject: str
    """What was looked at."""
    message: str
    """How it is, in a sentence."""
    remedy: str = ""
    """What to do, in a sentence; empty where the message says it, or nothing is to be done."""

    def text(self) -> str:
        """The finding on one line."""
        message = " ".join(self.message.split())
        remedy = f" → {self.remedy}" if self.remedy else ""
        return f"{self.level:<8}{self.subject}: {message}{remedy}"


def ok(subject: str, message: str) -> Finding:
    """Nothing is to be done."""
    return Finding(Level.OK, subject, message)


def warning(subject: str, message: str, remedy: str = "") -> Finding:
    """It works, or may."""
    return Finding(Level.WARNING, subject, message, remedy)


def problem(subject: str, message: str, remedy: str = "") -> Finding:
    """It does not work."""
    return Finding(Level.PROBLEM, subject, message, remedy)
