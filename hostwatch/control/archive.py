"""The file of the history as the control loop needs it: the interface between the loop and the database.

All calls may take long, so they are made in a thread, one after the other.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from hostwatch.control.blocks import FileBlock, FileKey
from hostwatch.control.history import Change
from hostwatch.control.inquiry import Inquiry, Json
from hostwatch.core.block.delta import Delta
from hostwatch.core.block.records import Block, Record, Withheld
from hostwatch.core.model import ContainerKey


class ArchiveError(Exception):
    """The file cannot be used now. The message says why, and what to do."""


class ArchiveBrokenError(ArchiveError):
    """The file is corrupt."""


class Archiving(NamedTuple):
    """Where the history is kept, and for how long."""

    file: Path
    keep_seconds: float


@dataclass(frozen=True, slots=True)
class Altered:
    """The block of a file differs from the one before."""

    time: float
    """Seconds since the epoch."""
    key: FileKey
    subscriber: str
    differences: Delta


@dataclass(frozen=True, slots=True)
class Stood:
    """A file has this block, whatever is recorded of it."""

    time: float
    """Seconds since the epoch."""
    standing: FileBlock
    found: Block
    """The block that was found in the file: nobody knows since when it has had these lines."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A file is gone."""

    time: float
    """Seconds since the epoch."""
    key: FileKey


Entry = Change | Altered | Stood | Ended
"""What is written."""


class Opened(NamedTuple):
    """What an earlier daemon left."""

    last_number: int
    """The number of its last change."""
    blocks: Mapping[FileKey, Block]
    """The blocks that its files had."""
    warning: str | None = None
    """What was done to open it, if a person should know."""


class Archive(Protocol):
    """An open file of the history. Each call may raise `ArchiveError`."""

    def write(self, entries: Sequence[Entry]) -> None:
        """Write all entries, or none."""

    def prune(self, before: float) -> None:
        """Drop what was over before this time (seconds since the epoch), and if the file is too long, more of it."""

    def changes(self, asked: Inquiry, below: int) -> list[Json]:
        """The changes that are asked for, oldest first, of those with lower numbers."""

    def known_since(self) -> float:
        """The earliest moment of which the blocks are known (seconds since the epoch)."""

    def blocks_at(self, at: float) -> list[FileBlock]:
        """The blocks of that moment, by the names of their subscribers."""

    def names(self, words: Collection[str]) -> set[str]:
        """Those of the words that are names of subscribers."""

    def sinces(self, owners: Collection[ContainerKey]) -> dict[FileKey, dict[Record | Withheld, float]]:
        """Since when the lines of these files are as they are, as far as that is known."""

    def close(self) -> None:
        """Close it. Never fails."""


OpenArchive = Callable[[Path], tuple[Archive, Opened]]
"""Opens the file, or makes it. Raises `ArchiveError`."""
