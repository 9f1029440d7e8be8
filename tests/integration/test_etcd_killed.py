"""The only server of the store is killed and comes back: a follower is told so, and goes on."""

from pathlib import Path

import anyio

from hostwatch.control.key_values import Away, Back, Change, Listed, Put, StoreAddress
from hostwatch.etcd.store import EtcdStore
from tests.noise import crowd
from tests.servers import etcd


async def test_a_watch_outlives_its_server(tmp_path: Path) -> None:
    """The connection breaks in the middle of an answer."""
    with etcd("3.5", tmp_path) as store:
        node, told = store.nodes[0], list[Change]()
        client = EtcdStore(StoreAddress(tuple(store.urls)))
        async with client.following("/a/") as changes:
            with anyio.fail_after(30 * crowd()):
                told += [await anext(changes), await anext(changes)]
                store.put("/a/b", "0")
                told.append(await anext(changes))  # so the watch has begun
                await anyio.to_thread.run_sync(node.kill)
                told.append(await anext(changes))
                await anyio.to_thread.run_sync(store.start)
                told.append(await anext(changes))
                store.put("/a/b", "1")
                told.append(await anext(changes))
        await client.aclose()
    assert [type(change) for change in told] == [Back, Listed, Put, Away, Back, Put]
