"""Watches hosts files on the host, and reports each write of one."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from hostwatch.hosts.inotify import Event, Inotify, Mask, Watcher
from hostwatch.hosts.looks import Looks

_DIRECTORY = Mask.CREATE | Mask.MOVED_TO | Mask.ONLYDIR
_FILE = Mask.CLOSE_WRITE | Mask.DONT_FOLLOW
_CLOSE_WRITE = int(Mask.CLOSE_WRITE)
_LOOK_SECONDS = 2.0
"""Time between looks at the files: no event tells of a mount over one."""


class HostFileWatch(Watcher):
    """The watches on files of the host: on each file, and on the directories above it, as the file may appear later.

    A file that is bind-mounted by itself has events of its own only. Its directory's events come from its source.
    """

    what = "files on the host"

    def __init__(self, inotify: Inotify, paths: Iterable[Path], changed: Callable[[Path], None]) -> None:
        super().__init__(inotify)
        self._paths = tuple(paths)
        self._changed = changed
        self._seen: dict[Path, tuple[int, int]] = {}
        """The device and the inode that each path leads to."""

    def add_all(self) -> None:
        """Watch all files and directories that exist now."""
        for path in self._paths:
            for place, mask in ((path, _FILE), *((parent, _DIRECTORY) for parent in path.parents)):
                self._watches.add(place, mask)

    def report_all(self) -> None:
        """Report every file, as changes may have been missed."""
        for path in self._paths:
            self._changed(path)

    async def run(self) -> NoReturn:
        """Report files that are written or appear, for ever."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._look, name="look at files on the host")
            await super().run()
        raise AssertionError("inotify has ended")

    def _take(self, event: Event, tasks: TaskGroup) -> None:
        if event.place is not None and not event.name and event.mask & _CLOSE_WRITE:
            self._changed(event.place)
        elif affected := self._affected(event):
            tasks.start_soon(self._report, affected, name="files on the host have come or gone")

    async def _report(self, affected: list[Path]) -> None:
        """Report files that may be others now, once they are watched."""
        await self._add_all()
        for path in affected:
            self._changed(path)

    async def _look(self) -> None:
        """Report the paths that lead to another file now, and watch that file."""
        self._seen = await anyio.to_thread.run_sync(self._found)
        looks = Looks(_LOOK_SECONDS)
        while True:
            await self._report(await looks.first(self._moved))

    def _moved(self, _requested: bool) -> list[Path]:
        """The paths that lead to another file than at the last look."""
        before, self._seen = self._seen, self._found()
        return [path for path, found in self._seen.items() if before.get(path) != found]

    def _found(self) -> dict[Path, tuple[int, int]]:
        found: dict[Path, tuple[int, int]] = {}
        for path in self._paths:
            with suppress(OSError):
                status = os.lstat(path)
                found[path] = status.st_dev, status.st_ino
        return found

    def _affected(self, event: Event) -> list[Path]:
        if event.place is None:  # the kernel's queue ran over
            return list(self._paths)
        place = event.place / event.name
        return [path for path in self._paths if place in (path, *path.parents)]
