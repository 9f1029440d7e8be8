"""The inventory: every container and network that is known, with the indexes that keep one event cheap.

It changes only in synchronous steps, so that nobody sees it half changed, and each step returns the hosts files that
it may concern. It holds facts and derived roles; what they come to in a hosts file is `hostwatch.core.desired`.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator

from hostwatch.core.model import (
    Address,
    Container,
    ContainerKey,
    Endpoint,
    Health,
    Network,
    NetworkKey,
    NetworkMode,
    State,
)
from hostwatch.core.rules import Rules, ServiceRule
from hostwatch.core.selection import Roles, roles

_MAX_JOINS = 8
"""How many `container:X` are followed; the engine allows chains, and nothing forbids a loop in what we last read."""

Files = frozenset[ContainerKey]
"""Hosts files, by the containers that own them."""


class Inventory:
    """What is known of one or more engines, under one set of rules."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._containers: dict[ContainerKey, Container] = {}
        self._roles: dict[ContainerKey, Roles] = {}
        self._networks: dict[NetworkKey, Network] = {}
        self._index: defaultdict[Hashable, set[ContainerKey]] = defaultdict(set)
        self._touched: dict[ContainerKey, int] = {}
        self._kept: dict[ContainerKey, frozenset[Address]] = {}
        self._clock = 0

    def __repr__(self) -> str:
        return f"<Inventory of {len(self._containers)} containers on {len(self._networks)} networks>"

    # What is known.

    @property
    def containers(self) -> Iterable[Container]:
        """All containers, in no particular order."""
        return self._containers.values()

    @property
    def networks(self) -> Iterable[Network]:
        """All networks, in no particular order."""
        return self._networks.values()

    def container(self, key: ContainerKey) -> Container | None:
        """The container of that key, `None` if there is none."""
        return self._containers.get(key)

    def network(self, key: NetworkKey) -> Network | None:
        """The network of that key, `None` if there is none."""
        return self._networks.get(key)

    def network_of(self, container: Container, endpoint: Endpoint) -> Network | None:
        """The network that an endpoint of the container is on."""
        return self._networks.get(NetworkKey(container.key.engine, endpoint.network))

    def roles(self, key: ContainerKey) -> Roles:
        """The roles of a container; empty ones for an unknown container."""
        return self._roles.get(key, Roles())

    def behind_rule(self, rule: ServiceRule) -> list[Container]:
        """The containers behind a service of the configuration, in replica order."""
        return self._found(("rule", rule.key))

    def in_compose(self, like: ContainerKey, project: str, service: str) -> list[Container]:
        """The containers of a compose service on the engine of `like`, in replica order."""
        return self._found(("compose", like.engine, project, service))

    def named(self, like: ContainerKey, name: str) -> list[Container]:
        """The containers of that name on the engine of `like`: one, but for an instant during a rename."""
        return self._found(("name", like.engine, name))

    def aliased(self, like: ContainerKey, endpoint: Endpoint, alias: str) -> list[Container]:
        """The containers with that alias on the endpoint's network, in replica order."""
        return self._found(("alias", like.engine, endpoint.network, alias))

    def labelled(self, like: ContainerKey, name: str) -> list[Container]:
        """The containers with that name in `hostwatch.names`, in replica order."""
        return self._found(("label", like.engine, name))

    def on_network(self, like: ContainerKey, endpoint: Endpoint) -> list[Container]:
        """The containers on the endpoint's network, in replica order."""
        return self._found(("network", like.engine, endpoint.network))

    def holders(self, like: ContainerKey, address: Address) -> frozenset[ContainerKey]:
        """The containers that have this address now."""
        return frozenset(self._index.get(("address", like.engine, address), ()))

    def host_mode(self, like: ContainerKey) -> list[Container]:
        """The containers in the host's network stack, in replica order."""
        return self._found(("host", like.engine))

    def unread_aliases(self, like: ContainerKey) -> list[Container]:
        """The containers that may have an alias which was not read yet."""
        return self._found(("unread", like.engine))

    def _found(self, term: Hashable) -> list[Container]:
        keys = self._index.get(term)
        if not keys:
            return []
        return sorted((self._containers[key] for key in keys), key=lambda container: container.replica_order)

    # Who shares what.

    def sandbox(self, container: Container) -> Container | None:
        """The container whose network stack this one uses, itself as a rule; `None` while that one is not known."""
        for _ in range(_MAX_JOINS):
            if container.network_mode is not NetworkMode.CONTAINER or container.joined is None:
                return container
            joined = self._containers.get(ContainerKey(container.key.engine, container.joined))
            if joined is None:
                return None
            container = joined
        return None

    def joiners(self, key: ContainerKey) -> set[ContainerKey]:
        """The containers that use the network stack and hosts file of this one, at any depth, without itself."""
        found: set[ContainerKey] = set()
        frontier = [key]
        while frontier:
            for joiner in self._index.get(("joined", frontier.pop()), ()):
                if joiner not in found and joiner != key:
                    found.add(joiner)
                    frontier.append(joiner)
        return found

    def sharers(self, owner: ContainerKey) -> list[Container]:
        """The enabled containers that read the hosts file of `owner`: itself first, then by replica order."""
        first = [self._containers[owner]] if owner in self._containers else []
        joined = (self._containers[key] for key in self.joiners(owner))
        return [*first, *sorted(joined, key=lambda container: container.replica_order)]

    def subscribed(self, owner: ContainerKey) -> bool:
        """Whether anybody subscribes to the hosts file of `owner`."""
        own = self._roles.get(owner)
        if own is not None and own.subscriptions:
            return True
        return any(self._roles[key].subscriptions for key in self.joiners(owner))

    def stir(self, key: ContainerKey) -> Files:
        """Note that the engine has rebuilt the hosts file of a stopped container: it is being started."""
        old = self._containers.get(key)
        if old is None or old.state is not State.STOPPED:
            return frozenset()
        self._touch(key)
        return self._replace(old, dataclasses.replace(old, state=State.UNKNOWN))

    @property
    def subscriber_files(self) -> Files:
        """The hosts files that somebody subscribes to."""
        return frozenset(self._file_of(key) for key in self._index.get(("subscriber",), ()))

    def _file_of(self, key: ContainerKey) -> ContainerKey:
        container = self._containers.get(key)
        sandbox = self.sandbox(container) if container is not None else None
        return key if sandbox is None else sandbox.key

    # How it changes.

    def now(self) -> int:
        """A mark in the order of changes, to be taken before the engine is asked and given to `put`."""
        return self._clock

    def put(self, container: Container, asked: int | None = None) -> Files:
        """Take in what was read of a container; returns the hosts files it may concern.

        `asked` is the mark from before the request. Where the container was touched since (an event said that it is
        changing, an early hint came), the answer may be older than that: its state and addresses are not taken then.
        """
        old = self._containers.get(container.key)
        if old is not None and asked is not None and self._touched.get(container.key, -1) >= asked:
            container = _details_of(container, old)
        return self._replace(old, container)

    def put_listed(self, container: Container) -> Files:
        """Take in what the list says of a container that is being started: all but its state and addresses."""
        old = self._containers.get(container.key)
        if old is None or old.state is State.RUNNING:
            return frozenset()
        known = dataclasses.replace(_details_of(container, old), hostname=old.hostname, hosts_path=old.hosts_path)
        return self._replace(old, dataclasses.replace(known, health=old.health))

    def drop(self, key: ContainerKey) -> Files:
        """Forget a container that is gone; returns the hosts files it may concern."""
        old = self._containers.get(key)
        self._touched.pop(key, None)
        return self._replace(old, None) if old is not None else frozenset()

    def doubt(self, key: ContainerKey) -> Files:
        """Note that a container is changing: its state is unknown until it is read again."""
        old = self._containers.get(key)
        if old is None:
            return frozenset()
        self._touch(key)
        return self._replace(old, dataclasses.replace(old, state=State.UNKNOWN, health=_restarting(old.health)))

    def hint(self, key: ContainerKey, addresses: Iterable[Address]) -> Files:
        """Take in addresses that a container is about to have, before the engine publishes them.

        Refused for a container that runs: its file is its own to write, so nothing in it says who it is. Refused for
        an address that a running container has, and for one that is on no network that is known.
        """
        old = self._containers.get(key)
        if old is None or old.state is State.RUNNING:
            return frozenset()
        endpoints = {endpoint.network_name: endpoint for endpoint in old.endpoints}
        for address in addresses:
            if (network := self._network_around(old, address)) is not None and not self._taken(key, address):
                before = endpoints.get(network.name, Endpoint(network.key.id, network.name))
                endpoints[network.name] = _with_address(before, network, address)
        self._touch(key)
        hinted = dataclasses.replace(
            old, state=State.UNKNOWN, health=_restarting(old.health), endpoints=tuple(endpoints.values())
        )
        return self._replace(old, hinted)

    def connecting(self, key: ContainerKey, endpoint: Endpoint) -> Files:
        """Take in an endpoint that a starting container has by now, as a network's inspection tells it."""
        old = self._containers.get(key)
        if old is None or old.state is State.RUNNING:
            return frozenset()
        others = tuple(known for known in old.endpoints if not known.same_network(endpoint))
        aliases = next((known.aliases for known in old.endpoints if known.same_network(endpoint)), None)
        self._touch(key)
        endpoints = (*others, dataclasses.replace(endpoint, aliases=aliases))
        return self._replace(old, dataclasses.replace(old, state=State.UNKNOWN, endpoints=endpoints))

    def keep(self, file: ContainerKey, addresses: frozenset[Address]) -> None:
        """Note that a hosts file holds these addresses though nothing confirms them.

        Whoever gets one of them concerns that file: its line must go at once.
        """
        for address in self._kept.pop(file, frozenset()):
            self._unlink(("kept", file.engine, address), file)
        if addresses:
            self._kept[file] = addresses
        for address in addresses:
            self._index[("kept", file.engine, address)].add(file)

    def put_network(self, network: Network) -> Files:
        """Take in what was read of a network; returns the hosts files it may concern."""
        if self._networks.get(network.key) == network:
            return frozenset()
        self._networks[network.key] = network
        return self._concerned_by_network(network.key)

    def drop_network(self, key: NetworkKey) -> Files:
        """Forget a network that is gone; returns the hosts files it may concern."""
        return self._concerned_by_network(key) if self._networks.pop(key, None) is not None else frozenset()

    def _touch(self, key: ContainerKey) -> None:
        self._touched[key] = self._clock

    def _replace(self, old: Container | None, new: Container | None) -> Files:
        self._clock += 1
        if old == new:
            return frozenset()
        evicted: frozenset[ContainerKey] = frozenset()
        concerned = self._concerned(old) if old is not None else frozenset()
        if old is not None:
            self._unindex(old)
        if new is None:
            self._leave(old)
        else:
            evicted = self._evict(new)
            self._enter(new)
            concerned |= self._concerned(new)
        return concerned | evicted

    def _leave(self, old: Container | None) -> None:
        if old is not None:
            del self._containers[old.key]
            del self._roles[old.key]

    def _enter(self, new: Container) -> None:
        known = self._containers.get(new.key)
        self._containers[new.key] = new
        if known is None or not _same_selection(known, new):
            self._roles[new.key] = roles(new, self.rules)
        for term in self._terms(new):
            self._index[term].add(new.key)

    def _unindex(self, old: Container) -> None:
        for term in self._terms(old):
            self._unlink(term, old.key)
        # The roles stay until `_enter` has compared: most changes leave them as they are.

    def _unlink(self, term: Hashable, key: ContainerKey) -> None:
        keys = self._index[term]
        keys.discard(key)
        if not keys:
            del self._index[term]

    def _evict(self, new: Container) -> Files:
        """Take the addresses that `new` has now away from whoever was last known to have them."""
        concerned: Files = frozenset()
        for endpoint in new.endpoints:
            for address in endpoint.addresses:
                for key in self.holders(new.key, address) - {new.key}:
                    other = self._containers[key]
                    if any(known.same_network(endpoint) for known in other.endpoints):
                        concerned |= self._replace(other, _without_address(other, address))
        return concerned

    # The indexes.

    def _terms(self, container: Container) -> Iterator[Hashable]:
        key, engine = container.key, container.key.engine
        own = self._roles[key]
        if container.joined is not None:
            yield ("joined", ContainerKey(engine, container.joined))
        yield from self._endpoint_terms(container)
        if not own.enabled:
            return
        yield ("name", engine, container.name)
        if container.project is not None and container.compose_service is not None:
            yield ("compose", engine, container.project, container.compose_service)
        for rule in own.services:
            yield ("rule", rule.key)
        for name in own.names:
            yield ("label", engine, name)
        if container.network_mode is NetworkMode.HOST:
            yield ("host", engine)
        if container.state is not State.STOPPED and any(e.aliases is None for e in container.endpoints):
            yield ("unread", engine)
        for endpoint in container.endpoints:
            for alias in endpoint.aliases or ():
                yield ("alias", engine, endpoint.network, alias)
        yield from self._subscriber_terms(own, container)

    def _endpoint_terms(self, container: Container) -> Iterator[Hashable]:
        engine = container.key.engine
        for endpoint in container.endpoints:
            yield ("network", engine, endpoint.network)
            for address in endpoint.addresses:
                yield ("address", engine, address)

    def _subscriber_terms(self, own: Roles, container: Container) -> Iterator[Hashable]:
        for subscription in own.subscriptions:
            yield ("subscriber",)
            if subscription.everything:
                yield ("reads all", container.key.engine)
            for name in {*(line.service for line in subscription.lines), *subscription.services}:
                yield ("reads", container.key.engine, name)

    # Whom a change concerns.

    def _concerned(self, container: Container) -> Files:
        """The hosts files in which the container may appear, or which it reads."""
        files: set[ContainerKey] = set()
        for changed in (container, *(self._containers[key] for key in self.joiners(container.key))):
            if self._roles[changed.key].subscriptions:
                files.add(self._file_of(changed.key))
            files.update(self._file_of(reader) for reader in self._readers(changed))
        for endpoint in container.endpoints:
            for address in endpoint.addresses:
                files.update(self._index.get(("kept", container.key.engine, address), ()))
        return frozenset(files)

    def _readers(self, service: Container) -> Iterator[ContainerKey]:
        engine, own = service.key.engine, self._roles[service.key]
        if not own.enabled:
            return
        for name in {service.name, *(name for rule in own.services for name in (rule.key, *rule.names))}:
            yield from self._index.get(("reads", engine, name), ())
        if service.compose_service is not None:
            for reader in self._index.get(("reads", engine, service.compose_service), ()):
                if self._containers[reader].project == service.project:
                    yield reader
        local = {*own.names, *(alias for endpoint in service.endpoints for alias in endpoint.aliases or ())}
        for term in (*(("reads", engine, name) for name in local), ("reads all", engine)):
            yield from self._index.get(term, ())

    def _concerned_by_network(self, key: NetworkKey) -> Files:
        concerned: Files = frozenset()
        for member in self._index.get(("network", key.engine, key.id), ()):
            concerned |= self._concerned(self._containers[member])
        return concerned

    # Early hints.

    def _network_around(self, container: Container, address: Address) -> Network | None:
        around = [
            network
            for network in self._networks.values()
            if network.key.engine == container.key.engine and any(address in subnet for subnet in network.subnets)
        ]
        if len(around) > 1:  # drivers such as macvlan let subnets overlap
            names = {endpoint.network_name for endpoint in container.endpoints}
            around = [network for network in around if network.name in names]
        return around[0] if len(around) == 1 else None

    def _taken(self, key: ContainerKey, address: Address) -> bool:
        others = self.holders(key, address) - {key}
        return any(self._containers[other].state is State.RUNNING for other in others)


def _same_selection(old: Container, new: Container) -> bool:
    return old.name == new.name and old.image == new.image and old.labels == new.labels


def _details_of(read: Container, old: Container) -> Container:
    """What was read of a container, but for its state and addresses, which are known better."""
    aliases = {endpoint.network_name: endpoint.aliases for endpoint in read.endpoints}
    endpoints = [
        dataclasses.replace(known, aliases=known.aliases or aliases.get(known.network_name)) for known in old.endpoints
    ]
    known_names = {known.network_name for known in old.endpoints}
    endpoints += [
        dataclasses.replace(endpoint, ipv4=None, ipv6=None)
        for endpoint in read.endpoints
        if endpoint.network_name not in known_names
    ]
    health = Health.NONE if read.health is Health.NONE else old.health or _restarting(read.health)
    return dataclasses.replace(read, state=old.state, health=health, endpoints=tuple(endpoints))


def _restarting(health: Health | None) -> Health | None:
    return health if health in (None, Health.NONE) else Health.STARTING


def _with_address(endpoint: Endpoint, network: Network, address: Address) -> Endpoint:
    gateway = next((gateway for gateway in network.gateways if gateway.version == address.version), endpoint.gateway)
    found = dataclasses.replace(endpoint, network=network.key.id, gateway=endpoint.gateway or gateway)
    if address.version == 4:
        return dataclasses.replace(found, ipv4=address)
    return dataclasses.replace(found, ipv6=address)


def _without_address(container: Container, address: Address) -> Container:
    endpoints = tuple(
        dataclasses.replace(
            endpoint,
            ipv4=None if endpoint.ipv4 == address else endpoint.ipv4,
            ipv6=None if endpoint.ipv6 == address else endpoint.ipv6,
        )
        for endpoint in container.endpoints
    )
    return dataclasses.replace(container, state=State.UNKNOWN, endpoints=endpoints)
