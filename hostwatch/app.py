"""The composition root: builds the parts, owns the tasks, and decides the order of start and stop."""

import math
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup, TaskStatus
from loguru import logger

from hostwatch import systemd
from hostwatch.config import ConfigError, Settings
from hostwatch.control.files import FILE_CHANGED, FileRefusedError, OutOfSightError, Ways
from hostwatch.control.notify import Notifier
from hostwatch.control.queue import WorkQueue
from hostwatch.control.reconciler import RESYNC, Reconciler
from hostwatch.control.reflector import Reflector
from hostwatch.control.source import EngineError, EngineInfo
from hostwatch.control.survey import Survey, surveyed
from hostwatch.core.facts import Files
from hostwatch.core.inventory import Inventory
from hostwatch.core.model import ContainerId, ContainerKey, EngineId, State
from hostwatch.docker.connect import Connection
from hostwatch.docker.engine import DockerEngine
from hostwatch.hosts.execs import ExecHostsFiles
from hostwatch.hosts.store import PathHostsFiles, watch_host_files

_SWITCH_SECONDS = 0.0002
"""How long one thread may keep the others from running. Python's 5 ms are half of the time that there is between the
engine's last rebuild of a file and the container's first instruction."""
_GRACE_SECONDS = 0.9
"""How long the blocks may take to be removed at the end (`on_exit: remove`)."""
_READY_SECONDS = 10.0
"""How long to wait for the engine, and for every subscriber to be right, before we say that we are ready all the same.

We are: what is missing is not ours to bring, and whoever starts the machine must not wait for ever."""
_TELL_SECONDS = 30.0
"""How often at least the service manager is told how we stand."""
_PROBE = ContainerKey(EngineId(""), ContainerId("probe"))
"""The file of no container: it goes the way of all files, and shows that the way is open."""


@dataclass(frozen=True, slots=True)
class Configured:
    """What the daemon is to do, and with which engine."""

    settings: Settings
    connection: Connection


Reread = Callable[[], Configured]
"""Reads the configuration again. Raises `ConfigError` and `EngineError`."""


async def run(configured: Configured, reread: Reread) -> None:
    """Keep every subscriber right until SIGTERM or SIGINT; a second one ends at once, whatever is in work."""
    _hurry()
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        following: Configured | None = configured
        while following is not None:
            following = await _serve(following, signals, reread)


async def _serve(configured: Configured, signals: AsyncIterator[signal.Signals], reread: Reread) -> Configured | None:
    """Keep the subscribers of one engine right; returns what to go on with, `None` at the end."""
    async with DockerEngine(configured.connection) as source:
        async with anyio.create_task_group() as tasks:
            daemon = Daemon(configured.settings, source)
            tasks.start_soon(daemon.run, name="daemon")
            if systemd.is_listening():
                tasks.start_soon(_tell_how_it_stands, daemon, name="tell systemd")
            following = await _until_signalled(daemon, configured, signals, reread)
            tasks.cancel_scope.cancel()
        if following is None and daemon.settings.on_exit == "remove":
            with anyio.move_on_after(_GRACE_SECONDS, shield=True):
                await daemon.remove_blocks()
    return following


async def _until_signalled(
    daemon: "Daemon", configured: Configured, signals: AsyncIterator[signal.Signals], reread: Reread
) -> Configured | None:
    """Wait for the end (`None`), or for a configuration with another engine; any other is followed at once."""
    async for received in signals:
        if received != signal.SIGHUP:
            logger.info("stopping on {}", signal.Signals(received).name)
            systemd.tell("STOPPING=1")
            return None
        systemd.tell_reloading()
        try:
            fresh = await anyio.to_thread.run_sync(reread)
        except (ConfigError, EngineError) as error:
            logger.error("SIGHUP: the configuration stays as it was, as the new one is not valid:\n{}", error)
            systemd.tell("READY=1")
            continue
        logger.info("SIGHUP: the configuration was read again")
        if (fresh.connection, fresh.settings.docker) != (configured.connection, configured.settings.docker):
            return fresh
        daemon.adopt(fresh.settings)
        systemd.tell("READY=1")
    return None


async def _tell_how_it_stands(daemon: "Daemon") -> None:
    """Say when we are ready, then how we stand: after each change, and often enough for a watchdog.

    Not before a round has gone the whole way through the event loop, the queue and a worker: where one of them hangs,
    nothing is said, and the watchdog has us started anew.
    """
    pause = min((systemd.watchdog_seconds() or math.inf) / 2, _TELL_SECONDS)
    with anyio.move_on_after(min(_READY_SECONDS, pause)):
        await daemon.compared()
    systemd.tell("READY=1", f"STATUS={daemon.standing}")
    while True:
        await daemon.pass_through()
        systemd.tell("WATCHDOG=1", f"STATUS={daemon.standing}")
        with anyio.move_on_after(pause):
            await daemon.news()


def _hurry() -> None:
    """Run as soon as there is something to do, and let no thread of ours keep another waiting.

    A container's first instruction waits for nobody: on engine 26.1 it comes some milliseconds after the engine has
    rebuilt the file. With both cores kept busy by others, 17 of 30 starts were missed at the usual priority, 8 with the
    highest nice value, none with the lowest real-time one. What is done at a time takes a millisecond or two.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    if os.sched_getscheduler(0) == os.SCHED_RR:  # whoever started us has seen to it
        return
    lowest = os.sched_param(os.sched_get_priority_min(os.SCHED_RR))
    try:
        os.sched_setscheduler(0, os.SCHED_RR, lowest)
    except OSError as error:
        logger.debug("no real-time priority ({}): a busy machine may make us late; see doctor", error.strerror)
        with suppress(OSError):  # a kernel with real-time groups may refuse one and grant the other
            os.setpriority(os.PRIO_PROCESS, 0, -20)


@asynccontextmanager
async def survey(settings: Settings, connection: Connection) -> AsyncIterator[Survey]:
    """What the engine and the files say now, for commands that run once. Raises `EngineError`."""
    inventory = Inventory(settings.rules())
    async with DockerEngine(connection) as source:
        engine = await surveyed(source, inventory)
        inventory.add_host_files(engine.id, socket.gethostname())
        yield Survey(engine, inventory, Ways(_paths(settings, engine), ExecHostsFiles(source)))


def _paths(settings: Settings, engine: EngineInfo) -> PathHostsFiles:
    return PathHostsFiles(engine.id, engine.directory(settings.docker.root), engine.hosts)


class Daemon:
    """All that runs for one engine."""

    def __init__(self, settings: Settings, source: DockerEngine) -> None:
        self.settings = settings
        self._source = source
        self._inventory = Inventory(settings.rules())
        self._queue = WorkQueue()
        self._reflector = Reflector(source, self._inventory, self._changed, self._resynced, settings.timing.resync)
        self._notifier: Notifier | None = None
        self._reconciler: Reconciler | None = None
        self._files: PathHostsFiles | None = None
        self._scope = anyio.CancelScope()
        self._host_watch = anyio.CancelScope()
        self._swept = anyio.Event()
        self._loaded = anyio.Event()
        self._news = anyio.Event()

    def __repr__(self) -> str:
        return f"<Daemon: {self._reflector!r}, {self._inventory!r}, {self._queue!r}>"

    async def run(self) -> None:
        """Follow the engine and its files for ever."""
        try:
            async with anyio.create_task_group() as tasks:
                debounce = self.settings.timing.notify_debounce
                notifier = self._notifier = Notifier(self._source, self._inventory, tasks, debounce)

                async def identified(engine: EngineInfo) -> None:
                    await self._identified(engine, tasks, notifier)

                tasks.start_soon(self._queue.run_delayed, name="delays")
                tasks.start_soon(self._reflector.run, identified, self._tell_news, name="follow the engine")
        finally:
            self._queue.close()

    def adopt(self, settings: Settings) -> None:
        """Follow other settings from now on; those of the engine must be the same."""
        self.settings = settings
        files = self._inventory.adopt(settings.rules())
        if self._reconciler is not None and self._notifier is not None and self._reflector.engine is not None:
            self._inventory.add_host_files(self._reflector.engine.id, socket.gethostname())
            self._reconciler.linger_seconds = settings.timing.linger
            self._notifier.debounce_seconds = settings.timing.notify_debounce
            self._host_watch.cancel()
        self._reflector.adopt(settings.timing.resync)
        if self._reflector.connected:
            self._changed(files | self._inventory.subscriber_files, "configuration")

    async def remove_blocks(self) -> None:
        """Take the blocks out of the hosts files that were kept."""
        if self._reconciler is not None:
            await self._reconciler.remove_all()

    @property
    def standing(self) -> str:
        """A line that says how it stands."""
        reflector, subscribers = self._reflector, len(self._inventory.subscriber_files)
        if reflector.connected and reflector.engine is not None:
            return f"connected to engine {reflector.engine.version}; subscribers: {subscribers}"
        return f"waiting for the engine ({reflector.fault or 'no answer yet'}); subscribers: {subscribers}"

    async def compared(self) -> None:
        """Wait until the engine is there, and every subscriber has been compared once."""
        await self._loaded.wait()
        await self._queue.worked_on(self._inventory.subscriber_files)

    async def pass_through(self) -> None:
        """Go the way of a file, through the queue and a worker; there is none before the engine was there."""
        if self._reconciler is not None:
            self._queue.add(_PROBE, "watchdog")
            await self._queue.worked_on([_PROBE])

    async def news(self) -> None:
        """Wait until the engine is lost or regained."""
        await self._news.wait()
        self._news = anyio.Event()

    def _changed(self, files: Files, cause: str) -> None:
        now = anyio.current_time()
        for key in files:
            self._queue.add(key, cause, now)

    def _resynced(self) -> None:
        self._changed(self._inventory.subscriber_files, RESYNC)
        self._swept.set()
        self._loaded.set()
        self._tell_news()

    def _tell_news(self) -> None:
        self._news.set()

    def _hinted(self, files: Files, key: ContainerKey) -> None:
        container = self._inventory.container(key)
        self._reflector.hinted(key, files, f"start of {container.name if container is not None else key}")

    async def _identified(self, engine: EngineInfo, tasks: TaskGroup, notifier: Notifier) -> None:
        """Begin to look after the files of the engine, unless it is the one we know."""
        files = _paths(self.settings, engine)
        if self._files is not None and self._files.directory == files.directory and self._files.engine == engine.id:
            return
        self._scope.cancel()
        self._files = files
        self._inventory.add_host_files(engine.id, socket.gethostname())
        ways, linger = Ways(files, ExecHostsFiles(self._source), engine.keeps_comments), self.settings.timing.linger
        self._reconciler = Reconciler(self._inventory, ways, self._queue, notifier, linger)
        await tasks.start(self._look_after, files, self._reconciler, name="look after files")

    async def _look_after(
        self, files: PathHostsFiles, reconciler: Reconciler, *, task_status: TaskStatus[None]
    ) -> None:
        with anyio.CancelScope() as self._scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(reconciler.run, self._hinted, name="reconcile")
                tasks.start_soon(self._sweep, reconciler, name="sweep")
                tasks.start_soon(self._watch_host_files, name="watch files on the host")
                await tasks.start(self._watch, files, name="watch files")
                task_status.started()

    async def _sweep(self, reconciler: Reconciler) -> None:
        """After each resync, look for blocks that nobody subscribes to any more."""
        while True:
            await self._swept.wait()
            self._swept = anyio.Event()
            await reconciler.leftovers()

    async def _watch(self, files: PathHostsFiles, *, task_status: TaskStatus[None]) -> None:
        """Have each container's file compared that somebody writes."""
        try:
            async with files.watch() as changes:
                task_status.started()
                await self._compare_changed(changes)
        except OutOfSightError as error:
            logger.warning("{}; until then they are written by exec, after a container's first instruction", error)
        except FileRefusedError as error:
            logger.error("{}; until then hosts files are put right by events and resyncs only", error)
        task_status.started()

    async def _compare_changed(self, changes: AsyncIterator[ContainerKey | None]) -> None:
        async for key in changes:
            if key is not None:
                container = self._inventory.container(key)
                starting = container is not None and container.state is not State.RUNNING
                self._queue.add(key, FILE_CHANGED, urgent=starting)
            else:
                logger.warning("changes of hosts files were lost; all are compared")
                self._changed(frozenset(c.key for c in self._inventory.containers), FILE_CHANGED)

    async def _watch_host_files(self) -> None:
        """Have each file on the host compared that somebody writes; begin anew where others are configured."""
        while True:
            with anyio.CancelScope() as self._host_watch:
                keys = {file.host_file: file.key for file in self._inventory.host_files if file.host_file is not None}
                await self._compare_host_files(keys)

    async def _compare_host_files(self, keys: Mapping[Path, ContainerKey]) -> None:
        try:
            async with watch_host_files(keys) as changes:
                async for path in changes:
                    self._queue.add(keys[path], FILE_CHANGED)
        except FileRefusedError as error:
            logger.error("{}; until then files on the host are put right by events and resyncs only", error)
        await anyio.sleep_forever()
