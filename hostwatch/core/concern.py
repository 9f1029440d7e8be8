"""Whom a change concerns: the hosts files that may have to say something else, found by the index and not by a walk.

Too many is a little work for nothing; too few would leave a file wrong until the next resync.
"""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from hostwatch.core.facts import Facts, Files
from hostwatch.core.model import Container, ContainerKey, EngineId, Network, NetworkMode
from hostwatch.core.names import folded
from hostwatch.core.terms import called, qualified


def concerned(facts: Facts, key: ContainerKey) -> Files:
    """The hosts files in which the container may appear, or that it reads, or that must not keep its address."""
    files: set[ContainerKey] = set()
    for changed in (key, *facts.joiners(key)):
        container = facts.last_known(changed)
        if container is not None:
            files |= facts.files_of(_readers(facts, container))
            if facts.roles(changed).subscriptions:
                files.add(facts.file_of(changed))
    if (container := facts.container(key)) is not None:
        for endpoint in container.endpoints:
            for address in endpoint.addresses:
                files |= facts.keys("kept", key.engine, address)
    return frozenset(files)


def _readers(facts: Facts, service: Container) -> set[ContainerKey]:
    """The subscribers that may be told of the container, tier by tier (`hostwatch.core.lookup`)."""
    engine, own = service.key.engine, facts.roles(service.key)
    if not own.enabled:
        return set()
    anywhere = {folded(n) for n in (service.name, *(n for rule in own.services for n in (rule.key, *rule.names)))}
    local = {folded(n) for n in (service.name, *own.names, *called(service), qualified(service)) if n is not None}
    found = {reader for near in _near(facts, service) for reader in _asking(facts, engine, local, near)}
    for name in anywhere:
        found |= facts.keys("reads", engine, name)
    if service.project is not None and service.compose_service is not None:
        project = facts.keys("project", engine, service.project)
        found.update(_asking(facts, engine, {folded(service.compose_service)}, project))
    return found


def _asking(
    facts: Facts, engine: EngineId, names: set[str], among: AbstractSet[ContainerKey]
) -> Iterator[ContainerKey]:
    """Who among these asks for one of the names, for every name, or for a service that may have such a name besides.

    A common name has thousands of readers on a large engine, of which few are near: what both sets share is found by
    the smaller one.
    """
    yield from facts.keys("reads all", engine) & among
    for name in names:
        yield from facts.keys("reads", engine, name) & among
        if facts.keys("label", engine, name):
            yield from facts.keys("reads services", engine) & among


def _near(facts: Facts, service: Container) -> Iterator[AbstractSet[ContainerKey]]:
    """Sets of containers that together hold all who may reach this one, as far as that is known."""
    engine, sandbox = service.key.engine, facts.sandbox(service)
    if sandbox is not None and sandbox.network_mode in (NetworkMode.HOST, None):
        yield facts.keys("subscriber")
        return
    yield facts.keys("roaming", engine)
    for endpoint in sandbox.endpoints if sandbox is not None else ():
        yield facts.keys("network", engine, endpoint.network_name)


def concerned_by_network(facts: Facts, network: Network) -> Files:
    """The hosts files that a network's gateway or name may concern: those of its members, and of who reads these."""
    members = facts.keys("network", network.key.engine, network.name)
    return frozenset(file for member in members for file in concerned(facts, member))


def unread_places(facts: Facts, *containers: Container | None) -> set[tuple[EngineId, str]]:
    """The networks of the containers on which somebody's aliases are not read yet."""
    places = {(c.key.engine, e.network_name) for c in containers if c is not None for e in c.endpoints}
    return {(engine, name) for engine, name in places if facts.keys("unread", engine, name)}


def subscribers_on(facts: Facts, places: Iterable[tuple[EngineId, str]]) -> Files:
    """The hosts files of subscribers that see one of these networks."""
    found: set[ContainerKey] = set()
    for engine, name in places:
        found |= facts.keys("subscriber") & (facts.keys("network", engine, name) | facts.keys("roaming", engine))
    return frozenset(facts.files_of(found))
