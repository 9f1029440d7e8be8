"""The tables, and how a file of an older version becomes one of this version.

A line of a block is a row with the times of its beginning and its end. So the block of any moment is one query, and
what is too old is deleted without a look at what stands now.
"""

import sqlite3
import time

APPLICATION_ID = 0x48577468
"""Tells that the file is ours: `HWth` at the file's offset 68, after SQLite's own convention."""
VERSION = 2
FOREVER = 9e999
"""The end of a line that stands: infinity."""

_TABLES = """
CREATE TABLE fact (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE file (
    id INTEGER PRIMARY KEY,
    engine TEXT NOT NULL,
    owner TEXT NOT NULL,
    file TEXT NOT NULL,
    subscriber TEXT NOT NULL,
    UNIQUE (engine, owner, file)
);
CREATE TABLE change (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time REAL NOT NULL,
    engine TEXT NOT NULL,
    owner TEXT NOT NULL,
    subscriber TEXT NOT NULL,
    described TEXT NOT NULL
);
CREATE INDEX change_time ON change (time);
CREATE INDEX change_subscriber ON change (subscriber);
CREATE TABLE mention (name TEXT NOT NULL, change INTEGER NOT NULL, PRIMARY KEY (name, change)) WITHOUT ROWID;
CREATE INDEX mention_change ON mention (change);
CREATE TABLE line (
    id INTEGER PRIMARY KEY,
    file INTEGER NOT NULL,
    is_withheld INTEGER NOT NULL,
    place REAL NOT NULL,
    content TEXT NOT NULL,
    reason TEXT NOT NULL,
    since REAL NOT NULL,
    until REAL NOT NULL,
    known_since REAL
);
CREATE INDEX line_of_file ON line (file, is_withheld, until, place);
CREATE INDEX line_until ON line (until);
"""
"""`fact`: what is known of the file itself. `file`: the files of subscribers. `change`: the changes, as JSON.
`mention`: the names, in lower case, that a change concerns. `line`: the lines of the blocks; `known_since` is empty if
the line was there before anybody looked, and `place` orders the lines of a block."""


def make(connection: sqlite3.Connection) -> None:
    """Make the tables in an empty file, all or none of them."""
    statements = "".join(
        f"{statement};\n"
        for statement in (
            f"PRAGMA application_id = {APPLICATION_ID}",
            f"PRAGMA user_version = {VERSION}",
            _TABLES.strip().removesuffix(";"),
            f"INSERT INTO fact VALUES ('known since', {time.time()!r})",
        )
    )
    connection.executescript(f"BEGIN IMMEDIATE;\n{statements}COMMIT;")


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring the tables of an older version to this one, all or none of them."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in _MIGRATIONS[version:]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


_MIGRATIONS = (
    (  # The first draft did not know which lines had been there before anybody looked.
        "ALTER TABLE line ADD COLUMN known_since REAL",
        "UPDATE line SET known_since = since",
        "CREATE INDEX mention_change ON mention (change)",
    ),
    (),  # The first version did not know the lines of a resolv.conf. An older hostwatch could not read them.
)
"""The statements that lead from each version to the next one."""
