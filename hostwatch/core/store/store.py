"""The store: how what is known changes, in synchronous steps, so that nobody sees it half changed.

Each step takes in one fact (what was read, or what an event or a hosts file hints at) and returns the hosts files that
it may concern (`hostwatch.core.store.affected`).
"""

import dataclasses
from collections.abc import Hashable, Iterable
from pathlib import Path

from hostwatch.core.model import (
    Address,
    Claim,
    Container,
    ContainerId,
    ContainerKey,
    Endpoint,
    EngineId,
    Health,
    Network,
    NetworkKey,
    NetworkMode,
    State,
)
from hostwatch.core.rules import Rules
from hostwatch.core.store.affected import affected, affected_by_network, subscribers_on, unread_places
from hostwatch.core.store.indexers import terms
from hostwatch.core.store.lister import FileKeys, Lister
from hostwatch.core.store.merge import (
    details_of,
    restarting,
    same_selection,
    with_address,
    without_address,
    without_addresses,
)
from hostwatch.core.store.network_context import WAY_OUT
from hostwatch.core.store.selection import Roles, roles


class Store(Lister):
    """Lister that change."""

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._touched: dict[ContainerKey, int] = {}
        self._kept: dict[ContainerKey, frozenset[Address]] = {}
        self._newly_stale: dict[ContainerKey, None] = {}
        self._clock = 0

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

    def adopt(self, rules: Rules) -> FileKeys:
        """Follow other rules from now on; returns the hosts files that are subscribed to under the old or the new."""
        before = self.subscriber_files
        self.rules = rules
        for container in list(self._containers.values()):
            self._leave(container)
            self._enter(container, roles(container, rules))
        return before | self.subscriber_files

    def newly_stale(self) -> Iterable[ContainerKey]:
        """The containers that have come into doubt since this was asked last: a storm may leave thousands there."""
        found, self._newly_stale = self._newly_stale, {}
        return found

    def now(self) -> int:
        """A mark in the order of changes, to be taken before the engine is asked and given to `put`."""
        return self._clock

    def put(self, container: Container, asked: int | None = None) -> FileKeys:
        """Take in what was read of a container; returns the hosts files it may concern.

        `asked` is the mark from before the request. Where the container was touched since (an event said that it is
        changing, an early hint came), the answer may be older than that: its state and addresses are not taken then.
        """
        old = self.container(container.key)
        if old is not None and asked is not None and self._touched.get(container.key, -1) >= asked:
            container = details_of(container, old)
        if container.state is State.STOPPED:
            endpoints = tuple(map(without_addresses, container.endpoints))
            container = dataclasses.replace(container, endpoints=endpoints, claim=_claim_of_ended(container, old))
        return self._replace(container.key, container)

    def is_ending(self, key: ContainerKey) -> bool:
        """Whether a container has ended, or was removed, and keeps its names still; it is to `yield_names` in time."""
        known = self._containers.get(key)
        return known is not None and known.state is State.STOPPED and known.claim in (Claim.FULL, Claim.DEPARTED)

    def yield_names(self, key: ContainerKey) -> FileKeys:
        """Note that a container has not come back in time: who runs may have a name of its."""
        if not self.is_ending(key):
            return frozenset()
        known = self._containers[key]
        if known.claim is Claim.DEPARTED:
            return self._replace(key, None)
        return self._replace(key, dataclasses.replace(known, claim=Claim.YIELDING))

    def put_unreadable(self, listed: Container, asked: int) -> FileKeys:
        """Take in what the list says of a container that cannot be inspected, in the place of all that it does not say.

        It has the aliases and the health that it was last known to have; where nothing was known, it has none.
        """
        old = self.container(listed.key)
        aliases = {endpoint.network_name: endpoint.aliases for endpoint in old.endpoints} if old is not None else {}
        endpoints = (
            dataclasses.replace(endpoint, aliases=aliases.get(endpoint.network_name) or frozenset())
            for endpoint in (listed.endpoints if listed.joined is None else ())
        )
        known = dataclasses.replace(
            listed,
            endpoints=tuple(endpoints),
            hostname=old.hostname if old is not None else None,
            created=old.created if old is not None else listed.created,
            started=old.started if old is not None else 0.0,
            health=listed.health or (old.health if old is not None else None) or Health.NONE,
        )
        return self.put(known, asked)

    def put_listed(self, container: Container) -> FileKeys:
        """Take in what the list says of a container that is being started: all but its state and addresses."""
        key = container.key
        old = self.container(key)
        if old is None or old.state is State.RUNNING:
            return frozenset()
        known = dataclasses.replace(details_of(container, old), hostname=old.hostname)
        return self._replace(key, known)

    def drop(self, key: ContainerKey) -> FileKeys:
        """Forget a container that is gone; returns the hosts files it may concern.

        For a moment its names are kept: most that are removed are made anew at once, and meanwhile a stranger must not
        get their clients.
        """
        self._touched.pop(key, None)
        orphaned = self._orphaned_by(key)
        return self._depart(key) | orphaned

    def _orphaned_by(self, key: ContainerKey) -> FileKeys:
        """Note that a container is gone, for those that use its network; returns the files that may concern."""
        joiners = self.joiners(key)
        self.gone = {gone for gone in self.gone if ("joined", gone) in self._index}
        if not joiners or key in self.gone:
            return frozenset()
        self.gone.add(key)
        self.cached.clear()
        self._sharing.clear()
        return frozenset(self.files_of(joiners & self.keys("subscriber"))) | affected(self, key)

    def _depart(self, key: ContainerKey) -> FileKeys:
        """Forget a container but for its names; all of one that had yielded them."""
        old = self.container(key)
        if old is None:
            return frozenset()
        if old.claim is not Claim.FULL:
            return self._replace(key, None)
        endpoints = tuple(map(without_addresses, old.endpoints))
        return self._replace(
            key, dataclasses.replace(old, state=State.STOPPED, claim=Claim.DEPARTED, endpoints=endpoints)
        )

    def mark_stale(self, key: ContainerKey) -> FileKeys:
        """Note that a container is changing: its state is unknown until it is read again."""
        old = self.container(key)
        return self._mark_stale(old) if old is not None else frozenset()

    def stir(self, key: ContainerKey) -> FileKeys:
        """Note that the engine has rebuilt the hosts file of a stopped container: it is being started."""
        old = self.container(key)
        if old is None or old.state is not State.STOPPED:
            return frozenset()
        return self._mark_stale(old)

    def hint(self, key: ContainerKey, addresses: Iterable[Address]) -> FileKeys:
        """Take in addresses that a container is about to have, before the engine publishes them.

        Refused for a container that runs: its file is its own to write, so nothing in it says who it is. Refused for
        one without networks of its own, for an address that a running container or the host has, and for one that is
        on no network of the container's, as far as these are known: its first instructions come before the engine's
        word that it runs, and may write into its file what they like.
        """
        old = self.container(key)
        if old is None or old.state is State.RUNNING or old.network_mode in (NetworkMode.HOST, NetworkMode.CONTAINER):
            return frozenset()
        endpoints = {endpoint.network_name: endpoint for endpoint in old.endpoints}
        accepted: dict[tuple[NetworkKey, int], tuple[Network, Address]] = {}
        for address in addresses:
            if (network := self._network_around(old, address)) is not None and not self._taken(key, address, network):
                # The engine's line is the first of each family; what the container itself appends comes after it.
                accepted.setdefault((network.key, address.version), (network, address))
        for network, address in accepted.values():
            before = endpoints.get(network.name, Endpoint(network.key.id, network.name))
            endpoints[network.name] = with_address(before, network, address)
        known = dataclasses.replace(old, endpoints=tuple(endpoints.values()))
        if not accepted or (known == old and old.state is State.UNKNOWN):
            return frozenset()  # nothing new: an answer that is under way is still as good as it was
        return self._mark_stale(known)

    def claimed(self, key: ContainerKey, addresses: Iterable[Address]) -> dict[NetworkKey, frozenset[Address]]:
        """On which networks a running container may just have got which of these addresses, as its hosts file says.

        They are to be asked for it, and that is all: the file is the container's own to write. Only those that it is
        known to be on: what it is called on another one is known after the event, and holds up others until then.
        """
        container = self.container(key)
        if container is None or container.state is not State.RUNNING or not self._roles[key].enabled:
            return {}
        news = frozenset(addresses).difference(*(endpoint.addresses for endpoint in container.endpoints))
        places = {NetworkKey(key.engine, endpoint.network) for endpoint in container.endpoints}
        networks = [self._networks[place] for place in places if place in self._networks]
        found = {network.key: frozenset(a for a in news if network.has(a)) for network in networks}
        return {network: inside for network, inside in found.items() if inside}

    def connecting(self, key: ContainerKey, endpoint: Endpoint) -> FileKeys:
        """Take in an endpoint that a starting container has by now, as a network's inspection tells it."""
        old = self.container(key)
        if old is None or old.state is State.RUNNING:
            return frozenset()
        return self._mark_stale(_with_endpoint(old, endpoint))

    def connected(self, key: ContainerKey, endpoint: Endpoint) -> FileKeys:
        """Take in an endpoint that a running container has got, as a network's inspection tells it.

        To be followed by what the container's own inspection says, whatever else has happened meanwhile.
        """
        old = self.container(key)
        if old is None or old.state is not State.RUNNING:
            return frozenset()
        return self._replace(key, _with_endpoint(old, endpoint))

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

    def put_network(self, network: Network) -> FileKeys:
        """Take in what was read of a network; returns the hosts files it may concern."""
        old = self._networks.get(network.key)
        if old == network:
            return frozenset()
        self._networks[network.key] = network
        self.cached.clear()
        affected = affected_by_network(self, network)
        if network.name == WAY_OUT:  # nobody's inspection says that it is on it
            affected |= self.subscriber_files
        return affected if old is None else affected | affected_by_network(self, old)

    def drop_network(self, key: NetworkKey) -> FileKeys:
        """Forget a network that is gone; returns the hosts files it may concern."""
        old = self._networks.pop(key, None)
        self.cached.clear()
        return affected_by_network(self, old) if old is not None else frozenset()

    def _mark_stale(self, container: Container) -> FileKeys:
        """Take in a container that is changing: an answer to what was asked before now may be older than this."""
        self._touched[container.key] = self._clock
        health = restarting(container.health)
        stale = dataclasses.replace(container, state=State.UNKNOWN, claim=Claim.FULL, health=health)
        return self._replace(container.key, stale)

    def _replace(self, key: ContainerKey, new: Container | None) -> FileKeys:
        self._clock += 1
        old = self._containers.get(key)
        if old == new:
            return frozenset()
        if new is not None and new.state is State.UNKNOWN:
            self._newly_stale[key] = None
        evicted = self._evict(new) if new is not None else frozenset()
        places = unread_places(self, old, new)
        before = affected(self, key)
        own = self._roles_of(new, old) if new is not None else Roles()
        if old is not None:
            self._leave(old)
        if new is not None:
            self._enter(new, own)
        settled = places ^ unread_places(self, old, new)
        return evicted | before | affected(self, key) | subscribers_on(self, settled)

    def _roles_of(self, new: Container, old: Container | None) -> Roles:
        # Most changes leave them as they are, and labels may be long.
        return self._roles[new.key] if old is not None and same_selection(old, new) else roles(new, self.rules)

    def _leave(self, old: Container) -> None:
        self._forget_derived(old)
        for term in terms(old, self._roles[old.key]):
            self._unlink(term, old.key)
        del self._containers[old.key], self._roles[old.key]

    def _enter(self, new: Container, own: Roles) -> None:
        self._forget_derived(new)
        self._containers[new.key] = new
        if new.claim is not Claim.DEPARTED:
            self.gone.discard(new.key)
        self._roles[new.key] = own
        for term in terms(new, own):
            self._index[term].add(new.key)

    def _forget_derived(self, changing: Container) -> None:
        self.cached.clear()
        if changing.joined is None and ("joined", changing.key) not in self._index:
            self._sharing.pop(changing.key, None)
        else:
            self._sharing.clear()

    def _unlink(self, term: Hashable, key: ContainerKey) -> None:
        keys = self._index[term]
        keys.discard(key)
        if not keys:
            del self._index[term]

    def _evict(self, new: Container) -> FileKeys:
        """Take the addresses that `new` has now away from whoever was last known to have them."""
        affected: FileKeys = frozenset()
        for endpoint in new.endpoints:
            for address in endpoint.addresses:
                for key in self.holders(new.key.engine, address) - {new.key}:
                    affected |= self._take(self._containers[key], endpoint, address)
        return affected

    def _take(self, other: Container, endpoint: Endpoint, address: Address) -> FileKeys:
        endpoints = tuple(
            without_address(known, address) if known.same_network(endpoint) else known for known in other.endpoints
        )
        if endpoints == other.endpoints:  # it has that address on another network
            return frozenset()
        self._touched[other.key] = self._clock
        return self._replace(other.key, dataclasses.replace(other, state=State.UNKNOWN, endpoints=endpoints))

    # Early hints.

    def _network_around(self, container: Container, address: Address) -> Network | None:
        around = [
            network
            for network in self._networks.values()
            if network.key.engine == container.key.engine and network.has(address)
        ]
        names = {endpoint.network_name for endpoint in container.endpoints}
        is_read = container.network_mode is not None and names  # Podman tells no networks before the start is over
        if is_read or len(around) > 1:  # drivers such as macvlan let subnets overlap
            around = [network for network in around if network.name in names]
        found = around[0] if len(around) == 1 else None
        return found if found is not None and address not in found.gateways else None

    def _taken(self, key: ContainerKey, address: Address, network: Network) -> bool:
        others = self.holders(key.engine, address, Endpoint(network.key.id, network.name)) - {key}
        return any(self._containers[other].state is State.RUNNING for other in others)


def _with_endpoint(container: Container, endpoint: Endpoint) -> Container:
    """The container with what its network says of it there, which is no gateway and no alias."""
    others = tuple(known for known in container.endpoints if not known.same_network(endpoint))
    before = next((known for known in container.endpoints if known.same_network(endpoint)), endpoint)
    found = dataclasses.replace(endpoint, aliases=before.aliases, gateways=endpoint.gateways or before.gateways)
    return dataclasses.replace(container, endpoints=(*others, found))


def _claim_of_ended(container: Container, old: Container | None) -> Claim:
    """How far a container that does not run stands for its names; `old` is what was known of it before."""
    if container.claim is Claim.NONE:
        return Claim.NONE
    # What had ended before it was first seen has had its time.
    has_had_its_time = old is None or (old.state is State.STOPPED and old.claim is Claim.YIELDING)
    return Claim.YIELDING if has_had_its_time else Claim.FULL
