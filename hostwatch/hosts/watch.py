"""Which hosts files somebody has just written: inotify on the engine's container directories, and on files of the host.

The engine rebuilds a container's file at each start, up to three times and last some 12 ms before the start is
published (engines 20.10 to 28.5), so this is the only way to be back before the container's first instruction.
"""

import errno
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import anyio
import anyio.to_thread
from asyncinotify import Event, Inotify, Mask
from asyncinotify import Watch as KernelWatch
from loguru import logger

from hostwatch.core.model import ContainerId
from hostwatch.core.pacing import Pace

_DIRECTORIES = Mask.CREATE | Mask.MOVED_TO | Mask.ONLYDIR
_HOST_DIRECTORY = Mask.CREATE | Mask.MOVED_TO | Mask.ONLYDIR
_HOST_FILE = Mask.CLOSE_WRITE | Mask.DONT_FOLLOW
_ON_THE_WAY = Mask.CREATE | Mask.MOVED_TO | Mask.ONLYDIR | Mask.DONT_FOLLOW
_FILES = Mask.CLOSE_WRITE | Mask.MOVED_TO | Mask.ONLYDIR | Mask.DONT_FOLLOW
"""A file that is created is closed, too; an engine creates some thirty others beside it in a container's life."""
_OVERFLOW, _IGNORED = int(Mask.Q_OVERFLOW), int(Mask.IGNORED)
"""As numbers: flags take as long to compare as all else that is done for an event."""
_EVENT_SECONDS = 0.005
"""How long an event takes to be paid back, where there are more from one directory: 200 a second."""
_CREDIT_SECONDS = 1.0
_REST_SECONDS = 1.0
"""How long a directory with more than that is not watched."""
_EXHAUSTED = (errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ENOMEM)

Changed = Callable[[ContainerId | None], None]
"""Told of each container whose file was written; `None` if that may be any of them."""


class _Watches:
    """The watches of one inotify instance. That there are no more of them is said once."""

    def __init__(self, inotify: Inotify, what: str) -> None:
        self._inotify = inotify
        self._what = what
        self._exhausted = False

    def add(self, place: Path, mask: Mask) -> bool:
        """Watch a place; returns whether that worked: it may be gone again, or no watch may be left."""
        try:
            self._inotify.add_watch(place, mask)
        except OSError as error:
            if error.errno in _EXHAUSTED:
                self._warn(error)
            return False
        return True

    def _warn(self, error: OSError) -> None:
        if not self._exhausted:
            self._exhausted = True
            logger.warning(
                "no inotify watch is left ({}): {} are put right by events and resyncs only; raise the sysctl"
                " fs.inotify.max_user_watches, and restart hostwatch",
                error.strerror,
                self._what,
            )


class Watch:
    """The watches on an engine's containers directory, and in each container's own on the way to its hosts file.

    A container may write its file in a loop: that one's watch is taken off for a moment, again and again, as reading
    what the kernel tells of it would cost more than it costs the container.
    """

    def __init__(self, inotify: Inotify, directory: Path, hosts: Path) -> None:
        self._inotify = inotify
        self._watches = _Watches(inotify, "hosts files")
        self._directory = directory
        self._hosts = hosts
        self._name = Path(hosts.name)
        self._owners: dict[Path, ContainerId] = {}
        """Whose hosts file is in which directory that is watched."""
        self._pace: Pace[Path] = Pace(_CREDIT_SECONDS)
        self._resting: set[Path] = set()

    def add_all(self) -> None:
        """Watch the directory and all that is in it. Blocks for a moment; raises `OSError` where it cannot be read."""
        self._watches.add(self._directory, _DIRECTORIES)
        for child in self._directory.iterdir():
            if child not in self._resting:
                self._add(child)

    async def run(self, changed: Changed) -> NoReturn:
        """Tell which containers' `<directory>/<id>/<hosts>` have been written, for ever.

        `None` when changes may have been missed, as the kernel's queue ran over: compare all.
        """
        async with anyio.create_task_group() as tasks:
            async for event in self._inotify:
                if int(event.mask) & _OVERFLOW:
                    with suppress(OSError):  # all are compared; what is not watched is left to events and resyncs
                        await anyio.to_thread.run_sync(self.add_all)
                    changed(None)
                elif event.watch is not None:
                    if self._is_flooded(event, event.watch):
                        self._resting.add(event.watch.path)
                        self._inotify.rm_watch(event.watch)
                        tasks.start_soon(self._watch_again, event.watch, changed, name=f"rest {event.watch.path}")
                    elif (found := self._changed(event, event.watch)) is not None:
                        changed(found)
        raise AssertionError("inotify has ended")

    def _is_flooded(self, event: Event, watch: KernelWatch) -> bool:
        """Count one more event of a watch; returns whether there are so many that it is to be taken off."""
        if int(event.mask) & _IGNORED:  # it was taken off, or its directory is gone
            self._pace.forget(watch.path)
            self._owners.pop(watch.path, None)
            return False
        if watch.path == self._directory or watch.path in self._resting:
            return False
        now = time.monotonic()
        self._pace.spend(watch.path, now, _EVENT_SECONDS)
        return self._pace.wait(watch.path, now) > 0

    async def _watch_again(self, watch: KernelWatch, changed: Changed) -> None:
        """Watch a directory again after a moment; what was written meanwhile is told then."""
        child = self._directory / watch.path.relative_to(self._directory).parts[0]
        logger.debug("{} is written all the time; it is watched again in {:g} s", child, _REST_SECONDS)
        await anyio.sleep(_REST_SECONDS)
        self._resting.discard(watch.path)
        if self._add(child):
            changed(ContainerId(child.name))

    def _changed(self, event: Event, watch: KernelWatch) -> ContainerId | None:
        if event.name is None:
            return None
        if (owner := self._owners.get(watch.path)) is not None:
            return owner if event.name == self._name else None
        place = watch.path / event.name
        child, *rest = place.relative_to(self._directory).parts
        if rest and Path(*rest) == self._hosts:
            return ContainerId(child)
        if rest != [*self._hosts.parts[: len(rest)]]:
            return None
        # A directory on the way has come; the file may have been written before the watch was there.
        return ContainerId(child) if self._add(self._directory / child) else None

    def _add(self, child: Path) -> bool:
        """Watch one more container; returns whether that worked."""
        *others, last = [child, *(child / parent for parent in reversed(self._hosts.parents) if parent != Path())]
        on_the_way = all(self._watches.add(place, _ON_THE_WAY) for place in others)
        if not on_the_way or not self._watches.add(last, _FILES):
            return False
        self._owners[last] = ContainerId(child.name)
        return True


class HostFileWatch:
    """The watches on files of the host: on each of them, and on the directories above, as it may appear later.

    A file that is bind-mounted by itself has events of its own only: those of its directory come from where it is.
    """

    def __init__(self, inotify: Inotify, paths: Iterable[Path]) -> None:
        self._inotify = inotify
        self._watches = _Watches(inotify, "files on the host")
        self._paths = tuple(paths)

    def add_all(self) -> None:
        """Watch all that is there by now. Blocks for a moment."""
        for path in self._paths:
            for place, mask in ((path, _HOST_FILE), *((parent, _HOST_DIRECTORY) for parent in path.parents)):
                self._watches.add(place, mask)

    async def changed_files(self) -> AsyncIterator[Path]:
        """The files that have been written or have appeared, for ever."""
        async for event in self._inotify:
            concerned = self._concerned(event)
            if concerned:
                await anyio.to_thread.run_sync(self.add_all)
            for path in concerned:
                yield path

    def _concerned(self, event: Event) -> list[Path]:
        if event.watch is None:  # the kernel's queue ran over
            return list(self._paths)
        place = event.watch.path if event.name is None else event.watch.path / event.name
        return [path for path in self._paths if place in (path, *path.parents)]
