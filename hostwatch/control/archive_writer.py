"""Writes the history to its file, in batches and off the fast path, and goes on without the file where that fails."""

import time
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import NoReturn, Protocol

import anyio
import anyio.to_thread
from loguru import logger

from hostwatch.control.archive import (
    Archive,
    ArchiveBrokenError,
    ArchiveError,
    Archiving,
    Entry,
    OpenArchive,
    Opened,
)

_BATCH_SECONDS = 0.2
"""The time from an entry to its write. All entries of this time are one transaction."""
_RETRY_SECONDS = 10.0
"""The time between two tries after a failure: a disk gets room by people, or by a program that rotates logs."""
_PRUNE_SECONDS = 3600.0
"""The time between two searches for what is too old."""
_MOST_WAITING = 1_000
"""So many entries wait for a disk with room: as many as changes are in memory. After that, all are dropped."""
_GRACE_SECONDS = 1.0
"""The time for the last batch when the daemon ends."""
_MEANWHILE = "until then the history is in memory alone"


class Owner(Protocol):
    """The part whose entries are written."""

    def opened(self, found: Opened | None) -> None:
        """The file is open, with what an earlier daemon left; or it is not going to be soon (`None`)."""

    def standing(self) -> Iterable[Entry]:
        """How all files stand now, for a file that may not know it."""


class _Waiting:
    """The entries that are not written yet."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque()
        self.more = anyio.Event()
        self.is_behind = False
        """Whether entries were dropped."""

    def add(self, entry: Entry, *, is_stuck: bool) -> None:
        """Add one. If writing is stuck and too many wait, all are dropped."""
        if is_stuck and len(self.entries) >= _MOST_WAITING:
            self.is_behind = True
            self.entries.clear()
        if not self.is_behind:
            self.entries.append(entry)
            self.more.set()


class _Trouble:
    """What keeps the file from being written. It is told once, and once again when it is over."""

    def __init__(self) -> None:
        self.told: str | None = None

    def begins(self, error: ArchiveError) -> None:
        if self.told != str(error):
            self.told = str(error)
            logger.warning("{}; {}", error, _MEANWHILE)

    def is_over(self, settings: Archiving) -> None:
        if self.told is not None:
            self.told = None
            logger.info("the history is written to {} again", settings.file)


class ArchiveWriter:
    """The one writer of the file."""

    def __init__(self, opener: OpenArchive, settings: Archiving | None) -> None:
        self.archive: Archive | None = None
        """The open file."""
        self._settings = settings
        self._opener = opener
        self._waiting = _Waiting()
        self._trouble = _Trouble()
        self._scope: anyio.CancelScope | None = None

    def __repr__(self) -> str:
        return f"<ArchiveWriter to {self._settings}: {len(self._waiting.entries)} entries wait; {self._trouble.told}>"

    def adopt(self, settings: Archiving | None) -> None:
        """Write to this file from now on; to none, if there is none."""
        if settings != self._settings:
            self._settings = settings
            if self._scope is not None:
                self._scope.cancel()

    def add(self, entry: Entry) -> None:
        """Have an entry written soon."""
        if self.archive is not None:
            self._waiting.add(entry, is_stuck=self._trouble.told is not None)

    @asynccontextmanager
    async def running(self, owner: Owner) -> AsyncIterator[None]:
        """Write while this is entered; what waits at its end is written then."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._run, owner, name="write the history")
                try:
                    yield
                finally:
                    tasks.cancel_scope.cancel()
        finally:
            with anyio.move_on_after(_GRACE_SECONDS, shield=True):
                await self._close()

    async def _run(self, owner: Owner) -> NoReturn:
        while True:
            with anyio.CancelScope() as self._scope:
                if self._settings is None:
                    owner.opened(None)
                    await anyio.sleep_forever()
                else:
                    await self._keep(self._settings, owner)
            with anyio.CancelScope(shield=True):
                await self._close()

    async def _keep(self, settings: Archiving, owner: Owner) -> NoReturn:
        while True:
            await self._open(settings, owner)
            await self._keep_writing(settings)
            await self._close()

    async def _open(self, settings: Archiving, owner: Owner) -> None:
        """Open the file, as soon as that is possible."""
        while True:
            try:
                archive, found = await anyio.to_thread.run_sync(self._opener, settings.file)
            except ArchiveError as error:
                self._trouble.begins(error)
                owner.opened(None)
                await anyio.sleep(_RETRY_SECONDS)
                continue
            if found.warning is not None:
                logger.warning("{}", found.warning)
            self.archive, self._waiting = archive, _Waiting()
            self._waiting.entries.extend(owner.standing())
            owner.opened(found)
            return

    async def _keep_writing(self, settings: Archiving) -> None:
        """Write and prune, until the file must be opened anew: it is corrupt, or does not know how all files stand."""
        prune_at = 0.0
        while not self._waiting.is_behind:
            try:
                await self._write()
                if time.monotonic() >= prune_at:
                    await self._prune(settings)
                    prune_at = time.monotonic() + _PRUNE_SECONDS
            except ArchiveError as error:
                self._trouble.begins(error)
                await anyio.sleep(_RETRY_SECONDS)
                if isinstance(error, ArchiveBrokenError):
                    return
                continue
            self._trouble.is_over(settings)
            with anyio.move_on_after(max(prune_at - time.monotonic(), 0.0)):
                await self._waiting.more.wait()
                await anyio.sleep(_BATCH_SECONDS)

    async def _write(self) -> None:
        """Write what waits. After a failure even nothing is written, as a test."""
        waiting = self._waiting
        waiting.more = anyio.Event()
        batch = [*waiting.entries]
        if self.archive is not None and (batch or self._trouble.told is not None):
            await anyio.to_thread.run_sync(self.archive.write, batch)
            for _ in batch[: len(waiting.entries)]:
                waiting.entries.popleft()

    async def _prune(self, settings: Archiving) -> None:
        if self.archive is not None:
            await anyio.to_thread.run_sync(self.archive.prune, time.time() - settings.keep_seconds)

    async def _close(self) -> None:
        """Write what waits, and close the file."""
        if (archive := self.archive) is None:
            return
        try:
            await self._write()
        except ArchiveError as error:
            logger.debug("the last changes are not in the history's file: {}", error)
        self.archive = None
        await anyio.to_thread.run_sync(archive.close)
