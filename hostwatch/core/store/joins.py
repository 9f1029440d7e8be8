"""Containers that use another container's network stack (`--network container:X`), and so its hosts file."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet

from hostwatch.core.model import Container, ContainerKey, NetworkMode, State
from hostwatch.core.store.index import Index

_MAX_JOINS = 8
"""At most this many joins in a row are followed: the engine allows chains, and the last known joins may form a loop."""


class Joins:
    """Follows joins among the containers of a store."""

    def __init__(self, container: Callable[[ContainerKey], Container | None], index: Index[ContainerKey]) -> None:
        self._container = container
        self._index = index
        self._gone: set[ContainerKey] = set()
        """Containers that others join and that the engine does not have any more."""

    def put_gone(self, key: ContainerKey) -> bool:
        """Take in that the engine does not have a container any more; returns whether others have lost it by that."""
        self._gone.intersection_update([gone for gone in self._gone if ("joined", gone) in self._index])
        if ("joined", key) not in self._index or key in self._gone:
            return False
        self._gone.add(key)
        return True

    def put_there(self, key: ContainerKey) -> None:
        """Take in that the engine has a container."""
        self._gone.discard(key)

    def sandbox(self, container: Container) -> Container | None:
        """The container that has the network stack this one uses, usually itself; `None` while it is not known."""
        end = self._end(container)
        return end if isinstance(end, Container) else None

    def joiners(self, key: ContainerKey) -> set[ContainerKey]:
        """The containers that use the network stack and hosts file of this one, at any depth, without itself."""
        found: set[ContainerKey] = set()
        frontier = [key]
        while frontier:
            for joiner in self._index.keys(("joined", frontier.pop())):
                if joiner not in found and joiner != key:
                    found.add(joiner)
                    frontier.append(joiner)
        return found

    def file_of(self, key: ContainerKey) -> ContainerKey:
        """The owner of the hosts file that the container reads, usually itself."""
        container = self._container(key)
        sandbox = self.sandbox(container) if container is not None else None
        return key if sandbox is None else sandbox.key

    def files_of(self, keys: AbstractSet[ContainerKey]) -> AbstractSet[ContainerKey]:
        """The owners of the hosts files that these containers read. Only containers with a join are looked up."""
        joined = keys & self._index.keys(("joins",))
        return (keys - joined) | set(map(self.file_of, joined)) if joined else keys

    def sharers(self, owner: ContainerKey) -> list[Container]:
        """The containers that read the hosts file of `owner`: itself first, then the others by replica order."""
        own = self._container(owner)
        if own is not None and ("joined", owner) not in self._index and own.network_mode is not NetworkMode.CONTAINER:
            return [own]
        joined = filter(None, map(self._container, self.joiners(owner)))
        everyone = [*([own] if own is not None else []), *sorted(joined, key=lambda c: c.replica_order)]
        return [container for container in everyone if self.file_of(container.key) == owner]

    def has_lost_network(self, container: Container) -> bool:
        """Whether the network stack that the container joined does not exist any more."""
        parent = self._missing_parent(container)
        return (parent is not None and self.is_gone(parent)) or self.has_outlived(container)

    def has_outlived(self, container: Container) -> bool:
        """Whether the joined container was started again after this one, so that this one's network stack is dead.

        Each start makes a new stack, and the old one has only `lo` (engines 20.10 to 28.5).
        """
        sandbox = self.sandbox(container) if container.joined is not None else None
        return sandbox is not None and 0 < container.started < sandbox.started and container.state is State.RUNNING

    def is_gone(self, key: ContainerKey) -> bool:
        """Whether the engine has no such container, although others join it."""
        return key in self._gone

    @property
    def unread_parents(self) -> frozenset[ContainerKey]:
        """The joined containers of which nothing is known, not even that they are gone."""
        joining = filter(None, map(self._container, self._index.keys(("joins",))))
        return frozenset(filter(None, map(self.unread_parent, joining)))

    def unread_parent(self, container: Container) -> ContainerKey | None:
        """The unread parent that this container joined; `None` if its joins are known."""
        parent = self._missing_parent(container)
        return None if parent is None or self.is_gone(parent) else parent

    def _missing_parent(self, container: Container) -> ContainerKey | None:
        end = self._end(container)
        return None if isinstance(end, Container) else end

    def _end(self, container: Container) -> Container | ContainerKey | None:
        """The end of a chain of joins: a container with its own network stack, or the key of one that is not known."""
        for _ in range(_MAX_JOINS):
            if container.network_mode is not NetworkMode.CONTAINER or container.joined is None:
                return container
            key = ContainerKey(container.key.engine, container.joined)
            joined = self._container(key)
            if joined is None:
                return key
            container = joined
        return None
