"""All services with their containers: those of the configuration, then all others, for `status` and metrics.

A container is listed under the service that people know it by: its swarm's, its compose project's, else its own name.
"""

from collections.abc import Iterable, Mapping
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from hostwatch.control.turns import Turns
from hostwatch.core.model import Container, Health, State
from hostwatch.core.remote import RemoteEndpoint
from hostwatch.core.store.lister import Lister

Json = Mapping[str, Any]

_SWARM_SERVICE = "com.docker.swarm.service.name"
"""The label of a swarm's task."""
_SWARM = "swarm:"
"""What the group of a swarm service's replicas on other hosts begins with."""


class Place(NamedTuple):
    """The service outside the configuration that a container belongs to. Services are listed in this order."""

    rank: int
    order: tuple[str, ...]
    source: str
    """As in `compose:shop`, `swarm`, `container`; for one of other hosts alone the source that tells it."""
    name: str


_COMPOSE, _TASK, _ALONE = range(3)


def place_of(lister: Lister, container: Container) -> Place | None:
    """The service outside the configuration that a container is listed under; `None` if it is in none."""
    roles, remote = lister.roles(container.key), container.remote
    if remote is not None and lister.rules.behind_group(remote.group) is not None:
        return None
    if not roles.enabled or roles.services:
        return None
    if container.project is not None and container.compose_service is not None:
        order = container.project, container.compose_service
        return Place(_COMPOSE, order, f"compose:{container.project}", container.compose_service)
    if (service := _swarm_service(container)) is not None:
        return Place(_TASK, (service,), "swarm", service)
    if remote is None:
        return Place(_ALONE, (container.name, container.key.id), "container", container.name)
    name, group = remote.service or remote.name, remote.group or container.key.id
    return Place(_ALONE, (name, group), remote.source, name)


def _swarm_service(container: Container) -> str | None:
    if container.remote is None:
        return container.labels.get(_SWARM_SERVICE) or None
    group = container.remote.group
    return group.removeprefix(_SWARM) if group.startswith(_SWARM) else None


async def services(store: Lister, turns: Turns) -> list[Json]:
    """The services of the configuration, then those of compose and of a swarm, then the containers that are in none."""
    configured: dict[str, list[Container]] = {}
    others: dict[Place, list[Container]] = {}
    for container in sorted(store.everywhere, key=attrgetter("name")):
        await turns.give()
        if _is_of_this_host(store, container):
            continue
        if container.remote is not None and (rule := store.rules.behind_group(container.remote.group)) is not None:
            configured.setdefault(rule.key, []).append(container)
        elif (place := place_of(store, container)) is not None:
            others.setdefault(place, []).append(container)
    found = list[Json]()
    for rule in store.rules.services:
        members = [*store.behind_rule(rule), *_in_order(configured.get(rule.key, ()))]
        found.append(_service(rule.key, rule.names, "config", members))
    for place, members in sorted(others.items(), key=itemgetter(0)):
        await turns.give()
        names = dict.fromkeys([place.name, *(name for c in members for name in _names(store, c))])
        found.append(_service(place.name, names, place.source, _in_order(members)))
    return found


def _is_of_this_host(store: Lister, container: Container) -> bool:
    """Whether what a swarm tells is a task of this host, which is listed anyway."""
    if container.remote is None or container.remote.is_routed:
        return False
    here = (
        key
        for e in container.endpoints
        for address in e.addresses
        for key in store.holders(container.key.engine, address, e)
    )
    return any((found := store.container(key)) is not None and found.remote is None for key in here)


def _in_order(replicas: Iterable[Container]) -> list[Container]:
    return sorted(replicas, key=lambda container: container.replica_order)


def _names(store: Lister, container: Container) -> Iterable[str]:
    """The names that a container has besides its service's."""
    return store.roles(container.key).names if container.remote is None else container.remote.names


def _service(name: str, names: Iterable[str], source: str, containers: Iterable[Container]) -> Json:
    return {
        "name": name,
        "names": list(names),
        "source": source,
        "containers": [_container(container) for container in containers],
    }


def _container(container: Container) -> Json:
    health = None if container.health in (None, Health.NONE) else container.health.value
    return {
        "id": container.key.id,
        "name": container.name,
        "state": container.state.value,
        "health": health if container.state is not State.STOPPED else None,
        "addresses": {
            endpoint.network_name: [str(address) for address in endpoint.addresses]
            for endpoint in container.endpoints
            if endpoint.addresses
        },
        "elsewhere": elsewhere(container.remote),
    }


def elsewhere(remote: RemoteEndpoint | None) -> Json | None:
    """Where an address of another host is, and who tells it; `None` for one of this host."""
    if remote is None:
        return None
    return {"host": remote.host or None, "source": remote.source, "as_last_known": remote.is_kept}
