"""Reports containers whose hosts file has just been written, by inotify on these files.

The engine rebuilds a container's file at each start, up to three times, the last time some 12 ms before it publishes
the start (engines 20.10 to 28.5). So only this watch can restore the block before the container's first instruction.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup
from loguru import logger

from hostwatch.core.model import ContainerId
from hostwatch.core.timing import RateLimiter
from hostwatch.hosts.inotify import Event, Inotify, Mask, Watcher

_ABOVE = Mask.CREATE | Mask.MOVED_TO | Mask.DELETE | Mask.MOVED_FROM | Mask.ONLYDIR
_DIRECTORY = Mask.CREATE | Mask.MOVED_TO | Mask.MOVE_SELF | Mask.ONLYDIR
_ON_THE_WAY = Mask.CREATE | Mask.MOVED_TO | Mask.ONLYDIR | Mask.DONT_FOLLOW
_FILES = Mask.CLOSE_WRITE | Mask.MOVED_TO | Mask.ONLYDIR | Mask.DONT_FOLLOW
"""Without CREATE: a file that is created is closed, too."""
_FILE = Mask.CLOSE_WRITE | Mask.ATTRIB | Mask.MOVE_SELF | Mask.DONT_FOLLOW
"""ATTRIB: the number of the file's names has changed, so it may be deleted, or another one may have its name."""
_IGNORED, _CLOSE_WRITE = int(Mask.IGNORED), int(Mask.CLOSE_WRITE)
_EVENT_SECONDS = 0.005
"""The cost of an event, for the rate limiter: 200 a second from one file or directory are tolerated."""
_CREDIT_SECONDS = 1.0
"""The rate limiter's burst: 200 events at once."""
_COUNTED = 50
"""So many events of other files are counted at once: to count one takes as long as to read it."""
_UNWATCHED_SECONDS = 1.0
"""A file or directory with more events than that is not watched for this time."""

Changed = Callable[[ContainerId | None], None]
"""Takes each container whose file was written; `None`: any other file may have been written, too."""


class Watch(Watcher):
    """The watches on an engine's containers directory, and in each container's own on its hosts file.

    The directory of a hosts file is watched only while it has none: an engine writes some thirty other files there in
    a container's life, and each would wake this process.

    A container may write its file in a loop. Reading its events would then cost more than the writes cost the
    container, so its watch is taken off for a moment, again and again.
    """

    what = "hosts files"

    def __init__(
        self, inotify: Inotify, directory: Path, hosts: Path, changed: Changed, path_changed: Callable[[], None]
    ) -> None:
        """`path_changed` is called when the directory's own path may lead elsewhere."""
        super().__init__(inotify)
        self._directory = directory
        self._above = {place.parent: place.name for place in (directory, *directory.parents) if place.name}
        """The directories above, each with the name of the next one on the way."""
        self._hosts = hosts
        self._changed, self._path_changed = changed, path_changed
        self._name = hosts.name
        self._between = [parent for parent in reversed(hosts.parents) if parent != Path()]
        """The directories between a container's own and its hosts file."""
        self._owners: dict[Path, ContainerId] = {}
        """The container of each watched hosts file, and of each watched directory that has none yet."""
        self._limiter: RateLimiter[Path] = RateLimiter(_CREDIT_SECONDS)
        self._others: dict[Path, int] = {}
        """The number of events of other files in each directory that is watched for its hosts file."""
        self._unwatched: set[Path] = set()
        """The files and directories that are not watched for a moment."""
        self._reported = _Reported()

    def add_all(self) -> None:
        """Watch the directory, each container's hosts file, and the directories above, as far as they exist."""
        for place in self._above:
            self._watches.add(place, _ABOVE)
        self._watches.add(self._directory, _DIRECTORY)
        with suppress(OSError):  # the directory is gone, which its parent's watch reports
            for child in self._directory.iterdir():
                if self._watches.lacking:
                    return
                if child / self._hosts not in self._unwatched:
                    self._add(child)

    def report_all(self) -> None:
        """Report that changes of any file may have been missed."""
        self._reported = _Reported()
        self._changed(None)

    def _matters(self, event: Event) -> bool:
        """Whether it is a hosts file's, or a directory's on the way to one, or one too many."""
        place = event.place
        if place in self._above:
            return event.name in ("", self._above[place])
        if place not in self._owners or event.name in ("", self._name):
            return True
        others = self._others[place] = self._others.get(place, 0) + 1
        return others % _COUNTED == 0 and self._is_flooded(place, _COUNTED)

    def _take(self, event: Event, tasks: TaskGroup) -> None:
        """Report the container whose `<directory>/<id>/<hosts>` has been written; `None` if it may be any."""
        place = event.place
        if place is None:
            tasks.start_soon(self._recover, name="compare all hosts files")
        elif place in self._above:
            self._look_above(place, event.name)
        elif event.mask & _IGNORED:
            self._forget(place)
        elif self._is_flooded(place):
            self._unwatched.add(place)
            self._watches.remove(place)
            tasks.start_soon(self._watch_again, place, name=f"watch {place} again")
        elif (found := self._changed_container(place, event)) is not None:
            self._report(found)

    async def _recover(self) -> None:
        """Go on after events were lost."""
        await self._add_all()
        logger.warning("changes of hosts files were lost; all are compared")
        self._path_changed()
        await self._report_lost()

    def _report(self, container: ContainerId) -> None:
        self._reported.note(container)
        self._changed(container)

    async def _report_lost(self) -> None:
        """Report changes that the kernel did not: first of the files whose times show a write since the last report.

        Each of these is reported by itself, because its container may be starting, and its first instruction does not
        wait for an event.
        """
        reported, self._reported = self._reported, _Reported()
        for container in await anyio.to_thread.run_sync(self._missed, reported):
            self._report(container)
        self._changed(None)

    def _missed(self, reported: "_Reported") -> list[ContainerId]:
        """The containers whose files were written after their last report. Blocks for a moment."""
        found: list[ContainerId] = []
        with suppress(OSError):  # the directory is gone
            for child in self._directory.iterdir():
                with suppress(OSError):  # it has no file
                    status, container = os.lstat(child / self._hosts), ContainerId(child.name)
                    # A container may set st_mtime to any time. st_ctime changes with the file's mode, too.
                    if min(status.st_mtime, status.st_ctime) > reported.last(container):
                        found.append(container)
        return found

    def _look_above(self, watched: Path, name: str) -> None:
        """Report that a directory on the way to the containers directory has come or gone."""
        place = watched / name
        if place in self._above:
            self._watches.add(place, _ABOVE)
            self._path_changed()
        elif place == self._directory:
            self._path_changed()

    def _forget(self, place: Path) -> None:
        """A watched file or directory is gone. Another file may have its name."""
        self._limiter.forget(place)
        self._others.pop(place, None)
        if (owner := self._owners.pop(place, None)) is not None:
            self._reported.forget(owner)
            if self._add(self._directory / owner):
                self._report(owner)
        if place == self._directory:
            self._path_changed()

    def _is_flooded(self, place: Path, events: int = 1) -> bool:
        """Count more events of a place; returns whether there are so many that its watch must be taken off."""
        if place == self._directory or place in self._unwatched:
            return False
        now = time.monotonic()
        self._limiter.spend(place, now, events * _EVENT_SECONDS)
        return self._limiter.wait(place, now) > 0

    async def _watch_again(self, place: Path) -> None:
        """Watch a place again after a moment, and report its container, as its file may have been written meanwhile."""
        child = self._directory / place.relative_to(self._directory).parts[0]
        logger.debug("{} is written all the time; it is watched again in {:g} s", child, _UNWATCHED_SECONDS)
        await anyio.sleep(_UNWATCHED_SECONDS)
        self._unwatched.discard(place)
        if self._add(child):
            self._report(ContainerId(child.name))

    def _changed_container(self, watched: Path, event: Event) -> ContainerId | None:
        name = event.name
        if (owner := self._owners.get(watched)) is not None:
            return owner if self._is_changed(watched, owner, event) else None
        if not name:
            if watched == self._directory:  # it was moved, perhaps from where it is mounted here
                self._path_changed()
            return None
        place = (name,) if watched == self._directory else (watched / name).relative_to(self._directory).parts
        child, *rest = place
        if rest and Path(*rest) == self._hosts:
            return ContainerId(child)
        if rest != [*self._hosts.parts[: len(rest)]]:
            return None
        # A directory on the way has appeared. The file may have been written before it was watched.
        return ContainerId(child) if self._add(self._directory / child) else None

    def _is_changed(self, watched: Path, owner: ContainerId, event: Event) -> bool:
        """Whether an event of a hosts file, or of its directory, says that the file was written or is another one."""
        if event.name:
            return event.name == self._name and self._add(self._directory / owner)
        if event.mask & _CLOSE_WRITE:
            return True
        before = self._watches.number(watched)
        return self._add(self._directory / owner) and self._watches.number(watched) != before

    def _add(self, child: Path) -> bool:
        """Watch one more container; returns whether it has a hosts file, which is watched then."""
        *others, last = [child, *[child / parent for parent in self._between]]
        if not all(self._watches.add(place, _ON_THE_WAY) for place in others):
            return False
        owner, file = ContainerId(child.name), last / self._name
        is_there = self._is_added(file, _FILE, owner)
        if not is_there and self._is_added(last, _FILES, owner):
            is_there = self._is_added(file, _FILE, owner)  # it may have appeared before its directory was watched
        if not is_there:
            return False
        if self._owners.pop(last, None) is not None:
            self._others.pop(last, None)
            self._watches.remove(last)
        return True

    def _is_added(self, place: Path, mask: Mask, owner: ContainerId) -> bool:
        """Watch a container's file or directory; returns whether that worked."""
        if self._watches.add(place, mask):
            self._owners[place] = owner
            return True
        self._owners.pop(place, None)
        self._others.pop(place, None)
        self._watches.remove(place)
        return False


class _Reported:
    """The time of the last report of each container's file (`time.time`, the clock of the files' own times)."""

    def __init__(self) -> None:
        self._each: dict[ContainerId, float] = {}
        self._others = time.time()

    def note(self, container: ContainerId) -> None:
        """Note that a file is reported now."""
        self._each[container] = time.time()

    def forget(self, container: ContainerId) -> None:
        """Forget a file that is gone."""
        self._each.pop(container, None)

    def last(self, container: ContainerId) -> float:
        """The time of a file's last report; the start of the watch if there was none."""
        return self._each.get(container, self._others)
