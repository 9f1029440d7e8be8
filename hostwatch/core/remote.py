"""Endpoints on other hosts, as a source tells them: a swarm's gossip, other hostwatches, or a catalog.

Each counts as a container that runs, so that names, holds, reasons and records are the same for both. It has a key,
names and an index of its own, and never claims a name before the containers of this engine (`Tier`).
"""

import ipaddress
from dataclasses import dataclass

from hostwatch.core.model import (
    NO_NETWORK,
    Address,
    Container,
    ContainerId,
    ContainerKey,
    Endpoint,
    EngineId,
    Health,
    NetworkId,
    NetworkMode,
    State,
)

_BROADCAST = ipaddress.IPv4Address("255.255.255.255")


@dataclass(frozen=True, slots=True)
class RemoteEndpoint:
    """An address on another host, with the names that it answers to."""

    id: str
    """Unique in its source, and stable."""
    name: str
    """The name of the container or instance, for people."""
    host: str = ""
    """The name of its host, for people; empty: not known."""
    names: tuple[str, ...] = ()
    """The names by which everyone who reaches it may look it up, as written."""
    group: str = ""
    """What all replicas of one service have in common, as in `swarm:web`, `config:db`, `compose:shop/db`,
    `catalog:legacy-db`. Empty: it is alone."""
    service: str = ""
    """The name of its service; with a project, the name by which that project's containers look it up."""
    project: str | None = None
    """Its compose project."""
    number: str = ""
    """The number of the replica; replicas are ordered by it."""
    ipv4: ipaddress.IPv4Address | None = None
    ipv6: ipaddress.IPv6Address | None = None
    network: NetworkId = NO_NETWORK
    """The overlay network that it is on; empty: its addresses are routed, so that everyone reaches them."""
    network_name: str = ""
    is_kept: bool = False
    """Whether its host is cut off, so that it is as last known."""
    twin: str = ""
    """What only another endpoint has that is the same container: its host is told under two names for a moment if its
    name is changed. Empty: it is told once."""

    @property
    def is_routed(self) -> bool:
        """Whether everyone reaches it, on whatever network."""
        return not self.network and not self.network_name

    @property
    def source(self) -> str:
        """The source that tells it."""
        if not self.is_routed:
            return overlay_source(self.network_name)
        return self.group if self.group.startswith(_CATALOG) else CLUSTER

    @property
    def told_by(self) -> str:
        """Who tells it, for people; with the place of it, as far as that is known."""
        place = f"on {self.host}, " if self.host else ""
        return f"{place}as {_told_by(self.source)} {'last told' if self.is_kept else 'tells'} it"


CLUSTER = "cluster"
"""The source of what other hostwatches publish."""
_OVERLAY, _CATALOG = "overlay:", "catalog:"
"""What the names of the other sources begin with."""


def _told_by(source: str) -> str:
    kind, _, name = source.partition(":")
    if source == CLUSTER:
        return "the store of `cluster`"
    return f"the overlay network {name}" if f"{kind}:" == _OVERLAY else f"the catalog of the service {name}"


def overlay_source(network_name: str) -> str:
    """The source of what a swarm's gossip tells of an overlay network."""
    return f"{_OVERLAY}{network_name}"


def config_group(key: str) -> str:
    """The group of the replicas of a service of the configuration, on all hosts."""
    return f"config:{key}"


def catalog_group(key: str) -> str:
    """The group of the instances that a catalog has for a service of the configuration, and the name of that source."""
    return f"{_CATALOG}{key}"


def own_kind(address: Address) -> str | None:
    """What kind of address this is if it never is that of another host; `None` if it may be."""
    if address.is_loopback:
        return "a loopback"
    if address.is_link_local:
        return "a link-local"
    if address.is_multicast:
        return "a multicast"
    return "no host's" if address.is_unspecified or address == _BROADCAST else None


def remote_key(engine: EngineId, source: str, identity: str) -> ContainerKey:
    """The key of an endpoint of a source. `engine` is this host's own, from which it is looked up."""
    return ContainerKey(engine, ContainerId(f"remote:{source}:{identity}"))


def remote_container(key: ContainerKey, endpoint: RemoteEndpoint) -> Container:
    """The endpoint as a container of that key."""
    labels = {"com.docker.compose.container-number": endpoint.number} if endpoint.number else {}
    if endpoint.project is not None:
        labels |= {"com.docker.compose.project": endpoint.project, "com.docker.compose.service": endpoint.service}
    place = Endpoint(endpoint.network, endpoint.network_name, endpoint.ipv4, endpoint.ipv6, aliases=frozenset())
    return Container(
        key,
        endpoint.name,
        State.RUNNING,
        labels,
        health=Health.NONE,
        hostname=endpoint.name,
        network_mode=NetworkMode.OWN,
        endpoints=(place,),
        remote=endpoint,
    )
