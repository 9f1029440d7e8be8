"""Locks: one hostwatch at a time keeps an engine's hosts files, by a lock on the engine's own containers directory.

`flock` on the directory creates nothing, is the same lock through every bind mount and in every namespace, and the
kernel releases it however its holder ends. It does not tell which process the holder is. `/proc/locks` does, but not in
another pid namespace, and not if a sandbox hides it. So a hostwatch also marks the directory, by open file description
locks at two places that nothing else uses: "keeps" and "waits". They are read locks, which need no right to write.

Among hostwatches the "keeps" mark decides. If another program holds the `flock` for long, one hostwatch goes on with
this mark alone.

Files on the host have a lock file each, because their directories may be of any kind and may be replaced at any time.
"""

import errno
import fcntl
import hashlib
import os
import struct
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from hostwatch.hosts.opening import OUT_OF_FILES
from hostwatch.hosts.run_directory import RUN

_KEEPS, _WAITS = 0x68770001, 0x68770002
"""The places of the two marks. The numbers are arbitrary, but must be the same in all hostwatches."""
STRANGER_SECONDS = 30.0
"""After this time hostwatch goes on without the `flock`, if its holder is no hostwatch."""
_FLOCK = "hhqqi"
"""`struct flock`: type, whence, start, length, pid."""
_LONGEST = 80
"""The longest command line that is shown, in characters."""
_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a lock."""

    is_hostwatch: bool
    pid: int | None = None
    """`None` if this process cannot see it."""
    command: str = ""

    def __str__(self) -> str:
        what = "hostwatch, " if self.is_hostwatch else ""
        if self.pid is None:
            return f"{'another ' if self.is_hostwatch else ''}{what}a process that is not visible from here"
        return f"{what}process {self.pid}" + (f" ({self.command})" if self.command else "")


class DirectoryLock:
    """The lock on a directory, by an open descriptor of it. Closing the descriptor releases the lock."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._is_locked = False
        """Whether this process has the `flock`."""
        self._stranger_since: float | None = None
        """The time since which another program than hostwatch has the `flock`."""
        self.is_without = False
        """Whether this process keeps the files without the `flock`, as another program has had it for too long."""

    def take(self, now: float) -> bool:
        """Try to take the lock; returns whether it is taken.

        It is not taken if another hostwatch has it, or another program for less than `STRANGER_SECONDS`.
        """
        if self._is_marked(_KEEPS):
            self._stranger_since = None
        elif self._flock() or self._is_stranger_late(now):
            self._mark(_KEEPS)
            if not self._is_marked(_KEEPS):
                self._mark(_WAITS, fcntl.F_UNLCK)
                return True
            # Another hostwatch did the same at the same moment, without the `flock`. Both begin anew.
            self._mark(_KEEPS, fcntl.F_UNLCK)
            self.is_without = False
            self._unlock()
        self._mark(_WAITS)
        return False

    def is_awaited(self) -> bool:
        """Whether another hostwatch waits to take over."""
        return self._is_marked(_WAITS)

    def holder(self) -> Holder | None:
        """The other process that has the lock; `None` if there is none."""
        keeps = self._is_marked(_KEEPS)
        pid = _holder(os.fstat(self._file))
        if keeps or (pid is not None and pid != os.getpid()):
            return Holder(keeps, pid, _command(pid) if pid is not None else "")
        return None if self._is_locked or self._is_free() else Holder(is_hostwatch=False)

    def _is_stranger_late(self, now: float) -> bool:
        if self._stranger_since is None:
            self._stranger_since = now
        self.is_without = now - self._stranger_since >= STRANGER_SECONDS
        return self.is_without

    def _flock(self) -> bool:
        """Try to take the `flock`. A file system without `flock` counts as taken."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            logger.debug("the containers directory cannot be locked ({}): no lock is taken", error.strerror)
        self._is_locked = True
        return True

    def _unlock(self) -> None:
        self._is_locked = False
        with suppress(OSError):
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _is_free(self) -> bool:
        """Whether no other process has the `flock`. To find out, it is taken as a shared one for an instant."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            fcntl.flock(self._file, fcntl.LOCK_UN)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def _mark(self, place: int, kind: int = fcntl.F_RDLCK) -> None:
        with suppress(OSError):  # a file system without these locks: then we are not recognised
            fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, kind, os.SEEK_SET, place, 1, 0))

    def _is_marked(self, place: int) -> bool:
        """Whether another process has set this mark."""
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, place, 1, 0)
        with suppress(OSError):
            found = fcntl.fcntl(self._file, fcntl.F_OFD_GETLK, asked)
            return bool(struct.unpack(_FLOCK, found)[0] != fcntl.F_UNLCK)
        return False


def holder_of(directory: Path) -> Holder | None:
    """The process that has the lock on a directory; `None` if there is none, or if it cannot be seen."""
    try:
        file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return DirectoryLock(file).holder()
    finally:
        os.close(file)


class HostFileLocks:
    """The locks on files of the host: a lock file for each, held as long as the file is kept.

    If no lock file can be made, as on a read-only root, the file is kept without a lock.
    """

    def __init__(self, kept: Collection[Path] | None = None, directory: Path = RUN) -> None:
        self.kept = kept
        """The files whose locks are held until the end; `None`: all files."""
        self._directory = directory
        self._held: dict[Path, int | None] = {}

    def has(self, path: Path) -> bool:
        """Whether a file's lock is ours, or the file is kept without a lock."""
        return path in self._held

    def stays(self, path: Path) -> bool:
        """Whether a file's lock is ours, and is not released once the file has been put right."""
        return path in self._held and (self.kept is None or path in self.kept)

    def holder(self, path: Path) -> Holder | None:
        """Take a file's lock; returns another process that has it. Blocks for a moment."""
        if path in self._held:
            return None
        try:
            self._directory.mkdir(mode=0o755, exist_ok=True)
            file = _locked(self._place(path))
        except OSError as error:
            logger.debug("{}: no lock in {} ({}): no lock is taken", path, self._directory, error.strerror)
            if error.errno not in OUT_OF_FILES:
                self._held[path] = None
            return None
        if isinstance(file, Holder):
            return file
        self._held[path] = file
        return None

    def settle(self, path: Path) -> None:
        """Release the lock of a file that has been put right, if it is not kept any more."""
        if self.kept is not None and path not in self.kept:
            self.release(path)

    def release(self, path: Path) -> None:
        """Release the lock of a file that is not kept any more."""
        if (file := self._held.pop(path, None)) is not None:
            with suppress(OSError):  # a process that waits for the lock opens a new file
                self._place(path).unlink()
            os.close(file)

    def close(self) -> None:
        """Release all locks."""
        for path in list(self._held):
            self.release(path)

    def _place(self, path: Path) -> Path:
        name = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]
        return self._directory / f"{name}.lock"


def _locked(path: Path) -> int | Holder:
    """A descriptor that holds the lock of a lock file, or the process that holds it. Raises `OSError`."""
    for _ in range(_ROUNDS):
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file), path.stat()):
                    return file
        except BlockingIOError:
            pid = _holder(os.fstat(file))
            os.close(file)
            return Holder(is_hostwatch=True, pid=pid, command=_command(pid) if pid is not None else "")
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # another process has removed it meanwhile
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN), str(path))


def _holder(status: os.stat_result) -> int | None:
    """The process that has a `flock` on this file; `None` if there is none, or if it cannot be seen."""
    numbers = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    found: dict[bool, int] = {}
    with suppress(OSError):
        for line in Path("/proc/locks").read_text().splitlines():
            _, kind, _, _, pid, place, *_ = line.split()
            device, _, inode = place.rpartition(":")
            if kind == "FLOCK" and int(inode) == status.st_ino:
                found[device == numbers] = int(pid)
    return found.get(True, found.get(False))  # some file systems (btrfs) have two numbers for one device


def _command(pid: int) -> str:
    """A process's command line, shortened; empty if it is not visible."""
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ").strip()
        return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"
    return ""
