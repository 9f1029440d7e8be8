"""Chooses the address of a service's container that a subscriber gets.

| subscriber \\ service | on a shared network | host mode | container:X | no shared network |
| --- | --- | --- | --- | --- |
| on networks | its address there | the host's on the way to it | as X | none, or with any scope its first |
| host mode | its first address that the host reaches | 127.0.0.1 | as X | |
| container:X | as X | as X | as X | as X |

Of several shared networks the service's own choice wins, else user-defined ones before `bridge`, then by name.
`hostwatch.core.resolve.host_reach` decides which networks the host is on.
"""

import dataclasses
import ipaddress
from collections.abc import Iterable

from hostwatch.core.model import (
    Container,
    Endpoint,
    Network,
    NetworkKey,
    NetworkMode,
    State,
)
from hostwatch.core.names import shown
from hostwatch.core.resolve.host_reach import (
    FROM_HOST_UNREACHED,
    HOST_UNREACHED,
    is_host_away,
    is_host_on,
    listed,
    network_at,
    own_address,
    way_out,
)
from hostwatch.core.resolve.reached import NotKnown, Reach, Reached, Unreached, reached_of
from hostwatch.core.resolve.remote_reach import remote_reach
from hostwatch.core.store.lister import Lister
from hostwatch.core.store.network_context import Attachment, NetworkContext

LOST_NETWORK = "the subscriber's network is gone, with the container whose network it used"
SECLUDED = "where containers do not reach each other"
_LOOPBACK = ipaddress.IPv4Address("127.0.0.1")


def reach(lister: Lister, context: NetworkContext, target: Container, network: str | None, any_scope: bool) -> Reach:
    """The addresses at which a subscriber reaches `target`. With `network`, only those on that network count."""
    if target.remote is not None:
        return remote_reach(lister, context, target, target.remote)
    service = lister.joins.sandbox(target)
    is_there = not (context.has_lost_network or lister.joins.has_outlived(target))
    if service is None or not (is_there and context.is_placed and is_placed(service)):
        return _unplaced(lister, context, target, service)
    if service.network_mode is NetworkMode.HOST:
        is_host = context.network_mode is NetworkMode.HOST
        return Reached(_LOOPBACK, None) if is_host else _to_host(lister, context, any_scope)
    endpoints = [*service.endpoints] if network is None else _on_named(lister, target, service, network)
    if network is not None and not endpoints:
        return _not_on(service, network)
    endpoints.sort(key=_network_order)
    if context.network_mode is NetworkMode.HOST:
        return _from_host(lister, service, endpoints, any_scope)
    return _on_shared(context, service, endpoints, any_scope)


def _on_shared(context: NetworkContext, service: Container, endpoints: list[Endpoint], any_scope: bool) -> Reach:
    """The service's first address on a shared network; `endpoints` are in the order of networks."""
    shared = [endpoint for endpoint in endpoints if context.is_on(endpoint)]
    met = [endpoint for endpoint in shared if not context.is_secluded_from(service.key, endpoint)]
    if not met and not any_scope:
        return _secluded(shared) if shared else _unshared(context, service, endpoints)
    return _first(service, met or endpoints)


def way_to(
    lister: Lister, context: NetworkContext, target: Container, network: str | None, any_scope: bool
) -> str | None:
    """The network on which a subscriber reaches `target`, or would if it had an address; `None`: on no network.

    A container that starts or has ended is on the same networks as before, so a restart does not change the answer.
    """
    found = reach(lister, context, target, network, any_scope)
    if isinstance(found, Reached):
        return found.network_name or None
    service = lister.joins.sandbox(target)
    if service is None:
        return None
    endpoints = service.endpoints if network is None else _on_named(lister, target, service, network)
    ways = [endpoint for endpoint in endpoints if _is_way(lister, context, endpoint, any_scope)]
    return min([(not context.is_on(way), *_network_order(way)) for way in ways], default=(None,))[-1]


def _is_way(lister: Lister, context: NetworkContext, endpoint: Endpoint, any_scope: bool) -> bool:
    if any_scope or context.is_on(endpoint):
        return True
    if context.network_mode is not NetworkMode.HOST:
        return False
    network = network_at(lister, context.engine, endpoint)
    return network is None or not is_host_away(network)


def in_reach(lister: Lister, context: NetworkContext, target: Container, any_scope: bool) -> bool:
    """Whether the subscriber could reach the target if it ran. Only such containers may claim a name."""
    if target.remote is not None:
        return context.is_known and (target.remote.is_routed or any(map(context.is_on, target.endpoints)))
    service = lister.joins.sandbox(target)
    if not context.is_known or service is None:
        return False
    if any_scope or NetworkMode.HOST in (context.network_mode, service.network_mode):
        return True
    return any(map(context.is_on, service.endpoints))


def is_placed(container: Container) -> bool:
    """Whether the container's networks are known, at least in part."""
    return container.network_mode is not None or bool(container.endpoints)


def _unplaced(lister: Lister, context: NetworkContext, target: Container, service: Container | None) -> Reach:
    if context.has_lost_network:
        return Unreached(LOST_NETWORK)
    if not context.is_known:
        return NotKnown("whose network the subscriber uses is not known")
    if service is None:
        gone = f"the container whose network {target.name} uses is"
        return Unreached(f"{gone} gone") if lister.joins.has_lost_network(target) else NotKnown(f"{gone} not known yet")
    if lister.joins.has_outlived(target):
        return Unreached(f"the network that {target.name} uses ended when {service.name} was started anew")
    networks = f"the networks of {service.name}" if context.is_placed else "the subscriber's networks"
    return NotKnown(f"{networks} are not known yet")


def _to_host(lister: Lister, context: NetworkContext, any_scope: bool) -> Reach:
    """The host's address on the subscriber's way to it."""
    networks: list[Network] = []
    for attachment in sorted(context.attachments, key=_network_order):
        network = network_at(lister, context.engine, attachment)
        if network is None:
            return NotKnown(f"the network {shown(attachment.network_name)} is not known yet")
        if (found := _of_host(network, attachment)) is not None:
            return found
        networks.append(network)
    bridge = way_out(lister, networks)
    if bridge is not None and (found := _of_host(bridge, None)) is not None:
        return found
    return _no_way_to_host(lister, context, networks, any_scope)


def _no_way_to_host(lister: Lister, context: NetworkContext, networks: list[Network], any_scope: bool) -> Reach:
    is_away = bool(networks) and all(map(is_host_away, networks))
    if context.is_stale and (context.network_mode is None or not is_away):
        return NotKnown("the gateway of the subscriber is not known yet")
    if any_scope:
        own = lister.host_addresses
        if own is None:
            return NotKnown("this host's own address is not known yet")
        if own.ipv4 is not None or own.ipv6 is not None:
            return Reached(own.ipv4, own.ipv6)
    if is_away:
        return Unreached(f"the subscriber is only on {listed(networks)}, {FROM_HOST_UNREACHED}")
    return Unreached("the subscriber is on no network with a gateway to the host")


def _of_host(network: Network, attachment: Attachment | None) -> Reached | None:
    """The host's own addresses on a network; `None` if it has none."""
    found = [own_address(network, attachment, version) for version in (4, 6)]
    return reached_of(filter(None, found)) if any(found) else None


def _from_host(lister: Lister, service: Container, endpoints: list[Endpoint], any_scope: bool) -> Reach:
    """The service's first address on a network that the host reaches; `endpoints` are in the order of networks."""
    near: list[Endpoint] = []
    networks: list[Network] = []
    for endpoint in endpoints:
        network = network_at(lister, service.key.engine, endpoint)
        if network is None:
            return NotKnown(f"the network {shown(endpoint.network_name)} is not known yet")
        networks.append(network)
        if (seen := _seen_by_host(network, endpoint)) is not None:
            near.append(seen)
            if seen.addresses:
                break
    if any_scope or near or not endpoints:
        return _first(service, near or endpoints)
    if service.state is State.UNKNOWN and service.network_mode is None:
        return NotKnown(f"the networks of {service.name} are not known yet")
    return Unreached(f"only on {listed(networks)}, {HOST_UNREACHED}")


def _seen_by_host(network: Network, endpoint: Endpoint) -> Endpoint | None:
    """The endpoint with the addresses that the host reaches; `None` if it reaches none there."""
    ipv4, ipv6 = is_host_on(network, 4), is_host_on(network, 6)
    if ipv4 and ipv6:
        return endpoint
    if is_host_away(network):
        return None
    return dataclasses.replace(endpoint, ipv4=endpoint.ipv4 if ipv4 else None, ipv6=endpoint.ipv6 if ipv6 else None)


def is_on_named(lister: Lister, service: Container, network: str) -> bool:
    """Whether a container, or the one whose network it uses, is on this network of the service's own choice."""
    sandbox = lister.joins.sandbox(service)
    return sandbox is not None and bool(_on_named(lister, service, sandbox, network))


def _on_named(lister: Lister, service: Container, sandbox: Container, name: str) -> list[Endpoint]:
    """The endpoints on the network with that name, else with that key in the service's compose file."""
    named = [endpoint for endpoint in sandbox.endpoints if endpoint.network_name == name]
    return named or [e for e in sandbox.endpoints if has_key(lister, service, e, name)]


def has_key(lister: Lister, service: Container, endpoint: Endpoint, key: str) -> bool:
    """Whether the endpoint's network has this key in the compose file of the service's own project."""
    network = lister.network(NetworkKey(service.key.engine, endpoint.network))
    if network is None:  # not read yet: this is compose's default name
        return endpoint.network_name == f"{service.project}_{key}"
    return service.project is not None and (network.compose_project, network.compose_name) == (service.project, key)


def _secluded(shared: Iterable[Endpoint]) -> Reach:
    names = shown(" and ".join(endpoint.network_name for endpoint in shared))
    return Unreached(f"only on {names} with this subscriber, {SECLUDED}")


def _not_on(service: Container, network: str) -> Reach:
    if _is_to_be_placed(service):
        return NotKnown(f"the networks of {service.name} are not known yet")
    return Unreached(f"{service.name} is not on network {shown(network)}")


def _is_to_be_placed(service: Container) -> bool:
    """Whether it may be on networks that are not known yet."""
    return service.state is State.UNKNOWN and (service.network_mode is None or not service.endpoints)


def _unshared(context: NetworkContext, service: Container, endpoints: Iterable[Endpoint]) -> Reach:
    # Early addresses come network by network, so a shared network may be still to come.
    if context.is_stale and (context.network_mode is None or not context.attachments):
        return NotKnown("the subscriber's networks are not known yet")
    if _is_to_be_placed(service):
        return NotKnown(f"the networks of {service.name} are not known yet")
    names = ", ".join(sorted(endpoint.network_name for endpoint in endpoints))
    if names:
        return Unreached(f"no shared network with {service.name} (on {shown(names)})")
    return Unreached(f"{service.name} is on no network")


def _first(service: Container, endpoints: list[Endpoint]) -> Reach:
    for endpoint in endpoints:
        if endpoint.addresses:
            return Reached(endpoint.ipv4, endpoint.ipv6, endpoint.mac, endpoint.network, endpoint.network_name)
        if service.state is State.UNKNOWN:  # its address on this network may be still to come, and would come first
            break
    if service.state is State.UNKNOWN:
        return NotKnown(f"the address of {service.name} is not known yet")
    return Unreached(f"{service.name} has no address")


def _network_order(endpoint: Endpoint | Attachment) -> tuple[bool, str]:
    return (endpoint.network_name == "bridge", endpoint.network_name)
