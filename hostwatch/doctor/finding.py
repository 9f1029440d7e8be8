"""A finding: the result of a check, with its remedy."""

from dataclasses import dataclass
from enum import StrEnum

INDENT = " " * 11
"""Indentation of a continuation line."""
_LEVEL_WIDTH = 9


class Level(StrEnum):
    """The severity of a finding."""

    OK = "ok"
    NOTE = "note"
    """It works, with this limit."""
    WARNING = "warning"
    """It works, and is probably a mistake."""
    PROBLEM = "problem"
    """It does not work, or not for all."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    level: Level
    what: str
    remedy: str = ""
    """Empty only if nothing is wrong."""

    def __str__(self) -> str:
        line = f"{self.level:<{_LEVEL_WIDTH}}{self.what}"
        return f"{line}\n{INDENT}{self.remedy}" if self.remedy else line


def fine(what: str) -> Finding:
    """Nothing is wrong."""
    return Finding(Level.OK, what)


def note(what: str, remedy: str) -> Finding:
    """It works, with this limit."""
    return Finding(Level.NOTE, what, remedy)


def warning(what: str, remedy: str) -> Finding:
    """It works, and is probably a mistake."""
    return Finding(Level.WARNING, what, remedy)


def problem(what: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(Level.PROBLEM, what, remedy)
