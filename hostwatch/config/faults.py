"""What is wrong with a configuration, and where: the only errors that reading one ends with."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ConfigFault:
    """One thing that is wrong with a configuration file."""

    file: Path
    line: int
    """From 1, as editors count. A fault of the whole file (missing, unreadable) stands at 1:1."""
    column: int
    """From 1, in characters."""
    value: str
    """The offending value as a message shows it: shortened, quoted if it is text; empty where there is none."""
    reason: str
    """What is wrong and what would be right."""

    def __str__(self) -> str:
        shown = f" (got {self.value})" if self.value else ""
        return f"{self.file}:{self.line}:{self.column}: {self.reason}{shown}"


class ConfigError(Exception):
    """A configuration that cannot be used. It carries every fault found, in the order of the file."""

    def __init__(self, faults: tuple[ConfigFault, ...]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults
