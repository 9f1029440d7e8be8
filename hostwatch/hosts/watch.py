"""Which hosts files somebody has just written: inotify on the engine's container directories, and on files of the host.

The engine rebuilds a container's file at each start, up to three times and last some 12 ms before the start is
published (engines 20.10 to 28.5), so this is the only way to be back before the container's first instruction.
"""

import errno
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from pathlib import Path

import anyio.to_thread
from asyncinotify import Event, Inotify, Mask
from loguru import logger

from hostwatch.core.model import ContainerId

_DIRECTORIES = Mask.CREATE | Mask.MOVED_TO | Mask.ONLYDIR
_HOST_DIRECTORY = Mask.CREATE | Mask.MOVED_TO | Mask.ONLYDIR
_HOST_FILE = Mask.CLOSE_WRITE | Mask.DONT_FOLLOW
_FILES = Mask.CLOSE_WRITE | Mask.CREATE | Mask.MOVED_TO | Mask.ONLYDIR | Mask.DONT_FOLLOW
_EXHAUSTED = (errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


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
    """The watches on an engine's containers directory, and in each container's own on the way to its hosts file."""

    def __init__(self, inotify: Inotify, directory: Path, hosts: Path) -> None:
        self._inotify = inotify
        self._watches = _Watches(inotify, "hosts files")
        self._directory = directory
        self._hosts = hosts

    def add_all(self) -> None:
        """Watch the directory and all that is in it. Blocks for a moment; raises `OSError` where it cannot be read."""
        self._watches.add(self._directory, _DIRECTORIES)
        for child in self._directory.iterdir():
            self._add(child)

    async def changed_containers(self) -> AsyncIterator[ContainerId | None]:
        """The containers whose `<directory>/<id>/<hosts>` has been written, for ever.

        `None` when changes may have been missed, as the kernel's queue ran over: compare all.
        """
        async for event in self._inotify:
            if Mask.Q_OVERFLOW in event.mask:
                with suppress(OSError):  # all are compared; what is not watched is left to events and resyncs
                    await anyio.to_thread.run_sync(self.add_all)
                yield None
            elif (found := self._changed(event)) is not None:
                yield found

    def _changed(self, event: Event) -> ContainerId | None:
        if event.watch is None or event.name is None:
            return None
        place = event.watch.path / event.name
        child, *rest = place.relative_to(self._directory).parts
        if rest and Path(*rest) == self._hosts:
            return ContainerId(child)
        if rest != [*self._hosts.parts[: len(rest)]]:
            return None
        # A directory on the way has come; the file may have been written before the watch was there.
        return ContainerId(child) if self._add(self._directory / child) else None

    def _add(self, child: Path) -> bool:
        """Watch one more container; returns whether that worked."""
        places = [child, *(child / parent for parent in reversed(self._hosts.parents) if parent != Path())]
        return all(self._watches.add(place, _FILES) for place in places)


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
