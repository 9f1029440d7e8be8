"""An inotify instance and its watches, kept up for ever.

A watch or an instance that the kernel refuses, as there is none left, is tried again until it is there. The log says so
once, and once more when it is over. No error of inotify ends anything.
"""

import errno
import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup, TaskStatus
from asyncinotify import Event, Inotify, Mask, Watch
from loguru import logger

from hostwatch.core.timing import Backoff

_AGAIN_SECONDS = (1.0, 60.0)
"""Shortest and longest wait for a watch or an instance: another process must free one, or a person raise a limit."""
_EXHAUSTED = (errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class WatchSet:
    """The watches of one inotify instance. A lack of watches is logged once, and so is its end."""

    def __init__(self, inotify: Inotify, what: str) -> None:
        self._inotify = inotify
        self._what = what
        self._is_logged = False
        self.lacking = False
        """Whether the kernel refused a watch that is still to be added."""

    def add(self, place: Path, mask: Mask) -> bool:
        """Watch a place. False: it is gone again, or no watch is left."""
        try:
            self._inotify.add_watch(place, mask)
        except OSError as error:
            if error.errno in _EXHAUSTED:
                self._lack(error)
            return False
        return True

    def remove(self, watch: Watch) -> None:
        """Take a watch off, unless the kernel has done that already."""
        with suppress(OSError):
            self._inotify.rm_watch(watch)

    def log_complete(self) -> None:
        """Log that no watch is lacking any more."""
        self._is_logged = False
        logger.info("there are inotify watches enough again; all {} are compared", self._what)

    def _lack(self, error: OSError) -> None:
        self.lacking = True
        if not self._is_logged:
            self._is_logged = True
            logger.warning(
                "no inotify watch is left ({}): {} are put right by events and resyncs only, until it is tried again"
                " and there are more; raise the sysctl fs.inotify.max_user_watches",
                error.strerror,
                self._what,
            )


class Watcher(ABC):
    """Files of one kind, watched by one inotify instance."""

    what: str
    """The kind of files, as the log calls them."""

    def __init__(self, inotify: Inotify) -> None:
        self._inotify = inotify
        self._watches = WatchSet(inotify, self.what)
        self._is_completing = False

    @abstractmethod
    def add_all(self) -> None:
        """Watch all files and directories that exist now. Blocks for a moment."""

    @abstractmethod
    def report_all(self) -> None:
        """Report that changes of any file may have been missed."""

    @abstractmethod
    async def _take(self, event: Event, tasks: TaskGroup) -> None:
        """Report the files that an event shows to be written."""

    async def run(self) -> NoReturn:
        """Report written files, for ever."""
        async with anyio.create_task_group() as tasks:
            while True:
                if self._watches.lacking and not self._is_completing:
                    self._is_completing = True
                    tasks.start_soon(self._complete, name=f"more watches for {self.what}")
                await self._take(await self._inotify.get(), tasks)
        raise AssertionError("inotify has ended")

    async def _add_all(self) -> None:
        await anyio.to_thread.run_sync(self.add_all)

    async def _complete(self) -> None:
        """Add the lacking watches once the kernel grants them."""
        backoff = Backoff(*_AGAIN_SECONDS)
        while self._watches.lacking:
            await anyio.sleep(backoff.failed(random.random()))  # noqa: S311
            self._watches.lacking = False
            await self._add_all()
        self._is_completing = False
        self._watches.log_complete()
        self.report_all()


async def watch_for_ever(
    make: Callable[[Inotify], Watcher], what: str, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> NoReturn:
    """Report each file that is written after this has started, for ever.

    Without an inotify instance it has started all the same, and goes on as soon as the kernel grants one.
    """
    backoff = Backoff(*_AGAIN_SECONDS)
    while (inotify := _instance(what, is_first=backoff.failures == 0)) is None:
        if backoff.failures == 0:
            task_status.started()
        await anyio.sleep(backoff.failed(random.random()))  # noqa: S311
    with inotify:
        watcher = make(inotify)
        await anyio.to_thread.run_sync(watcher.add_all)
        if backoff.failures == 0:
            task_status.started()
        else:
            logger.info("there is an inotify instance again; all {} are compared", what)
            watcher.report_all()
        await watcher.run()


def _instance(what: str, *, is_first: bool) -> Inotify | None:
    """An inotify instance, if there is one left. The kernel reports both of its limits by the same error."""
    try:
        return Inotify(cache_size=64)
    except OSError as error:
        if is_first:
            logger.error(
                "no inotify ({}): raise the sysctl fs.inotify.max_user_instances, or the limit of open files"
                " (LimitNOFILE); until it is tried again and there is one, {} are put right by events and resyncs only",
                error.strerror,
                what,
            )
    return None
