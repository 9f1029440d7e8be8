"""The files on the host that subscribe: their locks, their watch, and the removal of their blocks."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

import anyio
from loguru import logger

from hostwatch.control.reconcile.rewriting import Rewriting
from hostwatch.control.writers import FileFailedError, FileGoneError, FileRefusedError
from hostwatch.core.block.records import Block
from hostwatch.core.model import Container, ContainerId, ContainerKey, EngineId, NetworkMode, State
from hostwatch.hosts.lock import HostFileLocks
from hostwatch.hosts.paths import PathHostsFiles, watch_host_files


class LockedHostFiles:
    """The files on the host, each under its lock: an implementation of `hostwatch.control.keeper.HostFiles`."""

    def __init__(self, locks: HostFileLocks) -> None:
        self._locks = locks

    def keep(self, paths: frozenset[Path]) -> None:
        """From now on hold the locks of these files alone."""
        self._locks.kept = paths

    async def watch(self, paths: Iterable[Path], changed: Callable[[Path], None]) -> NoReturn:
        """Report each of these files that is written or appears, for ever."""
        await watch_host_files(paths, changed)

    async def clear(self, paths: Iterable[Path]) -> None:
        """Remove our block from files that are not kept any more. Needs no engine."""
        files = PathHostsFiles(EngineId(""), Path("/"), Path("hosts"), self._locks)
        for path in paths:
            if await anyio.Path(path).exists():
                await _clear(files, path)


async def _clear(files: PathHostsFiles, path: Path) -> None:
    key = ContainerKey(EngineId(""), ContainerId(f"file:{path}"))
    file = Container(key, str(path), State.RUNNING, {}, network_mode=NetworkMode.HOST, host_file=path)
    try:
        update = await files.update(file, Rewriting(Block(), file))
    except (FileGoneError, FileRefusedError, FileFailedError) as error:
        logger.warning("{}: its block, if it has one, stays, as it cannot be removed: {}", path, error)
    else:
        if update.changed:
            logger.info("{}: block removed", path)
