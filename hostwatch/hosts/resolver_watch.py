"""Follows the host's own resolv.conf.

The programs that manage a host's network replace the file by a rename (NetworkManager, systemd-resolved, resolvconf),
write it in place, or have a link lead elsewhere. So each directory on the way to it is watched for the one name that
leads on, and after each change the whole way is looked at again.

A file that is away, has no nameserver or is being written tells nothing for a while, and changes nothing. Then it
counts as it is.
"""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from hostwatch.core.host_resolver import HostResolver
from hostwatch.hosts.host_resolver import Look, Place, look_at, place_here
from hostwatch.hosts.inotify import Event, Inotify, Mask, Watcher, watch_for_ever
from hostwatch.hosts.way import Way

_DOUBT_SECONDS = 5.0
"""The time for which a doubtful file tells nothing. NetworkManager leaves no nameserver in it for some seconds, while
it leaves one network for another."""
_PAUSE_SECONDS = 0.02
"""Between two looks: a file that is written all the time is looked at fifty times a second at most."""
_LOOK_SECONDS = 60.0
"""A look after this time without any event, as none tells of a mount over the file."""
_ROUNDS = 3
"""Looks in a row at a way that changes while it is being watched. Its next event causes another one."""
_DIRECTORY = Mask.CREATE | Mask.MOVED_TO | Mask.MOVED_FROM | Mask.DELETE | Mask.CLOSE_WRITE | Mask.ONLYDIR
_FILE = Mask.CLOSE_WRITE | Mask.DONT_FOLLOW
"""The file may be written by another path, and its directory has no event of that."""


class ResolverWatch(Watcher):
    """The watches on the ways to the host's file: on the directory of each step, and on the file."""

    what = "nameservers of the host"

    def __init__(self, inotify: Inotify, changed: Callable[[], None]) -> None:
        super().__init__(inotify)
        self._changed = changed
        self._steps: frozenset[Path] = frozenset()
        self._places: dict[Path, Mask] = {}

    def follow(self, ways: Iterable[Way]) -> bool:
        """Watch these ways, and no others. Returns whether a place was not watched before. Blocks for a moment."""
        ways = tuple(ways)
        self._steps = frozenset(step for way in ways for step in way.steps)
        before = {place: self._watches.number(place) for place in self._places}
        self._places = {way.end: _FILE for way in ways if way.fault is None}
        self._places.update((step.parent, _DIRECTORY) for step in self._steps)
        for place in before.keys() - self._places.keys():
            self._watches.remove(place)
        self.add_all()
        return any(self._watches.number(place) != before.get(place) for place in self._places)

    def add_all(self) -> None:
        """Watch the places that were followed last."""
        for place, mask in self._places.items():
            self._watches.add(place, mask)

    def report_all(self) -> None:
        """Report that the file may have changed."""
        self._changed()

    def _matters(self, event: Event) -> bool:
        """Whether it is about a step. An event without a name is of the file, or of a directory that is gone."""
        return event.place is None or not event.name or event.place / event.name in self._steps

    def _take(self, event: Event, tasks: TaskGroup) -> None:  # noqa: ARG002
        self._changed()


class HostResolverFile:
    """The host's resolv.conf: an implementation of `hostwatch.control.host_resolver.HostResolverSource`."""

    def __init__(self, place: Callable[[], Place | None] = place_here) -> None:
        self._place = place
        self._watch: ResolverWatch | None = None
        self._due = anyio.Event()

    async def follow(self, changed: Callable[[HostResolver], None]) -> NoReturn:
        """Report what the host uses, at first and after each change, for ever."""
        self._watch = None
        place = await anyio.to_thread.run_sync(self._place)
        told: HostResolver | None = None
        doubted: float | None = None
        async with anyio.create_task_group() as tasks:
            await tasks.start(watch_for_ever, self._made, ResolverWatch.what)
            while True:
                self._due = anyio.Event()
                look = await anyio.to_thread.run_sync(self._looked, place)
                doubted = (doubted or time.monotonic()) if look.is_doubtful else None
                patience = _DOUBT_SECONDS - (time.monotonic() - doubted) if doubted is not None else 0.0
                if patience <= 0 and look.resolver != told:
                    told = look.resolver
                    changed(told)
                await anyio.sleep(_PAUSE_SECONDS)
                with anyio.move_on_after(patience if patience > 0 else _LOOK_SECONDS):
                    await self._due.wait()
        raise AssertionError("the watch has ended")

    def _made(self, inotify: Inotify) -> ResolverWatch:
        self._watch = ResolverWatch(inotify, self._wake)
        return self._watch

    def _wake(self) -> None:
        self._due.set()

    def _looked(self, place: Place | None) -> Look:
        """Look at the file, and watch the way to it. What was not watched before the look may have changed since."""
        look = look_at(place)
        for _ in range(_ROUNDS):
            if self._watch is None or not self._watch.follow(look.ways):
                break
            look = look_at(place)
        return look
