"""An inotify instance and its watches, kept up for ever.

A watch or an instance that the kernel refuses, as there is none left, is tried again until it is there. The log says so
once, and once more when it is over. No error of inotify ends anything.
"""

import asyncio
import ctypes
import errno
import os
import random
import struct
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from enum import IntFlag
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, NoReturn, Self

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup, TaskStatus
from loguru import logger

from hostwatch.core.timing import Backoff

_AGAIN_SECONDS = (1.0, 60.0)
"""Shortest and longest wait for a watch or an instance: another process must free one, or a person raise a limit."""
_EXHAUSTED = (errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_LIBC = ctypes.CDLL(None, use_errno=True)
"""The C library of this process. The libraries for inotify make a Path of each event, or start a program to find it."""
_EVENT = struct.Struct("iIII")
"""`struct inotify_event`: the watch, the mask, a cookie, the length of the name."""
_PIECE = 1 << 13
"""Bytes read between two steps of the event loop: some 200 events, which take less than a millisecond."""


class Mask(IntFlag):
    """Events of a watch (inotify(7))."""

    ATTRIB = 0x4
    CLOSE_WRITE = 0x8
    MOVED_FROM = 0x40
    MOVED_TO = 0x80
    CREATE = 0x100
    DELETE = 0x200
    MOVE_SELF = 0x800
    Q_OVERFLOW = 0x4000
    IGNORED = 0x8000
    ONLYDIR = 0x1000000
    DONT_FOLLOW = 0x2000000


class Event(NamedTuple):
    """An event of the kernel."""

    place: Path | None
    """The watched file or directory; `None` if events were lost."""
    mask: int
    """A number, as comparing flags takes as long as everything else that an event needs."""
    name: str
    """The file in the watched directory; empty for the place itself."""


class Inotify:
    """An inotify instance, with the place of each watch. Raises `OSError` if the kernel grants none."""

    def __init__(self) -> None:
        self.file = _checked(_LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._places: dict[int, Path] = {}
        self._watches: dict[Path, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.file)

    def add(self, place: Path, mask: Mask) -> None:
        """Watch a place, and no longer what was there before. Raises `OSError`."""
        watch = _checked(_LIBC.inotify_add_watch(self.file, os.fsencode(place), int(mask)))
        if self._watches.get(place) != watch:
            self.remove(place)
        self._places[watch], self._watches[place] = place, watch

    def number(self, place: Path) -> int | None:
        """The number of a place's watch. Another file at the place has another one."""
        return self._watches.get(place)

    def remove(self, place: Path) -> None:
        """Take a watch off, unless the kernel has done that already. It has no more events."""
        watch = self._watches.pop(place, None)
        if watch is not None:
            self._places.pop(watch, None)
            with suppress(OSError):
                _checked(_LIBC.inotify_rm_watch(self.file, watch))

    def read(self) -> list[Event]:
        """The next events, as far as there are any: no more than one step of the event loop may take."""
        try:
            data = os.read(self.file, _PIECE)
        except BlockingIOError:
            return []
        found: list[Event] = []
        start = 0
        while start < len(data):
            watch, mask, _, length = _EVENT.unpack_from(data, start)
            start += _EVENT.size + length
            if mask & _IGNORED:  # the watch is gone
                place = self._places.pop(watch, None)
                if place is not None and self._watches.get(place) == watch:
                    del self._watches[place]
            else:
                place = self._places.get(watch)
            if place is not None or mask & _OVERFLOW:
                name = os.fsdecode(data[start - length : start].rstrip(b"\0")) if length else ""
                found.append(Event(place, mask, name))
        return found


def _checked(result: int) -> int:
    """The result of a call of the C library. Raises `OSError`."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


_IGNORED, _OVERFLOW = int(Mask.IGNORED), int(Mask.Q_OVERFLOW)


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
            self._inotify.add(place, mask)
        except OSError as error:
            if error.errno in _EXHAUSTED:
                self._lack(error)
            return False
        return True

    def number(self, place: Path) -> int | None:
        """The number of a place's watch. Another file at the place has another one."""
        return self._inotify.number(place)

    def remove(self, place: Path) -> None:
        """Take a watch off."""
        self._inotify.remove(place)

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
        self._events: deque[Event] = deque()
        self._due = asyncio.Event()
        """Set while there are events to take."""

    @abstractmethod
    def add_all(self) -> None:
        """Watch all files and directories that exist now. Blocks for a moment."""

    @abstractmethod
    def report_all(self) -> None:
        """Report that changes of any file may have been missed."""

    @abstractmethod
    def _take(self, event: Event, tasks: TaskGroup) -> None:
        """Report the files that an event shows to be written. Anything that may wait is a task."""

    def _matters(self, event: Event) -> bool:  # noqa: ARG002
        """Whether an event is worth waking up for. Called outside of any task."""
        return True

    async def run(self) -> NoReturn:
        """Report written files, for ever."""
        loop = asyncio.get_running_loop()
        async with anyio.create_task_group() as tasks:
            # Events of other files in a watched directory do not get further than `_read`.
            loop.add_reader(self._inotify.file, self._read)
            try:
                while True:
                    self._complete_lacking(tasks)
                    await self._due.wait()
                    self._due.clear()
                    while self._events:
                        self._take(self._events.popleft(), tasks)
            finally:
                loop.remove_reader(self._inotify.file)
        raise AssertionError("inotify has ended")

    def _read(self) -> None:
        self._events.extend([event for event in self._inotify.read() if self._matters(event)])
        if self._events:
            self._due.set()

    async def _add_all(self) -> None:
        await anyio.to_thread.run_sync(self.add_all)

    def _complete_lacking(self, tasks: TaskGroup) -> None:
        if self._watches.lacking and not self._is_completing:
            self._is_completing = True
            tasks.start_soon(self._complete, name=f"more watches for {self.what}")

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
        return Inotify()
    except OSError as error:
        if is_first:
            logger.error(
                "no inotify ({}): raise the sysctl fs.inotify.max_user_instances, or the limit of open files"
                " (LimitNOFILE); until it is tried again and there is one, {} are put right by events and resyncs only",
                error.strerror,
                what,
            )
    return None
