"""An etcd as the control loop's `KeyValueStore`."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

import anyio

from hostwatch.control.key_values import Change, Entry, StoreAddress, StoreError
from hostwatch.etcd import failures, wire
from hostwatch.etcd.changes import Changes
from hostwatch.etcd.following import Following
from hostwatch.etcd.lease import Grants, Keeper
from hostwatch.etcd.listing import listed
from hostwatch.etcd.servers import Servers
from hostwatch.etcd.writing import EtcdLease


class EtcdStore:
    """The store at an address. Nothing is connected to before it is asked."""

    def __init__(self, address: StoreAddress) -> None:
        self._servers = Servers(address)

    @asynccontextmanager
    async def following(self, prefix: str) -> AsyncIterator[AsyncIterator[Change]]:
        """What is below a prefix, without end."""
        changes = Changes()
        async with _beside(Following(self._servers, prefix, changes).run, f"follow {prefix} in etcd"):
            yield changes

    @asynccontextmanager
    async def leased(self, ttl_seconds: float, known: int = 0) -> AsyncIterator[EtcdLease]:
        """A lease that is kept in the background."""
        grants = Grants()
        keeper = Keeper(self._servers, grants, ttl_seconds, known)
        async with _beside(keeper.run, "keep a lease of etcd"):
            yield EtcdLease(self._servers, grants, keeper)

    async def get(self, key: str) -> Entry | None:
        """The entry of one key."""
        answer = await self._servers.ask("/v3/kv/range", wire.one(key))
        try:
            entries = [wire.entry(fields) for fields in answer.get("kvs") or ()]
        except wire.UNREADABLE as error:
            raise failures.odd(self._servers.current, "a list of another form") from error
        return entries[0] if entries else None

    async def listed(self, prefix: str) -> tuple[Entry, ...]:
        """What is below a prefix now."""
        server = self._servers.current
        try:
            entries, _ = await listed(self._servers, server, prefix)
        except StoreError as error:
            self._servers.leave(server, error)
            raise
        return entries

    async def check_writable(self, key: str) -> None:
        """Raise `StoreError` unless this user may put a key. Nothing is put: the condition for that never holds."""
        never = {**wire.one(key), "target": "VERSION", "result": "LESS", "version": "0"}
        put = {"request_put": {**wire.one(key), "value": wire.written(b"")}}
        await self._servers.ask("/v3/kv/txn", {"compare": [never], "success": [put]})

    async def aclose(self) -> None:
        """Close all connections."""
        await self._servers.aclose()


@asynccontextmanager
async def _beside(work: Callable[[], Coroutine[object, object, None]], name: str) -> AsyncIterator[None]:
    """Work beside the body until that ends. What the body raises comes out as it is, and in no group."""
    fault: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work, name=name)
        try:
            yield
        except Exception as error:  # noqa: BLE001  # it is raised again
            fault = error
        tasks.cancel_scope.cancel()
    if fault is not None:
        raise fault
