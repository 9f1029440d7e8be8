"""The queue of containers and networks to read again, and the time at which each is read.

Each queued key is read by a task of its own, so that no key waits for another one that the engine holds up, as it does
with the inspection of a starting container. Equal keys collapse.

| state of a key | enqueued again | time is up | read | reading failed |
| --- | --- | --- | --- | --- |
| idle | delayed, or limited at once | | | |
| delayed | limited | limited; delayed once more if it is being started | | |
| limited | limited | reading | | |
| reading | reading, then limited | | idle; limited if stale or enqueued meanwhile | backing off, or given up |
| backing off | limited | limited | | |
| given up | limited | limited | | |

A start during a read counts as enqueued only if the read does not find the container running.

A key that is limited waits for tokens: one that changes all the time, as in a crash loop, is read a few times a second
at most. The newest state is always read in the end. A failure leaves the store as it is. A container that is given up
is read from the list, too (`hostwatch.control.informer.reader`), and less often.
"""

import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup
from loguru import logger

from hostwatch.control.causes import JOINED, UNCONFIRMED
from hostwatch.control.clock import loop_time
from hostwatch.control.informer.crew import Crew
from hostwatch.control.informer.reader import Affected, Key, Reader
from hostwatch.control.source import EngineError
from hostwatch.core.model import ContainerKey, State
from hostwatch.core.store.lister import FileKeys
from hostwatch.core.store.store import Store
from hostwatch.core.timing import Backoff, RateLimiter

_BACKOFF_SECONDS = (0.2, 10.0)
"""Back-off after a failure, at first and at most, unless an event enqueues the key."""
_GIVEN_UP_BACKOFF_SECONDS = (1.0, 60.0)
"""Back-off of a key that is given up, at first and at most, unless an event enqueues it."""
_STALE_BACKOFF_SECONDS = (0.5, 5.0)
"""A container that stays stale without an event is read again after this time, at first and at most."""
_FAILURES_TOLD = 5
"""After this many failures in a row, some seconds, a warning says that a key cannot be read."""
_BULK = 16
"""Containers that are read at once during a full read. A container that hangs takes only one of these places."""
_BULK_PATIENCE_SECONDS = 1.0
"""A full read waits this long for each container; a slower one is read in the background."""

_READ_COST_SECONDS = 0.25
"""Price of one read of a container or network: it is read four times a second in the long run."""
_READ_CREDIT_SECONDS = 5.0
"""20 reads at once. A restart takes one."""


@dataclass(slots=True)
class _Pending:
    """A queued key."""

    cause: str
    """The newest reason for reading it."""
    again: bool = False
    """Whether it was enqueued again since the last read began."""
    is_started: bool = False
    """Whether it was started since the last read began, which may find it running all the same."""
    wake: anyio.Event | None = None
    """Ends a delay or a back-off; `None` in any other state."""
    first: Callable[[], Awaitable[None]] | None = None
    """A step to take before the next read."""
    deferred: FileKeys = field(default_factory=frozenset)
    """Affected files that are reported before the next read."""


class ReadQueue:
    """Reads containers and networks again after events, early addresses and resyncs."""

    def __init__(self, reader: Reader, store: Store, affected: Affected, tasks: TaskGroup) -> None:
        self._reader = reader
        self._store = store
        self._affected = affected
        self.crew = Crew(tasks)
        """Its tasks end with the connection to the engine."""
        self._pending: dict[Key, _Pending] = {}
        self._limiter: RateLimiter[Key] = RateLimiter(_READ_CREDIT_SECONDS)
        self._stale: set[ContainerKey] = set()
        """Stale containers that are read again before long."""

    def __repr__(self) -> str:
        return f"<ReadQueue: {len(self._pending)} being read, {len(self._stale)} stale>"

    def is_queued(self, key: Key) -> bool:
        """Whether a container or network is about to be read, or being read."""
        return key in self._pending

    def enqueue(self, key: Key, cause: str, *, delay: float = 0.0) -> None:
        """Have a container or network read again in the background: at once, or after so many seconds at the latest.

        A container that is being started meanwhile is read half a second later than that.
        """
        pending = self._pending.get(key)
        if pending is None:
            pending = self._pending[key] = _Pending(cause)
            self.crew.start(self._until_read, key, pending, delay)
        elif delay <= 0 or pending.wake is None:
            pending.cause, pending.again = cause, True
            if pending.wake is not None:
                pending.wake.set()

    def enqueue_started(self, key: ContainerKey, cause: str) -> None:
        """Have a container read that was started, unless a read under way finds it running.

        The engine answers an inspection after the start, so such an answer is newer than the start's event.
        """
        pending = self._pending.get(key)
        if pending is None or pending.wake is not None:
            self.enqueue(key, cause)
        else:
            pending.is_started = True

    def enqueue_after(self, first: Callable[[], Awaitable[None]], key: Key, cause: str) -> None:
        """Have a container read again; if its read is delayed, end the delay and take this step before the read."""
        pending = self._pending.get(key)
        if pending is not None and pending.wake is not None:
            pending.first = first
        self.enqueue(key, cause)

    def admitted(self, key: ContainerKey, files: FileKeys, cause: str) -> FileKeys:
        """The files to compare at once, of those that a change of the container affects; the others are deferred.

        If the container changes all the time, only its own file is compared at once, and the rest before its next read.
        """
        if self._limiter.wait(key, loop_time()) <= 0:
            return files
        self.enqueue(key, cause)
        self._pending[key].deferred |= files
        return files & {key}

    def confirm(self, key: ContainerKey) -> None:
        """Have a stale container read again before long, and until it is not stale, unless an event does so first."""
        if key not in self._stale and self._is_stale(key):
            self._stale.add(key)
            self.crew.start(self._until_confirmed, key)

    async def read_all(self, keys: Iterable[ContainerKey], cause: str) -> None:
        """Read these containers, some at a time; returns when each has been tried once."""
        remaining = iter(tuple(keys))

        async def read_next() -> None:
            for key in remaining:
                if key in self._pending:
                    self.enqueue(key, cause)
                else:
                    await self._read_soon(key, cause)

        async with anyio.create_task_group() as workers:
            for _ in range(_BULK):
                workers.start_soon(read_next)

    async def _read_soon(self, key: ContainerKey, cause: str) -> None:
        pending = self._pending[key] = _Pending(cause)
        is_read = False
        with anyio.move_on_after(_BULK_PATIENCE_SECONDS):
            is_read = await self._read(key, pending) is None
        if not is_read:
            self.crew.start(self._until_read, key, pending, 0.0)

    async def _until_read(self, key: Key, pending: _Pending, delay: float) -> None:
        is_delayed = delay > 0 and not await self._wait(pending, delay)
        if is_delayed and key in self._stale and self._is_stale(key):
            await self._wait(pending, _STALE_BACKOFF_SECONDS[0])  # it is being started, which has an event, too
        backoff, rare = Backoff(*_BACKOFF_SECONDS), Backoff(*_GIVEN_UP_BACKOFF_SECONDS)
        while (fault := await self._read(key, pending)) is not None:
            chance = random.random()  # noqa: S311
            if self._reader.is_overdue(key):
                is_new = self._reader.give_up(key, fault)
                if is_new or pending.again or await self._wait(pending, rare.failed(chance)):
                    rare.succeeded()  # the list may be a little behind the event
            elif not pending.again:
                await self._wait(pending, min(backoff.failed(chance), self._reader.patience(key)))
                if backoff.failures == _FAILURES_TOLD:
                    name = self._reader.name(key)
                    logger.warning("{} cannot be read, so what is known of it stays: {}", name, fault)

    async def _wait(self, pending: _Pending, seconds: float) -> bool:
        """Wait for so long, or until the key is enqueued again; returns whether it was."""
        pending.wake = wake = anyio.Event()
        with anyio.move_on_after(seconds):
            await wake.wait()
        pending.wake = None
        return wake.is_set()

    async def _read(self, key: Key, pending: _Pending) -> str | None:
        """Read a key until its newest state is known, and take it out of the queue; returns the error of a failure."""
        while True:
            await self._take_token(key)
            cause, pending.again, pending.is_started = pending.cause, False, False
            await self._prepare(pending, cause)
            try:
                is_there = await self._reader.read(key, cause)
            except EngineError as error:
                logger.debug("{} is not known, as reading it failed: {}", key, error)
                return str(error)
            self._follow_up(key, is_there=is_there)
            is_old = pending.is_started and self._has_state(key, State.STOPPED)
            # A container that is still stale has changed while the engine answered.
            if not pending.again and not is_old and not self._is_stale(key):
                del self._pending[key]
                return None

    async def _take_token(self, key: Key) -> None:
        if (wait := self._limiter.wait(key, loop_time())) > 0:
            await anyio.sleep(wait)
        self._limiter.spend(key, loop_time(), _READ_COST_SECONDS)

    async def _prepare(self, pending: _Pending, cause: str) -> None:
        """Do what is due before a read."""
        if pending.deferred:
            files, pending.deferred = pending.deferred, frozenset()
            self._affected(files, cause)
        if pending.first is not None:
            first, pending.first = pending.first, None
            await first()

    def _follow_up(self, key: Key, *, is_there: bool) -> None:
        """Enqueue the containers that the answer makes stale, and the unknown one whose network this one joins."""
        if not is_there:
            self._limiter.forget(key)
        elif isinstance(key, ContainerKey):
            # The answer may be older than the store, or may give this container the address of another one.
            for stale in self._store.newly_stale():
                self.confirm(stale)
            container = self._store.container(key)
            parent = self._store.joins.unread_parent(container) if container is not None else None
            if parent is not None and parent not in self._pending:
                self.enqueue(parent, JOINED)

    async def _until_confirmed(self, key: ContainerKey) -> None:
        backoff = Backoff(*_STALE_BACKOFF_SECONDS)
        while self._is_stale(key):
            await anyio.sleep(backoff.failed(0.0))
            if self._is_stale(key) and key not in self._pending:
                self.enqueue(key, UNCONFIRMED)
        self._stale.discard(key)

    def _is_stale(self, key: Key) -> bool:
        return self._has_state(key, State.UNKNOWN)

    def _has_state(self, key: Key, state: State) -> bool:
        container = self._store.container(key) if isinstance(key, ContainerKey) else None
        return container is not None and container.state is state
