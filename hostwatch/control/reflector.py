"""Following one engine: subscribe, list, apply what queued up, go on; and again from the start when anything ends.

It keeps the inventory true and says which hosts files a change may concern. What is written into them, and when, is
`hostwatch.control.reconciler`.
"""

import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import anyio
from anyio.abc import ObjectReceiveStream, ObjectSendStream
from loguru import logger

from hostwatch.control.files import FILE_CHANGED
from hostwatch.control.journal import LabelJournal
from hostwatch.control.load import load
from hostwatch.control.refresh import Refresher
from hostwatch.control.source import EngineError, EngineInfo, Event, GoneError, Source, first_leaf
from hostwatch.core.facts import Files
from hostwatch.core.inventory import Inventory
from hostwatch.core.model import ContainerKey, Endpoint, NetworkId, State
from hostwatch.core.pacing import Backoff

_PING_SECONDS = 10.0
_ANSWER_SECONDS = 5.0
"""An engine that does not answer the simplest requests in this time is away: the stream alone would be silent."""


class Reflector:
    """Keeps an inventory like the engine."""

    def __init__(
        self,
        source: Source,
        inventory: Inventory,
        changed: Callable[[Files, str], None],
        resynced: Callable[[], None],
        resync_seconds: float,
    ) -> None:
        self._source = source
        self._inventory = inventory
        self._changed = changed
        self._resynced = resynced
        self._resync_seconds = resync_seconds
        self._refresher: Refresher | None = None
        self._labels = LabelJournal()
        self._resync_now = anyio.Event()
        self._backoff = Backoff(0.1, 10.0)
        self.engine: EngineInfo | None = None
        self.connected = False
        self._whole = False
        self.fault: str | None = None
        """Why the engine is away; `None` while it is there."""

    def __repr__(self) -> str:
        return f"<Reflector of {self._source!r}, {'connected' if self.connected else 'away'}>"

    async def run(self, identified: Callable[[EngineInfo], Awaitable[None]]) -> NoReturn:
        """Follow the engine for ever. `identified` is called each time that it says who it is."""
        while True:
            try:
                await self._follow(identified)
            except* (EngineError, GoneError) as group:
                self._lost(first_leaf(group))
            await anyio.sleep(self._backoff.failed(random.random()))  # noqa: S311

    def adopt(self, resync_seconds: float) -> None:
        """Follow another configuration: with labels that it makes count, and another time between two resyncs."""
        for container in self._inventory.containers:
            self._labels.tell(container.key, self._inventory)
        if resync_seconds != self._resync_seconds:
            self._resync_seconds = resync_seconds
            self._resync_now.set()

    def confirm(self, key: ContainerKey) -> None:
        """Have a container in doubt read again before long."""
        if self._refresher is not None:
            self._refresher.confirm(key)

    async def _follow(self, identified: Callable[[EngineInfo], Awaitable[None]]) -> None:
        with _answer_in_time():
            self.engine = await self._source.info()
        await identified(self.engine)
        send, receive = anyio.create_memory_object_stream[Event | None](math.inf)
        with send, receive:
            async with self._source.events() as events, anyio.create_task_group() as tasks:
                tasks.start_soon(_read, events, send, name="read events")
                tasks.start_soon(self._ping, name="ping the engine")
                self._refresher = Refresher(self._source, self._inventory, self._labels, self._read_again, tasks)
                try:
                    await load(self._source, self._inventory, self._refresher, "resync")
                    self._regained()
                    tasks.start_soon(self._resync, self._refresher, name="resync")
                    await self._apply_all(receive, self._refresher)
                finally:
                    self._refresher = None
                    self._whole = False

    async def _ping(self) -> None:
        while True:
            await anyio.sleep(_PING_SECONDS)
            with _answer_in_time():
                await self._source.ping()

    async def _resync(self, refresher: Refresher) -> None:
        while True:
            self._resync_now = anyio.Event()
            with anyio.move_on_after(self._resync_seconds):
                await self._resync_now.wait()
                await anyio.sleep(1.0)  # more may ask for it; one serves them all
            await load(self._source, self._inventory, refresher, "resync")
            self._resynced()

    def _read_again(self, files: Files, cause: str) -> None:
        # Until everything has been read once, a name may seem to be nobody's, or somebody else's.
        if self._whole:
            self._changed(files, cause)

    def _regained(self) -> None:
        self._whole = True
        if not self.connected and self.engine is not None:
            logger.info("connected to engine {} (API {})", self.engine.version, self.engine.api)
        self.connected = True
        self.fault = None
        self._backoff.succeeded()
        self._resynced()

    def _lost(self, error: BaseException) -> None:
        if self.connected:
            logger.warning("lost the engine ({}); all records stay until it is back", error)
        elif self.fault is None:
            logger.error("{}; trying again until it is there", error)
        self.connected = False
        self.fault = str(error)

    # Events.

    async def _apply_all(self, events: ObjectReceiveStream[Event | None], refresher: Refresher) -> None:
        async for event in events:
            if event is None:
                logger.debug("an event could not be read; everything will be compared")
                self._resync_now.set()
            elif event.kind == "network":
                self._apply_to_network(event, refresher)
            elif event.container is not None:
                self._apply_to_container(event, event.container, refresher)

    def _apply_to_container(self, event: Event, key: ContainerKey, refresher: Refresher) -> None:
        cause = str(event)
        known = self._inventory.container(key)
        match event.action:
            case "create":
                self._create(event, key, refresher)
            case "die":
                self._changed(self._inventory.doubt(key), cause)
            case "start" if known is not None and known.state is State.STOPPED:
                self._changed(self._inventory.doubt(key), cause)
            case _:
                pass
        refresher.want(key, cause)

    def _create(self, event: Event, key: ContainerKey, refresher: Refresher) -> None:
        created = self._source.created(event)
        if created is not None and self._inventory.container(key) is None:
            self._inventory.put(created)
            # Its file may have been written before this event was read.
            self._changed(frozenset({key}), FILE_CHANGED)
            # Whose network it will be in decides what a subscriber gets, and its inspection may wait for its start.
            if self._inventory.subscribed(key):
                refresher.want_listed(key, str(event))

    def _apply_to_network(self, event: Event, refresher: Refresher) -> None:
        if event.network is None:
            return
        if event.container is None:
            refresher.want(event.network, str(event))
            return
        known = self._inventory.container(event.container)
        if known is None or known.state is State.RUNNING or event.action == "disconnect":
            refresher.want(event.container, str(event))
        elif event.action == "connect" and not _has_address(known.endpoints, event.network.id):
            refresher.want_endpoint(event.network, event.container, str(event))
            if known.state is State.STOPPED:  # a hint is taken for a network only that it is known to be on
                refresher.want(event.container, str(event))
        # The engine rewrites the file on these, and may have overwritten ours with what it read before.
        if self._inventory.subscribed(event.container):
            self._changed(frozenset({event.container}), str(event))


def _has_address(endpoints: Iterable[Endpoint], network: NetworkId) -> bool:
    return any(endpoint.network == network and endpoint.addresses for endpoint in endpoints)


async def _read(events: AsyncIterator[Event | None], send: ObjectSendStream[Event | None]) -> None:
    # Only reads: an engine waits 100 ms for each event that a slow reader leaves behind (moby: daemon/events).
    async for event in events:
        await send.send(event)
    raise EngineError("the engine ended the event stream")


@contextmanager
def _answer_in_time() -> Iterator[None]:
    try:
        with anyio.fail_after(_ANSWER_SECONDS):
            yield
    except TimeoutError:
        raise EngineError(f"the engine did not answer within {_ANSWER_SECONDS:g} s") from None
