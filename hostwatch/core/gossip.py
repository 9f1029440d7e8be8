"""What a swarm's gossip tells of an overlay network, and what stays of a node that it tells nothing of any more.

A node that cannot be reached vanishes from the gossip with all that it has, some five seconds later (engines 26.1 and
28.5). That looks the same on the node that was cut off, where all others vanish. So what was known of a silent node
stays for a while, and stays without end on a node that hears no other one: there, nothing is known.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from hostwatch.core.model import Address
from hostwatch.core.remote import RemoteEndpoint

INGRESS = "ingress"
"""The network for published ports, which each node of a swarm is on: its peers are the nodes that are heard."""
SILENT_SECONDS = 30.0
"""A silent node's endpoints stay for this time while other nodes are heard. A node that is cut off hears them go
silent one after the other: the gossip gives a node up after 4 to 24 s (memberlist's suspicion)."""
_SETTLED_SECONDS = 10.0
"""After a silent node is back, what it no longer tells stays for this time. An engine that was restarted told its
containers after 0.4 s, and its services after 6 s."""


@dataclass(frozen=True, slots=True)
class Gossip:
    """One answer: the endpoints on an overlay network."""

    is_joined: bool
    """Whether this node is on the network. Until then it hears nothing of it."""
    endpoints: Mapping[str, RemoteEndpoint]
    """By their ids. Of this node's own, only those by which a service is looked up."""
    nodes: frozenset[str]
    """The addresses of the nodes with a container on this network."""
    own: frozenset[str]
    """Those of this node."""
    local: frozenset[Address] = frozenset()
    """The addresses of this node's endpoints."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """What was left out, with the reason."""


@dataclass(frozen=True, slots=True)
class _Silence:
    is_away: bool
    until: float
    """What was known stays until then."""


class Silences:
    """The nodes that are silent, or were until some seconds ago."""

    def __init__(self) -> None:
        self._found: dict[str, _Silence] = {}

    @property
    def away(self) -> list[str]:
        """The addresses of the nodes that are silent now."""
        return sorted(host for host, silence in self._found.items() if silence.is_away)

    @property
    def hosts(self) -> frozenset[str]:
        """The nodes that are silent, or just came back."""
        return frozenset(self._found)

    def look(self, hosts: Iterable[str], heard: frozenset[str], *, is_alone: bool, now: float) -> None:
        """Take in which of the nodes that something was known of are heard. `is_alone`: this node hears no other."""
        self._found = {
            host: silence
            for host in hosts
            if (silence := _silence(self._found.get(host), host in heard, is_alone, now)) is not None
        }

    def keep(self, host: str, now: float) -> bool:
        """Whether what was known of a node stays."""
        silence = self._found.get(host)
        return silence is not None and now < silence.until


def _silence(before: _Silence | None, is_heard: bool, is_alone: bool, now: float) -> _Silence | None:
    if is_heard:
        if before is None or (not before.is_away and now >= before.until):
            return None
        return _Silence(False, now + _SETTLED_SECONDS) if before.is_away else before
    if is_alone:
        return _Silence(True, math.inf)
    if before is None or not before.is_away or before.until == math.inf:
        return _Silence(True, now + SILENT_SECONDS)
    return before


def kept(missing: Iterable[RemoteEndpoint], gossip: Gossip, silences: Silences, now: float) -> list[RemoteEndpoint]:
    """The endpoints that stay although the gossip has them no more.

    One whose name, place in its service or address something else has now is gone.
    """
    lost = list(missing)
    places = {_place(endpoint) for endpoint in gossip.endpoints.values()}
    taken = {address for endpoint in gossip.endpoints.values() for address in _addresses(endpoint)} | gossip.local
    found = [
        endpoint
        for endpoint in lost
        if silences.keep(endpoint.host, now)
        and _place(endpoint) not in places
        and taken.isdisjoint(_addresses(endpoint))
    ]
    # A service's virtual address has no host: it stays as long as a task of it, if the gossip has none.
    there = {endpoint.group for endpoint in gossip.endpoints.values()}
    groups = {endpoint.group for endpoint in found if endpoint.group} - there
    found += [endpoint for endpoint in lost if not endpoint.host and endpoint.group in groups]
    return [endpoint if endpoint.is_kept else replace(endpoint, is_kept=True) for endpoint in found]


def _place(endpoint: RemoteEndpoint) -> tuple[str, str]:
    """What only one endpoint at a time has: a number in a service, or else a name."""
    return (endpoint.group, endpoint.number) if endpoint.number else ("", endpoint.name)


def _addresses(endpoint: RemoteEndpoint) -> list[Address]:
    return [address for address in (endpoint.ipv4, endpoint.ipv6) if address is not None]
