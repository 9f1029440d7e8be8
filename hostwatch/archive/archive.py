"""The open file of the history."""

import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path

from hostwatch.archive import pruning, reading, writing
from hostwatch.archive.opening import Lock, opened, reading_from, translated
from hostwatch.control.archive import Entry, Opened
from hostwatch.control.blocks import FileBlock, FileKey
from hostwatch.control.inquiry import Inquiry, Json
from hostwatch.core.block.records import Record, Withheld
from hostwatch.core.model import ContainerKey


class SqliteArchive:
    """A file that this process writes. It is read over other connections, so that no reader waits for a write."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: Lock) -> None:
        self._path = path
        self._connection = connection
        self._lock = lock

    def __repr__(self) -> str:
        return f"<SqliteArchive {self._path}>"

    def write(self, entries: Sequence[Entry]) -> None:
        """Write all entries, or none. Raises `ArchiveError`."""
        with translated(self._path):
            writing.write(self._connection, entries)

    def prune(self, before: float) -> None:
        """Drop what was over before this time, and if the file is too long, more of it. Raises `ArchiveError`."""
        with translated(self._path):
            pruning.prune(self._connection, before)

    def changes(self, asked: Inquiry, below: int) -> list[Json]:
        """The changes that are asked for, oldest first, of those with lower numbers. Raises `ArchiveError`."""
        with reading_from(self._path) as connection:
            return reading.changes(connection, asked, below)

    def known_since(self) -> float:
        """The earliest moment of which the blocks are known. Raises `ArchiveError`."""
        with reading_from(self._path) as connection:
            return reading.known_since(connection)

    def blocks_at(self, at: float) -> list[FileBlock]:
        """The blocks of that moment. Raises `ArchiveError`."""
        with reading_from(self._path) as connection:
            return reading.blocks_at(connection, at)

    def names(self, words: Collection[str]) -> set[str]:
        """Those of the words that are names of subscribers. Raises `ArchiveError`."""
        with reading_from(self._path) as connection:
            return reading.names(connection, words)

    def sinces(self, owners: Collection[ContainerKey]) -> dict[FileKey, dict[Record | Withheld, float]]:
        """Since when the lines of these files are as they are, as far as that is known. Raises `ArchiveError`."""
        with reading_from(self._path) as connection:
            return reading.sinces(connection, owners)

    def close(self) -> None:
        """Close it. Never fails."""
        self._connection.close()
        self._lock.close()


def open_archive(path: Path) -> tuple[SqliteArchive, Opened]:
    """Open the file, or make it. Raises `ArchiveError`."""
    connection, lock, warning = opened(path)
    archive = SqliteArchive(path, connection, lock)
    try:
        with translated(path):
            blocks = {each.key: each.block for each in reading.last_blocks(connection)}
            return archive, Opened(reading.last_number(connection), blocks, warning)
    except BaseException:
        archive.close()
        raise
