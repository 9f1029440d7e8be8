"""An engine's containers directory as it is seen from here: it may be missing, and another one later.

A data root is moved, a volume is mounted late, a directory is deleted and made anew. What was opened and watched then
has nothing to do with what the path leads to by now, and nothing fails: the path has to be compared with it. The kernel
tells of most changes of a path, but of no mount, so it is looked at now and then, too.
"""

import errno
import os
from contextlib import suppress
from pathlib import Path

import anyio
import anyio.to_thread

from hostwatch.control.keeper import SightLostError
from hostwatch.hosts.lock import DirectoryLock, holder_of

_LOOK_SECONDS = 2.0
"""How often the path is looked at, which takes some microseconds: a mount over it shows in nothing else."""
_LOOKS_FOR_MOUNT = 15
"""At which look what is mounted is asked for, too: where there are many mounts that takes some milliseconds."""
_GONE = (errno.ENOENT, errno.ENOTDIR)
"""What says that there is nothing. From any other error nothing follows."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Sight:
    """The directory that a path leads to, held open: so its inode's number cannot become that of another one."""

    def __init__(self, path: Path) -> None:
        """Open it. Blocks for a moment. Raises `SightLostError` where the path leads to a deleted one."""
        self.path = path
        self.file: int | None = None
        self.lock: DirectoryLock | None = None
        """The lock on it, not taken yet; `None` where there is nothing to lock."""
        self.fault: OSError | None = None
        """Why it cannot be opened; `None` if it is."""
        self._looks = 0
        self._source: bytes | None = None
        """Where in its file system is what is mounted at the path, if that is a mount point."""
        self._stir = anyio.Event()
        try:
            self.file = os.open(path, _FOLDER)
        except OSError as error:
            self.fault = error
        else:
            self.lock = DirectoryLock(self.file)
            self._refuse_deleted(os.fstat(self.file))

    def __repr__(self) -> str:
        return f"<Sight of {self.path}: {self.file if self.fault is None else self.fault}>"

    def close(self) -> None:
        """Let go of the directory."""
        if self.file is not None:
            os.close(self.file)
            self.file = self.lock = None

    def is_wanted_by_another(self) -> bool:
        """Whether another hostwatch waits to keep the files, or does so by now."""
        if self.lock is not None:
            return self.lock.is_awaited()
        holder = holder_of(self.path)
        return holder is not None and holder.is_hostwatch

    def stir(self) -> None:
        """The path may lead elsewhere: look now."""
        self._stir.set()

    async def lost(self) -> None:
        """Wait until the path leads to another directory, to none, or to one for the first time.

        Raises `SightLostError`.
        """
        while not await anyio.to_thread.run_sync(self._is_lost):
            with anyio.move_on_after(_LOOK_SECONDS):
                await self._stir.wait()
                self._looks = 0
            self._stir = anyio.Event()

    def _is_lost(self) -> bool:
        try:
            found = os.open(self.path, _FOLDER)
        except OSError as error:
            return self.file is not None and error.errno in _GONE
        try:
            if self.file is None:
                return True
            there, ours = os.fstat(found), os.fstat(self.file)
        finally:
            os.close(found)
        self._refuse_deleted(there)
        if not os.path.samestat(there, ours):
            return True
        if self._looks % _LOOKS_FOR_MOUNT == 0:
            self._refuse_moved()
        self._looks += 1
        return False

    def _refuse_moved(self) -> None:
        """Refuse a directory that has another name by now: only a mount still leads there."""
        source, self._source = self._source, _mounted_from(self.path)
        if None not in (source, self._source) and source != self._source:
            raise self._dead("moved away")

    def _refuse_deleted(self, status: os.stat_result) -> None:
        """Refuse a directory that has no name any more: only a mount still leads there, and none leads to the new."""
        if status.st_nlink == 0:
            self.close()
            raise self._dead("deleted")

    def _dead(self, how: str) -> SightLostError:
        return SightLostError(
            f"{self.path} was {how} where it is mounted from, so that this process sees nothing of what is there now:"
            " hostwatch ends, to be started anew (in a container, `docker restart` mounts it again)"
        )


def _mounted_from(path: Path) -> bytes | None:
    """Where in its file system is what is mounted just at this path, by the name that it has now."""
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
