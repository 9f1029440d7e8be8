"""The addresses of the host in lines: its own to others (`PublicIp`), and those of published ports (`HostIp`).

| the ports are bound to | `HostIp` is |
| --- | --- |
| one address, or one of each family | that address |
| 0.0.0.0 or :: | the host's own address to others, of that family |
| several addresses | withheld; `HostIp[PORT]` names one port of the container |
| 127.0.0.0/8 or ::1 | that address for the host itself, withheld for all others |
| none | withheld |

A container that uses another one's network has the ports of that one. No network in common is needed.
"""

import ipaddress
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from hostwatch.core.model import Address, Binding, Container, NetworkMode
from hostwatch.core.names import told
from hostwatch.core.references import Attribute, Reference
from hostwatch.core.resolve.reach import LOST_NETWORK
from hostwatch.core.resolve.reached import NotKnown, Reached, Unreached, reached_of
from hostwatch.core.rules import AUTO
from hostwatch.core.store.lister import Lister
from hostwatch.core.store.network_context import NetworkContext

_MOST_SHOWN = 4
"""A reason names at most this many ports or addresses."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """Nobody but the operator can say which address is meant."""

    reason: str


HostReach = Reached | Unreached | NotKnown | Undecided


def advertised(lister: Lister) -> HostReach:
    """The host's own addresses to others."""
    found = lister.host_addresses
    if found is None:
        return NotKnown("this host's own address is not known yet")
    if found.ipv4 is not None or found.ipv6 is not None:
        return Reached(found.ipv4, found.ipv6)
    if lister.rules.advertise == AUTO:
        return Unreached("this host has no default route, so that it has no address to others")
    return Undecided("`advertise` is not set in the configuration; write `advertise: auto` or an address")


def host_reach(lister: Lister, context: NetworkContext, target: Container, reference: Reference) -> HostReach:
    """The addresses of the host that a reference means."""
    if target.remote is not None:
        where = told(target.remote.host) or "another host"
        return Unreached(
            f"{target.name} runs on {where}, whose address this host does not know;"
            " `ip` is the address that is published for it, with `publish.host_address` there that of its host"
        )
    if reference.attribute is Attribute.HOST_IP:
        return published(lister, context, target, reference.port)
    return advertised(lister)


def published(lister: Lister, context: NetworkContext, target: Container, port: int | None) -> HostReach:
    """The addresses of the host on which the container's ports are published, or this one port of the container."""
    if context.has_lost_network:
        return Unreached(LOST_NETWORK)
    service = lister.joins.sandbox(target)
    if service is None or lister.joins.has_outlived(target):
        is_gone = lister.joins.has_lost_network(target)
        gone = f"the container whose network {target.name} uses is"
        return Unreached(f"{gone} gone") if is_gone else NotKnown(f"{gone} not known yet")
    if service.network_mode is NetworkMode.HOST:
        return Unreached(f"{service.name} uses the host's network and publishes no port; PublicIp is its address")
    if service.bindings is None:
        return NotKnown(f"the published ports of {service.name} are not known yet")
    return _of_bindings(lister, context, service, service.bindings, port)


def _of_bindings(
    lister: Lister, context: NetworkContext, service: Container, bindings: frozenset[Binding], port: int | None
) -> HostReach:
    if not bindings:
        return Unreached(f"{service.name} publishes no port")
    chosen = bindings if port is None else _of_port(bindings, port)
    if not chosen:
        return Unreached(
            f"{service.name} does not publish its port {port}; it publishes {_ports(each for each, *_ in bindings)}"
        )
    return _bound(lister, context, service, chosen, port)


def _of_port(bindings: Iterable[Binding], port: int) -> frozenset[Binding]:
    """The bindings of a port of the container, of all protocols."""
    return frozenset([binding for binding in bindings if binding[0].partition("/")[0] == str(port)])


def _bound(
    lister: Lister, context: NetworkContext, service: Container, bindings: frozenset[Binding], port: int | None
) -> HostReach:
    """The address of each family to which these ports are bound."""
    bound = frozenset(_parsed(address for _, address, _ in bindings))
    is_host = context.network_mode is NetworkMode.HOST
    if not is_host and port is not None:  # another address of the same port is the one that is meant
        bound = frozenset([address for address in bound if not address.is_loopback]) or bound
    own = advertised(lister)
    if any(address.is_unspecified for address in bound) and not isinstance(own, Reached):
        return _without_own(service, own)
    found = frozenset(_resolved(bound, own))
    if any(sum(address.version == version for address in found) > 1 for version in (4, 6)):
        return Undecided(_several(service, bindings, port))
    if not is_host and any(address.is_loopback for address in found):
        return _of_loopback(context, service, found)
    if not found:
        return Unreached(f"{service.name} publishes its ports on no address that this host has")
    return reached_of(found)


def _of_loopback(context: NetworkContext, service: Container, found: Iterable[Address]) -> HostReach:
    if not context.is_known:
        return NotKnown("whose network the subscriber uses is not known")
    return Unreached(f"{service.name} publishes its ports on {_listed(found)}, which only the host itself reaches")


def _parsed(addresses: Iterable[str]) -> Iterator[Address]:
    """The addresses without those that no line can have: with a zone, or of no known form."""
    for text in frozenset(addresses):
        with suppress(ValueError):
            if "%" not in text:
                yield ipaddress.ip_address(text)


def _resolved(bound: Iterable[Address], own: HostReach) -> Iterator[Address]:
    """The addresses, with the host's own in the place of 0.0.0.0 and ::."""
    for address in bound:
        if not address.is_unspecified:
            yield address
        elif isinstance(own, Reached):
            yield from filter(None, [own.ipv4 if address.version == 4 else own.ipv6])


def _without_own(service: Container, own: Unreached | NotKnown | Undecided) -> HostReach:
    return type(own)(f"{service.name} publishes its ports on all addresses of this host, and {own.reason}")


def _several(service: Container, bindings: frozenset[Binding], port: int | None) -> str:
    """Why these bindings mean no single address."""
    by_address: dict[str, set[str]] = {}
    for each, address, _ in bindings:
        by_address.setdefault(address, set()).add(each)
    places = [f"{address} ({_ports(ports)})" for address, ports in sorted(by_address.items())]
    what = f"{service.name} publishes its ports" if port is None else f"{service.name} publishes its port {port}"
    which = "; HostIp[PORT] says which port of the container is meant" if port is None else ""
    return f"{what} on several addresses: {_cut(places)}{which}"


def _ports(ports: Iterable[str]) -> str:
    """The container's ports, for people."""
    numbers = sorted(frozenset(ports), key=lambda port: (len(port.partition("/")[0]), port))
    return _cut(numbers)


def _listed(addresses: Iterable[Address]) -> str:
    return _cut([str(address) for address in sorted(addresses, key=lambda address: (address.version, int(address)))])


def _cut(words: list[str]) -> str:
    """The first of these words, and how many more there are."""
    more = f" and {len(words) - _MOST_SHOWN} more" if len(words) > _MOST_SHOWN else ""
    return told(", ".join(words[:_MOST_SHOWN]) + more)
