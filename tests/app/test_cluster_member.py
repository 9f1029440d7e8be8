"""A host that joins a cluster, moves within it and leaves it, with a store in memory."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import anyio
from anyio.abc import TaskGroup

from hostwatch.cluster_member import ClusterMember, Host
from hostwatch.config.settings import Settings
from hostwatch.control.keeper import Keeper
from hostwatch.control.news import News
from hostwatch.control.remotes import Remotes
from hostwatch.control.source import EngineInfo
from hostwatch.core.model import EngineId
from hostwatch.core.remote import CLUSTER
from hostwatch.core.rules import Rules
from hostwatch.core.store.store import Store
from tests.control.key_values import MemoryKeyValues

NODES = "/hostwatch/v1/nodes/"


@dataclass
class FilesKeeper:
    """Whether this process keeps the files."""

    is_active: bool = True
    followed: bool = False

    async def is_followed(self) -> bool:
        """Whether another process waits to keep them."""
        return self.followed


class World:
    """A member, and the store."""

    def __init__(self, tasks: TaskGroup) -> None:
        self.values = MemoryKeyValues()
        self.keeper, self.news = FilesKeeper(), News()
        store = Store(Rules())
        self.remotes = Remotes(store, lambda _files, _cause: None)
        keeper = cast("Keeper", self.keeper)
        host = Host(store, self.remotes, lambda: lambda _address: self.values, keeper, self.news, self._loaded)
        self.member = ClusterMember(host)
        self._tasks = tasks

    async def _loaded(self) -> None:
        """The engine has been read."""

    async def adopt(self, engine: str = "E", name: str = "host", **settings: Any) -> None:
        """Have these settings of the cluster beside the URL; `cluster=None`: none."""
        more = {"on_exit": settings.pop("on_exit", "keep")}
        if "cluster" not in settings:
            more["cluster"] = {"etcd": "http://a:2379"} | settings
        info = EngineInfo(EngineId(engine), "28.5", "1.51", Path("/"), name=name)
        await self.member.adopt(Settings.model_validate(more), info, self._tasks)

    async def nodes(self, count: int = 1) -> list[str]:
        """The names of the nodes, each with its engine, once there are so many."""
        await until(lambda: sum(key.startswith(NODES) for key in self.values.values) == count)
        found = {key: json.loads(value) for key, value in self.values.values.items() if key.startswith(NODES)}
        return [f"{key.removeprefix(NODES)} {value['engine']}" for key, value in found.items()]


async def until(check: Callable[[], bool]) -> None:
    """Wait until something is so."""
    with anyio.fail_after(20):
        while True:
            if check():
                return
            await anyio.sleep(0.005)


def live(story: Callable[[World], Awaitable[None]]) -> World:
    """Run a story, and end the member as a daemon ends."""

    async def main() -> World:
        async with anyio.create_task_group() as tasks:
            world = World(tasks)
            await story(world)
            tasks.cancel_scope.cancel()
        return world

    return anyio.run(main)


def test_a_host_joins_moves_and_leaves() -> None:
    """Its keys go from where it was at once, and it has one name at a time."""

    async def story(world: World) -> None:
        await world.adopt(cluster=None)
        assert world.member.cluster is None
        await world.adopt()
        assert await world.nodes() == ["host E"]
        await world.adopt(node="a")
        assert await world.nodes() == ["a E"]
        await world.adopt(node="a", engine="other")
        assert await world.nodes() == ["a other"]
        lease, lists = world.values.entries[f"{NODES}a"].lease, world.values.lists
        await world.adopt(node="a", engine="other", publish={"services": "*", "networks": ["back"]})
        await until(lambda: world.values.lists > lists)  # it has taken over
        assert await world.nodes() == ["a other"]
        assert world.values.entries[f"{NODES}a"].lease == lease, "that is no move"
        assert CLUSTER in world.remotes.states
        await world.adopt(engine="other", cluster=None)
        assert await world.nodes(0) == []
        assert (world.member.cluster, dict(world.remotes.states)) == (None, {})

    live(story)


def test_settings_that_come_twice_at_a_time_make_one_member() -> None:
    """SIGHUP and an engine that is found again: a member that nobody knows of would never leave."""

    async def story(world: World) -> None:
        await world.adopt()
        await world.nodes()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(world.adopt, node="a"))
            tasks.start_soon(partial(world.adopt, node="a"))
        assert await world.nodes() == ["a E"]
        assert len(world.values.followers) == 1

    live(story)


def test_the_end_is_what_on_exit_says() -> None:
    """The keys stay for the next process, unless they are to be removed and there is none."""

    async def stays(world: World) -> None:
        await world.adopt()
        await world.nodes()

    async def goes(world: World) -> None:
        await world.adopt(on_exit="remove")
        await world.nodes()

    async def is_followed(world: World) -> None:
        world.keeper.followed = True
        await goes(world)

    assert len(live(stays).values.entries) == 1
    assert live(goes).values.entries == {}
    assert len(live(is_followed).values.entries) == 1


def test_nothing_is_published_in_standby() -> None:
    """Another process does that, under the same name."""

    async def story(world: World) -> None:
        world.keeper.is_active = False
        await world.adopt()
        await until(lambda: bool(world.values.followers))
        assert world.values.entries == {}
        world.keeper.is_active = True
        world.news.tell()
        assert await world.nodes() == ["host E"]

    live(story)


def test_an_engine_without_a_name_needs_one() -> None:
    """Nothing is done before it is given."""

    async def story(world: World) -> None:
        await world.adopt(name="my host")
        assert world.member.cluster is None
        assert world.values.entries == {}
        await world.adopt(name="my host", node="a")
        assert await world.nodes() == ["a E"]

    live(story)
