"""What each command runs: signals, the order of start and stop, priority, and what the service manager is told."""

import gc
import math
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial

import anyio
import anyio.to_thread
from loguru import logger

from hostwatch import signals, systemd
from hostwatch.config import ConfigError, Settings
from hostwatch.control.keeper import SightLostError
from hostwatch.control.source import EngineError, EngineInfo, first_leaf
from hostwatch.control.survey import Survey, surveyed
from hostwatch.control.writers import Writers
from hostwatch.core.store.store import Store
from hostwatch.daemon import Daemon, Parts
from hostwatch.docker.connect import Connection
from hostwatch.docker.engine import DockerEngine
from hostwatch.hosts.commands import run_on_host
from hostwatch.hosts.execs import ExecHostsFiles
from hostwatch.hosts.host_files import LockedHostFiles
from hostwatch.hosts.keeper import Keeper
from hostwatch.hosts.lock import Holder, HostFileLocks, holder_of
from hostwatch.hosts.paths import PathHostsFiles

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


@dataclass(frozen=True, slots=True)
class Configured:
    """What the daemon is to do, and with which engine."""

    settings: Settings
    connection: Connection


class KeptError(Exception):
    """A daemon keeps the files, and would go on doing so."""


Reread = Callable[[], Configured]
"""Reads the configuration again. Raises `ConfigError` and `EngineError`."""


@dataclass(frozen=True, slots=True)
class _Left:
    """An engine that was left with `on_exit: remove`, in whose containers the blocks still are.

    They go as soon as it is known that the engine which is followed now is another one, and at the end in any case.
    """

    daemon: Daemon
    source: DockerEngine

    async def remove_blocks(self) -> None:
        async with self.source:
            with suppress(EngineError):  # what is in sight needs no engine
                await self.source.info()
            await self.daemon.remove_blocks(of_host=False)


def _paths_of(settings: Settings, locks: HostFileLocks | None, engine: EngineInfo) -> PathHostsFiles:
    """The engine's hosts files by their paths, where the configuration or the engine says that they are."""
    return PathHostsFiles(engine.id, engine.directory(settings.docker.root), engine.hosts, locks)


@contextmanager
def daemon_for(settings: Settings, source: DockerEngine) -> Iterator[Daemon]:
    """The daemon on a real engine and real files; at the end the engine's directory and all locks are released."""
    with closing(HostFileLocks(settings.host_files)) as locks, closing(Keeper()) as keeper:
        parts = Parts(
            engine=source,
            files=partial(_paths_of, settings, locks),
            execs=ExecHostsFiles(source),
            keeper=keeper,
            host_files=LockedHostFiles(locks),
            run_on_host=run_on_host,
            # To look through what stays for garbage would take 0.2 s with 10,000 containers, every few minutes.
            loaded=gc.freeze,
        )
        yield Daemon(settings, parts)


async def run(configured: Configured, reread: Reread) -> bool:
    """Keep every subscriber right until SIGTERM or SIGINT; a second one ends at once, whatever is in work.

    Returns whether it ended by that: else it has said why a new process is needed.
    """
    _hurry()
    left: list[_Left] = []
    with signals.received() as received:
        try:
            while (following := await _serve(configured, received, reread, left)) is not None:
                configured = following
                # What was known of the engine is a cycle, and has been taken out of the collector's sight.
                gc.unfreeze()
                gc.collect()
        except BaseExceptionGroup as group:
            lost, other = group.split(SightLostError)
            if lost is None or other is not None:
                raise
            logger.error("{}", first_leaf(lost))
            return False
    return True


async def _serve(
    configured: Configured, received: AsyncIterator[signal.Signals], reread: Reread, left: list[_Left]
) -> Configured | None:
    """Keep the subscribers of one engine right; returns what to go on with, `None` at the end."""
    async with DockerEngine(configured.connection) as source:
        with daemon_for(configured.settings, source) as daemon:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(daemon.run, name="daemon")
                if systemd.is_listening():
                    tasks.start_soon(_tell_how_it_stands, daemon, name="tell systemd")
                if left:
                    tasks.start_soon(_remove_left, left, daemon, name="remove the blocks of an engine that was left")
                following = await _until_signalled(daemon, configured, received, reread)
                tasks.cancel_scope.cancel()
            if following is None and daemon.settings.on_exit == "remove":
                with anyio.move_on_after(_GRACE_SECONDS, shield=True):
                    await daemon.remove_blocks()
                    for engine in left:
                        await engine.remove_blocks()
    if following is not None:
        with closing(HostFileLocks()) as locks:
            await LockedHostFiles(locks).clear(daemon.settings.host_files - following.settings.host_files)
        if following.settings.on_exit == "remove" and following.connection != configured.connection:
            left.append(_Left(daemon, source))
    return following


async def _remove_left(left: list[_Left], daemon: Daemon) -> None:
    """Take the blocks out of the containers of engines that were left, unless the same one is followed again."""
    await daemon.loaded()
    while left:
        if left[0].daemon.engine_id != daemon.engine_id and daemon.settings.on_exit == "remove":
            await left[0].remove_blocks()
        del left[0]
    gc.unfreeze()
    gc.collect()
    gc.freeze()


async def _until_signalled(
    daemon: Daemon, configured: Configured, received: AsyncIterator[signal.Signals], reread: Reread
) -> Configured | None:
    """Wait for the end (`None`), or for a configuration with another engine; any other is followed at once."""
    async for each in received:
        if each != signal.SIGHUP:
            logger.info("stopping on {}", each.name)
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


async def _tell_how_it_stands(daemon: Daemon) -> None:
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


def _refuse_beside(holder: Holder) -> None:
    if holder.is_hostwatch:
        raise KeptError(
            f"{holder} keeps this engine's hosts files: stop it first, or use --force to do it all the same"
        )


@asynccontextmanager
async def survey(settings: Settings, connection: Connection, *, alone: bool = False) -> AsyncIterator[Survey]:
    """What the engine and the files say now, for commands that run once. Raises `EngineError`.

    `alone`: nothing is written beside a daemon that keeps the same; if it is this engine's, raises `KeptError`.
    """
    store = Store(settings.rules())
    async with DockerEngine(connection) as source:
        engine = await surveyed(source, store)
        if alone and (keeper := await anyio.to_thread.run_sync(holder_of, engine.directory(settings.docker.root))):
            _refuse_beside(keeper)
        store.add_host_files(engine.id, socket.gethostname())
        with closing(HostFileLocks()) as locks:
            paths = _paths_of(settings, locks if alone else None, engine)
            yield Survey(engine, store, Writers(paths, ExecHostsFiles(source)))
