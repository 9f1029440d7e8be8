"""Reads the history from the database: for the daemon, and for a command while no daemon runs."""

import json
import sqlite3
from collections.abc import Collection, Iterable
from itertools import groupby

from hostwatch.archive.lines import block_of, record_of
from hostwatch.archive.schema import FOREVER
from hostwatch.control.blocks import FileBlock, FileKey
from hostwatch.control.inquiry import Inquiry, Json
from hostwatch.core.block.records import Record, Withheld
from hostwatch.core.model import ContainerId, ContainerKey, EngineId

_BLOCKS = (
    "SELECT engine, owner, file.file, subscriber, is_withheld, content, reason"
    " FROM line JOIN file ON file.id = line.file"
    " WHERE until > ? AND since <= ? ORDER BY subscriber, engine, owner, file.file, is_withheld, place"
)


def last_number(connection: sqlite3.Connection) -> int:
    """The number of the last change, even if it was dropped."""
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'change'").fetchone()
    return int(found[0]) if found is not None else 0


def known_since(connection: sqlite3.Connection) -> float:
    """The earliest moment of which the blocks are known."""
    return float(connection.execute("SELECT value FROM fact WHERE name = 'known since'").fetchone()[0])


def blocks_at(connection: sqlite3.Connection, at: float) -> list[FileBlock]:
    """The blocks of a moment, by the names of their subscribers; none, if that is not known any more."""
    if at < known_since(connection):
        return []
    return _blocks(connection.execute(_BLOCKS, (at, at)))


def last_blocks(connection: sqlite3.Connection) -> list[FileBlock]:
    """The blocks that stand."""
    return _blocks(connection.execute(_BLOCKS.replace("until > ?", "until = ?"), (FOREVER, FOREVER)))


def _blocks(rows: Iterable[tuple[str, str, str, str, int, str, str]]) -> list[FileBlock]:
    return [
        FileBlock(_key(engine, owner, file), subscriber, block_of(row[4:] for row in found))
        for (engine, owner, file, subscriber), found in groupby(rows, key=lambda row: row[:4])
    ]


def _key(engine: str, owner: str, file: str) -> FileKey:
    return FileKey(ContainerKey(EngineId(engine), ContainerId(owner)), file)


def names(connection: sqlite3.Connection, words: Collection[str]) -> set[str]:
    """Those of the words that are names of subscribers."""
    found = connection.execute("SELECT DISTINCT subscriber FROM change WHERE subscriber IN" + _LISTED, [_list(words)])
    return {row[0] for row in found}


def changes(connection: sqlite3.Connection, asked: Inquiry, below: int | None = None) -> list[Json]:
    """The changes that are asked for, oldest first; of those with numbers below that one."""
    conditions, values = ["1"], list[object]()
    for condition, value in (("id < ?", below), ("time >= ?", asked.since), ("id > ?", asked.after)):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    if asked.words:
        conditions.append(f"(subscriber IN{_LISTED} OR owner IN{_LISTED} OR {_BEGINNING})")
        values += [_list(asked.words), _list(key.id for key in asked.owners), _list(asked.beginnings)]
    if asked.names:
        conditions.append(f"id IN (SELECT change FROM mention WHERE name IN{_LISTED})")
        values.append(_list(asked.names))
    where = " AND ".join(conditions)
    found = connection.execute(
        f"SELECT described FROM change WHERE {where} ORDER BY id DESC LIMIT ?",
        [*values, asked.limit],
    )
    return [json.loads(row[0]) for row in found][::-1]


def sinces(
    connection: sqlite3.Connection, owners: Collection[ContainerKey]
) -> dict[FileKey, dict[Record | Withheld, float]]:
    """Since when the lines of these files are as they are, as far as that is known."""
    found: dict[FileKey, dict[Record | Withheld, float]] = {}
    wanted = {*owners}
    rows = connection.execute(
        "SELECT engine, owner, file.file, is_withheld, content, reason, known_since"
        " FROM line JOIN file ON file.id = line.file"
        f" WHERE until = ? AND known_since IS NOT NULL AND owner IN{_LISTED}",
        (FOREVER, _list(key.id for key in wanted)),
    )
    for engine, owner, file, is_withheld, content, reason, since in rows:
        key = _key(engine, owner, file)
        if key.owner in wanted:
            found.setdefault(key, {})[Withheld(content, reason) if is_withheld else record_of(content)] = since
    return found


_LISTED = " (SELECT value FROM json_each(?))"
"""Any number of values in one parameter."""
_BEGINNING = "EXISTS (SELECT 1 FROM json_each(?) WHERE substr(owner, 1, length(value)) = value)"


def _list(values: Iterable[str]) -> str:
    return json.dumps([*values])
