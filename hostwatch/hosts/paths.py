"""Hosts files by their path: those of an engine's containers, below its data root, and files on the host.

Each access that may wait is made in a thread, under a limit. Errors become those of the control loop. A file on the
host may be on any file system: it is accessed at once only where a thread has found it on a local one.
"""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple, NoReturn, TypeVar

import anyio
import anyio.to_thread
from anyio.abc import TaskStatus

from hostwatch.control.writers import (
    FileDeniedError,
    FileFailedError,
    FileGoneError,
    FileKeptError,
    FileRefusedError,
    FileUpdate,
    OutOfSightError,
)
from hostwatch.core.block.hostsfile import OF_CONTAINER, OF_HOST, Edited, Limit
from hostwatch.core.model import Container, ContainerId, ContainerKey, EngineId
from hostwatch.hosts import files
from hostwatch.hosts.file_system import is_local
from hostwatch.hosts.host_watch import HostFileWatch
from hostwatch.hosts.inotify import Inotify, watch_for_ever
from hostwatch.hosts.lock import HostFileLocks
from hostwatch.hosts.opening import NOT_THERE
from hostwatch.hosts.watch import Watch

T = TypeVar("T")

_CONCURRENT = 8
"""Files that are read or written at the same time: enough that a file on a slow disk does not delay the others."""


class _Place(NamedTuple):
    """Where a file of the host was found."""

    path: Path
    directory: tuple[int, int]
    """The numbers of its directory's device and inode."""


class PathHostsFiles:
    """The hosts files of one engine's containers (`<directory>/<id>/<hosts>`), and those on the host."""

    def __init__(self, engine: EngineId, directory: Path, hosts: Path, locks: HostFileLocks | None = None) -> None:
        """`locks` are those on files of the host. A file is written only under its lock; `None`: no lock is needed."""
        self.engine = engine
        self.directory = directory
        self._hosts = hosts
        self._locks = locks
        self._limiter = anyio.CapacityLimiter(_CONCURRENT)
        self._local: dict[Path, _Place] = {}
        """The files of the host that were last found on a local file system, and where they were."""

    def __repr__(self) -> str:
        return f"<PathHostsFiles {self.directory}>"

    def path(self, container: Container) -> Path:
        """The file's path."""
        return container.host_file or _place(self.directory, container.key.id, self._hosts)

    async def read(self, container: Container) -> bytes:
        """The file's text."""
        size = self.limit(container).size
        return await self._in_thread(container, lambda path: files.read(path, size))

    def read_now(self, container: Container) -> bytes | None:
        """The text of a file that was written or read a moment ago; `None` if reading might wait."""
        text = self._at_once(container, files.read_at_once)
        path = self.path(container)
        if text is None and container.host_file is None and files.is_missing(path):
            raise FileGoneError(f"{path}: {NOT_THERE}")
        return text

    def limit(self, container: Container) -> Limit:
        """The longest text of the file. A container may fill its own file; the operator fills those of the host."""
        return OF_CONTAINER if container.host_file is None else OF_HOST

    async def is_writable(self, container: Container) -> bool:
        """Whether the file can be opened for writing now. (Closing it wakes the processes that watch it.)"""
        with suppress(FileGoneError, FileRefusedError, FileFailedError):
            await self._in_thread(container, files.try_to_open)
            return True
        return False

    def says(self, container: Container, text: bytes) -> bool:
        """Whether the file has exactly this text; false if the answer might take time."""
        return bool(self._at_once(container, lambda path: files.says_at_once(path, text)))

    async def update(self, container: Container, change: Callable[[bytes], bytes]) -> FileUpdate:
        """Replace the file's text, in place, by what `change` makes of it."""
        locks, path, size = self._locks, container.host_file, self.limit(container).size
        if locks is not None and path is not None:
            await self._lock(locks, path)
        update = await self._in_thread(container, lambda path: files.update(path, change, size))
        if locks is not None and path is not None:
            locks.settle(path)
        return update

    def update_now(self, container: Container, change: Callable[[bytes], bytes]) -> FileUpdate | None:
        """Change a file that was written or read a moment ago; `None`, and no write, if it might wait."""
        return self._at_once(container, lambda path: files.update_at_once(path, change))

    def replace(self, container: Container, text: bytes, edited: Edited) -> bool:
        """Replace one text by another; returns whether the file had the first, and nothing had to wait."""
        return bool(self._at_once(container, lambda path: files.replaced_at_once(path, text, edited)))

    async def watch(
        self,
        changed: Callable[[ContainerKey | None], None],
        moved: Callable[[], None] = lambda: None,
        *,
        task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> NoReturn:
        """Report each write of a container's file, for ever. It has started once no write is missed any more.

        `changed` gets `None` if changes were lost and all files must be compared, after the key of each file that was
        certainly written meanwhile. `moved` is called if the directory may be another one now; then the caller begins
        anew.
        """

        def report(id_: ContainerId | None) -> None:
            changed(ContainerKey(self.engine, id_) if id_ is not None else None)

        def make(inotify: Inotify) -> Watch:
            return Watch(inotify, self.directory, self._hosts, report, moved)

        await watch_for_ever(make, Watch.what, task_status=task_status)

    async def _lock(self, locks: HostFileLocks, path: Path) -> None:
        """Take the lock of a file on the host. Raises `FileKeptError`."""
        if locks.has(path):
            return
        holder = await anyio.to_thread.run_sync(locks.holder, path, limiter=self._limiter)
        if holder is not None:
            raise FileKeptError(
                f"{path} is kept by {holder}, for another engine perhaps; it is kept from here as soon as that ends"
            )

    def _fault(self) -> str | None:
        """The reason why no container's file can be reached at all; `None` if they can."""
        try:
            os.close(os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        except OSError as error:
            # Without a descriptor left, nothing is known of the directory.
            return None if error.errno in files.OUT_OF_FILES else out_of_sight(self.directory, error)
        return None

    def _at_once(self, container: Container, work: Callable[[Path], T | None]) -> T | None:
        """The result of work that needs no waiting, and so no thread, which would take longer than the work itself.

        `None` if it might wait, and for every error. The caller then uses a thread, which raises the error.
        """
        host_file = container.host_file
        path = self.path(container) if host_file is None else self._place_at_once(host_file)
        if path is not None:
            with suppress(files.HostsFileError):
                return work(path)
        return None

    def _place_at_once(self, host_file: Path) -> Path | None:
        """Where a file of the host is, if it is where it was, and stays under its lock when it is written."""
        place = self._local.get(host_file)
        if place is None or not (self._locks is None or self._locks.stays(host_file)):
            return None
        return place.path if _identity(host_file.parent) == place.directory else None

    def _on_host(self, work: Callable[[Path], T], path: Path) -> T:
        """The result of work on a file of the host. It is noted whether later work needs no thread."""
        self._local.pop(path, None)
        place, directory = _resolved(path), _identity(path.parent)
        found = work(place)
        if directory is not None and is_local(place):
            self._local[path] = _Place(place, directory)
        return found

    async def _in_thread(self, container: Container, work: Callable[[Path], T]) -> T:
        path = self.path(container)
        task = partial(self._on_host, work) if container.host_file is not None else work
        try:
            return await anyio.to_thread.run_sync(task, path, limiter=self._limiter)
        except files.HostsFileMissing as error:
            if container.host_file is not None:
                raise FileRefusedError(f"{path} is not there; it is kept as soon as it is") from error
            if (fault := await anyio.to_thread.run_sync(self._fault)) is not None:
                raise OutOfSightError(fault) from error
            raise FileGoneError(str(error)) from error
        except files.HostsFileDenied as error:
            raise FileDeniedError(str(error)) from error
        except files.HostsFileRefused as error:
            raise FileRefusedError(str(error)) from error
        except files.HostsFileError as error:
            raise FileFailedError(str(error)) from error


async def watch_host_files(
    paths: Iterable[Path],
    changed: Callable[[Path], None],
    *,
    task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> NoReturn:
    """Report each of these files on the host that is written or appears, for ever."""
    await watch_for_ever(
        lambda inotify: HostFileWatch(inotify, paths, changed), HostFileWatch.what, task_status=task_status
    )


def _resolved(path: Path) -> Path:
    """The place of a file whose directory may be a link, as `/var/run` is. Directories of the host are trusted."""
    return Path(os.path.realpath(path.parent), path.name)


def _identity(directory: Path) -> tuple[int, int] | None:
    """The numbers of a directory's device and inode; `None` if there is none."""
    with suppress(OSError):
        file = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            status = os.fstat(file)
        finally:
            os.close(file)
        return status.st_dev, status.st_ino
    return None


@lru_cache(maxsize=1024)
def _place(directory: Path, identity: str, hosts: Path) -> Path:
    """The path of a container's file. It is cached, as making a path takes as long as reading a file."""
    return directory / identity / hosts


def out_of_sight(directory: Path, error: OSError) -> str:
    """The reason why an engine's containers directory cannot be used, with a remedy."""
    what = f"the engine's containers directory {directory} cannot be read ({error.strerror})"
    if error.errno in files.OUT_OF_FILES:
        return f"{what}; raise the limit of open files (LimitNOFILE)"
    remedy = "run hostwatch as root on the engine's host, or set docker.root to where the engine's data root is visible"
    return f"{what}; {remedy}"
