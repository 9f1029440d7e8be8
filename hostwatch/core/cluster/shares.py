"""What other hosts are told of one container.

A container is published under the services of the configuration that it stands behind, else under its compose service,
else under its own name; as far as the configuration says so. It counts while it runs, or has early addresses, and while
it is healthy if its service requires that. Its address is the one on a network that others can route to, or this host's
own.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hostwatch.core.cluster.publishing import Publishing
from hostwatch.core.cluster.values import HOST, Replica, is_word
from hostwatch.core.model import Claim, Container, ContainerKey, Endpoint, Health, NetworkMode, State
from hostwatch.core.names import folded, name_fault
from hostwatch.core.resolve.host_address import advertised
from hostwatch.core.resolve.reach import has_key
from hostwatch.core.resolve.reached import NotKnown, Reached
from hostwatch.core.rules import ServiceRule
from hostwatch.core.store.indexers import qualified
from hostwatch.core.store.lister import Lister


@dataclass(frozen=True, slots=True)
class Share:
    """A container's part in a service that is published."""

    service: str
    """The end of the service's key, behind the node: `config/db`."""
    order: tuple[int, float, str]
    """Its place among the replicas."""
    replica: Replica
    is_known: bool = True
    """Whether its address and health are known. If not, all stays as others know it."""

    @property
    def is_of_host(self) -> bool:
        """Whether others are told the host's own address."""
        return self.replica.id == HOST


@dataclass(frozen=True, slots=True)
class _Place:
    """A service that a container is published under."""

    key: str
    names: tuple[str, ...]
    """The names by which the configuration may mean it."""


def shares_of(lister: Lister, publishing: Publishing, key: ContainerKey) -> tuple[Share, ...]:
    """The parts of a container in all services that are published."""
    container, roles = lister.container(key), lister.roles(key)
    if container is None or not roles.enabled or container.claim is Claim.NONE or container.state is State.STOPPED:
        return ()
    places = _places(lister, publishing, container)
    names = _names(lister, container)
    found: list[Share] = []
    for index, place in enumerate(places):
        is_of_host = not publishing.host_address.isdisjoint(map(folded, place.names))
        reached = _reached(lister, publishing, container, _rule(lister, container, place), is_of_host)
        if reached is None:
            continue
        # Other names than those of its service belong to one service alone, so that they stay unambiguous.
        own = dict.fromkeys([*place.names, *(names if index == 0 else ())])
        replica = _replica(container, [name for name in own if name_fault(name) is None], reached, is_of_host)
        found.append(Share(place.key, container.replica_order, replica, isinstance(reached, Reached)))
    return tuple(found)


def _places(lister: Lister, publishing: Publishing, container: Container) -> list[_Place]:
    """The services that it is published under."""
    rules = lister.roles(container.key).services
    configured = [_Place(f"config/{rule.key}", tuple({rule.key: None} | dict.fromkeys(rule.names))) for rule in rules]
    if found := [place for place in configured if _is_published(publishing, place.names)]:
        return found
    for place in _given(container):
        free = [name for name in place.names if not lister.rules.service(name)]
        if _is_published(publishing, free):
            return [place]
    return []


def _given(container: Container) -> Iterator[_Place]:
    """The services that follow from the container alone, the first one first."""
    project, service, whole = container.project, container.compose_service, qualified(container)
    if whole is not None and is_word(project) and is_word(service):
        yield _Place(f"compose/{project}/{service}", (str(service), whole))
    if is_word(container.name) and not container.is_one_off:
        yield _Place(f"container/{container.name}", (container.name,))


def _is_published(publishing: Publishing, names: Iterable[str]) -> bool:
    return publishing.everything or not publishing.services.isdisjoint(map(folded, names))


def _rule(lister: Lister, container: Container, place: _Place) -> ServiceRule | None:
    """The entry of the configuration whose options count."""
    rules = lister.roles(container.key).services
    own = (rule for rule in rules if place.key == f"config/{rule.key}")
    return next(own, rules[0] if rules else None)


def _names(lister: Lister, container: Container) -> list[str]:
    """The names that others may look it up by, whatever it is published under."""
    whole, service = qualified(container), container.compose_service
    given = [service, whole] if service is not None and whole is not None else []
    return [*given, container.name, *lister.roles(container.key).names]


def _replica(container: Container, names: list[str], reached: Reached | NotKnown, is_of_host: bool) -> Replica:
    is_compose = is_word(container.project) and is_word(container.compose_service)
    return Replica(
        id=HOST if is_of_host else container.key.id,
        name=container.name,
        names=tuple(names),
        project=container.project if is_compose else None,
        service=(container.compose_service or "") if is_compose else "",
        number=container.labels.get("com.docker.compose.container-number", ""),
        ipv4=reached.ipv4 if isinstance(reached, Reached) else None,
        ipv6=reached.ipv6 if isinstance(reached, Reached) else None,
    )


def _reached(
    lister: Lister, publishing: Publishing, container: Container, rule: ServiceRule | None, is_of_host: bool
) -> Reached | NotKnown | None:
    """The addresses for others; `None`: there are none, or it is not healthy."""
    if lister.roles(container.key).health_required or (rule is not None and rule.health_required):
        if container.health is None:
            return NotKnown("its health is not known yet")
        if container.health not in (Health.HEALTHY, Health.NONE):
            return None
    if is_of_host:
        own = advertised(lister)
        return own if isinstance(own, Reached | NotKnown) else None
    return _routed(lister, publishing, container, rule)


def _routed(
    lister: Lister, publishing: Publishing, container: Container, rule: ServiceRule | None
) -> Reached | NotKnown | None:
    """Its addresses on a network that others can route to."""
    sandbox = lister.joins.sandbox(container)
    if sandbox is None:
        return None if lister.joins.has_lost_network(container) else NotKnown("whose network it uses is not known yet")
    if lister.joins.has_outlived(container) or sandbox.network_mode is NetworkMode.HOST:
        return None
    wanted = lister.roles(container.key).network if rule is None or rule.network is None else rule.network
    networks = publishing.networks if wanted is None else publishing.networks & {wanted}
    endpoints = [each for each in sandbox.endpoints if _is_on(lister, container, each, networks)]
    for endpoint in sorted(endpoints, key=lambda each: (each.network_name == "bridge", each.network_name)):
        if endpoint.addresses:
            return Reached(endpoint.ipv4, endpoint.ipv6)
        if sandbox.state is State.UNKNOWN:  # its address there may be still to come, and would come first
            break
    return NotKnown("its addresses are not known yet") if sandbox.state is State.UNKNOWN else None


def _is_on(lister: Lister, container: Container, endpoint: Endpoint, networks: Iterable[str]) -> bool:
    return any(name == endpoint.network_name or has_key(lister, container, endpoint, name) for name in networks)
