"""The event stream: one connection after the other without a gap, and a check that the engine still answers.

A stream has no sign of life. A dead one (a proxy or a firewall forgot the connection) looks like an engine on which
nothing happens. So each stream is soon replaced by a new one that begins where the last one ended: it delivers the
events that a dead one has missed, no proxy finds a stream idle for long, and its beginning shows that the engine
answers. Its identity is a request of its own, as some engines take long to answer it.

This module does not know the meaning of events.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup, TaskStatus
from loguru import logger

from hostwatch.control.source import EngineError, EngineInfo, Event, GoneError, Source

_RENEWAL_SECONDS = 10.0
"""A stream is replaced, and the engine's identity verified, this often: a new stream may be another engine's."""
_ANSWER_SECONDS = 5.0
"""An engine that does not begin a stream, or answer a ping, in this time is away. Its identity may take longer, as the
engine looks at its images and at its storage first."""
_LATE_SECONDS = 2.0
"""If an event comes so much later than others do, some are taken for lost. While hostwatch does not read (it was
stopped, or the machine has no free processor), the engine silently drops all beyond 1,024 events."""


class EventStream:
    """The events of one engine while it answers."""

    def __init__(self, source: Source, engine: EngineInfo, tasks: TaskGroup) -> None:
        self._source = source
        self._engine = engine
        self._tasks = tasks
        self._latest = engine.clock
        """The engine's time of the newest event; at first the time of its identity."""
        self._least_delay = time.time() - engine.clock / 1e9 if engine.clock is not None else math.inf
        """The shortest time from an event to its arrival (seconds), between two clocks that may disagree."""
        self._early_events: deque[Event | None] = deque()
        """Events that came before `apply_to`."""
        self._apply: Callable[[Event | None], None] = self._early_events.append

    async def begin(self) -> None:
        """Subscribe, and stay subscribed. Raises `EngineError`; a later error ends the task group."""
        self._tasks.start_soon(self._renew, await self._stream(None), name="renew the event stream")
        self._tasks.start_soon(self._verify, name="verify the engine")

    async def apply_to(self, apply: Callable[[Event | None], None]) -> None:
        """Apply the events so far; from now on the task that reads an event applies it at once.

        `None` stands for lost or unreadable events.
        """
        while self._early_events:
            apply(self._early_events.popleft())
            await anyio.lowlevel.checkpoint()
        self._apply = apply

    async def _renew(self, current: anyio.CancelScope) -> None:
        while True:
            await anyio.sleep(_RENEWAL_SECONDS)
            following = await self._stream(self._latest)
            current.cancel()
            current = following

    async def _verify(self) -> None:
        """Notice another engine at the same address: a proxy may switch over without losing a connection.

        An engine that is slow to tell its identity, or fails to, is still the same one.
        """
        while True:
            await anyio.sleep(_RENEWAL_SECONDS)
            try:
                found = await self._source.identity()
            except (EngineError, GoneError) as error:
                logger.debug("the engine does not tell its identity: {}", error)
                continue
            if found != self._engine.id:
                raise EngineError("another engine answers in its place")

    async def _stream(self, after: int | None) -> anyio.CancelScope:
        """Begin to read one more stream; returns the scope that ends it."""
        with _answer_in_time():
            scope: anyio.CancelScope = await self._tasks.start(self._read, after, name="read events")
            return scope

    async def _read(self, after: int | None, *, task_status: TaskStatus[anyio.CancelScope]) -> None:
        # This task waits for nothing else: an engine waits 100 ms for each event that a slow reader leaves behind
        # (moby: daemon/events). Another task to apply the events would cost a tenth of a millisecond each.
        with anyio.CancelScope() as scope:
            async with self._source.events(after) as events:
                task_status.started(scope)
                async for event in events:
                    self._note(event)
                raise EngineError("the engine ended the event stream")

    def _note(self, event: Event | None) -> None:
        self._apply(event)
        if event is not None and event.clock is not None:
            self._latest = event.clock
            if self._is_late(event.clock):
                self._apply(None)

    def _is_late(self, clock: int) -> bool:
        """Whether an event comes so late that others may have been dropped; true once for each such delay."""
        delay = time.time() - clock / 1e9
        late = delay > self._least_delay + _LATE_SECONDS
        self._least_delay = delay if late else min(delay, self._least_delay)
        return late


async def identified(source: Source) -> EngineInfo:
    """The engine's identity. It may take any time while pings are answered. Raises `EngineError`, also in a group."""
    await pinged(source)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_ping_meanwhile, source, name="ping")
        engine = await source.info()
        tasks.cancel_scope.cancel()
    return engine


async def _ping_meanwhile(source: Source) -> None:
    await anyio.sleep(_ANSWER_SECONDS)
    told = "waiting for the engine to say who it is (GET /info), which it has not within {:g} s, though it answers"
    logger.warning(f"{told}: look at its log, and at its storage", _ANSWER_SECONDS)
    while True:
        await pinged(source)
        await anyio.sleep(_RENEWAL_SECONDS)


async def pinged(source: Source) -> None:
    """Check that the engine answers. Raises `EngineError`."""
    with _answer_in_time():
        await source.ping()


@contextmanager
def _answer_in_time() -> Iterator[None]:
    """Turn a long wait for the engine into `EngineError`."""
    try:
        with anyio.fail_after(_ANSWER_SECONDS):
            yield
    except TimeoutError:
        raise EngineError(f"the engine did not answer within {_ANSWER_SECONDS:g} s") from None
