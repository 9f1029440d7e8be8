"""The store: takes in facts about containers and networks, one fact in each step.

Each step is synchronous, so that no reader sees a change half made. It returns the hosts files that the fact may affect
(`hostwatch.core.store.affected`).
"""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from hostwatch.core.host_resolver import HostResolver
from hostwatch.core.model import (
    Address,
    Claim,
    Container,
    ContainerId,
    ContainerKey,
    Endpoint,
    EngineId,
    HostAddresses,
    Network,
    NetworkKey,
    NetworkMode,
    State,
)
from hostwatch.core.rules import Rules
from hostwatch.core.store.adoption import Adoption
from hostwatch.core.store.affected import affected, affected_by_network, subscribers_on, unread_places
from hostwatch.core.store.early import with_early_addresses, with_endpoint
from hostwatch.core.store.index import Entry
from hostwatch.core.store.indexers import HOST_RESOLVER, index_entries, place_entries
from hostwatch.core.store.lister import HOST_ADDRESSES, NETWORKS, FileKeys, Lister
from hostwatch.core.store.merge import (
    changing,
    completed,
    details_of,
    ended,
    removed,
    same_places,
    same_selection,
    without_address,
)
from hostwatch.core.store.network_context import WAY_OUT
from hostwatch.core.store.results import RULES
from hostwatch.core.store.selection import Roles, roles


class Store(Lister):
    """A lister whose contents change."""

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self._touched: dict[ContainerKey, int] = {}
        """The mark (`now`) of the last change of a container by anything but a reading."""
        self._newly_stale: dict[ContainerKey, None] = {}
        self._clock = 0
        self._adoption: Adoption | None = None
        """New rules that are being made ready."""

    def add_host_files(self, engine: EngineId, hostname: str) -> None:
        """Add the files on the host that the rules name, for this engine. Files of another engine are dropped.

        `hostname` is the host's own name, which is never published.
        """
        for other in self.host_files:
            if other.key.engine != engine:
                self.unconfirmed.note(other.key, frozenset())
                self._exchange(other.key, None, Roles())
        for rule in reversed(self.rules.subscribers):  # a file has the name of its first rule
            if isinstance(rule.target, Path):
                key = ContainerKey(engine, ContainerId(f"file:{rule.target}"))
                mode, state = NetworkMode.HOST, State.RUNNING
                found = Container(key, rule.key, state, {}, hostname=hostname, network_mode=mode, host_file=rule.target)
                self._replace(key, found)

    def adoption(self, rules: Rules) -> Adoption:
        """New rules, to be made ready step by step (`Adoption.advance`). Then `adopt` takes them in; advance again."""
        self._adoption = Adoption(rules, self._containers)
        return self._adoption

    def adopt(self, new: Adoption) -> FileKeys:
        """Take in new rules; returns the hosts files with a subscriber under the old or the new rules."""
        while new.advance():
            pass
        before, self._adoption = self.subscriber_files, None
        self.rules, self._roles = new.rules, new.roles
        new.retire(self._index.contents)
        self._index.become(new.index)
        self.results.changed(RULES)
        return before | self.subscriber_files

    def newly_stale(self) -> Iterable[ContainerKey]:
        """The containers that became stale since the last call. A storm may leave thousands here."""
        found, self._newly_stale = self._newly_stale, {}
        return found

    def now(self) -> int:
        """A mark in the order of changes, to be taken before a request to the engine and given to `put`."""
        return self._clock

    # Containers, as read.

    def put(self, container: Container, asked: int | None = None) -> FileKeys:
        """Take in a container as read; returns the hosts files it may affect.

        `asked` is the mark from before the request. If the container has changed since (by an event or an early
        address), the answer may be older than that change, so its state and addresses are not taken.
        """
        old = self.container(container.key)
        if old is not None and asked is not None and self._touched.get(container.key, -1) >= asked:
            container = details_of(container, old)
        if container.state is State.STOPPED:
            container = ended(container, old)
        return self._replace(container.key, container)

    def put_unreadable(self, listed: Container, asked: int) -> FileKeys:
        """Take in a container that the engine lists and cannot inspect. Its aliases and health stay as last known."""
        return self.put(completed(listed, self.container(listed.key)), asked)

    def put_listed(self, container: Container) -> FileKeys:
        """Take in a starting container as listed, except its state and addresses."""
        old = self.container(container.key)
        if old is None or old.state is State.RUNNING:
            return frozenset()
        known = dataclasses.replace(details_of(container, old), hostname=old.hostname)
        return self._replace(container.key, known)

    def drop(self, key: ContainerKey) -> FileKeys:
        """Take in that a container was removed; returns the hosts files this may affect.

        It keeps its names until `yield_names`: most removed containers are made anew at once, and meanwhile their
        clients must not be sent to another service.
        """
        self._touched.pop(key, None)
        of_joiners = self._mark_gone(key)
        old = self.container(key)
        if old is None:
            return of_joiners
        return of_joiners | self._replace(key, removed(old) if old.claim is Claim.FULL else None)

    def _mark_gone(self, key: ContainerKey) -> FileKeys:
        """Take in that the containers that join this one have lost it; returns the hosts files this may affect."""
        if not self.joins.put_gone(key):
            return frozenset()
        self.results.changed(key)
        joiners = self.joins.joiners(key)
        return frozenset(self.joins.files_of(joiners & self.by_index("subscriber"))) | affected(self, key)

    def yield_names(self, key: ContainerKey) -> FileKeys:
        """Take in that a container has not come back in time, so that others may take its names."""
        if not self.is_ending(key):
            return frozenset()
        known = self._containers[key]
        if known.claim is Claim.DEPARTED:
            return self._replace(key, None)
        return self._replace(key, dataclasses.replace(known, claim=Claim.YIELDING))

    # Containers, before they are read again.

    def mark_stale(self, key: ContainerKey) -> FileKeys:
        """Take in that a container is changing: its state is unknown until it is read again."""
        old = self.container(key)
        return self._mark_stale(old) if old is not None else frozenset()

    def mark_starting(self, key: ContainerKey) -> FileKeys:
        """Take in that a stopped container is being started, as the engine has rebuilt a file of it."""
        old = self.container(key)
        return self._mark_stale(old) if old is not None and old.state is State.STOPPED else frozenset()

    def put_early_addresses(self, key: ContainerKey, addresses: Iterable[Address]) -> FileKeys:
        """Take in the addresses in a starting container's hosts file, if they are believed (`core.store.early`)."""
        old = self.container(key)
        known = with_early_addresses(self, old, addresses) if old is not None else None
        return self._mark_stale(known) if known is not None else frozenset()

    def put_early_endpoint(self, key: ContainerKey, endpoint: Endpoint) -> FileKeys:
        """Take in an endpoint of a starting container, as a network's inspection tells it."""
        old = self.container(key)
        if old is None or old.state is State.RUNNING:
            return frozenset()
        return self._mark_stale(with_endpoint(old, endpoint))

    def put_new_endpoint(self, key: ContainerKey, endpoint: Endpoint) -> FileKeys:
        """Take in a new endpoint of a running container, as a network's inspection tells it.

        The caller must have the container read again in any case.
        """
        old = self.container(key)
        if old is None or old.state is not State.RUNNING:
            return frozenset()
        return self._replace(key, with_endpoint(old, endpoint))

    # Networks, the host, and files.

    def put_network(self, network: Network) -> FileKeys:
        """Take in a network as read; returns the hosts files it may affect."""
        old = self._networks.get(network.key)
        if old == network:
            return frozenset()
        self._networks[network.key] = network
        self.results.changed(network.key)
        self.results.changed(NETWORKS)
        affected = affected_by_network(self, network)
        if network.name == WAY_OUT:  # no container's inspection shows that it is attached to this network
            affected |= self.subscriber_files
        return affected if old is None else affected | affected_by_network(self, old)

    def drop_network(self, key: NetworkKey) -> FileKeys:
        """Forget a network that is gone; returns the hosts files this may affect."""
        old = self._networks.pop(key, None)
        self.results.changed(key)
        self.results.changed(NETWORKS)
        return affected_by_network(self, old) if old is not None else frozenset()

    def put_host_resolver(self, found: HostResolver | None) -> FileKeys:
        """Take in the nameservers of the host; returns the files that ask for them, if they have changed."""
        before, self._host_resolver = self._host_resolver, found
        return self._host_changed(HOST_RESOLVER) if found != before else frozenset()

    def put_host_addresses(self, found: HostAddresses | None) -> FileKeys:
        """Take in the host's own addresses to others, as found; returns the hosts files that this may affect."""
        before, self._host_addresses = self._host_addresses, found
        return self._host_changed(HOST_ADDRESSES) if found != before else frozenset()

    def _host_changed(self, fact: str) -> FileKeys:
        self.results.changed(fact)
        return frozenset(self.joins.files_of(self.by_index(fact)))

    def put_remote(self, key: ContainerKey, endpoint: Container | None) -> FileKeys:
        """Take in an endpoint on another host, `None` if it is gone; returns the files that this may affect."""
        return self._replace(key, endpoint)

    # One value in the place of another.

    def _mark_stale(self, container: Container) -> FileKeys:
        """Take in a container that is changing. Answers to earlier requests may be older than this change."""
        self._touched[container.key] = self._clock
        return self._replace(container.key, changing(container))

    def _replace(self, key: ContainerKey, new: Container | None) -> FileKeys:
        self._clock += 1
        old = self._containers.get(key)
        if old == new:
            return frozenset()
        if new is not None and new.state is State.UNKNOWN:
            self._newly_stale[key] = None
        evicted = self._evict(new) if new is not None and new.remote is None else frozenset()
        if old is not None and new is not None and same_places(old, new):
            self._containers[key] = new
            self._put_entries(key, frozenset(place_entries(old)), frozenset(place_entries(new)))
            return evicted | self.unconfirmed.owners(old) | affected(self, key)
        places = unread_places(self, old, new)
        before = affected(self, key)
        own = self._roles_of(new, old) if new is not None else Roles()
        self._exchange(key, new, own)
        settled = places ^ unread_places(self, old, new)
        return evicted | before | affected(self, key) | subscribers_on(self, settled)

    def _roles_of(self, new: Container, old: Container | None) -> Roles:
        # Most changes leave the roles as they are, and reading labels may take long.
        return self._roles[new.key] if old is not None and same_selection(old, new) else roles(new, self.rules)

    def _exchange(self, key: ContainerKey, new: Container | None, own: Roles) -> None:
        """Put a container with its roles in the place of the one of that key. `None`: it is there no more."""
        old = self._containers.pop(key, None)
        before = frozenset(index_entries(old, self._roles.pop(key))) if old is not None else frozenset[Entry]()
        after = frozenset(index_entries(new, own)) if new is not None else frozenset[Entry]()
        if new is not None:
            self._containers[key], self._roles[key] = new, own
            if new.claim is not Claim.DEPARTED:
                self.joins.put_there(key)
        self._put_entries(key, before, after)

    def _put_entries(self, key: ContainerKey, before: frozenset[Entry], after: frozenset[Entry]) -> None:
        """Put the entries of a container in the place of those before."""
        if self._adoption is not None:
            self._adoption.note(key)
        self.results.changed(key)
        for entry in before - after:
            self._index.discard(entry, key)
        for entry in after - before:
            self._index.add(entry, key)

    def _evict(self, new: Container) -> FileKeys:
        """Take the addresses of `new` away from the containers that were last known to have them."""
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
        if endpoints == other.endpoints or other.remote is not None:  # it has it elsewhere, or its source decides
            return frozenset()
        self._touched[other.key] = self._clock
        return self._replace(other.key, dataclasses.replace(other, state=State.UNKNOWN, endpoints=endpoints))
