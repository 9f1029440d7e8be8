"""Whom a change concerns: the hosts files that may have to say something else, found by the index and not by a walk.

Too many is a little work for nothing; too few would leave a file wrong until the next resync.
"""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from hostwatch.core.model import Container, ContainerKey, EngineId, Network, NetworkMode
from hostwatch.core.names import folded
from hostwatch.core.store.indexers import called, qualified
from hostwatch.core.store.lister import FileKeys, Lister


def affected(lister: Lister, key: ContainerKey) -> FileKeys:
    """The hosts files in which the container may appear, or that it reads, or that must not keep its address."""
    files: set[ContainerKey] = set()
    for changed in (key, *lister.joiners(key)):
        container = lister.last_known(changed)
        if container is not None:
            files |= lister.files_of(_readers(lister, container))
            if lister.roles(changed).subscriptions:
                files.add(lister.file_of(changed))
    if (container := lister.container(key)) is not None:
        for endpoint in container.endpoints:
            for address in endpoint.addresses:
                files |= lister.keys("kept", key.engine, address)
    return frozenset(files)


def _readers(lister: Lister, service: Container) -> set[ContainerKey]:
    """The subscribers that may be told of the container, tier by tier (`hostwatch.core.resolve.lookup`)."""
    engine, own = service.key.engine, lister.roles(service.key)
    if not own.enabled:
        return set()
    anywhere = {folded(n) for n in (service.name, *(n for rule in own.services for n in (rule.key, *rule.names)))}
    local = {folded(n) for n in (service.name, *own.names, *called(service), qualified(service)) if n is not None}
    found = {reader for near in _near(lister, service) for reader in _asking(lister, engine, local, near)}
    for name in anywhere:
        found |= lister.keys("reads", engine, name)
    if service.project is not None and service.compose_service is not None:
        project = lister.keys("project", engine, service.project)
        found.update(_asking(lister, engine, {folded(service.compose_service)}, project))
    return found


def _asking(
    lister: Lister, engine: EngineId, names: set[str], among: AbstractSet[ContainerKey]
) -> Iterator[ContainerKey]:
    """Who among these asks for one of the names, for every name, or for a service that may have such a name besides.

    A common name has thousands of readers on a large engine, of which few are near: what both sets share is found by
    the smaller one.
    """
    yield from lister.keys("reads all", engine) & among
    for name in names:
        yield from lister.keys("reads", engine, name) & among
        if lister.keys("label", engine, name):
            yield from lister.keys("reads services", engine) & among


def _near(lister: Lister, service: Container) -> Iterator[AbstractSet[ContainerKey]]:
    """Sets of containers that together hold all who may reach this one, as far as that is known."""
    engine, sandbox = service.key.engine, lister.sandbox(service)
    if sandbox is not None and sandbox.network_mode in (NetworkMode.HOST, None):
        yield lister.keys("subscriber")
        return
    yield lister.keys("roaming", engine)
    for endpoint in sandbox.endpoints if sandbox is not None else ():
        yield lister.keys("network", engine, endpoint.network_name)


def affected_by_network(lister: Lister, network: Network) -> FileKeys:
    """The hosts files that a network's gateway or name may concern: those of its members, and of who reads these."""
    members = lister.keys("network", network.key.engine, network.name)
    return frozenset(file for member in members for file in affected(lister, member))


def unread_places(lister: Lister, *containers: Container | None) -> set[tuple[EngineId, str]]:
    """The networks of the containers on which somebody's aliases are not read yet."""
    places = {(c.key.engine, e.network_name) for c in containers if c is not None for e in c.endpoints}
    return {(engine, name) for engine, name in places if lister.keys("unread", engine, name)}


def subscribers_on(lister: Lister, places: Iterable[tuple[EngineId, str]]) -> FileKeys:
    """The hosts files of subscribers that see one of these networks."""
    found: set[ContainerKey] = set()
    for engine, name in places:
        found |= lister.keys("subscriber") & (lister.keys("network", engine, name) | lister.keys("roaming", engine))
    return frozenset(lister.files_of(found))
