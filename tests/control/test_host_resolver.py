"""The host's nameservers are followed while somebody asks for them, and known to the store only then."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import NoReturn

import anyio

from hostwatch.control.causes import HOST_RESOLVER
from hostwatch.control.host_resolver import HostResolverLoop
from hostwatch.core.host_resolver import HostResolver
from hostwatch.core.rules import Rules
from hostwatch.core.store.lister import FileKeys
from hostwatch.core.store.store import Store

FIRST, SECOND = (HostResolver((ip_address(address),)) for address in ("192.0.2.1", "192.0.2.2"))


class AskedStore(Store):
    """A store with subscribers that ask for the host's nameservers, or without any."""

    is_asked = False

    @property
    def asks_host_resolver(self) -> bool:
        """Whether a subscriber asks for them."""
        return self.is_asked


class Source:
    """The host's resolv.conf."""

    def __init__(self) -> None:
        self.changed: Callable[[HostResolver], None] | None = None
        self.follows = 0

    async def follow(self, changed: Callable[[HostResolver], None]) -> NoReturn:
        """Note who follows."""
        self.follows += 1
        self.changed = changed
        try:
            await anyio.sleep_forever()
        finally:
            self.changed = None
        raise AssertionError

    def tell(self, found: HostResolver) -> None:
        """Tell a change."""
        assert self.changed is not None
        self.changed(found)


class Following:
    """The parts together."""

    def __init__(self) -> None:
        self.store, self.source = AskedStore(Rules()), Source()
        self.causes: list[str] = []
        self.loop = HostResolverLoop(self.source, self.store, self._affected)

    def _affected(self, _files: FileKeys, cause: str) -> None:
        self.causes.append(cause)
        self.loop.look()

    async def ask(self, *asked: bool) -> None:
        """Have subscribers ask, or no more, one after the other; wait until that has taken effect."""
        for each in asked:
            self.store.is_asked = each
            self.loop.look()
        await anyio.wait_all_tasks_blocked()


@asynccontextmanager
async def running(made: Following) -> AsyncIterator[Following]:
    """The loop in its place."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(made.loop.run)
        await anyio.wait_all_tasks_blocked()
        yield made
        tasks.cancel_scope.cancel()


async def test_nothing_is_read_before_somebody_asks() -> None:
    """And nothing any more afterwards; then nothing is known."""
    async with running(Following()) as made:
        await made.ask(False)
        assert made.source.follows == 0
        await made.ask(True)
        assert made.store.host_resolver is None
        made.source.tell(FIRST)
        made.source.tell(SECOND)
        assert made.store.host_resolver == SECOND
        assert made.causes == [HOST_RESOLVER] * 2
        await made.ask(True)
        assert made.source.follows == 1
        await made.ask(False)
        assert (made.source.changed, made.store.host_resolver) == (None, None)
        await made.ask(True)
        assert made.source.follows == 2


async def test_subscribers_that_come_and_go_at_once() -> None:
    """The last of them counts."""
    async with running(Following()) as made:
        await made.ask(True, False)
        assert made.source.changed is None
        await made.ask(False, True)
        assert made.source.changed is not None
        made.source.tell(FIRST)
        await made.ask(False, True)
        assert made.source.changed is not None
