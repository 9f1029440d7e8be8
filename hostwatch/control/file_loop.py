"""Keeps files of containers while their directory exists and this process has the lock on it.

The reconcilers, the watches and the search for orphaned blocks start and stop together. They start anew when the
directory has been replaced. While another hostwatch has the lock, they wait.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple, NoReturn

import anyio
from anyio.abc import TaskStatus
from loguru import logger

from hostwatch.control.causes import CHANGES_LOST, FILE_CHANGED, RESYNC, TAKEOVER
from hostwatch.control.keeper import EngineFiles, HostFiles, Keeper, Sight
from hostwatch.control.reconcile.addresses import Early
from hostwatch.control.reconcile.queue import WorkQueue
from hostwatch.control.reconcile.reconcilers import Reconcilers
from hostwatch.core.model import ContainerId, ContainerKey, EngineId, State
from hostwatch.core.store.lister import FileKeys
from hostwatch.core.store.store import Store


class Queues(NamedTuple):
    """The queue of each kind of file."""

    hosts: WorkQueue
    resolv: WorkQueue


class Files(NamedTuple):
    """The files of each kind of one engine."""

    hosts: EngineFiles
    resolv: EngineFiles


_UNSEEN = "watchdog"
"""The cause of a look at no file, which nobody is told of."""
_PROBE = ContainerKey(EngineId(""), ContainerId("probe"))
"""The key of no container. Its way through the queue and a worker shows that neither hangs."""


class FileLoop:
    """Keeps the files of one engine at a time."""

    def __init__(
        self, store: Store, queues: Queues, keeper: Keeper, host_files: HostFiles, tell_news: Callable[[], None]
    ) -> None:
        """`tell_news` is called when this process goes into standby, or takes over."""
        self._store = store
        self._queue, self._resolv_queue = queues
        self._keeper = keeper
        self._host_files = host_files
        self._tell_news = tell_news
        self._turn = anyio.Lock()
        self._scope = anyio.CancelScope()
        self._host_watch = anyio.CancelScope()
        self._probing = anyio.CancelScope()
        self._orphans_due = anyio.Event()
        self._resolv_asked = anyio.Event()
        """Set once somebody asks for lines in a resolv.conf."""
        self._reconcilers: Reconcilers | None = None
        self._is_loaded = False
        """Whether the engine has been read."""

    def enqueue(self, owners: FileKeys, cause: str, *, idle: bool = False) -> None:
        """Have the files of these owners compared, unless another hostwatch keeps them."""
        if self._keeper.is_active:
            self._queue.add_all(owners, cause, idle=idle)
            if resolv := self._resolv_among(owners):
                self._resolv_queue.add_all(resolv, cause, idle=idle)

    def _resolv_among(self, owners: FileKeys) -> FileKeys:
        """Those of these owners whose resolv.conf is kept. From the first one on these files are watched."""
        if self._store.asks_resolv and not self._resolv_asked.is_set():
            self._resolv_asked.set()
        if not self._resolv_asked.is_set() or self._reconcilers is None:
            return frozenset()
        return frozenset(filter(self._reconcilers.resolv.is_concerned, owners))

    def resynced(self) -> None:
        """Have every file compared, as the whole engine has been read."""
        self.enqueue(self._store.subscriber_files, RESYNC, idle=True)
        self._orphans_due.set()
        self._is_loaded = True

    def host_files_changed(self) -> None:
        """Watch the files on the host that are configured now."""
        self._host_watch.cancel()

    async def probe(self) -> None:
        """Wait until a file that does not exist has gone through the queue and a worker.

        In standby no worker runs: then this is a round through the event loop.
        """
        with anyio.CancelScope() as self._probing:
            if self._keeper.is_active:
                self._queue.add(_PROBE, _UNSEEN)
                await self._queue.worked_on([_PROBE])

    async def run(self, files: Files, reconcilers: Reconcilers, early: Early, *, task_status: TaskStatus[None]) -> None:
        """Keep these files for ever, in the place of those before.

        It has started once the files are watched, or once another hostwatch is found to keep them.
        """
        self._scope.cancel()
        with anyio.CancelScope() as self._scope:
            async with self._turn:
                self._reconcilers = reconcilers
                await self._run(files, reconcilers, early, task_status)

    async def _run(
        self, files: Files, reconcilers: Reconcilers, early: Early, task_status: TaskStatus[None]
    ) -> NoReturn:
        sight, is_first = await self._keeper.opened(files.hosts.directory), True
        while True:
            async with anyio.create_task_group() as tasks:
                await tasks.start(self._run_seen, files, reconcilers, early, sight, name="look after files")
                if is_first:
                    task_status.started()
                elif sight.fault is None:
                    self._changes_lost()
                await sight.lost()
                tasks.cancel_scope.cancel()
            sight, is_first = await self._keeper.opened(files.hosts.directory), False
            if sight.fault is None:
                logger.warning("{} is another directory now: it is watched anew, all files are compared", sight.path)
                reconcilers.seen_again()

    async def _run_seen(
        self,
        files: Files,
        reconcilers: Reconcilers,
        early: Early,
        sight: Sight,
        *,
        task_status: TaskStatus[None],
    ) -> None:
        """Keep the files in their directory as it is now, as soon as no other hostwatch does."""
        takes_over = not self._keeper.take()
        if takes_over:
            self._probing.cancel()
            task_status.started()
            task_status = anyio.TASK_STATUS_IGNORED
            await self._keeper.wait(self._tell_news)
        async with anyio.create_task_group() as tasks:
            for reconciler in reconcilers:
                tasks.start_soon(reconciler.run, early, name="reconcile")
            tasks.start_soon(self._find_orphans, reconcilers, name="find orphaned blocks")
            tasks.start_soon(self._watch_resolv, files.resolv, name="watch resolv.conf files")
            tasks.start_soon(self._watch_host_files, name="watch files on the host")
            await tasks.start(files.hosts.watch, self._file_changed, sight.look, name="watch files")
            if takes_over and self._is_loaded:  # only now: from here on the watch sees every write
                self.enqueue(self._store.subscriber_files, TAKEOVER)
                self._orphans_due.set()
            task_status.started()

    async def _watch_resolv(self, files: EngineFiles) -> NoReturn:
        """Watch the resolv.conf files, once somebody asks for lines in one."""
        await self._resolv_asked.wait()
        async with anyio.create_task_group() as tasks:
            await tasks.start(files.watch, self._resolv_changed, lambda: None, name="watch resolv.conf files")
            # Any of them may have been written before it was watched.
            self._resolv_queue.add_all(self._store.resolv_files, CHANGES_LOST, idle=True)
        raise AssertionError("a watch has ended")

    async def _find_orphans(self, reconcilers: Reconcilers) -> NoReturn:
        """Look for blocks without a subscriber, after each resync."""
        while True:
            await self._orphans_due.wait()
            self._orphans_due = anyio.Event()
            for reconciler in reconcilers:
                await reconciler.collect_orphans()

    def _file_changed(self, key: ContainerKey | None) -> None:
        if key is None:
            self._changes_lost()
        else:
            self._add_changed(self._queue, key)

    def _resolv_changed(self, key: ContainerKey | None) -> None:
        if key is None:
            self._changes_lost()
        elif self._resolv_among(frozenset([key])):
            self._add_changed(self._resolv_queue, key)

    def _add_changed(self, queue: WorkQueue, key: ContainerKey) -> None:
        container = self._store.container(key)
        starting = container is not None and container.state is not State.RUNNING
        # Most writes of a running container's file are our own.
        queue.add(key, FILE_CHANGED, urgent=starting, idle=not starting)

    def _changes_lost(self) -> None:
        """Have every file compared that is kept.

        None counts as just written: a stopped container's own line would be taken for an early address.
        """
        self.enqueue(self._store.subscriber_files, CHANGES_LOST, idle=True)
        self._orphans_due.set()

    async def _watch_host_files(self) -> NoReturn:
        """Have each file on the host compared after a write. Begin anew when other files are configured."""
        while True:
            with anyio.CancelScope() as self._host_watch:
                keys = {file.host_file: file.key for file in self._store.host_files if file.host_file is not None}
                if not keys:
                    await anyio.sleep_forever()
                await self._host_files.watch(keys, partial(self._host_file_changed, keys))

    def _host_file_changed(self, keys: Mapping[Path, ContainerKey], path: Path) -> None:
        self._queue.add(keys[path], FILE_CHANGED)
