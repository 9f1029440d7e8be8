"""Which hosts files somebody has just written: inotify on the engine's container directories.

The engine rebuilds a container's file at each start, up to three times and last some 12 ms before the start is
published (engines 20.10 to 28.5), so this is the only way to be back before the container's first instruction.
"""

import errno
from collections.abc import AsyncIterator
from pathlib import Path

import anyio.to_thread
from asyncinotify import Event, Inotify, Mask
from loguru import logger

from hostwatch.core.model import ContainerId

_HOSTS = Path("hosts")
_DIRECTORIES = Mask.CREATE | Mask.MOVED_TO | Mask.ONLYDIR
_FILES = Mask.CLOSE_WRITE | Mask.CREATE | Mask.MOVED_TO | Mask.ONLYDIR | Mask.DONT_FOLLOW


class Watch:
    """The watches on an engine's containers directory and on each container's own."""

    def __init__(self, inotify: Inotify, directory: Path) -> None:
        self._inotify = inotify
        self._directory = directory
        self._exhausted = False

    def add_all(self) -> None:
        """Watch the directory and all that is in it. Blocks for a moment; raises `OSError`."""
        self._inotify.add_watch(self._directory, _DIRECTORIES)
        for child in self._directory.iterdir():
            self._add(child)

    async def changed_containers(self) -> AsyncIterator[ContainerId | None]:
        """The containers whose `<directory>/<id>/hosts` has been written, for ever.

        `None` when changes may have been missed, as the kernel's queue ran over: compare all.
        """
        async for event in self._inotify:
            if Mask.Q_OVERFLOW in event.mask:
                await anyio.to_thread.run_sync(self.add_all)
                yield None
            elif (found := self._changed(event)) is not None:
                yield found

    def _changed(self, event: Event) -> ContainerId | None:
        if event.watch is None or event.name is None:
            return None
        if event.watch.path != self._directory:
            return ContainerId(event.watch.path.name) if event.name == _HOSTS else None
        child = self._directory / event.name
        # The file may have been written before the watch was there.
        return ContainerId(child.name) if self._add(child) else None

    def _add(self, child: Path) -> bool:
        """Watch one more container; returns whether that worked."""
        try:
            self._inotify.add_watch(child, _FILES)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ENOMEM):
                self._warn(error)
            return False  # gone again, or not a directory
        return True

    def _warn(self, error: OSError) -> None:
        if not self._exhausted:
            self._exhausted = True
            logger.warning(
                "no inotify watch is left ({}): hosts files are put right by events and resyncs only; raise the sysctl"
                " fs.inotify.max_user_watches",
                error.strerror,
            )
