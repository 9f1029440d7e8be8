"""Restarts that notifications have caused, and the changes of records that these restarts cause in turn.

A restart may move the container's own address, which changes the records of other containers. Their restarts may change
the records of the first one. So no application is notified of a change that its own notification has caused.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from hostwatch.control.clock import loop_time
from hostwatch.core.model import AddressOrWords, Container, ContainerKey
from hostwatch.core.store.store import Store


@dataclass(frozen=True, slots=True)
class _Restarted:
    """A container that was restarted by a notification."""

    addresses: frozenset[AddressOrWords]
    """Its addresses before the restart."""
    lineage: frozenset[ContainerKey]
    """Itself, and the containers whose restarts led to this one."""
    until: float


_PAUSE_SECONDS = 60.0
"""The least time between two restarts of a container for its resolv.conf alone. A laptop that changes its network has
several lists of nameservers within seconds, and the C library of most programs needs no restart for any of them."""


class Pauses:
    """Spaces restarts for changes of a resolv.conf alone."""

    def __init__(self) -> None:
        self._next: dict[ContainerKey, float] = {}
        """The earliest time of the next restart."""

    def seconds(self, container: ContainerKey, now: float) -> float | None:
        """How long to wait before a restart, which takes its turn by that; `None`: one is waiting already."""
        self._next = {key: at for key, at in self._next.items() if at > now}
        turn = self._next.get(container, now)
        if turn > now + _PAUSE_SECONDS:
            return None
        self._next[container] = turn + _PAUSE_SECONDS
        return turn - now


class Restarts:
    """The recent restarts, by container."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._restarted: dict[ContainerKey, _Restarted] = {}

    def lineage(self, target: ContainerKey, addresses: Iterable[AddressOrWords]) -> frozenset[ContainerKey] | None:
        """The target and the containers whose restarts led to this change; `None` if the target's own is among them."""
        self._forget_restarts()
        lineages = [self._lineage_of(address, target) for address in addresses]
        if lineages and all(target in lineage for lineage in lineages):
            return None
        return frozenset({target}).union(*lineages)

    def _lineage_of(self, address: AddressOrWords, target: ContainerKey) -> frozenset[ContainerKey]:
        holders = self._store.holders(target.engine, address)
        found = {holder for holder in holders if holder == target}
        for key, restarted in self._restarted.items():
            if key in holders or address in restarted.addresses:
                found |= restarted.lineage
        return frozenset(found)

    def _forget_restarts(self) -> None:
        now = loop_time()
        self._restarted = {key: restarted for key, restarted in self._restarted.items() if restarted.until > now}

    def expect(self, container: Container, lineage: frozenset[ContainerKey], seconds: float) -> None:
        """Note that a container is restarted now. Consequences may come for so many seconds."""
        addresses = frozenset(address for endpoint in container.endpoints for address in endpoint.addresses)
        self._restarted[container.key] = _Restarted(addresses, lineage, loop_time() + seconds)
