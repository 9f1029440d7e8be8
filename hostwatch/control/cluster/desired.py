"""What this host's keys are to be in the shared store."""

from collections.abc import Mapping

from hostwatch.control.cluster.membership import Membership
from hostwatch.control.cluster.parsing import parsed
from hostwatch.control.turns import Turns
from hostwatch.core.cluster.publication import Publication, publication_of
from hostwatch.core.cluster.values import BadValueError, Node, Replica, node_value, parsed_replicas, value_of
from hostwatch.core.model import HostAddresses
from hostwatch.core.store.store import Store

_STEP = 10
"""Containers that are taken in between two looks at the time: some 0.2 ms."""


class Desired:
    """This host's keys with their values, kept up to date with the store of its containers."""

    def __init__(self, membership: Membership, store: Store) -> None:
        self._membership = membership
        self._store = store
        self._publication: Publication | None = None
        self._values: dict[str, bytes] = {}
        self._replicas: dict[str, tuple[Replica, ...]] = {}
        """Of each service, by the end of its key: what others are told, or are to be told."""

    async def begin(self, there: Mapping[str, bytes | None]) -> None:
        """Take what an earlier hostwatch of this host has published for known, where nothing newer is."""
        turns = Turns()
        for key, value in there.items():
            service = key.removeprefix(self._membership.services_key)
            if service not in self._replicas:
                try:
                    self._replicas[service] = await parsed(parsed_replicas, value)
                except BadValueError:
                    continue
                await turns.give()
        self._publication = None

    @property
    def services(self) -> Mapping[str, tuple[Replica, ...]]:
        """The replicas of each service as they were last computed, by the end of its key."""
        return self._replicas

    @property
    def node_value(self) -> bytes:
        """The value of the node's key."""
        found = self._store.host_addresses or HostAddresses()
        return node_value(Node(self._membership.engine, found, self._membership.version))

    async def computed(self) -> Mapping[str, bytes]:
        """The keys with their values now."""
        turns, services = Turns(), set[str]()
        while True:
            publication = self._current()
            if publication is not self._publication:  # all of it is to be computed
                # It may have taken changes in before, for the member that this host was under earlier settings.
                self._publication, services = publication, {*self._replicas, *publication.services}
            found = publication.advance(_STEP)
            if found is None:
                break
            services |= found
            await turns.give()
        for service in services:
            self._take_in(service, publication.replicas(service, self._replicas.get(service, ())))
            await turns.give()
        self._values[self._membership.node_key] = self.node_value
        return self._values

    def _current(self) -> Publication:
        return publication_of(self._store, self._membership.publishing, self._membership.engine)

    async def close(self) -> None:
        """Drop what the store keeps for it: thousands of containers in steps."""
        turns, publication = Turns(), self._current()
        while publication.shrink(_STEP):
            await turns.give()
        self._store.results.end(publication)
        self._publication = None

    def _take_in(self, service: str, replicas: tuple[Replica, ...]) -> None:
        key = f"{self._membership.services_key}{service}"
        if replicas:
            self._replicas[service], self._values[key] = replicas, value_of(replicas)
        else:
            self._replicas.pop(service, None)
            self._values.pop(key, None)
