"""Which address of a service's container a subscriber gets.

| subscriber \\ service | on a shared network | host mode | container:X | no shared network |
| --- | --- | --- | --- | --- |
| on networks | its address there | the gateway of the subscriber's network | as X | none, or with any scope its first |
| host mode | its first address | 127.0.0.1 | as X | |
| container:X | as X | as X | as X | as X |

Of several shared networks the service's own choice wins, else user-defined ones before `bridge`, then by name.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from hostwatch.core.inventory import Inventory
from hostwatch.core.model import Address, Container, Endpoint, NetworkMode, State

_LOOPBACK = ipaddress.IPv4Address("127.0.0.1")


@dataclass(frozen=True, slots=True)
class Reached:
    """The addresses by which the subscriber reaches the container, one of each family at most."""

    ipv4: ipaddress.IPv4Address | None
    ipv6: ipaddress.IPv6Address | None
    mac: str | None = None


@dataclass(frozen=True, slots=True)
class Unreached:
    """There is no address for this subscriber, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotKnown:
    """Whether there is an address is not known now; nothing may be concluded."""

    reason: str


Reach = Reached | Unreached | NotKnown


def reach(
    inventory: Inventory, subscriber: Container, target: Container, network: str | None, any_scope: bool
) -> Reach:
    """How `subscriber` reaches `target`; `network` is the only one that the service publishes, if it says so."""
    source, service = inventory.sandbox(subscriber), inventory.sandbox(target)
    if source is None or service is None:
        return NotKnown(f"whose network {target.name} uses is not known yet")
    if (unknown := _unknown(source) or _unknown(service)) is not None:
        return unknown
    if service.network_mode is NetworkMode.HOST:
        return _host(inventory, source)
    endpoints = [e for e in service.endpoints if network is None or _is_named(inventory, service, e, network)]
    if source.network_mode is not NetworkMode.HOST:
        shared = [e for e in endpoints if any(e.same_network(own) for own in source.endpoints)]
        if not shared and not any_scope:
            return _unshared(service, endpoints, network)
        endpoints = shared or endpoints
    return _first(service, sorted(endpoints, key=_network_order))


def in_reach(inventory: Inventory, subscriber: Container, target: Container, any_scope: bool) -> bool:
    """Whether the target could be reached if it ran: what decides whose name a name is."""
    source, service = inventory.sandbox(subscriber), inventory.sandbox(target)
    if source is None or service is None:
        return False
    if any_scope or NetworkMode.HOST in (source.network_mode, service.network_mode):
        return True
    return any(own.same_network(other) for own in source.endpoints for other in service.endpoints)


def _unknown(container: Container) -> NotKnown | None:
    if container.network_mode is None and not container.endpoints:
        return NotKnown(f"the networks of {container.name} are not known yet")
    return None


def _host(inventory: Inventory, source: Container) -> Reach:
    if source.network_mode is NetworkMode.HOST:
        return Reached(_LOOPBACK, None)
    for endpoint in sorted(source.endpoints, key=_network_order):
        network = inventory.network_of(source, endpoint)
        gateways = [endpoint.gateway, *(network.gateways if network is not None else ())]
        for gateway in gateways:
            if gateway is not None:
                return _of_family(gateway)
    return Unreached("the subscriber is on no network with a gateway to the host")


def _of_family(address: Address) -> Reached:
    return Reached(address, None) if address.version == 4 else Reached(None, address)


def _is_named(inventory: Inventory, service: Container, endpoint: Endpoint, name: str) -> bool:
    """Whether the endpoint is on the network of that name: the engine's, or the one in the service's compose file."""
    if endpoint.network_name == name:
        return True
    network = inventory.network_of(service, endpoint)
    compose_name = network.compose_name if network is not None else None
    return compose_name == name and endpoint.network_name == f"{service.project}_{name}"


def _unshared(service: Container, endpoints: Iterable[Endpoint], network: str | None) -> Reach:
    if not service.endpoints and service.state is State.UNKNOWN:
        return NotKnown(f"the address of {service.name} is not known yet")
    names = ", ".join(sorted(endpoint.network_name for endpoint in endpoints))
    if names:
        return Unreached(f"no shared network with {service.name} (on {names})")
    if network is not None:
        return Unreached(f"{service.name} is not on network {network}")
    return Unreached(f"{service.name} is on no network")


def _first(service: Container, endpoints: list[Endpoint]) -> Reach:
    for endpoint in endpoints:
        if endpoint.addresses:
            return Reached(endpoint.ipv4, endpoint.ipv6, endpoint.mac)
    if service.state is State.UNKNOWN:
        return NotKnown(f"the address of {service.name} is not known yet")
    return Unreached(f"{service.name} has no address")


def _network_order(endpoint: Endpoint) -> tuple[bool, str]:
    return (endpoint.network_name == "bridge", endpoint.network_name)
