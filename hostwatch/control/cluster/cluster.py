"""This host in a cluster: it publishes its own services in the shared store, and follows those of the other hosts."""

from collections.abc import Awaitable, Callable, Mapping

import anyio

from hostwatch.control.cluster.desired import Desired
from hostwatch.control.cluster.follower import Follower
from hostwatch.control.cluster.membership import Membership, Standing
from hostwatch.control.cluster.peers import Peers
from hostwatch.control.cluster.publisher import Publisher
from hostwatch.control.key_values import KeyValueStore
from hostwatch.control.remotes import Remotes
from hostwatch.core.cluster.values import Node
from hostwatch.core.store.store import Store


class Cluster:
    """The cluster, as a member sees it."""

    def __init__(
        self, membership: Membership, store: Store, remotes: Remotes, is_leaving: Callable[[], Awaitable[bool]]
    ) -> None:
        """`is_leaving` tells, when `run` is cancelled, whether this host's keys are to go at once."""
        self._peers = Peers(membership)
        standing = Standing(membership, remotes, self._count)
        self._desired = Desired(membership, store)
        self._publisher = Publisher(membership, self._desired, standing, is_leaving)
        self._follower = Follower(membership, remotes, standing, self._peers)

    def __repr__(self) -> str:
        return f"<Cluster of {len(self._peers.nodes)} hosts with {len(self._peers)} endpoints>"

    def _count(self) -> tuple[int, int]:
        return len(self._peers), self._peers.hosts

    @property
    def nodes(self) -> Mapping[str, Node]:
        """The hosts by their names, this one included while it is a member."""
        return self._peers.nodes

    def look(self) -> None:
        """Something has changed on this host."""
        self._publisher.look()

    async def run(self, key_values: KeyValueStore, ready: Callable[[], Awaitable[None]]) -> None:
        """Be a member, for ever. Nothing is published before `ready` returns."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._follower.run, key_values, self._publisher, name="follow the other hosts")
                await ready()
                tasks.start_soon(self._publisher.run, key_values, name="publish to the other hosts")
        finally:
            with anyio.CancelScope(shield=True):
                await self._desired.close()
