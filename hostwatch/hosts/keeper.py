"""Whether this hostwatch keeps an engine's files, or stands by for another one that does."""

import time
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.to_thread
from loguru import logger

from hostwatch.hosts.lock import STRANGER_SECONDS, DirectoryLock, Holder
from hostwatch.hosts.paths import out_of_sight
from hostwatch.hosts.sight import Sight

_STANDBY_SECONDS = 0.5
"""How often one in standby tries to take over."""


class Keeper:
    """The engine's directory as it is seen now, and whose turn it is to keep the files in it."""

    def __init__(self, tell_news: Callable[[], None]) -> None:
        """`tell_news` is told when it is another one's turn, or ours."""
        self._tell_news = tell_news
        self._sight: Sight | None = None
        self.is_active = False
        """Whether the files are ours to keep; else nothing is written, compared or told."""
        self.standby: str | None = None
        """Whom we wait for, in words; `None` if for nobody."""

    def __repr__(self) -> str:
        return f"<Keeper of {self._sight!r}, {'active' if self.is_active else 'not active'}>"

    def close(self) -> None:
        """Let go of the directory, and so of its lock."""
        if self._sight is not None:
            self._sight.close()

    async def opened(self, directory: Path) -> Sight:
        """The directory as it is now, in the place of what it was before. Raises `SightLostError`."""
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

    def take(self, sight: Sight) -> bool:
        """Take the lock, where there is one; else `wait` is to follow."""
        self.is_active = sight.lock is None or sight.lock.take(time.monotonic())
        if self.is_active:
            self.standby = None
        return self.is_active

    async def wait(self, sight: Sight) -> None:
        """Wait in standby until the lock is ours."""
        while not self.take(sight):
            if sight.lock is not None and (holder := await anyio.to_thread.run_sync(sight.lock.holder)) is not None:
                self._stand_by(sight.path, holder)
            await anyio.sleep(_STANDBY_SECONDS)
        self._tell_news()
        if sight.lock is not None and sight.lock.is_without:
            await _tell_of_stranger(sight.path, sight.lock)
        else:
            logger.info("takes over the hosts files in {}; all are compared", sight.path)

    async def is_followed(self) -> bool:
        """Whether another hostwatch waits to keep the files, or does so already."""
        if self.standby is not None:
            return True
        return self._sight is not None and await anyio.to_thread.run_sync(self._sight.is_wanted_by_another)

    def _stand_by(self, directory: Path, holder: Holder) -> None:
        """Say whom we wait for, once for each."""
        if holder.is_hostwatch:
            said = f"standby: {holder} keeps the hosts files in {directory}; this one takes over when that ends"
        else:
            said = (
                f"standby: {holder} holds a lock on {directory}, and is not known as a hostwatch: in"
                f" {STRANGER_SECONDS:.0f} s it is done without the lock; end that process if it has no business there"
            )
        if said != self.standby:
            self.standby = said
            logger.warning("{}", said)
            self._tell_news()


async def _tell_of_stranger(directory: Path, lock: DirectoryLock) -> None:
    logger.error(
        "{} still holds a lock on {}, and is not known as a hostwatch: it is done without the lock from now on",
        await anyio.to_thread.run_sync(lock.holder) or "another process",
        directory,
    )
