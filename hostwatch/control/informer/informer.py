"""Following one engine: subscribe, list, apply the events so far, follow. After any error, all of it begins anew.

The informer keeps the store like the engine, and reports the hosts files that a change may affect.
`hostwatch.control.reconcile.reconciler` handles the files themselves.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

import anyio

from hostwatch.control.causes import OTHER_ENGINE, RESYNC
from hostwatch.control.figures import EventFigures
from hostwatch.control.informer.changes import Changes, at_debug
from hostwatch.control.informer.connection import Connection
from hostwatch.control.informer.early import EarlyAddresses
from hostwatch.control.informer.endings import Endings
from hostwatch.control.informer.event_handler import EventHandler
from hostwatch.control.informer.event_stream import EventStream, identified
from hostwatch.control.informer.read_queue import ReadQueue
from hostwatch.control.informer.reader import Affected, Reader
from hostwatch.control.informer.relist import relist
from hostwatch.control.journal import LabelJournal
from hostwatch.control.source import EngineError, EngineInfo, Event, GoneError, Source, first_leaf
from hostwatch.control.turns import Turns
from hostwatch.core.model import ContainerKey, EngineId
from hostwatch.core.store.store import Store

_RESYNC_DELAY_SECONDS = 1.0
"""Delay of a resync after a lost or unreadable event, so that one resync serves several of them."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The informer's times."""

    resync_seconds: float
    """Between two comparisons of everything."""
    linger_seconds: float
    """A container that has ended keeps its names from others for this time."""


class Reports(NamedTuple):
    """Who is told of what the informer reads."""

    affected: Affected
    """Gets the hosts files to compare."""
    resynced: Callable[[], None]
    """Called each time everything has been read."""


class Informer:
    """Keeps a store like the engine."""

    def __init__(self, source: Source, store: Store, reports: Reports, timing: Timing, figures: EventFigures) -> None:
        self._source = source
        self._store = store
        self._reports = reports
        self._figures = figures
        self._resync_seconds = timing.resync_seconds
        self._changes = Changes(store, reports.affected)
        self.early = EarlyAddresses(source, store, self._changes)
        self._labels = LabelJournal()
        self._endings = Endings(store, self._changes.read, timing.linger_seconds)
        self._resync_asked = anyio.Event()
        self.connection = Connection()

    def __repr__(self) -> str:
        return f"<Informer of {self._source!r}, {self.connection!r}>"

    async def run(self, told: Callable[[EngineInfo], Awaitable[None]], lost: Callable[[], None]) -> NoReturn:
        """Follow the engine for ever.

        `told` is called each time it tells its identity, `lost` each time it is found to be away.
        """
        while True:
            try:
                await self._follow(told)
            except* (EngineError, GoneError) as group:
                self.connection.lost(first_leaf(group))
                lost()
            await self.connection.pause()

    async def adopt(self, timing: Timing) -> None:
        """Follow another configuration. It may enable other labels and set other times."""
        self._endings.linger_seconds = timing.linger_seconds
        if timing.resync_seconds != self._resync_seconds:
            self._resync_seconds = timing.resync_seconds
            self._resync_asked.set()
        turns = Turns()
        for container in [*self._store.containers]:
            self._labels.tell(container.key, self._store)
            await turns.give()

    async def _follow(self, told: Callable[[EngineInfo], Awaitable[None]]) -> None:
        engine = self.connection.engine = await identified(self._source)
        self._drop_others(engine.id)
        await told(engine)
        async with anyio.create_task_group() as tasks:
            reader = Reader(self._source, self._store, self._was_read, self._changes.read)
            reads = ReadQueue(reader, self._store, self._changes.read, tasks)
            events = EventHandler(self._source, self._store, reads, self.early, self._changes)
            self.early.connect(reads)
            tasks.start_soon(self._endings.run, name="names of ended containers")
            try:
                stream = EventStream(self._source, engine, tasks)
                await stream.begin()
                await relist(self._source, self._store, reader, reads, RESYNC)
                self._regained()
                tasks.start_soon(self._resync, reader, reads, name="resync")
                await stream.apply_to(lambda event: self._handle(events, event))
                await anyio.sleep_forever()
            finally:
                self.early.connect(None)
                self._changes.incomplete()

    def _drop_others(self, engine: EngineId) -> None:
        """Drop all facts from another engine: this one may have the same containers, which would be known twice."""
        for key in [container.key for container in self._store.containers if container.key.engine != engine]:
            self._changes.read(self._store.drop(key) | {key}, OTHER_ENGINE)
            self._was_read(key)
        for network in [network.key for network in self._store.networks if network.key.engine != engine]:
            self._changes.read(self._store.drop_network(network), OTHER_ENGINE)

    async def _resync(self, reader: Reader, reads: ReadQueue) -> NoReturn:
        while True:
            with anyio.move_on_after(self._resync_seconds):
                await self._resync_asked.wait()
                await anyio.sleep(_RESYNC_DELAY_SECONDS)
            self._resync_asked = anyio.Event()  # a later event may be newer than the answers, so it counts anew
            await relist(self._source, self._store, reader, reads, RESYNC)
            self._read_all()

    def _handle(self, events: EventHandler, event: Event | None) -> None:
        if event is not None:
            events.handle(event)
            self._figures.count(event.kind, event.action)
        else:
            at_debug("an event is lost or cannot be read: everything will be compared")
            self._resync_asked.set()

    def _was_read(self, key: ContainerKey) -> None:
        self._labels.tell(key, self._store)
        self._endings.note(key)
        self.early.was_read(key)

    def _regained(self) -> None:
        self.connection.made()
        self._figures.connections += 1
        self._changes.complete(RESYNC)
        self._read_all()

    def _read_all(self) -> None:
        self._figures.last_resync = time.time()
        self._reports.resynced()
