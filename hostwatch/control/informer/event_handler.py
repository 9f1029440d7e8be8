"""Events: the reads after each one, and the changes that it makes in the store by itself.

| event | container is | read again | at once |
| --- | --- | --- | --- |
| container: create | any | container | an unknown one is taken from the event; a subscriber is listed |
| container: die | any | container, a little later | stale |
| container: start | stopped | container | stale |
| container: start | other | container, unless a read under way finds it running | |
| container: any other | any | container | |
| network: create, destroy | | network | |
| network: disconnect | any | container, a little later | |
| network: connect | running | container, unless it is inspected with it | endpoint, if a read is delayed |
| network: connect | unknown to the store | container | |
| network: connect | starting | | endpoint, unless its file or the network told its address there |
| network: connect | stopped | container | endpoint |

The engine rewrites the file of a container that it connects or disconnects, and may overwrite our block with older
text. So these two events have the container's own file compared, too.
"""

from collections.abc import Iterable

from hostwatch.control.causes import FILE_CHANGED
from hostwatch.control.informer.changes import Changes, at_debug
from hostwatch.control.informer.early import EarlyAddresses
from hostwatch.control.informer.read_queue import ReadQueue
from hostwatch.control.source import Event, Source
from hostwatch.core.model import ContainerKey, Endpoint, NetworkId, NetworkKey, State
from hostwatch.core.store.store import Store

_DELAY_SECONDS = 0.25
"""Delay before a container is read that has died or was disconnected. As a rule its removal, its next start or another
connection follows, and has it read at once. Its lost address lingers meanwhile."""


class EventHandler:
    """Handles the events of one connection."""

    def __init__(self, source: Source, store: Store, reads: ReadQueue, early: EarlyAddresses, changes: Changes) -> None:
        self._source = source
        self._store = store
        self._reads = reads
        self._early = early
        self._changes = changes

    def handle(self, event: Event) -> None:
        """Take in one event."""
        at_debug("{}", lambda: self._described(event))
        match event:
            case Event(kind="network", network=None):
                pass
            case Event(kind="network", container=None, network=NetworkKey() as network):
                self._reads.enqueue(network, str(event))
            case Event(kind="network", container=ContainerKey() as key, network=NetworkKey() as network):
                self._handle_connection(event, key, network)
            case Event(container=ContainerKey() as key):
                self._handle_container(event, key)
            case _:
                pass

    def _handle_container(self, event: Event, key: ContainerKey) -> None:
        known, cause = self._store.container(key), str(event)
        match event.action:
            case "die":
                self._mark_stale(key, cause)
                self._reads.enqueue(key, cause, delay=_DELAY_SECONDS)
            case "start":
                if known is not None and known.state is State.STOPPED:
                    self._mark_stale(key, cause)
                self._reads.enqueue_started(key, cause)
            case action:
                if action == "create" and known is None:
                    self._create(event, key)
                self._reads.enqueue(key, cause)

    def _mark_stale(self, key: ContainerKey, cause: str) -> None:
        self._changes.report(self._reads.admitted(key, self._store.mark_stale(key), cause), cause)

    def _create(self, event: Event, key: ContainerKey) -> None:
        created = self._source.created(event)
        if created is not None:
            self._store.put(created)
            # Its file may have been written before this event was read.
            self._changes.report(frozenset({key}), FILE_CHANGED)
            # A subscriber's records depend on its networks. The event does not name them.
            if self._store.is_subscribed(key):
                self._early.read_listed(key, str(event))

    def _handle_connection(self, event: Event, key: ContainerKey, network: NetworkKey) -> None:
        cause, known = str(event), self._store.container(key)
        state, endpoints = (known.state, known.endpoints) if known is not None else (None, ())
        match event.action, state:
            case "disconnect", _:
                self._reads.enqueue(key, cause, delay=_DELAY_SECONDS)
            case "connect", State.RUNNING if self._is_known(key, endpoints, network):
                pass
            case "connect", State.RUNNING:
                self._early.read_new_endpoint(network, key, cause)
            case _, (State.RUNNING | None):
                self._reads.enqueue(key, cause)
            case "connect", _ if not (_has_address(endpoints, network.id) and self._early.is_told(key)):
                self._early.read_early_endpoint(network, key, cause)
                if state is State.STOPPED:  # addresses in its hosts file are believed only once its networks are known
                    self._reads.enqueue(key, cause)
            case _:
                pass
        if self._store.is_subscribed(key):
            self._changes.report(frozenset({key}), cause)

    def _is_known(self, key: ContainerKey, endpoints: Iterable[Endpoint], network: NetworkKey) -> bool:
        """Whether a running container was, or will be, inspected with its endpoint on the network.

        An early address has the container inspected. The engine holds the container's lock until the connection is
        published, so an inspection with an address there holds the whole endpoint (engines 20.10 to 28.5).
        """
        if self._reads.is_queued(key):
            return self._early.has_confirmed(network, key)
        found = (endpoint for endpoint in endpoints if endpoint.network == network.id)
        return any(endpoint.addresses and endpoint.aliases is not None for endpoint in found)

    def _described(self, event: Event) -> str:
        known = self._store.container(event.container) if event.container is not None else None
        whose = f"{known.name} ({known.key})" if known is not None else str(event.container or "none")
        return f"event {event}: container {whose}"


def _has_address(endpoints: Iterable[Endpoint], network: NetworkId) -> bool:
    return any(endpoint.network == network and endpoint.addresses for endpoint in endpoints)
