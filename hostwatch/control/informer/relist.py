"""Reading everything: networks and containers, at the start, after a lost connection, at each resync."""

from hostwatch.control.informer.read_queue import ReadQueue
from hostwatch.control.informer.reader import Reader
from hostwatch.control.source import Source
from hostwatch.control.turns import Turns
from hostwatch.core.store.store import Store


async def relist(source: Source, store: Store, reader: Reader, reads: ReadQueue, cause: str) -> None:
    """Bring the store to the engine's present state; raises `EngineError` with the store as it was.

    Both lists are complete before the store changes, so that a failure half way removes nothing. The list holds less
    than an inspection, so a known container is not taken from it, but read again like all others. Events since the
    request are newer than the lists: a container that an event has removed stays gone, and a new network stays.
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
    turns = Turns()
    for container in containers:
        await turns.give()
        if container.key not in known and store.container(container.key) is None:
            store.put(container)
        else:
            reader.take_listed(container, asked, cause)
    listed = {container.key for container in containers}
    # A container that was created after the list, or removed while another uses its network, is missing in the list.
    # Only a read shows whether it is gone.
    unlisted = {container.key for container in store.containers} - listed
    # Parents come first: a container that joins an unread one would have it enqueued.
    await reads.read_all([*store.joins.unread_parents, *listed, *unlisted], cause)
    # If two containers have swapped their addresses, the first one read takes the other's address and makes it stale.
    await reads.read_all(store.stale, cause)
