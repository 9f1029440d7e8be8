"""The inventory: every container and network that is known, with the indexes that keep one event cheap.

It changes only in synchronous steps, so that nobody sees it half changed, and each step returns the hosts files that
it may concern. It holds facts and derived roles; what they come to in a hosts file is `hostwatch.core.desired`.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Hashable, Iterable
from collections.abc import Set as AbstractSet
from pathlib import Path

from hostwatch.core.model import (
    Address,
    Container,
    ContainerId,
    ContainerKey,
    Endpoint,
    EngineId,
    Network,
    NetworkKey,
    NetworkMode,
    State,
)
from hostwatch.core.notices import Notice
from hostwatch.core.reading import (
    details_of,
    restarting,
    same_selection,
    with_address,
    without_address,
    without_addresses,
)
from hostwatch.core.rules import Rules, ServiceRule, Writer
from hostwatch.core.selection import Roles, roles
from hostwatch.core.terms import called, qualified, terms

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
        return (container for container in self._containers.values() if container.host_file is None)

    @property
    def host_files(self) -> list[Container]:
        """The files on the host that subscribe, or did so under the rules of before."""
        return [container for container in self._containers.values() if container.host_file is not None]

    @property
    def networks(self) -> Iterable[Network]:
        """All networks, in no particular order."""
        return self._networks.values()

    def container(self, key: ContainerKey) -> Container | None:
        """The container of that key, `None` if there is none."""
        return self._containers.get(key)

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
        found = self._found(("alias", like.engine, endpoint.network_name, alias))
        return [c for c in found if any(e.same_network(endpoint) and alias in (e.aliases or ()) for e in c.endpoints)]

    def labelled(self, like: ContainerKey, name: str) -> list[Container]:
        """The containers with that name in `hostwatch.names`, in replica order."""
        return self._found(("label", like.engine, name))

    def on_network(self, like: ContainerKey, endpoint: Endpoint) -> list[Container]:
        """The containers on the endpoint's network, in replica order."""
        found = self._found(("network", like.engine, endpoint.network_name))
        return [c for c in found if any(e.same_network(endpoint) for e in c.endpoints)]

    def holders(self, like: ContainerKey, address: Address) -> frozenset[ContainerKey]:
        """The containers that have this address now."""
        return frozenset(self._keys("address", like.engine, address))

    def host_mode(self, like: ContainerKey) -> list[Container]:
        """The containers in the host's network stack, in replica order."""
        return self._found(("host", like.engine))

    def aliases_unread(self, like: ContainerKey, endpoint: Endpoint) -> bool:
        """Whether a container that runs on the endpoint's network may have an alias there that was not read yet."""
        return ("unread", like.engine, endpoint.network_name) in self._index

    def any_aliases_unread(self, like: ContainerKey) -> bool:
        """Whether that is so on any network."""
        return ("unread", like.engine) in self._index

    def called(self, like: ContainerKey, name: str) -> list[Container]:
        """The containers with that alias on any network, or of the compose service of that name in any project."""
        return self._found(("called", like.engine, name))

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
            for joiner in self._keys("joined", frontier.pop()):
                if joiner not in found and joiner != key:
                    found.add(joiner)
                    frontier.append(joiner)
        return found

    def sharers(self, owner: ContainerKey) -> list[Container]:
        """The containers that read the hosts file of `owner`: itself first, then by replica order.

        Nobody reads that of a container which uses another one's: there is no such file.
        """
        first = [self._containers[owner]] if owner in self._containers else []
        joined = (self._containers[key] for key in self.joiners(owner))
        sharing = [*first, *sorted(joined, key=lambda container: container.replica_order)]
        return [container for container in sharing if self._file_of(container.key) == owner]

    def writer(self, owner: ContainerKey) -> Writer:
        """How the hosts file of `owner` is to be written: as the first says that does not leave it to us."""
        wanted = (s.writer for container in self.sharers(owner) for s in self._roles[container.key].subscriptions)
        return next((writer for writer in wanted if writer is not Writer.AUTO), Writer.AUTO)

    def notices(self, owner: ContainerKey) -> list[tuple[Container, Notice]]:
        """Who is to be told of a change in the hosts file of `owner`, and how."""
        return [(container, n) for container in self.sharers(owner) for n in self._roles[container.key].notices]

    def subscribed(self, owner: ContainerKey) -> bool:
        """Whether anybody subscribes to the hosts file of `owner`."""
        return any(self._roles[container.key].subscriptions for container in self.sharers(owner))

    @property
    def subscriber_files(self) -> Files:
        """The hosts files that somebody subscribes to."""
        return frozenset(map(self._file_of, self._keys("subscriber")))

    @property
    def other_files(self) -> Files:
        """The hosts files of running containers that nobody subscribes to, but for containers that are left alone."""
        running = (c for c in self.containers if c.state is State.RUNNING and self._roles[c.key].enabled)
        return frozenset(self._file_of(c.key) for c in running) - self.subscriber_files

    @property
    def in_doubt(self) -> frozenset[ContainerKey]:
        """The containers whose state is unknown, and that are to be read again before long."""
        return frozenset(self._keys("in doubt"))

    def _file_of(self, key: ContainerKey) -> ContainerKey:
        container = self._containers.get(key)
        sandbox = self.sandbox(container) if container is not None else None
        return key if sandbox is None else sandbox.key

    # How it changes.

    def add_host_files(self, engine: EngineId, hostname: str) -> None:
        """Have the files on the host that the rules name subscribe to this engine; those of another one are forgotten.

        `hostname` is the host's own, which is never published.
        """
        for other in self.host_files:
            if other.key.engine != engine:
                self.keep(other.key, frozenset())
                self._leave(other)
        for rule in reversed(self.rules.subscribers):  # of several for one file the first gives it its name
            if isinstance(rule.target, Path):
                key = ContainerKey(engine, ContainerId(f"file:{rule.target}"))
                mode, state = NetworkMode.HOST, State.RUNNING
                found = Container(key, rule.key, state, {}, hostname=hostname, network_mode=mode, host_file=rule.target)
                self._replace(key, found)

    def adopt(self, rules: Rules) -> Files:
        """Follow other rules from now on; returns the hosts files that are subscribed to under the old or the new."""
        before = self.subscriber_files
        self.rules = rules
        for container in list(self._containers.values()):
            self._leave(container)
            self._enter(container, roles(container, rules))
        return before | self.subscriber_files

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
            container = details_of(container, old)
        if container.state is State.STOPPED:
            container = dataclasses.replace(container, endpoints=tuple(map(without_addresses, container.endpoints)))
        return self._replace(container.key, container)

    def put_listed(self, container: Container) -> Files:
        """Take in what the list says of a container that is being started: all but its state and addresses."""
        key = container.key
        old = self._containers.get(key)
        if old is None or old.state is State.RUNNING:
            return frozenset()
        known = dataclasses.replace(details_of(container, old), hostname=old.hostname)
        return self._replace(key, known)

    def drop(self, key: ContainerKey) -> Files:
        """Forget a container that is gone; returns the hosts files it may concern."""
        self._touched.pop(key, None)
        return self._replace(key, None)

    def doubt(self, key: ContainerKey) -> Files:
        """Note that a container is changing: its state is unknown until it is read again."""
        old = self._containers.get(key)
        return self._doubt(old) if old is not None else frozenset()

    def stir(self, key: ContainerKey) -> Files:
        """Note that the engine has rebuilt the hosts file of a stopped container: it is being started."""
        old = self._containers.get(key)
        if old is None or old.state is not State.STOPPED:
            return frozenset()
        return self._doubt(old)

    def hint(self, key: ContainerKey, addresses: Iterable[Address]) -> Files:
        """Take in addresses that a container is about to have, before the engine publishes them.

        Refused for a container that runs: its file is its own to write, so nothing in it says who it is. Refused for
        one without networks of its own, for an address that a running container has, and for one that is on no
        network that is known.
        """
        old = self._containers.get(key)
        if old is None or old.state is State.RUNNING or old.network_mode in (NetworkMode.HOST, NetworkMode.CONTAINER):
            return frozenset()
        endpoints = {endpoint.network_name: endpoint for endpoint in old.endpoints}
        accepted: dict[tuple[NetworkKey, int], tuple[Network, Address]] = {}
        for address in addresses:
            if (network := self._network_around(old, address)) is not None and not self._taken(key, address):
                # The engine's line is the first of each family; what the container itself appends comes after it.
                accepted.setdefault((network.key, address.version), (network, address))
        for network, address in accepted.values():
            before = endpoints.get(network.name, Endpoint(network.key.id, network.name))
            endpoints[network.name] = with_address(before, network, address)
        known = dataclasses.replace(old, endpoints=tuple(endpoints.values()))
        if not accepted or (known == old and old.state is State.UNKNOWN):
            return frozenset()  # nothing new: an answer that is under way is still as good as it was
        return self._doubt(known)

    def connecting(self, key: ContainerKey, endpoint: Endpoint) -> Files:
        """Take in an endpoint that a starting container has by now, as a network's inspection tells it."""
        old = self._containers.get(key)
        if old is None or old.state is State.RUNNING:
            return frozenset()
        others = tuple(known for known in old.endpoints if not known.same_network(endpoint))
        before = next((known for known in old.endpoints if known.same_network(endpoint)), endpoint)
        found = dataclasses.replace(endpoint, aliases=before.aliases, gateways=endpoint.gateways or before.gateways)
        return self._doubt(dataclasses.replace(old, endpoints=(*others, found)))

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
        old = self._networks.get(network.key)
        if old == network:
            return frozenset()
        self._networks[network.key] = network
        concerned = self._concerned_by_network(network)
        return concerned if old is None else concerned | self._concerned_by_network(old)

    def drop_network(self, key: NetworkKey) -> Files:
        """Forget a network that is gone; returns the hosts files it may concern."""
        old = self._networks.pop(key, None)
        return self._concerned_by_network(old) if old is not None else frozenset()

    def _doubt(self, container: Container) -> Files:
        """Take in a container that is changing: an answer to what was asked before now may be older than this."""
        self._touched[container.key] = self._clock
        doubted = dataclasses.replace(container, state=State.UNKNOWN, health=restarting(container.health))
        return self._replace(container.key, doubted)

    def _replace(self, key: ContainerKey, new: Container | None) -> Files:
        self._clock += 1
        old = self._containers.get(key)
        if old == new:
            return frozenset()
        evicted = self._evict(new) if new is not None else frozenset()
        places = self._unread_places(old, new)
        before = self._concerned(key)
        own = self._roles_of(new, old) if new is not None else Roles()
        if old is not None:
            self._leave(old)
        if new is not None:
            self._enter(new, own)
        settled = places ^ self._unread_places(old, new)
        return evicted | before | self._concerned(key) | self._subscribers_on(settled)

    def _roles_of(self, new: Container, old: Container | None) -> Roles:
        # Most changes leave them as they are, and labels may be long.
        return self._roles[new.key] if old is not None and same_selection(old, new) else roles(new, self.rules)

    def _leave(self, old: Container) -> None:
        for term in terms(old, self._roles[old.key]):
            self._unlink(term, old.key)
        del self._containers[old.key], self._roles[old.key]

    def _enter(self, new: Container, own: Roles) -> None:
        self._containers[new.key] = new
        self._roles[new.key] = own
        for term in terms(new, own):
            self._index[term].add(new.key)

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
                    concerned |= self._take(self._containers[key], endpoint, address)
        return concerned

    def _take(self, other: Container, endpoint: Endpoint, address: Address) -> Files:
        endpoints = tuple(
            without_address(known, address) if known.same_network(endpoint) else known for known in other.endpoints
        )
        if endpoints == other.endpoints:  # it has that address on another network
            return frozenset()
        self._touched[other.key] = self._clock
        return self._replace(other.key, dataclasses.replace(other, state=State.UNKNOWN, endpoints=endpoints))

    # Whom a change concerns.

    def _concerned(self, key: ContainerKey) -> Files:
        """The hosts files in which the container may appear, or that it reads, or that must not keep its address."""
        files: set[ContainerKey] = set()
        for changed in (key, *self.joiners(key)):
            container = self._containers.get(changed)
            if container is not None:
                files.update(map(self._file_of, self._readers(container)))
                if self._roles[changed].subscriptions:
                    files.add(self._file_of(changed))
        if (container := self._containers.get(key)) is not None:
            for endpoint in container.endpoints:
                for address in endpoint.addresses:
                    files |= self._keys("kept", key.engine, address)
        return frozenset(files)

    def _readers(self, service: Container) -> set[ContainerKey]:
        """The subscribers that may be told of the container, tier by tier (`hostwatch.core.lookup`)."""
        engine, own = service.key.engine, self._roles[service.key]
        if not own.enabled:
            return set()
        anywhere = {service.name, *(name for rule in own.services for name in (rule.key, *rule.names))}
        local = {service.name, *own.names, *called(service), *filter(None, [qualified(service)])}
        found = self._near(service, self._asking(engine, local))
        for name in anywhere:
            found |= self._keys("reads", engine, name)
        if service.project is not None and service.compose_service is not None:
            found |= self._asking(engine, {service.compose_service}) & self._keys("project", engine, service.project)
        return found

    def _asking(self, engine: EngineId, names: set[str]) -> set[ContainerKey]:
        """The subscribers to one of the names, to every name, or to a service that may have such a name besides."""
        found = set(self._keys("reads all", engine))
        for name in names:
            found |= self._keys("reads", engine, name)
            if self._keys("label", engine, name):
                found |= self._keys("reads services", engine)
        return found

    def _near(self, service: Container, readers: set[ContainerKey]) -> set[ContainerKey]:
        """Those of the readers that may reach the container, as far as that is known."""
        sandbox = self.sandbox(service)
        near = readers & self._keys("roaming", service.key.engine)
        if sandbox is None:
            return near
        if sandbox.network_mode in (NetworkMode.HOST, None):
            return readers
        for endpoint in sandbox.endpoints:
            near |= readers & self._keys("network", service.key.engine, endpoint.network_name)
        return near

    def _concerned_by_network(self, network: Network) -> Files:
        members = self._keys("network", network.key.engine, network.name)
        return frozenset(file for member in members for file in self._concerned(member))

    def _unread_places(self, *containers: Container | None) -> set[tuple[EngineId, str]]:
        """The networks of the containers on which somebody's aliases are not read yet."""
        places = {(c.key.engine, e.network_name) for c in containers if c is not None for e in c.endpoints}
        return {(engine, name) for engine, name in places if self._keys("unread", engine, name)}

    def _subscribers_on(self, places: Iterable[tuple[EngineId, str]]) -> Files:
        found: set[ContainerKey] = set()
        for engine, name in places:
            found |= self._keys("subscriber") & (self._keys("network", engine, name) | self._keys("roaming", engine))
        return frozenset(map(self._file_of, found))

    def _keys(self, *term: Hashable) -> AbstractSet[ContainerKey]:
        return self._index.get(term, frozenset())

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
