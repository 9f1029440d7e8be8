"""The faults of a configuration, with their places. Reading a configuration raises no other errors."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ConfigFault:
    """One fault of a configuration file."""

    file: Path
    line: int
    """From 1, as editors count. A fault of the whole file (missing, unreadable) is at 1:1."""
    column: int
    """From 1, in characters."""
    value: str
    """The offending value in the form of a message: shortened, quoted if it is text; empty if there is none."""
    reason: str
    """The reason, and what would be right."""

    def __str__(self) -> str:
        shown = f" (got {self.value})" if self.value else ""
        return f"{self.file}:{self.line}:{self.column}: {self.reason}{shown}"


class ConfigError(Exception):
    """A configuration that cannot be used. It has all faults, in the order of the file."""

    def __init__(self, faults: tuple[ConfigFault, ...]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


class OptionError(ConfigError):
    """A value of the command line, or of a variable, that cannot be used in the place of the configuration's."""

    def __init__(self, option: str, value: str, reason: str) -> None:
        super().__init__(())
        self.args = (f"{option}: {reason} (got {value!r})",)
