"""What two readings of one container come to, each of which may know what the other does not."""

import dataclasses

from hostwatch.core.model import Address, Container, Endpoint, Health, Network


def same_selection(old: Container, new: Container) -> bool:
    """Whether all is the same that decides a container's roles."""
    return old.name == new.name and old.image == new.image and old.labels == new.labels


def details_of(read: Container, old: Container) -> Container:
    """What was read of a container, but for its state and addresses, which are known better."""
    found = {endpoint.network_name: endpoint for endpoint in read.endpoints}
    known = [_with_details(endpoint, found.pop(endpoint.network_name, endpoint)) for endpoint in old.endpoints]
    return dataclasses.replace(
        read,
        state=old.state,
        claim=old.claim,
        health=Health.NONE if read.health is Health.NONE else old.health or restarting(read.health),
        created=old.created or read.created,  # a list tells whole seconds only, which would change the replicas' order
        endpoints=(*known, *map(without_addresses, found.values())),
    )


def _with_details(known: Endpoint, read: Endpoint) -> Endpoint:
    aliases = known.aliases if read.aliases is None else read.aliases
    return dataclasses.replace(known, network=known.network or read.network, aliases=aliases)


def restarting(health: Health | None) -> Health | None:
    """The health of a container that is being started: a healthcheck begins anew."""
    return health if health in (None, Health.NONE) else Health.STARTING


def with_address(endpoint: Endpoint, network: Network, address: Address) -> Endpoint:
    """The endpoint, on this network with this address."""
    found = dataclasses.replace(endpoint, network=network.key.id)
    if address.version == 4:
        return dataclasses.replace(found, ipv4=address)
    return dataclasses.replace(found, ipv6=address)


def without_address(endpoint: Endpoint, address: Address) -> Endpoint:
    """The endpoint, if it has this address without it."""
    ipv4 = None if endpoint.ipv4 == address else endpoint.ipv4
    ipv6 = None if endpoint.ipv6 == address else endpoint.ipv6
    return dataclasses.replace(endpoint, ipv4=ipv4, ipv6=ipv6)


def without_addresses(endpoint: Endpoint) -> Endpoint:
    """The endpoint as it is while the container does not run."""
    return dataclasses.replace(endpoint, ipv4=None, ipv6=None)
