"""What the doctor says: one finding for each check, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum

INDENT = " " * 11
"""Of a line that goes on with the one before it."""
_LEVEL_WIDTH = 9


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    """It works, with this limit."""
    WARNING = "warning"
    """It works, and something can hardly be meant as it is."""
    PROBLEM = "problem"
    """It does not work, or not for all."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One of them."""

    level: Level
    what: str
    remedy: str = ""
    """What to do; empty only where nothing is wrong."""

    def __str__(self) -> str:
        line = f"{self.level:<{_LEVEL_WIDTH}}{self.what}"
        return f"{line}\n{INDENT}{self.remedy}" if self.remedy else line


def fine(what: str) -> Finding:
    """Nothing is wrong there."""
    return Finding(Level.OK, what)


def note(what: str, remedy: str) -> Finding:
    """It works, with this limit."""
    return Finding(Level.NOTE, what, remedy)


def warning(what: str, remedy: str) -> Finding:
    """It works, and can hardly be meant so."""
    return Finding(Level.WARNING, what, remedy)


def problem(what: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(Level.PROBLEM, what, remedy)
