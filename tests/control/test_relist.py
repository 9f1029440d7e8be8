"""Reading everything, while events report changes."""

from collections.abc import Sequence
from typing import cast

import anyio

from hostwatch.control.informer.read_queue import ReadQueue
from hostwatch.control.informer.reader import Reader
from hostwatch.control.informer.relist import relist
from hostwatch.control.source import GoneError, Source
from hostwatch.core.model import Container, ContainerKey, Network, State
from hostwatch.core.store.store import Store
from tests.core.build import box, key, net, on, store

OLD = box("old", on("front", "10.0.0.5"))
NEW = box("new", on("front", "10.0.0.5"))


class Lagging:
    """An engine whose list arrives when one of its containers is gone, and another one has its address."""

    def __init__(self, known: Store) -> None:
        self._known = known
        self.seen: list[State | None] = []
        """The known new container at each read."""

    async def networks(self) -> Sequence[Network]:
        return ()  # the new one's comes later

    async def containers(self) -> Sequence[Container]:
        self._known.drop(OLD.key)
        self._known.put(NEW)
        self._known.put_network(net("front"))
        return (OLD, NEW)

    async def container(self, wanted: ContainerKey, _seconds: float) -> Container:
        new = self._known.container(NEW.key)
        self.seen.append(new.state if new is not None else None)
        if wanted == OLD.key:
            raise GoneError("no such container")
        return NEW


async def test_facts_that_are_newer_than_the_lists_stay() -> None:
    """A removed container must not take the address back from its new holder, and a new network stays."""
    made = store(OLD)
    engine = Lagging(made)
    source = cast("Source", engine)
    async with anyio.create_task_group() as tasks:
        reader = Reader(source, made, lambda _key: None, lambda _files, _cause: None)
        reads = ReadQueue(reader, made, lambda _files, _cause: None, tasks)
        await relist(source, made, reader, reads, "resync")
        tasks.cancel_scope.cancel()
    assert engine.seen == [State.RUNNING, State.RUNNING]
    assert made.container(key("old")) is None
    assert list(made.networks) == [net("front")]
