"""The simulated engine's directory as hostwatch sees it: it may go, come back, or be another one."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import anyio

from tests.model.faults import Faults

PLACE = Path("/simulated/containers")


class Directory:
    """Which directory the path leads to, if to any."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self.number = 0
        """That of the directory which is there, or was last."""
        self.changed = anyio.Event()

    @property
    def is_gone(self) -> bool:
        """Whether there is none."""
        return self._faults.is_directory_gone

    def go(self) -> None:
        """It cannot be seen any more."""
        self._faults.is_directory_gone = True
        self._tell()

    def come(self) -> None:
        """There is another one, with the same files."""
        self._faults.is_directory_gone = False
        self.number += 1
        self._tell()

    def keep_elsewhere(self) -> None:
        """Another hostwatch takes the lock on what is there, or will be."""
        self._faults.is_kept_elsewhere = True

    def let_go(self) -> None:
        """The other hostwatch ends."""
        self._faults.is_kept_elsewhere = False
        self._tell()

    @property
    def is_kept_elsewhere(self) -> bool:
        """Whether another hostwatch has the lock."""
        return self._faults.is_kept_elsewhere

    def heal(self) -> None:
        """There is one."""
        if self.is_gone:
            self.come()

    def _tell(self) -> None:
        self.changed.set()
        self.changed = anyio.Event()


class MemorySight:
    """The directory that was there at one moment: an implementation of `hostwatch.control.keeper.Sight`."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._number = directory.number
        self.path = PLACE
        self.fault = OSError(errno.ENOENT, os.strerror(errno.ENOENT)) if directory.is_gone else None

    def look(self) -> None:
        """It is known at once in any case."""

    async def lost(self) -> None:
        """Wait until there is another one, none any more, or one at last."""
        while self._directory.number == self._number and self._directory.is_gone == (self.fault is not None):
            await self._directory.changed.wait()


class MemoryKeeper:
    """Keeps the files unless another one does: an implementation of `hostwatch.control.keeper.Keeper`."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self.is_active = False
        self.standby: str | None = None

    async def opened(self, directory: Path) -> MemorySight:
        """What is there now."""
        assert directory == PLACE
        await anyio.lowlevel.checkpoint()
        return MemorySight(self._directory)

    def take(self) -> bool:
        """Take the lock, if there is something to lock and nobody else has it."""
        self.is_active = self._directory.is_gone or not self._directory.is_kept_elsewhere
        return self.is_active

    async def wait(self, tell_news: Callable[[], None]) -> None:
        """Wait until nobody else has the lock."""
        self.standby = "another hostwatch keeps the files"
        tell_news()
        while not self.take():
            await self._directory.changed.wait()
        self.standby = None
        tell_news()

    async def is_followed(self) -> bool:
        """There is nobody to follow."""
        return False
