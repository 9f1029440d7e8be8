"""Look-ups in the store's containers, networks and roles, each answered by an index.

Nothing changes here: `hostwatch.core.store.store` makes the changes. `hostwatch.core.resolve.desired` computes the
desired block of a hosts file from these look-ups.
"""

from collections.abc import Callable, Hashable, Iterable
from collections.abc import Set as AbstractSet
from typing import TypeVar
from weakref import WeakValueDictionary

from hostwatch.core.host_resolver import HostResolver
from hostwatch.core.model import (
    AddressOrWords,
    Claim,
    Container,
    ContainerKey,
    Endpoint,
    EngineId,
    FileKind,
    HostAddresses,
    Network,
    NetworkKey,
    OnNetwork,
    State,
)
from hostwatch.core.names import folded
from hostwatch.core.rules import Rules, ServiceRule, Subscription
from hostwatch.core.store.index import Entry, Index
from hostwatch.core.store.indexers import HOST_RESOLVER
from hostwatch.core.store.joins import Joins
from hostwatch.core.store.network_context import NetworkContext, network_context_of
from hostwatch.core.store.remotes import Remotes
from hostwatch.core.store.results import Kept, Lasting, Results
from hostwatch.core.store.selection import Roles
from hostwatch.core.store.sharing import Query, Sharing, sharing_of
from hostwatch.core.store.unconfirmed import UnconfirmedAddresses

_NO_ROLES = Roles()

FileKeys = frozenset[ContainerKey]
"""The keys of the containers that own some files."""

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

NETWORKS = "networks"
"""The name of a fact: which networks there are, and what they are called."""
HOST_ADDRESSES = "host addresses"
"""The name of a fact, the host's own addresses to others, and of the index of those whose lines may have them."""
_MOST_RESULTS = 100_000
"""The results that are kept at least, some 60 MB: a file with every name needs three for each, in each context."""
_MOST_OF_EACH = 50
"""The results that are kept for each container, if that is more."""


class Lister:
    """Containers, networks and roles, under one set of rules."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._containers: dict[ContainerKey, Container] = {}
        self._roles: dict[ContainerKey, Roles] = {}
        self._networks: dict[NetworkKey, Network] = {}
        self._host_resolver: HostResolver | None = None
        self._host_addresses: HostAddresses | None = None
        self._queries: WeakValueDictionary[tuple[NetworkContext, Subscription], Query] = WeakValueDictionary()
        self.results = Results()
        self._index: Index[ContainerKey] = Index(self.results)
        self.joins = Joins(self.container, self._index)
        self.unconfirmed = UnconfirmedAddresses()
        self.remotes = Remotes(self._found, self.results)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._containers)} containers on {len(self._networks)} networks>"

    def by_index(self, name: str, *value: Hashable) -> AbstractSet[ContainerKey]:
        """The containers with this value in the index of that name (`hostwatch.core.store.indexers`)."""
        return self._index.keys((name, *value))

    def kept(self, make: "Callable[[Lister, Key], Value]", key: Key) -> Value:
        """The result of a function, made once until a fact changes that it was made from.

        The function may depend on the key, the rules, and on facts that it looks up here.
        """
        return self._kept_of(make)(key)

    def lasting(self, make: "Callable[[Lister, Key], Lasting]", key: Key) -> Lasting:
        """The result of a function, made once until others are used instead. It keeps results of its own."""
        return self.results.lasting(self._kept_of(make), key)

    def _kept_of(self, make: "Callable[[Lister, Key], Value]") -> Kept[Key, Value]:
        most = max(_MOST_RESULTS, _MOST_OF_EACH * len(self._containers))
        return self.results.of(make, self, most)

    @property
    def containers(self) -> Iterable[Container]:
        """All containers of this engine, in no particular order."""
        everyone = self._containers.values()
        return (c for c in everyone if c.host_file is None and c.remote is None and c.claim is not Claim.DEPARTED)

    @property
    def everywhere(self) -> Iterable[Container]:
        """All containers, those of other hosts among them, in no particular order."""
        everyone = self._containers.values()
        return (c for c in everyone if c.host_file is None and c.claim is not Claim.DEPARTED)

    @property
    def host_files(self) -> list[Container]:
        """The files on the host that subscribe, or did so under earlier rules."""
        return [container for container in self._containers.values() if container.host_file is not None]

    @property
    def networks(self) -> Iterable[Network]:
        """All networks, in no particular order."""
        self.results.read(NETWORKS)
        return self._networks.values()

    @property
    def host_addresses(self) -> HostAddresses | None:
        """The host's own addresses to others: those of the configuration, else as found; `None`: not known yet."""
        self.results.read(HOST_ADDRESSES)
        return self.rules.host_addresses or self._host_addresses

    def container(self, key: ContainerKey) -> Container | None:
        """The container of that key; `None` if there is none, or if it was removed."""
        if reading := self.results.reading:
            reading[-1].add(key)
        found = self._containers.get(key)
        return None if found is None or found.claim is Claim.DEPARTED else found

    def last_known(self, key: ContainerKey) -> Container | None:
        """The container of that key, even if it was removed just now."""
        return self._containers.get(key)

    def is_ending(self, key: ContainerKey) -> bool:
        """Whether a container has ended or was removed, and still keeps its names."""
        known = self._containers.get(key)
        return known is not None and known.state is State.STOPPED and known.claim in (Claim.FULL, Claim.DEPARTED)

    def network(self, key: NetworkKey) -> Network | None:
        """The network of that key; `None` if there is none."""
        self.results.read(key)
        return self._networks.get(key)

    def roles(self, key: ContainerKey) -> Roles:
        """The roles of a container; empty ones for an unknown container."""
        return self._roles.get(key, _NO_ROLES)

    # The host.

    @property
    def host_resolver(self) -> HostResolver | None:
        """The nameservers and search domains that the host uses; `None` while they are unknown."""
        self.results.read(HOST_RESOLVER)
        return self._host_resolver

    @property
    def asks_host_resolver(self) -> bool:
        """Whether a subscriber asks for the nameservers or the search domains of the host."""
        return (HOST_RESOLVER,) in self._index

    # Containers by their names and places.

    def behind_rule(self, rule: ServiceRule) -> list[Container]:
        """The containers behind a service of the configuration, in replica order."""
        return self._found(("rule", rule.key))

    def in_compose(self, engine: EngineId, project: str, service: str) -> list[Container]:
        """The containers of a compose service on the engine, in replica order."""
        return self._found(("compose", engine, project, folded(service)))

    def qualified(self, engine: EngineId, name: str) -> list[Container]:
        """The containers of a compose service on the engine, by its name with the project, as in `db.shop`."""
        return self._found(("qualified", engine, folded(name)))

    def named(self, engine: EngineId, name: str) -> list[Container]:
        """The containers of that name on the engine, the latest first.

        The engine gives a name to one container at a time. Any other container here has been removed or renamed, and
        its event is still to come (Podman 4.3 may send a removal's event after the start of the successor).
        """
        found = self._found(("name", engine, folded(name)))
        return sorted(found, key=lambda c: (c.created, c.key.id), reverse=True) if len(found) > 1 else found

    def aliased(self, engine: EngineId, endpoint: OnNetwork, alias: str) -> list[Container]:
        """The containers with that alias on the endpoint's network, in replica order."""
        alias = folded(alias)
        found = self._found(("alias", engine, endpoint.network_name, alias))
        return [c for c in found if any(e.same_network(endpoint) and _has_alias(e, alias) for e in c.endpoints)]

    def labelled(self, engine: EngineId, name: str) -> list[Container]:
        """The containers with that name in `hostwatch.names`, in replica order."""
        return self._found(("label", engine, folded(name)))

    def called(self, engine: EngineId, name: str) -> list[Container]:
        """The containers with that alias on any network, or of the compose service of that name in any project."""
        return self._found(("called", engine, folded(name)))

    def holders(
        self, engine: EngineId, address: AddressOrWords, place: OnNetwork | None = None
    ) -> frozenset[ContainerKey]:
        """The containers that have this address now. With a place: on that network only, as subnets may overlap."""
        found = frozenset(self.by_index("address", engine, address))
        self.results.read_all(found)
        if place is None or not found:
            return found
        return frozenset(key for key in found if _has_address(self._containers[key], address, place))

    def aliases_unread(self, engine: EngineId, endpoint: OnNetwork) -> bool:
        """Whether the aliases of a running container on the endpoint's network are not read yet."""
        return ("unread", engine, endpoint.network_name) in self._index

    def any_aliases_unread(self, engine: EngineId) -> bool:
        """Whether the aliases of a running container on any network are not read yet."""
        return ("unread", engine) in self._index

    def _found(self, entry: Entry) -> list[Container]:
        keys = self._index.keys(entry)
        self.results.read_all(keys)
        if len(keys) < 2:
            return [self._containers[key] for key in keys]
        return sorted((self._containers[key] for key in keys), key=lambda container: container.replica_order)

    # Hosts files.

    def sharing(self, owner: ContainerKey, kind: FileKind = FileKind.HOSTS) -> Sharing:
        """The containers that share a file of `owner`, with their requests for it."""
        return self.kept(Lister._hosts_sharing if kind is FileKind.HOSTS else Lister._resolv_sharing, owner)

    def _hosts_sharing(self, owner: ContainerKey) -> Sharing:
        return self._sharing_of(owner, FileKind.HOSTS)

    def _resolv_sharing(self, owner: ContainerKey) -> Sharing:
        return self._sharing_of(owner, FileKind.RESOLV)

    def _sharing_of(self, owner: ContainerKey, kind: FileKind) -> Sharing:
        sharers = self.joins.sharers(owner)
        return sharing_of(((container, self._roles[container.key]) for container in sharers), kind, self._query)

    def context(self, subscriber: Container) -> NetworkContext:
        """The network context of a subscriber."""
        sandbox, has_lost = self.joins.sandbox(subscriber), self.joins.has_lost_network(subscriber)
        secluded = self._secluded(sandbox) if sandbox is not None else frozenset[str]()
        return network_context_of(subscriber, sandbox, has_lost, secluded)

    def _secluded(self, sandbox: Container) -> frozenset[str]:
        """The container's networks whose containers do not reach each other. One that is not read yet is none."""
        found = (self.network(NetworkKey(sandbox.key.engine, endpoint.network)) for endpoint in sandbox.endpoints)
        return frozenset([network.name for network in found if network is not None and network.secluded])

    def _query(self, subscriber: Container, subscription: Subscription) -> Query:
        context = self.context(subscriber)
        if subscription.is_own:
            return Query(context, subscription, subscriber)
        return self._queries.setdefault((context, subscription), Query(context, subscription))

    def is_subscribed(self, owner: ContainerKey) -> bool:
        """Whether somebody asks for lines in a file of this owner's."""
        if self.sharing(owner).requests:
            return True
        return self.asks_resolv and bool(self.sharing(owner, FileKind.RESOLV).requests)

    @property
    def subscriber_files(self) -> FileKeys:
        """The owners of files with a subscriber."""
        return frozenset(self.joins.files_of(self.by_index("subscriber")))

    @property
    def asks_resolv(self) -> bool:
        """Whether somebody asks for lines in a resolv.conf."""
        return ("resolv",) in self._index

    @property
    def resolv_files(self) -> FileKeys:
        """The owners of resolv.conf files with a subscriber."""
        return frozenset(self.joins.files_of(self.by_index("resolv")))

    def other_files(self, kind: FileKind) -> FileKeys:
        """The files of running containers without a subscriber. Containers that are not enabled are left out."""
        running = (c for c in self.containers if c.state is State.RUNNING and self._roles[c.key].enabled)
        subscribed = self.subscriber_files if kind is FileKind.HOSTS else self.resolv_files
        return frozenset(self.joins.file_of(c.key) for c in running) - subscribed

    @property
    def stale(self) -> frozenset[ContainerKey]:
        """The containers whose state is unknown, so that they must be read again."""
        return frozenset(self.by_index("stale"))


def _has_alias(endpoint: Endpoint, alias: str) -> bool:
    return any(folded(other) == alias for other in endpoint.aliases or ())


def _has_address(container: Container, address: AddressOrWords, place: OnNetwork) -> bool:
    return any(address in endpoint.addresses and endpoint.same_network(place) for endpoint in container.endpoints)
