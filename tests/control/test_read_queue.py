"""Reading containers again: what it costs."""

import dataclasses
from typing import cast

import anyio

from hostwatch.control.informer.read_queue import ReadQueue
from hostwatch.control.informer.reader import Reader
from hostwatch.control.source import Source
from hostwatch.core.model import Container, ContainerKey, State
from hostwatch.core.store.store import Store
from tests.core.build import box, key, on, store

DEATHS = 300


class Dead:
    """An engine on which nothing runs."""

    async def container(self, wanted: ContainerKey, _seconds: float) -> Container:
        return next(dataclasses.replace(found, state=State.STOPPED) for found in BOXES if found.key == wanted)


BOXES = [box(f"c{number}", on("front", f"10.0.{number // 250}.{number % 250 + 1}")) for number in range(DEATHS)]


def reader(engine: object, known: Store) -> Reader:
    """Reads an engine that only knows containers."""
    return Reader(cast("Source", engine), known, lambda _key: None, lambda _files, _cause: None)


class Counting(ReadQueue):
    """Counts the requested confirmations."""

    confirmed = 0

    def confirm(self, key: ContainerKey) -> None:
        self.confirmed += 1
        super().confirm(key)


async def test_an_end_costs_the_same_among_many_others() -> None:
    """Each stale container is looked at once or twice, not at the reading of each other one."""
    made = store(*BOXES)
    async with anyio.create_task_group() as tasks:
        read_queue = Counting(reader(Dead(), made), made, lambda _files, _cause: None, tasks)
        for each in BOXES:
            made.mark_stale(each.key)
            read_queue.enqueue(each.key, "die")
        with anyio.fail_after(20):
            while made.stale:  # noqa: ASYNC110  # nobody tells
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    assert read_queue.confirmed <= 2 * DEATHS


async def test_a_container_that_another_one_makes_stale_is_read_again() -> None:
    """An answer shows that another container has its address, and no event comes for it."""
    old, new = box("old", on("front", "10.0.0.9")), box("new", on("front", "10.0.0.9"))

    class Moved:
        async def container(self, wanted: ContainerKey, _seconds: float) -> Container:
            return new if wanted == new.key else dataclasses.replace(old, endpoints=(on("front", "10.0.0.10"),))

    made = store(old)
    async with anyio.create_task_group() as tasks:
        read_queue = ReadQueue(reader(Moved(), made), made, lambda _files, _cause: None, tasks)
        read_queue.enqueue(new.key, "start")
        with anyio.fail_after(20):
            while (found := made.container(key("old"))) is None or found.state is not State.RUNNING or made.stale:  # noqa: ASYNC110
                await anyio.sleep(0.01)
            while made.holders(old.key.engine, new.endpoints[0].addresses[0]) != {new.key}:  # noqa: ASYNC110
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
