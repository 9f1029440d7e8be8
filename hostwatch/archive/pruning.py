"""Drops what is too old. What stands at the cut stays, whenever it began."""

import sqlite3
from collections.abc import Sequence

_MOST_BYTES = 1 << 28
"""The longest file, 256 MB: a hostile container may cause many long changes. The oldest tenth of them goes then."""
_AT_ONCE = 5_000
"""Rows that are deleted in one transaction, so that no write waits for more than a tenth of a second."""


def prune(connection: sqlite3.Connection, before: float) -> None:
    """Drop what was over before this time, and more of it if the file is too long. The file does not get shorter."""
    _drop(connection, before)
    while _bytes(connection) > _MOST_BYTES and (cut := _end_of_oldest_tenth(connection)) is not None:
        _drop(connection, cut)


def _drop(connection: sqlite3.Connection, before: float) -> None:
    while _deleted(connection, "change", "time < ?", [before]):
        pass
    while _deleted(connection, "line", "until <= ?", [before]):
        pass
    connection.execute("DELETE FROM file WHERE id NOT IN (SELECT file FROM line)")
    connection.execute("UPDATE fact SET value = max(value, ?) WHERE name = 'known since'", [before])


def _deleted(connection: sqlite3.Connection, table: str, condition: str, values: Sequence[float]) -> bool:
    """Delete some rows; returns whether there were any. The mentions of a change go with it."""
    chosen = f"SELECT id FROM {table} WHERE {condition} LIMIT {_AT_ONCE}"
    connection.execute("BEGIN IMMEDIATE")
    try:
        if table == "change":
            connection.execute(f"DELETE FROM mention WHERE change IN ({chosen})", values)
        count = connection.execute(f"DELETE FROM {table} WHERE id IN ({chosen})", values).rowcount
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.rollback()
        raise
    return count > 0


def _bytes(connection: sqlite3.Connection) -> int:
    """The bytes in use. Pages of deleted rows are used again, and do not count."""
    names = ("page_count", "freelist_count", "page_size")
    pages, free, size = (int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in names)
    return (pages - free) * size


def _end_of_oldest_tenth(connection: sqlite3.Connection) -> float | None:
    """The time before which a tenth of the changes was made; `None` if there are too few."""
    found = connection.execute(
        "SELECT time FROM change ORDER BY time LIMIT 1 OFFSET (SELECT count(*) / 10 FROM change)"
    ).fetchone()
    (count,) = connection.execute("SELECT count(*) FROM change").fetchone()
    return found[0] if found is not None and count >= 10 else None
