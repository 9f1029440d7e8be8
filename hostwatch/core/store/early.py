"""Early addresses: decides which of them are believed before the engine's event.

| source | container | believed |
| --- | --- | --- |
| its hosts file | starting | if the address is free and on one of the container's networks |
| its hosts file | running | never: it only says which networks to ask |
| a network's inspection | starting or running | always; the container's own inspection confirms it later |

A running container may write its own hosts file, so no address in that file is proof.
"""

import dataclasses
from collections.abc import Iterable

from hostwatch.core.model import Address, Container, ContainerKey, Endpoint, Network, NetworkKey, NetworkMode, State
from hostwatch.core.store.lister import Lister
from hostwatch.core.store.merge import with_address


def with_early_addresses(lister: Lister, container: Container, addresses: Iterable[Address]) -> Container | None:
    """The container with those of the addresses that are believed; `None` if there is nothing new to believe.

    An address is not believed if the container runs or has no networks of its own, if a running container or the host
    has the address, or if it is on none of the container's networks, as far as these are known. The reason for these
    conditions: the container may write into its file before the engine says that it runs.
    """
    if container.state is State.RUNNING or container.network_mode in (NetworkMode.HOST, NetworkMode.CONTAINER):
        return None
    accepted: dict[tuple[NetworkKey, int], tuple[Network, Address]] = {}
    for address in addresses:
        network = _network_around(lister, container, address)
        if network is not None and not _is_taken(lister, container.key, address, network):
            # The engine's line is the first of each family. Lines that the container appends come after it.
            accepted.setdefault((network.key, address.version), (network, address))
    endpoints = {endpoint.network_name: endpoint for endpoint in container.endpoints}
    for network, address in accepted.values():
        before = endpoints.get(network.name, Endpoint(network.key.id, network.name))
        endpoints[network.name] = with_address(before, network, address)
    found = dataclasses.replace(container, endpoints=tuple(endpoints.values()))
    if not accepted or (found == container and container.state is State.UNKNOWN):
        return None  # nothing new, so an answer that is under way must not count as older than this
    return found


def networks_to_ask(
    lister: Lister, key: ContainerKey, addresses: Iterable[Address]
) -> dict[NetworkKey, frozenset[Address]]:
    """The networks to ask for a running container's new addresses, each with the addresses of its subnets.

    Only networks that the container is already attached to: on others its aliases are unread, which would leave
    look-ups there undecided.
    """
    container = lister.container(key)
    if container is None or container.state is not State.RUNNING or not lister.roles(key).enabled:
        return {}
    news = frozenset(addresses).difference(*(endpoint.addresses for endpoint in container.endpoints))
    networks = (lister.network(NetworkKey(key.engine, endpoint.network)) for endpoint in container.endpoints)
    found = {network.key: frozenset(filter(network.has, news)) for network in networks if network is not None}
    return {network: inside for network, inside in found.items() if inside}


def with_endpoint(container: Container, endpoint: Endpoint) -> Container:
    """The container with this endpoint. Aliases, and gateways that it lacks, stay: a network's inspection has none."""
    others = tuple(known for known in container.endpoints if not known.same_network(endpoint))
    before = next((known for known in container.endpoints if known.same_network(endpoint)), endpoint)
    found = dataclasses.replace(endpoint, aliases=before.aliases, gateways=endpoint.gateways or before.gateways)
    return dataclasses.replace(container, endpoints=(*others, found))


def _network_around(lister: Lister, container: Container, address: Address) -> Network | None:
    """The one network on which the container may have the address."""
    engine = container.key.engine
    around = [network for network in lister.networks if network.key.engine == engine and network.has(address)]
    names = {endpoint.network_name for endpoint in container.endpoints}
    is_read = container.network_mode is not None and names  # Podman tells no networks before the start is over
    if is_read or len(around) > 1:  # drivers such as macvlan let subnets overlap
        around = [network for network in around if network.name in names]
    found = around[0] if len(around) == 1 else None
    return found if found is not None and address not in found.gateways else None


def _is_taken(lister: Lister, key: ContainerKey, address: Address, network: Network) -> bool:
    """Whether another container that runs has the address."""
    others = lister.holders(key.engine, address, Endpoint(network.key.id, network.name)) - {key}
    return any(other.state is State.RUNNING for other in map(lister.last_known, others) if other is not None)
