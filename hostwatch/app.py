"""Runs the daemon and the surveys of commands: signals, order of start and stop, priority, reports to systemd."""

import gc
import math
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
from loguru import logger

from hostwatch import garbage, priority, signals, systemd
from hostwatch.catalog_clients import open_catalog
from hostwatch.cluster_member import MakeClient
from hostwatch.config.faults import ConfigError
from hostwatch.config.http import place_of
from hostwatch.config.settings import Settings
from hostwatch.control.archive import Archive, Opened
from hostwatch.control.keeper import KeptError, SightLostError
from hostwatch.control.overlays import hear_once
from hostwatch.control.source import EngineError, EngineInfo, first_leaf
from hostwatch.control.survey import Progress, Survey, leave_others, surveyed, untold
from hostwatch.control.writers import Writers
from hostwatch.core.model import FileKind
from hostwatch.core.rules import AUTO
from hostwatch.core.store.store import Store
from hostwatch.daemon import Daemon, Parts
from hostwatch.docker.connect import Connection
from hostwatch.docker.engine import DockerEngine
from hostwatch.hosts.commands import run_on_host
from hostwatch.hosts.execs import ExecHostsFiles
from hostwatch.hosts.host_files import LockedHostFiles
from hostwatch.hosts.host_resolver import read_host_resolver
from hostwatch.hosts.keeper import Keeper
from hostwatch.hosts.lock import Holder, HostFileLocks, holder_of
from hostwatch.hosts.paths import PathHostsFiles
from hostwatch.hosts.resolver_watch import HostResolverFile
from hostwatch.hosts.run_directory import RUN
from hostwatch.http.first import first_ended
from hostwatch.http.server import Server, load
from hostwatch.http.sockets import Address
from hostwatch.network.routes import Routes, own_addresses

_GRACE_SECONDS = 0.9
"""Time for the removal of the blocks at the end (`on_exit: remove`)."""
_READY_SECONDS = 10.0
"""Report ready after this time even without an engine, so that booting is not blocked."""
_REPORT_SECONDS = 30.0
"""The longest time between two reports to the service manager."""


@dataclass(frozen=True, slots=True)
class Configured:
    """The daemon's settings, and the connection to its engine."""

    settings: Settings
    connection: Connection


Reread = Callable[[], Configured]
"""Reads the configuration again. Raises `ConfigError` and `EngineError`."""


@dataclass(frozen=True, slots=True)
class _Left:
    """An engine that is not followed any more, with blocks still in its containers (`on_exit: remove`).

    The blocks are removed once the engine that is followed now turns out to be another one, and at the end in any case.
    """

    daemon: Daemon
    source: DockerEngine

    async def remove_blocks(self) -> None:
        async with self.source:
            with suppress(EngineError):  # files that are reached by path need no engine
                await self.source.info()
            await self.daemon.remove_blocks(of_host=False)


def _paths_of(settings: Settings, locks: HostFileLocks | None, engine: EngineInfo, kind: FileKind) -> PathHostsFiles:
    """The access to the engine's files by path, in the root of the configuration or else of the engine."""
    return PathHostsFiles(engine.id, engine.directory(settings.docker.root), engine.file(kind), locks)


def _address(settings: Settings) -> Address | None:
    """The configured address of HTTP."""
    http = settings.http
    if http.listen is None:
        return None
    return Address(place_of(http.listen), int(http.mode, 8), frozenset(http.hosts))


def _open_archive(path: Path) -> tuple[Archive, Opened]:
    """Open the file of the history. SQLite is loaded for it alone."""
    from hostwatch.archive.archive import open_archive  # noqa: PLC0415

    return open_archive(path)


def _load_client() -> MakeClient:
    """Load the client of the store that several hosts share."""
    from hostwatch.etcd.store import EtcdStore  # noqa: PLC0415

    return EtcdStore


@contextmanager
def daemon_for(settings: Settings, source: DockerEngine) -> Iterator[Daemon]:
    """The daemon on a real engine and real files. At the end the engine's directory and all locks are released."""
    keeper = Keeper(lambda: first_ended(RUN, daemon.view.engine_id))
    with closing(HostFileLocks(settings.host_files)) as locks, closing(keeper):
        parts = Parts(
            engine=source,
            files=partial(_paths_of, settings, locks),
            execs=partial(ExecHostsFiles, source),
            keeper=keeper,
            host_files=LockedHostFiles(locks),
            host_resolver=HostResolverFile(),
            run_on_host=run_on_host,
            open_archive=_open_archive,
            open_routes=Routes,
            load_client=_load_client,
            open_catalog=open_catalog,
            cpu_seconds=time.thread_time,
            # Frozen objects are not searched for garbage. With 10,000 containers that takes 0.2 s, every few minutes.
            loaded=gc.freeze,
        )
        daemon = Daemon(settings, parts)
        yield daemon


async def run(configured: Configured, reread: Reread) -> bool:
    """Keep every subscriber right until SIGTERM or SIGINT. A second signal ends the process at once.

    Returns whether a signal ended it. If not, it has logged why a new process is needed.
    """
    if priority.is_rationed():
        load()
    priority.raise_priority()
    left: list[_Left] = []
    with signals.received() as received, garbage.searched_in_short_steps():
        try:
            while (following := await _serve(configured, received, reread, left)) is not None:
                configured = following
                # The engine's frozen data has reference cycles, which only the collector can free.
                garbage.search_all()
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
    """Keep the subscribers of one engine right; returns the next configuration, `None` at the end."""
    async with DockerEngine(configured.connection) as source:
        with daemon_for(configured.settings, source) as daemon:
            server = Server(daemon.view, RUN, _address(configured.settings))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(daemon.run, name="daemon")
                tasks.start_soon(server.run, name="answer by HTTP")
                if systemd.is_listening():
                    tasks.start_soon(_report_state, daemon, name="tell systemd")
                if left:
                    tasks.start_soon(_remove_left, left, daemon, name="remove the blocks of an engine that was left")
                following = await _until_signalled(daemon, server, configured, received, reread)
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
    """Remove the blocks from the containers of engines that were left, unless the same engine is followed again."""
    await daemon.loaded()
    while left:
        if left[0].daemon.view.engine_id != daemon.view.engine_id and daemon.settings.on_exit == "remove":
            await left[0].remove_blocks()
        del left[0]
    garbage.search_all()
    gc.freeze()


async def _until_signalled(
    daemon: Daemon, server: Server, configured: Configured, received: AsyncIterator[signal.Signals], reread: Reread
) -> Configured | None:
    """Wait for the end (`None`), or for a configuration with another engine. Any other one takes effect at once."""
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
        server.adopt(_address(fresh.settings))
        await daemon.adopt(fresh.settings)
        systemd.tell("READY=1")
    return None


async def _report_state(daemon: Daemon) -> None:
    """Report to systemd that the daemon is ready, then its state: after each change, and in time for the watchdog.

    Each report waits until a probe has gone through the event loop, the queue and a worker. If one of them hangs, no
    report is sent, and the watchdog starts a new process.
    """
    pause = min((systemd.watchdog_seconds() or math.inf) / 2, _REPORT_SECONDS)
    with anyio.move_on_after(min(_READY_SECONDS, pause)):
        await daemon.compared()
    systemd.tell("READY=1", f"STATUS={daemon.standing}")
    seen = 0
    while True:
        await daemon.pass_through()
        systemd.tell("WATCHDOG=1", f"STATUS={daemon.standing}")
        with anyio.move_on_after(pause):
            seen = await daemon.news.after(seen)


def _refuse_beside(holder: Holder) -> None:
    if holder.is_hostwatch:
        raise KeptError(
            f"{holder} keeps this engine's hosts files: stop it first, or use --force to do it all the same"
        )


async def clear_host_files(settings: Settings) -> None:
    """Remove the blocks from the files on the host, but for those that a daemon keeps. Needs no engine."""
    with closing(HostFileLocks()) as locks:
        await LockedHostFiles(locks).clear(settings.host_files)


@asynccontextmanager
async def survey(
    settings: Settings, connection: Connection, *, alone: bool = False, progress: Progress = untold
) -> AsyncIterator[Survey]:
    """A survey of the engine and the files, for commands that run once. Raises `EngineError`.

    `alone`: write nothing that a daemon keeps. Raises `KeptError` if a daemon keeps this engine's files.
    """
    store = Store(settings.rules())
    async with DockerEngine(connection) as source:
        engine = await surveyed(source, store, progress)
        if store.asks_host_resolver:
            store.put_host_resolver(await anyio.to_thread.run_sync(read_host_resolver))
        if alone and (keeper := await anyio.to_thread.run_sync(holder_of, engine.directory(settings.docker.root))):
            _refuse_beside(keeper)
        store.add_host_files(engine.id, socket.gethostname())
        leave_others(store, has_cluster=settings.cluster is not None)
        heard = await hear_once(source, store, engine.id)
        if settings.advertise == AUTO:
            store.put_host_addresses(own_addresses())
        with closing(HostFileLocks()) as locks:
            held = locks if alone else None
            writers = [
                Writers(_paths_of(settings, held, engine, kind), ExecHostsFiles(source, kind), kind)
                for kind in FileKind
            ]
            yield Survey(engine, store, writers, progress, heard)
