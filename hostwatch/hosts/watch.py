"""Which hosts files somebody has just written: inotify on the engine's container directories, and on files of the host.

The engine rebuilds a container's file at each start, up to three times and last some 12 ms before the start is
published (engines 20.10 to 28.5), so this is the only way to be back before the container's first instruction.

What the kernel refuses (no watch or no instance is left) is tried again until it is there: said once, and once when it
is over. No error of inotify ends anything.
"""

import errno
import os
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup, TaskStatus
from asyncinotify import Event, Inotify, Mask
from asyncinotify import Watch as KernelWatch
from loguru import logger

from hostwatch.core.model import ContainerId
from hostwatch.core.timing import Backoff, RateLimiter

_DIRECTORIES = Mask.CREATE | Mask.MOVED_TO | Mask.MOVE_SELF | Mask.ONLYDIR
_ABOVE = Mask.CREATE | Mask.MOVED_TO | Mask.DELETE | Mask.MOVED_FROM | Mask.ONLYDIR
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
_LOOK_SECONDS = 2.0
"""How often files on the host are looked at: no event tells of a mount over them."""
_AGAIN_SECONDS = (1.0, 60.0)
"""How long to wait for what the kernel has no more of: somebody else has it, or a person must raise a limit."""
_EXHAUSTED = (errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ENOMEM)

Changed = Callable[[ContainerId | None], None]
"""Told of each container whose file was written; `None` if that may be any of them."""


class _Watches:
    """The watches of one inotify instance. That there are no more of them is said once, and that there are again."""

    def __init__(self, inotify: Inotify, what: str) -> None:
        self._inotify = inotify
        self._what = what
        self._is_told = False
        self.lacking = False
        """Whether one was not to be had, and is to be added yet."""

    def add(self, place: Path, mask: Mask) -> bool:
        """Watch a place; returns whether that worked: it may be gone again, or no watch may be left."""
        try:
            self._inotify.add_watch(place, mask)
        except OSError as error:
            if error.errno in _EXHAUSTED:
                self._lack(error)
            return False
        return True

    def remove(self, watch: KernelWatch) -> None:
        """Take a watch off, unless the kernel has done that already."""
        with suppress(OSError):
            self._inotify.rm_watch(watch)

    def tell_complete(self) -> None:
        """All are there again."""
        self._is_told = False
        logger.info("there are inotify watches enough again; all {} are compared", self._what)

    def _lack(self, error: OSError) -> None:
        self.lacking = True
        if not self._is_told:
            self._is_told = True
            logger.warning(
                "no inotify watch is left ({}): {} are put right by events and resyncs only, until it is tried again"
                " and there are more; raise the sysctl fs.inotify.max_user_watches",
                error.strerror,
                self._what,
            )


class _Watching(ABC):
    """What is watched by one inotify instance."""

    what: str
    """What kind of files, as the log calls them."""

    def __init__(self, inotify: Inotify) -> None:
        self._inotify = inotify
        self._watches = _Watches(inotify, self.what)
        self._is_completing = False

    @abstractmethod
    def add_all(self) -> None:
        """Watch all that is there by now. Blocks for a moment."""

    @abstractmethod
    def tell_all(self) -> None:
        """Changes of any file may have been missed."""

    @abstractmethod
    async def _take_up(self, event: Event, tasks: TaskGroup) -> None:
        """Tell what follows from an event."""

    async def run(self) -> NoReturn:
        """Tell of what is written, for ever."""
        async with anyio.create_task_group() as tasks:
            while True:
                if self._watches.lacking and not self._is_completing:
                    self._is_completing = True
                    tasks.start_soon(self._complete, name=f"more watches for {self.what}")
                await self._take_up(await self._inotify.get(), tasks)
        raise AssertionError("inotify has ended")

    async def _add_all(self) -> None:
        await anyio.to_thread.run_sync(self.add_all)

    async def _complete(self) -> None:
        """Add the watches that were not to be had, once they are."""
        backoff = Backoff(*_AGAIN_SECONDS)
        while self._watches.lacking:
            await anyio.sleep(backoff.failed(random.random()))  # noqa: S311
            self._watches.lacking = False
            await self._add_all()
        self._is_completing = False
        self._watches.tell_complete()
        self.tell_all()


async def watch_for_ever(
    make: Callable[[Inotify], _Watching], what: str, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> NoReturn:
    """Tell of what is written from the moment that it has started, for ever, or as soon as the kernel lets us."""
    backoff = Backoff(*_AGAIN_SECONDS)
    while (inotify := _instance(what, is_first=backoff.failures == 0)) is None:
        if backoff.failures == 0:
            task_status.started()
        await anyio.sleep(backoff.failed(random.random()))  # noqa: S311
    with inotify:
        watching = make(inotify)
        await anyio.to_thread.run_sync(watching.add_all)
        if backoff.failures == 0:
            task_status.started()
        else:
            logger.info("there is an inotify instance again; all {} are compared", what)
            watching.tell_all()
        await watching.run()


def _instance(what: str, *, is_first: bool) -> Inotify | None:
    """An inotify instance, if there is one left. The kernel has the same word for both limits."""
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


class Watch(_Watching):
    """The watches on an engine's containers directory, and in each container's own on the way to its hosts file.

    A container may write its file in a loop: that one's watch is taken off for a moment, again and again, as reading
    what the kernel tells of it would cost more than it costs the container.
    """

    what = "hosts files"

    def __init__(
        self, inotify: Inotify, directory: Path, hosts: Path, changed: Changed, stirred: Callable[[], None]
    ) -> None:
        """`changed` is told of files, `stirred` that the directory's own path may lead elsewhere now."""
        super().__init__(inotify)
        self._directory = directory
        self._above = frozenset(directory.parents)
        self._hosts = hosts
        self._changed, self._stirred = changed, stirred
        self._name = Path(hosts.name)
        self._owners: dict[Path, ContainerId] = {}
        """Whose hosts file is in which directory that is watched."""
        self._pace: RateLimiter[Path] = RateLimiter(_CREDIT_SECONDS)
        self._resting: set[Path] = set()

    def add_all(self) -> None:
        """Watch the directory, all that is in it, and those above, as far as they are there."""
        for place in self._above:
            self._watches.add(place, _ABOVE)
        self._watches.add(self._directory, _DIRECTORIES)
        with suppress(OSError):  # it is gone, which shows from above
            for child in self._directory.iterdir():
                if self._watches.lacking:
                    return
                if child not in self._resting:
                    self._add(child)

    def tell_all(self) -> None:
        """Changes of any file may have been missed."""
        self._changed(None)

    async def _take_up(self, event: Event, tasks: TaskGroup) -> None:
        """Tell which container's `<directory>/<id>/<hosts>` has been written, `None` for any."""
        if int(event.mask) & _OVERFLOW:
            await self._add_all()
            logger.warning("changes of hosts files were lost; all are compared")
            self._stirred()
            self._changed(None)
        elif event.watch is None:
            return
        elif event.watch.path in self._above:
            self._look_above(event, event.watch)
        elif self._is_flooded(event, event.watch):
            self._resting.add(event.watch.path)
            self._watches.remove(event.watch)
            tasks.start_soon(self._watch_again, event.watch, name=f"rest {event.watch.path}")
        elif (found := self._changed_container(event, event.watch)) is not None:
            self._changed(found)

    def _look_above(self, event: Event, watch: KernelWatch) -> None:
        """Tell that a directory on the way has come or gone."""
        place = watch.path if event.name is None else watch.path / event.name
        if place in self._above:
            self._watches.add(place, _ABOVE)
            self._stirred()
        elif place == self._directory:
            self._stirred()

    def _is_flooded(self, event: Event, watch: KernelWatch) -> bool:
        """Count one more event of a watch; returns whether there are so many that it is to be taken off."""
        if int(event.mask) & _IGNORED:  # it was taken off, or its directory is gone
            self._pace.forget(watch.path)
            self._owners.pop(watch.path, None)
            if watch.path == self._directory:
                self._stirred()
            return False
        if watch.path == self._directory or watch.path in self._resting:
            return False
        now = time.monotonic()
        self._pace.spend(watch.path, now, _EVENT_SECONDS)
        return self._pace.wait(watch.path, now) > 0

    async def _watch_again(self, watch: KernelWatch) -> None:
        """Watch a directory again after a moment; what was written meanwhile is told then."""
        child = self._directory / watch.path.relative_to(self._directory).parts[0]
        logger.debug("{} is written all the time; it is watched again in {:g} s", child, _REST_SECONDS)
        await anyio.sleep(_REST_SECONDS)
        self._resting.discard(watch.path)
        if self._add(child):
            self._changed(ContainerId(child.name))

    def _changed_container(self, event: Event, watch: KernelWatch) -> ContainerId | None:
        if event.name is None:
            if watch.path == self._directory:  # it was moved, perhaps from where it is mounted here
                self._stirred()
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


class HostFileWatch(_Watching):
    """The watches on files of the host: on each of them, and on the directories above, as it may appear later.

    A file that is bind-mounted by itself has events of its own only: those of its directory come from where it is.
    """

    what = "files on the host"

    def __init__(self, inotify: Inotify, paths: Iterable[Path], changed: Callable[[Path], None]) -> None:
        super().__init__(inotify)
        self._paths = tuple(paths)
        self._changed = changed
        self._seen: dict[Path, tuple[int, int]] = {}
        """Which file each path leads to, by device and inode."""

    def add_all(self) -> None:
        """Watch all that is there by now."""
        for path in self._paths:
            for place, mask in ((path, _HOST_FILE), *((parent, _HOST_DIRECTORY) for parent in path.parents)):
                self._watches.add(place, mask)

    def tell_all(self) -> None:
        """Changes of any file may have been missed."""
        for path in self._paths:
            self._changed(path)

    async def run(self) -> NoReturn:
        """Tell of the files that have been written or have appeared, for ever."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._look, name="look at files on the host")
            await super().run()
        raise AssertionError("inotify has ended")

    async def _take_up(self, event: Event, tasks: TaskGroup) -> None:  # noqa: ARG002
        affected = self._concerned(event)
        if affected:
            await self._add_all()
        for path in affected:
            self._changed(path)

    async def _look(self) -> None:
        """Tell now and then which paths lead to another file, and watch that."""
        self._seen = await anyio.to_thread.run_sync(self._found)
        while True:
            await anyio.sleep(_LOOK_SECONDS)
            before, self._seen = self._seen, await anyio.to_thread.run_sync(self._found)
            moved = [path for path, found in self._seen.items() if before.get(path) != found]
            if moved:
                await self._add_all()
            for path in moved:
                self._changed(path)

    def _found(self) -> dict[Path, tuple[int, int]]:
        found: dict[Path, tuple[int, int]] = {}
        for path in self._paths:
            with suppress(OSError):
                status = os.lstat(path)
                found[path] = status.st_dev, status.st_ino
        return found

    def _concerned(self, event: Event) -> list[Path]:
        if event.watch is None:  # the kernel's queue ran over
            return list(self._paths)
        place = event.watch.path if event.name is None else event.watch.path / event.name
        return [path for path in self._paths if place in (path, *path.parents)]
