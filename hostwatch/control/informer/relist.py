"""Reading everything: networks and containers, at the start, after a lost connection, at each resync."""

from hostwatch.control.informer.read_queue import ReadQueue
from hostwatch.control.source import Source
from hostwatch.core.store.store import Store


async def load(source: Source, store: Store, read_queue: ReadQueue, cause: str) -> None:
    """Bring the store to what the engine says now; raises `EngineError` with the store as it was.

    The lists come first and whole, so that a failure half way removes nothing. A container that is known already is
    not taken from the list, which knows less of it; it is read again like all others. What events have said since the
    lists were asked for is newer: what was known before and is gone stays so, and a network that has come stays.
    """
    known = {container.key for container in store.containers}
    known_networks = {network.key for network in store.networks}
    asked = store.now()
    networks = await source.networks()
    containers = await source.containers()
    for network in networks:
        store.put_network(network)
    for key in known_networks - {network.key for network in networks}:
        store.drop_network(key)
    for container in containers:
        if container.key not in known and store.container(container.key) is None:
            store.put(container)
        else:
            read_queue.listed(container, asked, cause)
    listed = {container.key for container in containers}
    # One that was created since the list was made is not in it: only reading it says whether it is gone.
    unlisted = {container.key for container in store.containers} - listed
    # Nor is one that is gone while another still uses its network. First, as who uses it would have it read, too.
    await read_queue.read_all([*store.joins.unread_parents, *listed, *unlisted], cause)
    # Where two have swapped their addresses, the first that is read takes the other one's, and puts it in doubt.
    await read_queue.read_all(store.stale, cause)
