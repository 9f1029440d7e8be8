"""The states of a key in the read queue, in simulated time: the times of its reads."""

import dataclasses
from collections.abc import Awaitable, Callable
from typing import cast

import anyio
import pytest
import trio
from trio.testing import MockClock

from hostwatch.control.informer.read_queue import ReadQueue
from hostwatch.control.informer.reader import Reader
from hostwatch.control.informer.unread import UNREAD_SECONDS
from hostwatch.control.source import EngineError, Source
from hostwatch.core.model import Container, ContainerKey, State
from hostwatch.core.store.store import Store
from tests.core.build import box, on, store

DB = box("db", on("front", "10.0.0.5"))
SLOW_SECONDS = 0.5


class Engine:
    """Answers after a while, or fails."""

    def __init__(self) -> None:
        self.inspected: list[float] = []
        self.listings = 0
        self.seconds = 0.0
        self.is_failing = False
        self.answer = DB

    async def container(self, _key: ContainerKey, seconds: float) -> Container:
        self.inspected.append(anyio.current_time())
        await anyio.sleep(min(self.seconds, seconds))
        if seconds < self.seconds:
            raise EngineError("no answer")
        if self.is_failing:
            raise EngineError("no")
        return self.answer

    async def listed(self, _key: ContainerKey) -> Container:
        self.listings += 1
        return DB


Life = Callable[[Engine, ReadQueue, Store], Awaitable[None]]


def lived(life: Life) -> Engine:
    """The engine after this use of a queue, and the seconds from the begin to each inspection."""

    async def live() -> Engine:
        engine, known = Engine(), store(DB)
        begin = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            reader = Reader(cast("Source", engine), known, lambda _key: None, lambda _files, _cause: None)
            await life(engine, ReadQueue(reader, known, lambda _files, _cause: None, tasks), known)
            tasks.cancel_scope.cancel()
        engine.inspected = [round(moment - begin, 3) for moment in engine.inspected]
        return engine

    return trio.run(live, clock=MockClock(autojump_threshold=0))


def test_equal_keys_collapse() -> None:
    """Many events before the read begins are one read."""

    async def life(_engine: Engine, reads: ReadQueue, _known: Store) -> None:
        for _ in range(5):
            reads.enqueue(DB.key, "event")
        await anyio.sleep(60)

    assert lived(life).inspected == [0]


def test_a_key_that_is_enqueued_while_it_is_read_is_read_once_more() -> None:
    """The answer may be older than the event. Several events are one more read."""

    async def life(engine: Engine, reads: ReadQueue, _known: Store) -> None:
        engine.seconds = SLOW_SECONDS
        reads.enqueue(DB.key, "event")
        await anyio.sleep(SLOW_SECONDS / 2)
        for _ in range(5):
            reads.enqueue(DB.key, "event")
        await anyio.sleep(60)

    assert lived(life).inspected == [0, SLOW_SECONDS]


@pytest.mark.parametrize(("is_asked", "moment"), [(False, 0.25), (True, 0.1)])
def test_a_delay_ends_in_time_or_by_another_event(is_asked: bool, moment: float) -> None:
    """An event that comes first replaces the delayed read. One more delay changes nothing."""

    async def life(_engine: Engine, reads: ReadQueue, _known: Store) -> None:
        reads.enqueue(DB.key, "disconnect", delay=0.25)
        await anyio.sleep(0.1)
        reads.enqueue(DB.key, "disconnect", delay=0.25)
        if is_asked:
            reads.enqueue(DB.key, "connect")
        await anyio.sleep(60)

    assert lived(life).inspected == [moment]


@pytest.mark.parametrize(("state", "moments"), [(State.RUNNING, [0.25]), (State.STOPPED, [0.25, 0.75])])
def test_a_read_under_way_at_a_start_is_enough_if_it_finds_the_container_running(
    state: State, moments: list[float]
) -> None:
    """The engine answers an inspection after the start. If it was answered before, it is made once more."""

    async def life(engine: Engine, reads: ReadQueue, _known: Store) -> None:
        engine.seconds, engine.answer = SLOW_SECONDS, dataclasses.replace(DB, state=state)
        reads.enqueue(DB.key, "die", delay=0.25)
        await anyio.sleep(0.5)
        reads.enqueue_started(DB.key, "start")
        await anyio.sleep(60)

    assert lived(life).inspected == moments


def test_a_start_has_a_container_read_at_once() -> None:
    """Also one whose read is delayed."""

    async def life(_engine: Engine, reads: ReadQueue, _known: Store) -> None:
        reads.enqueue_started(DB.key, "start")
        await anyio.sleep(1)
        reads.enqueue(DB.key, "die", delay=0.25)
        await anyio.sleep(0.1)
        reads.enqueue_started(DB.key, "start")
        await anyio.sleep(60)

    assert lived(life).inspected == [0, 1.1]


def test_a_delayed_read_is_delayed_longer_while_the_container_is_being_started() -> None:
    """The engine would answer only after the start, which has an event."""

    async def life(_engine: Engine, reads: ReadQueue, known: Store) -> None:
        known.mark_stale(DB.key)
        reads.enqueue(DB.key, "die", delay=0.25)
        await anyio.sleep(0.1)
        reads.confirm(DB.key)
        await anyio.sleep(60)

    assert lived(life).inspected == [0.75]


def test_a_step_before_the_read_is_taken_only_where_the_read_was_delayed() -> None:
    """Once, and before the inspection."""
    taken: list[int] = []

    async def life(engine: Engine, reads: ReadQueue, _known: Store) -> None:
        async def first() -> None:
            taken.append(len(engine.inspected))

        reads.enqueue_after(first, DB.key, "connect")
        await anyio.sleep(1)
        reads.enqueue(DB.key, "disconnect", delay=0.25)
        await anyio.sleep(0.1)
        reads.enqueue_after(first, DB.key, "connect")
        await anyio.sleep(60)

    assert lived(life).inspected == [0, 1.1]
    assert taken == [1]


def test_a_back_off_ends_by_an_event() -> None:
    """Requests come no more often than the back-off allows, except after an event."""

    async def life(engine: Engine, reads: ReadQueue, _known: Store) -> None:
        engine.is_failing = True
        reads.enqueue(DB.key, "event")
        await anyio.sleep(20)
        assert len(engine.inspected) < 15
        asked = len(engine.inspected)
        engine.is_failing = False
        reads.enqueue(DB.key, "event")
        await anyio.sleep(0.001)
        assert len(engine.inspected) == asked + 1
        await anyio.sleep(60)
        assert len(engine.inspected) == asked + 1

    lived(life)


def test_a_read_that_fails_for_long_is_given_up_and_comes_back() -> None:
    """The container counts as listed then, and is inspected at long intervals until that works."""

    async def life(engine: Engine, reads: ReadQueue, _known: Store) -> None:
        engine.is_failing = True
        reads.enqueue(DB.key, "event")
        await anyio.sleep(UNREAD_SECONDS + 1)
        assert engine.listings > 0
        await anyio.sleep(300)
        engine.is_failing = False
        await anyio.sleep(61)
        listings, inspections = engine.listings, len(engine.inspected)
        await anyio.sleep(300)
        assert (engine.listings, len(engine.inspected)) == (listings, inspections)

    assert lived(life).listings < 20


def test_a_container_that_changes_all_the_time_is_read_four_times_a_second_in_the_long_run() -> None:
    """Its own file is compared at once, other affected files before its next read."""

    async def life(_engine: Engine, reads: ReadQueue, _known: Store) -> None:
        files = frozenset({DB.key, box("web").key})
        assert reads.admitted(DB.key, files, "die") == files
        for _ in range(1000):
            reads.enqueue(DB.key, "die")
            await anyio.sleep(0.01)
        assert reads.admitted(DB.key, files, "die") == {DB.key}

    assert len(lived(life).inspected) <= 20 + 10 * 4 + 2


def test_a_stale_container_is_read_until_it_is_known() -> None:
    """Without an event it is read some time later; an event causes the read at once."""

    async def life(_engine: Engine, reads: ReadQueue, known: Store) -> None:
        known.mark_stale(DB.key)
        reads.confirm(DB.key)
        reads.confirm(DB.key)
        await anyio.sleep(60)
        assert not known.stale

    assert lived(life).inspected == [0.5]
