"""The simulated engine's directory as hostwatch sees it: it may vanish, come back, or be replaced by another one."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import anyio

from tests.model.faults import Faults

PLACE = Path("/simulated/containers")


class Directory:
    """The directory at the engine's path, if there is one."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self.number = 0
        """The number of the present directory, or of the last one."""
        self.changed = anyio.Event()

    @property
    def is_gone(self) -> bool:
        """Whether there is no directory."""
        return self._faults.is_directory_gone

    def go(self) -> None:
        """Hide the directory from hostwatch."""
        self._faults.is_directory_gone = True
        self._tell()

    def come(self) -> None:
        """Put another directory there, with the same files."""
        self._faults.is_directory_gone = False
        self.number += 1
        self._tell()

    def keep_elsewhere(self) -> None:
        """Have another hostwatch take the lock on the present directory, or on the next one."""
        self._faults.is_kept_elsewhere = True

    def let_go(self) -> None:
        """End the other hostwatch."""
        self._faults.is_kept_elsewhere = False
        self._tell()

    @property
    def is_kept_elsewhere(self) -> bool:
        """Whether another hostwatch has the lock."""
        return self._faults.is_kept_elsewhere

    def heal(self) -> None:
        """Put a directory there, if there is none."""
        if self.is_gone:
            self.come()

    def _tell(self) -> None:
        self.changed.set()
        self.changed = anyio.Event()


class MemorySight:
    """The directory at one moment: an implementation of `hostwatch.control.keeper.Sight`."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._number = directory.number
        self.path = PLACE
        self.fault = OSError(errno.ENOENT, os.strerror(errno.ENOENT)) if directory.is_gone else None

    def look(self) -> None:
        """Nothing to do: a change of the directory is known at once."""

    async def lost(self) -> None:
        """Wait until the directory is replaced, vanishes, or appears."""
        while self._directory.number == self._number and self._directory.is_gone == (self.fault is not None):
            await self._directory.changed.wait()


class MemoryKeeper:
    """Keeps the files unless another hostwatch does: an implementation of `hostwatch.control.keeper.Keeper`."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self.is_active = False
        self.standby: str | None = None

    async def opened(self, directory: Path) -> MemorySight:
        """The present directory."""
        assert directory == PLACE
        await anyio.lowlevel.checkpoint()
        return MemorySight(self._directory)

    def take(self) -> bool:
        """Take the lock, unless another hostwatch has it; without a directory there is nothing to lock."""
        self.is_active = self._directory.is_gone or not self._directory.is_kept_elsewhere
        return self.is_active

    async def wait(self, tell_news: Callable[[], None]) -> None:
        """Wait until the lock is free, and take it."""
        self.standby = "another hostwatch keeps the files"
        tell_news()
        while not self.take():
            await self._directory.changed.wait()
        self.standby = None
        tell_news()

    async def is_followed(self) -> bool:
        """Always false: no hostwatch waits for this one."""
        return False
