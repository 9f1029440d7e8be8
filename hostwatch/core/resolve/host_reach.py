"""Over which networks the host and a container reach each other, which a network's driver and options decide.

| driver | the host reaches its containers | they reach the host |
| --- | --- | --- |
| bridge | yes | at the bridge's own address |
| macvlan, ipvlan | never: the kernel keeps an interface and its children apart | never: the gateway is the LAN's |
| overlay | no | by the bridge that the engine adds for the way out, unless the network is internal |
| a plugin's | taken for granted | at the gateway that it tells |

A bridge may be without an address of the host's (`gateway_mode_…=isolated`, `inhibit_ipv4`): then neither reaches the
other over it. Its containers' default gateway is no sign: an `--aux-address` or `inhibit_ipv4` makes that a router.
"""

from collections.abc import Iterable

from hostwatch.core.model import Address, EngineId, Network, NetworkKey, OnNetwork
from hostwatch.core.names import shown
from hostwatch.core.store.lister import Lister
from hostwatch.core.store.network_context import WAY_OUT, Attachment

HOST_UNREACHED = "which the host cannot reach"
FROM_HOST_UNREACHED = "from which the host cannot be reached"

_APART = frozenset(["macvlan", "ipvlan", "overlay"])
"""Drivers whose networks the host itself is not on."""


def network_at(lister: Lister, engine: EngineId, place: OnNetwork) -> Network | None:
    """The network of a place; by name where its id is not known (20.10 before a first start, Podman)."""
    if place.network:
        return lister.network(NetworkKey(engine, place.network))
    return _named(lister, engine, place.network_name)


def is_host_on(network: Network, version: int) -> bool:
    """Whether the host has an address of this IP version there, so that it and the containers reach each other."""
    return network.driver not in _APART and version not in network.hostless


def is_host_away(network: Network) -> bool:
    """Whether the host has no address there at all."""
    versions = {subnet.version for subnet in network.subnets} or {4, 6}
    return not any(is_host_on(network, version) for version in versions)


def own_address(network: Network, attachment: Attachment | None, version: int) -> Address | None:
    """The host's own address on a network, as its members see it; `None` where it has none.

    An engine that was told no gateway takes the first address of the range or the subnet, and does not say so; where
    the network is internal, no endpoint tells it either (engine 28.5).
    """
    if not is_host_on(network, version):
        return None
    given = attachment.gateways if attachment is not None else ()
    gateways = [*network.gateways, *(gateway for gateway in given if gateway not in network.auxiliary)]
    found = next((gateway for gateway in gateways if gateway.version == version), None)
    if found is None and network.driver == "bridge":
        found = next((first for first in network.firsts if first.version == version), None)
    return found


def way_out(lister: Lister, networks: Iterable[Network]) -> Network | None:
    """The bridge by which a container on these networks reaches the host though it is on no other, if it has one."""
    overlay = next((network for network in networks if network.driver == "overlay" and not network.internal), None)
    return _named(lister, overlay.key.engine, WAY_OUT) if overlay is not None else None


def listed(networks: Iterable[Network]) -> str:
    """Networks with their drivers, for people: `macvlan lan and overlay mesh`."""
    return " and ".join(sorted(shown(f"{network.driver} {network.name}") for network in networks))


def _named(lister: Lister, engine: EngineId, name: str) -> Network | None:
    return next((n for n in lister.networks if n.name == name and n.key.engine == engine), None)
