"""The places of hosts files, as the control loop needs them: the interface between the loop and the host.

An engine has one directory with all of its containers' files, and one hostwatch at a time keeps them. Files on the
host are kept as well.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn, Protocol

from anyio.abc import TaskStatus

from hostwatch.control.writers import VisibleHostsFiles
from hostwatch.core.model import ContainerKey, EngineId


class SightLostError(Exception):
    """This process can never see the engine's directory again, but a new process may."""


class KeptError(Exception):
    """A daemon keeps the files, so a command must not write them."""


class Sight(Protocol):
    """The directory that a path leads to at one moment."""

    @property
    def path(self) -> Path:
        """The path."""

    @property
    def fault(self) -> OSError | None:
        """The error if the directory cannot be opened; `None` if it is open."""

    def look(self) -> None:
        """Look at the path now, as it may lead elsewhere."""

    async def lost(self) -> None:
        """Wait until the path leads to another directory, to none, or to one for the first time.

        Raises `SightLostError`.
        """


class Keeper(Protocol):
    """The engine's directory, and whether this process keeps the files in it or stands by for another one."""

    @property
    def is_active(self) -> bool:
        """Whether this process keeps the files. Otherwise it writes, compares and reports nothing."""

    @property
    def standby(self) -> str | None:
        """The process that is waited for, in words; `None` if there is none."""

    async def opened(self, directory: Path) -> Sight:
        """Open the directory as it is now, in the place of the one before. Raises `SightLostError`."""

    def take(self) -> bool:
        """Take the lock on the directory; returns whether that worked, or there is nothing to lock."""

    async def wait(self, tell_news: Callable[[], None]) -> None:
        """Wait in standby until the lock is taken; `tell_news` is called at each change."""

    async def is_followed(self) -> bool:
        """Whether another hostwatch waits to keep the files, or keeps them already."""


class EngineFiles(VisibleHostsFiles, Protocol):
    """The hosts files of one engine's containers, by their paths, with a watch on them."""

    @property
    def engine(self) -> EngineId:
        """The engine."""

    @property
    def directory(self) -> Path:
        """The directory of the containers' directories."""

    async def watch(
        self,
        changed: Callable[[ContainerKey | None], None],
        moved: Callable[[], None],
        *,
        task_status: TaskStatus[None],
    ) -> NoReturn:
        """Report each write of a file, for ever. It has started once no write is missed any more.

        `changed` gets `None` if changes were lost and all files must be compared, after the key of each file that was
        certainly written meanwhile. `moved` is called if the directory may be another one now.
        """


class HostFiles(Protocol):
    """The files on the host that subscribe."""

    def keep(self, paths: frozenset[Path]) -> None:
        """From now on hold the locks of these files alone."""

    async def watch(self, paths: Iterable[Path], changed: Callable[[Path], None]) -> NoReturn:
        """Report each of these files that is written or appears, for ever."""

    async def clear(self, paths: Iterable[Path]) -> None:
        """Remove our block from files that are not kept any more. Needs no engine."""
