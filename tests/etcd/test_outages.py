"""A follower beside servers that end, freeze, forget and begin anew."""

import shutil
from collections.abc import Iterator

import anyio
import pytest

from hostwatch.control.key_values import Away, Back, Change, Deleted, Entry, Listed, Put, StoreAddress
from tests.conftest import eventually
from tests.etcd.conftest import QUICK
from tests.etcd.history import changes_since, put_somewhere, watched_node
from tests.etcd.told import away, told
from tests.servers import Etcd, EtcdNode, etcd

PREFIX = "/outages/"


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    """A cluster of three nodes."""
    with etcd("3.5", tmp_path_factory.mktemp("etcd"), nodes=3, args=QUICK) as made:
        yield made


class Writer:
    """Makes a thousand changes, while the watched node is stopped, killed and frozen in turn."""

    def __init__(self, server: Etcd) -> None:
        self._server = server
        self.disturbed: EtcdNode | None = None

    def write(self) -> None:
        """All changes, ten at a time, and one more."""
        for step in range(100):
            if step in (10, 40, 70):
                node = self.disturbed = eventually(lambda: watched_node(self._server))
                assert node is not None
                {10: node.stop, 40: node.kill, 70: node.freeze}[step]()
            elif step in (30, 60):
                self._server.start()
                self.disturbed = None
            pairs = {f"{PREFIX}{(step * 10 + each) % 70}": str(step) for each in range(10)}
            put_somewhere(self._server, pairs, self.disturbed)
        put_somewhere(self._server, {f"{PREFIX}end": ""}, self.disturbed)

    def mend(self) -> None:
        """Let the frozen node go on."""
        for node in self._server.nodes:
            node.thaw()


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    """A single node."""
    with etcd("3.5", tmp_path_factory.mktemp("etcd")) as made:
        yield made


def as_seen(change: Change) -> tuple[str, str | None, int]:
    """A change as `changes_since` has it."""
    assert isinstance(change, Put), change
    return change.entry.key, (change.entry.value or b"").decode(), change.entry.revision


@pytest.mark.slow
async def test_no_change_is_lost_or_told_twice(three: Etcd) -> None:
    """There is one list, and each change once, in order, as another node takes over."""
    writer, found = Writer(three), list[tuple[str, str | None, int]]()

    async with told(StoreAddress(tuple(three.urls)), PREFIX) as follower, anyio.create_task_group() as tasks:
        assert await follower.some(2) == [Back(), Listed(())]
        tasks.start_soon(away, writer.write)
        while not found or found[-1][0] != f"{PREFIX}end":
            if not isinstance(change := await follower.next(), Away | Back):  # as on a machine that stood still
                found.append(as_seen(change))
    await away(writer.mend)
    assert found == await away(changes_since, three, PREFIX, 1, found[-1][2])


@pytest.mark.slow
async def test_after_a_compaction_everything_is_listed(three: Etcd) -> None:
    """What happened while the node was away is not to be had any more."""
    node, *others = three.nodes
    await away(three.start)
    async with told(StoreAddress((node.url,)), "/compacted/") as follower:
        assert await follower.some(2) == [Back(), Listed(())]
        await away(node.kill)
        assert isinstance(await follower.next(), Away)
        await away(put_somewhere, three, {"/compacted/a": "1"}, node)
        revision = await away(put_somewhere, three, {"/compacted/a": "2"}, node)
        await away(Etcd(others).compact, revision)
        await away(three.start)
        found = await follower.next()
        while isinstance(found, Away):
            found = await follower.next()
        assert found == Back()
        listed = await follower.next()
        assert isinstance(listed, Listed)
        assert [each.value for each in listed.entries] == [b"2"]


@pytest.mark.slow
async def test_a_store_that_was_made_anew_is_listed(one: Etcd) -> None:
    """Its revisions begin again, so that a watch from the old one would be silent."""
    for number in range(5):
        await away(one.put, "/anew/a", str(number))
    async with told(StoreAddress(tuple(one.urls)), "/anew/") as follower:
        back, listed = await follower.some(2)
        assert (back, listed) == (Back(), Listed((Entry("/anew/a", b"4", 6),)))
        await away(one.nodes[0].kill)
        shutil.rmtree(one.nodes[0].directory / "data")
        await away(one.start)
        revision = await away(one.put, "/anew/b", "1")
        assert revision < 6
        found = await follower.next()
        while isinstance(found, Away | Back):
            found = await follower.next()
        if found == Listed(()):  # it came before the key
            found = await follower.next()
            assert isinstance(found, Put)
        else:
            assert found == Listed((Entry("/anew/b", b"1", revision),))
        await away(one.delete, "/anew/b")
        assert await follower.next() == Deleted("/anew/b")
