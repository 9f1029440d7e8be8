"""Following one engine: subscribe, list, apply what queued up, go on; and again from the start when anything ends.

It keeps the store true and says which hosts files a change may concern. What is written into them, and when, is
`hostwatch.control.reconcile.reconciler`.
"""

import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

import anyio
from loguru import logger

from hostwatch.control.informer.endings import Endings
from hostwatch.control.informer.event_stream import Subscription, identified
from hostwatch.control.informer.read_queue import ReadQueue
from hostwatch.control.informer.relist import load
from hostwatch.control.journal import LabelJournal
from hostwatch.control.source import EngineError, EngineInfo, Event, GoneError, Source, first_leaf
from hostwatch.control.writers import FILE_CHANGED
from hostwatch.core.model import Address, ContainerKey, Endpoint, NetworkId, State
from hostwatch.core.store.early import networks_to_ask
from hostwatch.core.store.lister import FileKeys
from hostwatch.core.store.store import Store
from hostwatch.core.timing import Backoff

_AGAIN_SECONDS = (0.1, 1.0)
"""How long to wait for an engine that is away: all is to be right within two seconds of its return."""
_DISCONNECTED_SECONDS = 0.25
"""How long a disconnected container is read later than it could be: its death, or another connection, comes next as a
rule, and has it read at once. What it has lost lingers meanwhile."""
_MOST_NAMED = 20
"""How many hosts files a line at DEBUG names: an event may concern all that there are."""
_SETTLED_SECONDS = 10.0
"""How long a connection must last before the next loss is tried again at once: it may be cut as soon as it is made."""

_at_debug = logger.opt(lazy=True).debug
"""Logs what its arguments return, which are not called at any other level."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things may take."""

    resync_seconds: float
    """Between two comparisons of everything."""
    linger_seconds: float
    """How long a container that has ended keeps its names from others."""


class Informer:
    """Keeps an store like the engine."""

    def __init__(
        self,
        source: Source,
        store: Store,
        changed: Callable[[FileKeys, str], None],
        resynced: Callable[[], None],
        timing: Timing,
    ) -> None:
        self._source = source
        self._store = store
        self._changed = changed
        self._resynced = resynced
        self._resync_seconds = timing.resync_seconds
        self._read_queue: ReadQueue | None = None
        self._labels = LabelJournal()
        self._endings = Endings(store, self._read_again, timing.linger_seconds)
        self._resync_now = anyio.Event()
        self._backoff = Backoff(*_AGAIN_SECONDS)
        self._since = 0.0
        """When the last connection was made (the event loop's seconds)."""
        self.engine: EngineInfo | None = None
        self.connected = False
        self._whole = False
        self._unsettled: set[ContainerKey] = set()
        """What changes until everything has been read, and is compared then."""
        self.fault: str | None = None
        """Why the engine is away; `None` while it is there."""

    def __repr__(self) -> str:
        return f"<Informer of {self._source!r}, {'connected' if self.connected else 'away'}>"

    async def run(self, told: Callable[[EngineInfo], Awaitable[None]], lost: Callable[[], None]) -> NoReturn:
        """Follow the engine for ever.

        `told` is called each time that it says who it is, `lost` each time that it is found to be away.
        """
        while True:
            try:
                await self._follow(told)
            except* (EngineError, GoneError) as group:
                self._lost(first_leaf(group))
                lost()
            await anyio.sleep(self._backoff.failed(random.random()))  # noqa: S311

    def adopt(self, timing: Timing) -> None:
        """Follow another configuration: with labels that it makes count, and other times."""
        self._endings.linger_seconds = timing.linger_seconds
        for container in self._store.containers:
            self._labels.tell(container.key, self._store)
        if timing.resync_seconds != self._resync_seconds:
            self._resync_seconds = timing.resync_seconds
            self._resync_now.set()

    def hinted(self, key: ContainerKey, files: FileKeys, cause: str) -> None:
        """An early hint of a container concerns these files; have it read again before long."""
        if self._read_queue is None:
            self._concern(files, cause)
        else:
            self._concern(self._read_queue.undamped(key, files, cause), cause)
            self._read_queue.confirm(key)

    def claimed(self, key: ContainerKey, addresses: Iterable[Address], cause: str) -> None:
        """The file of a running container says that it has these addresses; have that asked where it may be so."""
        networks = networks_to_ask(self._store, key, addresses)
        if networks and self._read_queue is not None:
            self._read_queue.want_claimed(key, networks, cause)

    async def _follow(self, told: Callable[[EngineInfo], Awaitable[None]]) -> None:
        self.engine = await identified(self._source)
        await told(self.engine)
        async with anyio.create_task_group() as tasks:
            self._read_queue = ReadQueue(self._source, self._store, self._was_read, self._read_again, tasks)
            tasks.start_soon(self._endings.run, name="names of who has ended")
            try:
                subscription = Subscription(self._source, self.engine, tasks)
                await subscription.begin()
                await load(self._source, self._store, self._read_queue, "resync")
                self._regained()
                tasks.start_soon(self._resync, self._read_queue, name="resync")
                await subscription.apply_to(partial(self._apply, self._read_queue))
                await anyio.sleep_forever()
            finally:
                self._read_queue = None
                self._whole = False

    async def _resync(self, read_queue: ReadQueue) -> None:
        while True:
            with anyio.move_on_after(self._resync_seconds):
                await self._resync_now.wait()
                await anyio.sleep(1.0)  # more may ask for it; one serves them all
            self._resync_now = anyio.Event()  # who asks from here on may have changed what was read by then
            await load(self._source, self._store, read_queue, "resync")
            self._resynced()

    def _was_read(self, key: ContainerKey) -> None:
        self._labels.tell(key, self._store)
        self._endings.note(key)

    def _read_again(self, files: FileKeys, cause: str) -> None:
        # Until everything has been read once, a name may seem to be nobody's, or somebody else's.
        if self._whole:
            self._concern(files, cause)
        else:
            self._unsettled.update(files)

    def _concern(self, files: FileKeys, cause: str) -> None:
        """Have the files compared, as they may be affected."""
        if files:
            _at_debug("{} may concern {}", lambda: cause, lambda: self._named(files))
        self._changed(files, cause)

    def _named(self, keys: Iterable[ContainerKey]) -> str:
        known = [(key, self._store.container(key)) for key in keys]
        names = sorted(container.name if container is not None else str(key) for key, container in known)
        more = len(names) - _MOST_NAMED
        return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")

    def _described(self, event: Event | None) -> str:
        if event is None:
            return "event that is lost or cannot be read: everything will be compared"
        known = self._store.container(event.container) if event.container is not None else None
        whose = f"{known.name} ({known.key})" if known is not None else str(event.container or "none")
        return f"event {event}: container {whose}"

    def _regained(self) -> None:
        self._whole = True
        self._since = anyio.current_time()
        if not self.connected and self.engine is not None:
            logger.info("connected to engine {} (API {})", self.engine.version, self.engine.api)
        self.connected = True
        self.fault = None
        unsettled, self._unsettled = self._unsettled, set()
        self._concern(frozenset(unsettled), "resync")
        self._resynced()

    def _lost(self, error: BaseException) -> None:
        if self.connected:
            if anyio.current_time() > self._since + _SETTLED_SECONDS:
                self._backoff.succeeded()
            logger.warning("lost the engine ({}); all records stay until it is back", error)
        elif self.fault is None:
            logger.error("{}; trying again until it is there", error)
        self.connected = False
        self.fault = str(error)

    # Events.

    def _apply(self, read_queue: ReadQueue, event: Event | None) -> None:
        _at_debug("{}", lambda: self._described(event))
        if event is None:
            self._resync_now.set()
        elif event.kind == "network":
            self._apply_to_network(event, read_queue)
        elif event.container is not None:
            self._apply_to_container(event, event.container, read_queue)

    def _apply_to_container(self, event: Event, key: ContainerKey, read_queue: ReadQueue) -> None:
        cause = str(event)
        known = self._store.container(key)
        match event.action:
            case "create":
                self._create(event, key, read_queue)
            case "die":
                self._concern(read_queue.undamped(key, self._store.mark_stale(key), cause), cause)
            case "start" if known is not None and known.state is State.STOPPED:
                self._concern(read_queue.undamped(key, self._store.mark_stale(key), cause), cause)
            case _:
                pass
        read_queue.want(key, cause)

    def _create(self, event: Event, key: ContainerKey, read_queue: ReadQueue) -> None:
        created = self._source.created(event)
        if created is not None and self._store.container(key) is None:
            self._store.put(created)
            # Its file may have been written before this event was read.
            self._concern(frozenset({key}), FILE_CHANGED)
            # Whose network it will be in decides what a subscriber gets, and its inspection may wait for its start.
            if self._store.sharing(key).requests:
                read_queue.want_listed(key, str(event))

    def _apply_to_network(self, event: Event, read_queue: ReadQueue) -> None:
        if event.network is None:
            return
        if event.container is None:
            read_queue.want(event.network, str(event))
            return
        known = self._store.container(event.container)
        if event.action == "disconnect":
            read_queue.want(event.container, str(event), patience=_DISCONNECTED_SECONDS)
        elif known is not None and known.state is State.RUNNING and event.action == "connect":
            read_queue.want_connected(event.network, event.container, str(event))
        elif known is None or known.state is State.RUNNING:
            read_queue.want(event.container, str(event))
        elif event.action == "connect" and not _has_address(known.endpoints, event.network.id):
            read_queue.want_endpoint(event.network, event.container, str(event))
            if known.state is State.STOPPED:  # a hint is taken for a network only that it is known to be on
                read_queue.want(event.container, str(event))
        # The engine rewrites the file on these, and may have overwritten ours with what it read before.
        if self._store.sharing(event.container).requests:
            self._concern(frozenset({event.container}), str(event))


def _has_address(endpoints: Iterable[Endpoint], network: NetworkId) -> bool:
    return any(endpoint.network == network and endpoint.addresses for endpoint in endpoints)
