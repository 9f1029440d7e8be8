"""Following an engine, in simulated time: slow answers, silence, and unreadable events during a read."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

import anyio
import pytest
import trio
from anyio.abc import TaskGroup
from trio.testing import MockClock

from hostwatch.control.figures import EventFigures
from hostwatch.control.informer.informer import Informer, Reports, Timing
from hostwatch.control.source import EngineInfo
from hostwatch.core.model import Container, EngineId
from hostwatch.core.rules import Rules
from hostwatch.core.store.store import Store
from tests.model.engine import Engine
from tests.model.faults import THE_ENGINE, THE_LIST
from tests.model.source import SimulatedSource


class Counting(SimulatedSource):
    """An engine that records the times of requests."""

    def __init__(self, tasks: TaskGroup) -> None:
        super().__init__(Engine(), tasks)
        self.lists: list[float] = []
        self.asked: list[float] = []
        self.asking = self.most_asking = 0

    async def containers(self) -> Sequence[Container]:
        self.lists.append(anyio.current_time())
        return await super().containers()

    async def info(self) -> EngineInfo:
        with self._noted():
            return await super().info()

    async def identity(self) -> EngineId:
        with self._noted():
            return await super().identity()

    @contextmanager
    def _noted(self) -> Iterator[None]:
        self.asked.append(anyio.current_time())
        self.asking += 1
        self.most_asking = max(self.most_asking, self.asking)
        try:
            yield
        finally:
            self.asking -= 1


class Follower:
    """An informer, and the times at which it lost the engine."""

    def __init__(self, source: Counting) -> None:
        self.source = source
        self.lost: list[float] = []
        nothing: Callable[..., None] = lambda *_: None  # noqa: E731
        self.figures = EventFigures()
        reports = Reports(nothing, nothing)
        self.informer = Informer(source, Store(Rules()), reports, Timing(3600.0, 2.0), self.figures)

    async def run(self) -> None:
        async def told(_engine: EngineInfo) -> None:
            pass

        await self.informer.run(told, lambda: self.lost.append(anyio.current_time()))


def lived(life: Callable[[Follower], Awaitable[None]]) -> Follower:
    """Run a history of a follower; returns the follower."""

    async def live() -> Follower:
        async with anyio.create_task_group() as tasks:
            follower = Follower(Counting(tasks))
            await life(follower)
            tasks.cancel_scope.cancel()
        return follower

    return trio.run(live, clock=MockClock(autojump_threshold=0))


@pytest.mark.parametrize("seconds", [6.0, 20.0, 500.0])
def test_an_engine_that_is_slow_to_tell_its_identity_is_not_lost(seconds: float) -> None:
    """It stays connected at the first connection and later. No second request is made before the first is answered."""

    async def life(follower: Follower) -> None:
        follower.source.faults.slow[THE_ENGINE] = seconds
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follower.run)
            await anyio.sleep(seconds - 1)
            assert not follower.informer.connection.is_up
            await anyio.sleep(2)
            for _ in range(200):
                assert follower.informer.connection.is_up
                await anyio.sleep(3)
            tasks.cancel_scope.cancel()

    follower = lived(life)
    assert follower.lost == []
    assert follower.source.most_asking == 1
    assert len(follower.source.asked) > 1


@pytest.mark.parametrize("seconds", [0.001, 500.0])
def test_an_engine_that_falls_silent_is_lost_within_fifteen_seconds(seconds: float) -> None:
    """That holds even before it has told its identity."""

    async def life(follower: Follower) -> None:
        follower.source.faults.slow[THE_ENGINE] = seconds
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follower.run)
            await anyio.sleep(47)
            follower.source.go("hung")
            begin = anyio.current_time()
            await anyio.sleep(16)
            assert 0 < follower.lost[0] - begin <= 15
            tasks.cancel_scope.cancel()

    lived(life)


@pytest.mark.parametrize("moment", [0.5, 2.5])
def test_an_unreadable_event_has_everything_read_again(moment: float) -> None:
    """The next full read comes before long, both for an event during the first one and for one after it."""

    async def life(follower: Follower) -> None:
        follower.source.faults.slow[THE_LIST] = 2.0
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follower.run)
            await anyio.sleep(moment)
            follower.source.teller(["garbled"])({})
            await anyio.sleep(6)
            tasks.cancel_scope.cancel()

    assert len(lived(life).source.lists) == 2


def test_an_engine_that_is_lost_and_regained_is_counted_once() -> None:
    """The first connection is no reconnect, and a resync is none either. Events are counted meanwhile."""

    async def life(follower: Follower) -> None:
        figures = follower.figures
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follower.run)
            await anyio.sleep(5)
            first = figures.last_resync
            for action in ("start", "exec_create: evil", "start"):
                container = {"ID": "f" * 64, "Attributes": {"name": "db"}}
                follower.source.teller(["ok"])({"Type": "container", "Action": action, "Actor": container})
            await anyio.sleep(1)
            assert {key: count for key, count in figures.events.items() if count} == {
                ("container", "start"): 2,
                ("container", "other"): 1,
            }
            assert figures.connections == 1
            assert first > 0
            await follower.informer.adopt(Timing(1800.0, 2.0))
            await anyio.sleep(6)
            assert figures.connections == 1
            assert first < (second := figures.last_resync)
            follower.source.go("hung")
            await anyio.sleep(20)
            assert (figures.connections, figures.last_resync) == (1, second)
            follower.source.go("")
            await anyio.sleep(20)
            assert figures.connections == 2
            assert second < figures.last_resync
            tasks.cancel_scope.cancel()

    lived(life)
