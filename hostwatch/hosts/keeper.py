"""Decides whether this hostwatch keeps an engine's files, or stands by while another one does."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NoReturn

import anyio
import anyio.to_thread
from loguru import logger

from hostwatch.hosts.lock import STRANGER_SECONDS, DirectoryLock, Holder
from hostwatch.hosts.paths import out_of_sight
from hostwatch.hosts.sight import Sight

_STANDBY_SECONDS = 0.5
"""Time between attempts to take over."""
_HURRY_SECONDS, _HURRIED_SECONDS = 0.01, 2.0
"""Time between attempts once the other process seems to end, and how long that may take: it may remove its blocks."""


class Keeper:
    """Holds the engine's directory as it is now, and the lock on it."""

    def __init__(self, first_ended: Callable[[], Awaitable[None]] = anyio.sleep_forever) -> None:
        """`first_ended` returns when the process that is waited for seems to end. It is a hint; the lock decides."""
        self._first_ended = first_ended
        self._ending = anyio.Event()
        self._sight: Sight | None = None
        self.is_active = False
        """Whether this process keeps the files. Otherwise it writes, compares and reports nothing."""
        self.standby: str | None = None
        """The process that is waited for, in words; `None` if there is none."""
        self._holder = ""
        """The process that had the lock at the last look, in words."""

    def __repr__(self) -> str:
        return f"<Keeper of {self._sight!r}, {'active' if self.is_active else 'not active'}>"

    def close(self) -> None:
        """Close the directory, which releases its lock."""
        if self._sight is not None:
            self._sight.close()

    async def opened(self, directory: Path) -> Sight:
        """Open the directory as it is now, in the place of the one before. Raises `SightLostError`."""
        before = self._sight
        sight = await anyio.to_thread.run_sync(Sight, directory)
        self.close()
        self._sight = sight
        if sight.fault is not None and (before is None or before.path != directory or before.fault is None):
            logger.warning(
                "{}; until then they are written by exec, after a container's first instruction",
                out_of_sight(directory, sight.fault),
            )
        return sight

    def take(self) -> bool:
        """Take the lock on the directory; returns whether that worked, or there is nothing to lock."""
        self.is_active = (found := self._locked) is None or found[1].take(time.monotonic())
        if self.is_active:
            self.standby = None
        return self.is_active

    async def wait(self, tell_news: Callable[[], None]) -> None:
        """Wait in standby until the lock is taken; `tell_news` is called at each change."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch_first, name="connection to the first")
            while not self.take():
                if (found := self._locked) is not None and (holder := await anyio.to_thread.run_sync(found[1].holder)):
                    self._stand_by(found[0], holder, tell_news)
                await self._pause()
            tasks.cancel_scope.cancel()
        tell_news()
        if (found := self._locked) is None:
            return
        directory, lock = found
        if lock.is_without:
            await _tell_of_stranger(directory, lock)
        else:
            logger.info("takes over the hosts files in {}; all are compared", directory)

    async def _pause(self) -> None:
        """Wait until the next attempt is due, or until an attempt has worked as the other process ended."""
        with anyio.move_on_after(_STANDBY_SECONDS):
            await self._ending.wait()
            while not self.take():  # noqa: ASYNC110  # the kernel tells nobody that a lock is free
                await anyio.sleep(_HURRY_SECONDS)

    async def _watch_first(self) -> NoReturn:
        while True:
            await self._first_ended()
            self._ending.set()
            await anyio.sleep(_HURRIED_SECONDS)
            self._ending = anyio.Event()

    @property
    def _locked(self) -> tuple[Path, DirectoryLock] | None:
        """The directory and the lock on it; `None` while there is nothing to lock."""
        if self._sight is None or self._sight.lock is None:
            return None
        return self._sight.path, self._sight.lock

    async def is_followed(self) -> bool:
        """Whether another hostwatch waits to keep the files, or does so already."""
        if self.standby is not None:
            return True
        return self._sight is not None and await anyio.to_thread.run_sync(self._sight.is_awaited)

    def _stand_by(self, directory: Path, holder: Holder, tell_news: Callable[[], None]) -> None:
        """Log the process that is waited for, once for each.

        Another one than before is told when it is seen for the second time: a process that ends is not visible any more
        for a moment in which it still has the lock.
        """
        if holder.is_hostwatch:
            said = f"standby: {holder} keeps the hosts files in {directory}; this one takes over when that ends"
        else:
            said = (
                f"standby: {holder} holds a lock on {directory}, and is not known as a hostwatch: in"
                f" {STRANGER_SECONDS:.0f} s it is done without the lock; end that process if it has no business there"
            )
        before, self._holder = self._holder, said
        if said != self.standby and (self.standby is None or said == before):
            self.standby = said
            logger.warning("{}", said)
            tell_news()


async def _tell_of_stranger(directory: Path, lock: DirectoryLock) -> None:
    logger.error(
        "{} still holds a lock on {}, and is not known as a hostwatch: from now on the files are kept without the lock",
        await anyio.to_thread.run_sync(lock.holder) or "another process",
        directory,
    )
