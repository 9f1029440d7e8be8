"""All that runs for one engine: who follows it, who looks after the files, and how they are put together."""

import gc
import socket
from collections.abc import Iterable, Mapping
from contextlib import closing
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NoReturn

import anyio
from anyio.abc import TaskGroup, TaskStatus
from loguru import logger

from hostwatch.config import Settings, cautions
from hostwatch.control.informer.informer import Informer, Timing
from hostwatch.control.notify import Notifier
from hostwatch.control.reconcile.queue import WorkQueue
from hostwatch.control.reconcile.reconciler import RESYNC, SWEEP, Reconciler
from hostwatch.control.reconcile.rewriting import Rewriting
from hostwatch.control.source import EngineInfo
from hostwatch.control.writers import FILE_CHANGED, FileFailedError, FileGoneError, FileRefusedError, Writers
from hostwatch.core.block.records import Block
from hostwatch.core.model import Container, ContainerId, ContainerKey, EngineId, NetworkMode, State
from hostwatch.core.resolve.unanswered import unanswered
from hostwatch.core.store.lister import FileKeys
from hostwatch.core.store.store import Store
from hostwatch.docker.engine import DockerEngine
from hostwatch.hosts.commands import run_on_host
from hostwatch.hosts.execs import ExecHostsFiles
from hostwatch.hosts.keeper import Keeper
from hostwatch.hosts.lock import HostFileLocks
from hostwatch.hosts.paths import PathHostsFiles, watch_host_files
from hostwatch.hosts.sight import Sight

_CAUTION_SECONDS = 10.0
"""How long after everything was read, or configured anew, it is looked for what can hardly be meant: containers that
are being started, as when the machine is, come meanwhile."""

_PROBE = ContainerKey(EngineId(""), ContainerId("probe"))
"""The file of no container: it goes the way of all files, and shows that the way is open."""


def _warn(found: Iterable[str]) -> None:
    for caution in sorted(found):
        logger.warning("{}", caution)


def paths_of(settings: Settings, engine: EngineInfo, locks: HostFileLocks | None) -> PathHostsFiles:
    """The engine's hosts files by their path, where the configuration or the engine says that they are."""
    return PathHostsFiles(engine.id, engine.directory(settings.docker.root), engine.hosts, locks)


async def clear_host_files(paths: Iterable[Path], locks: HostFileLocks | None = None) -> None:
    """Take our block out of files on the host that are kept no longer; no engine is needed for that."""
    if locks is None:
        with closing(HostFileLocks()) as own:
            await clear_host_files(paths, own)
        return
    files = PathHostsFiles(EngineId(""), Path("/"), Path("hosts"), locks)
    for path in paths:
        if not await anyio.Path(path).exists():
            continue
        key = ContainerKey(EngineId(""), ContainerId(f"file:{path}"))
        file = Container(key, str(path), State.RUNNING, {}, network_mode=NetworkMode.HOST, host_file=path)
        try:
            update = await files.update(file, Rewriting(Block(), file))
        except (FileGoneError, FileRefusedError, FileFailedError) as error:
            logger.warning("{}: its block, if it has one, stays, as it cannot be removed: {}", path, error)
        else:
            if update.changed:
                logger.info("{}: block removed", path)


def _timing(settings: Settings) -> Timing:
    return Timing(settings.timing.resync, settings.timing.linger)


class Daemon:
    """All that runs for one engine."""

    def __init__(self, settings: Settings, source: DockerEngine) -> None:
        self.settings = settings
        self._source = source
        self._store = Store(settings.rules())
        self._queue = WorkQueue()
        self._informer = Informer(source, self._store, self._changed, self._resynced, _timing(settings))
        self._tasks: TaskGroup | None = None
        self._notifier: Notifier | None = None
        self._reconciler: Reconciler | None = None
        self._files: PathHostsFiles | None = None
        self._keeper = Keeper(self._tell_news)
        self._locks = HostFileLocks(settings.host_files)
        self._passing = anyio.CancelScope()
        self._turn = anyio.Lock()
        self._scope = anyio.CancelScope()
        self._host_watch = anyio.CancelScope()
        self._swept = anyio.Event()
        self._loaded = anyio.Event()
        self._news = anyio.Event()
        self._adopted = anyio.Event()

    def __repr__(self) -> str:
        return f"<Daemon: {self._informer!r}, {self._store!r}, {self._queue!r}>"

    def close(self) -> None:
        """Let go of the engine's directory, and of the files on the host."""
        self._keeper.close()
        self._locks.close()

    async def run(self) -> None:
        """Follow the engine and its files for ever. Raises `SightLostError` where only another process can do that."""
        async with anyio.create_task_group() as self._tasks:
            tasks = self._tasks
            debounce = self.settings.timing.notify_debounce
            notifier = self._notifier = Notifier(self._source, self._store, tasks, debounce, run_on_host)

            async def identified(engine: EngineInfo) -> None:
                await self._identified(engine, tasks, notifier)

            tasks.start_soon(self._queue.run_delayed, name="delays")
            tasks.start_soon(self._tell_cautions, name="tell cautions")
            tasks.start_soon(self._informer.run, identified, self._tell_news, name="follow the engine")

    def adopt(self, settings: Settings) -> None:
        """Follow other settings from now on; those of the engine must be the same."""
        unwanted = self.settings.host_files - settings.host_files
        self.settings = settings
        self._locks.wanted = settings.host_files
        self._adopted.set()
        before = self._store.adopt(settings.rules())
        if self._notifier is not None:
            self._notifier.debounce_seconds = settings.timing.notify_debounce
        if self._reconciler is not None and self._informer.engine is not None:
            self._store.add_host_files(self._informer.engine.id, socket.gethostname())
            self._reconciler.linger_seconds = settings.timing.linger
            self._host_watch.cancel()
        elif self._tasks is not None:
            self._tasks.start_soon(clear_host_files, unwanted, self._locks, name="clear files on the host")
        self._informer.adopt(_timing(settings))
        wanted = self._store.subscriber_files
        # That nobody subscribes to a file any more is so whatever an engine says, which may be away.
        self._changed(before | wanted if self._informer.connected else before - wanted, "configuration")
        self._changed(frozenset(file.key for file in self._store.host_files if file.key not in wanted), SWEEP)

    async def remove_blocks(self, *, of_host: bool = True) -> None:
        """Take the blocks out of the hosts files that were kept; `of_host`: out of those on the host, too.

        Not where another hostwatch keeps them, or waits to.
        """
        if await self._keeper.is_followed():
            logger.info("the blocks stay: another hostwatch keeps them")
            return
        if self._reconciler is not None:
            await self._reconciler.remove_all(of_host=of_host)
        if of_host:  # those that were not compared yet, too
            await clear_host_files(self.settings.host_files, self._locks)

    @property
    def standing(self) -> str:
        """A line that says how it stands."""
        if self._keeper.standby is not None:
            return self._keeper.standby
        informer, subscribers = self._informer, len(self._store.subscriber_files)
        if informer.connected and informer.engine is not None:
            return f"connected to engine {informer.engine.version}; subscribers: {subscribers}"
        return f"waiting for the engine ({informer.fault or 'no answer yet'}); subscribers: {subscribers}"

    @property
    def engine_id(self) -> EngineId | None:
        """Which engine was followed last; `None` before it has answered."""
        return self._informer.engine.id if self._informer.engine is not None else None

    async def loaded(self) -> None:
        """Wait until the engine is there, and has been read."""
        await self._loaded.wait()

    async def compared(self) -> None:
        """Wait until the engine is there, and every subscriber has been compared once."""
        await self._loaded.wait()
        await self._queue.worked_on(self._store.subscriber_files)

    async def pass_through(self) -> None:
        """Go the way of a file, through the queue and a worker; there is none before the engine was there.

        Nor in standby: then it is a round through the event loop.
        """
        with anyio.CancelScope() as self._passing:
            if self._keeper.is_active:
                self._queue.add(_PROBE, "watchdog")
                await self._queue.worked_on([_PROBE])

    async def news(self) -> None:
        """Wait until the engine is lost or regained."""
        await self._news.wait()
        self._news = anyio.Event()

    def _changed(self, files: FileKeys, cause: str) -> None:
        if self._keeper.is_active:
            self._queue.add_all(files, cause)

    def _resynced(self) -> None:
        if not self._loaded.is_set():
            # What was read stays: to look through it for garbage takes 0.2 s with 10,000 containers, each few minutes.
            gc.freeze()
        if self._keeper.is_active:
            self._queue.add_all(self._store.subscriber_files, RESYNC, idle=True)
        self._swept.set()
        self._loaded.set()
        self._tell_news()

    def _tell_news(self) -> None:
        self._news.set()

    async def _identified(self, engine: EngineInfo, tasks: TaskGroup, notifier: Notifier) -> None:
        """Begin to look after the files of the engine, unless it is the one we know."""
        files = paths_of(self.settings, engine, self._locks)
        if self._files is not None and self._files.directory == files.directory and self._files.engine == engine.id:
            return
        self._scope.cancel()
        self._files = files
        self._store.add_host_files(engine.id, socket.gethostname())
        ways, linger = Writers(files, ExecHostsFiles(self._source), engine.keeps_comments), self.settings.timing.linger
        self._reconciler = Reconciler(self._store, ways, self._queue, notifier, linger)
        await tasks.start(self._look_after, files, self._reconciler, name="look after files")

    async def _look_after(
        self, files: PathHostsFiles, reconciler: Reconciler, *, task_status: TaskStatus[None]
    ) -> None:
        """Look after the files for ever, anew whenever their directory turns out to be another one."""
        with anyio.CancelScope() as self._scope:
            async with self._turn:
                await self._look_after_all(files, reconciler, task_status)

    async def _look_after_all(
        self, files: PathHostsFiles, reconciler: Reconciler, task_status: TaskStatus[None]
    ) -> NoReturn:
        sight = await self._keeper.opened(files.directory)
        while True:
            async with anyio.create_task_group() as tasks:
                await tasks.start(self._look_after_seen, files, reconciler, sight, name="look after files")
                if task_status is not anyio.TASK_STATUS_IGNORED:
                    task_status.started()
                    task_status = anyio.TASK_STATUS_IGNORED
                elif sight.fault is None:
                    self._file_changed(None)
                await sight.lost()
                tasks.cancel_scope.cancel()
            sight = await self._keeper.opened(files.directory)
            if sight.fault is None:
                logger.warning("{} is another directory now: it is watched anew, all files are compared", sight.path)
                reconciler.seen_again()

    async def _look_after_seen(
        self, files: PathHostsFiles, reconciler: Reconciler, sight: Sight, *, task_status: TaskStatus[None]
    ) -> None:
        """Look after the files in their directory as it is, as soon as no other hostwatch does."""
        takes_over = not self._keeper.take(sight)
        if takes_over:
            self._passing.cancel()
            task_status.started()
            task_status = anyio.TASK_STATUS_IGNORED
            await self._keeper.wait(sight)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reconciler.run, self._informer, name="reconcile")
            tasks.start_soon(self._sweep, reconciler, name="sweep")
            tasks.start_soon(self._watch_host_files, name="watch files on the host")
            await tasks.start(files.watch, self._file_changed, sight.stir, name="watch files")
            if takes_over and self._loaded.is_set():  # not before: what somebody writes is seen from here on
                self._queue.add_all(self._store.subscriber_files, "takeover")
                self._swept.set()
            task_status.started()

    async def _tell_cautions(self) -> NoReturn:
        """Tell what can hardly be meant: of each configuration once, and not again what was told of the one before."""
        told: frozenset[str] = frozenset()
        while True:
            self._adopted = anyio.Event()
            alone = frozenset(map(str, cautions.of_file(self.settings)))
            _warn(alone - told)
            await self._loaded.wait()
            await anyio.sleep(_CAUTION_SECONDS)
            found = alone | self._cautions_beside()
            _warn(found - told - alone)
            told = found
            await self._adopted.wait()

    def _cautions_beside(self) -> frozenset[str]:
        engine = self._informer.engine
        if engine is None:
            return frozenset()
        found = cautions.beside(self.settings, self._store, engine.id), unanswered(self._store, engine.id)
        return frozenset(map(str, chain(*found)))

    async def _sweep(self, reconciler: Reconciler) -> None:
        """After each resync, look for blocks that nobody subscribes to any more."""
        while True:
            await self._swept.wait()
            self._swept = anyio.Event()
            await reconciler.leftovers()

    def _file_changed(self, key: ContainerKey | None) -> None:
        if key is not None:
            container = self._store.container(key)
            starting = container is not None and container.state is not State.RUNNING
            # What changes a running container's file is most often we ourselves.
            self._queue.add(key, FILE_CHANGED, urgent=starting, idle=not starting)
        elif self._keeper.is_active:
            self._queue.add_all(frozenset(c.key for c in self._store.containers), FILE_CHANGED)

    async def _watch_host_files(self) -> None:
        """Have each file on the host compared that somebody writes; begin anew where others are configured."""
        while True:
            with anyio.CancelScope() as self._host_watch:
                keys = {file.host_file: file.key for file in self._store.host_files if file.host_file is not None}
                if not keys:
                    await anyio.sleep_forever()
                await watch_host_files(keys, partial(self._host_file_changed, keys))

    def _host_file_changed(self, keys: Mapping[Path, ContainerKey], path: Path) -> None:
        self._queue.add(keys[path], FILE_CHANGED)
