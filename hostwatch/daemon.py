"""The daemon for one engine: connects its parts, and passes new settings to them."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import anyio
from anyio.abc import TaskGroup
from loguru import logger

from hostwatch.caution_log import CautionLog
from hostwatch.cluster_member import ClusterMember, Host, LoadClient
from hostwatch.config.settings import Settings
from hostwatch.control.answers import Answers, Told
from hostwatch.control.archive import Archiving, OpenArchive
from hostwatch.control.archive_writer import ArchiveWriter
from hostwatch.control.catalog import OpenCatalog
from hostwatch.control.catalogs import CatalogLoop
from hostwatch.control.causes import CONFIGURATION, GARBAGE_COLLECTION
from hostwatch.control.delivery import Means, RunOnHost
from hostwatch.control.figures import Figures
from hostwatch.control.file_loop import FileLoop, Files, Queues
from hostwatch.control.history import History
from hostwatch.control.host_address import HostAddressLoop, OpenRoutes
from hostwatch.control.host_resolver import HostResolverLoop, HostResolverSource
from hostwatch.control.informer.informer import Informer, Reports, Timing
from hostwatch.control.journal import ChangeJournal
from hostwatch.control.keeper import EngineFiles, HostFiles, Keeper
from hostwatch.control.news import News
from hostwatch.control.notify import Notifier
from hostwatch.control.overlays import Overlays
from hostwatch.control.past import Past
from hostwatch.control.reconcile.queue import WorkQueue
from hostwatch.control.reconcile.reconciler import Reconciler
from hostwatch.control.reconcile.reconcilers import Reconcilers
from hostwatch.control.reconcile.sinks import Sinks
from hostwatch.control.recorder import Recorder
from hostwatch.control.remotes import Remotes
from hostwatch.control.source import Actions, EngineInfo, GossipSource, Source
from hostwatch.control.turns import Turns
from hostwatch.control.view import View
from hostwatch.control.writers import HostsFiles, Writers
from hostwatch.core.model import ContainerKey, FileKind
from hostwatch.core.store.lister import FileKeys
from hostwatch.core.store.store import Store


class Engine(Source, GossipSource, Actions, Protocol):
    """An engine that can be read, and that acts on its containers."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts by which the daemon reaches the engine and the files."""

    engine: Engine
    files: Callable[[EngineInfo, FileKind], EngineFiles]
    """Makes the access to an engine's files of one kind by their paths."""
    execs: Callable[[FileKind], HostsFiles]
    """The access to the same files by commands in the containers."""
    keeper: Keeper
    host_files: HostFiles
    host_resolver: HostResolverSource
    run_on_host: RunOnHost
    open_archive: OpenArchive
    """Opens the file of the history."""
    open_routes: OpenRoutes
    load_client: LoadClient
    """Loads the client of the store that several hosts share."""
    open_catalog: OpenCatalog
    cpu_seconds: Callable[[], float]
    """The processor time of the thread that asks, so far."""
    loaded: Callable[[], None]
    """Called once the engine has been read for the first time. The data read so far stays in memory."""


@dataclass(frozen=True, slots=True)
class _Running:
    """The parts that exist while the daemon runs."""

    tasks: TaskGroup
    notifier: Notifier


@dataclass(frozen=True, slots=True)
class _Kept:
    """The files of the engine that was followed last."""

    files: Files
    reconcilers: Reconcilers


def _timing(settings: Settings) -> Timing:
    return Timing(settings.timing.resync, settings.timing.linger)


def _archiving(settings: Settings) -> Archiving | None:
    """Where the history is kept; `None`: in memory alone."""
    history = settings.history
    return Archiving(history.file, history.keep) if history.file is not None else None


class Daemon:
    """Connects the parts for one engine. They belong to the caller, which releases them after `run` has ended."""

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self.settings = settings
        self._parts = parts
        self._store = Store(settings.rules())
        self._queues = Queues(WorkQueue(parts.cpu_seconds), WorkQueue(parts.cpu_seconds))
        self._figures = Figures()
        reports = Reports(self._changed, self._resynced)
        self._informer = Informer(parts.engine, self._store, reports, _timing(settings), self._figures.of_events)
        history = History()
        self._archive_writer = ArchiveWriter(parts.open_archive, _archiving(settings))
        self._recorder = Recorder(history, self._archive_writer)
        self._journal = ChangeJournal(lambda: self._queues.hosts.is_busy, self._recorder, self._figures.of_files)
        self._loop = FileLoop(self._store, self._queues, parts.keeper, parts.host_files, self._tell_news)
        self._host_resolver = HostResolverLoop(parts.host_resolver, self._store, self._changed)
        self._host_address = HostAddressLoop(self._store, parts.open_routes, self._changed)
        self._remotes = Remotes(self._store, self._changed)
        self._catalogs = CatalogLoop(settings.catalogs(), self._remotes, parts.open_catalog)
        self._overlays = Overlays(parts.engine, self._store, self._remotes)
        self._cautions = CautionLog(settings, self._store)
        self._running: _Running | None = None
        self._kept: _Kept | None = None
        self._loaded = anyio.Event()
        self.news = News()
        """The engine is lost or regained, another hostwatch keeps the files or leaves them, or SIGHUP came."""
        self._changes = News()
        """Anything that users see may have changed."""
        host = Host(self._store, self._remotes, parts.load_client, parts.keeper, self.news, self.loaded)
        self._member = ClusterMember(host)
        past = Past(history, self._recorder.blocks, lambda: self._archive_writer.archive)
        told = Told(history, past, self._figures, self.news, self._changes, self._remotes.states)
        self._answers = Answers(self._store, self._informer.connection, parts.keeper, told, self._linger_seconds)

    def __repr__(self) -> str:
        return f"<Daemon: {self._informer!r}, {self._store!r}, {self._queues!r}>"

    async def run(self) -> None:
        """Follow the engine and its files for ever. Raises `SightLostError` if only a new process can do that."""
        async with anyio.create_task_group() as tasks:
            debounce = self.settings.timing.notify_debounce
            means = Means(self._parts.engine, self._parts.run_on_host)
            notifier = Notifier(means, self._store, tasks, debounce, self._figures.notifications)
            self._running = _Running(tasks, notifier)
            identified = partial(self._identified, self._running)
            self._overlays.begin(tasks)
            tasks.start_soon(self._host_address.run, name="follow the host's address")
            tasks.start_soon(self._catalogs.run, name="follow catalogs")
            for queue in self._queues:
                tasks.start_soon(queue.run_delayed, name="delays")
            tasks.start_soon(self._cautions.run, self._answers, self._loaded, name="tell cautions")
            tasks.start_soon(self._host_resolver.run, name="nameservers of the host")
            tasks.start_soon(self._note_compared, name="note that all is compared")
            tasks.start_soon(self._informer.run, identified, self._tell_news, name="follow the engine")

    async def adopt(self, settings: Settings) -> None:
        """Take new settings from now on. Their engine must be the same."""
        adoption, turns = self._store.adoption(settings.rules()), Turns()
        while adoption.advance():
            await turns.give()
        dropped = self.settings.host_files - settings.host_files
        self.settings = settings
        self._parts.host_files.keep(settings.host_files)
        self._cautions.adopt(settings)
        self._archive_writer.adopt(_archiving(settings))
        before = self._store.adopt(adoption)
        await self._catalogs.adopt(settings.catalogs())
        self._host_address.adopt()
        if self._running is not None:
            self._running.notifier.debounce_seconds = settings.timing.notify_debounce
        if self._kept is not None:
            self._store.add_host_files(self._kept.files.hosts.engine, socket.gethostname())
            self._loop.host_files_changed()
        elif self._running is not None:
            self._running.tasks.start_soon(self._parts.host_files.clear, dropped, name="clear files on the host")
        after = self._store.subscriber_files
        # While the engine is away, only files that lost their subscriber are rewritten, as these need no facts from it.
        self._changed(before | after if self._informer.connection.is_up else before - after, CONFIGURATION)
        orphans = frozenset(file.key for file in self._store.host_files if file.key not in after)
        self._changed(orphans, GARBAGE_COLLECTION)
        self._tell_news()
        if self._running is not None:
            await self._member.adopt(settings, self._informer.connection.engine, self._running.tasks)
        await self._informer.adopt(_timing(settings))
        while adoption.advance():
            await turns.give()

    async def remove_blocks(self, *, of_host: bool = True) -> None:
        """Remove the blocks from the hosts files that were kept; with `of_host` also from those on the host.

        The blocks stay if another hostwatch keeps the files, or waits to.
        """
        if await self._parts.keeper.is_followed():
            logger.info("the blocks stay: another hostwatch keeps them")
            return
        try:
            if self._kept is not None:
                await self._kept.reconcilers.remove_all(of_host=of_host)
            if of_host:  # also those that were not compared yet
                await self._parts.host_files.clear(self.settings.host_files)
        finally:
            if of_host:  # otherwise another daemon goes on with the history
                await self._journal.write_last()

    @property
    def standing(self) -> str:
        """The daemon's state, as a line for people."""
        if self._parts.keeper.standby is not None:
            return self._parts.keeper.standby
        connection, subscribers = self._informer.connection, len(self._store.subscriber_files)
        if connection.is_up and connection.engine is not None:
            return f"connected to engine {connection.engine.version}; subscribers: {subscribers}"
        return f"waiting for the engine ({connection.fault or 'no answer yet'}); subscribers: {subscribers}"

    @property
    def view(self) -> View:
        """What the daemon shows."""
        return self._answers

    async def loaded(self) -> None:
        """Wait until the engine has been read."""
        await self._loaded.wait()

    async def compared(self) -> None:
        """Wait until the engine has been read, and every subscriber has been compared once."""
        await self._loaded.wait()
        for queue in self._queues:
            await queue.worked_on(self._store.subscriber_files)

    async def _note_compared(self) -> None:
        await self.compared()
        self._answers.is_compared = True
        self._recorder.all_compared(self._is_gone)

    def _is_gone(self, key: ContainerKey) -> bool:
        return key.engine == self._answers.engine_id and self._store.container(key) is None

    async def pass_through(self) -> None:
        """Wait until a probe has gone through the queue and a worker.

        In standby, and before the engine has been read, it only goes through the event loop.
        """
        await self._loop.probe()

    def _changed(self, files: FileKeys, cause: str) -> None:
        self._changes.tell()
        if self._member.cluster is not None:
            self._member.cluster.look()
        self._host_resolver.look()
        self._overlays.look(files)
        self._loop.enqueue(files, cause)

    def _resynced(self) -> None:
        if not self._loaded.is_set():
            self._parts.loaded()
        self._loop.resynced()
        self._loaded.set()
        self._tell_news()

    def _linger_seconds(self) -> float:
        return self.settings.timing.linger

    def _tell_news(self) -> None:
        self.news.tell()
        self._changes.tell()

    async def _identified(self, running: _Running, engine: EngineInfo) -> None:
        """Begin to keep the files of the engine, unless it is the same as before."""
        await self._member.adopt(self.settings, engine, running.tasks)
        files = Files(*(self._parts.files(engine, kind) for kind in FileKind))
        known = self._kept.files.hosts if self._kept is not None else None
        if known is not None and (known.directory, known.engine) == (files.hosts.directory, files.hosts.engine):
            return
        self._store.add_host_files(engine.id, socket.gethostname())
        await self._remotes.identified(engine.id)
        sinks = Sinks(running.notifier, self._journal, self._figures.of_files, self._changes)
        reconcilers = Reconcilers(
            *(
                Reconciler(self._store, self._writers(kind, of_kind, engine), queue, sinks, self._linger_seconds)
                for kind, of_kind, queue in zip(FileKind, files, self._queues, strict=True)
            )
        )
        self._kept = _Kept(files, reconcilers)
        self._answers.reconcilers = reconcilers
        await running.tasks.start(self._loop.run, files, reconcilers, self._informer.early, name="look after files")
        self._tell_news()

    def _writers(self, kind: FileKind, files: EngineFiles, engine: EngineInfo) -> Writers:
        return Writers(files, self._parts.execs(kind), kind, engine.keeps_comments)
