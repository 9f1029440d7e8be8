"""Whether packets find their way: from this host to what others publish, and from others to what this one publishes."""

import re
from collections.abc import Iterable, Iterator
from contextlib import closing

from hostwatch.config.cluster import PublishSettings
from hostwatch.control.key_values import Entry
from hostwatch.core.cluster.values import SERVICES, BadValueError, node_name, parsed_replicas
from hostwatch.core.model import Address, Container, Endpoint, NetworkKey, State
from hostwatch.core.names import told
from hostwatch.core.resolve.remote_reach import OVERLAY
from hostwatch.doctor.evidence import Evidence
from hostwatch.doctor.finding import Finding, fine, note, problem
from hostwatch.hosts import probe
from hostwatch.network.routes import Routes

_MOST_TOLD = 5
"""So many addresses are told, each with its service."""
_DROPS_SINCE = 28
"""The first engine that drops what other hosts send to the addresses of its bridges. A later one may do so by nftables,
which iptables does not show."""
_DIRECT = (
    'start the engine with `--allow-direct-routing` (`"allow-direct-routing": true` in its daemon.json), or make that'
    " network with `-o com.docker.network.bridge.gateway_mode_ipv4=routed`; or publish by `publish.host_address`"
)
_ROUTE = "give this host a route to that network (`ip route add NETWORK via HOST`), or publish by `host_address` there"
_DROP = re.compile(r"-A PREROUTING -d ([0-9a-f.:]+)(?:/\d+)? .*-j DROP")
"""How the engine writes that packets to a container's address come by its bridge alone."""


def unrouted(own: str | None, prefix: str, entries: Iterable[Entry]) -> Iterator[Finding]:
    """Addresses that other hosts publish, and that this host has no route to."""
    published = dict(_published(own, prefix, entries))
    if not published:
        return
    try:
        with closing(Routes()) as routes:
            lost = [place for address, place in published.items() if not routes.has(address)]
    except OSError:
        return  # netlink is not allowed here, and nothing else needs it
    for place in lost[:_MOST_TOLD]:
        yield problem(f"cluster: this host has no route to {place}", _ROUTE)
    if not lost:
        yield fine(f"cluster: this host has a route to each address that others publish ({len(published)})")


def _published(own: str | None, prefix: str, entries: Iterable[Entry]) -> Iterator[tuple[Address, str]]:
    """The addresses that other hosts publish, each with what it is, for people."""
    for entry in entries:
        key = entry.key.removeprefix(prefix)
        node = node_name(key)
        if not key.startswith(SERVICES) or node is None or node == own:
            continue
        try:
            replicas = parsed_replicas(entry.value)
        except BadValueError:
            continue  # the daemon refuses it, and tells so
        for replica in replicas:
            for address in (replica.ipv4, replica.ipv6):
                if address is not None:
                    yield address, f"{address} ({told(replica.name)} of {told(node)})"


def dropped(publish: PublishSettings, evidence: Evidence, rules: str | None) -> Iterator[Finding]:
    """Published addresses of containers to which the engine lets nothing pass that other hosts send.

    `rules` are those that come before routing, as `iptables-save -t raw` writes them; `None`: they cannot be seen.
    """
    own = {address: container for container, address in _own(publish, evidence)}
    if not own:
        return
    version, found = evidence.engine.version, frozenset(_DROP.findall(rules or ""))
    lost = [(address, own[address]) for address in own if str(address) in found]
    if not lost and (rules is None or _major(version) > _DROPS_SINCE):
        if _major(version) >= _DROPS_SINCE:
            what = f"engine {version} drops what other hosts send to addresses of its bridges, by default"
            look = "the host's firewall has a rule DROP for each such address (`iptables-save -t raw`), if it does"
            yield note(f"cluster.publish.networks: {what}; from here this cannot be seen", f"{look}: {_DIRECT}")
        return
    for address, container in lost[:_MOST_TOLD]:
        what = f"the engine drops what other hosts send to {address} ({told(container.name)})"
        yield problem(f"cluster.publish.networks: {what}", _DIRECT)
    if not lost:
        yield fine(f"cluster.publish.networks: the engine lets packets of other hosts pass ({len(own)} addresses)")


def is_beside(evidence: Evidence) -> bool:
    """Whether this process is in the network of the engine's host: it has the addresses of the engine's bridges."""
    return any(probe.has_address(gateway) for network in evidence.store.networks for gateway in network.gateways)


def _own(publish: PublishSettings, evidence: Evidence) -> Iterator[tuple[Container, Address]]:
    """The containers that may be published by an address of their own on a bridge, each with it."""
    for container in evidence.store.containers:
        for endpoint in container.endpoints if container.state is State.RUNNING else ():
            if _is_published(publish, evidence, endpoint):
                yield from ((container, address) for address in endpoint.addresses)


def _is_published(publish: PublishSettings, evidence: Evidence, endpoint: Endpoint) -> bool:
    network = evidence.store.network(NetworkKey(evidence.engine.id, endpoint.network))
    keys = {endpoint.network_name, network.compose_name if network is not None else None}
    is_bridge = network is None or network.driver != OVERLAY
    return is_bridge and not keys.isdisjoint(publish.networks)


def _major(version: str) -> int:
    found = re.match(r"\d+", version)
    return int(found[0]) if found is not None else 0
