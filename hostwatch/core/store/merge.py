"""Merges new facts into a container. Of two readings, each may have facts that the other one lacks."""

import dataclasses

from hostwatch.core.model import Address, Claim, Container, Endpoint, Health, Network, State


def same_selection(old: Container, new: Container) -> bool:
    """Whether all facts that decide the container's roles are equal."""
    return old.name == new.name and old.image == new.image and old.labels == new.labels


def same_places(old: Container, new: Container) -> bool:
    """Whether only addresses, state and health may differ: names, networks and roles are those of before.

    Aliases that are not read yet make a difference, as the state decides whether they are missing.
    """
    return (
        same_selection(old, new)
        and (old.claim, old.network_mode, old.joined, old.host_file, old.remote)
        == (new.claim, new.network_mode, new.joined, new.host_file, new.remote)
        and [(e.network_name, e.aliases) for e in old.endpoints] == [(e.network_name, e.aliases) for e in new.endpoints]
        and None not in [e.aliases for e in new.endpoints]
    )


def details_of(read: Container, old: Container) -> Container:
    """The container as read, with the state, addresses and published ports of `old`, which are newer."""
    found = {endpoint.network_name: endpoint for endpoint in read.endpoints}
    known = [_with_details(endpoint, found.pop(endpoint.network_name, endpoint)) for endpoint in old.endpoints]
    return dataclasses.replace(
        read,
        state=old.state,
        claim=old.claim,
        health=Health.NONE if read.health is Health.NONE else old.health or _restarted(read.health),
        created=old.created or read.created,  # a list has whole seconds only, which would change the order of replicas
        endpoints=(*known, *map(_without_addresses, found.values())),
        bindings=old.bindings,
    )


def _with_details(known: Endpoint, read: Endpoint) -> Endpoint:
    aliases = known.aliases if read.aliases is None else read.aliases
    return dataclasses.replace(known, network=known.network or read.network, aliases=aliases)


def completed(listed: Container, old: Container | None) -> Container:
    """A listed container, with the facts that a list lacks taken from `old`, or else empty."""
    aliases = {endpoint.network_name: endpoint.aliases for endpoint in old.endpoints} if old is not None else {}
    endpoints = (
        dataclasses.replace(endpoint, aliases=aliases.get(endpoint.network_name) or frozenset())
        for endpoint in (listed.endpoints if listed.joined is None else ())
    )
    return dataclasses.replace(
        listed,
        endpoints=tuple(endpoints),
        hostname=old.hostname if old is not None else None,
        created=old.created if old is not None else listed.created,
        started=old.started if old is not None else 0.0,
        health=listed.health or (old.health if old is not None else None) or Health.NONE,
    )


def changing(container: Container) -> Container:
    """The container while it is changing. It claims its names fully, and its healthcheck begins anew."""
    return dataclasses.replace(container, state=State.UNKNOWN, claim=Claim.FULL, health=_restarted(container.health))


def ended(container: Container, old: Container | None) -> Container:
    """A container that does not run. It has no addresses, and keeps its names if it ran in `old`.

    What it will publish once it runs is not known.
    """
    claim = container.claim
    if claim is not Claim.NONE:
        # A container that had ended before it was first seen has no time left to come back.
        is_over = old is None or (old.state is State.STOPPED and old.claim is Claim.YIELDING)
        claim = Claim.YIELDING if is_over else Claim.FULL
    endpoints = tuple(map(_without_addresses, container.endpoints))
    return dataclasses.replace(container, endpoints=endpoints, claim=claim, bindings=None)


def removed(container: Container) -> Container:
    """A container that was just removed. Only its names are left."""
    endpoints = tuple(map(_without_addresses, container.endpoints))
    return dataclasses.replace(container, state=State.STOPPED, claim=Claim.DEPARTED, endpoints=endpoints)


def _restarted(health: Health | None) -> Health | None:
    return health if health in (None, Health.NONE) else Health.STARTING


def with_address(endpoint: Endpoint, network: Network, address: Address) -> Endpoint:
    """The endpoint with this address, on this network."""
    found = dataclasses.replace(endpoint, network=network.key.id)
    if address.version == 4:
        return dataclasses.replace(found, ipv4=address)
    return dataclasses.replace(found, ipv6=address)


def without_address(endpoint: Endpoint, address: Address) -> Endpoint:
    """The endpoint without this address."""
    ipv4 = None if endpoint.ipv4 == address else endpoint.ipv4
    ipv6 = None if endpoint.ipv6 == address else endpoint.ipv6
    return dataclasses.replace(endpoint, ipv4=ipv4, ipv6=ipv6)


def _without_addresses(endpoint: Endpoint) -> Endpoint:
    return dataclasses.replace(endpoint, ipv4=None, ipv6=None)
