"""The hosts files that a change may affect, found by the index.

A file too many costs a little work. A file too few stays wrong until the next resync.
"""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from hostwatch.core.model import Container, ContainerKey, EngineId, Network, NetworkMode
from hostwatch.core.names import folded
from hostwatch.core.remote import RemoteEndpoint
from hostwatch.core.store.indexers import called, qualified
from hostwatch.core.store.lister import FileKeys, Lister

_MOST_MEMBERS = 100
"""If a network that changes has more members than that, all files count as affected: the search takes some 20 µs for
each member."""


def affected(lister: Lister, key: ContainerKey) -> FileKeys:
    """The files that may name the container, the file it reads, and the files that must not keep its address."""
    files: set[ContainerKey] = set()
    for changed in (key, *lister.joins.joiners(key)):
        container = lister.last_known(changed)
        if container is not None:
            files |= lister.joins.files_of(_readers(lister, container))
            if lister.roles(changed).subscriptions:
                files.add(lister.joins.file_of(changed))
    if (container := lister.container(key)) is not None:
        files |= lister.unconfirmed.owners(container)
    return frozenset(files)


def _readers(lister: Lister, service: Container) -> set[ContainerKey]:
    """The subscribers that may look the container up, tier by tier (`hostwatch.core.resolve.tiers`)."""
    if service.remote is not None:
        return _remote_readers(lister, service, service.remote)
    engine, own = service.key.engine, lister.roles(service.key)
    if not own.enabled:
        return set()
    anywhere = {folded(n) for n in (service.name, *(n for rule in own.services for n in (rule.key, *rule.names)))}
    local = {folded(n) for n in (service.name, *own.names, *called(service), qualified(service)) if n is not None}
    found = _readers_of(lister, engine, local, _near(lister, service))
    for name in anywhere:
        found |= lister.by_index("reads", engine, name)
    if (project := service.project) is not None and (own_name := service.compose_service) is not None:
        found |= _readers_of(lister, engine, {folded(own_name)}, [lister.by_index("project", engine, project)])
    return found


def _remote_readers(lister: Lister, container: Container, remote: RemoteEndpoint) -> set[ContainerKey]:
    """The subscribers that may look up an endpoint on another host."""
    engine, names = container.key.engine, {folded(name) for name in (*remote.names, container.compose_service or "")}
    near = [lister.by_index("roaming", engine), lister.by_index("network", engine, remote.network_name)]
    rule = lister.rules.behind_group(remote.group)
    if rule is not None:
        names |= {folded(name) for name in (rule.key, *rule.names)}
    if rule is not None or remote.is_routed:  # a service of the configuration answers anywhere
        near = [lister.by_index("subscriber")]
    return _readers_of(lister, engine, names, near)


def _readers_of(
    lister: Lister, engine: EngineId, names: set[str], places: Iterable[AbstractSet[ContainerKey]]
) -> set[ContainerKey]:
    """The containers in `places` that look up one of the names, every name, or a service that may have such a label.

    Readers of a common name are found by intersecting two index sets, starting with the smaller one: a large engine
    has thousands of readers of such a name, but few of them are near.
    """
    readers = [lister.by_index("reads all", engine), *[lister.by_index("reads", engine, name) for name in names]]
    of_services = lister.by_index("reads services", engine)
    if of_services and any(lister.by_index("label", engine, name) for name in names):
        readers.append(of_services)
    readers = [found for found in readers if found]
    return {reader for among in places for found in readers for reader in found & among}


def _near(lister: Lister, service: Container) -> Iterator[AbstractSet[ContainerKey]]:
    """Sets of containers that together hold all that may reach this one, as far as that is known."""
    engine, sandbox = service.key.engine, lister.joins.sandbox(service)
    if sandbox is not None and sandbox.network_mode in (NetworkMode.HOST, None):
        yield lister.by_index("subscriber")
        return
    yield lister.by_index("roaming", engine)
    for endpoint in sandbox.endpoints if sandbox is not None else ():
        yield lister.by_index("network", engine, endpoint.network_name)


def affected_by_network(lister: Lister, network: Network) -> FileKeys:
    """The files that a network's gateway or name may affect: those that its members affect, or all if that is less."""
    if lister.by_index("remote on", network.key.engine, ""):  # an address from elsewhere may be inside it
        return lister.subscriber_files
    members, subscribers = lister.by_index("network", network.key.engine, network.name), lister.subscriber_files
    if len(members) > min(len(subscribers), _MOST_MEMBERS):
        return subscribers
    return frozenset(file for member in members for file in affected(lister, member))


def unread_places(lister: Lister, *containers: Container | None) -> set[tuple[EngineId, str]]:
    """The networks of these containers on which the aliases of some container are not read yet."""
    places = {(c.key.engine, e.network_name) for c in containers if c is not None for e in c.endpoints}
    return {(engine, name) for engine, name in places if lister.by_index("unread", engine, name)}


def subscribers_on(lister: Lister, places: Iterable[tuple[EngineId, str]]) -> FileKeys:
    """The files of the subscribers that see one of these networks."""
    found: set[ContainerKey] = set()
    for engine, name in places:
        seeing = lister.by_index("network", engine, name) | lister.by_index("roaming", engine)
        found |= lister.by_index("subscriber") & seeing
    return frozenset(lister.joins.files_of(found))
