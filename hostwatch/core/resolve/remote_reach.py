"""The address of an endpoint on another host, unless it means something else here.

Whoever writes into a catalog, or joins a swarm, chooses these addresses. One that every host has for itself, such as
172.17.0.2 on the default bridge, would lead to a stranger.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from hostwatch.core.model import Address, AddressOrWords, Container, Endpoint, EngineId, Network, NetworkKey, Subnet
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
    for network in _own_networks(lister, engine):
        if network.has(address):
            return f"is inside the network {shown(network.name)} of this engine, which other hosts do not see"
    return None


def _own_networks(lister: Lister, engine: EngineId) -> Iterator[Network]:
    """The networks whose addresses only this host sees."""
    return (network for network in lister.networks if network.key.engine == engine and network.driver != OVERLAY)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Tells which addresses may be those of other hosts, of which nothing has been heard yet."""

    own: tuple[Subnet, ...]
    """The ranges of this host alone."""

    def has(self, address: AddressOrWords) -> bool:
        """Whether an address may be another host's."""
        if isinstance(address, str) or own_kind(address) is not None:
            return False
        return not any(address in subnet for subnet in self.own)


def unheard(lister: Lister, context: NetworkContext) -> Elsewhere | None:
    """What a subscriber may have to expect of hosts of which nothing has been heard yet; `None`: nothing."""
    if not lister.remotes.are_awaited or not _awaits(lister, context):
        return None
    networks = _own_networks(lister, context.engine)
    return Elsewhere(tuple(subnet for network in networks for subnet in network.subnets))


def _awaits(lister: Lister, context: NetworkContext) -> bool:
    """Whether a source that is still to be heard may have something for the subscriber."""
    if context.is_stale or not context.is_placed:  # it may be on other networks, too
        return True
    overlays = (overlay_source(place.network_name) for place in context.attachments)
    return lister.remotes.awaits(CLUSTER, *overlays, *(rule.source for rule in lister.rules.services))
