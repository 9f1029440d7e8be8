"""The hosts files of one engine, below its data root: each access in a thread, under a limit, in the loop's words."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread
from asyncinotify import Inotify

from hostwatch.control.files import FileFailedError, FileGoneError, FileRefusedError, FileUpdate, OutOfSightError
from hostwatch.core.model import ContainerKey, EngineId
from hostwatch.hosts import files
from hostwatch.hosts.watch import Watch

T = TypeVar("T")

_CONCURRENT = 8
"""How many files are read or written at once: enough that one on a slow disk holds nobody up."""


class EngineHostsFiles:
    """The hosts files below one engine's data root (`<root>/containers/<id>/hosts`)."""

    def __init__(self, engine: EngineId, root: Path) -> None:
        self.engine = engine
        self.directory = root / "containers"
        self._limiter = anyio.CapacityLimiter(_CONCURRENT)

    def __repr__(self) -> str:
        return f"<EngineHostsFiles {self.directory}>"

    def path(self, key: ContainerKey) -> Path:
        """Where the file of that container is."""
        return self.directory / key.id / "hosts"

    async def read(self, key: ContainerKey) -> bytes:
        """The file's text."""
        return await self._in_thread(lambda: files.read(self.directory / key.id))

    async def update(self, key: ContainerKey, change: Callable[[bytes], bytes]) -> FileUpdate:
        """Bring the file to what `change` makes of its text, in place."""
        update = await self._in_thread(lambda: files.update(self.directory / key.id, change))
        return FileUpdate(update.before, update.after)

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[AsyncIterator[ContainerKey | None]]:
        """The files that somebody writes from now on, for ever; `None` when changes were lost and all must be compared.

        Raises `FileRefusedError` where they cannot be watched.
        """
        try:
            inotify = Inotify(cache_size=64)
        except OSError as error:
            raise FileRefusedError(
                f"no inotify ({error.strerror}): raise the sysctl fs.inotify.max_user_instances"
            ) from error
        with inotify:
            watch = Watch(inotify, self.directory)
            try:
                await anyio.to_thread.run_sync(watch.add_all)
            except OSError as error:
                raise OutOfSightError(out_of_sight(self.directory, error)) from error
            yield self._changes(watch)

    async def _changes(self, watch: Watch) -> AsyncIterator[ContainerKey | None]:
        async for container in watch.changed_containers():
            yield None if container is None else ContainerKey(self.engine, container)

    def _fault(self) -> str | None:
        """Why no file can be reached at all, `None` if they can."""
        try:
            os.close(os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        except OSError as error:
            return out_of_sight(self.directory, error)
        return None

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await anyio.to_thread.run_sync(work, limiter=self._limiter)
        except files.HostsFileMissing as error:
            if (fault := await anyio.to_thread.run_sync(self._fault)) is not None:
                raise OutOfSightError(fault) from error
            raise FileGoneError(str(error)) from error
        except (files.HostsFileRefused, files.HostsFileDenied) as error:
            raise FileRefusedError(str(error)) from error
        except files.HostsFileError as error:
            raise FileFailedError(str(error)) from error


def out_of_sight(directory: Path, error: OSError) -> str:
    """Why an engine's containers directory cannot be used, and what to do."""
    return (
        f"the engine's containers directory {directory} cannot be read ({error.strerror}): run hostwatch as root on the"
        " engine's host, or set docker.root to where the engine's data root is visible"
    )
