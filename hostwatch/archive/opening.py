"""Opens the file of the history, and decides whether it may: a file that is not ours is never touched."""

import errno
import fcntl
import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from hostwatch.archive.schema import APPLICATION_ID, VERSION, make, migrate
from hostwatch.control.archive import ArchiveBrokenError, ArchiveError

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_APPLICATION_ID = slice(68, 72)
"""Its place in the header of a database (https://www.sqlite.org/fileformat.html)."""
_BUSY_SECONDS = 5.0
"""How long a write waits for another program that has the database locked, such as a backup."""
_LONGEST_CHECK_BYTES = 16 << 20
"""A file up to this size is checked as a whole when it is opened, which takes a tenth of a second."""
_SIDES = ("-wal", "-shm", "-journal")
"""SQLite's own files beside a database."""


class NotOursError(ArchiveError):
    """The file is another program's, or a newer version's. It is left as it is."""


@contextmanager
def translated(path: Path, doing: str = "written to") -> Iterator[None]:
    """Errors of SQLite and of the system as `ArchiveError`."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise ArchiveError(f"the history cannot be {doing} {path}: {_reason(error)}") from error
    except sqlite3.Error as error:
        if type(error) is not sqlite3.DatabaseError:
            raise ArchiveError(f"the history cannot be {doing} {path}: {error}") from error
        raise ArchiveBrokenError(f"the history in {path} is corrupt ({error})") from error
    except OSError as error:
        raise ArchiveError(f"the history cannot be {doing} {path}: {_of_system(error)}") from error


def _reason(error: sqlite3.OperationalError) -> str:
    match error.sqlite_errorname:
        case "SQLITE_FULL":
            return "the disk is full; make room"
        case "SQLITE_READONLY" | "SQLITE_READONLY_DIRECTORY" | "SQLITE_CANTOPEN" | "SQLITE_PERM":
            return f"{error}; make its directory writable, or name another one in history.file"
        case "SQLITE_BUSY" | "SQLITE_BUSY_SNAPSHOT":
            return "another program has locked it; end that program"
        case _:
            return str(error)


def _of_system(error: OSError) -> str:
    remedy = "; `hostwatch doctor` names the remedy" if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM) else ""
    return f"{error.strerror}{remedy}"


class Lock:
    """The lock by which one daemon at a time writes a file.

    Its descriptor is closed after the database only: closing any descriptor of a file drops SQLite's own locks on it.
    """

    def __init__(self, path: Path) -> None:
        """Raises `ArchiveError` and `OSError`."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        self._descriptor = os.open(path, flags, 0o600)
        try:
            _check_kind(path, self._descriptor)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.header = os.pread(self._descriptor, _HEADER_BYTES, 0)
        except BlockingIOError:
            os.close(self._descriptor)
            raise ArchiveError(f"another hostwatch writes its history to {path}; give each a file of its own") from None
        except BaseException:
            os.close(self._descriptor)
            raise

    def close(self) -> None:
        """Let it go."""
        os.close(self._descriptor)


def _check_kind(path: Path, descriptor: int) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise NotOursError(f"{path} is no file; name another one in history.file")


def opened(path: Path) -> tuple[sqlite3.Connection, Lock, str | None]:
    """The database, made or migrated at need, its lock, and what was done that a person should know.

    Raises `ArchiveError`.
    """
    try:
        return *_opened(path), None
    except ArchiveBrokenError as error:
        aside = set_aside(path)
        return *_opened(path), f"{error}: it was moved to {aside}, and a new one is begun"


def _opened(path: Path) -> tuple[sqlite3.Connection, Lock]:
    with translated(path):
        lock = Lock(path)
        try:
            _check_header(path, lock.header)
            return _connected(path), lock
        except BaseException:
            lock.close()
            raise


def _check_header(path: Path, header: bytes) -> None:
    """Raises `NotOursError` if the file is another program's."""
    if header and not _is_ours(header):
        raise NotOursError(_foreign(path))


def _is_ours(header: bytes) -> bool:
    return header.startswith(_MAGIC) and header[_APPLICATION_ID] == APPLICATION_ID.to_bytes(4, "big")


def _foreign(path: Path) -> str:
    return f"{path} is another program's; it is left as it is: name another file in history.file"


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    if not pages:
        make(connection)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise NotOursError(
            f"{path} is of a newer hostwatch; it is left as it is: install that one, or name another file in"
            " history.file"
        )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    if path.stat().st_size <= _LONGEST_CHECK_BYTES:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)
    if version < VERSION:
        migrate(connection, version)


def set_aside(path: Path) -> Path:
    """Move a file, and SQLite's own files beside it, out of the way; returns where it is. Raises `ArchiveError`."""
    aside = path.with_name(f"{path.name}.corrupt-{time.strftime('%Y%m%dT%H%M%S')}")
    with translated(path):
        path.rename(aside)
        for side in _SIDES:
            beside = path.with_name(path.name + side)
            if beside.exists():
                beside.rename(aside.with_name(aside.name + side))
    return aside


@contextmanager
def reading_from(path: Path) -> Iterator[sqlite3.Connection]:
    """The database for reading alone. Raises `ArchiveError`."""
    with translated(path, "read from"), closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        if connection.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
            raise NotOursError(_foreign(path))
        if connection.execute("PRAGMA user_version").fetchone() != (VERSION,):
            raise NotOursError(f"{path} is of another version of hostwatch, and no daemon has opened it yet")
        yield connection


def check(path: Path) -> None:
    """Raises `ArchiveError` if the file is another program's. For a process that has no database open."""
    with translated(path, "read from"):
        _check_header(path, _header(path))


def obstacle(path: Path) -> str | None:
    """Why no history could be written there; `None` if it could. Nothing is opened for writing, or made."""
    try:
        header = _header(path)
    except FileNotFoundError:
        directory = next(each for each in path.parents if each.exists())
        return None if os.access(directory, os.W_OK | os.X_OK) else "its directory cannot be written"
    except OSError as error:
        return error.strerror
    except NotOursError:
        return "this is no file"
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK | os.X_OK):
        return "the file or its directory cannot be written"
    if header and not _is_ours(header):
        return "the file there is another program's"
    return None


def _header(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        _check_kind(path, descriptor)
        return os.pread(descriptor, _HEADER_BYTES, 0)
    finally:
        os.close(descriptor)
