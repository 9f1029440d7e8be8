"""Many changes of other hosts that come at once are taken in in steps, so that the host's own files do not wait."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from hostwatch.control.cluster import desired, peers
from hostwatch.control.cluster.cluster import Cluster
from hostwatch.control.cluster.desired import Desired
from hostwatch.control.cluster.membership import Membership
from hostwatch.control.cluster.peers import Peers
from hostwatch.control.key_values import Back, Change, Deleted, Entry, Listed, Put
from hostwatch.control.remotes import Remotes
from hostwatch.core.cluster.publishing import Publishing
from hostwatch.core.cluster.values import Replica, value_of
from hostwatch.core.model import EngineId
from hostwatch.core.remote import CLUSTER
from hostwatch.core.rules import Rules
from hostwatch.core.store.store import Store
from tests.control.key_values import MemoryKeyValues

_COUNT = 2_000
"""Changes: some 100 ms of work, so fifty steps."""
_MEMBERSHIP = Membership("etcd", "/hostwatch/", "a", EngineId("e"), Publishing(), 10.0)


class Ready(MemoryKeyValues):
    """A store whose changes have all come already, as after a message of an etcd with many of them."""

    def __init__(self) -> None:
        super().__init__()
        self.goes = anyio.Event()
        """Set to let everything go, as after the store's return."""

    @asynccontextmanager
    async def following(self, prefix: str) -> AsyncIterator[AsyncIterator[Change]]:
        """All at once."""
        yield self._all_at_once(prefix)

    async def _all_at_once(self, prefix: str) -> AsyncIterator[Change]:
        yield Back()
        yield Listed(())
        keys = [f"{prefix}services/b/container/db{number}" for number in range(_COUNT)]
        for number, key in enumerate(keys):
            value = f'{{"replicas":[{{"id":"1","name":"db","ipv4":"10.9.{number // 250}.{number % 250}"}}]}}'
            yield Put(Entry(key, value.encode(), 1))
        await self.goes.wait()
        yield Back()
        for key in keys:
            yield Deleted(key)
        await anyio.sleep_forever()


@pytest.mark.slow
async def test_many_changes_leave_turns_to_others() -> None:
    store = Store(Rules())
    remotes = Remotes(store, lambda _files, _cause: None)
    await remotes.identified(EngineId("e"))

    async def is_leaving() -> bool:
        return False

    def is_under_way() -> bool:
        return 0 < len(remotes.of(CLUSTER)) < _COUNT

    values, coming, going = Ready(), 0, 0
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Cluster(_MEMBERSHIP, store, remotes, is_leaving).run, values, checkpoint)
        while len(remotes.of(CLUSTER)) < _COUNT:
            await checkpoint()
            coming += is_under_way()
        values.goes.set()
        while remotes.of(CLUSTER):
            await checkpoint()
            going += is_under_way()
        tasks.cancel_scope.cancel()
    assert coming > 10
    assert going > 3


async def test_a_long_value_is_not_parsed_on_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes up to 20 ms, and anybody who may write to the store may make it as long."""
    threads = list[int]()

    def noting(module: Any, name: str) -> None:
        parse = getattr(module, name)

        def noted(*arguments: Any) -> Any:
            threads.append(threading.get_ident())
            return parse(*arguments)

        monkeypatch.setattr(module, name, noted)

    noting(peers, "endpoints_of")
    noting(peers, "parsed_node")
    noting(desired, "parsed_replicas")
    others = Peers(_MEMBERSHIP)
    long = value_of(Replica(f"{number:064x}", "db") for number in range(500))
    for value in (long, value_of([Replica("1", "db")])):
        threads.clear()
        await others.put(Entry("/hostwatch/v1/services/b/container/db", value, 1))
        await others.put(Entry("/hostwatch/v1/nodes/b", value, 1))
        await Desired(_MEMBERSHIP, Store(Rules())).begin({f"{_MEMBERSHIP.services_key}container/db": value})
        assert [thread == threading.get_ident() for thread in threads] == [value is not long] * 3
