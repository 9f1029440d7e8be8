"""The engine's containers directory as this process sees it: it may be missing, and be replaced by another one later.

A data root may be moved, a volume mounted late, a directory deleted and made anew. Then the opened and watched
directory is not the one that the path leads to, and no call fails. So the path is compared with the open directory. The
kernel reports most changes of a path, but no mounts, so the path is also checked at intervals.
"""

import errno
import os
from contextlib import suppress
from functools import partial
from pathlib import Path

from hostwatch.control.keeper import SightLostError
from hostwatch.hosts.lock import DirectoryLock, holder_of
from hostwatch.hosts.looks import Looks

_LOOK_SECONDS = 2.0
"""Time between looks at the path, each some microseconds long. Nothing else shows a mount over the path."""
_LOOKS_FOR_MOUNT = 15
"""The mounts are read at every 15th look, because that takes some milliseconds if there are many mounts."""
_GONE = (errno.ENOENT, errno.ENOTDIR)
"""Errors which mean that the path leads to nothing. Any other error says nothing about the path."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Sight:
    """The directory that a path leads to. It is held open, so that no other directory can get its inode number."""

    def __init__(self, path: Path) -> None:
        """Open the directory. Blocks for a moment. Raises `SightLostError` if the path leads to a deleted one."""
        self.path = path
        self.file: int | None = None
        self.lock: DirectoryLock | None = None
        """The lock on the directory, not taken yet; `None` if there is nothing to lock."""
        self.fault: OSError | None = None
        """The error if the directory cannot be opened."""
        self._looks_for_mount = 0
        """The looks until the mounts are read."""
        self._source: bytes | None = None
        """The path inside the mounted file system, if the directory is a mount point."""
        self._looks = Looks(_LOOK_SECONDS)
        try:
            self.file = os.open(path, _FOLDER)
        except OSError as error:
            self.fault = error
        else:
            self.lock = DirectoryLock(self.file)
            try:
                self._refuse_deleted(os.fstat(self.file))
            except SightLostError:
                self.close()
                raise

    def __repr__(self) -> str:
        return f"<Sight of {self.path}: {self.file if self.fault is None else self.fault}>"

    def close(self) -> None:
        """Close the directory."""
        if self.file is not None:
            os.close(self.file)
            self.file = self.lock = None

    def is_awaited(self) -> bool:
        """Whether another hostwatch waits to keep the files, or keeps them already."""
        if self.lock is not None:
            return self.lock.is_awaited()
        holder = holder_of(self.path)
        return holder is not None and holder.is_hostwatch

    def look(self) -> None:
        """Look at the path now, as it may lead elsewhere."""
        self._looks.request()

    async def lost(self) -> None:
        """Wait until the path leads to another directory, to none, or to one for the first time.

        Raises `SightLostError`.
        """
        await self._looks.first(partial(self._is_lost, self.file))

    def _is_lost(self, opened: int | None, requested: bool) -> bool:
        """Look at the path. Another task may close the open directory meanwhile; the result is dropped then."""
        try:
            found = os.open(self.path, _FOLDER)
        except OSError as error:
            return opened is not None and error.errno in _GONE
        try:
            if opened is None:
                return True
            there, ours = os.fstat(found), os.fstat(opened)
        finally:
            os.close(found)
        self._refuse_deleted(there)
        if not os.path.samestat(there, ours):
            return True
        if requested or self._looks_for_mount == 0:
            self._looks_for_mount = _LOOKS_FOR_MOUNT
            self._refuse_moved()
        self._looks_for_mount -= 1
        return False

    def _refuse_moved(self) -> None:
        """Refuse a directory that was renamed: only a mount still leads to it."""
        source, self._source = self._source, _mounted_from(self.path)
        if None not in (source, self._source) and source != self._source:
            raise self._dead("moved away")

    def _refuse_deleted(self, status: os.stat_result) -> None:
        """Refuse a directory that was deleted: only a mount still leads to it, and none leads to its successor."""
        if status.st_nlink == 0:
            raise self._dead("deleted")

    def _dead(self, how: str) -> SightLostError:
        return SightLostError(
            f"{self.path} was {how} where it is mounted from, so that this process sees nothing of what is there now:"
            " hostwatch ends, to be started anew (in a container, `docker restart` mounts it again)"
        )


def _mounted_from(path: Path) -> bytes | None:
    """The path, inside its file system, of the directory that is mounted exactly here, by its present name."""
    place = os.fsencode(os.path.realpath(path))
    for character in b"\\ \t\n":  # the backslash first
        place = place.replace(bytes([character]), b"\\%03o" % character)
    found = None
    with suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
            fields = line.split(b" ", 5)
            if fields[4] == place:
                found = fields[3]
    return found
