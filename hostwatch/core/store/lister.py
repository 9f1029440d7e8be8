"""What is known of one or more engines, and the questions that can be asked about it, each answered by an index.

Nothing changes here: that is `hostwatch.core.store.store`. What the facts come to in a hosts file is
`hostwatch.core.resolve.desired`.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from hostwatch.core.model import (
    Address,
    Claim,
    Container,
    ContainerKey,
    Endpoint,
    EngineId,
    Network,
    NetworkKey,
    NetworkMode,
    OnNetwork,
    State,
)
from hostwatch.core.names import folded
from hostwatch.core.notifications import Notification
from hostwatch.core.rules import Rules, ServiceRule, Subscription, Writer
from hostwatch.core.store.network_context import NetworkContext, network_context_of
from hostwatch.core.store.selection import Roles

_MAX_JOINS = 8
"""How many `container:X` are followed; the engine allows chains, and nothing forbids a loop in what we last read."""

_NO_ROLES = Roles()

FileKeys = frozenset[ContainerKey]
"""Hosts files, by the containers that own them."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Query:
    """What is wanted from one context: one object for all who share it, so that it is quickly found again."""

    context: NetworkContext
    subscription: Subscription
    is_own: bool
    """Whether it speaks of the subscriber itself, so that it comes to something else for each."""


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody who wants lines in a hosts file."""

    subscriber: Container
    query: Query


@dataclass(frozen=True, slots=True)
class Sharing:
    """What those who read one hosts file want of it, which they alone decide."""

    sharers: tuple[Container, ...] = ()
    """The owner first, then by replica order. Nobody reads that of a container which uses another one's."""
    requests: tuple[Request, ...] = ()
    """In that order; the configuration before labels. None: nobody subscribes to the file."""
    writer: Writer = Writer.AUTO
    """How it is to be written: as the first says who does not leave it to us."""
    notices: tuple[tuple[Container, Notification], ...] = ()
    """Who is to be told of a change in it, and how."""


class Lister:
    """Containers, networks and derived roles, under one set of rules."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._containers: dict[ContainerKey, Container] = {}
        self._roles: dict[ContainerKey, Roles] = {}
        self._networks: dict[NetworkKey, Network] = {}
        self.gone: set[ContainerKey] = set()
        """Containers that the engine does not have, though others use their networks; there may be more."""
        self._index: defaultdict[Hashable, set[ContainerKey]] = defaultdict(set)
        self.cached: dict[Hashable, Any] = {}
        """What was worked out from all this, to be forgotten as soon as any of it changes."""
        self._sharing: dict[ContainerKey, Sharing] = {}
        self._queries: WeakValueDictionary[tuple[NetworkContext, Subscription], Query] = WeakValueDictionary()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._containers)} containers on {len(self._networks)} networks>"

    def keys(self, *term: Hashable) -> AbstractSet[ContainerKey]:
        """The containers under a term of `hostwatch.core.store.indexers`."""
        return self._index.get(term, frozenset())

    @property
    def containers(self) -> Iterable[Container]:
        """All containers, in no particular order."""
        return (c for c in self._containers.values() if c.host_file is None and c.claim is not Claim.DEPARTED)

    @property
    def host_files(self) -> list[Container]:
        """The files on the host that subscribe, or did so under the rules of before."""
        return [container for container in self._containers.values() if container.host_file is not None]

    @property
    def networks(self) -> Iterable[Network]:
        """All networks, in no particular order."""
        return self._networks.values()

    def container(self, key: ContainerKey) -> Container | None:
        """The container of that key, `None` if there is none, or none any more."""
        found = self._containers.get(key)
        return None if found is None or found.claim is Claim.DEPARTED else found

    def last_known(self, key: ContainerKey) -> Container | None:
        """The same, or what was known of it until it was removed just now."""
        return self._containers.get(key)

    def network(self, key: NetworkKey) -> Network | None:
        """The network of that key, `None` if there is none."""
        return self._networks.get(key)

    def roles(self, key: ContainerKey) -> Roles:
        """The roles of a container; empty ones for an unknown container."""
        return self._roles.get(key, _NO_ROLES)

    def behind_rule(self, rule: ServiceRule) -> list[Container]:
        """The containers behind a service of the configuration, in replica order."""
        return self._found(("rule", rule.key))

    def in_compose(self, engine: EngineId, project: str, service: str) -> list[Container]:
        """The containers of a compose service on the engine, in replica order."""
        return self._found(("compose", engine, project, folded(service)))

    def qualified(self, engine: EngineId, name: str) -> list[Container]:
        """The containers of a compose service on the engine that is named with its project, as in `db.shop`."""
        return self._found(("qualified", engine, folded(name)))

    def named(self, engine: EngineId, name: str) -> list[Container]:
        """The containers of that name on the engine, the latest first.

        The engine gives a name to one at a time: others that are written the same have been removed or renamed, which
        is not known yet (Podman 4.3 may tell of a removal after its successor's start).
        """
        found = self._found(("name", engine, folded(name)))
        return sorted(found, key=lambda c: (c.created, c.key.id), reverse=True) if len(found) > 1 else found

    def aliased(self, engine: EngineId, endpoint: OnNetwork, alias: str) -> list[Container]:
        """The containers with that alias on the endpoint's network, in replica order."""
        wanted = folded(alias)
        found = self._found(("alias", engine, endpoint.network_name, wanted))
        return [c for c in found if any(e.same_network(endpoint) and _has_alias(e, wanted) for e in c.endpoints)]

    def labelled(self, engine: EngineId, name: str) -> list[Container]:
        """The containers with that name in `hostwatch.names`, in replica order."""
        return self._found(("label", engine, folded(name)))

    def on_network(self, engine: EngineId, endpoint: OnNetwork) -> list[Container]:
        """The containers on the endpoint's network, in replica order."""
        found = self._found(("network", engine, endpoint.network_name))
        return [c for c in found if any(e.same_network(endpoint) for e in c.endpoints)]

    def holders(self, engine: EngineId, address: Address, place: OnNetwork | None = None) -> frozenset[ContainerKey]:
        """The containers that have this address now: on that network, where one is given, as ranges may overlap."""
        found = frozenset(self.keys("address", engine, address))
        if place is None or not found:
            return found
        return frozenset(key for key in found if self._has(self._containers[key], address, place))

    @staticmethod
    def _has(container: Container, address: Address, place: OnNetwork) -> bool:
        return any(address in endpoint.addresses and endpoint.same_network(place) for endpoint in container.endpoints)

    def host_mode(self, engine: EngineId) -> list[Container]:
        """The containers in the host's network stack, in replica order."""
        return self._found(("host", engine))

    def aliases_unread(self, engine: EngineId, endpoint: OnNetwork) -> bool:
        """Whether a container that runs on the endpoint's network may have an alias there that was not read yet."""
        return ("unread", engine, endpoint.network_name) in self._index

    def any_aliases_unread(self, engine: EngineId) -> bool:
        """Whether that is so on any network."""
        return ("unread", engine) in self._index

    def called(self, engine: EngineId, name: str) -> list[Container]:
        """The containers with that alias on any network, or of the compose service of that name in any project."""
        return self._found(("called", engine, folded(name)))

    def _found(self, term: Hashable) -> list[Container]:
        keys = self._index.get(term)
        if not keys:
            return []
        if len(keys) == 1:
            return [self._containers[key] for key in keys]
        return sorted((self._containers[key] for key in keys), key=lambda container: container.replica_order)

    # Who shares what.

    def sandbox(self, container: Container) -> Container | None:
        """The container whose network stack this one uses, itself as a rule; `None` while that one is not known."""
        for _ in range(_MAX_JOINS):
            if container.network_mode is not NetworkMode.CONTAINER or container.joined is None:
                return container
            joined = self.container(ContainerKey(container.key.engine, container.joined))
            if joined is None:
                return None
            container = joined
        return None

    def is_orphaned(self, container: Container) -> bool:
        """Whether the container whose network stack it uses is gone, or was started anew, and the network is gone."""
        return self._missing_parent(container) in self.gone or self.has_outlived(container)

    def has_outlived(self, container: Container) -> bool:
        """Whether the network stack that it uses ended, as the container that has it was started anew since.

        The next one is another stack, and its own has nothing but `lo` (engines 20.10 to 28.5).
        """
        sandbox = self.sandbox(container) if container.joined is not None else None
        return sandbox is not None and 0 < container.started < sandbox.started and container.state is State.RUNNING

    @property
    def unread_parents(self) -> frozenset[ContainerKey]:
        """The containers whose network stacks others use, of which nothing is known, not even that they are gone."""
        unread = (self.unread_parent(self._containers[key]) for key in self.keys("joins"))
        return frozenset(parent for parent in unread if parent is not None)

    def unread_parent(self, container: Container) -> ContainerKey | None:
        """The one of them whose network stack this container uses, `None` for none."""
        parent = self._missing_parent(container)
        return parent if parent not in self.gone else None

    def _missing_parent(self, container: Container) -> ContainerKey | None:
        """The container at the end of the chain of those that it joined, where that one is not known."""
        for _ in range(_MAX_JOINS):
            if container.network_mode is not NetworkMode.CONTAINER or container.joined is None:
                return None
            key = ContainerKey(container.key.engine, container.joined)
            joined = self.container(key)
            if joined is None:
                return key
            container = joined
        return None

    def joiners(self, key: ContainerKey) -> set[ContainerKey]:
        """The containers that use the network stack and hosts file of this one, at any depth, without itself."""
        found: set[ContainerKey] = set()
        frontier = [key]
        while frontier:
            for joiner in self.keys("joined", frontier.pop()):
                if joiner not in found and joiner != key:
                    found.add(joiner)
                    frontier.append(joiner)
        return found

    def sharing(self, owner: ContainerKey) -> Sharing:
        """What those who read the hosts file of `owner` want of it."""
        found = self._sharing.get(owner)
        if found is None:
            found = self._shared_by(self._sharers(owner))
            if self.container(owner) is not None:
                self._sharing[owner] = found
        return found

    def _sharers(self, owner: ContainerKey) -> list[Container]:
        own = self.container(owner)
        first = [own] if own is not None else []
        if first and ("joined", owner) not in self._index and first[0].network_mode is not NetworkMode.CONTAINER:
            return first
        joiners = self.joiners(owner)
        joined = (self._containers[key] for key in joiners)
        sharing = [*first, *sorted(joined, key=lambda container: container.replica_order)]
        return [container for container in sharing if self.file_of(container.key) == owner]

    def _shared_by(self, sharers: Iterable[Container]) -> Sharing:
        parts = [(container, self._roles[container.key]) for container in sharers]
        wanted = [(container, subscription) for container, roles in parts for subscription in roles.subscriptions]
        writers = (subscription.writer for _, subscription in wanted)
        return Sharing(
            tuple(container for container, _ in parts),
            tuple(Request(container, self._query(container, subscription)) for container, subscription in wanted),
            next((writer for writer in writers if writer is not Writer.AUTO), Writer.AUTO),
            tuple((container, notice) for container, roles in parts for notice in roles.notices),
        )

    def context(self, subscriber: Container) -> NetworkContext:
        """Where a subscriber stands."""
        return network_context_of(subscriber, self.sandbox(subscriber), self.is_orphaned(subscriber))

    def _query(self, subscriber: Container, subscription: Subscription) -> Query:
        context = self.context(subscriber)
        new = Query(context, subscription, subscription.is_own)
        return self._queries.setdefault((context, subscription), new)

    @property
    def subscriber_files(self) -> FileKeys:
        """The hosts files that somebody subscribes to."""
        return frozenset(self.files_of(self.keys("subscriber")))

    @property
    def other_files(self) -> FileKeys:
        """The hosts files of running containers that nobody subscribes to, but for containers that are left alone."""
        running = (c for c in self.containers if c.state is State.RUNNING and self._roles[c.key].enabled)
        return frozenset(self.file_of(c.key) for c in running) - self.subscriber_files

    @property
    def stale(self) -> frozenset[ContainerKey]:
        """The containers whose state is unknown, and that are to be read again before long."""
        return frozenset(self.keys("stale"))

    def files_of(self, keys: AbstractSet[ContainerKey]) -> AbstractSet[ContainerKey]:
        """Whose hosts files these containers read: mostly their own, so that only the others are looked up."""
        joined = keys & self.keys("joins")
        return (keys - joined) | set(map(self.file_of, joined)) if joined else keys

    def file_of(self, key: ContainerKey) -> ContainerKey:
        """Whose hosts file the container reads: its own as a rule."""
        container = self.container(key)
        sandbox = self.sandbox(container) if container is not None else None
        return key if sandbox is None else sandbox.key


def _has_alias(endpoint: Endpoint, wanted: str) -> bool:
    return any(folded(alias) == wanted for alias in endpoint.aliases or ())
