"""Writes entries to the database: changes as they are described, and lines of blocks with their beginning and end."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple, assert_never

from hostwatch.archive.lines import Line, cut, line_of, stored
from hostwatch.archive.schema import FOREVER
from hostwatch.control.archive import Altered, Ended, Entry, Stood
from hostwatch.control.blocks import FileKey
from hostwatch.control.history import Change, described
from hostwatch.core.block.delta import Hunk, hunks
from hostwatch.core.block.records import Record, Withheld


class _Part(NamedTuple):
    """The records of a file's block, or the withheld lines."""

    file: int
    is_withheld: int


_STANDING = "FROM line WHERE file = ? AND is_withheld = ? AND until = ? ORDER BY place"
_INSERT = (
    "INSERT INTO line (file, is_withheld, place, content, reason, since, until, known_since)"
    " VALUES (?, ?, ?, ?, ?, ?, 9e999, ?)"
)


def write(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    """Write all entries, or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("UPDATE fact SET value = value")  # fails without room, whatever the entries are
        for entry in entries:
            _write(connection, entry)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.rollback()
        raise


def _write(connection: sqlite3.Connection, entry: Entry) -> None:
    match entry:
        case Change():
            _add_change(connection, entry)
        case Altered():
            file = _file(connection, entry.key, entry.subscriber)
            _alter(connection, _Part(file, 0), _lines(entry.differences.records), entry.time)
            _alter(connection, _Part(file, 1), _lines(entry.differences.withheld), entry.time)
        case Stood():
            _stand(connection, entry)
        case Ended():
            connection.execute(
                "UPDATE line SET until = ? WHERE until = ? AND file IN"
                " (SELECT id FROM file WHERE engine = ? AND owner = ? AND file.file = ?)",
                (entry.time, FOREVER, *_stored_key(entry.key)),
            )
        case _:
            assert_never(entry)


def _add_change(connection: sqlite3.Connection, change: Change) -> None:
    engine, owner = change.key
    row = (change.number, change.time, engine, owner, stored(change.subscriber), json.dumps(_shortened(change)))
    connection.execute("INSERT OR REPLACE INTO change VALUES (?, ?, ?, ?, ?, ?)", row)
    connection.executemany(
        "INSERT OR REPLACE INTO mention VALUES (?, ?)", [(stored(name), change.number) for name in change.mentioned]
    )


def _shortened(change: Change) -> dict[str, object]:
    """The change as it is described, without the ends of very long lines, which containers choose."""
    return {
        **described(change),
        "withheld": [{"line": cut(each.line), "reason": cut(each.reason)} for each in change.withheld],
        "no_longer_withheld": [cut(line) for line in change.no_longer_withheld],
    }


def _file(connection: sqlite3.Connection, key: FileKey, subscriber: str) -> int:
    """The row of a file, made at need."""
    found: tuple[int] = connection.execute(
        "INSERT INTO file (engine, owner, file, subscriber) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET subscriber = excluded.subscriber RETURNING id",
        (*_stored_key(key), stored(subscriber)),
    ).fetchone()
    return found[0]


def _stored_key(key: FileKey) -> tuple[str, str, str]:
    return key.owner.engine, stored(key.owner.id), key.file


def _stand(connection: sqlite3.Connection, entry: Stood) -> None:
    """Make what is recorded of a file the same as its block."""
    file = _file(connection, entry.standing.key, entry.standing.subscriber)
    block, found = entry.standing.block, entry.found
    for is_withheld, now, before in ((0, block.records, found.records), (1, block.withheld, found.withheld)):
        part = _Part(file, is_withheld)
        recorded = [Line(*row) for row in connection.execute(f"SELECT content, reason {_STANDING}", (*part, FOREVER))]
        lines = [line_of(each) for each in now]
        _alter(connection, part, hunks(recorded, lines), entry.time, frozenset(map(line_of, before)))


def _lines(found: Iterable[Hunk[Record] | Hunk[Withheld]]) -> Iterable[Hunk[Line]]:
    return [Hunk(hunk.place, tuple(map(line_of, hunk.old)), tuple(map(line_of, hunk.new))) for hunk in found]


def _alter(
    connection: sqlite3.Connection,
    part: _Part,
    found: Iterable[Hunk[Line]],
    at: float,
    found_before: frozenset[Line] = frozenset(),
) -> None:
    """Carry out the differences, the last first, so that the places of the others stay right."""
    for hunk in reversed([*found]):
        head = min(hunk.place, 1)
        rows = connection.execute(
            f"SELECT id, place, since {_STANDING} LIMIT ? OFFSET ?",
            (*part, FOREVER, head + len(hunk.old) + 1, hunk.place - head),
        ).fetchall()
        ended, after = rows[head : head + len(hunk.old)], rows[head + len(hunk.old) :]
        low, high = rows[0][1] if head and rows else None, after[0][1] if after else None
        places = _between(low, high, len(hunk.new))
        if not _is_increasing([low, *places, high]):
            _spread(connection, part, at)
            _alter(connection, part, [hunk], at, found_before)
            continue
        _end(connection, [(row[0], row[2]) for row in ended], at)
        connection.executemany(
            _INSERT,
            [
                (*part, place, *line, at, None if line in found_before else at)
                for place, line in zip(places, hunk.new, strict=True)
            ],
        )


def _spread(connection: sqlite3.Connection, part: _Part, at: float) -> None:
    """Give the lines new places, with room between them: they end, and begin anew."""
    rows = connection.execute(
        f"SELECT id, since, content, reason, known_since {_STANDING}", (*part, FOREVER)
    ).fetchall()
    _end(connection, [(row[0], row[1]) for row in rows], at)
    connection.executemany(_INSERT, [(*part, float(place), *row[2:4], at, row[4]) for place, row in enumerate(rows)])


def _end(connection: sqlite3.Connection, rows: Iterable[tuple[int, float]], at: float) -> None:
    """End lines. One that has not stood for any time is dropped."""
    for row, since in rows:
        if since < at:
            connection.execute("UPDATE line SET until = ? WHERE id = ?", (at, row))
        else:
            connection.execute("DELETE FROM line WHERE id = ?", (row,))


def _between(low: float | None, high: float | None, count: int) -> Sequence[float]:
    """Places between two others, evenly spread."""
    if high is None:
        start = 0.0 if low is None else low
        return [start + 1.0 + index for index in range(count)]
    start = high - count - 1.0 if low is None else low
    return [start + (high - start) * (index + 1) / (count + 1) for index in range(count)]


def _is_increasing(places: Sequence[float | None]) -> bool:
    known = [place for place in places if place is not None]
    return all(one < other for one, other in pairwise(known))
