"""Early addresses: those that are known before the container's inspection answers, and the way they are confirmed.

The engine publishes a container's address late: an inspection waits while the container starts, and an event comes
after the address is in use. Several sources know it earlier. `hostwatch.core.store.early` decides which are believed.

| source | read when | confirmed by |
| --- | --- | --- |
| hosts file of a starting container | the file has changed | its inspection, after the start event |
| hosts file of a running container | the file has changed | its networks, at once; then its inspection |
| list of containers (networks only) | a subscriber is created | its inspection, after each further event |
| inspection of a network | a starting container is connected to it | its inspection, some time later at the latest |
| inspection of a network | a running container is connected to it anew | its inspection, at once |

Every other module sees addresses in the store, where a container with unconfirmed addresses is stale, unless it runs.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial

import anyio
import anyio.lowlevel
from loguru import logger

from hostwatch.control.clock import loop_time
from hostwatch.control.informer.changes import Changes
from hostwatch.control.informer.read_queue import ReadQueue
from hostwatch.control.source import EngineError, GoneError, Source
from hostwatch.core.model import Address, ContainerKey, Endpoint, NetworkKey
from hostwatch.core.store.early import networks_to_ask
from hostwatch.core.store.lister import FileKeys
from hostwatch.core.store.store import Store
from hostwatch.core.timing import RateLimiter

_CLAIM_PAUSES_SECONDS = (0.0, 0.002, 0.004, 0.008, 0.016, 0.032)
"""The pauses before each request for a new address in a running container's file. Its network lists the address before
the engine writes the file, 10 to 60 ms before the connection is published (engines 20.10 to 28.5). So as a rule the
first request is enough."""
_CLAIM_COST_SECONDS = 2.0
"""Price of requests in vain: a container may write any address into its file."""
_CLAIM_CREDIT_SECONDS = 5.0
"""Three series of requests in vain at once."""


class EarlyAddresses:
    """Takes in early addresses, and has them confirmed while there is a connection to the engine."""

    def __init__(self, source: Source, store: Store, changes: Changes) -> None:
        self._source = source
        self._store = store
        self._changes = changes
        self._reads: ReadQueue | None = None
        self._claims: RateLimiter[ContainerKey] = RateLimiter(_CLAIM_CREDIT_SECONDS)
        self._asking: set[ContainerKey] = set()
        """Running containers with an address in their file that their networks are being asked for."""
        self._answered: dict[ContainerKey, NetworkKey] = {}
        """The network that has confirmed such an address, until the container is inspected."""
        self._told: set[ContainerKey] = set()
        """Starting containers whose files tell their addresses, until they are inspected."""

    def connect(self, reads: ReadQueue | None) -> None:
        """Have this queue confirm addresses from now on; `None`: the engine is away, so nothing confirms them."""
        self._reads = reads

    def was_read(self, key: ContainerKey) -> None:
        """The container was inspected, or is gone."""
        self._answered.pop(key, None)
        self._told.discard(key)
        if self._store.container(key) is None:
            self._claims.forget(key)

    # From hosts files.

    def starting(self, key: ContainerKey, addresses: Iterable[Address], cause: str) -> None:
        """The engine has written a file of a starting container, with these addresses as the container's own.

        Its own file is not reported: it is compared next in any case.
        """
        found = tuple(addresses)
        if found:
            self._told.add(key)
        files = self._store.put_early_addresses(key, found)  # an address that is believed marks it as starting, too
        files = (files | self._store.mark_starting(key)) - {key}
        if self._reads is None:
            self._changes.report(files, cause)
        else:
            self._changes.report(self._reads.admitted(key, files, cause), cause)
            if found or not self._reads.is_queued(key):  # otherwise it is being stopped
                self._reads.confirm(key)

    def running(self, key: ContainerKey, addresses: Iterable[Address], cause: str) -> None:
        """The hosts file of a running container has these addresses: ask its networks whether the container has them.

        The container may write its own file, so nothing in it is believed.
        """
        networks = networks_to_ask(self._store, key, addresses)
        if not networks or self._reads is None or key in self._asking:
            return
        if self._claims.wait(key, loop_time()) <= 0:
            self._asking.add(key)
            self._start(self._ask_networks, key, networks, cause)

    def is_told(self, key: ContainerKey) -> bool:
        """Whether a starting container's file tells its addresses."""
        return key in self._told

    def has_confirmed(self, network: NetworkKey, key: ContainerKey) -> bool:
        """Whether this network has confirmed a running container's address since the container was last inspected.

        The engine holds the container's lock already, so the inspection that follows is newer than the connection.
        """
        return self._answered.get(key) == network

    # From events, before the container's inspection.

    def read_listed(self, key: ContainerKey, cause: str) -> None:
        """A new subscriber was created: read it from the list, as its inspection may wait for its start."""
        self._start(self._read_list, key, cause)

    def read_early_endpoint(self, network: NetworkKey, key: ContainerKey, cause: str) -> None:
        """A starting container is connected to a network: read its endpoint there, which waits for no lock."""
        self._start(self._read_endpoint, network, key, cause, self._store.put_early_endpoint)

    def read_new_endpoint(self, network: NetworkKey, key: ContainerKey, cause: str) -> None:
        """A running container is connected to a network: have it read again.

        If it was just disconnected, so that its read is delayed, its new endpoint is read first. The network answers
        without the container's lock, which the engine holds for another millisecond. The two events together cost two
        requests.
        """
        self._asking.discard(key)
        if self._reads is not None:
            first = partial(self._read_endpoint, network, key, cause, self._store.put_new_endpoint)
            self._reads.enqueue_after(first, key, cause)

    def _start(self, work: Callable[..., Awaitable[None]], *arguments: object) -> None:
        if self._reads is not None:
            self._reads.crew.start(work, *arguments)

    async def _read_list(self, key: ContainerKey, cause: str) -> None:
        try:
            container = await self._source.listed(key)
        except (EngineError, GoneError) as error:
            logger.debug("{} is not known yet, as listing it failed: {}", key, error)
            return
        if container is not None:
            self._changes.read(self._store.put_listed(container), cause)

    async def _read_endpoint(
        self, network: NetworkKey, key: ContainerKey, cause: str, put: Callable[[ContainerKey, Endpoint], FileKeys]
    ) -> None:
        endpoint = await self._endpoint(network, key)
        if endpoint is not None:
            self._changes.read(put(key, endpoint), cause)
            if self._reads is not None:
                self._reads.confirm(key)
            await anyio.lowlevel.checkpoint()  # the affected files come before the next request

    async def _ask_networks(
        self, key: ContainerKey, networks: Mapping[NetworkKey, frozenset[Address]], cause: str
    ) -> None:
        """Ask several times, until a network confirms one of these addresses, or the event has come."""
        try:
            for pause in _CLAIM_PAUSES_SECONDS:
                await anyio.sleep(pause)
                for network, addresses in networks.items():
                    if key not in self._asking:
                        return
                    endpoint = await self._endpoint(network, key)
                    if endpoint is not None and not addresses.isdisjoint(endpoint.addresses):
                        self._changes.read(self._store.put_new_endpoint(key, endpoint), cause)
                        if self._reads is not None:
                            self._reads.enqueue(key, cause)
                            self._answered[key] = network
                        return
            self._claims.spend(key, loop_time(), _CLAIM_COST_SECONDS)
        finally:
            self._asking.discard(key)

    async def _endpoint(self, network: NetworkKey, key: ContainerKey) -> Endpoint | None:
        """A container's endpoint from its network's inspection; `None` if it is not known yet."""
        container = self._store.container(key)
        try:
            return await self._source.endpoint(network, key, container.name if container is not None else "")
        except (EngineError, GoneError) as error:
            logger.debug("the endpoint of {} is not known yet: {}", key, error)
            return None
