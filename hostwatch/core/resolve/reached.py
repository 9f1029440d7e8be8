"""The addresses by which a subscriber reaches a container, or why there are none."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from hostwatch.core.model import NO_NETWORK, Address, NetworkId


@dataclass(frozen=True, slots=True)
class Reached:
    """The addresses by which the subscriber reaches the container, one of each family at most."""

    ipv4: ipaddress.IPv4Address | None
    ipv6: ipaddress.IPv6Address | None
    mac: str | None = None
    network: NetworkId = NO_NETWORK
    network_name: str = ""
    """The network on which the container has these addresses; empty if they are the host's."""


@dataclass(frozen=True, slots=True)
class Unreached:
    """There is no address for this subscriber."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotKnown:
    """It is not known now whether there is an address, so that nothing may change."""

    reason: str


Reach = Reached | Unreached | NotKnown


def reached_of(found: Iterable[Address]) -> Reached:
    """Addresses of the host, the first of each family."""
    addresses = tuple(found)
    ipv4 = next((address for address in addresses if isinstance(address, ipaddress.IPv4Address)), None)
    ipv6 = next((address for address in addresses if isinstance(address, ipaddress.IPv6Address)), None)
    return Reached(ipv4, ipv6)
