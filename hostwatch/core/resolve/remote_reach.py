"""The address of an endpoint on another host, unless it means something else here.

Whoever writes into a catalog, or joins a swarm, chooses these addresses. One that every host has for itself, such as
172.17.0.2 on the default bridge, would lead to a stranger.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from hostwatch.core.model import Address, AddressOrWords, Container, Endpoint, EngineId, Network, NetworkKey
from hostwatch.core.names import shown
from hostwatch.core.remote import CLUSTER, RemoteEndpoint, overlay_source, own_kind
from hostwatch.core.resolve.reached import NotKnown, Reach, Reached, Unreached
from hostwatch.core.store.lister import Lister
from hostwatch.core.store.network_context import NetworkContext

OVERLAY = "overlay"
"""Docker's name of the driver whose networks join several hosts."""


def remote_reach(lister: Lister, context: NetworkContext, target: Container, remote: RemoteEndpoint) -> Reach:
    """The addresses at which a subscriber reaches an endpoint on another host."""
    place = target.endpoints[0]
    if not remote.is_routed and not context.is_on(place):
        if not context.is_placed:
            return NotKnown("the subscriber's networks are not known yet")
        return Unreached(f"no shared network with {target.name} (on {shown(place.network_name)})")
    for address in place.addresses:
        if (fault := _fault(lister, context.engine, place, address)) is not None:
            return Unreached(f"{address} {fault}")
    if not place.addresses:
        return Unreached(f"{target.name} has no address")
    return Reached(place.ipv4, place.ipv6, None, place.network, place.network_name)


def _fault(lister: Lister, engine: EngineId, place: Endpoint, address: Address) -> str | None:
    if (kind := own_kind(address)) is not None:
        return f"is {kind} address, which means another machine on each host"
    if place.network_name:
        network = lister.network(NetworkKey(engine, place.network))
        is_inside = network is None or not network.subnets or network.has(address)
        return None if is_inside else f"is outside the network {shown(place.network_name)}"
    own = lister.kept(_own_ranges, engine).around(address)
    return f"is inside the network {shown(own)} of this engine, which other hosts do not see" if own else None


class OwnRanges:
    """The networks whose addresses only this host sees, by their ranges: there may be a thousand of them."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self._names: dict[tuple[int, int], dict[int, str]] = {}
        """By the IP version and the length of the host's part in bits: the name by the network's part."""
        for network in networks:
            for subnet in network.subnets:
                host_bits = subnet.max_prefixlen - subnet.prefixlen
                found = self._names.setdefault((subnet.version, host_bits), {})
                found.setdefault(int(subnet.network_address) >> host_bits, network.name)

    def around(self, address: Address) -> str | None:
        """The name of a network that has this address in its range; `None` if none has."""
        number = int(address)
        for (version, host_bits), names in self._names.items():
            if version == address.version and (name := names.get(number >> host_bits)) is not None:
                return name
        return None


def _own_ranges(lister: Lister, engine: EngineId) -> OwnRanges:
    return OwnRanges(n for n in lister.networks if n.key.engine == engine and n.driver != OVERLAY)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Tells which addresses may be those of other hosts, of which nothing has been heard yet."""

    own: OwnRanges

    def has(self, address: AddressOrWords) -> bool:
        """Whether an address may be another host's."""
        if isinstance(address, str) or own_kind(address) is not None:
            return False
        return self.own.around(address) is None


def unheard(lister: Lister, context: NetworkContext) -> Elsewhere | None:
    """What a subscriber may have to expect of hosts of which nothing has been heard yet; `None`: nothing."""
    if not lister.remotes.are_awaited or not _awaits(lister, context):
        return None
    return Elsewhere(lister.kept(_own_ranges, context.engine))


def _awaits(lister: Lister, context: NetworkContext) -> bool:
    """Whether a source that is still to be heard may have something for the subscriber."""
    if context.is_stale or not context.is_placed:  # it may be on other networks, too
        return True
    overlays = (overlay_source(place.network_name) for place in context.attachments)
    return lister.remotes.awaits(CLUSTER, *overlays, *(rule.source for rule in lister.rules.services))
