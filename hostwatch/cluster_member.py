"""Makes this host a member of the cluster that the settings name. Without one nothing of it is loaded."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup
from loguru import logger

from hostwatch.config.cluster import ClusterSettings
from hostwatch.config.settings import Settings
from hostwatch.control.keeper import Keeper
from hostwatch.control.key_values import KeyValueStore, StoreAddress, endpoint
from hostwatch.control.news import News
from hostwatch.control.remotes import Remotes
from hostwatch.control.source import EngineInfo
from hostwatch.core.model import EngineId
from hostwatch.core.names import shown
from hostwatch.core.remote import CLUSTER
from hostwatch.core.store.store import Store

if TYPE_CHECKING:
    from hostwatch.control.cluster.cluster import Cluster
    from hostwatch.control.cluster.membership import Membership

_Wanted = tuple[ClusterSettings, EngineId, str]
"""The settings, the engine, and the name that the engine has for its host."""
MakeClient = Callable[[StoreAddress], KeyValueStore]
"""Makes the client of a shared store."""
LoadClient = Callable[[], MakeClient]
"""Loads what that needs, which takes long."""


@dataclass(frozen=True, slots=True)
class Host:
    """What the member needs of this host."""

    store: Store
    remotes: Remotes
    load: LoadClient
    keeper: Keeper
    news: News
    """Told whenever this process begins to keep the files, too."""
    loaded: Callable[[], Awaitable[None]]
    """Waits until the engine has been read."""

    async def ready(self) -> None:
        """Wait until this host may publish: its engine has been read, and no other hostwatch keeps its files."""
        await self.loaded()
        seen = 0
        while not self.keeper.is_active:
            seen = await self.news.after(seen)


@dataclass(frozen=True, slots=True)
class _Joined:
    """A membership that is kept up."""

    wanted: _Wanted
    membership: "Membership"
    scope: anyio.CancelScope
    ended: anyio.Event


class ClusterMember:
    """This host as the settings want it: a member of a cluster, or alone."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._joined: _Joined | None = None
        self._adopting = anyio.Lock()
        """SIGHUP may come while the engine is being identified, and to leave a cluster takes seconds."""
        self._removes = False
        """Whether this host's keys are to go at the end, unless another hostwatch follows (`on_exit: remove`)."""
        self._moves: bool | None = None
        """Whether this host leaves its place in the cluster; `None`: the daemon ends."""
        self.cluster: Cluster | None = None
        """The cluster; `None` while there is none."""

    async def adopt(self, settings: Settings, engine: EngineInfo | None, tasks: TaskGroup) -> None:
        """Join the cluster that the settings name, and leave another one. Without an engine nothing is done yet."""
        self._removes = settings.on_exit == "remove"
        async with self._adopting:
            await self._turn(settings, engine, tasks)

    async def _turn(self, settings: Settings, engine: EngineInfo | None, tasks: TaskGroup) -> None:
        wanted = (settings.cluster, engine.id, engine.name) if settings.cluster is not None and engine else None
        joined = self._joined
        if engine is None or (joined.wanted if joined is not None else None) == wanted:
            return
        membership = _membership(wanted) if wanted is not None else None
        if joined is not None:
            self._moves = membership is None or membership.place != joined.membership.place
            joined.scope.cancel()
            await joined.ended.wait()
            self._joined = self._moves = None
        if wanted is not None and membership is not None:
            self._joined = _Joined(wanted, membership, anyio.CancelScope(), anyio.Event())
            self._host.remotes.awaited(CLUSTER)
            tasks.start_soon(self._run, self._joined, name="be a member of the cluster")
        elif joined is not None:
            await self._host.remotes.removed(CLUSTER)

    async def _run(self, joined: _Joined) -> None:
        try:
            with joined.scope:
                # aiohttp takes a fifth of a second to load. No container waits for that.
                make_cluster, make_client = await anyio.to_thread.run_sync(self._load)
                client = make_client(store_address(joined.wanted[0]))
                try:
                    host = self._host
                    self.cluster = make_cluster(joined.membership, host.store, host.remotes, self._is_leaving)
                    await self.cluster.run(client, host.ready)
                finally:
                    self.cluster = None
                    with anyio.CancelScope(shield=True):
                        await client.aclose()
        finally:
            joined.ended.set()

    def _load(self) -> "tuple[type[Cluster], MakeClient]":
        from hostwatch.control.cluster.cluster import Cluster  # noqa: PLC0415

        return Cluster, self._host.load()

    async def _is_leaving(self) -> bool:
        """Whether this host's keys are to go at once."""
        if self._moves is not None:
            return self._moves
        return self._removes and not await self._host.keeper.is_followed()


def _membership(wanted: _Wanted) -> "Membership | None":
    from hostwatch.control.cluster.membership import Membership  # noqa: PLC0415
    from hostwatch.core.cluster.values import is_word  # noqa: PLC0415

    settings, engine, name = wanted
    node = settings.node or name
    if not is_word(node):
        logger.error("cluster: the engine calls its host {!r}, which is no name here; set `cluster.node`", shown(node))
        return None
    return Membership(
        store=", ".join(map(endpoint, settings.etcd)),
        prefix=settings.prefix,
        node=node,
        engine=engine,
        publishing=settings.publish.publishing(),
        ttl_seconds=settings.ttl,
        version=version("hostwatch"),
    )


def store_address(settings: ClusterSettings) -> StoreAddress:
    """The shared store that the settings name."""
    tls = settings.tls
    return StoreAddress(
        tuple(map(endpoint, settings.etcd)), tls.ca, tls.cert, tls.key, settings.user, settings.password_file
    )
