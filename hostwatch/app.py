"""The composition root: builds the parts, owns the tasks, and decides the order of start and stop."""

import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskGroup, TaskStatus
from loguru import logger

from hostwatch.config import Settings
from hostwatch.control.files import FILE_CHANGED, FileRefusedError
from hostwatch.control.queue import WorkQueue
from hostwatch.control.reconciler import Reconciler
from hostwatch.control.reflector import Reflector
from hostwatch.control.source import EngineInfo
from hostwatch.control.survey import Survey, surveyed
from hostwatch.core.inventory import Files, Inventory
from hostwatch.core.model import ContainerKey
from hostwatch.docker.engine import DockerEngine
from hostwatch.hosts.store import EngineHostsFiles

_WORKERS = 8
_SWITCH_SECONDS = 0.0002
"""How long one thread may keep the others from running. Python's 5 ms are half of the time that there is between the
engine's last rebuild of a file and the container's first instruction."""
_GRACE_SECONDS = 0.9
"""How long the blocks may take to be removed at the end (`on_exit: remove`)."""


async def run(settings: Settings, url: str | None) -> None:
    """Keep every subscriber right until SIGTERM or SIGINT; a second one ends at once, whatever is in work."""
    _hurry()
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async with DockerEngine(url) as source, anyio.create_task_group() as tasks:
            daemon = Daemon(settings, source)
            tasks.start_soon(daemon.run, name="daemon")
            async for received in signals:
                if received == signal.SIGHUP:
                    logger.warning("SIGHUP: reading the configuration again is not supported yet; restart hostwatch")
                    continue
                logger.info("stopping on {}", signal.Signals(received).name)
                break
            tasks.cancel_scope.cancel()
    if settings.on_exit == "remove":
        with anyio.move_on_after(_GRACE_SECONDS, shield=True):
            await daemon.remove_blocks()


def _hurry() -> None:
    """Run as soon as there is something to do, and let no thread of ours keep another waiting.

    A container's first instruction waits for nobody: on engine 26.1 it comes some milliseconds after the engine has
    rebuilt the file. With both cores kept busy by others, 17 of 30 starts were missed at the usual priority, 8 with the
    highest nice value, none with the lowest real-time one. What is done at a time takes a millisecond or two.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    lowest = os.sched_param(os.sched_get_priority_min(os.SCHED_RR))
    try:
        os.sched_setscheduler(0, os.SCHED_RR, lowest)
    except OSError as error:
        logger.debug("no real-time priority ({}): without CAP_SYS_NICE a busy machine may make us late", error.strerror)


@asynccontextmanager
async def survey(settings: Settings, url: str | None) -> AsyncIterator[Survey]:
    """What the engine and the files say now, for commands that run once. Raises `EngineError`."""
    inventory = Inventory(settings.rules())
    async with DockerEngine(url) as source:
        engine = await surveyed(source, inventory)
        yield Survey(engine, inventory, EngineHostsFiles(engine.id, settings.docker.root or engine.root))


class Daemon:
    """All that runs for one engine."""

    def __init__(self, settings: Settings, source: DockerEngine) -> None:
        self._settings = settings
        self._inventory = Inventory(settings.rules())
        self._queue = WorkQueue()
        self._reflector = Reflector(source, self._inventory, self._changed, settings.timing.resync)
        self._reconciler: Reconciler | None = None
        self._files: EngineHostsFiles | None = None
        self._scope = anyio.CancelScope()

    def __repr__(self) -> str:
        return f"<Daemon: {self._reflector!r}, {self._inventory!r}, {self._queue!r}>"

    async def run(self) -> None:
        """Follow the engine and its files for ever."""
        try:
            async with anyio.create_task_group() as tasks:

                async def identified(engine: EngineInfo) -> None:
                    await self._identified(engine, tasks)

                tasks.start_soon(self._queue.run_delayed, name="delays")
                tasks.start_soon(self._reflector.run, identified, name="follow the engine")
        finally:
            self._queue.close()

    async def remove_blocks(self) -> None:
        """Take the blocks out of the hosts files that were kept."""
        if self._reconciler is not None:
            await self._reconciler.remove_all()

    def _changed(self, files: Files, cause: str) -> None:
        now = time.monotonic()
        for key in files:
            self._queue.add(key, cause, now)

    def _hinted(self, files: Files, key: ContainerKey) -> None:
        container = self._inventory.container(key)
        self._changed(files, f"start of {container.name if container is not None else key}")
        self._reflector.confirm(key)

    async def _identified(self, engine: EngineInfo, tasks: TaskGroup) -> None:
        """Begin to look after the files of the engine, unless it is the one we know."""
        files = EngineHostsFiles(engine.id, self._settings.docker.root or engine.root)
        if self._files is not None and self._files.directory == files.directory and self._files.engine == engine.id:
            return
        self._scope.cancel()
        self._files = files
        self._reconciler = Reconciler(self._inventory, files, self._queue, self._settings.timing.linger)
        await tasks.start(self._look_after, files, self._reconciler, name="look after files")

    async def _look_after(
        self, files: EngineHostsFiles, reconciler: Reconciler, *, task_status: TaskStatus[None]
    ) -> None:
        with anyio.CancelScope() as self._scope:
            async with anyio.create_task_group() as tasks:
                for number in range(_WORKERS):
                    tasks.start_soon(reconciler.run, self._hinted, name=f"worker {number}")
                await tasks.start(self._watch, files, name="watch files")
                task_status.started()

    async def _watch(self, files: EngineHostsFiles, *, task_status: TaskStatus[None]) -> None:
        """Have each file compared that somebody writes."""
        try:
            async with files.watch() as changes:
                task_status.started()
                await self._compare_changed(changes)
        except FileRefusedError as error:
            logger.error("{}; until then hosts files are put right by events and resyncs only", error)
            task_status.started()
            await anyio.sleep_forever()

    async def _compare_changed(self, changes: AsyncIterator[ContainerKey | None]) -> None:
        async for key in changes:
            if key is not None:
                self._queue.add(key, FILE_CHANGED)
            else:
                logger.warning("changes of hosts files were lost; all are compared")
                self._changed(frozenset(c.key for c in self._inventory.containers), FILE_CHANGED)
