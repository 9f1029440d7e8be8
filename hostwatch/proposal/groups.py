"""What runs here, sorted as people think of it: Compose projects, stacks of a swarm, and networks for all others."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter

from hostwatch.core.model import Container, NetworkMode, State
from hostwatch.core.names import folded, shown
from hostwatch.core.store.store import Store

MOST = 300
"""More containers make a file that nobody reads; it is to show the way."""
_DEFAULT_BRIDGES = ("bridge", "podman")
"""The network of containers that name none: Docker's and Podman's."""
_COMPOSE, _SWARM = "com.docker.compose", "com.docker.swarm"
SWARM_SERVICE = f"{_SWARM}.service.name"
_STACK = "com.docker.stack.namespace"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)
_POD = "-infra"
"""The end of the name of a pod's own container, which only holds the network of the others."""


@dataclass(frozen=True, slots=True)
class Member:
    """Containers that are one to those who ask for them."""

    name: str
    """The name by which the others of the group ask for it."""
    key: str
    """A name by which everybody may ask for it."""
    match: Mapping[str, object]
    """What selects its containers in a configuration."""
    containers: tuple[Container, ...]
    needs: tuple[str, ...] = ()
    """The names that it depends on, as its Compose file says."""


@dataclass(frozen=True, slots=True)
class Group:
    """Members that have to do with each other."""

    title: str
    key: str
    members: tuple[Member, ...]
    match: Mapping[str, object]
    """What selects all of them."""
    note: str = ""
    neighbours: tuple[str, ...] = ()
    """Names of others that can be asked for here."""


@dataclass(frozen=True, slots=True)
class Running:
    """All that runs here, in groups in the order in which they are proposed."""

    groups: tuple[Group, ...]
    count: int
    """The number of containers."""
    subscribed: tuple[str, ...]
    """The names of those that subscribe already."""
    left_out: int
    """The number of those that are in no group, as there are too many."""


def running(store: Store) -> Running:
    """What runs on the engine."""
    everyone = sorted((c for c in store.containers if _counts(store, c)), key=attrgetter("name", "key"))
    projects, tasks, others = list[Container](), list[Container](), list[Container]()
    for container in everyone[:MOST]:
        is_of_project = _is_plain(container.project) and _is_plain(container.compose_service)
        is_task = _is_plain(container.labels.get(SWARM_SERVICE))
        kind = projects if is_of_project else tasks if is_task else others
        kind.append(container)
    subscribed = tuple(c.name for c in everyone if store.roles(c.key).subscriptions)
    groups = (*_projects(projects), *_stacks(tasks), *_networks(store, others, projects))
    return Running(groups, len(everyone), subscribed, max(0, len(everyone) - MOST))


def _is_plain(name: str | None) -> bool:
    """Whether it is such a name as Compose and a swarm give. Anybody may write another one into a label."""
    return name is not None and _PLAIN.fullmatch(name) is not None


def _counts(store: Store, container: Container) -> bool:
    """Whether a container runs and may have a role."""
    if container.state is not State.RUNNING or container.is_one_off or not store.roles(container.key).enabled:
        return False
    return not (container.name.endswith(_POD) and store.joins.joiners(container.key))


def _projects(containers: Iterable[Container]) -> Iterator[Group]:
    for project, services in _grouped((c.project or "", c.compose_service or "", c) for c in containers):
        members = tuple(
            Member(
                service,
                f"{project}-{service}",
                {"project": project, "service": service},
                tuple(replicas),
                tuple(name for name in _needs(replicas[0]) if name in services),
            )
            for service, replicas in sorted(services.items())
        )
        file = members[0].containers[0].labels.get(f"{_COMPOSE}.project.config_files")
        title = f"Compose project {shown(project)}" + (f", {shown(file)}" if file else "")
        yield Group(title, project, members, {"project": project})


def _needs(container: Container) -> Iterator[str]:
    """The services that Compose starts before this one: the label is as in `db:service_started:false,cache:…`."""
    for each in container.labels.get(f"{_COMPOSE}.depends_on", "").split(","):
        yield each.partition(":")[0]


def _stacks(containers: Iterable[Container]) -> Iterator[Group]:
    for stack, services in _grouped((c.labels.get(_STACK, ""), c.labels[SWARM_SERVICE], c) for c in containers):
        members = tuple(
            Member(name, name, {"label": {SWARM_SERVICE: name}}, tuple(tasks))
            for name, tasks in sorted(services.items())
        )
        title = f"Stack {shown(stack)} of the swarm" if stack else "Services of the swarm outside of any stack"
        yield Group(title, stack or "swarm", members, {"label": {SWARM_SERVICE: [*services]}})


def _grouped(containers: Iterable[tuple[str, str, Container]]) -> Iterator[tuple[str, dict[str, list[Container]]]]:
    """The containers of each group, by the names of their services; group, service and container are given."""
    found: dict[str, dict[str, list[Container]]] = {}
    for group, service, container in containers:
        found.setdefault(group, {}).setdefault(service, []).append(container)
    yield from sorted(found.items())


def _networks(store: Store, containers: Iterable[Container], projects: Iterable[Container]) -> Iterator[Group]:
    """The networks of containers that belong to no project, in which the services of projects are neighbours."""
    found: dict[str, list[Container]] = {}
    in_host: list[Container] = []
    for container in containers:
        if container.network_mode is NetworkMode.HOST:
            in_host.append(container)
        for network in _networks_of(store, container):
            found.setdefault(network, []).append(container)
    neighbours = _neighbours(projects)
    for network, members in sorted(found.items(), key=lambda each: (each[0] in _DEFAULT_BRIDGES, each[0])):
        yield _of_network(network, members, neighbours.get(network, ()))
    if in_host:
        title, key = "Containers in the host's own network", "in-the-network-of-the-host"
        yield Group(title, key, tuple(map(_alone, in_host)), _names(in_host))


def _of_network(network: str, containers: list[Container], neighbours: Iterable[str]) -> Group:
    title, key, note = f"Network {shown(network)}", f"on-{network}", ""
    if network in _DEFAULT_BRIDGES:
        title, key = f"The default network, {network}", "on-the-default-network"
        note = "Docker's DNS knows no names on this network."
    own = {folded(container.name) for container in containers}
    near = tuple(name for name in neighbours if folded(name) not in own)
    return Group(title, key, tuple(map(_alone, containers)), _names(containers), note, near)


def _names(containers: Iterable[Container]) -> dict[str, object]:
    return {"name": [container.name for container in containers]}


def _alone(container: Container) -> Member:
    return Member(container.name, container.name, {"name": container.name}, (container,))


def _networks_of(store: Store, container: Container) -> list[str]:
    """The names of the networks on which a container has addresses, be it by another one's network."""
    sandbox = store.joins.sandbox(container)
    if sandbox is None or sandbox.network_mode is NetworkMode.HOST:
        return []
    return [endpoint.network_name for endpoint in sandbox.endpoints if endpoint.addresses]


def _neighbours(containers: Iterable[Container]) -> dict[str, list[str]]:
    """The Compose services that can be asked for on each network. A name that two projects have there means neither."""
    found: dict[str, dict[str, set[str]]] = {}
    for container in containers:
        name, project = container.compose_service or "", container.project or ""
        for endpoint in container.endpoints:
            if endpoint.addresses and name in (endpoint.aliases or ()):
                found.setdefault(endpoint.network_name, {}).setdefault(name, set()).add(project)
    return {
        network: sorted(name for name, projects in names.items() if len(projects) == 1)
        for network, names in found.items()
    }
