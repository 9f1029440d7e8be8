"""Members of a cluster: what each publishes and takes over, with a store in memory and simulated time."""

import gc
import json
import weakref
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import pytest
import trio
from loguru import logger
from trio.testing import MockClock, wait_all_tasks_blocked

from hostwatch.control.cluster import peers
from hostwatch.control.cluster.cluster import Cluster
from hostwatch.control.cluster.membership import Membership
from hostwatch.control.key_values import Entry
from hostwatch.control.remotes import Published, Remotes, SourceState
from hostwatch.core.cluster.publication import publication_of
from hostwatch.core.cluster.publishing import Publishing
from hostwatch.core.cluster.shares import Share
from hostwatch.core.model import Container, ContainerKey, EngineId
from hostwatch.core.remote import CLUSTER, RemoteEndpoint
from hostwatch.core.rules import Rules
from hostwatch.core.store.store import Store
from tests.control.key_values import AWAY, MemoryKeyValues
from tests.core.build import STOPPED, UNKNOWN, box, hosts, key, on, told

ALL = Publishing(everything=True, networks=frozenset(("back",)))
B = "/hostwatch/v1/services/b/"
DB = box("db", on("back", "10.77.2.5"))


@dataclass
class Member:
    """A host with its containers."""

    engine: EngineId
    cluster: Cluster
    store: Store
    remotes: Remotes
    changes: list[str]
    leaves: bool = False
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    def put(self, *containers: Container) -> None:
        """Have these containers."""
        for container in containers:
            self.store.put(replace(container, key=self.key(container.name)))
        self.cluster.look()

    def key(self, name: str) -> ContainerKey:
        """The key of a container of this host."""
        return key(name, self.engine)

    def told(self, name: str) -> list[str]:
        """The lines of a container."""
        return told(self.store, self.key(name))

    def put_stale(self, name: str) -> None:
        """A container is changing."""
        self.store.mark_stale(self.key(name))
        self.cluster.look()

    @property
    def state(self) -> SourceState:
        """How it stands with the store."""
        return self.remotes.states[CLUSTER]

    @property
    def endpoints(self) -> dict[str, str]:
        """What it knows of others: the ids with the addresses."""
        return {each.id: str(each.ipv4) for each in self.remotes.of(CLUSTER).values()}


class World:
    """Hosts that share a store."""

    def __init__(self, tasks: trio.Nursery) -> None:
        self.values = MemoryKeyValues()
        self._tasks = tasks

    async def join(
        self, node: str, *containers: Container, engine: str = "", publishing: Publishing = ALL, **more: Any
    ) -> Member:
        """A new member."""
        return await self._begin(Store(Rules()), node, *containers, engine=engine, publishing=publishing, **more)

    async def join_again(self, member: Member, node: str) -> Member:
        """The member under this name, as settings that are read again want it."""
        member.leaves = True
        await self.leave(member)
        return await self._begin(member.store, node, engine=member.engine)

    async def _begin(
        self, store: Store, node: str, *containers: Container, engine: str, publishing: Publishing = ALL, **more: Any
    ) -> Member:
        changes = list[str]()

        def changed(files: frozenset[ContainerKey], cause: str) -> None:
            if files:
                changes.append(cause)

        remotes = Remotes(store, changed)
        own_engine = EngineId(engine or f"engine of {node}")
        await remotes.identified(own_engine)
        own = Membership("etcd", "/hostwatch/", node, own_engine, publishing, 10.0, "1")

        async def is_leaving() -> bool:
            return member.leaves

        member = Member(own_engine, Cluster(replace(own, **more), store, remotes, is_leaving), store, remotes, changes)
        member.put(*containers)

        async def run() -> None:
            with member.scope:
                await member.cluster.run(self.values, trio.lowlevel.checkpoint)

        self._tasks.start_soon(run)
        await self.settled()
        return member

    async def leave(self, member: Member) -> None:
        """End a member."""
        member.scope.cancel()
        await self.settled()

    async def settled(self) -> None:
        """Wait until nothing is left to do now."""
        for _ in range(3):
            await trio.sleep(0.03)
            await wait_all_tasks_blocked()


def live(story: Callable[[World], Awaitable[None]]) -> None:
    """Run a story in simulated time."""

    async def main() -> None:
        async with trio.open_nursery() as tasks:
            await story(World(tasks))
            tasks.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))


def replica(address: str, **more: Any) -> bytes:
    """The value of a service with one replica."""
    return json.dumps({"replicas": [{"id": "c1", "name": "db", "names": ["db"], "ipv4": address} | more]}).encode()


@pytest.fixture
def log() -> Any:
    """The lines of the log."""
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(str(message).rstrip()), level="INFO", format="{level} {message}")
    yield lines
    logger.remove(sink)


def test_a_host_knows_what_another_one_publishes() -> None:
    """From its first address to the end of its container; each change is one transaction."""

    async def story(world: World) -> None:
        a, b = await world.join("a"), await world.join("b", DB)
        own = f"b/container/db/{key('db').id}"
        assert a.endpoints == {own: "10.77.2.5"}
        assert b.endpoints == {}
        a.put(box("web", on("front", "10.0.0.2"), labels=hosts("@{db.ip} db")))
        assert a.told("web") == ["10.77.2.5 db"]
        world.values.writes.clear()
        b.put(box("db", on("back", "10.77.2.6")), box("mq", on("back", "10.77.2.7")))
        await world.settled()
        assert sorted(a.endpoints.values()) == ["10.77.2.6", "10.77.2.7"]
        assert [(sorted(puts), deletes) for puts, deletes in world.values.writes] == [
            ([f"{B}container/db", f"{B}container/mq"], [])
        ]
        b.put(box("db", state=STOPPED))
        await world.settled()
        assert list(a.endpoints.values()) == ["10.77.2.7"]
        assert a.changes[-1] == "delete of db on b"
        assert world.values.writes[1:] == [({}, [f"{B}container/db"])]

    live(story)


def test_an_unchanged_host_writes_nothing() -> None:
    """Whatever else happens to its containers."""

    async def story(world: World) -> None:
        b = await world.join("b", DB)
        world.values.writes.clear()
        b.put(box("other", on("front", "10.0.0.9")))
        b.put_stale("db")
        await world.settled()
        assert world.values.writes == []

    live(story)


def test_changes_during_a_write_are_the_next_one() -> None:
    """All of them together."""

    async def story(world: World) -> None:
        b = await world.join("b", DB)
        world.values.writes.clear()
        for number in range(6, 20):
            b.put(box("db", on("back", f"10.77.2.{number}")))
            await trio.sleep(0.001)
        await world.settled()
        assert 2 <= len(world.values.writes) <= 4
        assert "10.77.2.19" in world.values.values[f"{B}container/db"]

    live(story)


def test_a_new_process_takes_the_lease_over() -> None:
    """An upgrade is no change: nothing is written, and nothing is told to others."""

    async def story(world: World) -> None:
        a, b = await world.join("a"), await world.join("b", DB)
        before, seen = dict(world.values.entries), len(a.changes)
        await world.leave(b)
        world.values.writes.clear()
        await world.join("b", box("db", on("back"), state=UNKNOWN))
        assert world.values.writes == []
        assert {k: e.value for k, e in world.values.entries.items()} == {k: e.value for k, e in before.items()}
        assert {e.lease for e in world.values.entries.values()} == {e.lease for e in before.values()}
        assert len(a.changes) == seen

    live(story)


def test_a_new_process_removes_what_ended_meanwhile() -> None:
    """And keeps the rest."""

    async def story(world: World) -> None:
        b = await world.join("b", DB, box("mq", on("back", "10.77.2.7")))
        await world.leave(b)
        await world.join("b", DB)
        assert [k for k in world.values.entries if k.startswith(B)] == [f"{B}container/db"]

    live(story)


@pytest.mark.parametrize("node", ["b", "c"])
def test_a_host_that_joins_again_publishes_all(node: str) -> None:
    """Nothing has changed on it since it was a member before, under this name or another one."""

    async def story(world: World) -> None:
        b = await world.join("b", DB)
        await world.join_again(b, node)
        published = {f"/hostwatch/v1/nodes/{node}", f"/hostwatch/v1/services/{node}/container/db"}
        assert {*world.values.values} == published

    live(story)


def test_a_name_stays_while_its_host_takes_another_name() -> None:
    """The keys under the earlier name live on until their lease runs out."""

    async def story(world: World) -> None:
        a, b = await world.join("a"), await world.join("b", DB)
        a.put(box("web", on("front", "10.0.0.2"), labels=hosts("@{db.ip} db")))
        await world.leave(b)
        await world.join("c", DB, engine=b.engine)
        assert sorted(a.endpoints) == [f"{node}/container/db/{key('db').id}" for node in ("b", "c")]
        assert a.told("web") == ["10.77.2.5 db"]

    live(story)


def test_with_remove_the_names_go_at_once() -> None:
    """Without it they stay until the lease runs out."""

    async def story(world: World) -> None:
        a, b = await world.join("a"), await world.join("b", DB)
        await world.leave(b)
        assert len(a.endpoints) == 1
        b = await world.join("b", DB)
        b.leaves = True
        await world.leave(b)
        assert a.endpoints == {}
        assert list(world.values.values) == ["/hostwatch/v1/nodes/a"]

    live(story)


def test_a_lost_lease_is_made_up_for() -> None:
    """Everything is published anew at once, and the others notice nothing once the store was away."""

    async def story(world: World) -> None:
        a, b = await world.join("a"), await world.join("b", DB)
        before = world.values.values
        world.values.go()
        world.values.come_back()
        await world.settled()
        world.values.end_leases()
        await trio.sleep(0.5)
        assert len(a.endpoints) == 1, "nothing is dropped as long as the return settles"
        world.values.grant_again()
        await world.settled()
        assert world.values.values == before
        await trio.sleep(2)
        assert len(a.endpoints) == 1
        assert b.state.is_up

    live(story)


@pytest.mark.parametrize("is_by_hand", [False, True])
def test_what_is_lost_while_it_is_read_is_made_up_for(is_by_hand: bool) -> None:
    """The lease once more, or a key that somebody deletes."""

    async def story(world: World) -> None:
        await world.join("b", DB)
        before = world.values.values
        lists = world.values.lists
        world.values.end_leases()
        world.values.grant_again()
        await trio.sleep(0.005)
        assert world.values.lists == lists + 1, "it is being read"
        if is_by_hand:
            world.values.delete("/hostwatch/v1/nodes/b")
        else:
            world.values.end_leases()
            world.values.grant_again()
        await world.settled()
        assert world.values.values == before

    live(story)


def test_what_is_deleted_while_it_is_written_is_written_again() -> None:
    """Before the answer is there."""

    async def story(world: World) -> None:
        b = await world.join("b", DB)
        b.put(box("db", on("back", "10.77.2.6")))
        await trio.sleep(0.015)
        assert "10.77.2.6" in world.values.values[f"{B}container/db"]
        world.values.delete(f"{B}container/db")
        await world.settled()
        assert "10.77.2.6" in world.values.values[f"{B}container/db"]

    live(story)


def test_a_host_that_does_not_return_with_the_store_is_dropped() -> None:
    """One second later. If the store goes away again, after its next return."""

    async def story(world: World) -> None:
        a, b = await world.join("a"), await world.join("b", DB)
        await world.leave(b)
        world.values.go()
        for key_of_b in [f"{B}container/db", "/hostwatch/v1/nodes/b"]:
            del world.values.entries[key_of_b]
        world.values.come_back(listed=True)
        await trio.sleep(0.5)
        world.values.go()
        await trio.sleep(5)
        assert len(a.endpoints) == 1
        world.values.come_back()
        await trio.sleep(0.9)
        assert len(a.endpoints) == 1
        await trio.sleep(0.2)
        assert a.endpoints == {}

    live(story)


def test_a_host_that_returns_with_the_second_list_stays() -> None:
    """It was missing in the first one, and the store went away again before that had settled."""

    async def story(world: World) -> None:
        a, b = await world.join("a"), await world.join("b", DB)
        await world.leave(b)
        world.values.go()
        gone = world.values.entries.pop(f"{B}container/db")
        world.values.come_back(listed=True)
        await trio.sleep(0.5)
        world.values.go()
        await trio.sleep(5)
        world.values.entries[gone.key] = gone
        world.values.come_back(listed=True)
        await trio.sleep(2)
        assert len(a.endpoints) == 1

    live(story)


def test_a_host_is_dropped_although_the_list_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is still being taken in when the store's return has settled."""
    replace_all = Remotes.replace

    async def slow(self: Remotes, source: str, endpoints: Iterable[RemoteEndpoint], cause: str) -> None:
        await trio.sleep(3)
        await replace_all(self, source, endpoints, cause)

    async def story(world: World) -> None:
        a, b = await world.join("a"), await world.join("b", DB)
        await world.leave(b)
        world.values.go()
        del world.values.entries[f"{B}container/db"]
        monkeypatch.setattr(Remotes, "replace", slow)
        world.values.come_back(listed=True)
        await trio.sleep(5)
        assert a.endpoints == {}

    live(story)


def test_what_is_published_is_told(log: list[str]) -> None:
    """When a service begins or ends to be it, and always where the host's standing is asked for."""

    async def story(world: World) -> None:
        shop = box("shop-db-1", on("back", "10.77.2.6"), compose="shop/db")
        b = await world.join("b", DB, shop)
        assert b.state.published == Published("b", 2, ("db.shop", "db"))
        b.put(box("mq", on("back", "10.77.2.7"), labels={}), box("db", state=STOPPED))
        await world.settled()
        assert b.state.published == Published("b", 2, ("db.shop", "mq"))
        b.put(DB, *(box(f"x{number}", on("back", f"10.77.2.{number}")) for number in range(10, 30)))
        await world.settled()
        assert b.state.published == Published("b", 23, ("db.shop", "db", "mq", *(f"x{n}" for n in range(10, 17))))
        world.values.end_leases()
        world.values.grant_again()
        await world.settled()
        other = await world.join("b", DB, engine="other")
        assert other.state.published == Published("b")

    live(story)
    few = [f"x{number}" for number in range(10, 19)]
    assert [line.removeprefix("INFO ") for line in log if "publishes" in line and "ERROR" not in line] == [
        "publishes 2 services (db.shop, db) as b",
        "publishes mq: 10.77.2.7",
        "publishes no more db",
        f"publishes 21 services (db, {', '.join(few)} and 11 more)",
    ]


def test_while_the_store_is_away_nothing_changes(log: list[str]) -> None:
    """It is said once, and what has changed on this host is published on its return."""

    async def story(world: World) -> None:
        a, b = await world.join("a"), await world.join("b", DB)
        assert a.state == SourceState("cluster", "etcd", True, a.state.since, "", 1, 1, Published("a"))
        world.values.go()
        b.put(box("db", on("back", "10.77.2.6")))
        await trio.sleep(60)
        world.values.go("another reason")
        world.values.go()
        await trio.sleep(1)
        assert list(a.endpoints.values()) == ["10.77.2.5"]
        assert (a.state.is_up, a.state.fault) == (False, AWAY)
        assert (b.state.is_up, b.state.fault) == (False, AWAY)
        world.values.come_back()
        await world.settled()
        assert list(a.endpoints.values()) == ["10.77.2.6"], "at once"
        assert (b.state.is_up, b.state.fault) == (True, "")

    live(story)
    away = f"WARNING the shared store is away ({AWAY}); what other hosts have stays as last known"
    assert [line for line in log if AWAY in line] == [away, away], "once for each of two hosts"
    answers = "INFO the shared store etcd answers"
    assert [line for line in log if answers in line] == [answers] * 2 + [f"{answers} again"] * 2


def test_a_list_shows_what_is_lost() -> None:
    """If the single changes are not to be had."""

    async def story(world: World) -> None:
        await world.join("b", DB)
        before = world.values.values
        world.values.go()
        world.values.entries.clear()
        world.values.come_back(listed=True)
        await world.settled()
        assert world.values.values == before

    live(story)


def test_a_name_belongs_to_one_engine(log: list[str]) -> None:
    """Another engine is refused, publishes nothing and still follows, also the one that has the name."""

    async def story(world: World) -> None:
        first = await world.join("b", DB)
        second = await world.join("b", box("mq", on("back", "10.77.3.3")), engine="other")
        third = await world.join("c", box("web", on("back", "10.77.4.4")))
        assert [k for k in world.values.entries if k.startswith(B)] == [f"{B}container/db"]
        assert sorted(second.endpoints.values()) == ["10.77.2.5", "10.77.4.4"]
        assert list(first.endpoints.values()) == ["10.77.4.4"]
        fault = (
            "the name b belongs to another engine (engine of b) in the shared store, so that nothing of this host is"
            " published; give each host a name of its own, as `cluster.node`"
        )
        assert (second.state.is_up, second.state.fault) == (True, fault)
        await trio.sleep(60)
        first.leaves = True
        await world.leave(first)
        assert second.state.fault == ""
        assert sorted(third.endpoints.values()) == ["10.77.3.3"]
        assert list(second.endpoints.values()) == ["10.77.4.4"]

    live(story)
    assert [line[:25] for line in log if "belongs" in line] == ["ERROR the name b belongs "], "once"


def test_what_others_delete_or_overwrite_is_put_right() -> None:
    """By hand, or by a mistake."""

    async def story(world: World) -> None:
        await world.join("b", DB)
        before = world.values.values
        for each in before:
            world.values.delete(each)
            await world.settled()
            assert world.values.values == before
        world.values.put(f"{B}container/db", replica("192.0.2.66"))
        world.values.put(f"{B}container/stranger", replica("192.0.2.66"))
        await world.settled()
        assert world.values.values == before

    live(story)


def test_bad_values_are_refused_once(log: list[str]) -> None:
    """By their keys. A value that is mended counts, and one that turns bad counts for nothing."""

    async def story(world: World) -> None:
        bad = f"{B}config/db"
        world.values.put(bad, b"{")
        world.values.put("/hostwatch/v1/nodes/x", b"{}")
        world.values.put("/hostwatch/v1/nodes/x/y", b"{}")
        world.values.put(f"{B}nonsense", replica("10.77.2.5"))
        world.values.put("/hostwatch/v1/later/x", b"?")
        a = await world.join("a")
        for _ in range(3):
            world.values.put(bad, b"{")
        world.values.put(bad, None)
        await world.settled()
        assert a.endpoints == {}
        world.values.put(bad, replica("10.77.2.5"))
        await world.settled()
        assert a.endpoints == {"b/config/db/c1": "10.77.2.5"}
        world.values.put(bad, replica("10.77.2.5", names=["a b"]))
        await world.settled()
        assert a.endpoints == {}

    live(story)
    refused = "in the shared store is refused:"
    warnings = [line for line in log if line.startswith("WARNING ")]
    assert [line.removeprefix("WARNING /hostwatch/v1/") for line in warnings] == [
        f"nodes/x {refused} it names no engine",
        f"nodes/x/y {refused} the key is not one of a node",
        f"services/b/config/db {refused} no JSON",
        f"services/b/nonsense {refused} the key is not one of a service",
        f"services/b/config/db {refused} longer than 65536 bytes",
        f"services/b/config/db {refused} the name a b: not a host name",
    ]


def test_the_number_of_endpoints_is_bounded(log: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is over is refused until there is room."""
    monkeypatch.setattr(peers, "MOST_ENDPOINTS", 2)

    async def story(world: World) -> None:
        a = await world.join("a")
        for name in ("x", "y", "z"):
            world.values.put(f"{B}container/{name}", replica("10.77.2.5"))
        world.values.put(f"{B}container/x", replica("10.77.2.6"))
        await world.settled()
        assert a.endpoints == {"b/container/x/c1": "10.77.2.6", "b/container/y/c1": "10.77.2.5"}
        world.values.delete(f"{B}container/x")
        world.values.put(f"{B}container/z", replica("10.77.2.5"))
        await world.settled()
        assert list(a.endpoints) == ["b/container/y/c1", "b/container/z/c1"]

    live(story)
    assert [line for line in log if "refused" in line] == [
        f"WARNING {B}container/z in the shared store is refused: there are 2 addresses of other hosts already"
    ]


def test_the_number_of_hosts_is_bounded(log: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is over is told once, and counts once there is room. Whose this host's own name is counts always."""
    monkeypatch.setattr(peers, "MOST_HOSTS", 2)
    nodes = "/hostwatch/v1/nodes/"
    host = b'{"engine": "another"}'

    async def story(world: World) -> None:
        for name in "bcd":
            world.values.put(f"{nodes}{name}", host)
        z = await world.join("z")
        world.values.put(f"{nodes}e", host)
        world.values.put(f"{nodes}b", host)
        await world.settled()
        assert sorted(z.cluster.nodes) == ["b", "c", "z"]
        assert z.state.hosts == 2
        for name in "cde":
            await trio.sleep(20)
            world.values.delete(f"{nodes}{name}")
        await trio.sleep(20)
        assert sorted(z.cluster.nodes) == ["b", "z"]
        for name in "cde":
            world.values.put(f"{nodes}{name}", host)
        world.values.delete(f"{nodes}b")
        await trio.sleep(20)
        assert sorted(z.cluster.nodes) == ["c", "d", "z"]

    live(story)
    told = "WARNING there are 2 other hosts in the shared store already; those beyond are not counted"
    assert [line for line in log if "other hosts" in line] == [told]


async def test_keys_under_the_own_name_are_not_kept() -> None:
    """Anybody may write any number of them. If the name becomes another host's, the list is read anew for them."""
    found = peers.Peers(Membership("etcd", "/hostwatch/", "b", EngineId("e"), ALL, 10.0))
    node, db = (
        Entry("/hostwatch/v1/nodes/b", b'{"engine": "another"}', 1),
        Entry(f"{B}config/db", replica("10.7.2.5"), 1),
    )
    assert ([*await found.put(db)], found.keys, found.is_complete) == ([], set(), True)
    assert ([*await found.put(node)], found.is_complete) == ([], False)
    found.begin()
    assert [len(after) for _, after in await found.put(db)] == [1]
    assert ([*await found.put(node)], found.is_complete) == ([], True)
    own = replace(node, value=b'{"engine": "e"}')
    assert [(len(before), len(after)) for before, after in await found.put(own)] == [(1, 0)]
    assert (len(found), found.is_complete) == (0, True)


@pytest.mark.parametrize("wait", [0, 60], ids=["soon after the list", "long after it"])
def test_what_was_refused_counts_once_there_is_room(wait: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list is read anew for that, and not again while nothing more goes."""
    monkeypatch.setattr(peers, "MOST_ENDPOINTS", 2)

    async def story(world: World) -> None:
        a = await world.join("a")
        for name in ("x", "y", "z"):
            world.values.put(f"{B}container/{name}", replica("10.77.2.5"))
        await world.settled()
        await trio.sleep(wait)
        assert world.values.followings == 1
        world.values.delete(f"{B}container/x")
        await trio.sleep(1 if wait else 11)
        assert [*a.endpoints] == ["b/container/y/c1", "b/container/z/c1"]
        world.values.put(f"{B}container/x", replica("10.77.2.5"))
        world.values.delete(f"{B}container/none")
        await trio.sleep(60)
        assert ([*a.endpoints], world.values.followings) == (["b/container/y/c1", "b/container/z/c1"], 2)
        world.values.go()
        world.values.delete(f"{B}container/y")
        await trio.sleep(60)
        assert world.values.followings == 2, "it is away"
        world.values.come_back()
        await trio.sleep(2)
        assert ([*a.endpoints], a.state.endpoints) == (["b/container/z/c1", "b/container/x/c1"], 2)

    live(story)


def test_names_are_unknown_until_the_store_is_heard() -> None:
    """So that lines which an earlier process wrote stay."""

    async def story(world: World) -> None:
        await world.join("b", DB)
        world.values.go()
        a = await world.join("a")
        a.put(box("web", on("front", "10.0.0.2"), labels=hosts("@{db.ip} db")))
        assert a.told("web")[0].startswith("Unknown")
        world.values.come_back(listed=True)
        await world.settled()
        assert a.told("web") == ["10.77.2.5 db"]

    live(story)


def test_a_host_tells_of_itself() -> None:
    """Also without anything to publish."""

    async def story(world: World) -> None:
        a = await world.join("a", DB, publishing=Publishing())
        assert world.values.values == {"/hostwatch/v1/nodes/a": '{"version":1,"engine":"engine of a","hostwatch":"1"}'}
        assert {name: node.version for name, node in a.cluster.nodes.items()} == {"a": "1"}

    live(story)


def test_hosts_of_two_versions_understand_each_other() -> None:
    """What a later version adds is ignored, and what an earlier one lacks has a default."""

    async def story(world: World) -> None:
        a = await world.join("a")
        values: Mapping[str, dict[str, Any]] = {
            "later": {
                "version": 7,
                "weights": [1],
                "replicas": [{"id": "c", "name": "n", "ipv4": "10.0.0.1", "z": {}}],
            },
            "earlier": {"replicas": [{"id": "c", "name": "n"}]},
        }
        for name, value in values.items():
            world.values.put(f"{B}config/{name}", json.dumps(value).encode())
        await world.settled()
        assert a.endpoints == {"b/config/later/c": "10.0.0.1", "b/config/earlier/c": "None"}

    live(story)


def test_a_host_that_leaves_keeps_nothing_of_it() -> None:
    """It may be a member never again, and have thousands of containers."""

    async def story(world: World) -> None:
        b = await world.join("b", *(box(f"left{each}", on("back", f"10.77.2.{each}")) for each in range(1, 30)))
        kept = weakref.ref(publication_of(b.store, ALL, b.engine))
        assert len([*shares()]) == 29
        await world.leave(b)
        gc.collect()
        assert (kept(), [*shares()]) == (None, [])

    def shares() -> Iterable[Share]:
        return (each for each in gc.get_objects() if isinstance(each, Share) and each.replica.name.startswith("left"))

    live(story)
