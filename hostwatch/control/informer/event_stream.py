"""The event stream, one after the other without a gap, and the proof that the engine still answers.

A stream has no sign of life: one that has gone deaf (a connection that a proxy or a firewall forgot) looks like an
engine on which nothing happens, and so does one that aiohttp (3.14) cannot parse any more. Hence each stream is
replaced by a new one before long, which begins where the last one ended: a deaf one is made up for by its successor,
and no proxy finds a stream idle for long. An engine that does not answer is noticed by a ping; who it is may take an
engine long to say, and so is asked beside that.

Which events there are, and what they mean, is not known here.
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
"""How long a stream is read, and after which the engine is pinged, and asked who it is."""
_ANSWER_SECONDS = 5.0
"""An engine that does not answer a ping, or begin a stream, in this time is away. Who it is may take longer to say: it
looks at its images and at its storage for that."""
_LATE_SECONDS = 2.0
"""How much later than others an event may come before more are taken for lost: what somebody leaves unread who stands
still (a stopped process, a machine without a free processor), the engine drops beyond 1,024 events without a word."""


class EventStream:
    """What an engine tells for as long as one connection to it lasts."""

    def __init__(self, source: Source, engine: EngineInfo, tasks: TaskGroup) -> None:
        self._source = source
        self._engine = engine
        self._tasks = tasks
        self._latest = engine.clock
        """The engine's time of what was told last; at first when it said who it is."""
        self._least_delay = time.time() - engine.clock / 1e9 if engine.clock is not None else math.inf
        """The shortest time from an event to its arrival, as the two clocks have it, which need not agree (seconds)."""
        self._told: deque[Event | None] = deque()
        """What was told before it was to be applied."""
        self._apply: Callable[[Event | None], None] = self._told.append

    async def begin(self) -> None:
        """Subscribe, and stay so from now on. Raises `EngineError`; the task group ends with it if that comes later."""
        self._tasks.start_soon(self._renew, await self._stream(None), name="renew the event stream")
        self._tasks.start_soon(self._verify, name="verify the engine")

    async def apply_to(self, apply: Callable[[Event | None], None]) -> None:
        """Apply what was told by now, and from now on each event as it comes, in the task that reads it.

        `None` stands for what is lost or unreadable.
        """
        while self._told:
            apply(self._told.popleft())
            await anyio.lowlevel.checkpoint()
        self._apply = apply

    async def _renew(self, current: anyio.CancelScope) -> None:
        while True:
            await anyio.sleep(_RENEWAL_SECONDS)
            await pinged(self._source)
            following = await self._stream(self._latest)
            current.cancel()
            current = following

    async def _verify(self) -> None:
        """What stands before several engines may have changed over to another one, with no connection lost.

        That the engine does not say who it is, or takes long to, means nothing.
        """
        while True:
            await anyio.sleep(_RENEWAL_SECONDS)
            try:
                found = (await self._source.info()).id
            except (EngineError, GoneError) as error:
                logger.debug("the engine does not say who it is: {}", error)
                continue
            if found != self._engine.id:
                raise EngineError("another engine answers in its place")

    async def _stream(self, after: int | None) -> anyio.CancelScope:
        """Begin to read one more stream; returns what ends it."""
        with _answer_in_time():
            scope: anyio.CancelScope = await self._tasks.start(self._read, after, name="read events")
            return scope

    async def _read(self, after: int | None, *, task_status: TaskStatus[anyio.CancelScope]) -> None:
        # Never waits for anything else: an engine waits 100 ms for each event that a slow reader leaves behind (moby:
        # daemon/events). To have another task apply what this one reads would take a tenth of a millisecond.
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
        """Whether an event comes so much later than others did that some may have been dropped; that is said once."""
        delay = time.time() - clock / 1e9
        late = delay > self._least_delay + _LATE_SECONDS
        self._least_delay = delay if late else min(delay, self._least_delay)
        return late


async def identified(source: Source) -> EngineInfo:
    """Who the engine is; that may take its time, for as long as it answers. Raises `EngineError`, also in a group."""
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
    """Have the engine show that it answers. Raises `EngineError`."""
    with _answer_in_time():
        await source.ping()


@contextmanager
def _answer_in_time() -> Iterator[None]:
    """Turn a wait for the engine that is too long into `EngineError`."""
    try:
        with anyio.fail_after(_ANSWER_SECONDS):
            yield
    except TimeoutError:
        raise EngineError(f"the engine did not answer within {_ANSWER_SECONDS:g} s") from None
