"""Decides by a network's driver and options whether the host and the containers on it reach each other.

| driver | the host reaches its containers | they reach the host |
| --- | --- | --- |
| bridge | yes | at the bridge's own address |
| macvlan, ipvlan | never: the kernel separates an interface from its children | never: the gateway is the LAN's |
| overlay | no | by `docker_gwbridge`, which the engine adds unless the network is internal |
| of a plugin | assumed | at the gateway that the network tells |

The host may have no address on a bridge (`gateway_mode_…=isolated`, `inhibit_ipv4`). Then they do not reach each other
over it. The containers' default gateway does not show this: with `--aux-address` or `inhibit_ipv4` it is a router.
"""

from collections.abc import Iterable

from hostwatch.core.model import Address, EngineId, Network, NetworkKey, OnNetwork
from hostwatch.core.names import shown
from hostwatch.core.store.lister import Lister
from hostwatch.core.store.network_context import WAY_OUT, Attachment

HOST_UNREACHED = "which the host cannot reach"
FROM_HOST_UNREACHED = "from which the host cannot be reached"

_APART = frozenset(["macvlan", "ipvlan", "overlay"])
"""The host itself is not on networks of these drivers."""


def network_at(lister: Lister, engine: EngineId, place: OnNetwork) -> Network | None:
    """The network of a place. Found by name if its id is not known (20.10 before a first start, Podman)."""
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
    """The host's own address on a network; `None` if it has none.

    If the user gives no gateway, the engine takes the first address of the range or the subnet, and the network's
    inspection does not tell it. On an internal network no endpoint tells it either (engine 28.5).
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
    """The bridge over which a container that is on overlay networks reaches the host, if it has one."""
    overlay = next((network for network in networks if network.driver == "overlay" and not network.internal), None)
    return _named(lister, overlay.key.engine, WAY_OUT) if overlay is not None else None


def listed(networks: Iterable[Network]) -> str:
    """Networks with their drivers, for people: `macvlan lan and overlay mesh`."""
    return " and ".join(sorted(shown(f"{network.driver} {network.name}") for network in networks))


def _named(lister: Lister, engine: EngineId, name: str) -> Network | None:
    return next((n for n in lister.networks if n.name == name and n.key.engine == engine), None)
