"""A store beside a test, and what its follower is told."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread

from hostwatch.control.key_values import Change, StoreAddress
from hostwatch.etcd.store import EtcdStore
from tests.noise import crowd

T = TypeVar("T")


async def away(work: Callable[..., T], *arguments: object, **named: object) -> T:
    """Work that waits, in a thread, so that the event loop goes on."""
    return await anyio.to_thread.run_sync(partial(work, *arguments, **named))


class Told:
    """What one follower is told, in order."""

    def __init__(self, changes: AsyncIterator[Change]) -> None:
        self._changes = changes

    async def next(self) -> Change:
        """What is told next."""
        with anyio.fail_after(20 * crowd()):
            return await anext(self._changes)

    async def some(self, count: int) -> list[Change]:
        """So many changes."""
        return [await self.next() for _ in range(count)]


@asynccontextmanager
async def a_store(address: StoreAddress) -> AsyncIterator[EtcdStore]:
    """A store that is closed at the end."""
    store = EtcdStore(address)
    try:
        yield store
    finally:
        await store.aclose()


@asynccontextmanager
async def told(address: StoreAddress, prefix: str) -> AsyncIterator[Told]:
    """What a follower of a prefix is told."""
    async with a_store(address) as store, store.following(prefix) as changes:
        yield Told(changes)
