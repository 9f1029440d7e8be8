"""Answers what is asked of the history from the file alone, for a command while no daemon runs."""

from pathlib import Path

from hostwatch.archive import reading
from hostwatch.archive.opening import check, reading_from
from hostwatch.control import past
from hostwatch.control.archive import ArchiveError
from hostwatch.control.inquiry import Inquiry, Json


def of_file(path: Path, asked: Inquiry) -> Json:
    """The answer of `history --json`. Raises `ArchiveError`."""
    if not path.exists():
        raise ArchiveError(f"{path}, the file of the history, does not exist yet")
    check(path)
    with reading_from(path) as connection:
        asked = asked.resolved(reading.names(connection, asked.words), ())
        if asked.at is None:
            return {"changes": reading.changes(connection, asked)}
        at = asked.at
        found = past.blocks(asked, lambda: reading.blocks_at(connection, at))
        return past.moment(at, found, reading.known_since(connection))
